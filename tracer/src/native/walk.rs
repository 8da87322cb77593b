//! The calling thread's native stack.
//!
//! A stack is a pure function of the registers at the hook and of the words read: each return address has one rule that
//! says where the next one is. So a thread remembers the words of its last walk. Where a new walk comes to a frame that
//! it knows, with the same registers, the remembered words are read again, all at once: if they are equal, so are the
//! frames outside. The frame pointer counts only where a rule of an outer frame needs it; elsewhere it is a register
//! like any other, which changes all the time.

use super::memory::StackMemory;
use super::registers::Registers;
use super::rules::{Base, Rule, Saved};
use crate::private::{Array, hash};

/// Frames of a stack; of a deeper one the innermost [`KEPT_OF_DEEP`] are kept.
const MOST_FRAMES: usize = 1 << 16;
const KEPT_OF_DEEP: usize = 1024;
/// Bytes of the return address and the signal's saved registers.
const WORD: usize = size_of::<usize>();
const CHILDREN: usize = 1024;

/// A remembered frame.
#[derive(Clone, Copy)]
struct Known {
    registers: Registers,
    /// Where the caller's return address stands, and what was there.
    return_at: usize,
    return_word: usize,
    /// The same of the caller's frame pointer, where it counts; else the return address again.
    saved_at: usize,
    saved_word: usize,
    /// Its frame in the capture.
    frame: u32,
    /// Whether its frame pointer counts.
    needs_bp: bool,
}

/// A frame just read.
#[derive(Clone, Copy)]
struct Fresh {
    known: Known,
    rule: Rule,
}

#[derive(Clone, Copy)]
struct Child {
    parent: u32,
    address: u32,
    frame: u32,
}

/// A Python stack with native frames.
#[derive(Clone, Copy)]
struct Pair {
    python: u32,
    native: u32,
    /// 0 of one that is none.
    stack: u32,
}

/// Stacks with native frames that a thread keeps.
const PAIRS: usize = 256;

/// What a walk asks of the capture.
pub trait Capture {
    /// Learns the rule of a return address; `None` when recording has ended.
    fn learn(&mut self, pc: usize) -> Option<Rule>;
    /// The frame of an address below its caller's; `None` when recording has ended.
    fn frame(&mut self, parent: u32, address: u32) -> Option<u32>;
    /// The frame that stands for what cannot be read.
    fn unknown(&mut self) -> Option<u32>;
}

/// The last native stack of a thread.
pub struct NativeStack {
    /// Outermost first.
    known: Array<Known>,
    /// Innermost first.
    fresh: Array<Fresh>,
    children: Array<Child>,
    pairs: Array<Pair>,
    memory: StackMemory,
    generation: u32,
}

impl NativeStack {
    pub const fn new() -> Self {
        Self {
            known: Array::new(),
            fresh: Array::new(),
            children: Array::new(),
            pairs: Array::new(),
            memory: StackMemory::new(),
            generation: 0,
        }
    }

    /// Forgets everything but the memory: for another thread.
    pub fn clear(&mut self) {
        self.known.truncate(0);
        self.memory = StackMemory::new();
    }

    /// The stack of a Python stack and native frames, if it is known.
    #[inline]
    pub fn pair(&self, python: u32, native: u32) -> Option<u32> {
        let pair = self.pairs.as_slice().get(Self::pair_place(python, native))?;
        (pair.python == python && pair.native == native && pair.stack != 0).then_some(pair.stack)
    }

    /// Keeps the stack of a Python stack and native frames.
    pub fn keep_pair(&mut self, python: u32, native: u32, stack: u32) {
        if self.pairs.len() == 0 {
            // SAFETY: a pair whose stack is 0 is none. Without memory there is no cache.
            self.pairs = unsafe { Array::zeroed(PAIRS) }.unwrap_or(Array::new());
        }
        if let Some(pair) = self.pairs.as_mut_slice().get_mut(Self::pair_place(python, native)) {
            *pair = Pair { python, native, stack };
        }
    }

    #[inline]
    fn pair_place(python: u32, native: u32) -> usize {
        hash(u64::from(python), u64::from(native)) as usize % PAIRS
    }

