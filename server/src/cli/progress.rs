//! A bar for long work, on a terminal only: a pipe or a log gets nothing.

use std::fs::File;
use std::io::{IsTerminal, Read, Seek, stderr};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Smaller files are read before anybody wonders.
const SMALLEST: u64 = 4 << 20;

/// Shows how far a file has been read; the bar goes away with this value.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar for reading a file.
    pub fn reading(path: &Path, file: &File) -> Self {
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        if !stderr().is_terminal() || bytes < SMALLEST {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % {eta}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A file name may hold anything, and the terminal would act on some of it.
        bar.set_message(format!("Reading {}", name.escape_debug()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// The file, whose reading moves the bar.
    pub fn watch(&self, file: impl Read + Seek) -> impl Read + Seek {
        self.0.wrap_read(file)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
