//! Pieces of the machine-readable documents: whole bytes, stable names, and a word on what is not exact.

use std::collections::BTreeMap;

use heaphint_analysis::{Estimate, Figures, Frame, Inexact, Interval, Session, StackFigures};
use serde::Serialize;

/// Number of the schema of every document; raised when something changes that is not an addition.
pub const SCHEMA: u32 = 1;

/// `"exact": false` and why; nothing when a figure is exact.
#[derive(Serialize)]
pub struct Exactness {
    #[serde(skip_serializing_if = "Option::is_none")]
    exact: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

impl From<Option<Inexact>> for Exactness {
    fn from(inexact: Option<Inexact>) -> Self {
        Self { exact: inexact.map(|_| false), why: inexact.map(Inexact::why) }
    }
}

/// 95 % intervals of the figures with these names, as `[least, most]`; nothing when figures are no estimates.
#[derive(Serialize)]
pub struct Intervals {
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<BTreeMap<&'static str, [u64; 2]>>,
}

impl Intervals {
    /// Of figures that are what `inexact` says. Names that end in `_count` count allocations.
    pub fn new(inexact: Option<Inexact>, figures: &[(&'static str, u64)]) -> Self {
        let of = |estimate: Estimate, name: &str, value| {
            let Interval { low, high } =
                if name.ends_with("_count") { estimate.count(value) } else { estimate.bytes(value) };
            [low, high]
        };
        let estimate = inexact.and_then(Inexact::estimate);
        let interval = estimate.map(|estimate| {
            figures.iter().map(|(name, value)| (*name, of(estimate, name, *value))).collect()
        });
        Self { interval }
    }
}

#[derive(Serialize)]
pub struct JsonFigures {
    peak_bytes: u64,
    peak_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<u64>,
    allocated_bytes: u64,
    allocated_count: u64,
    leaked_bytes: u64,
    leaked_count: u64,
    temporary_bytes: u64,
    temporary_count: u64,
    #[serde(flatten)]
    exactness: Exactness,
    #[serde(flatten)]
    intervals: Intervals,
}

impl From<&Figures> for JsonFigures {
    fn from(figures: &Figures) -> Self {
        Self {
            peak_bytes: figures.peak_bytes,
            peak_count: figures.peak_count,
            max_bytes: Some(figures.max_bytes),
            allocated_bytes: figures.allocated_bytes,
            allocated_count: figures.allocated_count,
            leaked_bytes: figures.leaked_bytes,
            leaked_count: figures.leaked_count,
            temporary_bytes: figures.temporary_bytes,
            temporary_count: figures.temporary_count,
            exactness: figures.inexact.into(),
            intervals: Intervals::new(
                figures.inexact,
                &[
                    ("peak_bytes", figures.peak_bytes),
                    ("peak_count", figures.peak_count),
                    ("max_bytes", figures.max_bytes),
                    ("allocated_bytes", figures.allocated_bytes),
                    ("allocated_count", figures.allocated_count),
                    ("leaked_bytes", figures.leaked_bytes),
                    ("leaked_count", figures.leaked_count),
                    ("temporary_bytes", figures.temporary_bytes),
                    ("temporary_count", figures.temporary_count),
                ],
            ),
        }
    }
}

impl JsonFigures {
    /// Figures of something whose own maximum nobody recorded, such as single stacks.
    pub fn without_max(figures: &Figures) -> Self {
        let mut without: Self = figures.into();
        without.max_bytes = None;
        if let Some(interval) = &mut without.intervals.interval {
            interval.remove("max_bytes");
        }
        without
    }
}

#[derive(Serialize)]
pub struct JsonSession<'a> {
    command: &'a [String],
    directory: &'a str,
    project: &'a str,
    pid: u32,
    processes: usize,
    python: Option<&'a str>,
    /// Milliseconds since 1970-01-01 UTC.
    started_ms: u64,
    duration_ms: u64,
    exit_code: Option<i32>,
    complete: bool,
    peak_bytes: u64,
    peak_ms: u64,
    allocated_bytes: u64,
    allocated_count: u64,
    leaked_bytes: u64,
    leaked_count: u64,
    rss_peak_bytes: u64,
    #[serde(flatten)]
    exactness: Exactness,
    #[serde(flatten)]
    intervals: Intervals,
    notes: &'a [String],
}

impl<'a> From<&'a Session> for JsonSession<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            command: &session.command,
            directory: &session.directory,
            project: &session.project,
            pid: session.pid,
            processes: session.processes,
            python: session.python.as_deref(),
            started_ms: session.started_unix_ms,
            duration_ms: session.duration_ms,
            exit_code: session.exit_code,
            complete: session.complete,
            peak_bytes: session.peak_bytes,
            peak_ms: session.peak_ms,
            allocated_bytes: session.allocated_bytes,
            allocated_count: session.allocated_count,
            leaked_bytes: session.leaked_bytes,
            leaked_count: session.leaked_count,
            rss_peak_bytes: session.rss_peak_bytes,
            exactness: session.inexact.into(),
            intervals: Intervals::new(
                session.inexact,
                &[
                    ("peak_bytes", session.peak_bytes),
                    ("allocated_bytes", session.allocated_bytes),
                    ("allocated_count", session.allocated_count),
                    ("leaked_bytes", session.leaked_bytes),
                    ("leaked_count", session.leaked_count),
                ],
            ),
            notes: &session.notes,
        }
    }
}

/// A frame as part of a document whose other members stand beside it.
#[derive(Serialize)]
pub struct JsonFrame<'a> {
    pub function: &'a str,
    pub qualname: &'a str,
    pub file: &'a str,
    pub line: u32,
    /// Whether it is no Python frame; left out of Python frames.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub native: bool,
}

impl<'a> From<&Frame<'a>> for JsonFrame<'a> {
    fn from(frame: &Frame<'a>) -> Self {
        Self {
            function: frame.function,
            qualname: frame.qualname,
            file: frame.file,
            line: frame.line,
            native: frame.is_native,
        }
    }
}

#[derive(Serialize)]
pub struct JsonStack<'a> {
    bytes: u64,
    count: u64,
    threads: &'a [String],
    allocators: Vec<&'static str>,
    /// Outermost first.
    frames: Vec<JsonFrame<'a>>,
}

impl<'a> From<&'a StackFigures<'a>> for JsonStack<'a> {
    fn from(stack: &'a StackFigures<'a>) -> Self {
        Self {
            bytes: stack.bytes,
            count: stack.count,
            threads: &stack.threads,
            allocators: stack.allocators.iter().map(|allocator| allocator.name()).collect(),
            frames: stack.frames.iter().map(JsonFrame::from).collect(),
        }
    }
}

/// Writes a document and ends its line.
pub fn write(out: &mut dyn std::io::Write, document: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    writeln!(out)
}
