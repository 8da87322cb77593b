//! The run by function, line or file.

use std::cmp::Reverse;
use std::io::{self, Write};

use heaphint_analysis::{Figure, Inexact, Measure, Profile, Summary, SummaryRow};
use serde::Serialize;

use crate::json::{JsonFigures, JsonFrame, JsonSession, SCHEMA, write};
use crate::session::session_text;
use crate::text::{Look, Role, grouped, printable, prominence, share};
use crate::tree::frame_place;

/// What the rows of a summary are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SummarySort {
    /// What was allocated while the place was on the stack.
    #[default]
    Total,
    /// What it allocated itself.
    Own,
    /// Its own allocations, by number.
    Count,
}

/// Which rows a summary has, and in what order.
#[derive(Clone, Copy, Debug)]
pub struct SummaryView {
    /// The figure.
    pub measure: Measure,
    /// The order.
    pub sort: SummarySort,
    /// Rows whose total has less of the measure are left out.
    pub min: u64,
    /// Rows beyond this many are left out.
    pub most: usize,
}

impl SummaryView {
    /// The rows that are shown, in order.
    #[must_use]
    pub fn choose<'r, 'a>(&self, summary: &'r Summary<'a>) -> Vec<&'r SummaryRow<'a>> {
        let measure = self.measure;
        let mut rows: Vec<_> = summary.rows.iter().filter(|row| row.total.of(measure) >= self.min).collect();
        let key = |row: &SummaryRow<'_>| match self.sort {
            SummarySort::Total => row.total.of(measure),
            SummarySort::Own => row.own.of(measure),
            SummarySort::Count => row.own.count(measure.figure).unwrap_or_default(),
        };
        rows.sort_by(|a, b| {
            let place =
                |row: &SummaryRow<'a>| row.location.map(|frame| (frame.file, frame.line, frame.qualname));
            let values =
                |row: &SummaryRow<'_>| Reverse((key(row), row.total.of(measure), row.own.of(measure)));
            values(a).cmp(&values(b)).then_with(|| place(a).cmp(&place(b)))
        });
        rows.truncate(self.most);
        rows
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    session: JsonSession<'a>,
    by: &'static str,
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    /// `null` for allocations without any Python frame.
    location: Option<JsonFrame<'a>>,
    #[serde(rename = "self")]
    own: JsonFigures,
    total: JsonFigures,
}

/// Writes the session and the rows as one object.
///
/// # Errors
/// When `out` cannot be written.
pub fn summary_json(
    out: &mut dyn Write,
    profile: &Profile,
    summary: &Summary<'_>,
    view: &SummaryView,
) -> io::Result<()> {
    let rows = view
        .choose(summary)
        .into_iter()
        .map(|row| Row {
            location: row.location.as_ref().map(JsonFrame::from),
            own: JsonFigures::without_max(&row.own),
            total: if summary.has_max && row.location.is_some() {
                (&row.total).into()
            } else {
                JsonFigures::without_max(&row.total)
            },
        })
        .collect();
    let by = view.measure.figure.name();
    write(out, &Document { schema: SCHEMA, session: profile.session().into(), by, rows })
}

/// Writes what the run was, and the rows.
///
/// # Errors
/// When `out` cannot be written.
pub fn summary_text(
    out: &mut dyn Write,
    profile: &Profile,
    summary: &Summary<'_>,
    view: &SummaryView,
    look: &Look,
) -> io::Result<()> {
    session_text(out, profile, look)?;
    let look = &look.of(profile);
    let measure = view.measure;
    let is_max = measure.figure == Figure::Max;
    let whole = summary.whole.of(measure);
    // A place's own maximum is a part of nothing, and has no count.
    let heading = if is_max {
        format!("{:>12}  place", "max")
    } else {
        format!(
            "{:>12} {:>8} {:>11} {:>8} {:>12}  place",
            measure.figure.name(),
            "share",
            "self",
            "share",
            "allocations"
        )
    };
    writeln!(out, "\n{}", look.paint(Role::Dim, &heading))?;
    let rows = view.choose(summary);
    let mut bounds = false;
    for row in &rows {
        let (total, own) = (row.total.of(measure), row.own.of(measure));
        let is_bound = is_max && row.total.inexact == Some(Inexact::MaxIsLowerBound);
        bounds |= is_bound;
        let mark = if is_bound { "≥ " } else { "" };
        let largest = if is_max { profile.session().peak_bytes } else { whole };
        let shown = format!("{:>12}", format!("{mark}{}", look.measured(total, measure)));
        write!(out, "{}", look.paint(prominence(total, largest), shown))?;
        if !is_max {
            let count = row.own.count(measure.figure).unwrap_or_default();
            let shown = format!("{:>11}", look.measured(own, measure));
            write!(
                out,
                " {:>8} {} {:>8} {:>12}",
                share(total, whole),
                look.paint(prominence(own, whole), shown),
                share(own, whole),
                look.count(count)
            )?;
        }
        let used = heading.chars().count() - "place".len();
        writeln!(out, "  {}", look.fit(&row_place(row, &profile.session().directory), used))?;
    }
    let left_out =
        summary.rows.iter().filter(|row| row.total.of(measure) > 0).count().saturating_sub(rows.len());
    if left_out > 0 {
        let rest = format!("… {} more", grouped(left_out as u64));
        writeln!(out, "{}", look.paint(Role::Dim, rest))?;
    }
    if bounds {
        writeln!(out, "\n≥  at least; maxima with callees are exact in project files only")?;
    }
    Ok(())
}

/// A row's function and where it is.
#[must_use]
pub fn row_place(row: &SummaryRow<'_>, directory: &str) -> String {
    match &row.location {
        None => "outside Python code".to_owned(),
        Some(frame) if frame.qualname.is_empty() => frame_place(frame, directory),
        Some(frame) => format!("{} at {}", printable(frame.qualname), frame_place(frame, directory)),
    }
}
