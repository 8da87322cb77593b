//! The second self test: do markers vanish when they must, and stay as long as they should?
//!
//! Runs right after [`super::proof`], under the same conditions. Without it, or when anything is unexpected, frames
//! are not marked; nothing else changes.

use core::ffi::CStr;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};

use super::codes;
use super::frames::{Frame, FrameReader, WalkStart};
use super::interpreter::{Interpreter, Object};
use super::markers::{Marker, Marking};
use super::once::Once;
use super::proof::{Definition, call_back, returned};

/// Calls back twice from each of two calls at one place, then once from a generator.
const KNOWN_CALLS: &CStr = c"
def inner(check):
    check(None)
    check(None)
def outer(check):
    for _ in (1, 2):
        inner(check)
def generator(check):
    yield check(None)
outer(check)
for _ in generator(check):
    pass
";
const KNOWN_FUNCTIONS: [&CStr; 3] = [c"inner", c"outer", c"generator"];
const CALLBACKS: u8 = 5;

static DEFINITION: Definition = Definition::new(check);
/// What is tested.
static MARKING: Once<Marking> = Once::new();
/// The marker that was set last, and where.
static MARKER: crate::lock::Lock<Marker> = crate::lock::Lock::new(Marker::NONE);
static MARKED: AtomicPtr<Frame> = AtomicPtr::new(ptr::null_mut());
static CALLBACK: AtomicU8 = AtomicU8::new(0);
static IS_AS_EXPECTED: AtomicBool = AtomicBool::new(true);

/// Whether frames can be marked.
///
/// # Safety
///
/// The GIL must be held, at a point where Python code may run, and the layout of frames must be proven.
pub(super) unsafe fn run(interpreter: &Interpreter, marking: &Marking) -> bool {
    MARKING.set(*marking);
    // SAFETY: the same conditions.
    let has_run = unsafe { call_back(interpreter, KNOWN_CALLS, &KNOWN_FUNCTIONS, &DEFINITION) };
    has_run && CALLBACK.load(Ordering::Relaxed) == CALLBACKS && IS_AS_EXPECTED.load(Ordering::Relaxed)
}

unsafe extern "C" fn check(_module: Object, argument: Object) -> Object {
    let callback = CALLBACK.fetch_add(1, Ordering::Relaxed) + 1;
    if let (Some(interpreter), Some(marking)) = (super::interpreter(), MARKING.get()) {
        // SAFETY: called by Python code, so the GIL is held and this thread has frames.
        let is_expected = unsafe { check_callback(interpreter, marking, callback) };
        if !is_expected {
            IS_AS_EXPECTED.store(false, Ordering::Relaxed);
        }
    }
    returned(argument)
}

/// # Safety
///
/// The GIL must be held, and the calling thread be in [`KNOWN_CALLS`].
unsafe fn check_callback(interpreter: &Interpreter, marking: &Marking, callback: u8) -> bool {
    let start = WalkStart::new(interpreter, *marking);
    let (reader, Some(innermost)) = (start.reader(), start.innermost()) else { return false };
    // SAFETY: frames of the calling thread, linked from the current one, which was entered from Python code; the two
    // outer ones are there, as the code says.
    unsafe {
        let words = reader.read(innermost);
        if callback == CALLBACKS {
            let caller = words.previous;
            return !marking.is_ordinary(innermost)
                && !is_set(marking.mark(innermost, ptr::null(), true, 0))
                && (reader.markers_outlive_instructions()
                    || !is_set(marking.mark(caller, innermost, true, 0)));
        }
        let outer = reader.read(words.previous);
        let (frame, callee, in_call) = if reader.markers_outlive_instructions() {
            (innermost, ptr::null(), true)
        } else {
            let in_call = codes::is_call(interpreter, outer.code, outer.instruction);
            (words.previous, innermost, in_call)
        };
        if !marking.is_ordinary(innermost) || !marking.is_ordinary(words.previous) || !in_call {
            return false;
        }
        if callback.is_multiple_of(2) {
            // The frame has not been resumed, or is at least the same activation.
            return holds(reader, frame);
        }
        // It has been resumed and is at the same call again, or it is a new activation.
        let is_void = callback == 1 || !holds(reader, frame);
        let marker = marking.mark(frame, callee, in_call, callback.into());
        MARKED.store(frame.cast_mut(), Ordering::Relaxed);
        *MARKER.lock() = marker;
        is_void
            && is_set(marker)
            && marking.seems_marked(frame)
            && (reader.markers_outlive_instructions()
                || !is_set(marking.mark(innermost, ptr::null(), true, 0)))
    }
}

fn is_set(marker: Marker) -> bool {
    marker != Marker::NONE
}

/// Whether `frame` is the frame that was marked last, and still is.
///
/// # Safety
///
/// `frame` must be a frame of the calling thread that is alive, at the instruction where it was marked.
unsafe fn holds(reader: &FrameReader, frame: *const Frame) -> bool {
    let marker = *MARKER.lock();
    // SAFETY: the same conditions.
    unsafe { reader.is_marked(frame, &marker) && ptr::eq(MARKED.load(Ordering::Relaxed), frame) }
}
