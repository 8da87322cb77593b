//! System calls, made directly: the C library's wrappers of the memory ones are our own hooks here.
//!
//! They change `errno`; callers on a program's path hold an [`ErrnoGuard`].
//!
//! Miri knows the memory ones as functions of the C library only. It runs unit tests, in which we have no hooks.

use core::ffi::{CStr, c_int, c_long, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Restores `errno` when dropped, so that the program never sees ours.
pub struct ErrnoGuard(c_int);

impl ErrnoGuard {
    pub fn new() -> Self {
        // SAFETY: the location is valid for the calling thread at any time.
        Self(unsafe { *libc::__errno_location() })
    }
}

impl Drop for ErrnoGuard {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = self.0 }
    }
}

/// Bytes of addresses that own mappings had so far.
static PLACED: AtomicUsize = AtomicUsize::new(0);
/// No page is larger.
const PLACE_BYTES: usize = 1 << 16;

/// A place for a mapping of our own, far from where the kernel puts a program's. A program may unmap a part of a mapping and
/// later all of it: what had come into the gap meanwhile would be gone.
fn place(bytes: usize) -> *mut u8 {
    const FIRST: usize = 1 << 45;
    // By chance, as the library's place is.
    let chance = (&raw const PLACED).addr() & ((1 << 40) - PLACE_BYTES);
    (FIRST + chance + PLACED.fetch_add(bytes.next_multiple_of(PLACE_BYTES), Ordering::Relaxed)) as *mut u8
}

/// Maps memory, in a place of our own if `at` is null; `None` on any failure. `fd` is -1 for anonymous memory.
#[inline(never)]
pub fn map(
    at: *mut u8,
    bytes: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    offset: u64,
) -> Option<*mut u8> {
    #[cfg(miri)]
    // SAFETY: the same as below.
    return succeeded(unsafe { libc::mmap(at.cast(), bytes, protection, flags, fd, offset as i64) });
    #[cfg(not(miri))]
    {
        // Where something is already, or no address can be, the kernel chooses another.
        let at = if at.is_null() { place(bytes) } else { at };
        // SAFETY: callers pass either no address or one inside a mapping of their own.
        succeeded(unsafe { libc::syscall(libc::SYS_mmap, at, bytes, protection, flags, fd, offset) } as _)
    }
}

/// A mapping's address; `None` for the number of an error.
fn succeeded(result: *mut c_void) -> Option<*mut u8> {
    (result as isize > 0).then_some(result.cast())
}

/// Addresses without memory.
pub fn reserve(bytes: usize) -> Option<*mut u8> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    map(null_mut(), bytes, libc::PROT_NONE, flags, -1, 0)
}

/// Private zeroed memory.
#[inline(never)]
pub fn map_private(bytes: usize) -> Option<*mut u8> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    map(null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
}

/// Grows or shrinks private memory, moving it if needed.
///
/// # Safety
/// `at` is a mapping of `bytes` from [`map_private`], and nothing refers to its old place afterwards.
#[inline(never)]
pub unsafe fn remap(at: *mut u8, bytes: usize, new_bytes: usize) -> Option<*mut u8> {
    #[cfg(miri)]
    // SAFETY: the same as below.
    return succeeded(unsafe { libc::mremap(at.cast(), bytes, new_bytes, libc::MREMAP_MAYMOVE) });
    #[cfg(not(miri))]
    {
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        let new = map_private(new_bytes)?;
        // SAFETY: the caller owns the mapping, and the new one is taken by nobody else.
        let moved =
            succeeded(unsafe { libc::syscall(libc::SYS_mremap, at, bytes, new_bytes, flags, new) } as _);
        if moved.is_none() {
            // SAFETY: as above.
            unsafe { unmap(new, new_bytes) };
        }
        moved
    }
}

/// Unmaps.
///
/// # Safety
/// `at` is a mapping of `bytes` that is not used again.
pub unsafe fn unmap(at: *mut u8, bytes: usize) {
    #[cfg(miri)]
    // SAFETY: the same as below.
    unsafe {
        libc::munmap(at.cast(), bytes)
    };
    #[cfg(not(miri))]
    // SAFETY: the caller owns the mapping.
    unsafe {
        libc::syscall(libc::SYS_munmap, at, bytes)
    };
}

/// Makes whole pages of private memory read as zero.
///
/// # Safety
/// They are a mapping from [`map_private`] in which nothing else than zeros is relied upon.
pub unsafe fn zero(at: *mut u8, bytes: usize) {
    #[cfg(miri)]
    // SAFETY: the same as below.
    unsafe {
        at.write_bytes(0, bytes)
    };
    #[cfg(not(miri))]
    // SAFETY: the caller owns the mapping.
    unsafe {
        libc::syscall(libc::SYS_madvise, at, bytes, libc::MADV_DONTNEED)
    };
}

/// Reads the word at an address that may stop being readable at any moment; `None` if it is not. Asks the kernel.
pub fn read_if_mapped(address: usize) -> Option<usize> {
    let _errno = ErrnoGuard::new();
    let mut value = 0_usize;
    let size = size_of::<usize>();
    let to = libc::iovec { iov_base: (&raw mut value).cast(), iov_len: size };
    let from = libc::iovec { iov_base: address as *mut c_void, iov_len: size };
    // SAFETY: `to` is the value's memory; what is read from is checked by the kernel.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &raw const to, 1, &raw const from, 1, 0) };
    (read == size as isize).then_some(value)
}

/// Where a symbolic link leads; empty when it cannot be read.
pub fn read_link<'a>(path: &CStr, buffer: &'a mut [u8]) -> &'a [u8] {
    // SAFETY: the path ends in NUL, and the buffer has that length.
    let length = unsafe {
        libc::syscall(libc::SYS_readlinkat, libc::AT_FDCWD, path.as_ptr(), buffer.as_mut_ptr(), buffer.len())
    };
    buffer.get(..length.max(0) as usize).unwrap_or_default()
}

