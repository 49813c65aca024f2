//! What a server can do without while nobody asks: the pages of its own program.

use std::time::Duration;

use coracle_daemon::memory;

use crate::metrics::Metrics;

/// How long after its start a server gives back what only that needed.
///
/// Reason: who started it has the first answer by then.
const SETTLED: Duration = Duration::from_secs(1);

/// How often a server looks whether it rests, and gives back what it needed to answer where nobody has asked since.
///
/// Reason: the next request then takes a tenth of a millisecond longer, in which the kernel finds the pages again: that is little
/// once in so long, and resident memory falls to a third.
const RESTING: Duration = Duration::from_secs(10);

/// Gives memory back whenever the server rests, for ever.
pub(crate) async fn keep_small(metrics: &Metrics) {
    tokio::time::sleep(SETTLED).await;
    let_go();
    let mut rest = Rest { answered: metrics.answered(), is_small: true };
    loop {
        tokio::time::sleep(RESTING).await;
        if rest.begins(metrics.answered()) {
            let_go();
        }
    }
}

/// Gives back what was needed until now, as to read an app.
pub(crate) fn let_go() {
    if let Err(error) = memory::let_go_of_program() {
        tracing::debug!(%error, "pages of the program are kept");
    }
}

/// What was seen at the last look.
struct Rest {
    /// Requests that were answered by then.
    answered: u64,
    /// Whether what they needed was given back.
    is_small: bool,
}

impl Rest {
    /// Whether nothing was answered since the last look, for the first time since something was.
    fn begins(&mut self, answered: u64) -> bool {
        let rests = answered == self.answered;
        let begins = rests && !self.is_small;
        *self = Self { answered, is_small: rests };
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_for_each_rest() {
        let mut rest = Rest { answered: 1, is_small: true };
        let begun = [1, 1, 2, 3, 3, 3, 4, 4].map(|answered| rest.begins(answered));
        assert_eq!(begun, [false, false, false, false, true, false, false, true]);
    }
}
