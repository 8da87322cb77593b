//! Which blocks are live: address to size and site, 16 bytes a slot.

use crate::prefetch::SLOTS;
use crate::private::Array;

/// A live block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub site: u32,
    /// Less than [`MOST_BYTES`].
    pub bytes: u64,
    /// A number less than 8 that the caller chooses.
    pub owner: u8,
}

/// No block has more bytes than user space has addresses.
pub const MOST_BYTES: u64 = 1 << OWNER_SHIFT;

/// 48 bits of the address and the low 16 of the site, then 45 bits of the size, the owner, and the high 16 of the
/// site. User space addresses have 47 bits on x86-64 and 48 on aarch64, of which malloc can give a part. An empty
/// slot has address 0.
#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    value: u64,
}

impl Slot {
    #[inline]
    fn block(self) -> Block {
        Block {
            site: ((self.key >> 48) | (self.value >> 48) << 16) as u32,
            bytes: self.value & (MOST_BYTES - 1),
            owner: (self.value >> OWNER_SHIFT) as u8 & 7,
        }
    }
}

/// Asks for the memory that an event at this address will touch.
#[inline]
pub fn prefetch(address: usize) {
    SLOTS.ask(spread(address as u64 & ADDRESS_BITS), size_of::<Slot>());
}

/// Spreads addresses over 64 bits, the high ones best: a block's home is as many of these as the table needs.
#[inline]
fn spread(address: u64) -> u64 {
    (address >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

const ADDRESS_BITS: u64 = (1 << 48) - 1;
const OWNER_SHIFT: u32 = 45;

/// Open addressing with linear probing and backward-shift deletion, at most three quarters full.
pub struct LiveBlocks {
    slots: Array<Slot>,
    /// How far [`spread`] is shifted to give a slot; the number of slots is a power of two.
    shift: u32,
    used: usize,
}

impl LiveBlocks {
    pub const fn new() -> Self {
        Self { slots: Array::new(), shift: 0, used: 0 }
    }

    /// Adds a block. `Err` without memory; else the block that had the address, whose end was not seen.
    #[inline]
    pub fn insert(&mut self, address: usize, block: Block) -> Result<Option<Block>, ()> {
        if self.used * 4 >= self.slots.len() * 3 && !self.grow() {
            return Err(());
        }
        let address = address as u64 & ADDRESS_BITS;
        let site = u64::from(block.site);
        let slot = Slot {
            key: address | (site & 0xffff) << 48,
            value: block.bytes | u64::from(block.owner & 7) << OWNER_SHIFT | (site >> 16) << 48,
        };
        let stale = put(self.slots.as_mut_slice(), self.shift, slot);
        self.used += usize::from(stale.is_none());
        Ok(stale.map(Slot::block))
    }

    /// Takes the block at an address out of the table.
    #[inline]
    pub fn remove(&mut self, address: usize) -> Option<Block> {
        let slots = self.slots.as_mut_slice();
        let mask = slots.len().wrapping_sub(1);
        let address = address as u64 & ADDRESS_BITS;
        let mut at = home(address, self.shift);
        let found = loop {
            let slot = slots.get(at)?;
            match slot.key & ADDRESS_BITS {
                key if key == address => break *slot,
                0 => return None,
                _ => at = (at + 1) & mask,
            }
        };
        self.used -= 1;
        let next = slots.get((at + 1) & mask).is_some_and(|slot| slot.key & ADDRESS_BITS != 0);
        if let Some(place) = slots.get_mut(at) {
            *place = Slot { key: 0, value: 0 };
        }
        if next {
            close_gap(slots, self.shift, at);
        }
        Some(found.block())
    }

    #[cold]
    fn grow(&mut self) -> bool {
        let capacity = (self.slots.len() * 2).max(4096);
        // SAFETY: a zeroed slot is an empty one.
        let Some(mut slots) = (unsafe { Array::zeroed(capacity) }) else { return false };
        self.shift = u64::BITS - capacity.ilog2();
        for slot in self.slots.as_slice().iter().filter(|slot| slot.key & ADDRESS_BITS != 0) {
            put(slots.as_mut_slice(), self.shift, *slot);
        }
        SLOTS.moved(slots.as_mut_slice().as_mut_ptr().cast(), self.shift);
        self.slots.release();
        self.slots = slots;
        true
    }
}

#[inline]
fn home(address: u64, shift: u32) -> usize {
    spread(address).wrapping_shr(shift) as usize
}

/// Writes a slot; the one with its address that stood there before.
#[inline]
fn put(slots: &mut [Slot], shift: u32, slot: Slot) -> Option<Slot> {
    let mask = slots.len().wrapping_sub(1);
    let address = slot.key & ADDRESS_BITS;
    let mut at = home(address, shift);
    while let Some(place) = slots.get_mut(at) {
        let other = place.key & ADDRESS_BITS;
        if other == 0 || other == address {
            let before = core::mem::replace(place, slot);
            return (other != 0).then_some(before);
        }
        at = (at + 1) & mask;
    }
    None
}

/// Moves later slots of the same run back, so that no empty one hides them.
#[inline(never)]
fn close_gap(slots: &mut [Slot], shift: u32, mut gap: usize) {
    let mask = slots.len().wrapping_sub(1);
    let mut at = gap;
    loop {
        at = (at + 1) & mask;
        let Some(slot) = slots.get(at).copied() else { break };
        let address = slot.key & ADDRESS_BITS;
        if address == 0 {
            break;
        }
        if (at.wrapping_sub(home(address, shift)) & mask) >= (at.wrapping_sub(gap) & mask) {
            for (place, value) in [(gap, slot), (at, Slot { key: 0, value: 0 })] {
                if let Some(place) = slots.get_mut(place) {
                    *place = value;
                }
            }
            gap = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_comes_back_once() {
        let mut live = LiveBlocks::new();
        let block =
            |i: usize| Block { site: (i * 70_001) as u32, bytes: (i as u64) << 20, owner: i as u8 & 7 };
        let address = |i: usize| 0x7f00_0000_0000 + i * 16;
        for i in 0..20_000 {
            assert_eq!(live.insert(address(i), block(i)), Ok(None));
        }
        assert_eq!(live.insert(address(1), block(1)), Ok(Some(block(1))));
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
