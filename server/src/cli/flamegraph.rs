//! `heaphint flamegraph`: one HTML file with every view of a session.

use anyhow::Context;
use clap::Args;

use super::figure::FigureArguments;
use super::input::read_history;
use super::native::NativeArgument;
use super::page::{PageArguments, Subject};
use super::runs::SessionArguments;

/// Write one HTML page: flame graph, memory over time, annotated source, tables, statistics
#[derive(Debug, Args)]
#[command(
    after_help = "The page needs no network. It holds the source text of the files that it shows. Two runs in \
                        one page: `heaphint diff --html`."
)]
pub struct Arguments {
    #[command(flatten)]
    session: SessionArguments,
    #[command(flatten)]
    figure: FigureArguments,
    #[command(flatten)]
    page: PageArguments,
    #[command(flatten)]
    native: NativeArgument,
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let captures = arguments.session.captures()?;
    let first = captures.first().context("no capture was named")?;
    let window = arguments.figure.window();
    let (profile, history) = match &captures[..] {
        // A process that stands alone can be looked at moment by moment, if it was recorded in full.
        [only] => {
            let (capture, history) = read_history(only, window)?;
            (arguments.native.profile(&[capture]), history)
        }
        _ => (arguments.native.profile(&arguments.session.read(window, None)?), None),
    };
    let figure = arguments.figure.figure();
    let subject = Subject { profile: &profile, earlier: None, figure, history: history.as_ref() };
    arguments.page.write(&subject, first)?;
    Ok(0)
}
