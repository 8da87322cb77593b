//! The writing side of a full record: rows into the segments of the log. See `heaphint_format`'s `log.rs` for the protocol.
//!
//! Events come here when they are applied to the tables. The time is that of the millisecond in which they were: whoever
//! has the first event of a new one applies all that were before it.

use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering};

use heaphint_format::{LogEvent, LogRow, SEGMENT_BYTES, SEGMENT_ROWS, Segment, SegmentState};

use crate::capture::{CaptureFile, Problem};
use crate::crash_points::crash_point;
use crate::private::Array;
use crate::sys;

/// Segments that are asked whether they are free before the log grows.
const PROBES: usize = 64;
/// Segments that the log grows by at most, at once.
const MOST_SEGMENTS_AT_ONCE: usize = 64;
/// Looks at the clock are this far apart while nobody knows how fast the processor counts.
const FIRST_TICKS: u64 = 50_000;
const NO_MEMORY: Problem =
    "there was no memory for the tracer's list of log segments; what was recorded until then is kept";

/// When the next millisecond begins, as the processor counts; never where there is no log.
static NEXT_MS: AtomicU64 = AtomicU64::new(u64::MAX);

/// Whether there is a log and a new millisecond has begun.
#[inline]
pub fn is_time_due() -> bool {
    let next = NEXT_MS.load(Ordering::Relaxed);
    next != u64::MAX && sys::processor_ticks() >= next
}

/// The log, when there is one.
pub struct EventLog {
    is_on: bool,
    /// The segment that is being filled, and its next row; all rows are used before there is a segment.
    segment: *mut u8,
    row: usize,
    sequence: u64,
    /// Every segment, and the index of the one that was claimed last.
    segments: Array<*mut u8>,
    claimed: usize,
    /// Segments that are to be filled next, the first of them last.
    ready: Array<*mut u8>,
    start_ns: u64,
    start_ticks: u64,
    now_ms: u32,
    told_ms: u32,
}

// SAFETY: the segments are reached only through it.
unsafe impl Send for EventLog {}

impl EventLog {
    pub const fn new() -> Self {
        Self {
            is_on: false,
            segment: core::ptr::null_mut(),
            row: SEGMENT_ROWS,
            sequence: 0,
            segments: Array::new(),
            claimed: 0,
            ready: Array::new(),
            start_ns: 0,
            start_ticks: 0,
            now_ms: 0,
            told_ms: 0,
        }
    }

    /// From now on there is a log, or none.
    pub fn begin(&mut self, is_on: bool) {
        self.is_on = is_on;
        (self.start_ns, self.start_ticks) = (sys::clock_ns(), sys::processor_ticks());
        NEXT_MS.store(if is_on { self.start_ticks } else { u64::MAX }, Ordering::Relaxed);
    }

    /// No event is added any more.
    pub fn end(&mut self) {
        self.is_on = false;
        NEXT_MS.store(u64::MAX, Ordering::Relaxed);
    }

    /// What comes from now on is of this moment; called when everything before it has been appended.
    pub fn look_at_clock(&mut self) {
        const MS: u64 = 1_000_000;
        if !self.is_on {
            return;
        }
        let (now_ns, now_ticks) = (sys::clock_ns(), sys::processor_ticks());
        let (elapsed_ns, ticks) =
            (now_ns.saturating_sub(self.start_ns), now_ticks.saturating_sub(self.start_ticks));
        let left_ns = MS - elapsed_ns % MS;
        let until_next = if elapsed_ns < MS {
            FIRST_TICKS
        } else {
            (u128::from(ticks) * u128::from(left_ns) / u128::from(elapsed_ns)) as u64 + 1
        };
        NEXT_MS.store(now_ticks.saturating_add(until_next).min(u64::MAX - 1), Ordering::Relaxed);
        self.now_ms = u32::try_from(elapsed_ns / MS).unwrap_or(u32::MAX);
    }

