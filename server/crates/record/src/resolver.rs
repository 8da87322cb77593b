//! From rows of the log, which know addresses, to events, which know allocations.

use std::collections::{BTreeMap, VecDeque};

use heaphint_format::{LogEvent, LogRow};
use rustc_hash::FxHashMap;

use crate::Event;

/// A piece of a mapping.
#[derive(Clone, Copy, Debug)]
struct Piece {
    end: u64,
    serial: u64,
}

/// A block: its serial, and above it the low bits of its size, by which blocks of one address are told apart.
#[derive(Clone, Copy, Debug)]
struct Block(u64);

impl Block {
    const SERIAL_BITS: u32 = 48;

    const fn new(serial: u64, bytes: u64) -> Self {
        Self(serial & ((1 << Self::SERIAL_BITS) - 1) | bytes << Self::SERIAL_BITS)
    }

    const fn serial(self) -> u64 {
        self.0 & ((1 << Self::SERIAL_BITS) - 1)
    }

    const fn may_have(self, bytes: u64) -> bool {
        self.0 >> Self::SERIAL_BITS == bytes & 0xffff
    }
}

/// Follows which allocation is at which address: about 30 bytes for each that is live.
#[derive(Debug, Default)]
pub struct Resolver {
    next_serial: u64,
    blocks: FxHashMap<u64, Block>,
    /// Blocks whose address was given away before the row of their free came: `realloc` frees first and tells then.
    displaced: FxHashMap<u64, VecDeque<Block>>,
    mappings: BTreeMap<u64, Piece>,
}

impl Resolver {
    /// The serial of the next allocation.
    pub fn next_serial(&self) -> u64 {
        self.next_serial
    }

    /// The event of a row. `None` for a row that says nothing, or speaks of an allocation that is not known.
    #[inline]
    pub fn event(&mut self, row: LogRow) -> Option<Event> {
        Some(match row.event()? {
            LogEvent::Allocated { site, address, bytes } => {
                let block = Block::new(self.next_serial, bytes);
                if let Some(before) = self.blocks.insert(address, block) {
                    self.displaced.entry(address).or_default().push_back(before);
                }
                self.next_serial += 1;
                Event::Allocated { site, bytes, address, mapped: false }
            }
            LogEvent::Mapped { site, address, bytes } => {
                let end = address.saturating_add(bytes);
                self.mappings.insert(address, Piece { end, serial: self.next_serial });
                self.next_serial += 1;
                Event::Allocated { site, bytes, address, mapped: true }
            }
            LogEvent::Freed { thread, address, bytes, temporary } => {
                let displaced =
                    if self.displaced.is_empty() { None } else { self.take_displaced(address, bytes) };
                let block = match displaced {
                    Some(block) => block,
                    None => self.blocks.remove(&address)?,
                };
                Event::Freed { thread, serial: block.serial(), temporary }
            }
            LogEvent::Unmapped { thread, address, bytes, last, temporary } => {
                let Piece { serial, .. } = self.unmap(address, bytes)?;
                Event::Unmapped { thread, serial, bytes, address, last, temporary }
            }
            LogEvent::Time { elapsed_ms } => Event::Time { elapsed_ms },
        })
    }

    /// The oldest block of an address that was given away, unless the size says that the newest one is meant.
    #[cold]
    fn take_displaced(&mut self, address: u64, bytes: u64) -> Option<Block> {
        let waiting = self.displaced.get_mut(&address)?;
        let at = waiting.iter().position(|block| block.may_have(bytes))?;
        let block = waiting.remove(at);
        if waiting.is_empty() {
            self.displaced.remove(&address);
        }
        block
    }

    /// Takes a part out of the piece that it lies in.
    fn unmap(&mut self, start: u64, bytes: u64) -> Option<Piece> {
        let (first, piece) = self.mappings.range(..=start).next_back().map(|(at, piece)| (*at, *piece))?;
        let end = start.saturating_add(bytes);
        if piece.end < end {
            return None;
        }
        self.mappings.remove(&first);
        if first < start {
            self.mappings.insert(first, Piece { end: start, ..piece });
        }
        if end < piece.end {
            self.mappings.insert(end, piece);
        }
        Some(piece)
    }
}

/// Builds a [`Resolver`] from events that have addresses.
#[derive(Debug, Default)]
pub struct Rebuild {
    resolver: Resolver,
    /// Address and size by serial.
    blocks: FxHashMap<u64, (u64, u64)>,
}

impl Rebuild {
    /// The next event.
    #[inline]
    pub fn observe(&mut self, event: &Event) {
        match *event {
            Event::Allocated { address, bytes, mapped: false, .. } => {
                self.blocks.insert(self.resolver.next_serial, (address, bytes));
                self.resolver.next_serial += 1;
            }
            Event::Allocated { address, bytes, mapped: true, .. } => {
                self.resolver.event(LogRow::new(LogEvent::Mapped { site: 0, address, bytes }));
            }
            Event::Freed { serial, .. } => {
                self.blocks.remove(&serial);
            }
            Event::Unmapped { address, bytes, .. } => {
                self.resolver.unmap(address, bytes);
            }
            Event::Time { .. } => {}
        }
    }

    /// What comes after the events that were observed.
    pub fn finish(mut self) -> Resolver {
        let mut live: Vec<_> = self.blocks.into_iter().collect();
        live.sort_unstable();
        for (serial, (address, bytes)) in live {
            if let Some(before) = self.resolver.blocks.insert(address, Block::new(serial, bytes)) {
                self.resolver.displaced.entry(address).or_default().push_back(before);
            }
        }
        self.resolver
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(resolver: &mut Resolver, rows: &[LogEvent]) -> Vec<Option<Event>> {
        rows.iter().map(|row| resolver.event(LogRow::new(*row))).collect()
    }

    #[test]
    fn a_free_that_comes_late_is_of_the_older_block() {
        let (site, address, thread, temporary) = (1, 0x1000, 2, false);
        let allocated = |bytes| LogEvent::Allocated { site, address, bytes };
        let freed = |bytes| LogEvent::Freed { thread, address, bytes, temporary };
        let serials = |rows: &[LogEvent]| -> Vec<u64> {
            let events = events(&mut Resolver::default(), rows);
            let serial = |event: &Option<Event>| match event {
                Some(Event::Freed { serial, .. }) => Some(*serial),
                _ => None,
            };
            events.iter().filter_map(serial).collect()
        };
        assert_eq!(serials(&[allocated(8), allocated(9), freed(8), freed(9)]), [0, 1]);
        assert_eq!(serials(&[allocated(8), allocated(9), freed(9), freed(8)]), [1, 0]);
        assert_eq!(serials(&[allocated(8), freed(8), allocated(9), freed(9), freed(9)]), [0, 1]);
    }

    #[test]
    fn parts_of_a_mapping_are_its_own() {
        let mut resolver = Resolver::default();
        let (thread, temporary) = (0, false);
        let unmapped = |address, last| LogEvent::Unmapped { thread, address, bytes: 0x1000, last, temporary };
        let rows = [
            LogEvent::Mapped { site: 3, address: 0x1000, bytes: 0x3000 },
            unmapped(0x2000, false),
            unmapped(0x3000, false),
            unmapped(0x1000, true),
            unmapped(0x1000, true),
        ];
        let found = events(&mut resolver, &rows);
        let part = |address, last| {
            Some(Event::Unmapped { thread, serial: 0, bytes: 0x1000, address, last, temporary })
        };
        assert_eq!(found[1..], [part(0x2000, false), part(0x3000, false), part(0x1000, true), None]);
    }
}
