//! A block: some thousand events in columns, compressed.
//!
//! ```text
//! 112 bytes   header: 14 numbers of 8 bytes, see `Header`
//! then        a zstd frame with the columns one after the other: what, sizes, ages, times, threads
//! then        a zstd frame with the column of addresses; it may be left out
//! ```
//!
//! Columns are varints. `what` has one number for each event: 0 a block was freed, 1 the same and it was temporary, 2 to 4 a
//! part of a mapping was unmapped (2 and something is left, 3 and nothing is left, 4 and it was temporary), 5 a new time,
//! else 6 + 2 × site (+ 1 for a mapping). `sizes` has for an allocation 0 when its site's last one in this block had
//! the same size, else the size plus one; and of a part that was unmapped its bytes. `ages` has for what ends how many
//! allocations were made since its own. `times` has steps in milliseconds. `threads` has for what ends 0 for the
//! thread of the one before, else the thread's index plus one. `addresses` has for allocations and unmapped parts the step
//! from the address before, with its sign in the lowest bit.
//!
//! A block begins from nothing: sizes, threads and addresses as if nothing was before, serial and time as the header
//! says. So blocks can be read one by one, and one that is damaged takes no other with it.

use std::io;

use zstd::bulk::{Compressor, Decompressor};

use crate::Event;
use crate::varint::{put, take, unzigzag, zigzag};

/// First bytes of a block.
const MAGIC: u64 = u64::from_le_bytes(*b"EVENTS\x01\0");
const FREED: u64 = 0;
const FREED_TEMPORARY: u64 = 1;
const UNMAPPED: u64 = 2;
const UNMAPPED_LAST: u64 = 3;
const UNMAPPED_TEMPORARY: u64 = 4;
const TIME: u64 = 5;
const ALLOCATED: u64 = 6;
/// Columns of the first frame.
const COLUMNS: usize = 5;
/// Bytes of all columns of a block at most; what asks for more is damaged.
const MOST_BYTES: u64 = 16 << 20;
/// How hard columns are compressed: more takes the program's processor time.
const LEVEL: i32 = 1;
/// Addresses are compressed for the case that the launcher dies, and mostly thrown away at the end.
const ADDRESSES_LEVEL: i32 = -3;

/// What stands before a block's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Header {
    /// Sequence of the first and last segment of the log that it was made of.
    pub sequences: (u64, u64),
    /// Serial of the first allocation.
    pub first_serial: u64,
    /// The time before the first event, milliseconds.
    pub start_ms: u64,
    /// Events.
    pub events: u64,
    /// Bytes of each column.
    columns: [u64; COLUMNS],
    /// Bytes of the frame with the columns.
    packed: u64,
    /// Bytes of the column of addresses, and of its frame.
    addresses: (u64, u64),
}

impl Header {
    /// Bytes of a header.
    pub const BYTES: usize = 112;

    /// As it stands in the file.
    pub fn bytes(&self) -> [u8; Self::BYTES] {
        let [what, sizes, ages, times, threads] = self.columns;
        let numbers = [
            MAGIC,
            self.sequences.0,
            self.sequences.1,
            self.first_serial,
            self.start_ms,
            self.events,
            what,
            sizes,
            ages,
            times,
            threads,
            self.packed,
            self.addresses.0,
            self.addresses.1,
        ];
        let mut bytes = [0; Self::BYTES];
        for (number, bytes) in numbers.iter().zip(bytes.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// From a block's first bytes; `None` when they are no block's, or ask for more than any block has.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut numbers = [0; Self::BYTES / 8];
        let words = bytes.get(..Self::BYTES)?.chunks_exact(8);
        for (number, word) in numbers.iter_mut().zip(words) {
            *number = u64::from_le_bytes(*word.first_chunk()?);
        }
        let [
            magic,
            first,
            last,
            first_serial,
            start_ms,
            events,
            columns @ ..,
            packed,
            addresses,
            their_packed,
        ] = numbers;
        let header = Self {
            sequences: (first, last),
            first_serial,
            start_ms,
            events,
            columns,
            packed,
            addresses: (addresses, their_packed),
        };
        let sizes = header.columns.iter().chain([&packed, &addresses, &their_packed]);
        let all = sizes.fold(0u64, |sum, bytes| sum.saturating_add(*bytes));
        (magic == MAGIC && all <= MOST_BYTES && first <= last).then_some(header)
    }

    /// Bytes behind the header.
    pub fn body_bytes(&self) -> usize {
        (self.packed + self.addresses.1) as usize
    }
}

/// The block without the addresses. `body` are the bytes behind the header.
pub fn without_addresses(header: &Header, body: &[u8]) -> Vec<u8> {
    let stripped = Header { addresses: (header.addresses.0, 0), ..*header };
    let mut block = stripped.bytes().to_vec();
    block.extend_from_slice(body.get(..header.packed as usize).unwrap_or_default());
    block
}

/// Of each site the last size, in this block.
#[derive(Default)]
struct LastSizes {
    sizes: Vec<(u32, u64)>,
    block: u32,
}

impl LastSizes {
    fn begin(&mut self) {
        self.block = self.block.wrapping_add(1);
        if self.block == 0 {
            self.sizes.clear();
            self.block = 1;
        }
    }