    /// The return addresses of the last walk, the innermost first.
    #[cfg(feature = "frame-oracle")]
    pub fn return_addresses(&self) -> impl Iterator<Item = usize> + Clone {
        self.known.as_slice().iter().rev().map(|known| known.registers.pc)
    }

    /// Whether the last walk came to an end.
    #[cfg(feature = "frame-oracle")]
    pub fn is_whole(&self) -> bool {
        self.known.len() > 0
    }

    /// Forgets all that is of an earlier capture.
    pub fn forget(&mut self) {
        self.clear();
        self.children.release();
        self.pairs.release();
    }

    /// Walks; the innermost frame in the capture, 0 without one. `generation` changes whenever rules are void.
    #[inline]
    pub fn walk(&mut self, start: Registers, generation: u32, capture: &mut impl Capture) -> u32 {
        if self.generation != generation {
            self.generation = generation;
            self.known.truncate(0);
        }
        self.memory.cover(start.sp);
        let walked = self.walk_to_known(start, capture);
        walked.unwrap_or_else(|| {
            self.known.truncate(0);
            0
        })
    }

    fn walk_to_known(&mut self, start: Registers, capture: &mut impl Capture) -> Option<u32> {
        self.fresh.truncate(0);
        let mut at = start;
        // Remembered frames that may still be met.
        let mut left = self.known.len();
        let outside = loop {
            let known = self.known.as_slice();
            while let Some(last) = left.checked_sub(1).and_then(|last| known.get(last))
                && last.registers.sp < at.sp
            {
                left -= 1;
            }
            if let Some(last) = left.checked_sub(1).and_then(|last| known.get(last))
                && last.registers.sp == at.sp
                && last.registers.pc == at.pc
                && (!last.needs_bp || last.registers.bp == at.bp)
            {
                match verify(known.get(..left).unwrap_or_default(), &self.memory) {
                    Ok(()) => {
                        let outside = (last.frame, last.needs_bp);
                        self.known.truncate(left);
                        break outside;
                    }
                    Err(valid) => left = valid,
                }
            }
            let rule = match super::rules::find(at.pc) {
                Some(rule) => rule,
                None => capture.learn(at.pc)?,
            };
            let (fresh, outer) = step(at, rule, &self.memory);
            if !self.fresh.push(fresh) {
                return None;
            }
            match outer {
                Outer::Frame(registers) if self.fresh.len() < MOST_FRAMES => at = registers,
                Outer::None => {
                    self.known.truncate(0);
                    break (0, false);
                }
                outer => {
                    if matches!(outer, Outer::Frame(_)) {
                        self.fresh.truncate(KEPT_OF_DEEP);
                    }
                    self.known.truncate(0);
                    break (capture.unknown()?, false);
                }
            }
        };
        self.link(outside, capture)
    }

    /// Gives the frames just read their places in the capture, and remembers them.
    #[inline]
    fn link(&mut self, outside: (u32, bool), capture: &mut impl Capture) -> Option<u32> {
        let (mut parent, mut needed) = outside;
        for at in (0..self.fresh.len()).rev() {
            let Fresh { mut known, rule } = *self.fresh.as_slice().get(at)?;
            if !rule.is_own {
                parent = self.child(parent, rule.address, capture)?;
            }
            if !needed {
                (known.saved_at, known.saved_word) = (known.return_at, known.return_word);
            }
            needed = match (rule.base, rule.saved) {
                (Base::Bp | Base::AtBp, _) | (_, Saved::FromBp(_)) => true,
                (_, Saved::Same) => needed && rule.base != Base::Signal,
                (_, Saved::FromEnd(_)) => false,
            };
            (known.frame, known.needs_bp) = (parent, needed);
            if !self.known.push(known) {
                return None;
            }
        }
        Some(parent)
    }

