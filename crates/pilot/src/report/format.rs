//! Figures as a reader wants them: three digits and a unit.

use crate::stats::Estimate;

/// A number with three significant digits.
pub(super) fn digits(number: f64) -> String {
    let size = number.abs();
    match size {
        _ if !number.is_finite() => "-".to_owned(),
        0.0 => "0".to_owned(),
        _ if size >= 99.95 => format!("{number:.0}"),
        _ if size >= 9.995 => format!("{number:.1}"),
        _ if size >= 0.9995 => format!("{number:.2}"),
        _ if size >= 0.09995 => format!("{number:.3}"),
        _ if size >= 0.009_995 => format!("{number:.4}"),
        _ => format!("{number:.2e}"),
    }
}

/// Seconds in the unit that fits.
pub(super) fn seconds(value: f64) -> String {
    let (scaled, unit) = match value {
        _ if value >= 1.0 => (value, "s"),
        _ if value >= 1e-3 => (value * 1e3, "ms"),
        _ => (value * 1e6, "µs"),
    };
    format!("{} {unit}", digits(scaled))
}

/// Bytes in the unit that fits, in powers of 1000 as disks and prices have them.
pub(super) fn bytes(value: f64) -> String {
    let (scaled, unit) = match value {
        _ if value >= 1e9 => (value / 1e9, "GB"),
        _ if value >= 1e6 => (value / 1e6, "MB"),
        _ if value >= 1e3 => (value / 1e3, "kB"),
        _ => (value, "B"),
    };
    format!("{} {unit}", digits(scaled))
}

/// A factor.
pub(super) fn times(ratio: f64) -> String {
    digits(ratio)
}

/// A share.
pub(super) fn percent(share: f64) -> String {
    let digits = digits(share * 100.0);
    let short = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    format!("{short} %")
}

/// A figure with its interval.
pub(super) fn with_interval(estimate: Option<&Estimate>, unit: impl Fn(f64) -> String) -> String {
    match estimate {
        None => "-".to_owned(),
        Some(Estimate { value, low, high, .. }) if (high - low).abs() <= value.abs() * 1e-3 => unit(*value),
        Some(Estimate { value, low, high, .. }) => format!("{} ({} to {})", unit(*value), unit(*low), unit(*high)),
    }
}

/// The name of a rule, in words.
pub(super) fn rule(rule: crate::plan::Rule) -> String {
    use crate::plan::Rule;
    match rule {
        Rule::Bytes => "the same bytes".to_owned(),
        Rule::Json(tolerance) if tolerance > 0.0 => format!("equal JSON, numbers within {tolerance} of each other"),
        Rule::Json(_) => "equal JSON".to_owned(),
        Rule::Image(distance) => format!("pictures with a root mean square distance of at most {distance} of 255"),
        Rule::Exit => "the same exit code".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        assert_eq!(seconds(0.012_345), "12.3 ms");
        assert_eq!(seconds(0.000_012_3), "12.3 µs");
        assert_eq!(seconds(2.0), "2.00 s");
        assert_eq!(bytes(123_456_789.0), "123 MB");
        assert_eq!(percent(0.25), "25 %");
        assert_eq!(percent(0.123_45), "12.3 %");
        assert_eq!(digits(99.96), "100");
        assert_eq!(digits(0.05), "0.0500");
        assert_eq!(digits(0.0), "0");
    }
}
