//! When a candidate has warmed up: found in its own times, and not guessed.

use super::quantile::median;
use crate::number::length;

/// How many calls make one point: a single slow call is no trend.
pub const BATCH: usize = 5;
/// The fewest points of which anything is said.
const LEAST_POINTS: usize = 4;

/// Errors that are this close are taken for equal; of equal ones the shortest warm-up counts.
const EQUAL: f64 = 1.05;

/// How many of the first calls belong to the warm-up; `None` where the times have not settled yet.
///
/// The marginal standard error rule on batches of five: what is cut off leaves the rest with the least standard error of its
/// mean, and where half of the series would be cut it is too short to tell. White, "An effective truncation heuristic for
/// bias reduction in simulation output", Simulation 69 (1997). A batch is represented by its median and not its mean, so that a
/// disturbance from outside is not taken for a warm-up.
pub fn settled(times: &[f64]) -> Option<usize> {
    let points: Vec<f64> = times.chunks_exact(BATCH).filter_map(median).collect();
    if points.len() < LEAST_POINTS {
        return None;
    }
    let error = |cut: usize| {
        let rest = &points[cut..];
        let mean = rest.iter().sum::<f64>() / length(rest.len());
        let squares: f64 = rest.iter().map(|point| (point - mean).powi(2)).sum();
        squares / length(rest.len()).powi(2)
    };
    let half = points.len() / 2;
    let errors: Vec<f64> = (0..=half).map(error).collect();
    let least = errors.iter().copied().min_by(f64::total_cmp)?;
    // What is left of equal times after rounding is no error.
    let rounding = (points[0] * f64::EPSILON).powi(2);
    let cut = errors.iter().position(|error| *error <= least * EQUAL + rounding)?;
    // A cut at the end of what is looked at is none: the times still change.
    (cut * 10 < half * 9).then_some(cut * BATCH)
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn noisy(random: &mut SmallRng, level: impl Fn(usize) -> f64, calls: usize) -> Vec<f64> {
        (0..calls).map(|call| level(call) * random.random_range(0.95..1.05)).collect()
    }

    #[test]
    fn a_steady_candidate_needs_little_warm_up() {
        let mut random = SmallRng::seed_from_u64(1);
        for _ in 0..20 {
            let cut = settled(&noisy(&mut random, |_| 0.01, 200));
            // The rule may cut some points that are a little off, never the half.
            assert!(cut.is_none_or(|cut| cut <= 100), "{cut:?}");
        }
    }

    #[test]
    fn a_compiler_that_takes_forty_calls_is_found() {
        let mut random = SmallRng::seed_from_u64(2);
        for _ in 0..20 {
            let times = noisy(&mut random, |call| if call < 40 { 0.05 } else { 0.01 }, 200);
            let cut = settled(&times).unwrap();
            assert!((40..=100).contains(&cut), "{cut}");
        }
    }

    #[test]
    fn one_that_still_gets_faster_has_not_settled() {
        let mut random = SmallRng::seed_from_u64(3);
        let times = noisy(&mut random, |call| 0.05 - 0.0002 * length(call), 200);
        assert_eq!(settled(&times), None);
        assert_eq!(settled(&[0.01; 10]), None);
    }

    #[test]
    fn a_disturbance_at_the_end_is_no_warm_up() {
        let mut times = vec![0.01; 200];
        times[198] = 1.0;
        assert_eq!(settled(&times), Some(0));
    }
}
