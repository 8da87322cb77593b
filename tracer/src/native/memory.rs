//! The words of the calling thread's stack that can be read without asking.
//!
//! A wrong step of a walk must never fault. What lies between the stack pointer and the end of the thread's stack is
//! mapped; everything else is read through the kernel, which is slow and always safe: alternate stacks of signal
//! handlers, and stacks that a program makes itself.

use core::ffi::c_void;

use crate::sys;

const PAGE: usize = 4096;
/// The kernel keeps at least as much free below the first thread's stack.
const LEAST_MAIN_GAP: usize = 128 << 20;
/// A stack does not grow by more between two looks.
const MOST_GROWTH: usize = 16 << 20;
/// Pages that are asked for at once.
const PAGES_AT_ONCE: usize = 64;

/// The part of a thread's stack that is known to be mapped.
#[derive(Clone, Copy)]
pub struct StackMemory {
    low: usize,
    high: usize,
    /// A stack pointer in this page is on another stack.
    foreign_page: usize,
}

impl StackMemory {
    /// Nothing is known.
    pub const fn new() -> Self {
        Self { low: 0, high: 0, foreign_page: 0 }
    }

    /// Makes the words from the stack pointer on readable, if it is on the thread's own stack.
    #[inline]
    pub fn cover(&mut self, sp: usize) {
        if sp < self.low || sp >= self.high {
            self.extend(sp);
        }
    }

    /// A word; `None` if there is none.
    #[inline]
    pub fn read(&self, address: usize) -> Option<usize> {
        if address >= self.low && address <= self.high.wrapping_sub(size_of::<usize>()) && self.high != 0 {
            // SAFETY: the range is mapped as long as the thread lives.
            Some(unsafe { (address as *const usize).read_unaligned() })
        } else {
            sys::read_if_mapped(address)
        }
    }

    #[cold]
    fn extend(&mut self, sp: usize) {
        let page = sp & !(PAGE - 1);
        if page == self.foreign_page {
            return;
        }
        let _errno = sys::ErrnoGuard::new();
        if self.high == 0 {
            if let Some(known) = Self::of_first_thread(sp) {
                *self = known;
                return;
            }
            // The C library puts a thread's control block on top of its stack, whoever gave it the stack.
            let top = thread_pointer();
            (self.low, self.high) = (top & !(PAGE - 1), top);
        }
        if page < self.low && self.low - page <= MOST_GROWTH && is_readable(page, self.low) {
            self.low = page;
        } else {
            self.foreign_page = page;
        }
    }

    /// The stack that the kernel has made grows by itself: from the stack pointer to its end there is no hole.
    fn of_first_thread(sp: usize) -> Option<Self> {
        if sys::thread_id() != sys::process_id() {
            return None;
        }
        // SAFETY: the name ends in NUL.
        let end = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_stack_end".as_ptr()) };
        if end.is_null() {
            return None;
        }
        // SAFETY: the dynamic linker's variable is a pointer.
        let high = unsafe { end.cast::<usize>().read() };
        let low = high.checked_sub(LEAST_MAIN_GAP)?;
        // A process that a thread has forked has that thread's stack.
        (low..high).contains(&sp).then_some(Self { low, high, foreign_page: 0 })
    }
}

/// Where the calling thread's control block is.
fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: on x86-64 the block begins with its own address, on aarch64 a register has it.
    unsafe {
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "x86_64")]
        core::arch::asm!("mov {}, fs:[0]", out(reg) pointer, options(nostack, readonly, pure, preserves_flags));
    }
    pointer
}

/// Whether every page of a range can be read. Asks from the top: holes are found soon.
fn is_readable(low: usize, high: usize) -> bool {
    let mut end = high;
    while end > low {
        let count = ((end - low) / PAGE).clamp(1, PAGES_AT_ONCE);
        let mut pages = [libc::iovec { iov_base: core::ptr::null_mut(), iov_len: 1 }; PAGES_AT_ONCE];
        for (at, page) in pages.iter_mut().take(count).enumerate() {
            page.iov_base = end.wrapping_sub((at + 1) * PAGE) as *mut c_void;
        }
        let mut bytes = [0u8; PAGES_AT_ONCE];
        let to = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: count };
        // SAFETY: `to` is the array's memory; what is read from is checked by the kernel.
        let read = unsafe {
            libc::process_vm_readv(
                libc::getpid(),
                &raw const to,
                1,
                pages.as_ptr(),
                count as libc::c_ulong,
                0,
            )
        };
        if read != count as isize {
            return false;
        }
        end -= count * PAGE;
    }
    true
}
