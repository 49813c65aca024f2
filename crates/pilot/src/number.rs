//! Counts as numbers to compute with.

/// A count or size as a floating-point number. Above 2^53 the last digits are lost, which no figure shows.
#[allow(clippy::cast_precision_loss, reason = "figures have three digits")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// The number of items of something.
pub(crate) fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// The length of something as a number to compute with.
pub(crate) fn length(items: usize) -> f64 {
    float(count(items))
}

/// The whole part of a number that is an index: negative ones and what is no number are 0.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is wanted"
)]
pub(crate) fn index(number: f64) -> usize {
    number as usize
}
