//! Bodies that are made up, and the same in every run.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::Body;
use crate::number::{float, index};

/// Two runs of one plan have to be given the same, so that their reports can be compared.
const SEED: u64 = 6;
/// The words that text is made up of.
const WORDS: [&str; 16] = [
    "harbour", "tide", "keel", "rope", "lantern", "salt", "north", "sail", "anchor", "gull", "chart", "oar", "reef",
    "storm", "quay", "a",
];
/// How many words a line has.
const LINE: usize = 12;

/// Makes up a body; `None` where it is not one that is made up.
pub(crate) fn generate(body: &Body) -> Option<Vec<u8>> {
    let mut random = SmallRng::seed_from_u64(SEED);
    match body {
        Body::Empty | Body::File(_) | Body::Text(_) => None,
        Body::Bytes(size) => {
            let mut bytes = vec![0; usize::try_from(*size).unwrap_or(usize::MAX)];
            random.fill(&mut bytes[..]);
            Some(bytes)
        }
        Body::Words(size) => {
            let size = usize::try_from(*size).unwrap_or(usize::MAX);
            let mut text = String::with_capacity(size + LINE);
            for count in 1.. {
                if text.len() >= size {
                    break;
                }
                text.push_str(WORDS[random.random_range(0..WORDS.len())]);
                text.push(if count % LINE == 0 { '\n' } else { ' ' });
            }
            text.truncate(size);
            Some(text.into_bytes())
        }
        Body::Picture(size) => Some(picture(*size, &mut random)),
    }
}

/// Soft waves of colour with some grain: edges and flats for a filter to work on.
fn picture(size: u64, random: &mut SmallRng) -> Vec<u8> {
    let height = index((float(size) / 3.0 * 3.0 / 4.0).sqrt()).max(1);
    let width = (height * 4 / 3).max(1);
    let mut bytes = format!("P6\n{width} {height}\n255\n").into_bytes();
    for y in 0..height {
        for x in 0..width {
            let (x, y) = (crate::number::length(x) / 17.0, crate::number::length(y) / 11.0);
            for wave in [(x + y).sin(), (x - y * 0.7).cos(), (x * 0.3).sin() * (y * 0.9).cos()] {
                let grain: f64 = random.random_range(-16.0..16.0);
                bytes.push(u8::try_from(index((128.0 + wave * 90.0 + grain).clamp(0.0, 255.0))).unwrap_or(u8::MAX));
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_up_has_its_size_and_is_always_the_same() {
        for body in [Body::Bytes(1000), Body::Words(1000)] {
            let made = generate(&body).unwrap();
            assert_eq!(made.len(), 1000);
            assert_eq!(generate(&body).unwrap(), made);
        }
        let picture = generate(&Body::Picture(57_600)).unwrap();
        assert!(picture.starts_with(b"P6\n160 120\n255\n"));
        assert_eq!(picture.len(), 15 + 160 * 120 * 3);
    }
}
