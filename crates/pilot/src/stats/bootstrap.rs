//! Intervals by resampling, of medians and of ratios pair by pair.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use super::quantile::quantile_mut;
use crate::number::{count, length};

/// How often is resampled: an interval's ends then move by less than a tenth of its width from seed to seed.
const RESAMPLES: usize = 2_000;
/// The same measurements give the same report.
const SEED: u64 = 0x5eed;
/// What an interval that is shown leaves out, on both sides together.
const SHOWN: f64 = 0.05;
/// What an interval that decides leaves out: five measures are judged for each port, and by the inequality of Bonferroni the
/// chance that any of them is called different without being so stays below 5 %.
const DECIDES: f64 = SHOWN / 5.0;

/// A figure with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// The lower end of its bootstrap 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How many values it was made from.
    pub values: u64,
}

/// What one candidate takes, divided by what another takes, with intervals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The median of the ratios of pairs; over several inputs their geometric mean.
    pub value: f64,
    /// The lower end of its bootstrap 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The lower end of the 99 % interval by which is decided.
    pub decides_low: f64,
    /// The upper end.
    pub decides_high: f64,
    /// How many pairs it was made from.
    pub pairs: u64,
}

/// The quantile at `p` of all values, with its interval. Values come in groups, such as the calls of one burst: groups and
/// not values are drawn, because what comes together varies together.
///
/// The percentile bootstrap of Efron and Tibshirani, "An introduction to the bootstrap" (1993), chapter 13; drawing groups is
/// the cluster bootstrap of Davison and Hinkley, "Bootstrap methods and their application" (1997), section 3.8.
pub fn estimate(groups: &[Vec<f64>], p: f64) -> Option<Estimate> {
    let mut all: Vec<f64> = groups.iter().flatten().copied().collect();
    let values = count(all.len());
    let value = quantile_mut(&mut all, p)?;
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut drawn = Vec::with_capacity(all.len());
    let statistics = (0..RESAMPLES).filter_map(|_| {
        drawn.clear();
        for _ in groups {
            drawn.extend_from_slice(&groups[random.random_range(0..groups.len())]);
        }
        quantile_mut(&mut drawn, p)
    });
    let mut statistics: Vec<f64> = statistics.collect();
    let (low, high) = ends(&mut statistics, SHOWN)?;
    Some(Estimate { value, low, high, values })
}

/// The ratio of pairs, which come in strata: one for each input, drawn from apart. Pairs with something that is not positive
/// have no ratio and count for nothing.
///
/// Ratios are taken pair by pair, so that what slows both sides of a pair cancels; over inputs their geometric mean is taken,
/// after Fleming and Wallace, "How not to lie with statistics", Communications of the ACM 29 (1986).
pub fn ratio(strata: &[Vec<(f64, f64)>]) -> Option<Ratio> {
    let logarithms = |pairs: &Vec<(f64, f64)>| -> Vec<f64> {
        pairs.iter().filter(|(a, b)| *a > 0.0 && *b > 0.0).map(|(a, b)| (a / b).ln()).collect()
    };
    let strata: Vec<Vec<f64>> = strata.iter().map(logarithms).filter(|stratum| !stratum.is_empty()).collect();
    let pairs = strata.iter().map(|stratum| count(stratum.len())).sum();
    let mut scratch = Vec::new();
    let value = mean_of_medians(&strata, |stratum, scratch| scratch.extend_from_slice(stratum), &mut scratch)?;
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut statistics = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let draw = |stratum: &[f64], scratch: &mut Vec<f64>| {
            scratch.extend((0..stratum.len()).map(|_| stratum[random.random_range(0..stratum.len())]));
        };
        statistics.extend(mean_of_medians(&strata, draw, &mut scratch));
    }
    let (low, high) = ends(&mut statistics, SHOWN)?;
    let (decides_low, decides_high) = ends(&mut statistics, DECIDES)?;
    Some(Ratio {
        value: value.exp(),
        low: low.exp(),
        high: high.exp(),
        decides_low: decides_low.exp(),
        decides_high: decides_high.exp(),
        pairs,
    })
}

