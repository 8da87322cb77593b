//! Deep recursion: beyond a depth, frames that repeat are no stacks of their own.
//!
//! A stack of 100 000 calls would need as many records, and each further depth that allocates more of them. Beyond
//! [`FOLD_DEPTH`] a frame at a line that one of the frames just outside it is at, too, has the stack of that one:
//! recursion comes back to the same few stacks however deep it goes, also that of several functions which call each
//! other. How many frames were folded at once stands in the capture. It must depend on nothing but the stack itself, so
//! that the same frames always have the same stack.

use core::mem::offset_of;

use heaphint_format::{FOLD_DEPTH, Fold};

use crate::capture::{CaptureFile, Problem};
use crate::intern::NO_MEMORY;
use crate::private::{Array, Index, hash};

/// How many of the frames just outside are looked at: as many functions may call each other in turn.
const MOST_IN_TURN: usize = 64;

/// What folding needs to know of stacks.
pub struct Folds {
    /// Frames of each stack as it is in the capture.
    depths: Array<u16>,
    /// Records of the capture, by stack.
    index: Index,
}

impl Folds {
    pub const fn new() -> Self {
        Self { depths: Array::new(), index: Index::new() }
    }

    fn depth(&self, stack: u32) -> u16 {
        self.depths.as_slice().get(stack as usize).copied().unwrap_or(0)
    }

    /// Notes a new stack, which is the next one; false without memory.
    pub fn add(&mut self, stack: u32, parent: u32) -> bool {
        let depth = self.depth(parent).saturating_add(1);
        while self.depths.len() < stack as usize {
            if !self.depths.push(0) {
                return false;
            }
        }
        self.depths.push(depth)
    }

    /// The stack that a frame on top of `parent` comes back to; `None` if it has one of its own.
    pub fn find(&self, file: &CaptureFile, parent: u32, code: u32, line: u32) -> Option<u32> {
        if u32::from(self.depth(parent)) < FOLD_DEPTH {
            return None;
        }
        let mut at = parent;
        for _ in 0..MOST_IN_TURN {
            let stack = file.stacks.get(at);
            if stack.code == code && stack.line == line {
                return Some(at);
            }
            at = stack.parent;
        }
        None
    }

    /// Notes that a frame has come back to a stack, as the `level`-th frame of its thread.
    pub fn note(&mut self, file: &mut CaptureFile, stack: u32, level: u32) -> Result<(), Problem> {
        let frames = level.saturating_sub(self.depth(stack).into());
        let hash_of = |stack: u32| hash(u64::from(stack), 0);
        let Some(id) = self.index.find(hash_of(stack), |id| file.folds.get(id).stack == stack) else {
            let id = file.push_fold(Fold { stack, frames })?;
            let inserted = self.index.insert(hash_of(stack), id, |id| hash_of(file.folds.get(id).stack));
            return if inserted { Ok(()) } else { Err(NO_MEMORY) };
        };
        if file.folds.get(id).frames < frames {
            const _: () = assert!(offset_of!(Fold, stack) == 0 && offset_of!(Fold, frames) == 4);
            file.folds.word(id, 0).store(u64::from(stack) | u64::from(frames) << 32);
        }
        Ok(())
    }
}
