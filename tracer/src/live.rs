//! Which blocks are live: address to size, site and thread, 16 bytes a slot; in shards by address, each with its own
//! lock, which hardly ever two threads want at once.

use crate::lock::Lock;
use crate::prefetch;
use crate::private::Array;

/// A live block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Less than 2 to the power of 28; a capture has room for no more.
    pub site: u32,
    /// Less than [`MOST_BYTES`].
    pub bytes: u64,
    /// At most [`OTHER_OWNER`].
    pub owner: u32,
    /// The allocation's number; 0 where they are not numbered.
    pub number: u64,
}

/// No block has more bytes than user space has addresses.
pub const MOST_BYTES: u64 = 1 << SIZE_BITS;
/// Stands in a block for a thread with this index or a higher one; its site knows which.
pub const OTHER_OWNER: u32 = (1 << (SITE_SHIFT - SIZE_BITS)) - 1;

/// 45 bits of the address, whose lowest three are zero, and the low 19 of the site; then 45 bits of the size, the
/// owner, and the high 9 of the site. User space addresses have 47 bits on x86-64 and 48 on aarch64, of which malloc
/// can give a part. An empty slot has address 0.
#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    value: u64,
}

const KEY_BITS: u32 = 45;
const SIZE_BITS: u32 = 45;
const SITE_SHIFT: u32 = 55;

impl Slot {
    const EMPTY: Self = Self { key: 0, value: 0 };

    #[inline]
    const fn new(key: u64, block: &Block) -> Self {
        let site = block.site as u64;
        Self {
            key: key | site << KEY_BITS,
            value: block.bytes
                | (block.owner as u64) << SIZE_BITS
                | (site >> (u64::BITS - KEY_BITS)) << SITE_SHIFT,
        }
    }

    #[inline]
    const fn key(self) -> u64 {
        self.key & ((1 << KEY_BITS) - 1)
    }

    #[inline]
    const fn block(self, number: u64) -> Block {
        Block {
            site: (self.key >> KEY_BITS | (self.value >> SITE_SHIFT) << (u64::BITS - KEY_BITS)) as u32,
            bytes: self.value & (MOST_BYTES - 1),
            owner: (self.value >> SIZE_BITS) as u32 & OTHER_OWNER,
            number,
        }
    }
}

/// What of an address tells blocks apart. No allocator gives two blocks that are nearer than eight bytes.
#[inline]
const fn key_of(address: usize) -> u64 {
    (address as u64 >> 3) & ((1 << KEY_BITS) - 1)
}

/// Spreads keys over 64 bits, the high ones best: the highest choose the shard, the next ones a block's home.
#[inline]
const fn spread(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

const SHARD_BITS: u32 = 5;
static SHARDS: [Lock<LiveBlocks>; 1 << SHARD_BITS] =
    [const { Lock::new(LiveBlocks::new()) }; 1 << SHARD_BITS];
/// Where the slots of each shard are.
static SLOTS: [prefetch::Slots; 1 << SHARD_BITS] = [const { prefetch::Slots::new() }; 1 << SHARD_BITS];

#[inline]
const fn shard_of(spread: u64) -> usize {
    (spread >> (u64::BITS - SHARD_BITS)) as usize
}

#[inline]
fn shard(address: usize) -> &'static Lock<LiveBlocks> {
    let shard = shard_of(spread(key_of(address)));
    // SAFETY: as many bits as there are shards.
    unsafe { SHARDS.get_unchecked(shard) }
}

/// Asks for the memory that an event at this address will touch.
#[inline]
pub fn prefetch(address: usize) {
    let spread = spread(key_of(address));
    prefetch::line((&raw const *shard(address)).cast());
    if let Some(slots) = SLOTS.get(shard_of(spread)) {
        slots.ask(spread << SHARD_BITS, size_of::<Slot>());
    }
}

