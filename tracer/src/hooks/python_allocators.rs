//! CPython's own allocators, when they are to be told apart from the malloc family: each domain's functions are
//! replaced by ones that call those before, whatever they are (pymalloc, malloc, the debug hooks, somebody else's),
//! and tell the recorder.
//!
//! While one of them runs, the thread is inside a hook: what it takes from malloc or the kernel in turn, a whole arena
//! perhaps, is not recorded a second time. A block that the interpreter keeps in a free list of its own stays live.

use core::ffi::c_void;

use heaphint_format::Allocator;

use super::{enter, heap};
use crate::python::Once;
use crate::python::allocators::{self, Domain, Functions};
use crate::recorder;

/// A domain, and what its allocations are called in the capture.
trait Kind {
    const DOMAIN: Domain;
    const MALLOC: Allocator;
    const CALLOC: Allocator;
    const REALLOC: Allocator;
    /// The functions that were there before. Ours get their address as the context, so they are set when ours run.
    fn before() -> &'static Once<Functions>;
}

macro_rules! kind {
    ($name:ident: $malloc:ident, $calloc:ident, $realloc:ident) => {
        struct $name;
        impl Kind for $name {
            const DOMAIN: Domain = Domain::$name;
            const MALLOC: Allocator = Allocator::$malloc;
            const CALLOC: Allocator = Allocator::$calloc;
            const REALLOC: Allocator = Allocator::$realloc;
            fn before() -> &'static Once<Functions> {
                static BEFORE: Once<Functions> = Once::new();
                &BEFORE
            }
        }
    };
}

kind!(Raw: PyMemRawMalloc, PyMemRawCalloc, PyMemRawRealloc);
kind!(Mem: PyMemMalloc, PyMemCalloc, PyMemRealloc);
kind!(Object: PyObjectMalloc, PyObjectCalloc, PyObjectRealloc);

/// Replaces the functions of all domains. To be called once, and only when there is an interpreter: before that it would
/// replace ours, as `PYTHONMALLOC` and `-X dev` ask it to. Blocks that are live already are not known, and go unseen.
pub fn install() {
    replace::<Raw>();
    replace::<Mem>();
    replace::<Object>();
}

fn replace<K: Kind>() {
    let Some(before) = allocators::get(K::DOMAIN) else { return };
    K::before().set(before);
    if let Some(before) = K::before().get() {
        let ours = Functions {
            context: core::ptr::from_ref(before).cast_mut().cast(),
            malloc: malloc::<K>,
            calloc: calloc::<K>,
            realloc: realloc::<K>,
            free,
        };
        // SAFETY: ours call those before, and live as long as the process, as the library does. The interpreter has only
        // begun, so nobody else replaces any.
        unsafe { allocators::set(K::DOMAIN, &ours) };
    }
}

/// The functions before, from the context that ours were set with.
#[inline(always)]
unsafe fn before(context: *mut c_void) -> &'static Functions {
    // SAFETY: `replace` gives the interpreter no other context, and a `Once` never changes again.
    unsafe { &*context.cast::<Functions>() }
}

/// Records a block that the interpreter was given.
macro_rules! record {
    ($bytes:expr, $allocator:expr, $call:expr) => {{
        let inside = enter();
        // SAFETY: the arguments are the interpreter's own.
        let block: *mut c_void = unsafe { $call };
        if let Some(mut thread) = inside
            && !block.is_null()
        {
            recorder::allocated(&mut thread, block as usize, $bytes, $allocator);
        }
        block
    }};
}

unsafe extern "C" fn malloc<K: Kind>(context: *mut c_void, bytes: usize) -> *mut c_void {
    // SAFETY: the context is ours.
    let before = unsafe { before(context) };
    record!(bytes, K::MALLOC, (before.malloc)(before.context, bytes))
}

unsafe extern "C" fn calloc<K: Kind>(context: *mut c_void, count: usize, bytes: usize) -> *mut c_void {
    // SAFETY: the context is ours.
    let before = unsafe { before(context) };
    record!(count.wrapping_mul(bytes), K::CALLOC, (before.calloc)(before.context, count, bytes))
}

unsafe extern "C" fn realloc<K: Kind>(context: *mut c_void, block: *mut c_void, bytes: usize) -> *mut c_void {
    // SAFETY: the context is ours.
    let before = unsafe { before(context) };
    // SAFETY: the arguments are the interpreter's own.
    let call = || unsafe { (before.realloc)(before.context, block, bytes) };
    // A domain's `realloc` to no bytes gives a block; null is always a failure.
    let is_freed = |new: *mut c_void| !new.is_null();
    heap::reallocated(block, bytes, K::REALLOC, call, is_freed)
}

unsafe extern "C" fn free(context: *mut c_void, block: *mut c_void) {
    // SAFETY: the context is ours.
    let before = unsafe { before(context) };
    let inside = if block.is_null() { None } else { enter() };
    if let Some(mut thread) = inside {
        recorder::take_and_free(&mut thread, block as usize);
    }
    // SAFETY: the block is the interpreter's own, and out of our tables.
    unsafe { (before.free)(before.context, block) }
}