    #[inline]
    fn child(&mut self, parent: u32, address: u32, capture: &mut impl Capture) -> Option<u32> {
        let at = hash(u64::from(parent), u64::from(address)) as usize % CHILDREN;
        if let Some(child) = self.children.as_slice().get(at)
            && child.parent == parent
            && child.address == address
            && child.frame != 0
        {
            return Some(child.frame);
        }
        let frame = capture.frame(parent, address)?;
        if self.children.len() == 0 {
            // SAFETY: a child whose frame is 0 is none.
            self.children = unsafe { Array::zeroed(CHILDREN) }?;
        }
        if let Some(child) = self.children.as_mut_slice().get_mut(at) {
            *child = Child { parent, address, frame };
        }
        Some(frame)
    }
}

/// Reads the words of remembered frames again, except those of the outermost one, which has none; how many outermost
/// frames may still be met when one has changed.
#[inline]
fn verify(known: &[Known], memory: &StackMemory) -> Result<(), usize> {
    for (at, frame) in known.iter().enumerate().skip(1).rev() {
        if memory.read(frame.return_at) != Some(frame.return_word)
            || memory.read(frame.saved_at) != Some(frame.saved_word)
        {
            return Err(at);
        }
    }
    Ok(())
}

/// What is outside of a frame.
enum Outer {
    Frame(Registers),
    None,
    Unknown,
}

/// Reads the registers of the frame outside of one.
#[inline]
fn step(at: Registers, rule: Rule, memory: &StackMemory) -> (Fresh, Outer) {
    let (mut return_at, mut saved_at) = (0, 0);
    let (mut return_word, mut saved_word) = (0, 0);
    let outer = (|| {
        let words_from = |from: usize, words: i32| from.wrapping_add_signed(words as isize * WORD as isize);
        let end = match rule.base {
            Base::Sp => words_from(at.sp, rule.words),
            Base::Bp => words_from(at.bp, rule.words),
            Base::AtBp => memory.read(words_from(at.bp, rule.words))?,
            Base::End => return Some(Outer::None),
            Base::Unknown => return None,
            Base::Signal => {
                let (pc, bp, sp) = signal_places(at.sp);
                (return_at, saved_at) = (pc, bp);
                (return_word, saved_word) = (memory.read(pc)?, memory.read(bp)?);
                // The interrupted instruction has not called anything: what is looked up is the one before.
                let pc = return_word.checked_add(1)?;
                return Some(Outer::Frame(Registers { pc, sp: memory.read(sp)?, bp: saved_word }));
            }
        };
        return_at = end.wrapping_sub(WORD);
        // The stack grows downwards, so what is outside is above.
        if return_at < at.sp {
            return None;
        }
        return_word = memory.read(return_at)?;
        saved_at = match rule.saved {
            Saved::Same => return_at,
            Saved::FromEnd(words) => words_from(end, words),
            Saved::FromBp(words) => words_from(at.bp, words),
        };
        saved_word = memory.read(saved_at)?;
        let bp = if rule.saved == Saved::Same { at.bp } else { saved_word };
        Some(if return_word == 0 {
            Outer::None
        } else {
            Outer::Frame(Registers { pc: return_word, sp: end, bp })
        })
    })();
    let known =
        Known { registers: at, return_at, return_word, saved_at, saved_word, frame: 0, needs_bp: false };
    (Fresh { known, rule }, outer.unwrap_or(Outer::Unknown))
}

/// Where the kernel has put the program counter, the frame pointer and the stack pointer of what a signal interrupted.
#[cfg(target_arch = "x86_64")]
fn signal_places(sp: usize) -> (usize, usize, usize) {
    let registers = sp + core::mem::offset_of!(libc::ucontext_t, uc_mcontext);
    let place = |number: libc::c_int| registers + number as usize * WORD;
    (place(libc::REG_RIP), place(libc::REG_RBP), place(libc::REG_RSP))
}

/// The same where the context stands behind what the kernel says about the signal.
#[cfg(target_arch = "aarch64")]
fn signal_places(sp: usize) -> (usize, usize, usize) {
    use core::mem::offset_of;
    const FRAME_POINTER: usize = 29;
    let context = sp + size_of::<libc::siginfo_t>() + offset_of!(libc::ucontext_t, uc_mcontext);
    (
        context + offset_of!(libc::mcontext_t, pc),
        context + offset_of!(libc::mcontext_t, regs) + FRAME_POINTER * WORD,
        context + offset_of!(libc::mcontext_t, sp),
    )
}
