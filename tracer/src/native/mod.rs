//! Native stacks: the C, C++, Rust and Fortran functions between the Python functions.
//!
//! ```text
//! registers ──▶ walk ──▶ ids (capture)
//!                ▲
//!      rules ◀── unwind_info ◀── modules      (once for each return address)
//! ```
//!
//! The capture has the addresses of native stacks beside the Python stacks; whoever reads it puts the two together and
//! finds the names. The walk reads nothing that could fault, takes no lock for what it has seen before, and where it
//! does not know how to go on the stack ends and says so.

#[cfg(feature = "frame-oracle")]
mod check;
mod ids;
mod interpreter_loop;
mod memory;
mod modules;
mod registers;
mod rules;
mod unwind_info;
mod walk;

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use heaphint_format::AddressKind;

pub use ids::NativeIds;
pub use modules::Module;
pub use registers::Registers;
use rules::{Base, Rule};
pub use walk::NativeStack;

use crate::recorder::RECORDER;

static IS_ON: AtomicBool = AtomicBool::new(false);
/// Changes whenever rules are void.
static GENERATION: AtomicU32 = AtomicU32::new(0);
/// The interpreter's loop: the first and the last address of each part, in turns.
static LOOP: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

/// Whether native stacks are to be recorded. To be called outside of hooks: it looks a symbol up.
pub fn turn(on: bool) {
    IS_ON.store(false, Ordering::Relaxed);
    // The rules know the registers of x86-64.
    if !on || cfg!(not(target_arch = "x86_64")) {
        return;
    }
    let [function, elsewhere] = interpreter_loop::parts();
    for (bound, address) in LOOP.iter().zip([function.start, function.end, elsewhere.start, elsewhere.end]) {
        bound.store(address, Ordering::Relaxed);
    }
    IS_ON.store(true, Ordering::Relaxed);
}

/// Whether native stacks are recorded.
#[inline]
pub fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// The innermost native frame outside of this library; 0 without one, or when recording has ended.
#[inline]
pub fn walk(stack: &mut NativeStack, start: Registers) -> u32 {
    let frame = stack.walk(start, GENERATION.load(Ordering::Acquire), &mut OfRecorder);
    #[cfg(feature = "frame-oracle")]
    if stack.is_whole() {
        let own = modules::find((&raw const IS_ON).addr()).0;
        let is_own = |pc: usize| own.is_some_and(|own| (own.start..own.end).contains(&pc));
        check::compare(stack.return_addresses(), is_own);
    }
    frame
}

/// Addresses may be another file's from now on: all rules are void.
pub fn forget_rules() {
    if is_on() {
        let recorder = RECORDER.lock();
        begin();
        drop(recorder);
    }
}

/// A capture begins, in which addresses have other numbers: all rules are void. The recorder must be held.
pub fn begin() {
    rules::forget_all();
    GENERATION.fetch_add(1, Ordering::Release);
}

/// A forked child has a capture of its own, in which addresses have other numbers.
///
/// # Safety
/// Only in a forked child that has a single thread, which holds no lock of ours.
pub unsafe fn start_over_after_fork() {
    // SAFETY: the same conditions.
    unsafe { modules::reset_after_fork() };
    forget_rules();
}

struct OfRecorder;

impl walk::Capture for OfRecorder {
    #[cold]
    fn learn(&mut self, pc: usize) -> Option<Rule> {
        let _errno = crate::sys::ErrnoGuard::new();
        let call = pc.wrapping_sub(1);
        let (module, were_closed) = modules::find(call);
        if were_closed {
            forget_rules();
        }
        let generation = GENERATION.load(Ordering::Acquire);
        let unknown = Rule::without_way(Base::Unknown);
        let mut rule = module.as_ref().map_or(unknown, |module| unwind_info::rule(module, pc));
        let own = (&raw const IS_ON).addr();
        rule.is_own = module.is_some_and(|module| (module.start..module.end).contains(&own));
        let [start, end, start_elsewhere, end_elsewhere] =
            LOOP.each_ref().map(|bound| bound.load(Ordering::Relaxed));
        let is_loop = (start..end).contains(&call) || (start_elsewhere..end_elsewhere).contains(&call);
        let kind = if is_loop { AddressKind::Loop as u32 } else { 0 };

        let mut recorder = RECORDER.lock();
        if !rule.is_own {
            rule.address = recorder.native_address(module.as_ref(), pc, kind)?;
        }
        let packed = rule.pack().or_else(|| {
            rule = Rule { is_own: rule.is_own, address: rule.address, ..unknown };
            rule.pack()
        })?;
        if GENERATION.load(Ordering::Acquire) == generation {
            rules::keep(pc, packed);
        }
        Some(rule)
    }

    #[cold]
    fn frame(&mut self, parent: u32, address: u32) -> Option<u32> {
        RECORDER.lock().native_frame(parent, address)
    }

    #[cold]
    fn unknown(&mut self) -> Option<u32> {
        RECORDER.lock().native_unknown()
    }
}