/// An open file of ours; closed when dropped.
pub struct File(c_int);

impl File {
    /// Opens with close-on-exec.
    pub fn open(path: &CStr, flags: c_int) -> Result<Self, c_int> {
        Self::open_in(libc::AT_FDCWD, path, flags)
    }

    /// Opens, with close-on-exec, what is named from an open folder on.
    pub fn open_in(folder: c_int, path: &CStr, flags: c_int) -> Result<Self, c_int> {
        let flags = flags | libc::O_CLOEXEC;
        // SAFETY: the path ends in NUL.
        let fd = unsafe { libc::syscall(libc::SYS_openat, folder, path.as_ptr(), flags, 0o644) };
        // SAFETY: the location is valid.
        if fd < 0 { Err(unsafe { *libc::__errno_location() }) } else { Ok(Self(fd as c_int)) }
    }

    pub fn raw(&self) -> c_int {
        self.0
    }

    /// Device and inode.
    pub fn identity(&self) -> Option<(u64, u64)> {
        let mut stat = core::mem::MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the buffer is a stat.
        if unsafe { libc::fstat(self.0, stat.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: fstat filled it, and it was zeroed before.
        let stat = unsafe { stat.assume_init() };
        Some((stat.st_dev, stat.st_ino))
    }

    /// Allocates disk space for a range of the file, so that a later store through a mapping cannot fail.
    pub fn reserve(&self, offset: u64, bytes: u64) -> bool {
        // Beyond the limit the kernel would send the program a signal that ends it.
        if offset.saturating_add(bytes) > longest_file() {
            return false;
        }
        // SAFETY: plain integers.
        if unsafe { libc::syscall(libc::SYS_fallocate, self.0, 0, offset, bytes) } == 0 {
            return true;
        }
        // SAFETY: the location is valid.
        let errno = unsafe { *libc::__errno_location() };
        if errno != libc::EOPNOTSUPP && errno != libc::ENOSYS {
            return false;
        }
        // The file system cannot reserve: writing zeros does the same.
        let zeros = [0u8; 4096];
        let mut done = 0;
        while done < bytes {
            let part = (bytes - done).min(zeros.len() as u64);
            // SAFETY: the buffer is longer than `part`.
            let written =
                unsafe { libc::syscall(libc::SYS_pwrite64, self.0, zeros.as_ptr(), part, offset + done) };
            if written <= 0 {
                return false;
            }
            done += written as u64;
        }
        true
    }

    /// Writes a few bytes over what is there; does nothing where that is beyond the longest file, as in [`Self::reserve`].
    pub fn write_at(&self, offset: u64, bytes: &[u8]) {
        if offset.saturating_add(bytes.len() as u64) <= longest_file() {
            // SAFETY: the buffer has that length.
            unsafe { libc::syscall(libc::SYS_pwrite64, self.0, bytes.as_ptr(), bytes.len(), offset) };
        }
    }

    /// Reads from the start; the number of bytes read.
    pub fn read(&self, buffer: &mut [u8]) -> usize {
        // SAFETY: the buffer has that length.
        let read = unsafe { libc::syscall(libc::SYS_read, self.0, buffer.as_mut_ptr(), buffer.len()) };
        read.max(0) as usize
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours.
        unsafe { libc::syscall(libc::SYS_close, self.0) };
    }
}

/// The length that no file may exceed (`RLIMIT_FSIZE`), bytes.
fn longest_file() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the buffer is a limit, and stays as it is when the call fails.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    limit.rlim_cur
}

/// Milliseconds of a clock: `CLOCK_REALTIME`, or a monotonic one.
pub fn clock_ms(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the buffer is a timespec.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

/// Nanoseconds of a clock that only goes forward, and is the same for all threads.
pub fn clock_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the buffer is a timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A counter of the processor that rises steadily, and is read in a few nanoseconds; nobody says how fast it is.
#[inline]
pub fn processor_ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every processor of this kind has the instruction.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let ticks: u64;
        // SAFETY: user space may read this counter.
        unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
        ticks
    }
}

/// The kernel's id of the calling thread.
pub fn thread_id() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// The calling process, as the kernel knows it now.
pub fn process_id() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::syscall(libc::SYS_getpid) as u32 }
}

/// The kernel's name of the calling thread, without its NUL.
pub fn thread_name(buffer: &mut [u8; 16]) -> &[u8] {
    // SAFETY: the buffer has the 16 bytes that the kernel writes.
    unsafe { libc::syscall(libc::SYS_prctl, c_long::from(libc::PR_GET_NAME), buffer.as_mut_ptr()) };
    buffer.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Makes pages read as zero in a forked child.
pub fn wipe_on_fork(at: *mut c_void, bytes: usize) -> bool {
    // SAFETY: advice changes nothing in this process.
    unsafe { libc::syscall(libc::SYS_madvise, at, bytes, libc::MADV_WIPEONFORK) == 0 }
}

/// Gives up the processor for a moment; the longer the more often `round` says it was needed.
pub fn pause(round: u32) {
    if round < 100 {
        // SAFETY: takes nothing.
        unsafe { libc::syscall(libc::SYS_sched_yield) };
    } else {
        let time = libc::timespec { tv_sec: 0, tv_nsec: 50_000 };
        // SAFETY: the request is a timespec, the remainder is not asked for.
        unsafe {
            libc::syscall(libc::SYS_nanosleep, &raw const time, core::ptr::null_mut::<libc::timespec>())
        };
    }
}
