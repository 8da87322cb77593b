//! `heaphint tree`: the stacks as one tree.

use clap::Args;
use heaphint_analysis::{SummaryBy, Tree, TreeOptions};
use heaphint_report::{Sources, SummarySort, TreeView, tree_json, tree_text};

use super::figure::{CountsArgument, FigureArguments};
use super::input::read_source;
use super::native::NativeArgument;
use super::output::{self, UnitsArgument, parse_minimum};
use super::part::PartArguments;
use crate::tui::{App, Settings, View};

/// Parts of the whole that are shown of a tree that nobody can unfold.
const USUAL_SHARE: u64 = 100;

/// Show the stacks as one tree, interactively on a terminal
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
    #[command(flatten)]
    shape: Shape,
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

/// What the tree is made of.
#[derive(Debug, Args)]
struct Shape {
    /// Begin with the threads
    #[arg(long)]
    threads: bool,
    /// Begin with the innermost frames; below each stand those who called it
    #[arg(long)]
    inverted: bool,
    /// Show frames of the import system, too; JSON always has them
    #[arg(long)]
    imports: bool,
    /// Leave out frames with less than this [default: a hundredth of the whole; JSON: 0]
    #[arg(long, value_name = "SIZE", value_parser = parse_minimum, conflicts_with = "counts")]
    min: Option<u64>,
    /// Leave out frames below this many others
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let measure = arguments.counts.measure(arguments.figure.of_stacks()?)?;
    let (profile, selection) =
        arguments.part.read_as(arguments.figure.window(), |captures| arguments.native.profile(captures))?;
    let shape = &arguments.shape;
    let options = TreeOptions {
        selection,
        by_thread: shape.threads,
        hide_imports: !shape.imports && !arguments.json,
        inverted: shape.inverted,
    };
    let source = |path: &str| read_source(path, profile.session());
    let look = output::look(arguments.units);
    let is_choice = shape.min.is_some() || shape.depth.is_some();
    if !arguments.json && !arguments.text && !is_choice && output::is_interactive() {
        let (by, sort) = (SummaryBy::default(), SummarySort::default());
        let settings = Settings { view: View::Tree, measure, tree: options, by, sort };
        output::interact(&mut App::new(&profile, Sources::new(&source), look, settings))?;
        return Ok(0);
    }
    let tree = Tree::new(&profile, &options);
    let depth = shape.depth.unwrap_or(usize::MAX);
    if arguments.json {
        let view = TreeView { measure, min: shape.min.unwrap_or(0), depth };
        output::write(|out| tree_json(out, &profile, &tree, &view))?;
        return Ok(0);
    }
    let whole = tree.nodes().first().map_or(0, |root| root.total.of(measure));
    let min = shape.min.unwrap_or(whole / USUAL_SHARE).max(1);
    let view = TreeView { measure, min, depth };
    output::write(|out| tree_text(out, &profile, &tree, &view, &look, &source))?;
    Ok(0)
}
