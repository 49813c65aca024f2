//! Medians and other quantiles.

use crate::number::{index, length};

/// The quantile at `p`, from 0 to 1, of values in any order; `None` of none.
///
/// Linear interpolation between order statistics: definition 7 of Hyndman and Fan, "Sample quantiles in statistical
/// packages", The American Statistician 50 (1996).
pub fn quantile(values: &[f64], p: f64) -> Option<f64> {
    quantile_mut(&mut values.to_vec(), p)
}

/// The median of values in any order; `None` of none.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// As [`quantile`], and leaves the values in another order.
pub(super) fn quantile_mut(values: &mut [f64], p: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let place = p.clamp(0.0, 1.0) * length(last);
    let below = index(place.floor()).min(last);
    let (_, low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    Some(low + (high - low) * (place - length(below)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_are_those_of_definition_seven() {
        // As R's quantile(c(1, 2, 4, 8, 16), type = 7) has them.
        let values = [16.0, 1.0, 8.0, 2.0, 4.0];
        for (p, expected) in [(0.0, 1.0), (0.1, 1.4), (0.25, 2.0), (0.5, 4.0), (0.9, 12.8), (1.0, 16.0)] {
            assert!((quantile(&values, p).unwrap() - expected).abs() < 1e-12, "{p}");
        }
        assert_eq!(median(&[1.0, 3.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }

    proptest! {
        #[test]
        fn half_of_the_values_are_on_each_side_of_the_median(values in proptest::collection::vec(-1e6_f64..1e6, 1..50)) {
            let median = median(&values).unwrap();
            let below = values.iter().filter(|value| **value < median - 1e-9).count();
            let above = values.iter().filter(|value| **value > median + 1e-9).count();
            prop_assert!(below * 2 <= values.len() && above * 2 <= values.len());
        }
    }
}
