//! Pieces of the machine-readable documents: whole bytes, stable names, and a word on what is not exact.

use heaphint_analysis::{Figures, Frame, Inexact, Session, StackFigures};
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
        }
    }
}

impl JsonFigures {
    /// Figures of something whose own maximum nobody recorded, such as single stacks.
    pub fn without_max(figures: &Figures) -> Self {
        Self { max_bytes: None, ..figures.into() }
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