/// The mean, over strata, of the median of what `take` takes from each.
fn mean_of_medians(
    strata: &[Vec<f64>],
    mut take: impl FnMut(&[f64], &mut Vec<f64>),
    scratch: &mut Vec<f64>,
) -> Option<f64> {
    let mut sum = 0.0;
    for stratum in strata {
        scratch.clear();
        take(stratum, scratch);
        sum += quantile_mut(scratch, 0.5)?;
    }
    (!strata.is_empty()).then(|| sum / length(strata.len()))
}

/// The ends of the interval that leaves out a share of the resampled statistics, half of it on each side.
fn ends(statistics: &mut [f64], out: f64) -> Option<(f64, f64)> {
    Some((quantile_mut(statistics, out / 2.0)?, quantile_mut(statistics, 1.0 - out / 2.0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values around `centre` with the coefficient of variation `spread`: logarithms are normal, by Box and Muller.
    fn values(random: &mut SmallRng, centre: f64, spread: f64, count: usize) -> Vec<f64> {
        let normal = |random: &mut SmallRng| {
            let (u, v): (f64, f64) = (random.random_range(1e-12..1.0), random.random_range(0.0..1.0));
            (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        };
        (0..count).map(|_| centre * (spread * normal(random)).exp()).collect()
    }

    #[test]
    fn an_interval_of_a_median_covers_it_as_often_as_it_says() {
        let mut random = SmallRng::seed_from_u64(1);
        let covered = (0..300).filter(|_| {
            let groups: Vec<Vec<f64>> =
                values(&mut random, 0.05, 0.2, 40).into_iter().map(|value| vec![value]).collect();
            let found = estimate(&groups, 0.5).unwrap();
            found.low <= 0.05 && 0.05 <= found.high
        });
        // 95 % of 300 are 285; three standard deviations are 11.
        let covered = covered.count();
        assert!((270..=298).contains(&covered), "{covered} of 300");
    }

    #[test]
    fn calls_that_come_together_do_not_narrow_the_interval() {
        let mut random = SmallRng::seed_from_u64(2);
        let bursts = values(&mut random, 0.01, 0.2, 30);
        let alone: Vec<Vec<f64>> = bursts.iter().map(|value| vec![*value]).collect();
        let together: Vec<Vec<f64>> = bursts.iter().map(|value| vec![*value; 20]).collect();
        let (alone, together) = (estimate(&alone, 0.5).unwrap(), estimate(&together, 0.5).unwrap());
        assert!(together.high - together.low > 0.8 * (alone.high - alone.low), "{together:?} {alone:?}");
    }

    #[test]
    fn what_slows_both_of_a_pair_cancels() {
        let mut random = SmallRng::seed_from_u64(3);
        let pairs = values(&mut random, 1.0, 0.8, 40).into_iter().map(|weather| (2.0 * weather, weather));
        let found = ratio(&[pairs.collect()]).unwrap();
        assert!((found.value - 2.0).abs() < 1e-9 && (found.high - found.low) < 1e-9, "{found:?}");
    }

    #[test]
    fn inputs_count_alike_and_what_is_not_positive_for_nothing() {
        let strata = [vec![(2.0, 1.0); 8], vec![(8.0, 1.0); 20], vec![(1.0, 0.0); 5], vec![(0.0, 1.0)]];
        let found = ratio(&strata).unwrap();
        assert!((found.value - 4.0).abs() < 1e-9, "{found:?}");
        assert_eq!(found.pairs, 28);
        assert_eq!(ratio(&[]), None);
        assert_eq!(ratio(&[vec![(1.0, 0.0)]]), None);
    }

    #[test]
    fn an_interval_that_decides_is_wider() {
        let mut random = SmallRng::seed_from_u64(4);
        let (a, b) = (values(&mut random, 1.1, 0.1, 40), values(&mut random, 1.0, 0.1, 40));
        let found = ratio(&[a.into_iter().zip(b).collect()]).unwrap();
        assert!(found.decides_low < found.low && found.high < found.decides_high, "{found:?}");
        assert!(found.low < found.value && found.value < found.high);
    }
}
