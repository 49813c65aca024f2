//! Ranges of pages in ascending order that do not touch.

use std::ops::Range;

/// All that is in one or the other.
pub(super) fn union(one: &[Range<usize>], other: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut all = [one, other].concat();
    all.sort_unstable_by_key(|range| range.start);
    let mut union: Vec<Range<usize>> = Vec::with_capacity(all.len());
    for range in all {
        match union.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => union.push(range),
        }
    }
    union
}

/// At most `most` ranges with all of `ranges` in them, and as little else as can be.
pub(super) fn join(ranges: Vec<Range<usize>>, most: usize) -> Vec<Range<usize>> {
    let excess = ranges.len().saturating_sub(most);
    let mut gaps: Vec<Range<usize>> = ranges.windows(2).map(|pair| pair[0].end..pair[1].start).collect();
    gaps.sort_by_key(Range::len);
    gaps.truncate(excess);
    union(&ranges, &gaps)
}

/// How many pages they have.
pub(super) fn pages(ranges: &[Range<usize>]) -> usize {
    ranges.iter().map(Range::len).sum()
}

/// What of `ranges` is before `end`.
pub(super) fn before(ranges: &[Range<usize>], end: usize) -> Vec<Range<usize>> {
    ranges.iter().map(|range| range.start..range.end.min(end)).filter(|range| !range.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges_of(pages: &[bool]) -> Vec<Range<usize>> {
        let single: Vec<_> =
            pages.iter().enumerate().filter(|(_, set)| **set).map(|(page, _)| page..page + 1).collect();
        union(&single, &[])
    }

    fn pages_of(ranges: &[Range<usize>]) -> Vec<bool> {
        let mut pages = vec![false; 64];
        for range in ranges {
            pages[range.clone()].fill(true);
        }
        pages
    }

    #[test]
    fn the_narrowest_gaps_are_closed() {
        assert_eq!(join(vec![0..1, 2..3, 9..10, 12..13], 4), [0..1, 2..3, 9..10, 12..13]);
        assert_eq!(join(vec![0..1, 2..3, 9..10, 12..13], 3), [0..3, 9..10, 12..13]);
        assert_eq!(join(vec![0..1, 2..3, 9..10, 12..13], 2), [0..3, 9..13]);
    }

    proptest! {
        #[test]
        fn a_union_has_what_either_has(one: [bool; 64], other: [bool; 64]) {
            let both = union(&ranges_of(&one), &ranges_of(&other));
            let expected: Vec<bool> = one.iter().zip(&other).map(|(one, other)| one | other).collect();
            prop_assert!(both.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert_eq!(pages_of(&both), expected);
        }

        #[test]
        fn nothing_is_lost_by_joining(pages: [bool; 64], most in 1_usize..20) {
            let ranges = ranges_of(&pages);
            let joined = join(ranges.clone(), most);
            prop_assert_eq!(joined.len(), ranges.len().min(most));
            prop_assert_eq!(union(&joined, &ranges), joined);
        }

        #[test]
        fn what_is_before_an_end_is_kept(pages: [bool; 64], end in 0_usize..64) {
            let mut expected = pages;
            expected[end..].fill(false);
            prop_assert_eq!(pages_of(&before(&ranges_of(&pages), end)), expected);
        }
    }
}
