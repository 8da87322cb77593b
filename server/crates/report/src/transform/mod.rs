//! A profile in the formats of other tools.
//!
//! Each file here knows one format. Names go in as they are and are escaped as the format asks for; a format that cannot
//! hold a character gets another one in its place, never a broken file.

mod collapsed;
mod csv;
mod gprof2dot;
mod heapprofile;
mod memray;
mod memray_events;
mod parquet;
mod pprof;
mod samples;
mod speedscope;
#[cfg(test)]
mod tests;
mod trace;

use std::io::{self, Write};

use heaphint_analysis::{Figure, Profile, Selection};

pub use self::memray_events::MemrayEvents;
pub use self::parquet::EventTable;
use samples::Samples;

/// What a profile can be turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Profile of `pprof`, compressed; it holds live and allocated figures at once.
    Pprof,
    /// JSON for <https://www.speedscope.app>.
    Speedscope,
    /// One line for each stack, frames joined by semicolons: what flame graph scripts read.
    Collapsed,
    /// JSON for `gprof2dot -f json`.
    Gprof2dot,
    /// A table with a row for each stack, thread and allocator.
    Csv,
    /// V8's sampling heap profile, which VS Code and Chrome open.
    HeapProfile,
    /// A columnar table with a row for each stack, thread and allocator, and all figures.
    Parquet,
    /// Heap and RSS over time as a Chrome trace, which Perfetto opens.
    Trace,
    /// A capture of Memray 1.20.
    Memray,
}

impl Format {
    /// All formats, the most used first.
    pub const ALL: [Self; 9] = [
        Self::Pprof,
        Self::Speedscope,
        Self::Collapsed,
        Self::Csv,
        Self::Parquet,
        Self::HeapProfile,
        Self::Trace,
        Self::Gprof2dot,
        Self::Memray,
    ];

    /// Its name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pprof => "pprof",
            Self::Speedscope => "speedscope",
            Self::Collapsed => "collapsed",
            Self::Gprof2dot => "gprof2dot",
            Self::Csv => "csv",
            Self::HeapProfile => "heapprofile",
            Self::Parquet => "parquet",
            Self::Trace => "trace",
            Self::Memray => "memray",
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Pprof => "For `go tool pprof`, Pyroscope and others; gzip-compressed",
            Self::Speedscope => "For speedscope.app",
            Self::Collapsed => "One line for each stack, for flame graph scripts",
            Self::Gprof2dot => "For `gprof2dot -f json`",
            Self::Csv => "A row for each stack, thread and allocator, in Memray's columns",
            Self::HeapProfile => "For VS Code and Chrome (.heapprofile)",
            Self::Parquet => "For DuckDB, Polars and Spark: all figures of each stack",
            Self::Trace => "Heap and RSS over time, for Perfetto and chrome://tracing",
            Self::Memray => "A capture that Memray 1.20 reads (.bin)",
        }
    }

    /// Whether it is no text that a terminal could show.
    #[must_use]
    pub const fn is_binary(self) -> bool {
        matches!(self, Self::Pprof | Self::Parquet | Self::Memray)
    }
}

/// What is exported.
#[derive(Clone, Debug)]
pub struct TransformOptions {
    /// Which bytes, in formats that hold one figure. `pprof` shows the peak or what leaked as "in use".
    pub figure: Figure,
    /// Which part of the run. The timeline is always that of the whole.
    pub part: Selection,
    /// Version of the program that writes.
    pub version: String,
}

/// Writes a profile in a format. Stacks have no [`Figure::Max`]: it is taken for the peak.
///
/// # Errors
/// When `out` cannot be written.
pub fn transform(
    out: &mut (dyn Write + Send),
    profile: &Profile,
    format: Format,
    options: &TransformOptions,
) -> io::Result<()> {
    let figure = if options.figure == Figure::Max { Figure::Peak } else { options.figure };
    let samples = Samples::new(profile, &options.part);
    match format {
        Format::Pprof => pprof::write(out, profile, &samples, figure),
        Format::Speedscope => speedscope::write(out, profile, &samples, figure, &options.version),
        Format::Collapsed => collapsed::write(out, &samples, figure),
        Format::Gprof2dot => gprof2dot::write(out, &samples, figure),
        Format::Csv => csv::write(out, &samples, figure),
        Format::HeapProfile => heapprofile::write(out, &samples, figure),
        Format::Parquet => parquet::write(out, profile, &samples),
        Format::Trace => trace::write(out, profile),
        Format::Memray => memray::write(out, profile, &samples),
    }
}
