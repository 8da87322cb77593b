//! Keeps the lines of the last run on their lines while the text is edited.

use std::sync::Arc;

use super::matching::{Edited, match_lines, plain};
use super::text::Text;

/// A file as it was when the run started.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// Its text.
    pub text: Text,
    /// False when the file was written after the start, so that this text may not be what ran.
    pub certain: bool,
}

/// The line of the run that a row of a document shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Its number then, 1-based.
    pub line: u32,
    /// True when its text is not what ran.
    pub old: bool,
}

/// For each row of a document, the row of the baseline that it is or was made from; these only rise.
#[derive(Debug, Clone)]
pub struct Tracking {
    baseline: Arc<Baseline>,
    origins: Vec<Option<usize>>,
}

impl Tracking {
    /// Matches a document by content.
    pub fn new(baseline: Arc<Baseline>, text: &Text) -> Self {
        let origins = match_lines(&baseline.text.rows(), &text.rows(), Edited::Similar);
        Self { baseline, origins }
    }

    /// The text that ran.
    pub fn baseline(&self) -> &Arc<Baseline> {
        &self.baseline
    }

    /// What a row shows.
    pub fn match_of(&self, row: usize, text: &Text) -> Option<Match> {
        let origin = (*self.origins.get(row)?)?;
        let (then, now) = (self.baseline.text.row(origin), text.row(row));
        let same = then == now || plain(then) == plain(now);
        Some(Match { line: origin as u32 + 1, old: !same || !self.baseline.certain })
    }

    /// The row that shows a 1-based line of the run.
    pub fn row_of(&self, line: u32) -> Option<usize> {
        let origin = (line as usize).checked_sub(1)?;
        self.origins.iter().position(|row| *row == Some(origin))
    }

    /// Rows from `first_row` on that were `before` have been replaced; the `rows_after` last rows are untouched.
    /// `text` is the new text.
    pub fn replace(&mut self, first_row: usize, before: &[String], rows_after: usize, text: &Text) {
        let end = text.row_count().saturating_sub(rows_after).max(first_row);
        let old: Vec<&str> = before.iter().map(String::as_str).collect();
        let new: Vec<&str> = (first_row..end).map(|row| text.row(row)).collect();
        let old_origins = &self.origins[first_row..first_row + old.len()];
        let origins: Vec<Option<usize>> =
            match_lines(&old, &new, Edited::InPlace).into_iter().map(|i| old_origins[i?]).collect();
        self.origins.splice(first_row..first_row + old.len(), origins);
        self.recognise(first_row, end, text);
    }

    /// Gives rows without an origin the one whose text they have, when no other row has it: an undone deletion.
    fn recognise(&mut self, first_row: usize, end: usize, text: &Text) {
        let mut row = first_row;
        while row < end {
            let known = self.origins[row..end].iter().position(Option::is_some);
            let unknown = row..known.map_or(end, |rows| row + rows);
            let before = self.origins[..row].iter().rev().find_map(|origin| *origin);
            let after = self.origins[unknown.end..].iter().find_map(|origin| *origin);
            let gap = before.map_or(0, |origin| origin + 1)..after.unwrap_or(self.baseline.text.row_count());
            row = unknown.end + 1;
            if unknown.is_empty() || gap.is_empty() {
                continue;
            }
            let ran: Vec<&str> = gap.clone().map(|row| self.baseline.text.row(row)).collect();
            let now: Vec<&str> = unknown.clone().map(|row| text.row(row)).collect();
            let matches = match_lines(&ran, &now, Edited::Nothing);
            for (row, found) in unknown.zip(matches) {
                self.origins[row] = found.map(|i| gap.start + i);
            }
        }
    }
}
