//! Pending events: what has happened and does not stand in the tables yet.
//!
//! Each thread has an [`Area`] of its own, so an event costs it one record in its own cache lines, and no lock. When
//! an area is full the tracer applies the events of all threads to the tables, in the order of their stamps, while
//! the tables' lines are in the cache. When the process dies before that, the reader applies them, with the same
//! code: see [`crate::Totals`] and [`earliest`].
//!
//! An area is a ring: the n-th event of it stands at the place `n % AREA_EVENTS`. Stamps only grow in an area, and the
//! stamp is an event's last store; so the events that are pending are those from [`AreaState::applied`] on, as long
//! as each stamp is higher than the one before it.

use crate::log::LogEvent;
use crate::record::{Record, Word, record};

/// Events that fit into an area.
pub const AREA_EVENTS: usize = 64;
/// Areas that a capture has at most.
pub const MOST_AREAS: usize = 4096;

const SITE_BITS: u32 = 32;
const FREED: u64 = 1 << SITE_BITS;
const WHOLE: u64 = 2 << SITE_BITS;
const TEMPORARY: u64 = 4 << SITE_BITS;
/// The low bits of an allocation's number stand above those three bits, the others above the address.
const NUMBER_SHIFT: u32 = SITE_BITS + 3;
const LOW_NUMBER_BITS: u32 = u64::BITS - NUMBER_SHIFT;
/// User space has addresses of so many bits.
const ADDRESS_BITS: u32 = 48;

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
    /// Example: `00 10 00 00 00 00 00 00  07 00 00 00 1b 00 00 00  00 20 00 00 ff 7f 00 00  2a 00 00 00 00 00 00 00` is
    /// a free of a whole block of 4096 bytes of site 7 at address 0x7fff00002000, which was allocation number 3, with
    /// stamp 42.
    PendingEvent [32] {
        /// Bytes.
        bytes: u64,
        /// Index of a [`crate::Site`] in the low 32 bits; three bits for freed, whole and temporary; then the low 29
        /// bits of the allocation's number.
        what: u64,
        /// Address in the low 48 bits; above it the next bits of the allocation's number.
        address: u64,
        /// Orders the events of all threads; of equal stamps, the lower area's comes first. Higher than that of the
        /// area's event before. Means nothing else.
        stamp: u64,
    }
}

impl PendingEvent {
    /// Packs an event. `number` is that of the allocation that is made or freed, where allocations are numbered: less
    /// than 2 to the power of 45.
    #[must_use]
    #[inline]
    pub const fn new(stamp: u64, site: u32, address: usize, number: u64, change: Change) -> Self {
        let (bytes, kind) = match change {
            Change::Allocated { bytes } => (bytes, 0),
            Change::Freed { bytes, whole, temporary } => {
                (bytes, FREED | if whole { WHOLE } else { 0 } | if temporary { TEMPORARY } else { 0 })
            }
        };
        Self {
            bytes,
            what: site as u64 | kind | number << NUMBER_SHIFT,
            address: address as u64 & ((1 << ADDRESS_BITS) - 1) | (number >> LOW_NUMBER_BITS) << ADDRESS_BITS,
            stamp,
        }
    }

    /// Index of the [`crate::Site`].
    #[must_use]
    #[inline]
    pub const fn site(&self) -> u32 {
        self.what as u32
    }

    /// Where the block or the range begins.
    #[must_use]
    #[inline]
    pub const fn address(&self) -> u64 {
        self.address & ((1 << ADDRESS_BITS) - 1)
    }

    /// The number of the allocation that is made or freed; 0 where they are not numbered.
    #[must_use]
    #[inline]
    pub const fn number(&self) -> u64 {
        self.what >> NUMBER_SHIFT | self.address >> ADDRESS_BITS << LOW_NUMBER_BITS
    }

    /// As the log of a full record has it. `allocator` is that of its site, `thread` the index of the one that did it.
    #[must_use]
    #[inline]
    pub const fn logged(&self, allocator: Option<crate::Allocator>, thread: u32) -> LogEvent {
        let (site, address) = (self.site(), self.address());
        let is_mapping = matches!(allocator, Some(crate::Allocator::Mmap | crate::Allocator::Mremap));
        match self.change() {
            Change::Allocated { bytes } if is_mapping => LogEvent::Mapped { site, address, bytes },
            Change::Allocated { bytes } => LogEvent::Allocated { site, address, bytes },
            Change::Freed { bytes, whole, temporary } if is_mapping => {
                LogEvent::Unmapped { thread, address, bytes, last: whole, temporary }
            }
            Change::Freed { bytes, temporary, .. } => LogEvent::Freed { thread, address, bytes, temporary },
        }
    }

    /// What it does.
    #[must_use]
    #[inline]
    pub const fn change(&self) -> Change {
        let Self { bytes, what, .. } = *self;
        if what & FREED == 0 {
            Change::Allocated { bytes }
        } else {
            Change::Freed { bytes, whole: what & WHOLE != 0, temporary: what & TEMPORARY != 0 }
        }
    }
}

record! {
    /// How far the events of an area have been applied. Changes as a pair of words, when events are applied.
    AreaState [16] {
        /// How many were applied since recording began.
        applied: u64,
        /// The stamp of the last of them.
        stamp: u64,
    }
}

/// The pending events of a thread, as a table's record: a cache line, and the ring behind it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// What of it is in the tables.
    pub state: AreaState,
    /// The tracer's own: below which number the thread may write events. Means nothing to a reader.
    pub room: u64,
    /// Index of the [`crate::Thread`] that has it; 0 for threads that share one.
    pub thread: u64,
    /// Zero.
    pub reserved: [u64; 4],
    /// The ring.
    pub events: [PendingEvent; AREA_EVENTS],
}

