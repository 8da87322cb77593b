//! Functions, lines or files as a list.

use heaphint_analysis::{Figure, Inexact, Measure, Summary, SummaryRow};
use heaphint_report::{Look, SummarySort, SummaryView, grouped, row_place, share};
use ratatui::text::{Line, Span};

use super::cursor::{Cursor, Step};
use super::search::Search;
use super::style::Styles;

/// The rows in their order, and the one under the cursor.
#[derive(Debug, Default)]
pub struct SummaryPane<'a> {
    rows: Vec<SummaryRow<'a>>,
    whole: u64,
    cursor: Cursor,
}

impl<'a> SummaryPane<'a> {
    /// The rows of a summary. Frames of the import system can be left out.
    pub fn new(summary: &Summary<'a>, measure: Measure, sort: SummarySort, hide_imports: bool) -> Self {
        let view = SummaryView { measure, sort, min: 1, most: usize::MAX };
        let is_shown = |row: &SummaryRow<'a>| {
            !hide_imports || !row.location.is_some_and(|frame| frame.is_import_system())
        };
        let rows: Vec<_> = view.choose(summary).into_iter().filter(|row| is_shown(row)).cloned().collect();
        // A maximum is a part of nothing: bars and colours go by the largest one.
        let whole = match measure.figure {
            Figure::Max => rows.iter().map(|row| row.total.of(measure)).max().unwrap_or(0),
            _ => summary.whole.of(measure),
        };
        Self { rows, whole, cursor: Cursor::default() }
    }

    /// The row under the cursor.
    pub fn chosen(&self) -> Option<&SummaryRow<'a>> {
        self.rows.get(self.cursor.at)
    }

    /// Moves the cursor.
    pub fn step(&mut self, step: Step) {
        self.cursor.step(step, self.rows.len());
    }

    /// Goes to a row.
    pub fn go_to(&mut self, row: usize) {
        self.cursor.at = row;
    }

    /// The rows with a text in their names.
    pub fn find(&self, text: &str) -> Vec<usize> {
        let text = text.to_lowercase();
        let is_match =
            |row: &SummaryRow<'_>| row.location.is_some_and(|frame| super::search::is_match(&text, &frame));
        (0..self.rows.len()).filter(|index| is_match(&self.rows[*index])).collect()
    }

    /// The titles of the columns.
    pub fn heading(measure: Measure) -> String {
        if measure.figure == Figure::Max {
            return format!("{:>12}  place", "max");
        }
        let (name, total, own) = (measure.figure.name(), "share", "self");
        format!("{name:>12} {total:>8} {own:>11} {:>8} {:>12}  place", "share", "allocations")
    }

    /// The rows in a window.
    pub fn lines(
        &mut self,
        height: usize,
        measure: Measure,
        look: &Look,
        styles: Styles,
        directory: &str,
        search: Option<&Search<usize>>,
    ) -> Vec<Line<'static>> {
        let window = self.cursor.window(self.rows.len(), height);
        let mut lines = Vec::new();
        for index in window {
            let row = &self.rows[index];
            let (total, own) = (row.total.of(measure), row.own.of(measure));
            let is_max = measure.figure == Figure::Max;
            let is_bound =
                is_max && matches!(row.total.inexact, Some(Inexact::MaxIsLowerBound | Inexact::SumsOnly));
            let mark = if is_bound { "≥ " } else { "" };
            let mut spans = vec![Span::styled(
                format!("{:>12}", format!("{mark}{}", look.measured(total, measure))),
                styles.figure(total, self.whole),
            )];
            if !is_max {
                let count = row.own.count(measure.figure).unwrap_or_default();
                spans.push(Span::styled(format!(" {:>8}", share(total, self.whole)), styles.dim()));
                spans.push(Span::styled(
                    format!(" {:>11}", look.measured(own, measure)),
                    styles.figure(own, self.whole),
                ));
                spans.push(Span::styled(
                    format!(" {:>8} {:>12}", share(own, self.whole), grouped(count)),
                    styles.dim(),
                ));
            }
            let is_found = search.is_some_and(|search| row.location.is_some_and(|it| search.is_match(&it)));
            let style = if is_found { styles.found() } else { ratatui::style::Style::new() };
            spans.push(Span::styled(format!("  {}", row_place(row, directory)), style));
            let line = Line::from(spans);
            lines.push(if index == self.cursor.at { line.patch_style(styles.chosen()) } else { line });
        }
        lines
    }
}
