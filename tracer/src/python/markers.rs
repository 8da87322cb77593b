//! Markers in frames: they prove that a frame has not been resumed since an earlier walk, so that the frames
//! outside it need not be read again.
//!
//! A marker stands where the interpreter writes before it could matter and never reads what we wrote:
//!
//! * 3.9 and 3.10: a bit of `f_trace_lines`, which every new frame sets to 1 and the interpreter only compares with
//!   0. Set, it proves the same activation. Frames of generators have other callers each time and are not marked.
//! * 3.11 to 3.13: the word above the operand stack of a frame that is suspended in the call of a Python function.
//!   The call took its first operand from there, so this word must be written before the frame, or a new one at its
//!   address, can come to the same call again; the callee's result goes there too. No code reads words above the top
//!   of the stack: not the collector, nor a frame's destruction, nor an exception's unwinding. An exception leaves
//!   the marker where it is, but then the frame is not suspended in that call any more, or has written the word anew.
//!   Only an ordinary frame (no generator's) whose callee is an ordinary frame linked to it directly is marked: then
//!   the instruction did take its operand from there, which one that resumes a generator does not.
//!
//! * 3.14.5 and later: a bit of `visited`, which every new frame and every copy of one sets to 0. Only the collector of
//!   free-threaded builds (and, before 3.14.5, the incremental one) ever looks at it. It proves the same activation,
//!   and frames of generators are not marked, as before 3.11.
//!
//! What a marker does not see: a debugger that sets `f_lineno` of an outer frame; that shows once the frame goes on.
//! Versions without a marker's place, and those that fail the test in [`super::proof`], have their frames read anew
//! at each walk.

use super::frames::Frame;
use super::memory::{byte, int, word};
use super::versions::{FrameLayout, MarkerPlace};

/// The bit of `f_trace_lines`.
const ACTIVATION_BIT: u8 = 0x40;
/// The bit of `visited`, in the word that has the owner as its third byte.
const VISITED_BIT: usize = 0x8000_0000;
/// What of that word counts: the bit, and that the owner is 0.
const VISITED_MASK: usize = VISITED_BIT | 0x00ff_0000;
/// What marks a word as ours: no address of user space has the highest bit, no object's the lowest ones.
const TAG: usize = 1 << 63 | 0b101;
const TAG_MASK: usize = 1 << 63 | 0b111;
/// A frame of a plain call; the interpreter's number for its owner.
const OWNED_BY_THREAD: u8 = 0;
/// Frames with larger ones are not marked.
const MOST_UNITS: usize = u16::MAX as usize;

/// Where a remembered frame has its marker, and what it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// In units of four bytes from the frame's beginning.
    place: u16,
    value: usize,
}

impl Marker {
    /// Matches nothing: neither a masked bit nor a frame's first word is ever that.
    pub const NONE: Self = Self { place: 0, value: usize::MAX };

    /// See [`super::FrameReader::is_marked`].
    #[inline(always)]
    pub(super) unsafe fn is_in(&self, frame: *const Frame, mask: usize) -> bool {
        // SAFETY: the place is inside the frame.
        unsafe { word(frame as usize, usize::from(self.place) * 4) & mask == self.value }
    }
}

impl Default for Marker {
    fn default() -> Self {
        Self::NONE
    }
}

/// Sets and finds markers.
#[derive(Clone, Copy)]
pub struct Marking {
    place: Option<MarkerPlace>,
    /// What of the word at a marker's place counts.
    mask: usize,
    owner: usize,
    locals: usize,
}

impl Marking {
    /// Sets no markers, and finds none.
    pub const OFF: Self = Self { place: None, mask: usize::MAX, owner: 0, locals: 0 };

    pub(super) const fn new(layout: &FrameLayout) -> Self {
        let mask = match layout.marker {
            _ if IS_CONTROL => 0,
            Some(MarkerPlace::ActivationBit { .. }) => ACTIVATION_BIT as usize,
            Some(MarkerPlace::VisitedBit { .. }) => VISITED_MASK,
            Some(MarkerPlace::DeadSlot { .. }) | None => usize::MAX,
        };
        Self { place: layout.marker, mask, owner: layout.owner, locals: layout.locals }
    }

    /// Whether there are markers at all.
    pub const fn is_on(&self) -> bool {
        self.place.is_some()
    }

    /// Whether a frame is marked for what it called, so that the innermost frame never is.
    pub const fn needs_callee(&self) -> bool {
        matches!(self.place, Some(MarkerPlace::DeadSlot { .. }))
    }

    /// What of the word at a marker's place counts.
    pub(super) const fn mask(&self) -> usize {
        self.mask
    }

