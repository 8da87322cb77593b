//! Standard output: whole documents, in colour where somebody looks at it.

use std::io::{self, BufWriter, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anyhow::Context;
use clap::ValueEnum;
use heaphint_analysis::{SizeError, Units, parse_size};
use heaphint_report::Look;

use crate::tui::{self, App};

/// How sizes are shown.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum UnitsArgument {
    /// Powers of 1024: KiB, MiB, GiB
    #[default]
    Iec,
    /// Powers of 1000: kB, MB, GB
    Si,
}

impl From<UnitsArgument> for Units {
    fn from(argument: UnitsArgument) -> Self {
        match argument {
            UnitsArgument::Iec => Self::Iec,
            UnitsArgument::Si => Self::Si,
        }
    }
}

/// How documents look on this standard output.
pub fn look(units: UnitsArgument) -> Look {
    let stdout = io::stdout();
    let colour = AutoStream::choice(&stdout) != ColorChoice::Never;
    let width = if stdout.is_terminal() { terminal_width() } else { None };
    Look { colour, width, units: units.into(), estimates: false }
}

/// Writes a document to standard output.
///
/// # Errors
/// When it cannot be written; a broken pipe is one that [`super::exit_code`] knows.
pub fn write(document: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    document(&mut out).and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Whether somebody sits at a terminal that screens can be drawn on.
pub fn is_interactive() -> bool {
    let is_capable = std::env::var_os("TERM").is_some_and(|term| term != "dumb");
    is_capable && io::stdout().is_terminal() && io::stdin().is_terminal()
}

/// Shows screens until somebody has seen enough.
///
/// # Errors
/// When the terminal cannot be used.
pub fn interact(app: &mut App<'_>) -> anyhow::Result<()> {
    tui::show(app).context("cannot use the terminal")
}

/// Reads `--min`: a size, or a plain 0.
///
/// # Errors
/// When it is neither.
pub fn parse_minimum(text: &str) -> Result<u64, SizeError> {
    if text == "0" { Ok(0) } else { parse_size(text) }
}

fn terminal_width() -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call fills the structure that it is given, or fails.
    let done = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (done == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}
