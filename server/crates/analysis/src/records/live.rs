//! The blocks that are live: address to site and size, in about 22 bytes each.
//!
//! An open table with linear probing, in shards that grow one at a time by a quarter, so that neither spare room nor
//! growing costs much. Nothing else may know how a block is packed.

use rustc_hash::FxHashMap;

/// Shards, a power of two.
const SHARDS: usize = 64;
/// Slots of a shard that has anything.
const SMALLEST: usize = 16;
/// Slots from which on a shard uses its memory well rather than fast: all shards then have 16 MiB.
const LARGE_SHARD: usize = 1 << 14;
/// Addresses have 48 bits in every supported user space; the others of the word hold the stamp.
const ADDRESS: u64 = (1 << 48) - 1;
/// The site of an empty slot.
const VACANT: u32 = u32::MAX;
/// The size of a block whose size stands elsewhere.
const LARGE: u32 = u32::MAX;

/// A live block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub site: u32,
    pub bytes: u64,
    /// What the caller wants to know again when it is freed.
    pub stamp: u16,
}

#[derive(Clone, Copy)]
struct Slot {
    address_and_stamp: u64,
    site: u32,
    bytes: u32,
}

impl Slot {
    /// The block; its size, when that stands elsewhere.
    fn block(self, large: Option<u64>) -> Block {
        Block {
            site: self.site,
            bytes: large.unwrap_or(u64::from(self.bytes)),
            stamp: (self.address_and_stamp >> 48) as u16,
        }
    }
}

const EMPTY: Slot = Slot { address_and_stamp: 0, site: VACANT, bytes: 0 };

#[derive(Default)]
struct Shard {
    slots: Vec<Slot>,
    used: usize,
}

/// All live blocks by address.
pub(super) struct LiveBlocks {
    shards: Vec<Shard>,
    /// Sizes of 4 GiB and more.
    large: FxHashMap<u64, u64>,
}

impl Default for LiveBlocks {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), large: FxHashMap::default() }
    }
}

impl LiveBlocks {
    /// Adds a block; gives the one that had its address.
    pub fn insert(&mut self, address: u64, block: Block) -> Option<Block> {
        let address = address & ADDRESS;
        let (shard, hash) = place(address);
        let slot = Slot {
            address_and_stamp: address | u64::from(block.stamp) << 48,
            site: block.site,
            bytes: u32::try_from(block.bytes).unwrap_or(LARGE),
        };
        let replaced = self.shards[shard].insert(slot, hash).map(|old| self.block(old));
        if slot.bytes == LARGE {
            self.large.insert(address, block.bytes);
        }
        replaced
    }

    /// Every live block, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Block> {
        self.iter_with_addresses().map(|(_, block)| block)
    }

    /// Every live block with its address, in no order.
    pub fn iter_with_addresses(&self) -> impl Iterator<Item = (u64, Block)> {
        let slots = self.shards.iter().flat_map(|shard| &shard.slots).filter(|slot| slot.site != VACANT);
        slots.map(|slot| {
            let address = slot.address_and_stamp & ADDRESS;
            let large = self.large.get(&address).filter(|_| slot.bytes == LARGE);
            (address, slot.block(large.copied()))
        })
    }

    /// Halves every stamp.
    pub fn halve_stamps(&mut self) {
        for slot in self.shards.iter_mut().flat_map(|shard| &mut shard.slots) {
            let stamp = slot.address_and_stamp >> 48;
            slot.address_and_stamp = slot.address_and_stamp & ADDRESS | (stamp / 2) << 48;
        }
    }

    /// What was in a slot.
    fn block(&mut self, slot: Slot) -> Block {
        let address = slot.address_and_stamp & ADDRESS;
        let large = if slot.bytes == LARGE { self.large.remove(&address) } else { None };
        slot.block(large)
    }

    /// Takes the block at an address.
    pub fn remove(&mut self, address: u64) -> Option<Block> {
        let address = address & ADDRESS;
        let (shard, hash) = place(address);
        let slot = self.shards[shard].remove(address, hash)?;
        Some(self.block(slot))
    }
}

