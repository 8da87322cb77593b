//! The undo journal that makes each event all or nothing.
//!
//! Before an event changes words of the tables, it writes their places and old values here and raises `used`;
//! after its last change it sets `used` back to 0. When the process dies in between, the reader puts the old
//! values back, last entry first, and has the state before that event.

use crate::record::record;

/// Entries that fit: the largest single event changes far fewer words.
pub const JOURNAL_ENTRIES: usize = 128;

record! {
    /// One word's old value.
    JournalEntry [16] {
        /// [`crate::Table`] number in the top 8 bits, byte offset in that table below.
        target: u64,
        /// The eight bytes that stood there.
        old: u64,
    }
}

/// Page 3, as the tracer maps it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Journal {
    /// Entries in use; 0 between events.
    pub used: u64,
    /// Unused, keeps the entries 16-byte aligned.
    pub reserved: u64,
    /// The entries.
    pub entries: [JournalEntry; JOURNAL_ENTRIES],
}

const _: () = assert!(size_of::<Journal>() <= crate::PAGE);

impl JournalEntry {
    /// Packs a place.
    #[must_use]
    pub const fn target(table: crate::Table, byte_offset: u64) -> u64 {
        ((table as u64) << 56) | byte_offset
    }
}