    /// Notes a size; the one before.
    #[inline]
    fn replace(&mut self, site: u32, bytes: u64) -> Option<u64> {
        let index = site as usize;
        if index >= self.sizes.len() {
            self.sizes.resize(index + 1, (0, 0));
        }
        let held = std::mem::replace(&mut self.sizes[index], (self.block, bytes));
        (held.0 == self.block).then_some(held.1)
    }

    #[inline]
    fn get(&self, site: u32) -> Option<u64> {
        self.sizes.get(site as usize).filter(|held| held.0 == self.block).map(|held| held.1)
    }
}

/// Packs events into blocks.
pub struct Packer {
    columns: [Vec<u8>; COLUMNS],
    addresses: Vec<u8>,
    sizes: LastSizes,
    header: Header,
    next_serial: u64,
    now_ms: u64,
    thread: u32,
    address: u64,
    compressor: Compressor<'static>,
    address_compressor: Compressor<'static>,
}

impl Packer {
    /// Begins with the first event after `next_serial` allocations.
    ///
    /// # Errors
    /// Without memory.
    pub fn new(next_serial: u64, now_ms: u64) -> io::Result<Self> {
        let mut packer = Self {
            columns: Default::default(),
            addresses: Vec::new(),
            sizes: LastSizes::default(),
            header: Header::default(),
            next_serial,
            now_ms,
            thread: 0,
            address: 0,
            compressor: Compressor::new(LEVEL)?,
            address_compressor: Compressor::new(ADDRESSES_LEVEL)?,
        };
        packer.begin();
        Ok(packer)
    }

    fn begin(&mut self) {
        self.columns.iter_mut().chain([&mut self.addresses]).for_each(Vec::clear);
        self.sizes.begin();
        self.header = Header { first_serial: self.next_serial, start_ms: self.now_ms, ..Header::default() };
        (self.thread, self.address) = (0, 0);
    }

    /// Adds an event.
    #[inline]
    pub fn add(&mut self, event: &Event) {
        let [what, sizes, ages, times, threads] = &mut self.columns;
        let mut end = |thread: u32, serial: u64| {
            // An allocation that was never made has no age; the resolver gives none.
            put(ages, self.next_serial.wrapping_sub(1).wrapping_sub(serial));
            let same = thread == self.thread;
            put(threads, if same { 0 } else { u64::from(thread) + 1 });
            self.thread = thread;
        };
        match *event {
            Event::Allocated { site, bytes, address, mapped } => {
                put(what, ALLOCATED + 2 * u64::from(site) + u64::from(mapped));
                let is_same = self.sizes.replace(site, bytes) == Some(bytes);
                put(sizes, if is_same { 0 } else { bytes.saturating_add(1) });
                put(&mut self.addresses, zigzag(address.wrapping_sub(self.address) as i64));
                self.address = address;
                self.next_serial += 1;
            }
            Event::Freed { thread, serial, temporary } => {
                put(what, if temporary { FREED_TEMPORARY } else { FREED });
                end(thread, serial);
            }
            Event::Unmapped { thread, serial, bytes, address, last, temporary } => {
                let temporary = if temporary { UNMAPPED_TEMPORARY } else { UNMAPPED_LAST };
                put(what, if last { temporary } else { UNMAPPED });
                end(thread, serial);
                put(sizes, bytes);
                put(&mut self.addresses, zigzag(address.wrapping_sub(self.address) as i64));
                self.address = address;
            }
            Event::Time { elapsed_ms } => {
                // Threads tell the time one after the other, so it does not go back.
                let step = u64::from(elapsed_ms).saturating_sub(self.now_ms);
                put(what, TIME);
                put(times, step);
                self.now_ms += step;
            }
        }
        self.header.events += 1;
    }

    /// Events that were added since the last block.
    pub fn len(&self) -> u64 {
        self.header.events
    }

