//! What a guest should not do, and a host must survive.

use std::hint::black_box;

use wasip2::cli::exit::exit_with_code;
use wasip2::clocks::monotonic_clock::{subscribe_duration, subscribe_instant};
use wasip2::http::types::Fields;
use wasip2::io::poll::poll;
use wasip2::random::random::get_random_bytes;

/// Memory asked for in one piece, in bytes.
const PIECE: usize = 1024 * 1024;

pub fn spin() -> ! {
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Takes memory, and uses it, until it gets none; says how much it got.
pub fn grow() -> String {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut piece = Vec::new();
        if pieces.try_reserve(1).is_err() || piece.try_reserve_exact(PIECE).is_err() {
            let got = pieces.len();
            drop(pieces);
            return format!("{got} MiB");
        }
        piece.resize(PIECE, 1);
        pieces.push(black_box(piece));
    }
}

/// Timers that a clock may not be able to add up: which of them are over at once.
pub fn timers() -> String {
    let times = [0, 1 << 63, u64::MAX];
    let timers: Vec<_> = times.iter().flat_map(|time| [subscribe_duration(*time), subscribe_instant(*time)]).collect();
    let ready = poll(&timers.iter().collect::<Vec<_>>());
    format!("{ready:?} of {}", timers.len())
}

/// Draws random bytes and leaves them.
pub fn draw(count: u64) -> String {
    const AT_ONCE: u64 = 64 * 1024;
    let mut left = count;
    while left > 0 {
        left -= black_box(get_random_bytes(left.min(AT_ONCE))).len() as u64;
    }
    format!("drew {count} bytes")
}

/// Takes handles and keeps them all.
pub fn hold_handles(count: u64) -> String {
    let held: Vec<_> = (0..count).map(|_| subscribe_duration(u64::MAX)).collect();
    format!("{} handles", black_box(held).len())
}

/// Hands the host a list of bytes, a list of lists and a string, each in one call.
pub fn lift(bytes: u64, items: u64, name: u64) -> String {
    let fields = Fields::new();
    let long = fields.append("x-lifted", &vec![b'x'; bytes as usize]);
    let wide = fields.set("x-lifted", &vec![Vec::new(); items as usize]);
    let named = fields.append(&"x".repeat(name as usize + 1), b"");
    format!("{long:?} {wide:?} {named:?}")
}

#[inline(never)]
#[allow(unconditional_recursion, reason = "a host must survive a stack that grows for ever")]
pub fn recurse(depth: u64) -> u64 {
    let kept = black_box([depth; 64]);
    black_box(recurse(depth + 1)) + kept[0]
}

pub fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

pub fn panic() -> ! {
    panic!("the probe was asked to panic");
}

pub fn exit(code: u64) -> ! {
    exit_with_code(u8::try_from(code).unwrap_or(u8::MAX));
    unreachable!("nothing runs after an exit")
}
