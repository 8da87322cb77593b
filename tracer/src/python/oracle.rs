//! Entry points for the check that compares walks with `sys._getframe` (`tests/programs/fuzz_stacks.py`).
//!
//! Compiled with the feature `frame-oracle` alone: a library that people use must not export these.

use core::ffi::c_int;
use core::slice;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::{CodeText, Detection, FrameWords};

/// One frame of a walk.
#[repr(C)]
pub struct Entry {
    /// Address of the code object.
    code: usize,
    /// Line; 0 = none.
    line: usize,
}

/// Code objects that died since the proof.
static DEATHS: AtomicUsize = AtomicUsize::new(0);
/// The address of the last one.
static LAST_DEATH: AtomicUsize = AtomicUsize::new(0);

fn note_death(code: usize) {
    DEATHS.fetch_add(1, Ordering::Relaxed);
    LAST_DEATH.store(code, Ordering::Relaxed);
    // The library may be tracing as well.
    crate::intern::code_died(code);
}

/// Finds the interpreter and schedules the self test. 0 no Python, 1 waiting, 2 proven, 3 refused.
#[unsafe(no_mangle)]
pub extern "C" fn heaphint_oracle_event() -> c_int {
    super::watch_code_deaths(note_death);
    let detection = super::detect();
    super::on_event();
    match detection {
        Detection::NotPython => 0,
        Detection::Waiting => 1,
        Detection::Proven => 2,
        Detection::Refused(_) => 3,
    }
}

/// Copies the reason for a refusal and returns its length.
///
/// # Safety
///
/// `out` must have room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heaphint_oracle_refusal(out: *mut u8, capacity: usize) -> usize {
    // SAFETY: promised by the caller.
    unsafe { copy(super::refusal().unwrap_or_default().as_bytes(), out, capacity) }
}

/// Walks the calling thread's stack, innermost frame first, and returns the number of frames.
///
/// # Safety
///
/// `out` must have room for `capacity` entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heaphint_oracle_walk(out: *mut Entry, capacity: usize) -> usize {
    let mut count = 0;
    walk(|frame, words| {
        // SAFETY: the frame was just read.
        if count < capacity && unsafe { super::visibility(frame, words) }.is_shown {
            // SAFETY: there is room, and the words come from one frame.
            unsafe {
                let line = super::line(words.code, words.instruction, &mut super::Cursor::default()) as usize;
                out.add(count).write(Entry { code: words.code, line });
            }
            count += 1;
        }
    });
    count
}

/// Copies name and file of a code object, separated by a line feed, and returns the length.
///
/// # Safety
///
/// `code` must be a live code object, and `out` have room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heaphint_oracle_describe(code: usize, out: *mut u8, capacity: usize) -> usize {
    let mut text = CodeText::new();
    // SAFETY: the script passes a code object that it holds, and room for both texts.
    unsafe {
        super::describe(code, &mut text);
        let mut length = copy(text.name.as_bytes(), out, capacity);
        length += copy(b"\n", out.add(length), capacity - length);
        length + copy(text.file.as_bytes(), out.add(length), capacity - length)
    }
}

/// Copies the calling thread's name and returns its length; 0 if it has none.
///
/// # Safety
///
/// `out` must have room for `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heaphint_oracle_thread_name(out: *mut u8, capacity: usize) -> usize {
    // SAFETY: promised by the caller.
    let out = unsafe { slice::from_raw_parts_mut(out, capacity) };
    let mut outermost = None;
    walk(|frame, words| {
        if !super::is_shim(frame) {
            outermost = Some((frame, *words));
        }
    });
    // SAFETY: the frame was just read and is the last one.
    outermost.and_then(|(frame, words)| unsafe { super::thread_name(frame, &words, out) }).unwrap_or(0)
}

/// The number of code objects that died, and the address of the last.
///
/// # Safety
///
/// `last` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heaphint_oracle_deaths(last: *mut usize) -> usize {
    // SAFETY: promised by the caller.
    unsafe { last.write(LAST_DEATH.load(Ordering::Relaxed)) };
    DEATHS.load(Ordering::Relaxed)
}

/// Whether the interpreter's end has begun.
#[unsafe(no_mangle)]
pub extern "C" fn heaphint_oracle_is_finalizing() -> c_int {
    super::is_finalizing().into()
}

/// Visits the calling thread's frames from the innermost outwards.
fn walk(mut visit: impl FnMut(*const super::Frame, &FrameWords)) {
    let Some(start) = super::walk_start() else { return };
    let mut frame = start.innermost().unwrap_or(core::ptr::null());
    while !frame.is_null() {
        // SAFETY: frames of the calling thread, linked from the current one.
        let mut words = unsafe { start.reader().read(frame) };
        words.instruction &= !super::ENTERED;
        visit(frame, &words);
        frame = words.previous;
    }
}

/// # Safety
///
/// `out` must have room for `capacity` bytes.
unsafe fn copy(bytes: &[u8], out: *mut u8, capacity: usize) -> usize {
    let length = bytes.len().min(capacity);
    // SAFETY: both have `length` bytes.
    unsafe { out.copy_from_nonoverlapping(bytes.as_ptr(), length) };
    length
}
