//! Ways out of the process that skip the interpreter's shutdown.

use core::ffi::{c_int, c_void};
use core::sync::atomic::Ordering;

use heaphint_format::StopReason;

use crate::real::call;
use crate::recorder::{MODE, RECORDER, mode};
use crate::thread;

unsafe extern "C" {
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

/// Registers for `exit`, which tells its handlers the status.
pub fn register() {
    // SAFETY: the handler has the right type and lives as long as the process.
    unsafe { on_exit(at_exit, core::ptr::null_mut()) };
}

extern "C" fn at_exit(status: c_int, _: *mut c_void) {
    close(status);
}

fn close(status: c_int) {
    // A forked child that has allocated nothing has no capture, and must not write into its parent's.
    if MODE.mode.load(Ordering::Relaxed) == mode::UNDECIDED || thread::is_inside_hook() {
        return;
    }
    let mut recorder = RECORDER.lock();
    // A child made by vfork that could not exec has its parent's memory, and its parent goes on.
    if recorder.is_of_this_process() {
        recorder.stop(StopReason::Exit);
        recorder.set_exit_status(status & 0xff);
    }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn _exit(status: c_int) {
    close(status);
    // SAFETY: ends the process.
    unsafe { call::_exit(status) }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
#[allow(non_snake_case, reason = "the name is the C library's")]
extern "C" fn _Exit(status: c_int) {
    _exit(status);
}

/// See [`super::heap::HOOKS`]. For import tables alone: who looks these up is as good as gone.
pub(super) static HOOKS: &[super::symbols::Replaced] = &[
    (c"_exit", &crate::real::_exit, super::symbols::Hook(_exit as *const c_void)),
    (c"_Exit", &crate::real::_exit, super::symbols::Hook(_Exit as *const c_void)),
];
