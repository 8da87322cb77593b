//! Which lines of a source text are shown around those that have figures.

use std::collections::BTreeSet;

/// A source text as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The text.
    pub text: String,
    /// Whether it was changed after the run: lines may have moved.
    pub changed_since: bool,
}

/// Lines shown before and after one that matters.
const CONTEXT: u32 = 2;

/// The lines to show, in groups without gaps: those in `matter`, a few around them, and those in `headings`, all up
/// to `last`.
pub fn shown_lines(matter: &[u32], headings: &[u32], last: u32) -> Vec<Vec<u32>> {
    let mut shown: BTreeSet<u32> = BTreeSet::new();
    for line in matter {
        shown.extend(line.saturating_sub(CONTEXT).max(1)..=line.saturating_add(CONTEXT).min(last));
        shown.insert(*line);
    }
    shown.extend(headings.iter().filter(|line| **line <= last));
    // A single line left out would be replaced by a mark of its own size.
    let next = |line: u32, by: u32| line.checked_add(by).is_some_and(|line| shown.contains(&line));
    let lonely: Vec<u32> =
        shown.iter().filter(|line| !next(**line, 1) && next(**line, 2)).map(|line| line + 1).collect();
    shown.extend(lonely);
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for line in shown {
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(|last| last + 1 == line) => group.push(line),
            _ => groups.push(vec![line]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn context_joins_and_stays_inside() {
        assert_eq!(shown_lines(&[1], &[], 2), [[1, 2]]);
        assert_eq!(shown_lines(&[5, 10], &[], 100), [vec![3, 4, 5, 6, 7, 8, 9, 10, 11, 12]]);
        assert_eq!(shown_lines(&[5, 20], &[], 20), [vec![3, 4, 5, 6, 7], vec![18, 19, 20]]);
        assert_eq!(shown_lines(&[20], &[9], 30), [vec![9], vec![18, 19, 20, 21, 22]]);
        // The file became shorter.
        assert_eq!(shown_lines(&[20], &[9], 5), [vec![20]]);
    }

    proptest! {
        #[test]
        fn every_line_that_matters_is_shown_once(
            matter in prop::collection::vec(prop_oneof![1u32..60, u32::MAX - 5..=u32::MAX], 0..10),
            headings in prop::collection::vec(1u32..60, 0..5),
            last in 0u32..60,
        ) {
            let groups = shown_lines(&matter, &headings, last);
            let all: Vec<u32> = groups.concat();
            prop_assert!(all.is_sorted_by(|a, b| a < b));
            prop_assert!(matter.iter().all(|line| all.contains(line)));
        }
    }
}
