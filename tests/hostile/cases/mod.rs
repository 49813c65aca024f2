//! Every case, by what is attacked.

mod canary;
mod clients;
mod compile;
mod files;
mod guests;
mod http2;
mod messages;
mod network;
mod stores;

use crate::case::Case;

/// Fewer cases than this would mean that some have been lost.
const LEAST: usize = 51;

/// All of them, in the order in which they run.
pub fn all() -> Vec<Case> {
    let groups = [
        guests::cases(),
        compile::cases(),
        messages::cases(),
        files::cases(),
        network::cases(),
        stores::cases(),
        canary::cases(),
        clients::cases(),
        http2::cases(),
    ];
    let cases = Vec::from_iter(groups.into_iter().flatten());
    assert!(cases.len() >= LEAST, "{} cases, and there should be {LEAST} at least", cases.len());
    cases
}
