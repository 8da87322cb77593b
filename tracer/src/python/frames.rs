//! The calling thread's frames, as words.
//!
//! A thread may read its own frames with or without the GIL: nobody else pushes or pops them. Nothing here
//! interprets what the words point to.

use super::interpreter::{Interpreter, ThreadStateFunction};
use super::markers::{Marker, Marking};
use super::memory::{byte, word};
use super::versions::{Entries, FrameLayout, Running, ThreadLayout};
use crate::native;
use crate::sys::read_if_mapped;

/// A frame of the interpreter; only its address means something.
#[repr(transparent)]
pub struct Frame(u8);

/// What the tracer reads of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameWords {
    /// Address of the code object, or of whatever stands in its place in a frame without Python code (a call from
    /// C): such a frame is not shown, see [`super::visibility`].
    pub code: usize,
    /// The instruction, as the interpreter keeps it: an index or an address. From a reader of [`WalkStart`], perhaps with
    /// [`ENTERED`].
    pub instruction: usize,
    /// The calling frame, or null.
    pub previous: *const Frame,
}

/// A bit of [`FrameWords::instruction`], where native stacks are recorded: the interpreter's loop was called anew for the
/// frame. From 3.12 on the frame without Python code that stands before it says the same.
pub const ENTERED: usize = 1 << (usize::BITS - 1);

/// Reads frames.
#[derive(Clone, Copy)]
pub struct FrameReader {
    code: usize,
    object_mask: usize,
    instruction: usize,
    instruction_mask: usize,
    previous: usize,
    marker_mask: usize,
    /// The byte whose lowest bit says whether the loop was called anew, if `entry_mask` lets it through.
    entry: usize,
    entry_mask: usize,
    /// Is in every instruction.
    entered: usize,
}

impl FrameReader {
    pub(super) const fn new(layout: &FrameLayout, marking: &Marking) -> Self {
        Self {
            code: layout.code,
            object_mask: layout.object_mask,
            instruction: layout.instruction,
            instruction_mask: layout.instruction_mask,
            previous: layout.previous,
            marker_mask: marking.mask(),
            entry: 0,
            entry_mask: 0,
            entered: 0,
        }
    }

    /// The same, with [`ENTERED`] in instructions.
    const fn with_entries(self, layout: &FrameLayout) -> Self {
        match layout.entries {
            Entries::Every => Self { entered: ENTERED, ..self },
            Entries::Byte(entry) => Self { entry, entry_mask: 1, ..self },
            Entries::Shim => self,
        }
    }

    /// Whether a marker stays valid when its frame goes on in another instruction.
    #[inline(always)]
    pub const fn markers_outlive_instructions(&self) -> bool {
        self.marker_mask != usize::MAX
    }

    /// Whether a frame still has the marker: then it has not been resumed since it was set, or at least is the same
    /// activation, and no frame outside it has changed.
    ///
    /// # Safety
    ///
    /// As for [`Self::read`]; and unless markers outlive instructions, the frame's words must be those of the frame
    /// at this address that the marker was set in.
    #[inline(always)]
    pub unsafe fn is_marked(&self, frame: *const Frame, marker: &Marker) -> bool {
        // SAFETY: the same conditions.
        unsafe { marker.is_in(frame, self.marker_mask) }
    }

    /// Reads a frame's words.
    ///
    /// # Safety
    ///
    /// `frame` must be a frame of the calling thread that is alive: what [`WalkStart::innermost`] just returned, or a
    /// `previous` of such a frame that is not null.
    #[inline(always)]
    pub unsafe fn read(&self, frame: *const Frame) -> FrameWords {
        let address = frame as usize;
        // SAFETY: all offsets are inside the frame.
        unsafe {
            FrameWords {
                code: word(address, self.code) & self.object_mask,
                instruction: word(address, self.instruction) & self.instruction_mask
                    | self.entered
                    | (usize::from(byte(address, self.entry)) & self.entry_mask) << (usize::BITS - 1),
                previous: word(address, self.previous) as *const Frame,
            }
        }
    }
}

