//! Looks for what another invocation was given: in all memory, and behind every handle.

use std::sync::Mutex;

use wasip2::filesystem::types::Descriptor;
use wasip2::http::types::{Fields, IncomingBody, IncomingRequest};
use wasip2::io::streams::InputStream;

/// What this instance has been given to keep.
static HIDDEN: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

pub fn hide(canary: Vec<u8>) -> String {
    HIDDEN.lock().expect("one thread").push(canary);
    "hidden".to_owned()
}

/// How often what these hexadecimal digits say is in memory, in what the guest has and in all that it can get.
pub fn search(digits: &str) -> String {
    let mut needle = Vec::with_capacity(digits.len() / 2);
    let pairs = digits.as_bytes().chunks_exact(2);
    needle.extend(pairs.map(|pair| str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or(0)));
    while core::arch::wasm32::memory_grow::<0>(16) != usize::MAX {}
    let end = core::arch::wasm32::memory_size::<0>() * 65_536;
    let byte = |at: usize| {
        // SAFETY: every address below the memory's size can be read, and a byte has no wrong value.
        unsafe { core::ptr::with_exposed_provenance::<u8>(at).read_volatile() }
    };
    let is_here = |at: usize| at != needle.as_ptr() as usize && (0..needle.len()).all(|n| byte(at + n) == needle[n]);
    let found = (1..end - needle.len()).filter(|at| byte(*at) == needle[0] && is_here(*at)).count();
    format!("found {found} in {} MiB", end >> 20)
}

/// What a method of a handle says, which the guest may never have been given.
pub fn reach(kind: &str, number: u64) -> String {
    let number = number as u32;
    // SAFETY: a handle is a number that the host checks; nothing of this guest's memory rests on it.
    unsafe {
        match kind {
            "request" => format!("{:?}", IncomingRequest::from_handle(number).path_with_query()),
            "fields" => format!("{:?}", Fields::from_handle(number).entries()),
            "body" => format!("{:?}", IncomingBody::from_handle(number).stream().map(|stream| stream.read(65_536))),
            "stream" => format!("{:?}", InputStream::from_handle(number).read(65_536)),
            "descriptor" => format!("{:?}", Descriptor::from_handle(number).read(65_536, 0)),
            unknown => format!("the probe knows no {unknown}"),
        }
    }
}
