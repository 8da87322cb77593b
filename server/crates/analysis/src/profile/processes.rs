//! The processes of a session, each by itself.

use heaphint_format::Capture;

use super::Sample;

/// One process of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Start of recording, milliseconds since 1970-01-01 UTC.
    pub started_unix_ms: u64,
    /// Live tracked bytes at its own peak.
    pub peak_bytes: u64,
    /// When its peak was, milliseconds since its recording began.
    pub peak_ms: u64,
    /// RSS and heap over time.
    pub timeline: Vec<Sample>,
}

impl Process {
    pub(super) fn of(capture: &Capture) -> Self {
        let header = &capture.header;
        let sample = |sample: &heaphint_format::Sample| Sample {
            elapsed_ms: sample.elapsed_ms,
            rss_bytes: sample.rss_bytes,
            heap_bytes: sample.heap_bytes,
        };
        Self {
            pid: header.pid,
            started_unix_ms: header.started_unix_ms,
            peak_bytes: header.peak_bytes,
            peak_ms: u64::from(header.peak_ms),
            timeline: capture.timeline.iter().map(sample).collect(),
        }
    }
}
