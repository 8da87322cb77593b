//! Which line of an edited file is which line of the earlier one.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Why a line is taken for a line of the earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MatchedBy {
    /// The file is the same in both runs.
    File,
    /// The file was edited, and the line has the same text at the place that corresponds to it.
    Content,
    /// The text of a run is not known: the line has the same number in a function that did not move.
    Number,
    /// A guess. The text of a run is not known: the line is as far below the beginning of its function.
    Function,
    /// A guess. The text of a run is not known, or the line was changed: it calls and allocates the same, or stands
    /// between the same lines.
    Neighbours,
}

impl MatchedBy {
    /// Its name in documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Content => "content",
            Self::Number => "number",
            Self::Function => "function",
            Self::Neighbours => "neighbours",
        }
    }

    /// Whether it may be wrong.
    #[must_use]
    pub const fn is_guess(self) -> bool {
        matches!(self, Self::Function | Self::Neighbours)
    }
}

/// Lines of a file of the earlier run, with what they are in the later one.
pub type Lines = FxHashMap<u32, (u32, MatchedBy)>;

/// By the texts of a file in both runs. Indentation does not count: a line that was put into a block is the same.
pub fn by_text(before: &str, after: &str) -> Lines {
    let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    let (before, after) = (lines(before), lines(after));
    let is_same = before == after;
    let mut matched = Lines::default();
    for op in capture_diff_slices(Algorithm::Patience, &before, &after) {
        let by = match op {
            DiffOp::Equal { .. } if is_same => MatchedBy::File,
            DiffOp::Equal { .. } => MatchedBy::Content,
            // As many lines in the place of others: each was changed, most likely.
            DiffOp::Replace { old_len, new_len, .. } if old_len == new_len => MatchedBy::Neighbours,
            _ => continue,
        };
        let (old, new) = (op.old_range(), op.new_range());
        matched.extend(old.zip(new).map(|(old, new)| (old as u32 + 1, (new as u32 + 1, by))));
    }
    matched
}

/// What is known of a line of a run without its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Doings {
    /// The functions it called, each with its file. An import calls the module.
    pub called: BTreeSet<String>,
    /// How it allocated itself.
    pub allocated: BTreeSet<&'static str>,
}

impl Doings {
    /// Whether two lines may be the same one: what a line calls may depend on the run, but hardly all of it.
    fn agree(&self, other: &Self) -> bool {
        !self.called.is_disjoint(&other.called) || (self.called.is_empty() && other.called.is_empty())
    }
}

/// One function in one run: its first line, and its lines with what they did, in order.
pub struct Seen<'a> {
    pub first_line: u32,
    pub lines: &'a [(u32, Doings)],
}

/// Without the text of one run, inside one function.
pub fn by_doings(before: &Seen<'_>, after: &Seen<'_>) -> Lines {
    let shift = i64::from(after.first_line) - i64::from(before.first_line);
    let moved = |line: u32| u32::try_from(i64::from(line) + shift).ok();
    let later: FxHashMap<u32, &Doings> = after.lines.iter().map(|(line, doings)| (*line, doings)).collect();
    let at_place: Vec<(u32, u32, bool)> = before
        .lines
        .iter()
        .filter_map(|(line, doings)| {
            let now = moved(*line)?;
            later.get(&now).map(|held| (*line, now, doings.agree(held)))
        })
        .collect();
    // The function as a whole is where it was, or moved: all lines that both runs saw say so, and they are many.
    let least = before.lines.len().min(after.lines.len());
    let all_agree = at_place.iter().all(|(.., agree)| *agree);
    if all_agree && !at_place.is_empty() && at_place.len() * 2 >= least {
        let stayed = shift == 0 && at_place.len() == least;
        let by = if stayed { MatchedBy::Number } else { MatchedBy::Function };
        return at_place.into_iter().map(|(line, now, _)| (line, (now, by))).collect();
    }
    let doings = |lines: &[(u32, Doings)]| lines.iter().map(|(_, doings)| doings.clone()).collect::<Vec<_>>();
    let mut matched = Lines::default();
    for op in capture_diff_slices(Algorithm::Myers, &doings(before.lines), &doings(after.lines)) {
        let pairs = match op {
            DiffOp::Equal { .. } => true,
            DiffOp::Replace { old_len, new_len, .. } => old_len == new_len,
            _ => false,
        };
        if pairs {
            matched.extend(
                op.old_range()
                    .zip(op.new_range())
                    .map(|(old, new)| (before.lines[old].0, (after.lines[new].0, MatchedBy::Neighbours))),
            );
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn doings(text: &str) -> Doings {
        let called = text.split(' ').filter(|name| *name != "MALLOC").map(str::to_owned).collect();
        let allocated = text.split(' ').filter(|name| *name == "MALLOC").map(|_| "MALLOC").collect();
        Doings { called, allocated }
    }

    #[test]
    fn lines_are_found_by_their_text() {
        let before = "import a\n\ndef f():\n    x = 1\n    return x\n";
        let after = "import a\nimport b\n\ndef f():\n    if a:\n        x = 1\n    return x + 1\n";
        let lines = by_text(before, after);
        assert_eq!(lines[&1], (1, MatchedBy::Content));
        assert_eq!(lines[&3], (4, MatchedBy::Content));
        assert_eq!(lines[&4], (6, MatchedBy::Content));
        assert_eq!(lines[&5], (7, MatchedBy::Neighbours));
        assert!(by_text(before, before).values().all(|(_, by)| *by == MatchedBy::File));
    }

    #[test]
    fn a_function_that_moved_is_found_without_text() {
        let before = [(5, doings("read")), (6, doings("MALLOC"))];
        let after = [(15, doings("read")), (16, doings("MALLOC"))];
        let (before, after) =
            (Seen { first_line: 4, lines: &before }, Seen { first_line: 14, lines: &after });
        let lines = by_doings(&before, &after);
        assert_eq!((lines[&5], lines[&6]), ((15, MatchedBy::Function), (16, MatchedBy::Function)));
        assert!(by_doings(&before, &before).values().all(|(_, by)| *by == MatchedBy::Number));
    }

    #[test]
    fn lines_inside_a_function_are_found_by_what_they_do() {
        let before = [(5, doings("read")), (6, doings("parse")), (8, doings("MALLOC"))];
        let after = [(5, doings("check")), (6, doings("read")), (7, doings("parse")), (9, doings("MALLOC"))];
        let lines =
            by_doings(&Seen { first_line: 4, lines: &before }, &Seen { first_line: 4, lines: &after });
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[&5], (6, MatchedBy::Neighbours));
        assert_eq!(lines[&8], (9, MatchedBy::Neighbours));
    }

    proptest! {
        #[test]
        fn no_line_is_two(
            before in prop::collection::vec("[ab]{1,2}", 0..12),
            after in prop::collection::vec("[ab]{1,2}", 0..12),
            first: u8, second: u8,
        ) {
            let seen = |lines: &[String], first: u8| -> Vec<(u32, Doings)> {
                (u32::from(first) + 1..).zip(lines.iter().map(|line| doings(line))).collect()
            };
            let (earlier, later) = (seen(&before, first), seen(&after, second));
            let by_doings = by_doings(
                &Seen { first_line: u32::from(first), lines: &earlier },
                &Seen { first_line: u32::from(second), lines: &later },
            );
            for lines in [by_text(&before.join("\n"), &after.join("\n")), by_doings] {
                let targets: BTreeSet<u32> = lines.values().map(|(line, _)| *line).collect();
                prop_assert_eq!(targets.len(), lines.len());
            }
        }
    }
}
