//! `heaphint diff`: what differs between two runs.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use heaphint_analysis::{Diff, Profile};
use heaphint_report::{DiffView, diff_json, diff_text};

use super::figure::{CountsArgument, FigureArguments};
use super::input::{read_captures, read_source};
use super::output::{self, UnitsArgument, parse_minimum};
use super::page::{PageArguments, Subject};
use super::{Usage, runs};

/// Entries of each list that people read.
const USUAL_ENTRIES: usize = 15;
/// The part of the larger run that a difference must have to be shown.
const USUAL_SHARE: u64 = 200;

/// Show what grew, shrank, appeared and went between two runs
///
/// Lines that only moved because a file was edited are found again: by their text where the text of both times is
/// known, else by their place in their function, which is a guess and marked so.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The earlier run: a capture, or a folder, of which the newest run is meant
    before: PathBuf,
    /// The later run
    after: PathBuf,
    #[command(flatten)]
    figure: FigureArguments,
    #[command(flatten)]
    counts: CountsArgument,
    /// Leave out differences below this [default: 0.5 % of the larger run; JSON: 1 B]
    #[arg(long, value_name = "SIZE", value_parser = parse_minimum, conflicts_with = "counts")]
    threshold: Option<u64>,
    /// Entries of each list [default: 15; JSON: all]
    #[arg(short = 'n', long = "entries", value_name = "N")]
    entries: Option<usize>,
    /// A folder with the project's source as it was at the earlier run
    #[arg(long, value_name = "FOLDER")]
    before_source: Option<PathBuf>,
    /// A folder with the project's source as it was at the later run
    #[arg(long, value_name = "FOLDER")]
    after_source: Option<PathBuf>,
    /// Print JSON (see the README for its schema)
    #[arg(long)]
    json: bool,
    /// Write the HTML page, with a flame graph of both runs
    #[arg(long, conflicts_with_all = ["json", "counts", "threshold", "entries"])]
    html: bool,
    #[command(flatten)]
    page: PageArguments,
    /// How sizes are shown
    #[arg(long, value_enum, default_value_t)]
    units: UnitsArgument,
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let figure = arguments.figure.figure();
    if !arguments.html && arguments.page.is_given() {
        return Err(
            Usage("a page is written with `--html` only: add it, or leave its options out".into()).into()
        );
    }
    let window = arguments.figure.window();
    let (before, after) = (read_run(&arguments.before, window)?, read_run(&arguments.after, window)?);
    for folder in [&arguments.before_source, &arguments.after_source].into_iter().flatten() {
        if !folder.is_dir() {
            return Err(Usage(format!("there is no folder `{}`", folder.display())).into());
        }
    }
    let before_text = |path: &str| text(path, &before, arguments.before_source.as_deref());
    let after_text = |path: &str| text(path, &after, arguments.after_source.as_deref());
    let diff = Diff::new(&before, &after, &before_text, &after_text);
    if arguments.html {
        let subject = Subject { profile: &after, earlier: Some(&diff), figure, history: None };
        arguments.page.write(&subject, &arguments.after)?;
        return Ok(0);
    }
    let measure = arguments.counts.measure(arguments.figure.of_stacks()?)?;
    if arguments.json {
        let threshold = arguments.threshold.unwrap_or(0).max(1);
        let view = DiffView { measure, threshold, most: arguments.entries.unwrap_or(usize::MAX) };
        output::write(|out| diff_json(out, [&before, &after], &diff, &view))?;
        return Ok(0);
    }
    let whole = diff.whole();
    let largest = whole.before.of(measure).max(whole.after.of(measure));
    let threshold = arguments.threshold.unwrap_or(largest / USUAL_SHARE).max(1);
    let view = DiffView { measure, threshold, most: arguments.entries.unwrap_or(USUAL_ENTRIES) };
    let source = |path: &str| read_source(path, after.session());
    let look = output::look(arguments.units);
    output::write(|out| diff_text(out, [&before, &after], &diff, &view, &look, &source))?;
    Ok(0)
}

/// Reads a capture, or the newest run in a folder.
fn read_run(path: &Path, window: usize) -> anyhow::Result<Profile> {
    let captures = runs::captures(&[path.to_owned()])?;
    Ok(Profile::consuming(read_captures(&captures, window, None)?))
}

/// The text of a file as it was at a run: from the folder that somebody named, else the file as it is when nobody
/// changed it since.
fn text(path: &str, run: &Profile, folder: Option<&Path>) -> Option<String> {
    let session = run.session();
    let inside = Path::new(path).strip_prefix(&session.project).ok().filter(|_| !session.project.is_empty());
    if let (Some(folder), Some(inside)) = (folder, inside) {
        return fs::read(folder.join(inside)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    }
    read_source(path, session).filter(|source| !source.changed_since).map(|source| source.text)
}