    /// Makes room for so many events. The log may have to grow, so this comes before an application begins.
    pub fn make_room(&mut self, file: &mut CaptureFile, events: usize) -> Result<(), Problem> {
        // The time is one more row.
        while self.is_on && SEGMENT_ROWS - self.row + self.ready.len() * SEGMENT_ROWS <= events {
            let segment = self.claim(file)?;
            if !self.ready.insert(0, segment) {
                return Err(NO_MEMORY);
            }
        }
        Ok(())
    }

    /// Appends an event, if there is a log. There is room for it.
    #[inline]
    pub fn append(&mut self, event: impl FnOnce() -> LogEvent) {
        if !self.is_on {
            return;
        }
        if self.now_ms != self.told_ms {
            self.told_ms = self.now_ms;
            self.write(LogEvent::Time { elapsed_ms: self.now_ms });
        }
        self.write(event());
    }

    #[inline]
    fn write(&mut self, event: LogEvent) {
        if self.row >= SEGMENT_ROWS && !self.next_segment() {
            return;
        }
        let LogRow { place, what } = LogRow::new(event);
        let offset = size_of::<Segment>() + self.row * size_of::<LogRow>();
        self.store(offset + offset_of!(LogRow, place), place);
        self.store(offset + offset_of!(LogRow, what), what);
        self.row += 1;
    }

    /// Stores a word of the current segment; never before an earlier store.
    #[inline]
    fn store(&self, offset: usize, value: u64) {
        crash_point();
        // SAFETY: callers have a segment, the offset lies inside it and is a multiple of eight.
        unsafe { AtomicU64::from_ptr(self.segment.add(offset).cast()) }.store(value, Ordering::Release);
    }

    /// Gives the full segment away and begins another one.
    #[cold]
    fn next_segment(&mut self) -> bool {
        let Some(next) = self.ready.as_slice().last().copied() else { return false };
        self.ready.truncate(self.ready.len() - 1);
        if !self.segment.is_null() {
            self.store(offset_of!(Segment, state), SegmentState::Full as u64);
        }
        (self.segment, self.row) = (next, 0);
        self.sequence += 1;
        self.store(offset_of!(Segment, sequence), self.sequence);
        self.store(offset_of!(Segment, state), SegmentState::Filling as u64);
        true
    }

    /// A free segment; the log grows when there is none.
    #[cold]
    fn claim(&mut self, file: &mut CaptureFile) -> Result<*mut u8, Problem> {
        let count = self.segments.len();
        let is_free = |segment: &*mut u8| {
            // SAFETY: every segment is mapped as long as recording, and begins with its state.
            let state = unsafe { AtomicU64::from_ptr(segment.cast()) };
            state.load(Ordering::Acquire) == SegmentState::Free as u64
                && !self.ready.as_slice().contains(segment)
        };
        // They are given back in the order in which they were filled, so the next ones are the first.
        let next = (1..=count.min(PROBES))
            .map(|step| (self.claimed + step) % count)
            .find(|index| self.segments.as_slice().get(*index).is_some_and(is_free));
        self.claimed = match next {
            Some(index) => index,
            None => self.grow(file)?,
        };
        self.segments.as_slice().get(self.claimed).copied().ok_or(NO_MEMORY)
    }

    /// Adds as many segments as there are; the index of the first.
    fn grow(&mut self, file: &mut CaptureFile) -> Result<usize, Problem> {
        let first = self.segments.len();
        let added = first.clamp(1, MOST_SEGMENTS_AT_ONCE);
        let at = file.add_log_extent(added * SEGMENT_BYTES)?;
        for index in 0..added {
            if !self.segments.push(at.wrapping_add(index * SEGMENT_BYTES)) {
                return Err(NO_MEMORY);
            }
        }
        Ok(first)
    }

    /// Unmaps everything; for a forked child, whose parent goes on writing.
    pub fn detach(&mut self) {
        for segment in self.segments.as_slice() {
            // SAFETY: the mapping is ours, and nothing refers to it below.
            unsafe { sys::unmap(*segment, SEGMENT_BYTES) };
        }
        self.segments.release();
        self.ready.release();
        *self = Self::new();
    }
}
