//! Pending events as captures of version 2 have them: one area of 64 behind the header, 16 bytes each.
//!
//! [`crate::Header::applied`] says which events are pending: those from its index on that carry its generation.
//! The second word of a record is its last store, so a record is there as a whole or not at all.

use alloc::vec::Vec;

use crate::Change;
use crate::Record;
use crate::record::record;

/// Events that fit.
const PENDING_EVENTS: usize = 64;
/// Byte offset of the first.
const PENDING_OFFSET: usize = 256;

const KIND_SHIFT: u32 = 32;
const GENERATION_SHIFT: u32 = 35;
const FREED: u64 = 1 << KIND_SHIFT;
const WHOLE: u64 = 2 << KIND_SHIFT;
const TEMPORARY: u64 = 4 << KIND_SHIFT;
record! {
    /// An event that is not in the tables yet.
    ///
    /// Example: `00 10 00 00 00 00 00 00  07 00 00 00 1b 00 00 00` is, in generation 3, a free of a whole block of
    /// 4096 bytes of site 7.
    OldEvent [16] {
        /// Bytes.
        bytes: u64,
        /// Index of a [`crate::Site`] in the low 32 bits; three bits for freed, whole and temporary; the generation.
        what: u64,
    }
}

impl OldEvent {
    /// What it does to its site.
    const fn change(&self) -> Change {
        let Self { bytes, what } = *self;
        if what & FREED == 0 {
            Change::Allocated { bytes }
        } else {
            Change::Freed { bytes, whole: what & WHOLE != 0, temporary: what & TEMPORARY != 0 }
        }
    }
}

/// The pending events in their order: the site of each, and what it does to it. `applied` is the header's.
pub fn pending(fixed: &[u8], applied: u64) -> Vec<(u32, Change)> {
    let (generation, first) = (applied >> 32, applied as u32);
    let events = fixed.get(PENDING_OFFSET..).unwrap_or_default().chunks_exact(OldEvent::BYTES);
    events
        .take(PENDING_EVENTS)
        .skip(first as usize)
        .map_while(OldEvent::decode)
        .take_while(|event| generation != 0 && event.what >> GENERATION_SHIFT == generation)
        .map(|event| (event.what as u32, event.change()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_the_generation_are_pending() {
        let event = [0, 0x10, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0x1b, 0, 0, 0];
        let mut fixed = [0; PENDING_OFFSET + PENDING_EVENTS * OldEvent::BYTES];
        fixed[PENDING_OFFSET..][..16].copy_from_slice(&event);
        let freed = (7, Change::Freed { bytes: 4096, whole: true, temporary: false });
        assert_eq!(pending(&fixed, 3 << 32), [freed]);
        assert_eq!(pending(&fixed, 3 << 32 | 1), []);
        assert_eq!(pending(&fixed, 4 << 32), []);
        assert_eq!(pending(&fixed, 0), []);
    }
}
