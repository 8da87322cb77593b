//! The calling thread's Python stack, without asking the interpreter.
//!
//! Each thread remembers the frames of its last walk, outermost first, with the stack id of each. A stack is a
//! pure function of the words read, so remembered frames are checked by reading them again at their remembered
//! addresses: each address is proven by the link of the frame inside it before it is read, and since it does
//! not come out of the load before, the loads overlap. Only frames whose words differ need their ids looked up.

use crate::intern::{self, RawFrame};
use crate::private::Array;
use crate::python::{self, Frame, FrameReader};

/// How many frames are read one by one before the remembered ones are given up.
const MOST_NEW_FRAMES: usize = 16;
/// How many of the innermost remembered frames are compared with each frame read.
const NEARBY: usize = 8;

/// The frames of a thread's last walk.
pub struct RememberedStack {
    /// Outermost first.
    frames: Array<RawFrame>,
    /// Frames read in this walk, innermost first.
    fresh: Array<RawFrame>,
    generation: u32,
}

impl RememberedStack {
    pub const fn new() -> Self {
        Self { frames: Array::new(), fresh: Array::new(), generation: 0 }
    }

    /// All frames, outermost first.
    pub fn frames(&mut self) -> &mut [RawFrame] {
        self.frames.as_mut_slice()
    }

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.frames.truncate(0);
    }

    /// Walks. The first so many of [`Self::frames`] have a valid stack; the caller gives the others theirs.
    #[inline]
    pub fn walk(&mut self) -> usize {
        let generation = intern::generation();
        if self.generation != generation {
            self.generation = generation;
            self.clear();
        }
        let Some((reader, innermost)) = python::start_walk() else {
            self.clear();
            return 0;
        };
        let frames = self.frames.as_mut_slice();
        if frames.last().is_some_and(|known| known.frame == innermost as usize) {
            match verify(frames, reader) {
                Ok(valid) => return valid,
                Err(kept) => self.frames.truncate(kept),
            }
        }
        self.walk_new(reader, innermost)
    }

    /// Walks when the innermost frame is a new one: reads new frames up to a remembered one.
    #[inline(never)]
    fn walk_new(&mut self, reader: FrameReader, innermost: *const Frame) -> usize {
        let nearby = self.frames.len().saturating_sub(NEARBY);
        let mut frame = innermost;
        self.fresh.truncate(0);
        for _ in 0..MOST_NEW_FRAMES {
            let known = self.frames.as_slice().get(nearby..).unwrap_or_default();
            if let Some(at) = known.iter().rposition(|known| known.frame == frame as usize) {
                self.frames.truncate(nearby + at + 1);
                match verify(self.frames.as_mut_slice(), reader) {
                    Ok(valid) => return if self.append_fresh() { valid } else { 0 },
                    Err(kept) => self.frames.truncate(kept),
                }
                break;
            }
            let Some(previous) = self.read_fresh(reader, frame) else { return 0 };
            if previous.is_null() {
                self.frames.truncate(0);
                self.append_fresh();
                return 0;
            }
            frame = previous;
        }
        self.walk_all(reader, innermost)
    }

    /// Reads a frame into `fresh`; the next outer one. `None` without memory: then there is no stack at all.
    #[inline]
    fn read_fresh(&mut self, reader: FrameReader, frame: *const Frame) -> Option<*const Frame> {
        // SAFETY: the frame is in the calling thread's chain, which only this thread changes.
        let words = unsafe { reader.read(frame) };
        let raw =
            RawFrame { frame: frame as usize, code: words.code, instruction: words.instruction, stack: 0 };
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
    fn walk_all(&mut self, reader: FrameReader, innermost: *const Frame) -> usize {
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
        if self.append_fresh() { valid } else { 0 }
    }
}

/// Reads remembered frames again, of which the innermost is in the thread's chain. How many outermost ones are as
/// remembered; or, when the chain itself has changed, how many may be kept to compare with.
#[inline(never)]
fn verify(frames: &mut [RawFrame], reader: FrameReader) -> Result<usize, usize> {
    let mut valid = frames.len();
    let mut link = frames.last().map_or(0, |innermost| innermost.frame);
    for (i, known) in frames.iter_mut().enumerate().rev() {
        if known.frame != link {
            // The words of inner frames may have been replaced, so their stacks are void.
            return Err(i + 1);
        }
        // SAFETY: the frame is where the one inside it links to.
        let words = unsafe { reader.read(unlinked(known.frame) as *const Frame) };
        if (words.instruction ^ known.instruction) | (words.code ^ known.code) != 0 {
            known.code = words.code;
            known.instruction = words.instruction;
            valid = i;
        }
        link = words.previous as usize;
    }
    if link == 0 { Ok(valid) } else { Err(0) }
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
