//! "Did you mean": the nearest of the words that would have been right.

/// The word of `known` that `written` was probably meant to be: at most a third of its letters differ.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer words are never a slip of one we know, and the distance takes the product of the lengths.
    const LONGEST: usize = 64;
    if written.is_empty() || written.len() > LONGEST {
        return None;
    }
    known
        .into_iter()
        .filter(|word| word.len() <= LONGEST)
        .map(|word| (distance(written, word), word))
        .filter(|(distance, word)| *distance <= word.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The number of single edits (insert, delete, replace, swap of neighbours) between two words, without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i);
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word() {
        let known = ["memory", "cpu-time", "wall-time", "source"];
        assert_eq!(nearest("memroy", known), Some("memory"));
        assert_eq!(nearest("cpu_time", known), Some("cpu-time"));
        assert_eq!(nearest("Source", known), Some("source"));
        assert_eq!(nearest("walltime", known), Some("wall-time"));
    }

    #[test]
    fn another_word_finds_none() {
        assert_eq!(nearest("database", ["memory", "cpu-time"]), None);
        assert_eq!(nearest("", ["memory"]), None);
        assert_eq!(nearest(&"m".repeat(1000), ["memory"]), None);
    }

    #[test]
    fn distance_counts_a_swap_once() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
