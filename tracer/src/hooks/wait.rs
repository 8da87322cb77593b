//! Waiting for children: who learns how one has ended notes it in its capture. A process that a signal ends cannot do so itself.
//!
//! Only where these are found by name: a recording that was begun late, from inside, belongs to no session. Who waits by
//! `wait3` or `waitid`, which is rare, notes nothing.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::Ordering;

use crate::real::call;
use crate::recorder::{MODE, mode};
use crate::{start, sys};

/// Notes how a child has ended: its exit code, or minus the signal.
#[cold]
fn note(pid: libc::pid_t, status: c_int) {
    // The settings do not change while there is a recording, which a signal's handler that waits relies upon.
    if MODE.mode.load(Ordering::Relaxed) == mode::RECORDING {
        let _errno = sys::ErrnoGuard::new();
        start::note_end(pid as u32, status);
    }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn wait4(
    pid: libc::pid_t,
    status: *mut c_int,
    options: c_int,
    usage: *mut c_void,
) -> libc::pid_t {
    let mut own = 0;
    let place = if status.is_null() { &raw mut own } else { status };
    // SAFETY: the arguments are the program's own; a status is written for each child that is returned.
    let (ended, status) = unsafe {
        let ended = call::wait4(pid, place, options, usage);
        (ended, if ended > 0 { *place } else { return ended })
    };
    if libc::WIFEXITED(status) {
        note(ended, libc::WEXITSTATUS(status));
    } else if libc::WIFSIGNALED(status) {
        note(ended, -libc::WTERMSIG(status));
    }
    ended
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn waitpid(pid: libc::pid_t, status: *mut c_int, options: c_int) -> libc::pid_t {
    // SAFETY: the arguments are the program's own.
    unsafe { wait4(pid, status, options, null_mut()) }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn wait(status: *mut c_int) -> libc::pid_t {
    // SAFETY: the argument is the program's own.
    unsafe { wait4(-1, status, 0, null_mut()) }
}
