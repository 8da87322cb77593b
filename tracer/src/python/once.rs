//! A value that is set once and then read by every thread, without a lock.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};

/// Empty at first; the first [`Once::set`] wins.
pub struct Once<T> {
    is_claimed: AtomicBool,
    is_set: AtomicBool,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value is written by the one thread that claims it, before `is_set`, and only read after that.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T: Copy> Once<T> {
    pub const fn new() -> Self {
        Self {
            is_claimed: AtomicBool::new(false),
            is_set: AtomicBool::new(false),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Sets the value if there is none yet.
    pub fn set(&self, value: T) {
        if !self.is_claimed.swap(true, Ordering::AcqRel) {
            // SAFETY: only the claiming thread comes here, and nobody reads before `is_set`.
            unsafe { (*self.value.get()).write(value) };
            self.is_set.store(true, Ordering::Release);
        }
    }

    /// The value, if it is set.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: it is set, and never written again.
        self.is_set.load(Ordering::Acquire).then(|| unsafe { (*self.value.get()).assume_init_ref() })
    }
}
