//! `dlsym`: a program that looks an allocator up by name, as ctypes does, gets the hook as well.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;

use crate::real;

/// A hook's address.
#[derive(Clone, Copy)]
pub(super) struct Hook(pub *const c_void);
// SAFETY: the address of a function.
unsafe impl Sync for Hook {}

/// What stands in for a function of the C library.
pub(super) type Replaced = (&'static CStr, &'static real::Real, Hook);

/// All that are asked for by name.
fn hooks() -> impl Iterator<Item = &'static Replaced> {
    super::heap::HOOKS.iter().chain(super::mapping::HOOKS).chain(super::exec::HOOKS)
}

/// For import tables: the real function of a name, and what stands in for it.
pub fn replacement(name: &CStr) -> Option<(*mut c_void, *mut c_void)> {
    if name == c"dlsym" {
        return Some((real_dlsym(), dlsym as *mut c_void));
    }
    let found = hooks().chain(super::exit::HOOKS).find(|(known, ..)| *known == name);
    found.map(|(_, real, hook)| (real.address(), hook.0.cast_mut()))
}

/// Whether programs find our functions by themselves: this library was loaded before theirs.
pub fn is_first() -> bool {
    super::heap::HOOKS.first().is_some_and(|(name, _, hook)| is_usual(name, hook.0.cast_mut()))
}

/// Whether a name means this function to whoever does not say otherwise.
pub fn is_usual(name: &CStr, real: *mut c_void) -> bool {
    // SAFETY: the name ends in NUL.
    real::next_symbol().is_some_and(|dlsym| unsafe { dlsym(libc::RTLD_DEFAULT, name.as_ptr()) } == real)
}

/// With `RTLD_NEXT` the answer depends on the caller's address, so the real function must be entered by a jump,
/// as if it had been called directly.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    core::arch::naked_asm!(
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "call {hook_for}",
        "add rsp, 8",
        "pop rsi",
        "pop rdi",
        "test rax, rax",
        "jne 2f",
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "call {real}",
        "add rsp, 8",
        "pop rsi",
        "pop rdi",
        "jmp rax",
        "2:",
        "ret",
        hook_for = sym hook_for,
        real = sym real_dlsym,
    )
}

#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    core::arch::naked_asm!(
        "stp x29, x30, [sp, #-32]!",
        "stp x0, x1, [sp, #16]",
        "bl {hook_for}",
        "cbnz x0, 2f",
        "bl {real}",
        "mov x16, x0",
        "ldp x0, x1, [sp, #16]",
        "ldp x29, x30, [sp], #32",
        "br x16",
        "2:",
        "ldp x29, x30, [sp], #32",
        "ret",
        hook_for = sym hook_for,
        real = sym real_dlsym,
    )
}

/// What is loaded next may have the same addresses.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn dlclose(handle: *mut c_void) -> c_int {
    // SAFETY: the argument is the program's own.
    let result = unsafe { real::call::dlclose(handle) };
    crate::native::forget_rules();
    result
}

extern "C" fn real_dlsym() -> *mut c_void {
    real::next_symbol().map_or(core::ptr::null_mut(), |dlsym| dlsym as *mut c_void)
}

/// The hook to give for a name, or null for the real answer: a hook takes the place of the very function that it
/// calls, and of no other of that name.
unsafe extern "C" fn hook_for(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    crate::import_tables::change_new();
    if handle == libc::RTLD_NEXT || name.is_null() {
        return null_mut();
    }
    // SAFETY: the program passes a string.
    let wanted = unsafe { CStr::from_ptr(name) };
    for (name, real, hook) in hooks() {
        if *name == wanted {
            // SAFETY: as the program asked.
            let found =
                real::next_symbol().map_or(null_mut(), |dlsym| unsafe { dlsym(handle, wanted.as_ptr()) });
            let replaced = !found.is_null() && found == real.address();
            return if replaced { hook.0.cast_mut() } else { found };
        }
    }
    null_mut()
}
