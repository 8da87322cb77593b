//! Asks the processor early for the memory that an event will touch.
//!
//! Between two events a program may well have streamed megabytes through the caches. The lines that an event needs
//! are then some tens of nanoseconds away each; asked for together, while the Python stack is read, they arrive
//! together. A hint may be stale: prefetching an address that is not mapped does nothing.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

const LINE: usize = 64;

/// Where the live blocks' slots and the capture's fixed lines are, as of the last time they moved.
#[repr(align(64))]
pub struct Hints {
    slots: AtomicPtr<u8>,
    mask: AtomicUsize,
    journal: AtomicPtr<u8>,
    header: AtomicPtr<u8>,
}

/// See [`Hints`].
pub static HINTS: Hints = Hints {
    slots: AtomicPtr::new(null_mut()),
    mask: AtomicUsize::new(0),
    journal: AtomicPtr::new(null_mut()),
    header: AtomicPtr::new(null_mut()),
};

impl Hints {
    /// The slots of the live blocks have moved; there are `mask + 1`.
    pub fn set_slots(&self, slots: *mut u8, mask: usize) {
        self.mask.store(0, Ordering::Relaxed);
        self.slots.store(slots, Ordering::Relaxed);
        self.mask.store(mask, Ordering::Relaxed);
    }

    /// The journal's first line, and the header's line that changes with every event.
    pub fn set_fixed(&self, journal: *mut u8, header: *mut u8) {
        self.journal.store(journal, Ordering::Relaxed);
        self.header.store(header, Ordering::Relaxed);
    }

    /// Asks for what every event touches, and for the slot of a block, given the slot's number before masking.
    #[inline]
    pub fn event(&self, slot: usize, slot_bytes: usize) {
        let slot = slot & self.mask.load(Ordering::Relaxed);
        line(self.slots.load(Ordering::Relaxed).wrapping_add(slot * slot_bytes));
        line(self.header.load(Ordering::Relaxed));
        lines::<4>(self.journal.load(Ordering::Relaxed));
    }
}

/// Asks for `N` lines that follow each other.
#[inline]
pub fn lines<const N: usize>(at: *const u8) {
    for i in 0..N {
        line(at.wrapping_add(i * LINE));
    }
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
