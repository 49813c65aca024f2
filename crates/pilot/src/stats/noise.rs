//! What the machine does to figures by itself, measured by a fixed calibration loop.

use serde::{Deserialize, Serialize};

use super::bootstrap::ratio;
use super::quantile::quantile;
use super::{LEAST_PAIRS, Ratio, median};
use crate::number::count;

/// A noise floor above which a report warns: differences below 5 % cannot be seen then.
pub const UNEASY: f64 = 0.05;
/// A noise floor above which nothing is said: verdicts turn on differences of 10 % and 25 %, and two equal loops seem to differ
/// by nearly as much. Below it differences that are larger than the floor still count.
pub const TOO_NOISY: f64 = 0.2;
/// A spread of single loops above which nothing is said: the middle half of equal loops differ by more than their median.
const TOO_SPREAD: f64 = 1.0;

/// The calibration loop, run twice in a row at the start of a round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Seconds of the first.
    pub first: f64,
    /// Seconds of the second.
    pub second: f64,
}

/// How far figures of this run can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As far as their intervals say.
    Quiet,
    /// Differences of a few per cent are lost.
    Uneasy,
    /// Not at all.
    TooNoisy,
}

/// The machine's noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// The difference that equal loops seem to have, as a share: a smaller one between candidates is inside the noise.
    pub floor: f64,
    /// The interquartile range of single loops, as a share of their median.
    pub spread: f64,
    /// How the last third of the run compares with its first third.
    pub drift: f64,
    /// The median of a loop, in seconds.
    pub loop_seconds: f64,
    /// How many loops there were.
    pub loops: u64,
    /// What that comes to.
    pub level: Level,
}

/// The noise of a run; `None` where there were too few rounds to tell.
///
/// Two equal loops in each round are compared as candidates are (an "A/A test"): the end of the deciding interval that lies
/// farther from 1 is what this machine makes of no difference at all.
pub fn noise(rounds: &[Calibration]) -> Option<Noise> {
    if count(rounds.len()) < u64::from(LEAST_PAIRS) {
        return None;
    }
    let Ratio { decides_low, decides_high, .. } =
        ratio(&[rounds.iter().map(|round| (round.first, round.second)).collect()])?;
    let floor = decides_low.ln().abs().max(decides_high.ln().abs()).exp_m1();
    let all: Vec<f64> = rounds.iter().flat_map(|round| [round.first, round.second]).collect();
    let loop_seconds = median(&all)?;
    let spread = (quantile(&all, 0.75)? - quantile(&all, 0.25)?) / loop_seconds;
    let third = all.len() / 3;
    let drift = median(&all[all.len() - third..])? / median(&all[..third])? - 1.0;
    let level = match floor {
        _ if floor > TOO_NOISY || spread > TOO_SPREAD => Level::TooNoisy,
        _ if floor > UNEASY => Level::Uneasy,
        _ => Level::Quiet,
    };
    Some(Noise { floor, spread, drift, loop_seconds, loops: count(all.len()), level })
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn machine(spread: f64, drift: f64) -> Noise {
        let mut random = SmallRng::seed_from_u64(1);
        let mut one =
            |round: u32| 0.005 * random.random_range(1.0..1.0 + spread) * (1.0 + drift * f64::from(round) / 40.0);
        let rounds: Vec<Calibration> =
            (0..40).map(|round| Calibration { first: one(round), second: one(round) }).collect();
        noise(&rounds).unwrap()
    }

    #[test]
    fn a_machine_is_as_noisy_as_its_loops() {
        assert_eq!(machine(0.01, 0.0).level, Level::Quiet);
        assert_eq!(machine(0.6, 0.0).level, Level::Uneasy);
        assert_eq!(machine(80.0, 0.0).level, Level::TooNoisy);
    }

    #[test]
    fn drift_is_seen_and_is_no_noise() {
        let noise = machine(0.01, 0.3);
        assert_eq!(noise.level, Level::Quiet);
        assert!((0.1..0.3).contains(&noise.drift), "{noise:?}");
    }

    #[test]
    fn a_few_rounds_tell_nothing() {
        assert_eq!(noise(&[Calibration { first: 0.005, second: 0.005 }; 5]), None);
    }
}
