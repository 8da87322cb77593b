//! The malloc family.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;

use heaphint_format::Allocator;

use super::enter;
use super::symbols::Hook;
use crate::real::{self, call};
use crate::recorder;

/// Calls the real function and records what it gives.
macro_rules! record {
    ($bytes:expr, $allocator:ident, $call:expr) => {{
        let inside = enter();
        // SAFETY: the arguments are the program's own.
        let block: *mut c_void = unsafe { $call };
        if let Some(mut thread) = inside
            && !block.is_null()
        {
            recorder::allocated(&mut thread, block as usize, $bytes, Allocator::$allocator);
        }
        block
    }};
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn malloc(bytes: usize) -> *mut c_void {
    if !real::is_ready() {
        return bootstrap(
            bytes,
            || real::malloc.address(),
            |_| {
                // SAFETY: the arguments are the program's own.
                unsafe { call::malloc(bytes) }
            },
        );
    }
    record!(bytes, Malloc, call::malloc(bytes))
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn calloc(count: usize, bytes: usize) -> *mut c_void {
    if !real::is_ready() {
        return bootstrap(
            count.saturating_mul(bytes),
            || real::calloc.address(),
            |_| {
                // SAFETY: the arguments are the program's own.
                unsafe { call::calloc(count, bytes) }
            },
        );
    }
    record!(count.wrapping_mul(bytes), Calloc, call::calloc(count, bytes))
}

/// Before the constructor has run: finds the real function, and serves from the bootstrap area what the search
/// itself asks for.
#[cold]
fn bootstrap(
    bytes: usize,
    find: impl FnOnce() -> *mut c_void,
    call: impl FnOnce(*mut c_void) -> *mut c_void,
) -> *mut c_void {
    use core::sync::atomic::{AtomicBool, Ordering};
    static SEARCHING: AtomicBool = AtomicBool::new(false);
    if SEARCHING.swap(true, Ordering::Relaxed) {
        return real::bootstrap_alloc(bytes);
    }
    let found = find();
    SEARCHING.store(false, Ordering::Relaxed);
    call(found)
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn free(block: *mut c_void) {
    if block.is_null() || real::is_bootstrap(block) {
        return;
    }
    let mut inside = enter();
    if let Some(thread) = &mut inside {
        recorder::take_and_free(thread, block as usize);
    }
    // SAFETY: the block is the program's own, and out of our tables.
    unsafe { call::free(block) }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn free_sized(block: *mut c_void, _bytes: usize) {
    free(block);
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn free_aligned_sized(block: *mut c_void, _alignment: usize, _bytes: usize) {
    free(block);
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn realloc(block: *mut c_void, bytes: usize) -> *mut c_void {
    if real::is_bootstrap(block) {
        let new = malloc(bytes);
        if !new.is_null() {
            // SAFETY: the new block has that length.
            unsafe { real::copy_bootstrap(block, new, bytes) };
        }
        return new;
    }
    // SAFETY: the arguments are the program's own.
    let call = || unsafe { call::realloc(block, bytes) };
    let is_freed = |new: *mut c_void| !new.is_null() || (bytes == 0 && !block.is_null());
    reallocated(block, bytes, Allocator::Realloc, call, is_freed)
}

/// Reallocates `block` by `call`, and records it as a free and an allocation. `is_freed` says whether the block is gone,
/// given what the call has returned.
#[inline]
pub(super) fn reallocated(
    block: *mut c_void,
    bytes: usize,
    allocator: Allocator,
    call: impl FnOnce() -> *mut c_void,
    is_freed: impl FnOnce(*mut c_void) -> bool,
) -> *mut c_void {
    let Some(mut thread) = enter() else { return call() };
    let taken = if block.is_null() { None } else { recorder::take(block as usize) };
    let new = call();
    if let Some(taken) = taken {
        if is_freed(new) {
            recorder::freed(&mut thread, block as usize, &taken);
        } else {
            recorder::put_back(block as usize, &taken);
        }
    }
    if !new.is_null() {
        recorder::allocated(&mut thread, new as usize, bytes, allocator);
    }
    new
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn reallocarray(block: *mut c_void, count: usize, bytes: usize) -> *mut c_void {
    let Some(bytes) = count.checked_mul(bytes) else {
        // SAFETY: the location is valid for the calling thread.
        unsafe { *libc::__errno_location() = libc::ENOMEM };
        return null_mut();
    };
    realloc(block, bytes)
}

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn posix_memalign(block: *mut *mut c_void, alignment: usize, bytes: usize) -> c_int {
    let inside = enter();
    // SAFETY: the arguments are the program's own.
    let result = unsafe { call::posix_memalign(block, alignment, bytes) };
    if let Some(mut thread) = inside
        && result == 0
    {
        // SAFETY: the call has succeeded, so it has written a block there.
        let address = unsafe { *block } as usize;
        if address != 0 {
            recorder::allocated(&mut thread, address, bytes, Allocator::PosixMemalign);
        }
    }
    result
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn aligned_alloc(alignment: usize, bytes: usize) -> *mut c_void {
    record!(bytes, AlignedAlloc, call::aligned_alloc(alignment, bytes))
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn memalign(alignment: usize, bytes: usize) -> *mut c_void {
    record!(bytes, Memalign, call::memalign(alignment, bytes))
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn valloc(bytes: usize) -> *mut c_void {
    record!(bytes, Valloc, call::valloc(bytes))
}

#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn pvalloc(bytes: usize) -> *mut c_void {
    record!(bytes, Pvalloc, call::pvalloc(bytes))
}

/// The hook of a name, and the real function: for programs that look the name up themselves.
pub(super) static HOOKS: &[super::symbols::Replaced] = &[
    (c"malloc", &real::malloc, Hook(malloc as *const c_void)),
    (c"calloc", &real::calloc, Hook(calloc as *const c_void)),
    (c"realloc", &real::realloc, Hook(realloc as *const c_void)),
    (c"free", &real::free, Hook(free as *const c_void)),
    (c"posix_memalign", &real::posix_memalign, Hook(posix_memalign as *const c_void)),
    (c"aligned_alloc", &real::aligned_alloc, Hook(aligned_alloc as *const c_void)),
    (c"memalign", &real::memalign, Hook(memalign as *const c_void)),
    (c"valloc", &real::valloc, Hook(valloc as *const c_void)),
    (c"pvalloc", &real::pvalloc, Hook(pvalloc as *const c_void)),
];
