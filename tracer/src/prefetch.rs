//! Asks the processor early for the memory that an event will touch.
//!
//! Between two events a program may well have streamed megabytes through the caches. The lines that an event needs
//! are then some tens of nanoseconds away each; asked for together, while the Python stack is read, they arrive
//! together. A hint may be stale: prefetching an address that is not mapped does nothing.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Where the slots of a table of live blocks are, as of the last time they moved.
#[repr(align(16))]
pub struct Slots {
    first: AtomicPtr<u8>,
    count: AtomicUsize,
}

impl Slots {
    pub const fn new() -> Self {
        Self { first: AtomicPtr::new(null_mut()), count: AtomicUsize::new(0) }
    }

    /// The slots have moved, and there are so many.
    pub fn moved(&self, first: *mut u8, count: usize) {
        self.first.store(first, Ordering::Relaxed);
        self.count.store(count, Ordering::Relaxed);
    }

    /// Asks for a slot, given the spread.
    #[inline]
    pub fn ask(&self, spread: u64, slot_bytes: usize) {
        let slot = place_of(spread, self.count.load(Ordering::Relaxed));
        line(self.first.load(Ordering::Relaxed).wrapping_add(slot * slot_bytes));
    }
}

/// The place of a spread among so many: by its high bits, in the same order.
#[inline]
pub const fn place_of(spread: u64, count: usize) -> usize {
    ((spread as u128 * count as u128) >> u64::BITS) as usize
}

/// Asks for the line at an address.
#[inline]
pub fn line(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint; it never faults.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a hint; it never faults.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{}]", in(reg) at, options(nostack, preserves_flags));
    }
}
