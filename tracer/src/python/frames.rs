//! The calling thread's frames, as words.
//!
//! A thread may read its own frames with or without the GIL: nobody else pushes or pops them. Nothing here
//! interprets what the words point to.

use core::ptr;

use super::interpreter::Interpreter;
use super::memory::{byte, word};
use super::versions::FrameLayout;

/// A frame of the interpreter; only its address means something.
#[repr(transparent)]
pub struct Frame(u8);

/// What the tracer reads of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameWords {
    /// Address of the code object; 0 for a frame without Python code (a call from C), which is to be skipped.
    pub code: usize,
    /// The instruction, as the interpreter keeps it: an index or an address.
    pub instruction: usize,
    /// The calling frame, or null.
    pub previous: *const Frame,
}

impl FrameWords {
    /// Whether this frame has no Python code and is to be skipped.
    #[inline(always)]
    pub fn is_shim(&self) -> bool {
        self.code == 0
    }
}

/// Reads frames. A small value for the stack: take one per walk, so that the offsets stay in registers.
#[derive(Clone, Copy)]
pub struct FrameReader {
    code: usize,
    instruction: usize,
    instruction_mask: usize,
    previous: usize,
    owner: usize,
    shim_owner: u16,
}

impl FrameReader {
    pub(super) const fn new(layout: &FrameLayout) -> Self {
        Self {
            code: layout.code,
            instruction: layout.instruction,
            instruction_mask: layout.instruction_mask,
            previous: layout.previous,
            owner: layout.owner,
            shim_owner: layout.shim_owner,
        }
    }

    /// Reads a frame's words.
    ///
    /// # Safety
    ///
    /// `frame` must be a frame of the calling thread that is alive: what [`super::current_frame`] just returned, or a
    /// `previous` of such a frame that is not null.
    #[inline(always)]
    pub unsafe fn read(&self, frame: *const Frame) -> FrameWords {
        let address = frame as usize;
        // SAFETY: all offsets are inside the frame.
        unsafe {
            let is_shim = u16::from(byte(address, self.owner)) >= self.shim_owner;
            FrameWords {
                code: if is_shim { 0 } else { word(address, self.code) },
                instruction: word(address, self.instruction) & self.instruction_mask,
                previous: word(address, self.previous) as *const Frame,
            }
        }
    }

    /// The nearest frame with Python code, from `frame` outwards; null if there is none.
    ///
    /// # Safety
    ///
    /// `frame` must be null or as for [`FrameReader::read`].
    #[inline]
    pub unsafe fn skip_shims(&self, mut frame: *const Frame) -> *const Frame {
        while !frame.is_null() {
            // SAFETY: frames link to frames that are alive.
            let words = unsafe { self.read(frame) };
            if !words.is_shim() {
                break;
            }
            frame = words.previous;
        }
        frame
    }
}

/// The frame pointer that a thread state holds.
///
/// # Safety
///
/// `thread_state` must be the calling thread's, alive, and laid out as the interpreter's layout says.
#[inline]
pub(super) unsafe fn innermost(interpreter: &Interpreter, thread_state: usize) -> *const Frame {
    let layout = &interpreter.layout.thread;
    let holder = match layout.cframe {
        // SAFETY: a thread state always points to a `_PyCFrame` where there is such a thing.
        Some(offset) => unsafe { word(thread_state, offset) },
        None => thread_state,
    };
    // SAFETY: the holder has the frame pointer at this offset.
    unsafe { word(holder, layout.frame) as *const Frame }
}

/// The calling thread's innermost frame with Python code, or null.
///
/// # Safety
///
/// The interpreter's layout must be proven.
#[inline]
pub(super) unsafe fn current(interpreter: &Interpreter, finalizing: usize) -> *const Frame {
    let thread_state = interpreter.thread_state();
    // Once another thread finalizes the interpreter, it frees this thread's state at a moment of its choice.
    if thread_state == 0 || (finalizing != 0 && finalizing != thread_state) {
        return ptr::null();
    }
    // SAFETY: the thread state is ours and alive.
    unsafe {
        let frame = innermost(interpreter, thread_state);
        FrameReader::new(&interpreter.layout.frame).skip_shims(frame)
    }
}
