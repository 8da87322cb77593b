//! For the kill tests alone (feature `crash-points`): places to die, and a log of every event.
//!
//! `HEAPHINT_CRASH_AT=n` makes the process kill itself with SIGKILL before its n-th store into the capture,
//! counted from the first event on. `HEAPHINT_EVENT_LOG=/path` names a file that is created for the log:
//!
//! ```text
//! u64   number of entries that were begun
//! then  entries of 40 bytes: u32 operation (0 allocated, 1 freed), u32 site, u64 address, u64 bytes,
//!       u32 count (1 when an allocation begins or ends, 0 when part of a mapping goes), u32 area,
//!       u64 the event's stamp, 0 in an entry that is not complete
//! ```
//!
//! Between the events stand the steps of their application, entries with all but these fields 0: 2, a round begins
//! (stamp 1); 3, the event with this area and stamp was applied; 4, what was applied counts (stamp 1).
//!
//! An entry is complete before the event's first store into the capture, so a capture equals the replay of all
//! events, those that were applied in that order and the others by their stamps, or lacks the last event of some
//! areas. Without the feature all of this compiles to nothing.

#[cfg(feature = "crash-points")]
pub use enabled::{begin, crash_point, log_applied, log_committed, log_event, log_round};

#[cfg(not(feature = "crash-points"))]
pub use disabled::{begin, crash_point, log_applied, log_committed, log_event, log_round};

#[cfg(not(feature = "crash-points"))]
mod disabled {
    #[inline(always)]
    pub fn crash_point() {}
    #[inline(always)]
    pub fn begin() {}
    #[inline(always)]
    pub fn log_event(_area: u32, _stamp: u64, _site: u32, _address: usize, _change: heaphint_format::Change) {
    }
    #[inline(always)]
    pub fn log_round() {}
    #[inline(always)]
    pub fn log_applied(_area: u32, _stamp: u64) {}
    #[inline(always)]
    pub fn log_committed() {}
}

#[cfg(feature = "crash-points")]
mod enabled {
    use core::ffi::CStr;
    use core::ptr::null_mut;
    use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

    use heaphint_format::Change;

    use crate::sys;

    const LOG_BYTES: usize = 1 << 30;

    static LEFT: AtomicU64 = AtomicU64::new(0);
    static LOG: AtomicPtr<u64> = AtomicPtr::new(null_mut());

    /// A place between two stores.
    #[inline]
    pub fn crash_point() {
        if LEFT.load(Ordering::Relaxed) != 0 && LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
            // SAFETY: plain system calls; the process ends here.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
    }

    /// Reads the environment; called right before recording begins.
    pub fn begin() {
        // SAFETY: the constructor runs alone; values of the environment end in NUL.
        unsafe {
            let log = libc::getenv(c"HEAPHINT_EVENT_LOG".as_ptr());
            if !log.is_null()
                && let Ok(file) = sys::File::open(CStr::from_ptr(log), libc::O_RDWR | libc::O_CREAT)
                && libc::ftruncate(file.raw(), LOG_BYTES as libc::off_t) == 0
                && let Some(at) = sys::map(
                    null_mut(),
                    LOG_BYTES,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_SHARED,
                    file.raw(),
                    0,
                )
            {
                LOG.store(at.cast(), Ordering::Relaxed);
            }
            let crash_at = libc::getenv(c"HEAPHINT_CRASH_AT".as_ptr());
            if !crash_at.is_null() {
                LEFT.store(libc::strtoull(crash_at, null_mut(), 10), Ordering::Relaxed);
            }
        }
    }

    /// An event is about to happen.
    pub fn log_event(area: u32, stamp: u64, site: u32, address: usize, change: Change) {
        let (operation, bytes, count) = match change {
            Change::Allocated { bytes } => (0, bytes, 1),
            Change::Freed { bytes, whole, .. } => (1, bytes, u32::from(whole)),
        };
        append([pair(operation, site), address as u64, bytes, pair(count, area)], stamp);
    }

    /// A round of application begins.
    pub fn log_round() {
        append([2, 0, 0, 0], 1);
    }

    /// An event was applied to the tables.
    pub fn log_applied(area: u32, stamp: u64) {
        append([3, 0, 0, pair(0, area)], stamp);
    }

    /// Whatever was applied counts.
    pub fn log_committed() {
        append([4, 0, 0, 0], 1);
    }

    fn pair(low: u32, high: u32) -> u64 {
        u64::from(low) | u64::from(high) << 32
    }

    /// Appends an entry to the log.
    fn append(words: [u64; 4], stamp: u64) {
        const ENTRY_BYTES: usize = 40;
        let log = LOG.load(Ordering::Relaxed);
        if log.is_null() {
            return;
        }
        // SAFETY: the log is far longer than any test's events, and each entry has one writer.
        unsafe {
            let used = AtomicU64::from_ptr(log).fetch_add(1, Ordering::SeqCst) as usize;
            if (used + 2) * ENTRY_BYTES > LOG_BYTES {
                return;
            }
            let entry = log.add(1 + used * (ENTRY_BYTES / 8));
            entry.cast::<[u64; 4]>().write(words);
            AtomicU64::from_ptr(entry.add(4)).store(stamp, Ordering::Release);
        }
    }
}
