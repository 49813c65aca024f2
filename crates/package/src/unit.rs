//! How sizes and durations are written: a whole number and a unit, `64 MiB` or `250ms`.
//!
//! A bare number is refused for both, because nobody reads `memory = 64` twice the same way.

use std::time::Duration;

use crate::fault::SyntaxError;
use crate::suggest::nearest;

/// The units of a size, largest first.
const SIZES: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// The units of a duration in microseconds, largest first.
const DURATIONS: &[(&str, u64)] =
    &[("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

/// Reads a size in bytes: `64 MiB`, `10MB`, `512 B`. Units are read without regard to case.
pub fn parse_size(text: &str) -> Result<u64, SyntaxError> {
    let (number, unit) = split(text, "size", "64 MiB")?;
    if unit.is_empty() {
        return Err(SyntaxError::new(format!("a size needs a unit, but {text:?} has none"))
            .hint(format!("write \"{number} B\" for bytes, or a number with KiB, MiB, GiB, kB, MB or GB")));
    }
    let factor = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor);
    let factor = factor.ok_or_else(|| {
        let hint = match unit.to_ascii_lowercase().as_str() {
            short @ ("k" | "m" | "g" | "t") => {
                let short = short.to_uppercase();
                format!("write \"{number} {short}iB\" for powers of 1024, or \"{number} {short}B\" for powers of 1000")
            }
            _ => "the units are B, KiB, MiB, GiB, TiB (powers of 1024) and kB, MB, GB, TB (powers of 1000)".to_owned(),
        };
        SyntaxError::new(format!("{unit:?} is not a unit of size")).hint(hint)
    })?;
    number.checked_mul(factor).ok_or_else(|| SyntaxError::new(format!("the size {text:?} is too large")))
}

/// Reads a duration: `10s`, `250ms`, `2m`, `1h`.
pub fn parse_duration(text: &str) -> Result<Duration, SyntaxError> {
    let (number, unit) = split(text, "duration", "10s")?;
    if unit.is_empty() {
        return Err(SyntaxError::new(format!("a duration needs a unit, but {text:?} has none"))
            .hint(format!("write \"{number}s\" for seconds or \"{number}ms\" for milliseconds")));
    }
    let factor = DURATIONS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor).ok_or_else(|| {
        let spelled =
            [("seconds", "s"), ("milliseconds", "ms"), ("minutes", "m"), ("microseconds", "us"), ("hours", "h")];
        let short = ["secs", "mins"].into_iter().zip(["s", "m"]).chain(spelled);
        let hint = nearest(unit, short.clone().map(|(long, _)| long))
            .and_then(|long| short.clone().find(|(word, _)| *word == long))
            .map_or_else(
                || "the units are us, ms, s, m and h, one of them in a value".to_owned(),
                |(_, unit)| format!("write \"{number}{unit}\""),
            );
        SyntaxError::new(format!("{unit:?} is not a unit of time")).hint(hint)
    })?;
    let micros = number.checked_mul(factor);
    micros.map(Duration::from_micros).ok_or_else(|| SyntaxError::new(format!("the duration {text:?} is too long")))
}

/// Writes a size as [`parse_size`] reads it, in the largest unit that divides it.
pub fn format_size(bytes: u64) -> String {
    let unit = SIZES.iter().find(|(_, factor)| bytes != 0 && bytes.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{bytes} B"), |(name, factor)| format!("{} {name}", bytes / factor))
}

/// Writes a duration as [`parse_duration`] reads it, in the largest unit that divides it. What is below a microsecond is cut.
pub fn format_duration(duration: Duration) -> String {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let unit = DURATIONS.iter().find(|(_, factor)| micros != 0 && micros.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{micros}us"), |(name, factor)| format!("{}{name}", micros / factor))
}

/// Splits `10 MiB` into the number and the unit.
fn split<'a>(text: &'a str, kind: &str, example: &str) -> Result<(u64, &'a str), SyntaxError> {
    let wrong = || SyntaxError::new(format!("{text:?} is not a {kind}")).hint(format!("write it like \"{example}\""));
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if number.is_empty() {
        return Err(wrong());
    }
    if unit.starts_with(['.', ',', '_']) {
        return Err(wrong().hint("write a whole number in a smaller unit"));
    }
    let number = number.parse().map_err(|_| SyntaxError::new(format!("the number in {text:?} is too large")))?;
    Ok((number, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_by_their_unit() {
        for (text, bytes) in
            [("64 MiB", 64 << 20), ("10MB", 10_000_000), ("1gib", 1 << 30), (" 512 B ", 512), ("2 kB", 2000)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn durations_are_read_by_their_unit() {
        for (text, micros) in
            [("10s", 10_000_000), ("250ms", 250_000), ("2m", 120_000_000), ("1 h", 3_600_000_000), ("5us", 5)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn the_largest_unit_that_divides_is_written() {
        assert_eq!(format_size(1536 << 20), "1536 MiB");
        assert_eq!(format_size(10_000_000), "10 MB");
        assert_eq!(format_size(0), "0 B");
        assert_eq!(format_duration(Duration::from_secs(90)), "90s");
        assert_eq!(format_duration(Duration::ZERO), "0us");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let size =
            |text| parse_size(text).map_err(|error| (error.message, error.hint.unwrap_or_default())).unwrap_err();
        assert_eq!(size("64").0, "a size needs a unit, but \"64\" has none");
        assert_eq!(size("64M").1, "write \"64 MiB\" for powers of 1024, or \"64 MB\" for powers of 1000");
        assert_eq!(size("1.5 GiB").1, "write a whole number in a smaller unit");
        assert_eq!(size("-1 B").0, "\"-1 B\" is not a size");
        assert_eq!(size("99999999 TiB").0, "the size \"99999999 TiB\" is too large");
        assert_eq!(size("99999999999999999999 B").0, "the number in \"99999999999999999999 B\" is too large");
        let time =
            |text| parse_duration(text).map_err(|error| (error.message, error.hint.unwrap_or_default())).unwrap_err();
        assert_eq!(time("10").1, "write \"10s\" for seconds or \"10ms\" for milliseconds");
        assert_eq!(time("10sec").1, "write \"10s\"");
        assert_eq!(time("10 minutes").1, "write \"10m\"");
        assert_eq!(time("1m30s").0, "\"m30s\" is not a unit of time");
        assert_eq!(time("").0, "\"\" is not a duration");
    }
}
