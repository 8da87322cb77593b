//! Programs as the log of their full record has them, and the events that they are.

use arbitrary::Arbitrary;
use heaphint_format::{LogEvent, LogRow, PAGE};
use heaphint_record::Event;

/// One thing that a program does.
#[derive(Arbitrary, Debug)]
pub enum Step {
    /// A block, where the last freed one was, or elsewhere.
    Allocate {
        site: u8,
        bytes: u32,
        reuses: bool,
    },
    /// So many pages.
    Map {
        site: u8,
        pages: u8,
    },
    Free {
        which: u16,
        thread: u8,
        temporary: bool,
    },
    /// `realloc` in place: its new block is told before its old one goes.
    Grow {
        which: u16,
        site: u8,
        bytes: u32,
        thread: u8,
    },
    /// One page of a mapping.
    Unmap {
        which: u16,
        page: u8,
        thread: u8,
        temporary: bool,
    },
    Wait {
        ms: u8,
    },
}

#[derive(Clone, Copy)]
struct Block {
    serial: u64,
    address: u64,
    bytes: u64,
}

struct Mapping {
    serial: u64,
    address: u64,
    /// A bit for each page that is left.
    pages: u8,
}

/// Where mappings lie, far from blocks.
const FIRST_MAPPING: u64 = 1 << 40;

#[derive(Default)]
struct Made {
    rows: Vec<LogRow>,
    events: Vec<Event>,
    serial: u64,
}

impl Made {
    fn add(&mut self, row: LogEvent, event: Event) {
        self.serial += u64::from(matches!(event, Event::Allocated { .. }));
        self.rows.push(LogRow::new(row));
        self.events.push(event);
    }

    fn allocate(&mut self, site: u32, address: u64, bytes: u64) -> Block {
        let serial = self.serial;
        let event = Event::Allocated { site, bytes, address, mapped: false };
        self.add(LogEvent::Allocated { site, address, bytes }, event);
        Block { serial, address, bytes }
    }

    fn free(&mut self, block: Block, thread: u32, temporary: bool) {
        let Block { serial, address, bytes } = block;
        let event = Event::Freed { thread, serial, temporary };
        self.add(LogEvent::Freed { thread, address, bytes, temporary }, event);
    }
}

/// The rows of a program with so many sites, and its events.
pub fn program<'a>(steps: impl Iterator<Item = &'a Step>, sites: u32) -> (Vec<LogRow>, Vec<Event>) {
    let mut made = Made::default();
    let (mut blocks, mut mappings): (Vec<Block>, Vec<Mapping>) = Default::default();
    let (mut elapsed_ms, mut last_freed) = (0u32, None);
    let pick = |which: u16, len: usize| (len > 0).then(|| usize::from(which) % len.max(1));
    for step in steps {
        let fresh = (made.serial + 1) * 64;
        match *step {
            Step::Allocate { site, bytes, reuses } => {
                let address = if reuses { last_freed.take() } else { None }.unwrap_or(fresh);
                blocks.push(made.allocate(u32::from(site) % sites, address, bytes.into()));
            }
            Step::Map { site, pages } => {
                let (site, pages) = (u32::from(site) % sites, pages % 8 + 1);
                let (serial, address) = (made.serial, FIRST_MAPPING + made.serial * 16 * PAGE as u64);
                let bytes = u64::from(pages) * PAGE as u64;
                let event = Event::Allocated { site, bytes, address, mapped: true };
                made.add(LogEvent::Mapped { site, address, bytes }, event);
                mappings.push(Mapping { serial, address, pages: (0xffu16 >> (8 - pages)) as u8 });
            }
            Step::Free { which, thread, temporary } => {
                let Some(at) = pick(which, blocks.len()) else { continue };
                let block = blocks.swap_remove(at);
                made.free(block, thread.into(), temporary);
                last_freed = Some(block.address);
            }
            Step::Grow { which, site, bytes, thread } => {
                let Some(at) = pick(which, blocks.len()) else { continue };
                let block = blocks[at];
                blocks[at] = made.allocate(u32::from(site) % sites, block.address, bytes.into());
                made.free(block, thread.into(), false);
            }
            Step::Unmap { which, page, thread, temporary } => {
                let Some(at) = pick(which, mappings.len()) else { continue };
                let mapping = &mut mappings[at];
                let left = (0..8).filter(|page| mapping.pages & 1 << page != 0);
                let Some(page) = left.clone().nth(usize::from(page) % left.count().max(1)) else { continue };
                mapping.pages &= !(1 << page);
                let (serial, last, thread) = (mapping.serial, mapping.pages == 0, thread.into());
                let (address, bytes) = (mapping.address + page * PAGE as u64, PAGE as u64);
                let temporary = temporary && last;
                let event = Event::Unmapped { thread, serial, bytes, address, last, temporary };
                made.add(LogEvent::Unmapped { thread, address, bytes, last, temporary }, event);
                if last {
                    mappings.swap_remove(at);
                }
            }
            Step::Wait { ms } => {
                elapsed_ms += u32::from(ms);
                made.add(LogEvent::Time { elapsed_ms }, Event::Time { elapsed_ms });
            }
        }
    }
    (made.rows, made.events)
}
