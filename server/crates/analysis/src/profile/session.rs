//! The run as a whole: which program, how it ended, its own figures.

use heaphint_format::{Capture, EXIT_UNKNOWN, FOLD_DEPTH, Mode};

use crate::{Estimate, Inexact, Interval, Units, format_size};

/// One profiling run. Fields about the process are those of the first capture; figures add up all captures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The command line.
    pub command: Vec<String>,
    /// The working directory at the start.
    pub directory: String,
    /// The project's root, empty when there is none.
    pub project: String,
    /// Process id.
    pub pid: u32,
    /// Version of the interpreter, for example `3.11.7`; `None` when the process was not Python.
    pub python: Option<String>,
    /// How Python's allocator was set (`PYTHONMALLOC`), empty for the default.
    pub python_allocator: String,
    /// Start of recording, milliseconds since 1970-01-01 UTC.
    pub started_unix_ms: u64,
    /// Recorded time, milliseconds.
    pub duration_ms: u64,
    /// How the program ended, as a shell would say it: 128 + N for signal N. `None` when nobody saw it end.
    pub exit_code: Option<i32>,
    /// False when a process ended without closing its capture (killed, out of memory), or still runs.
    pub complete: bool,
    /// Number of captures.
    pub processes: usize,
    /// Kernel's id of the thread in which recording began.
    pub main_thread: u32,
    /// Live tracked bytes at the peak. Several processes: the sum of each one's own.
    pub peak_bytes: u64,
    /// When the peak was, milliseconds since recording began.
    pub peak_ms: u64,
    /// Bytes ever allocated.
    pub allocated_bytes: u64,
    /// Allocations ever made.
    pub allocated_count: u64,
    /// Bytes live when recording ended.
    pub leaked_bytes: u64,
    /// Allocations live when recording ended.
    pub leaked_count: u64,
    /// Largest resident set size of a process, bytes.
    pub rss_peak_bytes: u64,
    /// Whether allocations of CPython's own allocators were recorded.
    pub python_allocators: bool,
    /// Set when the figures of the run are not exact.
    pub inexact: Option<Inexact>,
    /// Sentences about what is missing or not exact; empty when nothing is.
    pub notes: Vec<String>,
}

impl Session {
    /// The session before any allocation was added.
    pub(super) fn start(captures: &[Capture]) -> Self {
        let mut session = Self { processes: captures.len(), complete: true, ..Self::default() };
        if let Some(first) = captures.first() {
            let header = &first.header;
            session.command = first.command();
            session.directory = first.text(header.directory).into_owned();
            session.project = first.text(header.project).into_owned();
            session.pid = header.pid;
            session.python = python_version(header.python_version);
            session.python_allocator = first.text(header.python_allocator).into_owned();
            session.started_unix_ms = header.started_unix_ms;
            session.duration_ms = u64::from(header.elapsed_ms);
            session.exit_code = exit_code(header.exit_status);
            session.main_thread = header.main_tid;
            session.python_allocators = header.has(Mode::PythonAllocators);
            session.peak_ms = u64::from(header.peak_ms);
        }
        for capture in captures {
            let header = &capture.header;
            session.complete &= capture.is_finished();
            session.peak_bytes = session.peak_bytes.saturating_add(header.peak_bytes);
            session.rss_peak_bytes = session.rss_peak_bytes.max(header.rss_peak_bytes);
            session.note(capture);
        }
        session.inexact = if captures.iter().any(|capture| capture.damaged) {
            Some(Inexact::Damaged)
        } else if let Some(estimate) = Estimate::of(captures) {
            Some(Inexact::Sampled(estimate))
        } else if captures.iter().any(|capture| capture.bounds_only) {
            Some(Inexact::SumsOnly)
        } else {
            (captures.len() > 1).then_some(Inexact::SeveralProcesses)
        };
        if captures.len() > 1 {
            session.notes.push(format!(
                "peak and max add up {} processes, each at its own peak; the processes' peaks may have been at different times",
                captures.len()
            ));
        }
        session
    }

    fn note(&mut self, capture: &Capture) {
        let header = &capture.header;
        let pid = header.pid;
        let frames_problem = capture.text(header.frames_problem);
        if !frames_problem.is_empty() {
            self.notes.push(format!("process {pid} has no Python frames: {frames_problem}"));
        }
        let deepest = capture.folds.iter().max_by_key(|fold| fold.frames);
        if let Some(fold) = deepest
            && let Some(stack) = capture.stacks.get(fold.stack as usize)
            && let Some(code) = capture.codes.get(stack.code as usize)
        {
            self.notes.push(format!(
                "recursion in process {pid} is shown {FOLD_DEPTH} frames deep: {} frames of `{}` ({}:{}), and of what \
                 it calls in turn, are folded into these",
                fold.frames,
                capture.text(code.name),
                capture.text(code.file),
                stack.line
            ));
        }
        let problem = capture.text(header.problem);
        if !problem.is_empty() {
            self.notes.push(format!("recording of process {pid} stopped early: {problem}"));
        }
        if let Some(estimate) = Estimate::of(std::slice::from_ref(capture)) {
            let size = |bytes| format_size(bytes, Units::default());
            let example = |bytes| {
                let Interval { low, high } = estimate.bytes(bytes);
                format!("{} to {} for {}", size(low), size(high), size(bytes))
            };
            const MIB: u64 = 1 << 20;
            self.notes.push(format!(
                "process {pid} recorded one allocation for each {}, by chance: all figures are estimates (~), peak and \
                 max those of an estimated curve. 95 % intervals are {}, {}, {}",
                size(estimate.sample_bytes.into()),
                example(MIB),
                example(10 * MIB),
                example(100 * MIB)
            ));
        }
        self.notes.extend(capture.remarks.iter().cloned());
        if capture.bounds_only {
            self.notes.push(format!("process {pid}: {}", Inexact::SumsOnly.why()));
        }
        if capture.damaged {
            self.notes.push(format!(
                "the capture of process {pid} is damaged: what could be read is shown, sums may be off"
            ));
        }
    }
}

/// `PY_VERSION_HEX` as people write it.
fn python_version(hex: u32) -> Option<String> {
    if hex == 0 {
        return None;
    }
    let [major, minor, micro, release] = hex.to_be_bytes();
    let serial = release & 0xf;
    let suffix = match release >> 4 {
        0xa => format!("a{serial}"),
        0xb => format!("b{serial}"),
        0xc => format!("rc{serial}"),
        _ => String::new(),
    };
    Some(format!("{major}.{minor}.{micro}{suffix}"))
}

/// What a shell would say about a [`heaphint_format::Header::exit_status`].
pub(super) fn exit_code(status: i32) -> Option<i32> {
    match status {
        EXIT_UNKNOWN => None,
        signal if signal < 0 => Some(128i32.saturating_sub(signal)),
        code => Some(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_as_python_prints_them() {
        assert_eq!(python_version(0x030b_07f0).as_deref(), Some("3.11.7"));
        assert_eq!(python_version(0x030d_00c2).as_deref(), Some("3.13.0rc2"));
        assert_eq!(python_version(0), None);
    }

    #[test]
    fn a_signal_is_an_exit_code_above_128() {
        assert_eq!(exit_code(EXIT_UNKNOWN), None);
        assert_eq!(exit_code(7), Some(7));
        assert_eq!(exit_code(-9), Some(137));
    }
}
