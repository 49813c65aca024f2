//! What a guest should not do, and a host must survive.

use std::hint::black_box;

use wasip2::cli::exit::exit_with_code;
use wasip2::clocks::monotonic_clock::{subscribe_duration, subscribe_instant};
use wasip2::io::poll::poll;

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