/// An address's shard, and the hash that places it there. Blocks lie 16 bytes apart, so the low bits say nothing; a
/// multiplication by the golden ratio carries every bit into the high ones.
fn place(address: u64) -> (usize, u64) {
    let hash = (address ^ (address >> 23)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((hash >> (64 - SHARDS.ilog2())) as usize, hash << SHARDS.ilog2())
}

impl Shard {
    /// The slot at which the search for a hash begins: the hash scaled to the number of slots.
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.slots.len() as u128) >> 64) as usize
    }

    fn after(&self, index: usize) -> usize {
        if index + 1 == self.slots.len() { 0 } else { index + 1 }
    }

    /// Whether it has to grow before a block more: when it is half full, which makes searches short. A large one may be
    /// full to four fifths, since there memory counts.
    fn is_full(&self) -> bool {
        let len = self.slots.len();
        if len < LARGE_SHARD { self.used * 2 >= len } else { self.used * 5 >= len * 4 }
    }

    fn insert(&mut self, slot: Slot, hash: u64) -> Option<Slot> {
        if self.is_full() {
            self.grow();
        }
        let mut at = self.home(hash);
        while self.slots[at].site != VACANT {
            if (self.slots[at].address_and_stamp ^ slot.address_and_stamp) & ADDRESS == 0 {
                return Some(std::mem::replace(&mut self.slots[at], slot));
            }
            at = self.after(at);
        }
        self.slots[at] = slot;
        self.used += 1;
        None
    }

    fn grow(&mut self) {
        let len = self.slots.len();
        let larger = if len < LARGE_SHARD { (len * 2).max(SMALLEST) } else { len + len / 4 };
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; larger]);
        self.used = 0;
        for slot in old.into_iter().filter(|slot| slot.site != VACANT) {
            self.insert(slot, place(slot.address_and_stamp & ADDRESS).1);
        }
    }

    fn remove(&mut self, address: u64, hash: u64) -> Option<Slot> {
        if self.used == 0 {
            return None;
        }
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot.site == VACANT {
                return None;
            }
            if slot.address_and_stamp & ADDRESS == address {
                self.close_gap(at);
                self.used -= 1;
                return Some(slot);
            }
            at = self.after(at);
        }
    }

    /// Moves what follows an emptied slot back, as far as it may stand there, so that searches need no tombstones.
    fn close_gap(&mut self, mut gap: usize) {
        let mut at = self.after(gap);
        while self.slots[at].site != VACANT {
            let home = self.home(place(self.slots[at].address_and_stamp & ADDRESS).1);
            // It may move when its home is not in the cyclic range (gap, at].
            let stays = if gap < at { gap < home && home <= at } else { gap < home || home <= at };
            if !stays {
                self.slots[gap] = self.slots[at];
                gap = at;
            }
            at = self.after(at);
        }
        self.slots[gap] = EMPTY;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((any::<bool>(), 0u64..400, any::<u32>(), any::<bool>()), 0..3000)) {
            let mut blocks = LiveBlocks::default();
            let mut expected = BTreeMap::new();
            for (number, (add, address, bytes, large)) in steps.into_iter().enumerate() {
                // Neighbours, and addresses that differ in high bits only.
                let address = (address % 100) * 16 + ((address / 100) << 40);
                if add {
                    let bytes = u64::from(bytes) << if large { 8 } else { 0 };
                    let block = Block { site: number as u32, bytes, stamp: number as u16 };
                    prop_assert_eq!(blocks.insert(address, block), expected.insert(address, block));
                } else {
                    prop_assert_eq!(blocks.remove(address), expected.remove(&address));
                }
            }
            for (address, block) in expected {
                prop_assert_eq!(blocks.remove(address), Some(block));
            }
            prop_assert!(blocks.shards.iter().all(|shard| shard.used == 0) && blocks.large.is_empty());
        }
    }

    #[test]
    fn a_block_needs_few_bytes() {
        let mut blocks = LiveBlocks::default();
        for number in 0..1_000_000u64 {
            blocks.insert(0x7f00_0000_0000 + number * 48, Block { site: 1, bytes: 48, stamp: 0 });
        }
        let slots: usize = blocks.shards.iter().map(|shard| shard.slots.capacity()).sum();
        assert!(slots * size_of::<Slot>() <= 26 * 1_000_000, "{slots} slots");
    }
}
