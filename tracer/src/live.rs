//! Which blocks are live: address to size and site, 16 bytes a slot.

use crate::prefetch::HINTS;
use crate::private::{Array, hash};

/// A live block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub site: u32,
    pub bytes: u64,
}

/// 48 bits of the address and the low 16 of the site, then 48 bits of the size and the high 16 of the site. User
/// space addresses have 47 bits on x86-64 and 48 on aarch64. An empty slot has address 0.
#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    value: u64,
}

/// The number of a block's slot, before masking.
#[inline]
fn slot_of(address: u64) -> usize {
    hash(address >> 3, 0x51ed) as usize
}

/// Asks for the memory that an event at this address will touch.
#[inline]
pub fn prefetch(address: usize) {
    HINTS.event(slot_of(address as u64 & ADDRESS_BITS), size_of::<Slot>());
}

const ADDRESS_BITS: u64 = (1 << 48) - 1;

/// Open addressing with linear probing and backward-shift deletion, at most three quarters full.
pub struct LiveBlocks {
    slots: Array<Slot>,
    used: usize,
}

impl LiveBlocks {
    pub const fn new() -> Self {
        Self { slots: Array::new(), used: 0 }
    }

    #[inline]
    fn home(address: u64, mask: usize) -> usize {
        slot_of(address) & mask
    }

    /// Adds a block whose address is not in the table. `false` without memory.
    #[inline]
    #[must_use]
    pub fn insert(&mut self, address: usize, block: Block) -> bool {
        if self.used * 4 >= self.slots.len() * 3 && !self.grow() {
            return false;
        }
        let address = address as u64 & ADDRESS_BITS;
        let site = u64::from(block.site);
        let slot = Slot {
            key: address | (site & 0xffff) << 48,
            value: block.bytes.min(ADDRESS_BITS) | (site >> 16) << 48,
        };
        Self::put(self.slots.as_mut_slice(), slot);
        self.used += 1;
        true
    }

    #[inline]
    fn put(slots: &mut [Slot], slot: Slot) {
        let mask = slots.len().wrapping_sub(1);
        let mut at = Self::home(slot.key & ADDRESS_BITS, mask);
        while let Some(place) = slots.get_mut(at) {
            if place.key & ADDRESS_BITS == 0 {
                *place = slot;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// Takes the block at an address out of the table.
    #[inline]
    pub fn remove(&mut self, address: usize) -> Option<Block> {
        let slots = self.slots.as_mut_slice();
        let mask = slots.len().wrapping_sub(1);
        let address = address as u64 & ADDRESS_BITS;
        let mut at = Self::home(address, mask);
        let found = loop {
            let slot = slots.get(at)?;
            match slot.key & ADDRESS_BITS {
                0 => return None,
                key if key == address => break *slot,
                _ => at = (at + 1) & mask,
            }
        };
        self.used -= 1;
        // Move later entries of the same run back, so that no gap hides them.
        let mut gap = at;
        loop {
            at = (at + 1) & mask;
            let Some(slot) = slots.get(at).copied() else { break };
            if slot.key & ADDRESS_BITS == 0 {
                break;
            }
            let home = Self::home(slot.key & ADDRESS_BITS, mask);
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(gap) & mask) {
                if let Some(place) = slots.get_mut(gap) {
                    *place = slot;
                }
                gap = at;
            }
        }
        if let Some(place) = slots.get_mut(gap) {
            *place = Slot { key: 0, value: 0 };
        }
        Some(Block {
            site: ((found.key >> 48) | (found.value >> 48) << 16) as u32,
            bytes: found.value & ADDRESS_BITS,
        })
    }

    #[cold]
    fn grow(&mut self) -> bool {
        let capacity = (self.slots.len() * 2).max(4096);
        // SAFETY: a zeroed slot is an empty one.
        let Some(mut slots) = (unsafe { Array::zeroed(capacity) }) else { return false };
        for slot in self.slots.as_slice().iter().filter(|slot| slot.key & ADDRESS_BITS != 0) {
            Self::put(slots.as_mut_slice(), *slot);
        }
        HINTS.set_slots(slots.as_mut_slice().as_mut_ptr().cast(), capacity - 1);
        self.slots.release();
        self.slots = slots;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_comes_back_once() {
        let mut live = LiveBlocks::new();
        let block = |i: usize| Block { site: (i * 70_001) as u32, bytes: (i as u64) << 20 };
        let address = |i: usize| 0x7f00_0000_0000 + i * 16;
        for i in 0..20_000 {
            assert!(live.insert(address(i), block(i)));
        }
        for i in (0..20_000).step_by(3) {
            assert_eq!(live.remove(address(i)), Some(block(i)));
            assert_eq!(live.remove(address(i)), None);
        }
        for i in 0..20_000 {
            assert_eq!(live.remove(address(i)), (i % 3 != 0).then(|| block(i)));
        }
        assert_eq!(live.used, 0);
    }
}
