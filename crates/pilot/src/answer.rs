//! Whether two answers are the same, and where they first differ.

use image::RgbaImage;
use serde_json::Value;
use zune_png::PngDecoder;
use zune_png::zune_core::bytestream::ZCursor;
use zune_png::zune_core::colorspace::ColorSpace;
use zune_png::zune_core::options::DecoderOptions;

use crate::number::length;
use crate::plan::Rule;

/// How much of an answer a message shows, in characters.
const SHOWN: usize = 60;

/// What a candidate answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The exit code, or the status.
    pub(crate) code: i64,
    /// Standard output, or the body.
    pub(crate) body: Vec<u8>,
}

/// The first difference, in one line; `None` where the answers are the same by the rule.
pub(crate) fn difference(rule: Rule, expected: &Answer, came: &Answer) -> Option<String> {
    if expected.code != came.code {
        return Some(format!("code {} and not {}", came.code, expected.code));
    }
    match rule {
        Rule::Exit => None,
        Rule::Bytes => bytes(&expected.body, &came.body),
        _ if expected.body == came.body => None,
        Rule::Json(tolerance) => match (parse(&expected.body), parse(&came.body)) {
            (Ok(expected), Ok(came)) => json("$", &expected, &came, tolerance),
            (Err(error), _) => Some(format!("the expected answer is not JSON: {error}")),
            (_, Err(error)) => Some(format!("not JSON: {error}")),
        },
        Rule::Image(most) => match (decode(&expected.body), decode(&came.body)) {
            (Ok(expected), Ok(came)) => images(&expected, &came, most),
            (Err(error), _) => Some(format!("the expected answer is no picture: {error}")),
            (_, Err(error)) => Some(format!("no picture: {error}")),
        },
    }
}