/// Adds a block. `Err` without memory; else the block that had the address, whose end was not seen.
#[inline(always)]
pub fn insert(address: usize, block: &Block) -> Result<Option<Block>, ()> {
    let key = key_of(address);
    // SAFETY: as many bits as there are shards.
    let slots = unsafe { SLOTS.get_unchecked(shard_of(spread(key))) };
    shard(address).lock().insert(key, block, slots)
}

/// Takes the block at an address out of the table.
#[inline(always)]
pub fn take(address: usize) -> Option<Block> {
    shard(address).lock().remove(key_of(address))
}

/// Forgets all blocks, which are the parent's.
///
/// # Safety
/// Only in a forked child that has a single thread, which is not in here.
pub unsafe fn forget_after_fork() {
    for shard in &SHARDS {
        // SAFETY: the same conditions.
        unsafe { shard.reset_after_fork() };
        shard.lock().forget();
    }
}

/// Open addressing with linear probing and backward-shift deletion.
#[repr(C)]
struct LiveBlocks {
    slots: Array<Slot>,
    /// How many of them are in use, and how many may be before there are to be more.
    used: usize,
    most: usize,
    /// The number of the allocation in each slot, once one has a number.
    numbers: Array<u64>,
}

impl LiveBlocks {
    const fn new() -> Self {
        Self { slots: Array::new(), used: 0, most: 0, numbers: Array::new() }
    }

    #[inline(always)]
    fn insert(&mut self, key: u64, block: &Block, moved: &prefetch::Slots) -> Result<Option<Block>, ()> {
        if self.used >= self.most && !self.grow(moved) {
            return Err(());
        }
        let at = find(self.slots.as_slice(), key);
        let stale = self.block_at(at);
        if block.number != 0 && !self.set_number(at, block.number) {
            return Err(());
        }
        if let Some(place) = self.slots.as_mut_slice().get_mut(at) {
            *place = Slot::new(key, block);
        }
        self.used += usize::from(stale.is_none());
        Ok(stale)
    }

    #[inline(always)]
    fn remove(&mut self, key: u64) -> Option<Block> {
        let at = find(self.slots.as_slice(), key);
        let found = self.block_at(at)?;
        self.used -= 1;
        let slots = self.slots.as_mut_slice();
        let is_run = slots.get(next(at, slots.len())).is_some_and(|slot| slot.key() != 0);
        if let Some(place) = slots.get_mut(at) {
            *place = Slot::EMPTY;
        }
        if is_run {
            self.close_gap(at);
        }
        Some(found)
    }

    /// The block in a slot, if there is one.
    #[inline]
    fn block_at(&self, at: usize) -> Option<Block> {
        let slot = self.slots.as_slice().get(at).filter(|slot| slot.key() != 0)?;
        Some(slot.block(self.numbers.as_slice().get(at).copied().unwrap_or(0)))
    }

    /// Notes the number of the allocation in a slot; false without memory.
    fn set_number(&mut self, at: usize, number: u64) -> bool {
        if self.numbers.len() == 0 {
            // SAFETY: any bytes are numbers.
            let Some(numbers) = (unsafe { Array::zeroed(self.slots.len()) }) else { return false };
            self.numbers = numbers;
        }
        if let Some(place) = self.numbers.as_mut_slice().get_mut(at) {
            *place = number;
        }
        true
    }

    /// Moves later slots of the same run back, so that no empty one hides them.
    #[inline(never)]
    fn close_gap(&mut self, mut gap: usize) {
        let slots = self.slots.as_mut_slice();
        let numbers = self.numbers.as_mut_slice();
        let count = slots.len();
        let steps = |from: usize, to: usize| if to >= from { to - from } else { to + count - from };
        let mut at = gap;
        loop {
            at = next(at, count);
            let Some(slot) = slots.get(at).copied().filter(|slot| slot.key() != 0) else { break };
            if steps(home(slot.key(), count), at) >= steps(gap, at) {
                for (place, value) in [(gap, slot), (at, Slot::EMPTY)] {
                    if let Some(place) = slots.get_mut(place) {
                        *place = value;
                    }
                }
                if let Some(number) = numbers.get(at).copied()
                    && let Some(place) = numbers.get_mut(gap)
                {
                    *place = number;
                }
                gap = at;
            }
        }
    }

