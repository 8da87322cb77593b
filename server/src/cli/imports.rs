//! `heaphint imports`: what importing each module costs.

use clap::Args;
use heaphint_analysis::ImportTree;
use heaphint_report::{ImportsView, imports_json, imports_text};

use super::figure::{CountsArgument, FigureArguments};
use super::input::read_source;
use super::output::{self, UnitsArgument, parse_minimum};
use super::part::PartArguments;

/// The part of the whole that a module must have to be shown to people.
const USUAL_SHARE: u64 = 200;

/// Show what importing each module held and allocated, as a tree
///
/// A module stands below the one that was being imported when it was asked for. Its own figures are those of its
/// top-level code, of what that calls, and of finding and loading it.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    part: PartArguments,
    #[command(flatten)]
    figure: FigureArguments,
    #[command(flatten)]
    counts: CountsArgument,
    /// Leave out modules that have less, with those below them [default: 0.5 % of the whole; JSON: 0]
    #[arg(long, value_name = "SIZE", value_parser = parse_minimum, conflicts_with = "counts")]
    min: Option<u64>,
    /// Leave out modules below this many others
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Print JSON (see the README for its schema)
    #[arg(long)]
    json: bool,
    /// How sizes are shown
    #[arg(long, value_enum, default_value_t)]
    units: UnitsArgument,
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let measure = arguments.counts.measure(arguments.figure.of_stacks()?)?;
    let (profile, selection) = arguments.part.read(arguments.figure.window())?;
    let tree = ImportTree::new(&profile, &selection);
    let depth = arguments.depth.unwrap_or(usize::MAX);
    if arguments.json {
        let view = ImportsView { measure, min: arguments.min.unwrap_or(0), depth };
        output::write(|out| imports_json(out, &profile, &tree, &view))?;
        return Ok(0);
    }
    let whole = tree.nodes().first().map_or(0, |root| root.total.of(measure));
    let min = arguments.min.unwrap_or(whole / USUAL_SHARE).max(1);
    let view = ImportsView { measure, min, depth };
    let source = |path: &str| read_source(path, profile.session());
    output::write(|out| imports_text(out, &profile, &tree, &view, &output::look(arguments.units), &source))?;
    Ok(0)
}
