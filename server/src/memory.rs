//! What a process that stays for long does so that memory which is free is not kept.

/// Heaps of the C library, for all threads.
const HEAPS: i32 = 2;
/// What is at least as large has a mapping of its own, and is gone when it is freed.
const OWN_MAPPING: i32 = 1 << 20;

/// Before other threads run.
pub fn prepare_for_long() {
    // Each thread that finds the heap busy would get one of its own, and what is freed in many heaps is used by few. By
    // itself the C library puts larger and larger blocks into its heaps, where small ones behind them hold them fast.
    // SAFETY: mallopt takes numbers only, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING);
    }
}

/// Gives back what the heaps hold and nobody uses: after something large is gone.
pub fn give_back() {
    // SAFETY: it takes a number only, and may be called at any time.
    unsafe { libc::malloc_trim(0) };
}
