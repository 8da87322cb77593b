//! The undo journal that makes the application of pending events all or nothing.
//!
//! Before anything in the tables changes, its place and old value are written here, in pairs of words, and `used`
//! is raised; after the last change `used` goes back to 0. When the process dies in between, the reader puts the
//! old values back, the last one first, and has the tables as they were. A place may be saved twice.

use crate::record::record;

/// Entries that fit.
pub const JOURNAL_ENTRIES: usize = 127;

record! {
    /// The old value of 16 aligned bytes.
    ///
    /// Example: `20 00 00 00 00 00 00 04  00...00 (8)  2a 00...00 (8)  07 00...00 (8)` says that the two words at
    /// byte 32 of table 4 were 42 and 7.
    JournalEntry [32] {
        /// [`crate::Table`] number in the top 8 bits, byte offset in that table below.
        target: u64,
        /// Zero.
        reserved: u64,
        /// The two words that stood there.
        old: [u64; 2],
    }
}

/// Page 3, as the tracer maps it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Journal {
    /// Entries in use; 0 between events.
    pub used: u64,
    /// Zero; keeps the entries aligned.
    pub reserved: [u64; 3],
    /// The entries.
    pub entries: [JournalEntry; JOURNAL_ENTRIES],
}

const _: () = assert!(size_of::<Journal>() <= crate::PAGE);
/// Byte offset of the entries in the journal.
pub const JOURNAL_ENTRIES_OFFSET: usize = core::mem::offset_of!(Journal, entries);

impl JournalEntry {
    /// Packs a place.
    #[must_use]
    pub const fn target(table: crate::Table, byte_offset: u64) -> u64 {
        ((table as u64) << 56) | byte_offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Record, Table};

    #[test]
    fn entry_example_decodes() {
        let mut bytes = [0; 32];
        (bytes[0], bytes[7], bytes[16], bytes[24]) = (0x20, 4, 0x2a, 7);
        let entry =
            JournalEntry { target: JournalEntry::target(Table::Sites, 32), reserved: 0, old: [42, 7] };
        assert_eq!(JournalEntry::decode(&bytes), Some(entry));
    }
}
