//! The calling thread's Python stack, without asking the interpreter.
//!
//! Each thread remembers the frames of its last walk, outermost first, with the stack id of each. A stack is a
//! pure function of the words read, so remembered frames are checked by reading them again at their remembered
//! addresses: each address is proven by the link of the frame inside it before it is read, and since it does
//! not come out of the load before, the loads overlap. Only frames whose words differ need their ids looked up.
//!
//! A frame that still has the marker it was remembered with has not been resumed since, so nothing outside it has
//! changed, and the check ends there: a deep stack costs no more than a flat one. [`crate::python::Marking`] says
//! what a marker is. The remembered frames are always those of the thread's last walk, all of them; that is why a
//! frame's marker speaks for the ones before it.

use core::ptr::null;

use crate::intern::{self, NO_PARENT, RawFrame};
use crate::private::Array;
use crate::python::{Frame, FrameReader, Marker, Marking, WalkStart};

/// How many frames are read one by one before the remembered ones are given up.
const MOST_NEW_FRAMES: usize = 64;
/// The same where markers tell the remembered ones: deep recursion may go on for long between two allocations.
const MOST_NEW_BEFORE_MARKED: usize = 4096;
/// How many of the innermost remembered frames are compared with each frame read.
const NEARBY: usize = 8;

/// The frames of a thread's last walk.
pub struct RememberedStack {
    /// Outermost first.
    frames: Array<RawFrame>,
    /// Frames read in this walk, innermost first.
    fresh: Array<RawFrame>,
    generation: u32,
    /// How many outermost frames need no new marker after this walk.
    marked: usize,
    /// Counts the markers that were set.
    last_marker: usize,
}

impl RememberedStack {
    pub const fn new() -> Self {
        Self { frames: Array::new(), fresh: Array::new(), generation: 0, marked: 0, last_marker: 0 }
    }

    /// All frames, outermost first.
    pub fn frames(&mut self) -> &mut [RawFrame] {
        self.frames.as_mut_slice()
    }

    /// How many code objects had died at the last walk: what is remembered by address is of before the next death.
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.frames.truncate(0);
    }

    /// Walks. The first so many of [`Self::frames`] have a valid stack; the caller gives the others theirs.
    #[inline]
    pub fn walk(&mut self, start: &WalkStart) -> usize {
        let generation = intern::generation();
        if self.generation != generation {
            self.generation = generation;
            self.clear();
        }
        let reader = start.reader();
        let Some(innermost) = start.innermost() else {
            self.clear();
            return 0;
        };
        let frames = self.frames.as_mut_slice();
        if frames.last().is_some_and(|known| known.frame == innermost as usize) {
            match verify(frames, reader) {
                Ok(Verified { valid, marked }) => {
                    self.marked = marked;
                    return valid;
                }
                Err(kept) => self.frames.truncate(kept),
            }
        }
        self.walk_new(start, innermost)
    }

    /// Marks the frames that the last walk had to read. To be called in the same event, once all have their stacks.
    #[inline]
    pub fn mark(&mut self, marking: &Marking) {
        if !marking.is_on() {
            return;
        }
        let mut unmarked = self.frames.as_mut_slice().get_mut(self.marked..).unwrap_or_default();
        let mut callee = null();
        if marking.needs_callee()
            && let Some((innermost, outer)) = core::mem::take(&mut unmarked).split_last_mut()
        {
            innermost.marker = Marker::NONE;
            callee = innermost.frame as *const Frame;
            unmarked = outer;
        }
        for known in unmarked.iter_mut().rev() {
            let frame = known.frame as *const Frame;
            self.last_marker += 1;
            // SAFETY: the frames were just read in the calling thread's chain.
            known.marker = unsafe { marking.mark(frame, callee, known.in_call, self.last_marker) };
            callee = frame;
        }
    }

    /// Walks when the innermost frame is a new one: reads new frames up to a remembered one.
    #[inline(never)]
    fn walk_new(&mut self, start: &WalkStart, innermost: *const Frame) -> usize {
        let nearby = self.frames.len().saturating_sub(NEARBY);
        let (reader, marking) = (start.reader(), start.marking());
        let mut frame = innermost;
        self.fresh.truncate(0);
        let most_new = if marking.is_on() { MOST_NEW_BEFORE_MARKED } else { MOST_NEW_FRAMES };
        for _ in 0..most_new {
            let is_this = |known: &RawFrame| known.frame == frame as usize;
            let frames = self.frames.as_slice();
            let mut found = frames.get(nearby..).unwrap_or_default().iter().rposition(is_this);
            if let Some(at) = &mut found {
                *at += nearby;
            // SAFETY: the frame is in the calling thread's chain.
            } else if unsafe { marking.seems_marked(frame) } {
                found = frames.iter().rposition(is_this);
                if found.is_none() {
                    // It was marked in another chain of frames (greenlets have several): all of them are new.
                    break;
                }
            }
            if let Some(at) = found {
                self.frames.truncate(at + 1);
                match verify(self.frames.as_mut_slice(), reader) {
                    Ok(Verified { valid, marked }) => {
                        self.marked = marked;
                        return if self.append_fresh() { valid } else { 0 };
                    }
                    Err(kept) => self.frames.truncate(kept),
                }
                break;
            }
            let Some(previous) = self.read_fresh(reader, frame) else { return 0 };
            if previous.is_null() {
                self.frames.truncate(0);
                self.marked = 0;
                self.append_fresh();
                return 0;
            }
            frame = previous;
        }
        self.walk_all(reader, innermost)
    }

    /// Reads a frame into `fresh`; the next outer one. `None` without memory: then there is no stack at all.
    #[inline]
    fn read_fresh(&mut self, reader: &FrameReader, frame: *const Frame) -> Option<*const Frame> {
        // SAFETY: the frame is in the calling thread's chain, which only this thread changes.
        let words = unsafe { reader.read(frame) };
        let raw = RawFrame {
            frame: frame as usize,
            code: words.code,
            instruction: words.instruction,
            parent: NO_PARENT,
            ..RawFrame::default()
        };
        if self.fresh.push(raw) {
            Some(words.previous)
        } else {
            self.clear();
            None
        }
    }

    fn append_fresh(&mut self) -> bool {
        for raw in self.fresh.as_slice().iter().rev() {
            if !self.frames.push(*raw) {
                self.clear();
                return false;
            }
        }
        true
    }

    /// Reads every frame, and keeps the ids of outer frames that are as remembered.
    #[cold]
    fn walk_all(&mut self, reader: &FrameReader, innermost: *const Frame) -> usize {
        self.fresh.truncate(0);
        let mut frame = innermost;
        while !frame.is_null() {
            let Some(previous) = self.read_fresh(reader, frame) else { return 0 };
            frame = previous;
        }
        let same = |(now, known): &(&RawFrame, &RawFrame)| {
            now.frame == known.frame && now.code == known.code && now.instruction == known.instruction
        };
        let valid = self.fresh.as_slice().iter().rev().zip(self.frames.as_slice()).take_while(same).count();
        self.frames.truncate(valid);
        let depth = self.fresh.len();
        self.fresh.truncate(depth - valid);
        self.marked = 0;
        if self.append_fresh() { valid } else { 0 }
    }
}

