//! The timeline's writing side: samples are taken by the threads that allocate.
//!
//! There is no thread of ours: programs that fork warn when they have threads they did not start, and some
//! system calls refuse a process with several.

use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use heaphint_format::{Header, Sample, Thinning};

use crate::capture::{CaptureFile, header_word};
use crate::sys;

/// When recording began, milliseconds of the monotonic clock.
static START_MS: AtomicU64 = AtomicU64::new(0);
/// When the next sample is due, milliseconds since recording began.
static DUE_MS: AtomicU32 = AtomicU32::new(0);

/// Milliseconds since recording began, without the clock's finest digits.
pub fn now_ms() -> u32 {
    since_start(libc::CLOCK_MONOTONIC_COARSE)
}

/// Whether it is time for a sample.
pub fn is_due(now_ms: u32) -> bool {
    now_ms >= DUE_MS.load(Ordering::Relaxed)
}

fn since_start(clock: libc::clockid_t) -> u32 {
    let now_ms = sys::clock_ms(clock).saturating_sub(START_MS.load(Ordering::Relaxed));
    u32::try_from(now_ms).unwrap_or(u32::MAX)
}

/// The slots.
pub struct Timeline {
    thinning: Thinning,
}

impl Timeline {
    pub const fn new() -> Self {
        Self { thinning: Thinning::new() }
    }

    /// Starts the clock.
    pub fn start(&mut self) {
        *self = Self::new();
        START_MS.store(sys::clock_ms(libc::CLOCK_MONOTONIC), Ordering::Relaxed);
        DUE_MS.store(0, Ordering::Relaxed);
    }

    /// Takes the last sample, with the exact time and the kernel's own record of the largest RSS.
    pub fn finish(&mut self, file: &CaptureFile) {
        self.sample(file, since_start(libc::CLOCK_MONOTONIC));
        self.note_rss(file, peak_rss_bytes());
    }

    /// Takes a sample, after all events have been applied.
    #[cold]
    pub fn sample(&mut self, file: &CaptureFile, now_ms: u32) {
        let _errno = sys::ErrnoGuard::new();
        let slot_word = |slot: usize, offset: usize| file.timeline.word(slot as u32, offset);
        let (slot, tick_plus_one) = self.thinning.place(now_ms, |slot| slot_word(slot, 0).load() as u32);
        let rss_bytes = rss_bytes();
        // An empty slot first: the process may die between any two stores.
        slot_word(slot, 0).store(0);
        slot_word(slot, offset_of!(Sample, rss_bytes)).store(rss_bytes);
        slot_word(slot, offset_of!(Sample, heap_bytes)).store(header_word!(file, current_bytes).load());
        slot_word(slot, 0).store(u64::from(tick_plus_one) | u64::from(now_ms) << 32);
        file.set_header(offset_of!(Header, timeline_stride), self.thinning.stride);
        file.set_header(offset_of!(Header, elapsed_ms), now_ms);
        self.note_rss(file, rss_bytes);
        DUE_MS.store(self.thinning.next_ms(), Ordering::Relaxed);
    }

    fn note_rss(&self, file: &CaptureFile, bytes: u64) {
        let largest = header_word!(file, rss_peak_bytes);
        if bytes > largest.load() {
            largest.store(bytes);
        }
    }
}

/// Resident set size now, from the second field of `/proc/self/statm`; 0 when it cannot be read.
fn rss_bytes() -> u64 {
    let mut buffer = [0; 128];
    let text = read(c"/proc/self/statm", &mut buffer);
    let pages = text.split(|byte| *byte == b' ').nth(1).map_or(0, number);
    // SAFETY: takes a number.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(0) as u64
}

/// Largest resident set size of this program so far, from `VmHWM`. (`getrusage` would also count what ran in the
/// process before `exec`.)
fn peak_rss_bytes() -> u64 {
    let mut buffer = [0; 4096];
    let text = read(c"/proc/self/status", &mut buffer);
    text.split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"VmHWM:"))
        .map_or(0, |value| number(value.trim_ascii_start()) * 1024)
}

fn read<'a>(path: &core::ffi::CStr, buffer: &'a mut [u8]) -> &'a [u8] {
    let Ok(file) = sys::File::open(path, libc::O_RDONLY) else { return &[] };
    let length = file.read(buffer);
    buffer.get(..length).unwrap_or_default()
}

fn number(text: &[u8]) -> u64 {
    text.iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |value: u64, digit| value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}