    /// The block of what was added, made of these segments; the next one begins.
    ///
    /// # Errors
    /// Without memory.
    pub fn finish(&mut self, sequences: (u64, u64)) -> io::Result<Vec<u8>> {
        let all = self.columns.concat();
        let packed = self.compressor.compress(&all)?;
        let addresses = self.address_compressor.compress(&self.addresses)?;
        let header = Header {
            sequences,
            columns: [0, 1, 2, 3, 4].map(|column: usize| self.columns[column].len() as u64),
            packed: packed.len() as u64,
            addresses: (self.addresses.len() as u64, addresses.len() as u64),
            ..self.header
        };
        let mut block = header.bytes().to_vec();
        block.extend_from_slice(&packed);
        block.extend_from_slice(&addresses);
        self.begin();
        Ok(block)
    }
}

/// Unpacks blocks.
pub struct Unpacker {
    columns: Vec<u8>,
    addresses: Vec<u8>,
    sizes: LastSizes,
    decompressor: Decompressor<'static>,
    /// Sites that there are.
    sites: usize,
}

impl Unpacker {
    /// For blocks of a capture with so many sites.
    ///
    /// # Errors
    /// Without memory.
    pub fn new(sites: usize) -> io::Result<Self> {
        let mut decompressor = Decompressor::new()?;
        decompressor.set_parameter(zstd::zstd_safe::DParameter::WindowLogMax(26))?;
        Ok(Self {
            columns: Vec::new(),
            addresses: Vec::new(),
            sizes: LastSizes::default(),
            decompressor,
            sites,
        })
    }

    /// Gives a block's events in their order. False when it is damaged: then some, or all, were not there.
    pub fn events(&mut self, header: &Header, body: &[u8], mut event: impl FnMut(Event)) -> bool {
        self.unpack(header, body).is_some() && self.walk(header, &mut event).is_some()
    }

    fn unpack(&mut self, header: &Header, body: &[u8]) -> Option<()> {
        let (packed, addresses) = body.split_at_checked(header.packed as usize)?;
        let all: u64 = header.columns.iter().sum();
        decompress(&mut self.decompressor, packed, all, &mut self.columns)?;
        self.addresses.clear();
        if addresses.is_empty() {
            return Some(());
        }
        decompress(&mut self.decompressor, addresses, header.addresses.0, &mut self.addresses)
    }

    fn walk(&mut self, header: &Header, event: &mut impl FnMut(Event)) -> Option<()> {
        let mut rest = self.columns.as_slice();
        let mut column = |index: usize| {
            let (column, others) = rest.split_at_checked(header.columns[index] as usize)?;
            rest = others;
            Some(column)
        };
        let (mut what, mut sizes, mut ages) = (column(0)?, column(1)?, column(2)?);
        let (mut times, mut threads) = (column(3)?, column(4)?);
        let mut addresses = self.addresses.as_slice();
        let has_addresses = !addresses.is_empty();
        let (mut thread, mut address) = (0u32, 0u64);
        let (mut next_serial, mut now_ms) = (header.first_serial, header.start_ms);
        self.sizes.begin();
        let mut step = |address: &mut u64| {
            if has_addresses {
                *address = address.wrapping_add_signed(unzigzag(take(&mut addresses)?));
            }
            Some(*address)
        };
        for _ in 0..header.events {
            match take(&mut what)? {
                TIME => {
                    now_ms = now_ms.saturating_add(take(&mut times)?);
                    event(Event::Time { elapsed_ms: u32::try_from(now_ms).unwrap_or(u32::MAX) });
                }
                kind @ FREED..TIME => {
                    let serial = next_serial.checked_sub(1)?.checked_sub(take(&mut ages)?)?;
                    match take(&mut threads)? {
                        0 => {}
                        other => thread = u32::try_from(other - 1).ok()?,
                    }
                    if kind <= FREED_TEMPORARY {
                        event(Event::Freed { thread, serial, temporary: kind == FREED_TEMPORARY });
                        continue;
                    }
                    let (bytes, address) = (take(&mut sizes)?, step(&mut address)?);
                    let (last, temporary) = (kind != UNMAPPED, kind == UNMAPPED_TEMPORARY);
                    event(Event::Unmapped { thread, serial, bytes, address, last, temporary });
                }
                allocated => {
                    let site_and_kind = allocated - ALLOCATED;
                    let site =
                        u32::try_from(site_and_kind / 2).ok().filter(|it| (*it as usize) < self.sites)?;
                    let bytes = match take(&mut sizes)? {
                        0 => self.sizes.get(site)?,
                        more => {
                            self.sizes.replace(site, more - 1);
                            more - 1
                        }
                    };
                    let address = step(&mut address)?;
                    next_serial = next_serial.checked_add(1)?;
                    event(Event::Allocated { site, bytes, address, mapped: site_and_kind % 2 == 1 });
                }
            }
        }
        Some(())
    }
}

/// Unpacks a frame that has exactly `bytes` inside.
fn decompress(
    decompressor: &mut Decompressor<'_>,
    frame: &[u8],
    bytes: u64,
    out: &mut Vec<u8>,
) -> Option<()> {
    out.clear();
    out.reserve(bytes as usize);
    let written = decompressor.decompress_to_buffer(frame, out);
    (written.ok()? as u64 == bytes).then_some(())
}
