//! The library that is loaded into Python processes.
#![cfg_attr(all(not(test), panic = "abort"), no_std)]

pub mod python;

#[cfg(all(not(test), panic = "abort"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // SAFETY: abort takes no arguments and does not return.
    unsafe { libc::abort() }
}
