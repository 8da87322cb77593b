//! The log of a full record: every event in its order, until somebody takes it away.
//!
//! The log is a number of segments of [`SEGMENT_BYTES`] in the extents of [`crate::Table::Log`]. The traced process fills one
//! after the other; the launcher takes full ones, in their order, packs them elsewhere and hands them back, so the
//! file stays small however long the run is. When nobody takes them, the log grows.
//!
//! Events come into the log when they are applied to the tables, in that order, and before the application is committed. So of a
//! process that died the log's first events count, as many as the areas say were applied
//! ([`crate::AreaState::applied`], after the journal is undone); those that are pending in the areas come after them.
//!
//! Two processes share a segment without a lock, by its `state`:
//!
//! 1. The process claims a segment that is [`SegmentState::Free`], whose rows are all zero: it writes `sequence`, which counts
//!    up from 1, and then [`SegmentState::Filling`].
//! 2. It appends rows. A row's `what` is its last store and never zero, so a row is there as a whole or not at all.
//! 3. After the last row it stores [`SegmentState::Full`], and does not touch the segment again.
//! 4. The launcher packs a full segment and writes the packed rows to its own file, with the sequence. Only then
//!    it fills the rows with zeros, and at last stores [`SegmentState::Free`].
//!
//! The process stores with release order and loads `state` with acquire order. The launcher reads and writes by system calls,
//! one for each step, which the kernel serves from the same pages. Whichever side dies, and wherever, nothing is lost
//! and nothing counts twice: what was packed is known by its sequence, and a segment of that sequence or an earlier one is
//! skipped; a row that is not whole has not happened.

use crate::record::record;

/// Bytes of a segment, its header included.
pub const SEGMENT_BYTES: usize = 512 * 1024;
/// Rows of a segment.
pub const SEGMENT_ROWS: usize = (SEGMENT_BYTES - size_of::<Segment>()) / size_of::<LogRow>();
const _: () = assert!(SEGMENT_BYTES.is_multiple_of(crate::PAGE));

record! {
    /// What stands before the rows of a segment.
    Segment [64] {
        /// A [`SegmentState`].
        state: u64,
        /// When it was claimed: the first one of a process is 1.
        sequence: u64,
        /// Zero.
        reserved: [u64; 6],
    }
}

/// Whose turn it is with a segment.
#[repr(u64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// Nobody's: it holds nothing, and the process may claim it.
    Free = 0,
    /// The process's: it appends rows.
    Filling = 1,
    /// The launcher's: every row is there.
    Full = 2,
}

const ADDRESS_BITS: u32 = 48;
const ADDRESS: u64 = (1 << ADDRESS_BITS) - 1;
const KIND_SHIFT: u32 = 60;
const LOW_BITS: u32 = 16;
/// Sites and threads beyond this cannot be told.
pub const MOST_SITES: u32 = 1 << 28;

record! {
    /// One event.
    ///
    /// Example: `00 10 40 00 00 7f 07 00  20 00 00 00 00 00 00 10` is an allocation (kind 1) of 32 bytes at address
    /// 0x7f0000401000 by site 7.
    LogRow [16] {
        /// The address, or where an unmapped part begins, in 48 bits; above them the low 16 bits of the site, or of the index
        /// of the thread that freed. For [`LogEvent::Time`] the milliseconds.
        place: u64,
        /// Bytes in 48 bits; then 12 bits with the rest of the site or thread; then the kind in 4, never 0.
        what: u64,
    }
}

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// A block was allocated.
    Allocated {
        /// Index of a [`crate::Site`].
        site: u32,
        /// Where it is.
        address: u64,
        /// Requested bytes.
        bytes: u64,
    },
    /// A range was mapped; parts of it may be unmapped.
    Mapped {
        /// Index of a [`crate::Site`].
        site: u32,
        /// Where it begins.
        address: u64,
        /// Its length.
        bytes: u64,
    },
    /// A block was freed.
    Freed {
        /// Index of the [`crate::Thread`] that did it; 0 when that is not known.
        thread: u32,
        /// Where it was.
        address: u64,
        /// Its size: `realloc` tells of a free afterwards, and by then another block may have been allocated there.
        bytes: u64,
        /// As in [`crate::Change::Freed`].
        temporary: bool,
    },
    /// A part of a mapping was unmapped.
    Unmapped {
        /// As in `Freed`.
        thread: u32,
        /// Where the part begins.
        address: u64,
        /// Its length.
        bytes: u64,
        /// Whether nothing is left of the mapping.
        last: bool,
        /// As in [`crate::Change::Freed`].
        temporary: bool,
    },
    /// What follows happened at this time or later.
    Time {
        /// Milliseconds since recording began.
        elapsed_ms: u32,
    },
}

