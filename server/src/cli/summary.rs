//! `heaphint summary`: the run by function, line or file.

use clap::{Args, ValueEnum};
use heaphint_analysis::{Figure, SummaryBy, TreeOptions};
use heaphint_report::{Sources, SummarySort, SummaryView, summary_json, summary_text};

use super::Usage;
use super::figure::{CountsArgument, FigureArguments};
use super::input::read_source;
use super::native::NativeArgument;
use super::output::{self, UnitsArgument, parse_minimum};
use super::part::PartArguments;
use crate::tui::{App, Settings, View};

/// Rows of a summary that nobody can scroll.
const USUAL_ROWS: usize = 30;

/// Show what functions, lines or files allocated, interactively on a terminal
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    part: PartArguments,
    #[command(flatten)]
    figure: FigureArguments,
    #[command(flatten)]
    native: NativeArgument,
    #[command(flatten)]
    counts: CountsArgument,
    /// What the rows are
    #[arg(long, value_enum, default_value_t, value_name = "PLACE")]
    by: ByArgument,
    /// What rows are ordered by
    #[arg(long, value_enum, default_value_t, value_name = "COLUMN")]
    sort: SortArgument,
    /// Show frames of the import system, too; JSON always has them
    #[arg(long)]
    imports: bool,
    /// Leave out rows whose total is less than this
    #[arg(long, value_name = "SIZE", value_parser = parse_minimum, conflicts_with = "counts")]
    min: Option<u64>,
    /// Show so many rows [default: 30; JSON: all]
    #[arg(short = 'n', long = "rows", value_name = "N")]
    rows: Option<usize>,
    /// Print JSON (see the README for its schema)
    #[arg(long)]
    json: bool,
    /// Print text, on a terminal, too
    #[arg(long, conflicts_with = "json")]
    text: bool,
    /// How sizes are shown
    #[arg(long, value_enum, default_value_t)]
    units: UnitsArgument,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ByArgument {
    /// Functions
    #[default]
    Function,
    /// Lines
    Line,
    /// Files
    File,
}

impl From<ByArgument> for SummaryBy {
    fn from(argument: ByArgument) -> Self {
        match argument {
            ByArgument::Function => Self::Function,
            ByArgument::Line => Self::Line,
            ByArgument::File => Self::File,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum SortArgument {
    /// What was allocated while the place was on the stack
    #[default]
    Total,
    /// What it allocated itself
    #[value(name = "self")]
    Own,
    /// Its own allocations, by number
    Count,
}

impl From<SortArgument> for SummarySort {
    fn from(argument: SortArgument) -> Self {
        match argument {
            SortArgument::Total => Self::Total,
            SortArgument::Own => Self::Own,
            SortArgument::Count => Self::Count,
        }
    }
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let measure = arguments.counts.measure(arguments.figure.figure())?;
    let (profile, selection) =
        arguments.part.read_as(arguments.figure.window(), |captures| arguments.native.profile(captures))?;
    if measure.figure == Figure::Max && !selection.is_everything() {
        return Err(Usage(
            "`max` is known of all threads and modules together: leave out `--thread` and `--module`"
                .to_owned(),
        )
        .into());
    }
    let look = output::look(arguments.units);
    let is_choice = arguments.min.is_some() || arguments.rows.is_some();
    if !arguments.json && !arguments.text && !is_choice && output::is_interactive() {
        let tree = TreeOptions { selection, hide_imports: !arguments.imports, ..TreeOptions::default() };
        let (by, sort) = (arguments.by.into(), arguments.sort.into());
        let settings = Settings { view: View::Summary, measure, tree, by, sort };
        let source = |path: &str| read_source(path, profile.session());
        output::interact(&mut App::new(&profile, Sources::new(&source), look, settings))?;
        return Ok(0);
    }
    let mut summary = profile.summary(arguments.by.into(), &selection);
    if !arguments.imports && !arguments.json {
        summary.rows.retain(|row| !row.location.is_some_and(|frame| frame.is_import_system()));
    }
    let usual = if arguments.json { usize::MAX } else { USUAL_ROWS };
    let view = SummaryView {
        measure,
        sort: arguments.sort.into(),
        // People look for what is there; JSON has what has nothing, too.
        min: arguments.min.unwrap_or(u64::from(!arguments.json)),
        most: arguments.rows.unwrap_or(usual),
    };
    if arguments.json {
        output::write(|out| summary_json(out, &profile, &summary, &view))?;
    } else {
        output::write(|out| summary_text(out, &profile, &summary, &view, &look))?;
    }
    Ok(0)
}
