//! The calibration loop: fixed work, whose time says what the machine does by itself.

use std::hint::black_box;
use std::time::Instant;

use crate::stats::Calibration;

/// Steps of one loop: about five milliseconds of one core, long against a timer's grain and short against a round.
const STEPS: u32 = 6_000_000;

/// Runs the loop twice, one right after the other.
pub(super) fn calibrate() -> Calibration {
    Calibration { first: one(), second: one() }
}

/// Integer arithmetic in registers: nothing in it depends on memory, files or the kernel.
fn one() -> f64 {
    let began = Instant::now();
    let mut state = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..STEPS {
        // Marsaglia's xorshift64: each step needs the one before.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
    began.elapsed().as_secs_f64()
}
