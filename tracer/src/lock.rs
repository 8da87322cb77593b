//! The lock around what threads have in common.
//!
//! It is held for some tens of nanoseconds, by code that calls nothing that could block on the program. It never
//! sleeps in the kernel on a word: a plain store releases it, which halves its cost. As long as the process has a
//! single thread it costs nothing: the C library says so, and only that thread can start another one.

use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::sys;

/// Stands in for the C library's word where it has none.
static SEVERAL: AtomicBool = AtomicBool::new(false);
/// The C library's own: whether the process has a single thread. It is changed by that thread before another one runs.
static SINGLE: AtomicPtr<AtomicBool> = AtomicPtr::new((&raw const SEVERAL).cast_mut());

/// Looks for the C library's word; from the constructor. glibc has it since 2.32.
pub fn find_out_about_threads() {
    let word = crate::real::symbol(c"__libc_single_threaded");
    if !word.is_null() {
        SINGLE.store(word.cast(), Ordering::Relaxed);
    }
}

#[inline]
fn is_single_threaded() -> bool {
    // SAFETY: points to the stand-in, or to a byte of the C library that is 0 or 1.
    unsafe { &*SINGLE.load(Ordering::Relaxed) }.load(Ordering::Relaxed)
}

/// A value that one thread at a time may use. The lock stands beside what the value begins with.
#[repr(C, align(64))]
pub struct Lock<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, and there is one guard at a time.
unsafe impl<T> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub const fn new(value: T) -> Self {
        Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        if is_single_threaded() {
            // Nobody else is there, nor will be before the guard is dropped: what is locked starts no thread.
            return Guard(self);
        }
        if self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.wait();
        }
        Guard(self)
    }

    /// `None` while somebody else has the lock.
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        let is_ours = is_single_threaded()
            || self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok();
        is_ours.then(|| Guard(self))
    }

    #[cold]
    fn wait(&self) {
        let mut round = 0;
        loop {
            for _ in 0..64 {
                if !self.taken.load(Ordering::Relaxed)
                    && self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
                {
                    return;
                }
                spin_loop();
            }
            let _errno = sys::ErrnoGuard::new();
            sys::pause(round);
            round += 1;
        }
    }

    /// Forgets a holder that does not exist in this process.
    ///
    /// # Safety
    /// Only in a forked child that has a single thread and holds no guard.
    pub unsafe fn reset_after_fork(&self) {
        self.taken.store(false, Ordering::Release);
    }
}

/// The right to use the value.
pub struct Guard<'a, T>(&'a Lock<T>);

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the only one.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::Release);
    }
}
