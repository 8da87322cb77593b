//! Memory of the tracer's own, straight from the kernel: growing arrays, and an index of ids by hash.

use core::ptr::null_mut;

use crate::sys;

/// A growing array of plain values. Its memory is never given back; the tracer lives as long as the process.
pub struct Array<T: Copy> {
    /// Where it is, less the alignment of `T`: so an empty one is all zeros, and the library has no bytes for statics of
    /// them, and yet its values are never at address 0.
    below: *mut T,
    len: usize,
    capacity: usize,
}

// SAFETY: it owns its memory alone.
unsafe impl<T: Copy + Send> Send for Array<T> {}

impl<T: Copy> Array<T> {
    pub const fn new() -> Self {
        Self { below: null_mut(), len: 0, capacity: 0 }
    }

    /// An array of zeroed values; `T` must be valid when all its bytes are zero.
    ///
    /// # Safety
    /// All-zero bytes are a valid `T`.
    pub unsafe fn zeroed(len: usize) -> Option<Self> {
        let at = sys::map_private(len * size_of::<T>())?;
        let mut array = Self { below: null_mut(), len, capacity: len };
        array.put_at(at.cast());
        Some(array)
    }

    /// Where its values are; dangling while the capacity is 0.
    #[inline]
    const fn at(&self) -> *mut T {
        self.below.wrapping_byte_add(align_of::<T>())
    }

    const fn put_at(&mut self, at: *mut T) {
        self.below = at.wrapping_byte_sub(align_of::<T>());
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: the first `len` values are initialised.
        unsafe { core::slice::from_raw_parts(self.at(), self.len) }
    }

    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: the first `len` values are initialised.
        unsafe { core::slice::from_raw_parts_mut(self.at(), self.len) }
    }

    /// Appends; `false` when there is no memory.
    #[inline]
    #[must_use]
    pub fn push(&mut self, value: T) -> bool {
        if self.len == self.capacity && !self.grow() {
            return false;
        }
        // SAFETY: there is room for one more.
        unsafe { self.at().add(self.len).write(value) };
        self.len += 1;
        true
    }

    /// Inserts before `index`; `false` when there is no memory or no such place.
    #[must_use]
    pub fn insert(&mut self, index: usize, value: T) -> bool {
        if index > self.len || (self.len == self.capacity && !self.grow()) {
            return false;
        }
        // SAFETY: there is room for one more behind the last.
        unsafe {
            let at = self.at().add(index);
            at.copy_to(at.add(1), self.len - index);
            at.write(value);
        }
        self.len += 1;
        true
    }

    /// Removes the value at `index`, which must exist.
    pub fn remove(&mut self, index: usize) {
        if index < self.len {
            // SAFETY: both ranges lie inside the initialised part.
            unsafe {
                let at = self.at().add(index);
                at.copy_from(at.add(1), self.len - index - 1);
            }
            self.len -= 1;
        }
    }

    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    #[cold]
    fn grow(&mut self) -> bool {
        let bytes = self.capacity * size_of::<T>();
        let new_bytes = (bytes * 2).max(4096);
        let grown = if self.capacity == 0 {
            sys::map_private(new_bytes)
        } else {
            // SAFETY: the mapping is ours and reached only through `self.at()`, which changes with it.
            unsafe { sys::remap(self.at().cast(), bytes, new_bytes) }
        };
        if let Some(at) = grown {
            self.put_at(at.cast());
            self.capacity = new_bytes / size_of::<T>();
        }
        grown.is_some()
    }

    /// Gives the memory back to the kernel.
    pub fn release(&mut self) {
        if self.capacity != 0 {
            // SAFETY: the mapping is ours, and `self` forgets it.
            unsafe { sys::unmap(self.at().cast(), self.capacity * size_of::<T>()) };
        }
        *self = Self::new();
    }
}

