//! Page 0 and the extent directory.

use crate::record::{Word, record};

/// [`Header::exit_status`] as long as nobody knows how the process ended.
pub const EXIT_UNKNOWN: i32 = i32::MIN;
/// In [`Header::version`]: the file is no image of the tables, but holds them packed behind its header. Those who read
/// tables take it for a newer version, and the header is where they look for it.
pub const COMPACT: u32 = 1 << 16;
/// Entries of the extent directory.
pub const MAX_EXTENTS: usize = 2 * crate::PAGE / size_of::<Extent>();

/// A UTF-8 string in [`crate::Table::Strings`]: byte offset and length. The empty text is all zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct Text {
    /// Byte offset in the table.
    pub offset: u32,
    /// Length in bytes.
    pub len: u32,
}

impl Word for Text {
    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self { offset: u32::decode(bytes)?, len: u32::decode(bytes.get(4..)?)? })
    }
    fn encode(self, out: &mut [u8]) -> Option<()> {
        self.offset.encode(out)?;
        self.len.encode(out.get_mut(4..)?)
    }
}

/// A thread's part of [`Header::heap_bytes`] is behind by less than so many bytes.
pub const HEAP_BYTES_STEP: u64 = 64 * 1024;

record! {
    /// Page 0. Everything above `status` is written before recording begins.
    Header [256] {
        /// [`crate::MAGIC`].
        magic: [u8; 8],
        /// [`crate::VERSION`], with [`COMPACT`] in the finished form that is packed.
        version: u32,
        /// The process.
        pid: u32,
        /// The recorded process that has forked or started it; the kernel's parent when there is none.
        parent_pid: u32,
        /// `PY_VERSION_HEX` of the interpreter, 0 when there is none.
        python_version: u32,
        /// Start of recording, milliseconds since 1970-01-01 UTC.
        started_unix_ms: u64,
        /// The command line: arguments, each followed by a NUL.
        command: Text,
        /// The working directory at the start.
        directory: Text,
        /// The project's root: files below it have exact inclusive maxima.
        project: Text,
        /// How Python's own allocator is set (`PYTHONMALLOC`), empty for the default.
        python_allocator: Text,
        /// Why Python frames are missing; empty when they are not.
        frames_problem: Text,
        /// Why recording stopped early; empty when it did not.
        problem: Text,
        /// A [`Status`].
        status: u32,
        /// A [`StopReason`], once `status` says that recording has ended.
        stop_reason: u32,
        /// Recorded time so far, milliseconds; kept up to date within a tick of the timeline.
        elapsed_ms: u32,
        /// Exit code, or minus the signal, or [`EXIT_UNKNOWN`].
        exit_status: i32,
        /// Smallest and largest size of an allocation, bytes; the smallest is `u64::MAX` before the first one.
        smallest_bytes: u64,
        /// See `smallest_bytes`.
        largest_bytes: u64,
        /// Largest resident set size that the kernel reported, bytes.
        rss_peak_bytes: u64,
        /// Kernel's id of the thread in which recording began.
        main_tid: u32,
        /// Current distance of timeline samples, in ticks; a power of two. See [`crate::Thinning`].
        timeline_stride: u32,
        /// Entries of the extent directory that are valid.
        extents: u32,
        /// As `timeline_stride`, for [`crate::Table::Observed`]; 0 while nobody observes.
        observed_stride: u32,
        /// Records of each table that are valid (bytes for the strings), by [`crate::Table`] number.
        lengths: [u32; 16],
        /// How it was recorded: bits of [`Mode`].
        modes: u32,
        /// Bytes between two allocations that are sampled, on average; 0 when all are recorded. Counters hold what the
        /// sampled ones stand for: see [`crate::Sampling`].
        sample_bytes: u32,
        /// Live tracked bytes, without the pending events. From here to `reserved`, words change in pairs of 16 aligned
        /// bytes, when pending events are applied.
        current_bytes: u64,
        /// Live tracked bytes at the last closed peak.
        peak_bytes: u64,
        /// Peak protocol. Even: growing, what is live now is the peak. Odd: closed, a site whose `epoch` equals
        /// this number has its figures at the peak in `peak_bytes` and `peak_count`; for any other site what is
        /// live now was live at the peak.
        peak_state: u32,
        /// `elapsed_ms` when the last peak was closed.
        peak_ms: u32,
        /// The set tree's node that holds the deepest pending pair. See [`crate::SetNode`].
        current_set: u32,
        /// Zero.
        reserved: u32,
        /// Which events are pending in version 2: generation in the high half, index of the first in the low one. 0 in
        /// version 1, which has none, and from version 3 on: see [`crate::AreaState`].
        applied: u64,
        /// About how many tracked bytes live, with the pending events, for those who look at the header alone: each
        /// thread's part may be [`crate::HEAP_BYTES_STEP`] behind. 0 in version 1.
        heap_bytes: u64,
    }
}

record! {
    /// What a process has to do with the others of its session; the last bytes of page 0. The first programs that wrote
    /// version 2 have zeros there.
    ///
    /// Example: `01 50 c2 aa bb 66 00 00  02 00 00 00  00 00 00 00` was started by a recorded process.
    Process [16] {
        /// The same in all captures of a run, and in those of no other; 0 when nobody said so.
        session: u64,
        /// An [`Origin`].
        origin: u32,
        /// Zero.
        reserved: u32,
    }
}

/// Byte offset of the [`Process`] in a file of the tracer.
pub const PROCESS_OFFSET: usize = crate::PAGE - size_of::<Process>();
/// Byte offset of the [`Process`] in a file whose version has [`COMPACT`].
pub const COMPACT_PROCESS_OFFSET: usize = size_of::<Header>();

/// How a recorded program came to be.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No recorded process has started it.
    First = 0,
    /// Forked from the recorded process [`Header::parent_pid`].
    Forked = 1,
    /// Started by the recorded process [`Header::parent_pid`], or by a program that this one has started.
    Started = 2,
    /// Took the place of another recorded program in the same process.
    Replaced = 3,
}

record! {
    /// One run of pages that belongs to one table. A table's extents stand in the directory in their order.
    Extent [16] {
        /// A [`crate::Table`] number.
        table: u32,
        /// Length in pages.
        pages: u32,
        /// First page in the file.
        first_page: u64,
    }
}

/// Bits of [`Header::modes`].
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every event is kept, in its order.
    Record = 1,
    /// A record has the addresses too.
    Addresses = 2,
    /// Allocations of CPython's own allocators are told apart.
    PythonAllocators = 4,
    /// Stacks have the native frames between the Python frames.
    Native = 8,
}

impl Header {
    /// Whether it was recorded in a mode.
    #[must_use]
    pub const fn has(&self, mode: Mode) -> bool {
        self.modes & mode as u32 != 0
    }
}

/// Whether a process is still recording.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Recording, or the process died without a word.
    Recording = 0,
    /// Recording has ended in an orderly way; [`Header::stop_reason`] says how.
    Finished = 1,
}

/// Why recording ended.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The interpreter began to shut down.
    InterpreterShutdown = 0,
    /// The process left by `exit` or `_exit`.
    Exit = 1,
    /// The tracer had a problem of its own; [`Header::problem`] says which.
    Problem = 2,
    /// The program was replaced by another one, in the same process (`exec`).
    Replaced = 3,
    /// The program itself has stopped it.
    Stopped = 4,
}
