//! One pointer of thread-local storage, in the initial-exec model.
//!
//! `thread_local!` in a shared library calls `__tls_get_addr` at each access; one word declared by hand costs a
//! load, fits every thread's static block, and also works when the library is loaded late.

use core::arch::{asm, global_asm};

use crate::thread::Thread;

global_asm!(
    ".pushsection .tbss,\"awT\",@nobits",
    ".p2align 3",
    ".globl heaphint_thread",
    ".hidden heaphint_thread",
    ".type heaphint_thread,@object",
    ".size heaphint_thread,8",
    "heaphint_thread:",
    ".zero 8",
    ".popsection",
);

/// The calling thread's record; null before its first event.
#[inline]
pub fn get() -> *mut Thread {
    let value: *mut Thread;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads the thread's own word at its offset from the thread pointer.
    unsafe {
        asm!(
            "mov {v}, qword ptr [rip + heaphint_thread@GOTTPOFF]",
            "mov {v}, qword ptr fs:[{v}]",
            v = out(reg) value,
            options(nostack, readonly, preserves_flags, pure),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        asm!(
            "adrp {o}, :gottprel:heaphint_thread",
            "ldr {o}, [{o}, :gottprel_lo12:heaphint_thread]",
            "mrs {v}, tpidr_el0",
            "ldr {v}, [{v}, {o}]",
            o = out(reg) _,
            v = out(reg) value,
            options(nostack, readonly, preserves_flags, pure),
        );
    }
    value
}

/// Sets the calling thread's record.
pub fn set(value: *mut Thread) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: writes the thread's own word.
    unsafe {
        asm!(
            "mov {o}, qword ptr [rip + heaphint_thread@GOTTPOFF]",
            "mov qword ptr fs:[{o}], {v}",
            o = out(reg) _,
            v = in(reg) value,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        asm!(
            "adrp {o}, :gottprel:heaphint_thread",
            "ldr {o}, [{o}, :gottprel_lo12:heaphint_thread]",
            "mrs {t}, tpidr_el0",
            "str {v}, [{t}, {o}]",
            o = out(reg) _,
            t = out(reg) _,
            v = in(reg) value,
            options(nostack, preserves_flags),
        );
    }
}
