//! The order of events in different threads, without a word that every event writes.
//!
//! Each event has a stamp; what happens after another event has ended has a higher one, whatever threads the two are
//! in. A thread that takes the lease reads the clock, and from then on counts: each of its events is later than the
//! last by one, which is never ahead of the clock. Another thread's next event takes the lease away. Where many
//! threads have events at once, that would be at nearly every event; then nobody has the lease, and each event reads
//! the clock.
//!
//! The events are applied in rounds. A round takes the areas of threads that had a lease since the round before last,
//! and their events up to a cut: the clock as it was when the round began. What happens after an event of the round
//! may not be in it, but whatever that event came after is.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::sys;

const NOBODY: u32 = 0;
const EVERYBODY: u32 = u32::MAX;
/// How often a thread tries to take the lease at one event.
const MOST_TRIES: u32 = 3;
/// A round with so many changes between areas has shown that threads run at once.
const MANY_CHANGES: u32 = 16;

/// Who has the lease: the number of an area plus one.
static LEASE: AtomicU32 = AtomicU32::new(NOBODY);
/// The areas of threads that have events, by the low bits of their numbers.
static ACTIVE: AtomicU64 = AtomicU64::new(0);
/// Takes the clock's place where that is too coarse: how often it was asked, in steps that leave room for a lease.
static COUNTER: AtomicU64 = AtomicU64::new(1 << COUNTER_SHIFT);
const COUNTER_SHIFT: u32 = 16;
static CLOCK_IS_FINE: AtomicBool = AtomicBool::new(false);

/// Recording begins, in a process with a single thread that has events.
pub fn begin() {
    LEASE.store(NOBODY, Ordering::Relaxed);
    ACTIVE.store(0, Ordering::Relaxed);
    // A clock that stands still while it is asked would give two threads the same time.
    let moves = |_| sys::clock_ns() < sys::clock_ns();
    CLOCK_IS_FINE.store((0..8).all(moves), Ordering::Relaxed);
}

/// The stamp of an event that happens now in the thread of an area, whose last event has stamp `last`.
#[inline]
pub fn stamp(area: u32, last: u64) -> u64 {
    if LEASE.load(Ordering::Relaxed) == area + 1 { last + 1 } else { take_lease(area, last) }
}

#[inline(never)]
fn take_lease(area: u32, last: u64) -> u64 {
    let bit = bit_of(area);
    let mut tries = 0;
    loop {
        if ACTIVE.load(Ordering::Relaxed) & bit == 0 {
            ACTIVE.fetch_or(bit, Ordering::SeqCst);
        }
        let mut held = LEASE.load(Ordering::Relaxed);
        if held != EVERYBODY {
            held = if tries < MOST_TRIES { area + 1 } else { EVERYBODY };
            // The clock is read after all others can see who has the lease.
            LEASE.swap(held, Ordering::SeqCst);
        }
        let now = clock();
        // Whoever has it by now has read, or will read, a later time.
        if LEASE.load(Ordering::SeqCst) == held {
            return now.max(last + 1);
        }
        tries += 1;
    }
}

/// The areas whose bit, of 64, is this one.
#[inline]
const fn bit_of(area: u32) -> u64 {
    1 << (area % u64::BITS)
}

fn clock() -> u64 {
    if CLOCK_IS_FINE.load(Ordering::Relaxed) {
        sys::clock_ns()
    } else {
        COUNTER.fetch_add(1 << COUNTER_SHIFT, Ordering::SeqCst)
    }
}

/// Which events a round takes.
pub struct Round {
    /// The areas, as numbers modulo 64.
    areas: u64,
    /// The highest stamp.
    pub cut: u64,
}

impl Round {
    /// All areas, whatever their threads do.
    pub fn of_all() -> Self {
        Self { areas: u64::MAX, cut: clock() }
    }

    /// Whether an area is part of it.
    pub const fn has(&self, area: u32) -> bool {
        self.areas & bit_of(area) != 0
    }
}

/// What rounds leave to the next one. Reached under the recorder's lock.
pub struct Rounds {
    /// The areas of the last round: an event of one that had begun may have missed it.
    last: u64,
}

impl Rounds {
    pub const fn new() -> Self {
        Self { last: 0 }
    }

    /// Begins a round, in the thread of an area, of which there are so many.
    #[inline]
    pub fn begin(&mut self, own: u32, areas: u32) -> Round {
        let bit = bit_of(own);
        if (ACTIVE.load(Ordering::Relaxed) | self.last) & !bit == 0 && areas <= u64::BITS {
            // Nobody else had an event, and the caller has none meanwhile.
            return Round { areas: bit, cut: heaphint_format::NO_STAMP - 1 };
        }
        // The clock is read first: whoever's event is not later than that has said before that it is active.
        let cut = clock();
        let active = ACTIVE.swap(0, Ordering::SeqCst);
        if LEASE.load(Ordering::Relaxed) != EVERYBODY {
            // At its next event each thread says again that it is active.
            LEASE.store(NOBODY, Ordering::SeqCst);
        }
        let areas = active | core::mem::replace(&mut self.last, active);
        Round { areas, cut }
    }

    /// A round is over; its order went from one area to another so many times.
    #[inline]
    pub fn end(&self, changes: u32) {
        let held = LEASE.load(Ordering::Relaxed);
        if changes >= MANY_CHANGES && held != EVERYBODY {
            LEASE.store(EVERYBODY, Ordering::SeqCst);
        } else if changes < MANY_CHANGES && held == EVERYBODY {
            LEASE.store(NOBODY, Ordering::SeqCst);
        }
    }
}