/// Finds ids by a hash of what they stand for: open addressing with linear probing. A slot has `id + 1`, and above it a few
/// bits of the hash, so that others with the same place are hardly ever looked at: each would be another cache line.
pub struct Index {
    slots: Array<u32>,
    used: usize,
}

const ID_BITS: u32 = 28;
const ID: u32 = (1 << ID_BITS) - 1;
const FIRST_SLOTS: usize = 1024;

impl Index {
    pub const fn new() -> Self {
        Self { slots: Array::new(), used: 0 }
    }

    /// The id with this hash that `is_it` accepts.
    #[inline]
    pub fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let slots = self.slots.as_slice();
        let mut at = home(hash, slots.len());
        loop {
            let slot = *slots.get(at)?;
            if slot == 0 {
                return None;
            }
            let id = (slot & ID) - 1;
            if slot & !ID == tag(hash) && is_it(id) {
                return Some(id);
            }
            at = next(at, slots.len());
        }
    }

    /// Adds an id that is not in it yet; `hash_of` gives the hash of any id in it. `false` without memory, or for an id
    /// beyond what a slot can hold.
    #[must_use]
    #[inline]
    pub fn insert(&mut self, hash: u64, id: u32, hash_of: impl Fn(u32) -> u64) -> bool {
        self.insert_one(hash, id, &hash_of)
    }

    /// One for all, since every traced program carries it.
    fn insert_one(&mut self, hash: u64, id: u32, hash_of: &dyn Fn(u32) -> u64) -> bool {
        if id >= ID {
            return false;
        }
        if self.used * 16 >= self.slots.len() * 13 {
            let count = (self.slots.len() + self.slots.len() / 2).max(FIRST_SLOTS);
            // SAFETY: zero is a valid slot.
            let Some(mut slots) = (unsafe { Array::zeroed(count) }) else { return false };
            for slot in self.slots.as_slice().iter().filter(|slot| **slot != 0) {
                put(slots.as_mut_slice(), hash_of((slot & ID) - 1), *slot);
            }
            self.slots.release();
            self.slots = slots;
        }
        put(self.slots.as_mut_slice(), hash, tag(hash) | (id + 1));
        self.used += 1;
        true
    }
}

/// Where a hash's slot is to be: by its low half, whose high bits choose.
#[inline]
const fn home(hash: u64, count: usize) -> usize {
    ((hash as u32 as u64).wrapping_mul(count as u64) >> u32::BITS) as usize
}

/// Bits that the place does not have.
#[inline]
const fn tag(hash: u64) -> u32 {
    (hash >> u32::BITS) as u32 & !ID
}

/// The slot behind another one.
#[inline]
const fn next(at: usize, count: usize) -> usize {
    if at + 1 < count { at + 1 } else { 0 }
}

fn put(slots: &mut [u32], hash: u64, slot: u32) {
    let mut at = home(hash, slots.len());
    while slots.get(at).is_some_and(|slot| *slot != 0) {
        at = next(at, slots.len());
    }
    if let Some(place) = slots.get_mut(at) {
        *place = slot;
    }
}

/// Mixes two words into a hash whose halves are both good.
#[inline]
pub fn hash(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xe703_7ed1_a0b4_28db);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Mixes bytes into one number.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut state = bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        state = hash(state, u64::from_le_bytes(word));
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_finds_what_was_inserted_across_growth() {
        let key = |id: u32| hash(u64::from(id), 7);
        let mut index = Index::new();
        for id in 0..5000 {
            assert_eq!(index.find(key(id), |other| other == id), None);
            assert!(index.insert(key(id), id, key));
        }
        for id in 0..5000 {
            assert_eq!(index.find(key(id), |other| other == id), Some(id));
        }
    }

    #[test]
    fn array_inserts_and_removes_in_place() {
        let mut array = Array::new();
        for value in 0..3000u32 {
            assert!(array.insert(0, value));
        }
        array.remove(1);
        assert_eq!(array.as_slice().get(..3), Some(&[2999, 2997, 2996][..]));
        assert_eq!(array.len(), 2999);
    }
}
