//! Which lines of one text are those of another.

use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, TextDiff, capture_diff_slices_deadline};

/// A diff of hostile texts stops to be minimal after this time; it stays correct.
const DEADLINE: Duration = Duration::from_millis(200);
/// Changed lines count as edited ones when at least this share of their characters is the same.
const SIMILAR: f32 = 0.5;
/// Blocks of changed lines with more pairs than this are not compared pair by pair.
const MAX_PAIRS: usize = 2_500;

/// Which lines of a changed block are edited ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// None: only equal lines match.
    Nothing,
    /// Those that are similar.
    Similar,
    /// All, when the block kept its length, because somebody typed there; else those that are similar.
    InPlace,
}

/// For each of `new`, the index of the line of `old` that it is or was made from; indexes only rise. Blank lines
/// are nobody's.
pub fn match_lines(old: &[&str], new: &[&str], edited: Edited) -> Vec<Option<usize>> {
    let (old_at, old) = filled(old);
    let (new_at, filled_new) = filled(new);
    let mut matches = vec![None; new.len()];
    // Nearly always most of a text is as it was, which is seen without a diff.
    let same = |(a, b): &(&&str, &&str)| a == b || plain(a) == plain(b);
    let before = old.iter().zip(&filled_new).take_while(same).count();
    let (old, filled_new) = (&old[before..], &filled_new[before..]);
    let after = old.iter().rev().zip(filled_new.iter().rev()).take_while(same).count();
    let (old, old_after) = old.split_at(old.len() - after);
    let (filled_new, _) = filled_new.split_at(filled_new.len() - after);
    let unchanged = (0..before).map(|i| (i, i));
    let ends = (0..old_after.len()).map(|i| (before + old.len() + i, before + filled_new.len() + i));
    for (i, j) in unchanged.chain(ends) {
        matches[new_at[j]] = Some(old_at[i]);
    }
    let (old_at, new_at) = (&old_at[before..], &new_at[before..]);
    let [old_plain, new_plain] =
        [old, filled_new].map(|lines| lines.iter().map(|line| plain(line)).collect::<Vec<_>>());
    let operations = capture_diff_slices_deadline(
        Algorithm::Patience,
        &old_plain,
        &new_plain,
        Some(Instant::now() + DEADLINE),
    );
    for operation in operations {
        match operation {
            DiffOp::Equal { old_index, new_index, len } => {
                for i in 0..len {
                    matches[new_at[new_index + i]] = Some(old_at[old_index + i]);
                }
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                let olds = &old[old_index..old_index + old_len];
                let news = &filled_new[new_index..new_index + new_len];
                for (i, j) in pair(olds, news, edited) {
                    matches[new_at[new_index + j]] = Some(old_at[old_index + i]);
                }
            }
            DiffOp::Delete { .. } | DiffOp::Insert { .. } => {}
        }
    }
    matches
}

/// The lines that are not blank, without white space at their ends, and their indexes.
fn filled<'a>(lines: &[&'a str]) -> (Vec<usize>, Vec<&'a str>) {
    let lines = lines.iter().map(|line| line.trim_end()).enumerate();
    lines.filter(|(_, line)| !line.is_empty()).unzip()
}

/// A line without what a formatter may change: white space, and which quotes it has.
pub fn plain(line: &str) -> String {
    line.chars().filter(|c| !c.is_whitespace()).map(|c| if c == '\'' { '"' } else { c }).collect()
}

/// Pairs the lines of a changed block: (old, new), both rising.
fn pair(old: &[&str], new: &[&str], edited: Edited) -> Vec<(usize, usize)> {
    if edited == Edited::InPlace && old.len() == new.len() {
        return (0..old.len()).map(|i| (i, i)).collect();
    }
    let mut pairs = Vec::new();
    if edited == Edited::Nothing || old.len() * new.len() > MAX_PAIRS {
        return pairs;
    }
    let mut next = 0;
    for (i, old) in old.iter().enumerate() {
        let is_similar = |j: &usize| TextDiff::from_chars(old.trim(), new[*j].trim()).ratio() >= SIMILAR;
        if let Some(j) = (next..new.len()).find(is_similar) {
            pairs.push((i, j));
            next = j + 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lines_keep_their_identity() {
        assert_eq!(
            match_lines(&["a", "b", "c"], &["x", "a", "c"], Edited::Similar),
            [None, Some(0), Some(2)]
        );
    }

    #[test]
    fn what_is_the_same_at_both_ends_needs_no_diff() {
        let old: Vec<String> = (0..20_000).map(|i| format!("x{i} = {i}")).collect();
        let old: Vec<&str> = old.iter().map(String::as_str).collect();
        let mut new = old.clone();
        new.insert(10_000, "between = 1");
        new[5] = "x5  =  5";
        let matches = match_lines(&old, &new, Edited::Similar);
        let expected = (0..=20_000usize).map(|j| match j {
            10_000 => None,
            _ => Some(if j < 10_000 { j } else { j - 1 }),
        });
        assert!(matches.into_iter().eq(expected));
        // What is repeated belongs to one end only.
        assert_eq!(match_lines(&["a", "a"], &["a"], Edited::Similar), [Some(0)]);
        assert_eq!(match_lines(&["a"], &["a", "a"], Edited::Similar), [Some(0), None]);
        assert_eq!(match_lines(&[], &["a"], Edited::Similar), [None]);
    }

    #[test]
    fn similar_lines_are_edited_ones() {
        let old = ["import numpy", "data = numpy.ones(100)", "print(data)"];
        let new = ["import numpy", "# a remark", "data = numpy.ones(2000)", "print(data)"];
        assert_eq!(match_lines(&old, &new, Edited::Similar), [Some(0), None, Some(1), Some(2)]);
    }

    #[test]
    fn blank_lines_do_not_hold_a_change_apart() {
        assert_eq!(
            match_lines(&["x = make(7)", ""], &["", "x = make(8)", ""], Edited::Similar),
            [None, Some(0), None]
        );
    }

    #[test]
    fn typing_over_a_line_edits_it() {
        assert_eq!(match_lines(&["x = 1"], &["completely"], Edited::InPlace), [Some(0)]);
        assert_eq!(match_lines(&["x = 1"], &["completely"], Edited::Similar), [None]);
        assert_eq!(match_lines(&["x = 1"], &[""], Edited::InPlace), [None]);
    }
}
