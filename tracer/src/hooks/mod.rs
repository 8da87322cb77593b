//! The functions that programs call instead of the C library's: each calls the real one and tells the recorder.
//!
//! A hook keeps `errno`, takes no lock of the program's, and never allocates. While a thread is inside a hook,
//! whatever the real function calls in turn is not recorded.

mod exec;
mod exit;
mod heap;
mod mapping;
mod program;
mod python_allocators;
mod shell;
mod symbols;
mod wait;

use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering;

use crate::recorder::{MODE, mode};
use crate::thread::{self, Thread};
use crate::{real, start};

pub use exit::register as register_exit_hook;
pub use python_allocators::install as install_python_allocators;
pub use symbols::{is_first, is_usual, replacement};

/// The calling thread inside a hook.
struct Inside(&'static mut Thread);

impl Deref for Inside {
    type Target = Thread;
    #[inline]
    fn deref(&self) -> &Thread {
        self.0
    }
}

impl DerefMut for Inside {
    #[inline]
    fn deref_mut(&mut self) -> &mut Thread {
        self.0
    }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        self.0.inside = 0;
    }
}

/// Enters a hook; `None` when the call is not to be recorded.
#[inline]
fn enter() -> Option<Inside> {
    let now = MODE.mode.load(Ordering::Relaxed);
    if now != mode::RECORDING && !decide(now) {
        return None;
    }
    let thread = thread::current()?;
    thread.inside = 1;
    Some(Inside(thread))
}

/// Whether to record after all: there is an interpreter now, or this is a forked child's first event.
#[cold]
fn decide(now: u32) -> bool {
    match now {
        mode::WATCHING => start::begin_with_interpreter(),
        mode::UNDECIDED => real::is_ready() && start::start_over_after_fork(),
        _ => false,
    }
}
