//! Numbers of allocations, for recordings that keep every event: a free names the allocation that it ends.
//!
//! A thread takes many numbers at once. In the order of events, those of one thread follow each other.

use core::sync::atomic::{AtomicU64, Ordering};

/// The first number that nobody has taken; 0 where allocations are not numbered.
static NEXT: AtomicU64 = AtomicU64::new(0);
const TAKEN_AT_ONCE: u64 = 64;

/// Recording begins.
pub fn begin(are_numbered: bool) {
    NEXT.store(are_numbered.into(), Ordering::Relaxed);
}

/// Numbers that a thread has taken.
pub struct Numbers {
    next: u64,
    end: u64,
}

impl Numbers {
    pub const NONE: Self = Self { next: 0, end: 0 };

    /// The number of the thread's next allocation; 0 where they are not numbered.
    #[inline]
    pub fn next(&mut self) -> u64 {
        if self.next == self.end {
            if NEXT.load(Ordering::Relaxed) == 0 {
                return 0;
            }
            self.next = NEXT.fetch_add(TAKEN_AT_ONCE, Ordering::Relaxed);
            self.end = self.next + TAKEN_AT_ONCE;
        }
        let number = self.next;
        self.next += 1;
        number
    }
}
