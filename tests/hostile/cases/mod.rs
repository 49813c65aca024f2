//! Every case, by what is attacked.

mod guests;

use crate::case::Case;

/// Fewer cases than this would mean that some have been lost.
const LEAST: usize = 3;

/// All of them, in the order in which they run.
pub fn all() -> Vec<Case> {
    let cases = guests::cases();
    assert!(cases.len() >= LEAST, "{} cases, and there should be {LEAST} at least", cases.len());
    cases
}