/// See [`verify`].
struct Verified {
    /// How many outermost frames are as remembered.
    valid: usize,
    /// How many outermost frames are known to be unchanged by the marker of the innermost of them.
    marked: usize,
}

/// Reads remembered frames again, of which the innermost is in the thread's chain, up to one with its marker. When
/// the chain itself has changed: how many outermost frames may be kept to compare with.
#[inline(always)]
fn verify(frames: &mut [RawFrame], reader: &FrameReader) -> Result<Verified, usize> {
    let mut valid = frames.len();
    let mut link = frames.last().map_or(0, |innermost| innermost.frame);
    let mut i = frames.len();
    while let Some(known) = i.checked_sub(1).and_then(|i| frames.get_mut(i)) {
        i -= 1;
        if known.frame != link {
            // The words of inner frames may have been replaced, so their stacks are void.
            return Err(i + 1);
        }
        let frame = unlinked(known.frame) as *const Frame;
        // SAFETY: the frame is where the one inside it links to.
        let words = unsafe { reader.read(frame) };
        if (words.instruction ^ known.instruction) | (words.code ^ known.code) != 0 {
            known.code = words.code;
            known.instruction = words.instruction;
            known.parent = NO_PARENT;
            valid = i;
            if !reader.markers_outlive_instructions() {
                known.marker = Marker::NONE;
            }
        }
        // SAFETY: as above, and the frame's words are those that the marker was set with.
        if unsafe { reader.is_marked(frame, &known.marker) } {
            return Ok(Verified { valid, marked: i + 1 });
        }
        link = words.previous as usize;
    }
    if link == 0 { Ok(Verified { valid, marked: 0 }) } else { Err(0) }
}

/// The same address, without the compiler's knowledge that it equals the link: loads that came out of the link would
/// wait for one another.
#[inline(always)]
fn unlinked(mut address: usize) -> usize {
    // SAFETY: does nothing.
    unsafe {
        core::arch::asm!("/* {0} */", inout(reg) address, options(pure, nomem, nostack, preserves_flags));
    }
    address
}