/// Whether a frame has no Python code: the interpreter enters one for each call from C.
///
/// # Safety
///
/// As for [`FrameReader::read`].
pub(super) unsafe fn is_shim(layout: &FrameLayout, frame: *const Frame) -> bool {
    // SAFETY: the offset is inside the frame.
    u16::from(unsafe { byte(frame as usize, layout.owner) }) >= layout.shim_owner
}

/// The frame pointer that a thread state holds.
///
/// # Safety
///
/// `thread_state` must be the calling thread's, alive, and laid out as the layout says.
#[inline]
pub(super) unsafe fn innermost(layout: &ThreadLayout, thread_state: usize) -> *const Frame {
    let holder = match layout.cframe {
        // SAFETY: a thread state always points to a `_PyCFrame` where there is such a thing.
        Some(offset) => unsafe { word(thread_state, offset) },
        None => thread_state,
    };
    // SAFETY: the holder has the frame pointer at this offset.
    unsafe { word(holder, layout.frame) as *const Frame }
}

/// All that the beginning of a walk needs, side by side: it is read at every allocation.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct WalkStart {
    reader: FrameReader,
    thread: ThreadLayout,
    running_thread_state: ThreadStateFunction,
    bound_thread_state: ThreadStateFunction,
    /// Address of the pointer to the main interpreter, in `_PyRuntime`; the pointer to the newest one stands before it.
    main_interpreter: usize,
    marking: Marking,
}

impl WalkStart {
    pub(super) fn new(interpreter: &Interpreter, marking: Marking) -> Self {
        let layout = &interpreter.layout.frame;
        let reader = FrameReader::new(layout, &marking);
        Self {
            reader: if native::is_on() { reader.with_entries(layout) } else { reader },
            marking,
            thread: interpreter.layout.thread,
            running_thread_state: interpreter.running_thread_state,
            bound_thread_state: interpreter.functions.bound_thread_state,
            main_interpreter: interpreter.runtime + interpreter.layout.main_interpreter,
        }
    }

    /// The calling thread's thread state, with or without the GIL; 0 if it has none.
    #[inline]
    pub(super) fn thread_state(&self) -> usize {
        match self.thread.running {
            Running::Own => {
                // SAFETY: reads one thread-local word.
                let running = unsafe { (self.running_thread_state)() };
                if running != 0 {
                    return running;
                }
            }
            Running::OfGilHolder { thread_id } => {
                if self.has_subinterpreters()
                    && let Some(running) = self.running_here(thread_id)
                {
                    return running;
                }
            }
        }
        // SAFETY: reads a thread-specific value; null before initialization and for threads Python does not know.
        unsafe { (self.bound_thread_state)() }
    }

    /// Whether there is another interpreter than the main one: new ones are put before it in a list.
    #[inline]
    fn has_subinterpreters(&self) -> bool {
        // SAFETY: both pointers are in `_PyRuntime`, which is static.
        unsafe { word(self.main_interpreter, 0) != word(self.main_interpreter - 8, 0) }
    }

    /// The running thread state, if it is the calling thread's. What is bound to a thread before 3.12 is its thread state
    /// in the main interpreter; in another interpreter it is the running one. Without the GIL a thread is not the running
    /// one, and shows what it does in the main interpreter.
    #[cold]
    fn running_here(&self, thread_id: usize) -> Option<usize> {
        // SAFETY: reads one word of `_PyRuntime`; `pthread_self` has no preconditions.
        let (running, own) = unsafe { ((self.running_thread_state)(), libc::pthread_self()) };
        // It may be another thread's, which may end at any moment.
        let theirs = if running == 0 { None } else { read_if_mapped(running + thread_id) };
        (theirs == Some(own as usize)).then_some(running)
    }

    /// How frames are marked.
    #[inline]
    pub const fn marking(&self) -> &Marking {
        &self.marking
    }

    /// How frames are read.
    #[inline]
    pub const fn reader(&self) -> &FrameReader {
        &self.reader
    }

    /// The calling thread's innermost frame; `None` when it has none.
    #[inline]
    pub fn innermost(&self) -> Option<*const Frame> {
        let thread_state = self.thread_state();
        if thread_state == 0 {
            return None;
        }
        // SAFETY: the thread state is ours and alive.
        let frame = unsafe { innermost(&self.thread, thread_state) };
        if frame.is_null() { None } else { Some(frame) }
    }
}