impl LogRow {
    /// Packs an event.
    #[must_use]
    #[inline]
    pub const fn new(event: LogEvent) -> Self {
        let (kind, who, place, bytes) = match event {
            LogEvent::Allocated { site, address, bytes } => (1, site, address, bytes),
            LogEvent::Mapped { site, address, bytes } => (2, site, address, bytes),
            LogEvent::Freed { thread, address, bytes, temporary } => {
                (if temporary { 4 } else { 3 }, thread, address, bytes)
            }
            LogEvent::Unmapped { thread, address, bytes, last, temporary } => (
                if temporary {
                    7
                } else if last {
                    6
                } else {
                    5
                },
                thread,
                address,
                bytes,
            ),
            LogEvent::Time { elapsed_ms } => (8, 0, elapsed_ms as u64, 0),
        };
        let who = who as u64;
        Self {
            place: place & ADDRESS | who << ADDRESS_BITS,
            what: bytes & ADDRESS | (who >> LOW_BITS & 0xfff) << ADDRESS_BITS | (kind as u64) << KIND_SHIFT,
        }
    }

    /// What it says; `None` for a row that is not there, and for kinds of a newer version.
    #[must_use]
    #[inline]
    pub const fn event(self) -> Option<LogEvent> {
        let Self { place, what } = self;
        let who = (place >> ADDRESS_BITS | (what >> ADDRESS_BITS & 0xfff) << LOW_BITS) as u32;
        let (address, bytes) = (place & ADDRESS, what & ADDRESS);
        Some(match what >> KIND_SHIFT {
            1 => LogEvent::Allocated { site: who, address, bytes },
            2 => LogEvent::Mapped { site: who, address, bytes },
            kind @ (3 | 4) => LogEvent::Freed { thread: who, address, bytes, temporary: kind == 4 },
            kind @ (5..=7) => {
                LogEvent::Unmapped { thread: who, address, bytes, last: kind > 5, temporary: kind == 7 }
            }
            8 => LogEvent::Time { elapsed_ms: place as u32 },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    #[test]
    fn row_example_decodes() {
        let bytes = [0, 0x10, 0x40, 0, 0, 0x7f, 7, 0, 0x20, 0, 0, 0, 0, 0, 0, 0x10];
        let event = LogEvent::Allocated { site: 7, address: 0x7f00_0040_1000, bytes: 32 };
        assert_eq!(LogRow::decode(&bytes).and_then(LogRow::event), Some(event));
        assert_eq!(LogRow::decode(&bytes), Some(LogRow::new(event)));
        assert_eq!(LogRow::default().event(), None);
    }

    #[test]
    fn rows_come_back_as_they_went() {
        let (site, address, bytes) = (MOST_SITES - 1, ADDRESS, ADDRESS);
        for event in [
            LogEvent::Allocated { site, address, bytes },
            LogEvent::Mapped { site: 0, address: 0, bytes: 0 },
            LogEvent::Mapped { site: 0x1_0000, address, bytes: 1 },
            LogEvent::Freed { thread: 0xff_ffff, address, bytes: 1, temporary: false },
            LogEvent::Freed { thread: 0, address: 16, bytes, temporary: true },
            LogEvent::Unmapped { thread: 1, address: 4096, bytes, last: false, temporary: false },
            LogEvent::Unmapped { thread: 0, address, bytes: 4096, last: true, temporary: false },
            LogEvent::Unmapped { thread: 0, address, bytes: 4096, last: true, temporary: true },
            LogEvent::Time { elapsed_ms: u32::MAX },
        ] {
            let row = LogRow::new(event);
            assert_eq!(row.event(), Some(event));
            assert_ne!(row.what, 0);
        }
    }
}
