//! Starting and stopping a recording from inside the process: C functions for whoever has loaded this library, early or late.
//!
//! What was allocated before the start is not known, and freeing it counts as nothing. After a stop, the hooks only call what
//! they hook, and another start makes another capture.

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::Ordering;

use crate::lock::Lock;
use crate::modes::Modes;
use crate::python::{self, Detection};
use crate::recorder::{MODE, mode};
use crate::{hooks, import_tables, real, start, sys};

/// Raised when a function here comes to mean something else, or goes.
const VERSION: c_int = 1;

const DONE: c_int = 0;
/// A recording goes on already.
const RECORDS_ALREADY: c_int = -1;
/// There is no Python in this process, or not the C library that is needed.
const NO_PYTHON: c_int = -2;
/// The path is missing, empty or too long.
const BAD_PATH: c_int = -3;
/// The capture cannot be made: there is a file of this name, or no such folder, or no room.
const NO_CAPTURE: c_int = -4;
/// There is no recording to stop.
const NOTHING_RECORDED: c_int = -5;

/// Starts and stops are one after the other.
static CHANGING: Lock<()> = Lock::new(());

/// The version of these functions.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn heaphint_api_version() -> c_int {
    VERSION
}

/// Starts a recording of this process. `path` is the capture, a new file; `%p` in it stands for the process id. `modes` are
/// words as `HEAPHINT_MODES` has them, null for the usual ones. The project, whose lines have exact maxima, is what
/// `HEAPHINT_PROJECT` says, else the working directory. 0, or what is wrong, less than 0.
///
/// With the GIL held, everything that is allocated after the return has its Python frames. Without it they come a moment later,
/// when the main thread runs Python code.
///
/// # Safety
///
/// Both must be null or strings.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn heaphint_start(path: *const c_char, modes: *const c_char) -> c_int {
    let _errno = sys::ErrnoGuard::new();
    if path.is_null() {
        return BAD_PATH;
    }
    // SAFETY: as the caller says.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    let modes = if modes.is_null() {
        Modes::NONE
    } else {
        // SAFETY: as above.
        Modes::parse(unsafe { CStr::from_ptr(modes) }.to_bytes())
    };
    if !real::find_all() || python::detect() == Detection::NotPython || !python::has_interpreter() {
        return NO_PYTHON;
    }
    {
        let _changing = CHANGING.lock();
        let now = MODE.mode.load(Ordering::Relaxed);
        if now == mode::RECORDING || (now == mode::UNDECIDED && start::recorded_process() != 0) {
            return RECORDS_ALREADY;
        }
        // Whoever waits for an interpreter waits no longer.
        MODE.mode.store(mode::INERT, Ordering::Relaxed);
        let Some(begun) = start::begin_from_inside(path, modes) else { return BAD_PATH };
        if begun.is_err() {
            return NO_CAPTURE;
        }
    }
    if !hooks::is_first() {
        import_tables::change_all();
    }
    python::prove_now();
    DONE
}

/// Ends the recording: what lives now counts as left. 0, or what is wrong, less than 0.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn heaphint_stop() -> c_int {
    let _changing = CHANGING.lock();
    let is_own = start::recorded_process() == sys::process_id();
    if !is_own || MODE.mode.load(Ordering::Relaxed) != mode::RECORDING {
        return NOTHING_RECORDED;
    }
    start::stop_from_inside();
    DONE
}
