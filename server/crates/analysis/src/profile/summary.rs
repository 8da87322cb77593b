//! The run by function, line or file: what each allocated itself, and what was allocated while it was on the stack.

use super::{FileId, Frame, Function, Profile, Selection};
use crate::Figures;

/// What the rows of a [`Summary`] are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SummaryBy {
    /// Functions.
    #[default]
    Function,
    /// Lines.
    Line,
    /// Files.
    File,
}

/// One function, line or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryRow<'a> {
    /// Of a function its first line, of a file line 0 and no function; `None` for allocations without any Python
    /// frame.
    pub location: Option<Frame<'a>>,
    /// As the innermost frame.
    pub own: Figures,
    /// Anywhere on the stack, once per stack.
    pub total: Figures,
}

/// A run by function, line or file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary<'a> {
    /// In no particular order, but always in the same. Only those that allocated.
    pub rows: Vec<SummaryRow<'a>>,
    /// All of the selection; `max_bytes` is zero.
    pub whole: Figures,
    /// Whether `max_bytes` of the totals is known: it is for a whole run, not for some threads of it.
    pub has_max: bool,
}

impl Profile {
    /// Adds the selected stacks up by function, line or file.
    #[must_use]
    pub fn summary(&self, by: SummaryBy, selection: &Selection) -> Summary<'_> {
        let at_node = self.at_node(self.selected(selection));
        let mut whole = Figures { inexact: self.session.inexact, ..Figures::default() };
        at_node.iter().for_each(|figures| whole.add(figures));
        let outside = self.without_python(&at_node);
        let sums = self.sums(at_node);

        // What has index 0 is the empty stack's, which is no place.
        let mut places: Vec<(Option<Frame<'_>>, Figures, Figures)> = match by {
            SummaryBy::Function => (1..self.functions.len())
                .map(|index| {
                    let function = &self.functions[index];
                    let first_line = if function.is_native { 0 } else { function.first_line.max(1) };
                    let frame = self.frame_at(function, function.file, first_line);
                    (Some(frame), sums.function_selfs[index], sums.function_totals[index])
                })
                .collect(),
            SummaryBy::Line => (1..self.lines.len())
                .map(|index| {
                    let (file, line) = self.lines[index];
                    let function = &self.functions[sums.line_functions[index].index()];
                    (
                        Some(self.frame_at(function, file, line)),
                        sums.line_selfs[index],
                        sums.line_totals[index],
                    )
                })
                .collect(),
            SummaryBy::File => {
                let mut selfs = vec![Figures::default(); self.file_names.len()];
                for ((file, _), figures) in self.lines.iter().zip(&sums.line_selfs) {
                    selfs[file.index()].add(figures);
                }
                (1..self.file_names.len())
                    .map(|index| {
                        let file = &self.file_names[index];
                        let frame = Frame {
                            function: "",
                            qualname: "",
                            file,
                            line: 0,
                            is_native: self.is_native[index],
                        };
                        (Some(frame), selfs[index], sums.file_totals[index])
                    })
                    .collect()
            }
        };
        places.push((None, outside, outside));

        let has_max = selection.is_everything();
        let rows = places
            .into_iter()
            .filter(|(_, _, total)| total.allocated_count > 0)
            .map(|(location, mut own, mut total)| {
                (own.inexact, total.inexact) = (self.session.inexact, self.session.inexact);
                let recorded = location.filter(|_| has_max).and_then(|frame| self.recorded_total(by, frame));
                if let Some(recorded) = recorded {
                    (total.max_bytes, total.inexact) = (recorded.max_bytes, recorded.inexact);
                }
                SummaryRow { location, own, total }
            })
            .collect();
        Summary { rows, whole, has_max }
    }

    fn frame_at<'a>(&'a self, function: &'a Function, file: FileId, line: u32) -> Frame<'a> {
        let file = &self.file_names[file.index()];
        Frame {
            function: function.name(),
            qualname: &function.qualname,
            file,
            line,
            is_native: function.is_native,
        }
    }

    /// The figures of a place in the whole run, with its maximum.
    fn recorded_total(&self, by: SummaryBy, frame: Frame<'_>) -> Option<&Figures> {
        let file = self.file(frame.file)?;
        match by {
            SummaryBy::Function => file
                .functions
                .iter()
                .find(|held| held.first_line == frame.line && held.qualname == frame.qualname)
                .map(|held| &held.total_figures),
            SummaryBy::Line => file.line(frame.line).map(|held| &held.total_figures),
            SummaryBy::File => Some(&file.total_figures),
        }
    }
}
