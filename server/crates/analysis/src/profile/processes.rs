//! The processes of a session, each by itself.

use heaphint_format::{Capture, Origin, StopReason};

use super::Sample;
use super::session::exit_code;

/// One process of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// The recorded process that has forked or started it; the kernel's parent when there is none.
    pub parent_pid: u32,
    /// How it came to be.
    pub beginning: Beginning,
    /// The command line.
    pub command: Vec<String>,
    /// How it ended, as a shell would say it: 128 + N for signal N. `None` when nobody saw it end: no recorded
    /// process waited for it, and a signal ended it.
    pub exit_code: Option<i32>,
    /// How recording ended.
    pub end: End,
    /// Start of recording, milliseconds since 1970-01-01 UTC.
    pub started_unix_ms: u64,
    /// Live tracked bytes at its own peak.
    pub peak_bytes: u64,
    /// When its peak was, milliseconds since its recording began.
    pub peak_ms: u64,
    /// RSS and heap over time.
    pub timeline: Vec<Sample>,
}

/// How a recorded program came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// No recorded process has started it.
    First,
    /// A recorded process has forked it.
    Forked,
    /// A recorded process has started it, maybe by way of programs that are not recorded.
    Started,
    /// It has taken the place of another recorded program, in the same process.
    Replaced,
}

impl Beginning {
    /// Its name in documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Forked => "forked",
            Self::Started => "started",
            Self::Replaced => "replaced",
        }
    }
}

/// How the recording of a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In an orderly way, or with a sentence that says why not.
    Closed,
    /// Another program took its place, in the same process.
    Replaced,
    /// The process was killed, or still runs.
    Open,
}

impl End {
    /// Its name in documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Replaced => "replaced",
            Self::Open => "open",
        }
    }
}

impl Process {
    pub(super) fn of(capture: &Capture) -> Self {
        let header = &capture.header;
        let sample = |sample: &heaphint_format::Sample| Sample {
            elapsed_ms: sample.elapsed_ms,
            rss_bytes: sample.rss_bytes,
            heap_bytes: sample.heap_bytes,
        };
        let beginning = match capture.process.origin {
            origin if origin == Origin::Forked as u32 => Beginning::Forked,
            origin if origin == Origin::Started as u32 => Beginning::Started,
            origin if origin == Origin::Replaced as u32 => Beginning::Replaced,
            _ => Beginning::First,
        };
        let end = match header.stop_reason {
            _ if !capture.is_finished() => End::Open,
            reason if reason == StopReason::Replaced as u32 => End::Replaced,
            _ => End::Closed,
        };
        Self {
            pid: header.pid,
            parent_pid: header.parent_pid,
            beginning,
            command: capture.command(),
            exit_code: exit_code(header.exit_status),
            end,
            started_unix_ms: header.started_unix_ms,
            peak_bytes: header.peak_bytes,
            peak_ms: u64::from(header.peak_ms),
            timeline: capture.timeline.iter().map(sample).collect(),
        }
    }
}
