//! `heaphint lines`: source files with figures beside their lines.

use clap::Args;
use heaphint_analysis::{Figure, Profile, absolute};
use heaphint_report::{LinesOptions, lines_json, lines_text};

use super::figure::{self, FigureArguments};
use super::input::read_source;
use super::output::{self, UnitsArgument, parse_minimum};
use super::part::PartArguments;

/// Lines with less are left out of what people read, unless the whole program has little.
const USUAL_MINIMUM: u64 = 1 << 20;

/// Show source files with figures beside their lines
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    part: PartArguments,
    #[command(flatten)]
    figure: FigureArguments,
    /// Print JSON (see the README for its schema)
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    choice: Choice,
}

/// Which lines are shown.
#[derive(Debug, Args)]
struct Choice {
    /// Show this source file only: a path, or the end of one; may be given several times
    #[arg(long = "file", value_name = "PATH")]
    files: Vec<String>,
    /// Show files outside the project, too; JSON always has them
    #[arg(long)]
    all: bool,
    /// The same as `--figure`: lines are chosen and files are ordered by it
    #[arg(
        long, value_parser = figure::parser(), value_name = "FIGURE",
        conflicts_with_all = ["figure", "leaks", "temporary"]
    )]
    sort: Option<Figure>,
    /// Leave out lines with less than this [default: 1 MiB or a hundredth of the whole, whichever is less; JSON: 0]
    #[arg(long, value_name = "SIZE", value_parser = parse_minimum)]
    min: Option<u64>,
    /// How sizes are shown
    #[arg(long, value_enum, default_value_t)]
    units: UnitsArgument,
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let (whole, selection) = arguments.part.read(arguments.figure.window())?;
    let profile = if selection.is_everything() { whole } else { whole.part(&selection) };
    let choice = &arguments.choice;
    let directory = std::env::current_dir().unwrap_or_default();
    let mut files = choice.files.clone();
    // `./app.py` and `../app.py` mean a file from here; `app.py` may also be the end of a path.
    files.extend(choice.files.iter().map(|file| absolute(file, &directory.to_string_lossy())));
    let sort = choice.sort.unwrap_or_else(|| arguments.figure.figure());
    if arguments.json {
        let options = LinesOptions { sort, min_bytes: choice.min.unwrap_or(0), files, all_files: true };
        output::write(|out| lines_json(out, &profile, &options))?;
        return Ok(0);
    }
    let min_bytes = choice.min.unwrap_or_else(|| usual_minimum(&profile, sort));
    let options = LinesOptions { sort, min_bytes, files, all_files: choice.all };
    show(&profile, &options, choice.units)?;
    Ok(0)
}

/// Shows the lines that matter to somebody who has said nothing about it.
pub fn show_usual(profile: &Profile) -> anyhow::Result<()> {
    let sort = Figure::Peak;
    let options = LinesOptions { sort, min_bytes: usual_minimum(profile, sort), ..LinesOptions::default() };
    show(profile, &options, UnitsArgument::default())
}

fn show(profile: &Profile, options: &LinesOptions, units: UnitsArgument) -> anyhow::Result<()> {
    let source = |path: &str| read_source(path, profile.session());
    output::write(|out| lines_text(out, profile, options, &output::look(units), &source))
}

fn usual_minimum(profile: &Profile, figure: Figure) -> u64 {
    let files = profile.files().iter().map(|file| file.total_figures.bytes(figure));
    let whole = files.max().unwrap_or(0);
    USUAL_MINIMUM.min(whole / 100).max(1)
}
