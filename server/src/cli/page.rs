//! Where the HTML page goes, as options of those commands that write one.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use heaphint_analysis::records::History;
use heaphint_analysis::{Diff, Figure, Profile};
use heaphint_report::{PageOptions, page_html};

use super::input::read_source;
use super::{Usage, output};

/// Where a page goes and what it has.
#[derive(Debug, Args)]
pub struct PageArguments {
    #[allow(rustdoc::invalid_html_tags, reason = "the text is shown as it is")]
    /// Write the page to this file; `-` for standard output [default: <CAPTURE>.html, <AFTER>.diff.html for a comparison, beside the capture]
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
}

/// What a page is about.
pub struct Subject<'a> {
    /// The run, the later one of two.
    pub profile: &'a Profile,
    /// The comparison with an earlier run.
    pub earlier: Option<&'a Diff<'a>>,
    /// The figure that is shown first.
    pub figure: Figure,
    /// How the first process came to its figures, if that is known.
    pub history: Option<&'a History>,
}

impl PageArguments {
    /// Whether anything was said about a page.
    pub const fn is_given(&self) -> bool {
        self.output.is_some() || self.force || self.open || self.no_source
    }

    /// Writes the page, beside `capture` when nobody said where.
    ///
    /// # Errors
    /// When it exists and may not be overwritten, cannot be written, or cannot be opened.
    pub fn write(&self, subject: &Subject<'_>, capture: &Path) -> anyhow::Result<()> {
        let is_stdout = self.output.as_deref() == Some(Path::new("-"));
        if is_stdout && self.open {
            return Err(Usage(
                "a page on standard output cannot be opened: leave `--open` or `-o -` out".into(),
            )
            .into());
        }
        let profile = subject.profile;
        let source = |path: &str| read_source(path, profile.session());
        let options = PageOptions {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source: (!self.no_source).then_some(&source),
            figure: subject.figure,
            earlier: subject.earlier,
            history: subject.history,
        };
        if is_stdout {
            return output::write(|out| page_html(out, profile, &options));
        }
        // A run's own page stays beside that of its comparison with another.
        let extension = if subject.earlier.is_some() { "diff.html" } else { "html" };
        let path = self.output.clone().unwrap_or_else(|| capture.with_extension(extension));
        let mut out = BufWriter::new(create(&path, self.force)?);
        page_html(&mut out, profile, &options)
            .and_then(|()| out.flush())
            .with_context(|| format!("cannot write {}", path.display()))?;
        anstream::eprintln!("heaphint: the page is in {}", path.display());
        if self.open {
            let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
            open::that_detached(absolute)
                .with_context(|| format!("no browser could be started: open {} yourself", path.display()))?;
        }
        Ok(())
    }
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
