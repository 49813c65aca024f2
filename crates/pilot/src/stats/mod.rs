//! The statistics of a pilot. Each formula names its source.

mod bootstrap;
mod noise;
mod quantile;
mod warmup;

pub use bootstrap::{Estimate, Ratio, estimate, ratio};
pub use noise::{Calibration, Level, Noise, TOO_NOISY, UNEASY, noise};
pub use quantile::{median, quantile};
pub use warmup::{BATCH, settled};

/// The fewest pairs of which anything is said: the exact interval of a median of five values covers 94 %.
pub const LEAST_PAIRS: u32 = 6;