    #[cold]
    fn grow(&mut self, moved: &prefetch::Slots) -> bool {
        let count = self.slots.len();
        let (count, most) = if count < MANY_SLOTS {
            let count = (count * 2).max(FIRST_SLOTS);
            (count, count / 4 * 3)
        } else {
            let count = count + count / 4;
            (count, count / 16 * 13)
        };
        // SAFETY: a zeroed slot is an empty one.
        let Some(slots) = (unsafe { Array::zeroed(count) }) else { return false };
        let mut grown = Self { slots, used: self.used, most, numbers: Array::new() };
        for (at, slot) in self.slots.as_slice().iter().enumerate().filter(|(_, slot)| slot.key() != 0) {
            let place = find(grown.slots.as_slice(), slot.key());
            let number = self.numbers.as_slice().get(at).copied().unwrap_or(0);
            if number != 0 && !grown.set_number(place, number) {
                return false;
            }
            if let Some(place) = grown.slots.as_mut_slice().get_mut(place) {
                *place = *slot;
            }
        }
        moved.moved(grown.slots.as_mut_slice().as_mut_ptr().cast(), count);
        self.slots.release();
        self.numbers.release();
        *self = grown;
        true
    }

    /// Forgets all blocks, without giving back their memory.
    fn forget(&mut self) {
        *self = Self::new();
    }
}

const FIRST_SLOTS: usize = 256;
/// From here on a shard grows by less at a time and is fuller, for the sake of memory: where it has so many blocks, each is
/// another cache line anyway.
const MANY_SLOTS: usize = 4096;

#[inline]
const fn home(key: u64, count: usize) -> usize {
    prefetch::place_of(spread(key) << SHARD_BITS, count)
}

/// The slot behind another one.
#[inline]
const fn next(at: usize, count: usize) -> usize {
    if at + 1 < count { at + 1 } else { 0 }
}

/// The slot with this key, or the empty one where it would be.
#[inline]
fn find(slots: &[Slot], key: u64) -> usize {
    let mut at = home(key, slots.len());
    while slots.get(at).is_some_and(|slot| slot.key() != 0 && slot.key() != key) {
        at = next(at, slots.len());
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_block_comes_back(numbered: u64) {
        let (mut live, moved) = (LiveBlocks::new(), prefetch::Slots::new());
        let block = |i: usize| Block {
            site: (i * 13_001) as u32,
            bytes: (i as u64) << 20,
            owner: i as u32 & OTHER_OWNER,
            number: i as u64 * numbered,
        };
        // A shard's keys have their high bits in common.
        let keys: Vec<u64> = (1..)
            .map(|i| key_of(0x7f00_0000_0000 + i * 16))
            .filter(|key| shard_of(spread(*key)) == 3)
            .take(if cfg!(miri) { 2_000 } else { 20_000 })
            .collect();
        for (i, key) in keys.iter().enumerate() {
            assert_eq!(live.insert(*key, &block(i), &moved), Ok(None));
        }
        assert_eq!(live.insert(keys[1], &block(1), &moved), Ok(Some(block(1))));
        for (i, key) in keys.iter().enumerate().step_by(3) {
            assert_eq!(live.remove(*key), Some(block(i)));
            assert_eq!(live.remove(*key), None);
        }
        for (i, key) in keys.iter().enumerate() {
            assert_eq!(live.remove(*key), (i % 3 != 0).then(|| block(i)));
        }
        assert_eq!(live.used, 0);
    }

    #[test]
    fn every_block_comes_back_once() {
        every_block_comes_back(0);
    }

    #[test]
    fn every_block_comes_back_with_its_number() {
        every_block_comes_back(1 << 31);
    }
}