    /// Whether a frame is a plain function's: its caller is the same as long as it lives.
    ///
    /// # Safety
    ///
    /// `frame` must be a frame of the calling thread that is alive.
    pub(super) unsafe fn is_ordinary(&self, frame: *const Frame) -> bool {
        let frame = frame as usize;
        // SAFETY: the offsets are inside the frame.
        unsafe {
            match self.place {
                Some(MarkerPlace::ActivationBit { generator, .. }) => word(frame, generator) == 0,
                _ => byte(frame, self.owner) == OWNED_BY_THREAD,
            }
        }
    }

    /// Whether the frame seems to have a marker of ours, perhaps one that nothing remembers.
    ///
    /// # Safety
    ///
    /// `frame` must be a frame of the calling thread that is alive.
    #[inline]
    pub unsafe fn seems_marked(&self, frame: *const Frame) -> bool {
        let frame = frame as usize;
        // SAFETY: all is inside the frame; the word above the operands is, while the frame is suspended in a call.
        unsafe {
            match self.place {
                None => false,
                Some(MarkerPlace::ActivationBit { trace_lines, .. }) => {
                    byte(frame, trace_lines) & ACTIVATION_BIT != 0
                }
                Some(MarkerPlace::VisitedBit { word: place }) => {
                    word(frame, place) & VISITED_MASK == VISITED_BIT
                }
                Some(MarkerPlace::DeadSlot { stack_top, .. }) => {
                    byte(frame, self.owner) == OWNED_BY_THREAD
                        && usize::try_from(int(frame, stack_top))
                            .is_ok_and(|top| word(frame, self.locals + top * 8) & TAG_MASK == TAG)
                }
            }
        }
    }

    /// Marks a frame, if it may be marked. `callee` is the frame inside it, null for the innermost; `in_call` says
    /// whether its instruction is a call ([`super::is_call`]); no two markers of a thread have the same `number`.
    ///
    /// # Safety
    ///
    /// `frame` and `callee` must be frames of the calling thread that are alive.
    #[inline]
    pub unsafe fn mark(
        &self,
        frame: *const Frame,
        callee: *const Frame,
        in_call: bool,
        number: usize,
    ) -> Marker {
        if IS_CONTROL {
            return Marker { place: 0, value: 0 };
        }
        // SAFETY: all is inside the frames; what is written there is not read by the interpreter, see above.
        unsafe {
            match self.place {
                Some(MarkerPlace::ActivationBit { trace_lines, .. }) => {
                    let flag = byte(frame as usize, trace_lines);
                    // A frame whose lines are not to be traced has 0 there, and must keep it.
                    if flag & 1 == 0 || !self.is_ordinary(frame) {
                        return Marker::NONE;
                    }
                    (frame.cast::<u8>().wrapping_add(trace_lines).cast_mut()).write(flag | ACTIVATION_BIT);
                    Marker { place: (trace_lines / 4) as u16, value: ACTIVATION_BIT.into() }
                }
                Some(MarkerPlace::VisitedBit { word }) => {
                    if !self.is_ordinary(frame) {
                        return Marker::NONE;
                    }
                    let visited = word + 3;
                    let bits = byte(frame as usize, visited);
                    (frame.cast::<u8>().wrapping_add(visited).cast_mut())
                        .write(bits | (VISITED_BIT >> 24) as u8);
                    Marker { place: (word / 4) as u16, value: VISITED_BIT }
                }
                Some(MarkerPlace::DeadSlot { stack_top, is_entry }) => {
                    let is_direct = || {
                        self.is_ordinary(frame)
                            && self.is_ordinary(callee)
                            && is_entry.is_none_or(|offset| byte(callee as usize, offset) == 0)
                    };
                    if callee.is_null() || !(in_call && is_direct()) {
                        return Marker::NONE;
                    }
                    let Ok(top) = usize::try_from(int(frame as usize, stack_top)) else {
                        return Marker::NONE;
                    };
                    let at = self.locals + top * 8;
                    if at / 4 > MOST_UNITS {
                        return Marker::NONE;
                    }
                    let value = number << 3 | TAG;
                    (frame.cast::<u8>().wrapping_add(at).cast_mut().cast::<usize>()).write(value);
                    Marker { place: (at / 4) as u16, value }
                }
                None => Marker::NONE,
            }
        }
    }
}

/// For the tests alone: the marker is nothing at all, so any frame at the same address has it, and there is no proof. The
/// comparison has to find that. Nothing is written into a frame: an interpreter with broken frames might crash or hang
/// before the comparison comes to it.
pub(super) const IS_CONTROL: bool = cfg!(feature = "frame-oracle-control");