const EVENTS_OFFSET: usize = core::mem::offset_of!(Area, events);
const _: () = assert!(EVENTS_OFFSET == 64 && size_of::<Area>() == EVENTS_OFFSET + AREA_EVENTS * 32);

impl Area {
    /// The event with this number, if it has happened and the one before it has `stamp`.
    #[must_use]
    pub fn event(&self, number: u64, stamp: u64) -> Option<PendingEvent> {
        let event = self.events.get(number as usize % AREA_EVENTS)?;
        (event.stamp > stamp).then_some(*event)
    }
}

impl Default for Area {
    fn default() -> Self {
        let events = [PendingEvent::default(); AREA_EVENTS];
        Self { state: AreaState::default(), room: 0, thread: 0, reserved: [0; 4], events }
    }
}

impl Record for Area {
    const BYTES: usize = size_of::<Self>();
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (header, records) = bytes.get(..Self::BYTES)?.split_at_checked(EVENTS_OFFSET)?;
        let mut events = [PendingEvent::default(); AREA_EVENTS];
        for (event, record) in events.iter_mut().zip(records.chunks_exact(PendingEvent::BYTES)) {
            *event = PendingEvent::decode(record)?;
        }
        let (room, thread) = (u64::decode(header.get(16..)?)?, u64::decode(header.get(24..)?)?);
        let reserved = Word::decode(header.get(32..)?)?;
        Some(Self { state: AreaState::decode(header)?, room, thread, reserved, events })
    }
    fn encode(&self, out: &mut [u8]) -> Option<()> {
        let (header, records) = out.get_mut(..Self::BYTES)?.split_at_mut_checked(EVENTS_OFFSET)?;
        self.state.encode(header)?;
        self.room.encode(header.get_mut(16..)?)?;
        self.thread.encode(header.get_mut(24..)?)?;
        self.reserved.encode(header.get_mut(32..)?)?;
        let records = records.chunks_exact_mut(PendingEvent::BYTES);
        self.events.iter().zip(records).try_for_each(|(event, record)| event.encode(record))
    }
}

/// The stamp of no event.
pub const NO_STAMP: u64 = u64::MAX;

/// Which area's event comes next, by the stamps of the next event of each, [`NO_STAMP`] where there is none; and up to
/// which stamp that area's events come before those of all others.
#[must_use]
#[inline]
pub fn earliest(stamps: impl Iterator<Item = u64>) -> Option<(usize, u64)> {
    let (mut first, mut lowest, mut until) = (0, NO_STAMP, NO_STAMP - 1);
    for (i, stamp) in stamps.enumerate() {
        if stamp < lowest {
            // Of equal stamps the lower area's comes first, and all others so far are lower.
            until = until.min(lowest.wrapping_sub(1));
            (first, lowest) = (i, stamp);
        } else if stamp < until {
            until = stamp;
        }
    }
    (lowest != NO_STAMP).then_some((first, until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_example_decodes() {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&[0, 0x10, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0x1b, 0, 0, 0]);
        bytes[17] = 0x20;
        bytes[20..22].copy_from_slice(&[0xff, 0x7f]);
        bytes[24] = 42;
        let freed = Change::Freed { bytes: 4096, whole: true, temporary: false };
        let event = PendingEvent::new(42, 7, 0x7fff_0000_2000, 3, freed);
        assert_eq!(PendingEvent::decode(&bytes), Some(event));
    }

    #[test]
    fn events_come_back_as_they_went() {
        let changes = [
            Change::Allocated { bytes: u64::MAX },
            Change::Freed { bytes: 0, whole: false, temporary: true },
            Change::Freed { bytes: 1, whole: true, temporary: true },
        ];
        for (change, number) in changes.into_iter().zip([0, (1 << 45) - 1, 1 << 29]) {
            let event = PendingEvent::new(1, u32::MAX, (1 << 48) - 16, number, change);
            let found = (event.site(), event.address(), event.number(), event.change());
            assert_eq!(found, (u32::MAX, (1 << 48) - 16, number, change));
        }
    }

    #[test]
    fn an_area_comes_back_as_it_went() {
        let mut area = Area {
            state: AreaState { applied: 100, stamp: 7 },
            room: 164,
            thread: 0,
            reserved: [1, 2, 3, 4],
            events: [PendingEvent::default(); AREA_EVENTS],
        };
        area.events[100 % AREA_EVENTS] = PendingEvent { stamp: 8, ..PendingEvent::default() };
        let mut bytes = [0; Area::BYTES];
        assert_eq!(area.encode(&mut bytes), Some(()));
        assert_eq!(Area::decode(&bytes), Some(area));
        assert_eq!(area.event(100, 7).map(|event| event.stamp), Some(8));
        assert_eq!(area.event(101, 8), None);
    }

    #[test]
    fn events_of_all_areas_come_in_the_order_of_their_stamps() {
        let stamps = [&[3, 4, 9, 9_000][..], &[1, 4, 5, 6, 9], &[], &[2, 4, 4_000]];
        let (mut found, mut expected) = (alloc::vec::Vec::new(), alloc::vec::Vec::new());
        let mut taken = [0; 4];
        let next = |area: usize, taken: usize| stamps[area].get(taken).copied().unwrap_or(NO_STAMP);
        while let Some((area, until)) = earliest((0..4).map(|area| next(area, taken[area]))) {
            assert!(next(area, taken[area]) <= until);
            while next(area, taken[area]) <= until {
                found.push((next(area, taken[area]), area));
                taken[area] += 1;
            }
        }
        for (area, stamps) in stamps.iter().enumerate() {
            expected.extend(stamps.iter().map(|stamp| (*stamp, area)));
        }
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}
