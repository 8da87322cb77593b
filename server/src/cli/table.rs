//! `heaphint table`: what each place allocated itself.

use clap::{Args, ValueEnum};
use heaphint_report::{TableSort, TableView, table_json, table_text};

use super::figure::{CountsArgument, FigureArguments};
use super::native::NativeArgument;
use super::output::{self, UnitsArgument, parse_minimum};
use super::part::PartArguments;

/// Rows of a table that people read.
const USUAL_ROWS: usize = 50;

/// Show what each place allocated itself, by allocator
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
    /// Tell threads apart
    #[arg(long)]
    threads: bool,
    /// What rows are ordered by [default: size, or with `--counts` count]
    #[arg(long, value_enum, value_name = "COLUMN")]
    sort: Option<SortArgument>,
    /// Leave out rows with less than this
    #[arg(long, value_name = "SIZE", value_parser = parse_minimum, conflicts_with = "counts")]
    min: Option<u64>,
    /// Show so many rows [default: 50; JSON: all]
    #[arg(short = 'n', long = "rows", value_name = "N")]
    rows: Option<usize>,
    /// Print JSON (see the README for its schema)
    #[arg(long)]
    json: bool,
    /// How sizes are shown
    #[arg(long, value_enum, default_value_t)]
    units: UnitsArgument,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SortArgument {
    /// The largest first
    Size,
    /// Most allocations first
    Count,
    /// By path, line and function
    Location,
    /// By the allocator's name
    Allocator,
    /// By the thread's name
    Thread,
}

impl From<SortArgument> for TableSort {
    fn from(argument: SortArgument) -> Self {
        match argument {
            SortArgument::Size => Self::Size,
            SortArgument::Count => Self::Count,
            SortArgument::Location => Self::Location,
            SortArgument::Allocator => Self::Allocator,
            SortArgument::Thread => Self::Thread,
        }
    }
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let measure = arguments.counts.measure(arguments.figure.of_stacks()?)?;
    let (profile, selection) =
        arguments.part.read_as(arguments.figure.window(), |captures| arguments.native.profile(captures))?;
    let by_thread = arguments.threads || arguments.sort == Some(SortArgument::Thread);
    let rows = profile.table(&selection, by_thread);
    let usual = if measure.counts { TableSort::Count } else { TableSort::Size };
    let sort = arguments.sort.map_or(usual, TableSort::from);
    // People look for what is there; JSON has what has nothing, too.
    let min = arguments.min.unwrap_or(u64::from(!arguments.json));
    if arguments.json {
        let view = TableView { measure, sort, min, most: arguments.rows.unwrap_or(usize::MAX) };
        output::write(|out| table_json(out, &profile, &rows, &view))?;
    } else {
        let view = TableView { measure, sort, min, most: arguments.rows.unwrap_or(USUAL_ROWS) };
        output::write(|out| table_text(out, &profile, &rows, &view, &output::look(arguments.units)))?;
    }
    Ok(0)
}
