//! `heaphint flamegraph`: one HTML file with every view of a session.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use heaphint_analysis::Profile;

use super::figure::FigureArguments;
use super::input::{read_captures, read_history};
use super::page::{PageArguments, Subject};

/// Write one HTML page: flame graph, memory over time, annotated source, tables, statistics
#[derive(Debug, Args)]
#[command(
    after_help = "The page needs no network. It holds the source text of the files that it shows. Two runs in \
                        one page: `heaphint diff --html`."
)]
pub struct Arguments {
    /// Captures of one session; the process that was started comes first
    #[arg(value_name = "CAPTURE", required = true)]
    captures: Vec<PathBuf>,
    #[command(flatten)]
    figure: FigureArguments,
    #[command(flatten)]
    page: PageArguments,
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let first = arguments.captures.first().context("no capture was named")?;
    let window = arguments.figure.window();
    // The process that was started can be looked at moment by moment, if it was recorded in full.
    let (capture, history) = read_history(first, window)?;
    let mut captures = vec![capture];
    captures.extend(read_captures(&arguments.captures[1..], window, None)?);
    let profile = Profile::from_captures(&captures);
    drop(captures);
    let figure = arguments.figure.figure();
    let subject = Subject { profile: &profile, earlier: None, figure, history: history.as_ref() };
    arguments.page.write(&subject, first)?;
    Ok(0)
}