fn bytes(expected: &[u8], came: &[u8]) -> Option<String> {
    let at = expected.iter().zip(came).position(|(a, b)| a != b);
    let at = match at {
        Some(at) => at,
        None if expected.len() == came.len() => return None,
        None => expected.len().min(came.len()),
    };
    let line = expected[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    Some(format!("byte {at}, in line {line}: {} and not {}", excerpt(came, at), excerpt(expected, at)))
}

/// What stands at a place of an answer.
fn excerpt(bytes: &[u8], at: usize) -> String {
    match bytes.get(at..) {
        None | Some([]) => "the end".to_owned(),
        Some(rest) => {
            let text = String::from_utf8_lossy(&rest[..rest.len().min(SHOWN * 4)]).into_owned();
            let line = text.lines().next().unwrap_or_default();
            format!("{:?}", line.chars().take(SHOWN).collect::<String>())
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(bytes)
}

fn json(path: &str, expected: &Value, came: &Value, tolerance: f64) -> Option<String> {
    match (expected, came) {
        (Value::Object(a), Value::Object(b)) => {
            let missing = a.keys().find(|key| !b.contains_key(*key)).map(|key| format!("{path}.{key}: missing"));
            let more = || b.keys().find(|key| !a.contains_key(*key)).map(|key| format!("{path}.{key}: not expected"));
            missing.or_else(more).or_else(|| {
                a.iter().find_map(|(key, value)| json(&format!("{path}.{key}"), value, b.get(key)?, tolerance))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(index, (a, b))| json(&format!("{path}[{index}]"), a, b, tolerance))
        }
        (Value::Array(a), Value::Array(b)) => Some(format!("{path}: {} items and not {}", b.len(), a.len())),
        (Value::Number(a), Value::Number(b)) => {
            let same = a == b
                || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| (a - b).abs() <= tolerance * a.abs().max(b.abs()));
            (!same).then(|| format!("{path}: {b} and not {a}"))
        }
        (a, b) => (a != b).then(|| format!("{path}: {} and not {}", short(b), short(a))),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN { text } else { text.chars().take(SHOWN).chain("...".chars()).collect() }
}

/// A picture in any of the formats that functions answer with.
fn decode(bytes: &[u8]) -> Result<RgbaImage, String> {
    if bytes.starts_with(b"\x89PNG") {
        return decode_png(bytes);
    }
    Ok(image::load_from_memory(bytes).map_err(|error| error.to_string())?.to_rgba8())
}

fn decode_png(bytes: &[u8]) -> Result<RgbaImage, String> {
    let options = DecoderOptions::default().png_set_strip_to_8bit(true).png_set_add_alpha_channel(true);
    let mut decoder = PngDecoder::new_with_options(ZCursor::new(bytes), options);
    let samples = decoder.decode_raw().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions().ok_or("it has no size")?;
    let samples = match decoder.colorspace() {
        Some(ColorSpace::RGBA) => samples,
        Some(ColorSpace::LumaA) => samples.chunks_exact(2).flat_map(|it| [it[0], it[0], it[0], it[1]]).collect(),
        other => return Err(format!("its colours are not known ({other:?})")),
    };
    let size = u32::try_from(width).ok().zip(u32::try_from(height).ok());
    size.and_then(|(width, height)| RgbaImage::from_raw(width, height, samples))
        .ok_or_else(|| "it is cut off".to_owned())
}

/// The root mean square distance over all samples, and the pixel that is farthest off.
fn images(expected: &RgbaImage, came: &RgbaImage, most: f64) -> Option<String> {
    if expected.dimensions() != came.dimensions() {
        let ((w, h), (x, y)) = (expected.dimensions(), came.dimensions());
        return Some(format!("{x} by {y} pixels and not {w} by {h}"));
    }
    let apart = |a: &u8, b: &u8| f64::from(a.abs_diff(*b)).powi(2);
    let squares: f64 = expected.as_raw().iter().zip(came.as_raw()).map(|(a, b)| apart(a, b)).sum();
    let distance = (squares / length(expected.as_raw().len()).max(1.0)).sqrt();
    if distance <= most {
        return None;
    }
    let off = |pixel: &(u32, u32, &image::Rgba<u8>)| {
        let other = came.get_pixel(pixel.0, pixel.1);
        pixel.2.0.iter().zip(other.0).map(|(a, b)| u32::from(a.abs_diff(b))).sum::<u32>()
    };
    let (x, y, pixel) = expected.enumerate_pixels().max_by_key(off)?;
    let other = came.get_pixel(x, y);
    Some(format!("a distance of {distance:.2}, above {most}; pixel {x},{y} is {:?} and not {:?}", other.0, pixel.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differ(rule: Rule, expected: &[u8], came: &[u8]) -> Option<String> {
        let answer = |body: &[u8]| Answer { code: 0, body: body.to_vec() };
        difference(rule, &answer(expected), &answer(came))
    }

    #[test]
    fn bytes_differ_at_a_place() {
        assert_eq!(differ(Rule::Bytes, b"a\nbc\n", b"a\nbc\n"), None);
        let found = differ(Rule::Bytes, b"a\nbc\n", b"a\nbd\n").unwrap();
        assert_eq!(found, "byte 3, in line 2: \"d\" and not \"c\"");
        assert_eq!(differ(Rule::Bytes, b"ab", b"a").unwrap(), "byte 1, in line 1: the end and not \"b\"");
    }

    #[test]
    fn the_code_counts_in_every_rule() {
        let (good, bad) = (Answer { code: 0, body: vec![] }, Answer { code: 3, body: vec![] });
        for rule in [Rule::Bytes, Rule::Json(0.0), Rule::Image(1.0), Rule::Exit] {
            assert_eq!(difference(rule, &good, &bad).unwrap(), "code 3 and not 0");
        }
        assert_eq!(differ(Rule::Exit, b"a", b"b"), None);
    }

    #[test]
    fn numbers_of_json_may_be_apart_by_the_tolerance() {
        let (a, b) = (br#"{"x": [1, 2.0]}"#, br#"{"x": [1.0, 2.0000001]}"#);
        assert_eq!(differ(Rule::Json(1e-6), a, b), None);
        assert_eq!(differ(Rule::Json(1e-9), a, b).unwrap(), "$.x[1]: 2.0000001 and not 2.0");
        assert_eq!(differ(Rule::Json(0.1), a, br#"{"y": 1}"#).unwrap(), "$.x: missing");
        assert_eq!(differ(Rule::Json(0.1), a, br#"{"x": [1]}"#).unwrap(), "$.x: 1 items and not 2");
        assert!(differ(Rule::Json(0.1), a, b"oops").unwrap().starts_with("not JSON"));
    }

    #[test]
    fn pictures_may_be_apart_by_the_distance() {
        let (a, b) = (b"P6\n2 1\n255\n\x00\x00\x00\x10\x10\x10", b"P6\n2 1\n255\n\x00\x00\x00\x10\x10\x14");
        assert_eq!(differ(Rule::Image(2.0), a, b), None);
        let found = differ(Rule::Image(1.0), a, b).unwrap();
        assert_eq!(found, "a distance of 1.41, above 1; pixel 1,0 is [16, 16, 20, 255] and not [16, 16, 16, 255]");
        assert_eq!(differ(Rule::Image(1.0), a, b"P6\n1 1\n255\n\x00\x00\x00").unwrap(), "1 by 1 pixels and not 2 by 1");
        assert!(differ(Rule::Image(1.0), a, b"text").unwrap().starts_with("no picture"));
    }
}
