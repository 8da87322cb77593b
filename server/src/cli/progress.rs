//! A bar for long work, on a terminal only: a pipe or a log gets nothing.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, stderr};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Smaller files are read before anybody wonders.
const SMALLEST: u64 = 4 << 20;

/// A file that shows how far it has been read. The bar goes away with this value.
pub struct Progress {
    file: File,
    bar: ProgressBar,
}

impl Progress {
    /// A file and its bar. There is none where nobody would see it.
    pub fn reading(path: &Path, file: File) -> Self {
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        if !stderr().is_terminal() || bytes < SMALLEST {
            return Self { file, bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % {eta}") {
            bar.set_style(style);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A file name may hold anything, and the terminal would act on some of it.
        bar.set_message(format!("Reading {}", name.escape_debug()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { file, bar }
    }
}

impl Read for Progress {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bar.inc(read as u64);
        Ok(read)
    }
}

impl Seek for Progress {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = self.file.seek(to)?;
        self.bar.set_position(position);
        Ok(position)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
