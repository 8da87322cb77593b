//! `heaphint flamegraph`: one HTML file with every view of a session.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use heaphint_report::{PageOptions, page_html};

use super::input::{TEMPORARY_WINDOW, read_captures, read_source};
use super::native::NativeArgument;
use super::{Usage, output};

/// Write one HTML page: flame graph, memory over time, annotated source, tables, statistics
#[derive(Debug, Args)]
#[command(after_help = "The page needs no network. It holds the source text of the files that it shows.")]
pub struct Arguments {
    /// Captures of one session; the process that was started comes first
    #[arg(value_name = "CAPTURE", required = true)]
    captures: Vec<PathBuf>,
    #[allow(rustdoc::invalid_html_tags, reason = "the text is shown as it is")]
    /// Write the page to this file; `-` for standard output [default: <CAPTURE>.html, beside it]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite an existing FILE
    #[arg(short, long)]
    force: bool,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
    /// Leave the text of source files out
    #[arg(long)]
    no_source: bool,
    #[command(flatten)]
    native: NativeArgument,
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let is_stdout = arguments.output.as_deref() == Some(Path::new("-"));
    if is_stdout && arguments.open {
        return Err(
            Usage("a page on standard output cannot be opened: leave `--open` or `-o -` out".into()).into()
        );
    }
    let first = arguments.captures.first().context("no capture was named")?;
    let path = arguments.output.clone().unwrap_or_else(|| first.with_extension("html"));
    let profile = arguments.native.profile(&read_captures(&arguments.captures, TEMPORARY_WINDOW)?);
    let source = |path: &str| read_source(path, profile.session());
    let options = PageOptions {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        source: (!arguments.no_source).then_some(&source),
    };
    if is_stdout {
        output::write(|out| page_html(out, &profile, &options))?;
        return Ok(0);
    }
    let file = create(&path, arguments.force)?;
    let mut out = BufWriter::new(file);
    page_html(&mut out, &profile, &options)
        .and_then(|()| out.flush())
        .with_context(|| format!("cannot write {}", path.display()))?;
    anstream::eprintln!("heaphint: the page is in {}", path.display());
    if arguments.open {
        let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        open::that_detached(absolute)
            .with_context(|| format!("no browser could be started: open {} yourself", path.display()))?;
    }
    Ok(0)
}

/// Creates the page's file.
///
/// # Errors
/// When it exists and may not be overwritten, or cannot be written.
fn create(path: &Path, overwrite: bool) -> anyhow::Result<File> {
    let mut how = OpenOptions::new();
    how.write(true);
    if overwrite {
        how.create(true).truncate(true);
    } else {
        how.create_new(true);
    }
    how.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let shown = path.display();
            let what =
                format!("{shown} exists already: choose another name with `-o`, or overwrite it with `-f`");
            Usage(what).into()
        }
        _ => anyhow::Error::from(error).context(format!("cannot write {}", path.display())),
    })
}
