//! What each place allocated itself, one row for each allocator (and thread).

use std::cmp::Reverse;
use std::io::{self, Write};

use heaphint_analysis::{Measure, Profile, TableRow};
use serde::Serialize;

use crate::json::{JsonFigures, JsonFrame, JsonSession, SCHEMA, write};
use crate::session::session_text;
use crate::text::{Look, Role, grouped, printable, prominence};
use crate::tree::{Thread, frame_place};

/// What the rows of a table are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableSort {
    /// The largest first.
    #[default]
    Size,
    /// Most allocations first.
    Count,
    /// By path, line and function.
    Location,
    /// By the allocator's name.
    Allocator,
    /// By the thread's name.
    Thread,
}

/// Which rows a table has, and in what order.
#[derive(Clone, Copy, Debug)]
pub struct TableView {
    /// The figure.
    pub measure: Measure,
    /// The order.
    pub sort: TableSort,
    /// Rows with less of the measure are left out.
    pub min: u64,
    /// Rows beyond this many are left out.
    pub most: usize,
}

/// Why a row has no allocator: the tracer was newer than this reader.
const UNKNOWN: &str = "UNKNOWN";

impl TableView {
    /// The rows that are written, in order, and the number of those that are left out.
    fn choose<'r, 'a>(&self, rows: &'r [TableRow<'a>]) -> (Vec<&'r TableRow<'a>>, usize) {
        let measure = self.measure;
        let other = Measure { counts: !measure.counts, ..measure };
        let mut chosen: Vec<_> = rows.iter().filter(|row| row.figures.of(measure) >= self.min).collect();
        let place = |row: &TableRow<'a>| {
            row.location.map(|frame| (frame.file.to_owned(), frame.line, frame.qualname.to_owned()))
        };
        let values = |row: &TableRow<'_>| (Reverse(row.figures.of(measure)), Reverse(row.figures.of(other)));
        // What stands last decides among equals; the order always is the same.
        chosen.sort_by_cached_key(|row| (values(row), place(row), allocator(row), row.thread.clone()));
        match self.sort {
            TableSort::Size => chosen.sort_by_key(|row| Reverse(row.figures.bytes(measure.figure))),
            TableSort::Count => chosen.sort_by_key(|row| Reverse(row.figures.count(measure.figure))),
            TableSort::Location => chosen.sort_by_cached_key(|row| place(row)),
            TableSort::Allocator => chosen.sort_by_key(|row| allocator(row)),
            TableSort::Thread => {
                chosen.sort_by_cached_key(|row| row.thread.clone().map(|(tid, name)| (name, tid)));
            }
        }
        let left_out = rows
            .iter()
            .filter(|row| row.figures.of(measure) > 0)
            .count()
            .saturating_sub(chosen.len().min(self.most));
        chosen.truncate(self.most);
        (chosen, left_out)
    }
}

fn allocator(row: &TableRow<'_>) -> &'static str {
    row.allocator.map_or(UNKNOWN, |allocator| allocator.name())
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
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<Thread<'a>>,
    allocator: &'static str,
    #[serde(flatten)]
    figures: JsonFigures,
}

/// Writes the session and the rows as one object.
///
/// # Errors
/// When `out` cannot be written.
pub fn table_json(
    out: &mut dyn Write,
    profile: &Profile,
    rows: &[TableRow<'_>],
    view: &TableView,
) -> io::Result<()> {
    let (chosen, _) = view.choose(rows);
    let rows = chosen
        .into_iter()
        .map(|row| Row {
            location: row.location.as_ref().map(JsonFrame::from),
            thread: row.thread.as_ref().map(|(id, name)| Thread { id: *id, name }),
            allocator: allocator(row),
            figures: JsonFigures::without_max(&row.figures),
        })
        .collect();
    let by = view.measure.figure.name();
    write(out, &Document { schema: SCHEMA, session: profile.session().into(), by, rows })
}

/// Writes what the run was, and the rows.
///
/// # Errors
/// When `out` cannot be written.
pub fn table_text(
    out: &mut dyn Write,
    profile: &Profile,
    rows: &[TableRow<'_>],
    view: &TableView,
    look: &Look,
) -> io::Result<()> {
    session_text(out, profile, look)?;
    let look = &look.of(profile);
    let figure = view.measure.figure;
    let (chosen, left_out) = view.choose(rows);
    let whole: u64 = rows.iter().map(|row| row.figures.bytes(figure)).fold(0, u64::saturating_add);
    let threads: Vec<String> = chosen
        .iter()
        .map(|row| row.thread.as_ref().map(|(_, name)| printable(name)).unwrap_or_default())
        .collect();
    let by_thread = rows.iter().any(|row| row.thread.is_some());
    let thread_width = if by_thread {
        threads.iter().map(|name| name.chars().count() + 2).max().unwrap_or(0).clamp(8, 26)
    } else {
        0
    };
    let thread_title = if by_thread { "thread" } else { "" };
    let heading = format!(
        "{:>11} {:>12}  {:<15}{thread_title:<thread_width$}location",
        figure.name(),
        "allocations",
        "allocator"
    );
    writeln!(out, "\n{}", look.paint(Role::Dim, heading))?;
    for (row, thread) in chosen.iter().zip(&threads) {
        let (bytes, count) = (row.figures.bytes(figure), row.figures.count(figure).unwrap_or_default());
        let size = look.paint(prominence(bytes, whole), format!("{:>11}", look.size(bytes)));
        let thread: String = thread.chars().take(thread_width.saturating_sub(2)).collect();
        let location = row.location.as_ref().map_or_else(
            || "outside Python code".to_owned(),
            |frame| {
                format!(
                    "{} at {}",
                    printable(frame.qualname),
                    frame_place(frame, &profile.session().directory)
                )
            },
        );
        writeln!(
            out,
            "{size} {:>12}  {:<15}{thread:<thread_width$}{}",
            look.count(count),
            allocator(row),
            look.fit(&location, 41 + thread_width)
        )?;
    }
    if left_out > 0 {
        let rest = format!("… {} more", grouped(left_out as u64));
        writeln!(out, "{}", look.paint(Role::Dim, rest))?;
    }
    Ok(())
}
