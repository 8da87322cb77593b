//! Caches with one place for each key: from (caller's stack, code, instruction) to stack, and from (stack, thread and
//! allocator) to site. Each thread has small ones, which need no lock; a larger one of steps stands behind them.
//!
//! Steps are keyed by addresses, so each carries a stamp that changes when code objects die, and is void when it has
//! changed. In a thread's own cache that is the number of all deaths, in the larger one that of the deaths at the
//! address's place, which takes longer to find out and keeps more.

use heaphint_format::ENTERED;

use crate::intern::RawFrame;
use crate::private::{Array, hash};

/// Steps, and sites, that a thread keeps: what a few functions at work need.
const OF_A_THREAD: usize = 256;

#[derive(Clone, Copy)]
struct Step {
    code: usize,
    instruction: usize,
    parent: u32,
    stack: u32,
    stamp: u32,
    valid: bool,
    in_call: bool,
    is_folded: bool,
    enters: bool,
}

/// Steps from a stack to the one of a frame on top of it.
pub struct Steps(Array<Step>);

impl Steps {
    pub const fn new() -> Self {
        Self(Array::new())
    }

    /// Gives a frame on top of `parent` its stack, if that is known.
    #[inline]
    pub fn find(&self, parent: u32, raw: &mut RawFrame, stamp: u32) -> bool {
        let Some(step) = self.0.as_slice().get(self.place(parent, raw)) else { return false };
        let is_it = step.instruction == raw.instruction
            && step.code == raw.code
            && step.parent == parent
            && step.stamp == stamp
            && step.valid;
        if is_it {
            raw.stack = step.stack;
            raw.in_call = step.in_call;
            raw.is_folded = step.is_folded;
            raw.enters = step.enters;
            raw.is_lasting = true;
        }
        is_it
    }

    /// Keeps the stack of a frame on top of `parent`. A cache of another size than `places`, a power of two, is
    /// emptied; false without memory.
    #[must_use]
    pub fn keep(&mut self, places: usize, parent: u32, raw: &RawFrame, stamp: u32) -> bool {
        if self.0.len() != places {
            self.0.release();
            // SAFETY: a zeroed step is not valid, which is a state of it.
            let Some(steps) = (unsafe { Array::zeroed(places) }) else { return false };
            self.0 = steps;
        }
        let at = self.place(parent, raw);
        if let Some(step) = self.0.as_mut_slice().get_mut(at) {
            *step = Step {
                code: raw.code,
                instruction: raw.instruction,
                parent,
                stack: raw.stack,
                stamp,
                valid: true,
                in_call: raw.in_call,
                is_folded: raw.is_folded,
                enters: raw.enters,
            };
        }
        true
    }

    #[inline]
    fn place(&self, parent: u32, raw: &RawFrame) -> usize {
        let key = raw.code as u64 ^ (raw.instruction as u64).rotate_left(20) ^ u64::from(parent) << 32;
        let spread = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (spread ^ spread >> 32) as usize & self.0.len().wrapping_sub(1)
    }
}

/// The site of a stack, and of a thread and allocator as [`heaphint_format::Site::key`] packs them.
#[derive(Clone, Copy)]
struct KnownSite {
    stack: u32,
    /// Never 0 of one that is known, since allocators begin at 2.
    key: u32,
    site: u32,
}

impl KnownSite {
    const NONE: Self = Self { stack: 0, key: 0, site: 0 };
}

/// What a thread remembers of the capture.
pub struct Known {
    last_site: KnownSite,
    sites: Array<KnownSite>,
    steps: Steps,
}

impl Known {
    pub const fn new() -> Self {
        Self { last_site: KnownSite::NONE, sites: Array::new(), steps: Steps::new() }
    }

    /// Gives frames their stacks, of which the first `known` have theirs; how many have them now. `generation` is that of
    /// the walk that read them.
    #[inline]
    pub fn stacks(&self, frames: &mut [RawFrame], known: usize, generation: u32) -> usize {
        let outer = known.checked_sub(1).and_then(|i| frames.get(i));
        let (mut parent, mut level) = outer.map_or((0, 0), |raw| (raw.as_parent(), raw.level));
        let mut found = known;
        for raw in frames.iter_mut().skip(known) {
            // The stack of the same words on the same stack is the same.
            if raw.parent != parent && !self.steps.find(parent, raw, generation) {
                break;
            }
            // What deep recursion came back to is noted each time.
            if raw.is_folded {
                break;
            }
            raw.parent = parent;
            level += u32::from(raw.stack != parent & !ENTERED);
            raw.level = level;
            parent = raw.as_parent();
            found += 1;
        }
        found
    }

    /// Keeps the stack of a frame on top of `parent`.
    pub fn keep_step(&mut self, parent: u32, raw: &RawFrame, generation: u32) {
        // Without memory there is no cache.
        let _ = self.steps.keep(OF_A_THREAD, parent, raw, generation);
    }

    /// The site of a stack and key, if it is known.
    #[inline]
    pub fn site(&mut self, stack: u32, key: u32) -> Option<u32> {
        if self.last_site.stack != stack || self.last_site.key != key {
            let found = self.sites.as_slice().get(Self::place(stack, key))?;
            if found.stack != stack || found.key != key {
                return None;
            }
            self.last_site = *found;
        }
        Some(self.last_site.site)
    }

    /// Keeps a site.
    pub fn keep_site(&mut self, stack: u32, key: u32, site: u32) {
        self.last_site = KnownSite { stack, key, site };
        if self.sites.len() == 0 {
            // SAFETY: a zeroed site has the key 0, which is none. Without memory there is no cache.
            self.sites = unsafe { Array::zeroed(OF_A_THREAD) }.unwrap_or(Array::new());
        }
        if let Some(place) = self.sites.as_mut_slice().get_mut(Self::place(stack, key)) {
            *place = self.last_site;
        }
    }

    #[inline]
    fn place(stack: u32, key: u32) -> usize {
        hash(u64::from(stack), u64::from(key)) as usize % OF_A_THREAD
    }
}
