//! Each thread's last allocation: what is freed while it stands there was temporary.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::sys;
use crate::thread::MOST_THREADS;

/// A thread's last allocation, alone in its cache line: only its thread writes it.
#[repr(align(64))]
struct Last(AtomicUsize);

/// By the thread's index in the capture. Pages that no thread has come to take no memory.
static LASTS: AtomicPtr<Last> = AtomicPtr::new(null_mut());

/// Recording begins; false without memory.
pub fn begin() -> bool {
    let lasts = sys::map_private(MOST_THREADS as usize * size_of::<Last>());
    if let Some(lasts) = lasts {
        LASTS.store(lasts.cast(), Ordering::Release);
    }
    lasts.is_some()
}

#[inline]
fn last(thread: u32) -> Option<&'static AtomicUsize> {
    let lasts = LASTS.load(Ordering::Acquire);
    if lasts.is_null() || thread == 0 || thread >= MOST_THREADS {
        return None;
    }
    // SAFETY: the mapping has that many, is zeroed, and is never given back.
    Some(unsafe { &(*lasts.add(thread as usize)).0 })
}

/// A thread has allocated. Index 0 stands for several threads, and nothing of them is temporary.
#[inline]
pub fn allocated(thread: u32, address: usize) {
    if let Some(last) = last(thread) {
        last.store(address, Ordering::Relaxed);
    }
}

/// Whether an allocation is its thread's last one.
#[inline]
pub fn is_last(thread: u32, address: usize) -> bool {
    last(thread).is_some_and(|last| last.load(Ordering::Relaxed) == address)
}
