//! The name that a program gave to a thread.
//!
//! Read from the `threading.Thread` object that runs the thread, which is the first local variable of the thread's
//! outermost frame. Never calls the interpreter; whatever looks unusual gives no name.

use super::frames::{Frame, FrameWords, is_shim};
use super::instances::{attribute, is_text};
use super::interpreter::Interpreter;
use super::memory::word;
use super::text;

/// Copies the name of the calling thread and returns its length in bytes.
///
/// # Safety
///
/// `frame` must be the outermost frame of the calling thread, alive, and `words` what was read from it.
pub(super) unsafe fn name(
    interpreter: &Interpreter,
    frame: *const Frame,
    words: &FrameWords,
    out: &mut [u8],
) -> Option<usize> {
    let layout = &interpreter.layout;
    // The thread object belongs to everybody: it may change as soon as the GIL is not ours.
    // SAFETY: the frame is alive.
    if unsafe { is_shim(&layout.frame, frame) } || !interpreter.holds_gil() {
        return None;
    }
    // SAFETY: the frame is alive and runs this code; its first local is an argument of `Thread._bootstrap`, null or
    // alive under the GIL.
    unsafe {
        let (name, file) = (word(words.code, layout.code.name), word(words.code, layout.code.file));
        let is_bootstrap = text::equals(name, &layout.text, b"Thread._bootstrap")
            || text::equals(name, &layout.text, b"_bootstrap");
        if !is_bootstrap || !text::ends_with(file, &layout.text, b"threading.py") {
            return None;
        }
        let thread = word(frame as usize, layout.frame.locals) & layout.frame.object_mask;
        if thread == 0 {
            return None;
        }
        let name = attribute(layout, thread, b"_name")?;
        if !is_text(name) {
            return None;
        }
        Some(text::copy(name, &layout.text, out)).filter(|length| *length > 0)
    }
}
