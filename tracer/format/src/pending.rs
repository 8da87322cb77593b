//! Pending events: what has happened and does not stand in the tables yet.
//!
//! An event is one record of two words behind the header, so it costs the program one cache line and no journal.
//! When the area is full the tracer applies all of them to the tables in one go, while their lines are in the
//! cache. When the process dies before that, the reader applies them, with the same code: see [`crate::Totals`].
//!
//! [`crate::Header::applied`] says which events are pending: those from its index on that carry its generation.
//! The second word of a record is its last store, so a record is there as a whole or not at all.

use crate::record::record;

/// Events that fit.
pub const PENDING_EVENTS: usize = 64;
/// Byte offset of the first.
pub const PENDING_OFFSET: usize = 256;
const _: () = assert!(PENDING_OFFSET + PENDING_EVENTS * size_of::<PendingEvent>() <= crate::PAGE);

const KIND_SHIFT: u32 = 32;
const GENERATION_SHIFT: u32 = 35;
const FREED: u64 = 1 << KIND_SHIFT;
const WHOLE: u64 = 2 << KIND_SHIFT;
const TEMPORARY: u64 = 4 << KIND_SHIFT;
/// Generations count from 1 to this, and begin again.
pub const MAX_GENERATION: u32 = (1 << (64 - GENERATION_SHIFT)) - 1;

/// What an event does to its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// An allocation was made.
    Allocated {
        /// Requested bytes.
        bytes: u64,
    },
    /// All or part of one was freed.
    Freed {
        /// Bytes that were given back.
        bytes: u64,
        /// Whether nothing of it is left.
        whole: bool,
        /// Whether its thread has made no allocation since.
        temporary: bool,
    },
}

record! {
    /// An event that is not in the tables yet.
    ///
    /// Example: `00 10 00 00 00 00 00 00  07 00 00 00 1b 00 00 00` is, in generation 3, a free of a whole block of
    /// 4096 bytes of site 7.
    PendingEvent [16] {
        /// Bytes.
        bytes: u64,
        /// Index of a [`crate::Site`] in the low 32 bits; three bits for freed, whole and temporary; the generation.
        what: u64,
    }
}

impl PendingEvent {
    /// Packs an event.
    #[must_use]
    #[inline]
    pub const fn new(generation: u32, site: u32, change: Change) -> Self {
        let (bytes, kind) = match change {
            Change::Allocated { bytes } => (bytes, 0),
            Change::Freed { bytes, whole, temporary } => {
                (bytes, FREED | if whole { WHOLE } else { 0 } | if temporary { TEMPORARY } else { 0 })
            }
        };
        Self { bytes, what: site as u64 | kind | (generation as u64) << GENERATION_SHIFT }
    }

    /// Index of the [`crate::Site`].
    #[must_use]
    #[inline]
    pub const fn site(&self) -> u32 {
        self.what as u32
    }

    /// The generation it was written in.
    #[must_use]
    #[inline]
    pub const fn generation(&self) -> u32 {
        (self.what >> GENERATION_SHIFT) as u32
    }

    /// What it does.
    #[must_use]
    #[inline]
    pub const fn change(&self) -> Change {
        let Self { bytes, what } = *self;
        if what & FREED == 0 {
            Change::Allocated { bytes }
        } else {
            Change::Freed { bytes, whole: what & WHOLE != 0, temporary: what & TEMPORARY != 0 }
        }
    }
}

/// Which events are pending, as [`crate::Header::applied`] holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Generation of the pending events; 0 in captures that have none.
    pub generation: u32,
    /// Index of the first.
    pub first: u32,
}

impl Applied {
    /// What the header holds.
    #[must_use]
    pub const fn word(self) -> u64 {
        (self.generation as u64) << 32 | self.first as u64
    }

    /// From what the header holds.
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self { generation: (word >> 32) as u32, first: word as u32 }
    }

    /// After all events of this generation.
    #[must_use]
    pub const fn next_generation(self) -> Self {
        let generation = if self.generation >= MAX_GENERATION { 1 } else { self.generation + 1 };
        Self { generation, first: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    #[test]
    fn event_example_decodes() {
        let bytes = [0, 0x10, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0x1b, 0, 0, 0];
        let event = PendingEvent::new(3, 7, Change::Freed { bytes: 4096, whole: true, temporary: false });
        assert_eq!(PendingEvent::decode(&bytes), Some(event));
    }

    #[test]
    fn events_come_back_as_they_went() {
        let changes = [
            Change::Allocated { bytes: u64::MAX },
            Change::Freed { bytes: 0, whole: false, temporary: true },
            Change::Freed { bytes: 1, whole: true, temporary: true },
        ];
        for change in changes {
            let event = PendingEvent::new(MAX_GENERATION, u32::MAX, change);
            assert_eq!(
                (event.generation(), event.site(), event.change()),
                (MAX_GENERATION, u32::MAX, change)
            );
        }
        assert_eq!(Applied { generation: MAX_GENERATION, first: 9 }.next_generation().generation, 1);
    }
}
