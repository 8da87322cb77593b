//! The mmap family.

use core::ffi::{c_int, c_void};

use heaphint_format::Allocator;

use super::enter;
use super::symbols::Hook;
use crate::real::call;
use crate::recorder;

/// On 64-bit systems the offset has 64 bits whatever the function is called.
macro_rules! mmap {
    ($($name:ident)*) => {$(
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C" fn $name(
            at: *mut c_void,
            bytes: usize,
            protection: c_int,
            flags: c_int,
            fd: c_int,
            offset: i64,
        ) -> *mut c_void {
            let inside = enter();
            // SAFETY: the arguments are the program's own.
            let mapped = unsafe { call::mmap(at, bytes, protection, flags, fd, offset) };
            if let Some(mut thread) = inside
                && mapped != libc::MAP_FAILED
            {
                recorder::allocated(&mut thread, mapped as usize, bytes, Allocator::Mmap);
            }
            mapped
        }
    )*};
}

mmap! { mmap mmap64 }

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn munmap(at: *mut c_void, bytes: usize) -> c_int {
    let inside = enter();
    // SAFETY: the arguments are the program's own.
    let unmap = || unsafe { call::munmap(at, bytes) };
    let Some(mut thread) = inside else { return unmap() };
    let mut result = -1;
    recorder::unmapping(&mut thread, at as usize, page_end(at, bytes), || {
        result = unmap();
        result == 0
    });
    result
}

/// The kernel unmaps whole pages.
fn page_end(at: *mut c_void, bytes: usize) -> usize {
    // SAFETY: takes a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(1) as usize;
    (at as usize).saturating_add(bytes).saturating_add(page - 1) & !(page - 1)
}

/// The C declaration ends in `...` for the one optional argument. On the supported machines an argument that is
/// not there is an unused register.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn mremap(
    at: *mut c_void,
    old_bytes: usize,
    new_bytes: usize,
    flags: c_int,
    new_address: *mut c_void,
) -> *mut c_void {
    let inside = enter();
    // SAFETY: the arguments are the program's own.
    let remap = || unsafe { call::mremap(at, old_bytes, new_bytes, flags, new_address) };
    let Some(mut thread) = inside else { return remap() };
    let keeps_old = old_bytes == 0 || flags & libc::MREMAP_DONTUNMAP != 0;
    let mut mapped = libc::MAP_FAILED;
    recorder::unmapping(&mut thread, at as usize, page_end(at, old_bytes), || {
        mapped = remap();
        mapped != libc::MAP_FAILED && !keeps_old
    });
    if mapped != libc::MAP_FAILED {
        recorder::allocated(&mut thread, mapped as usize, new_bytes, Allocator::Mremap);
    }
    mapped
}

/// See [`super::heap::HOOKS`].
pub(super) static HOOKS: &[super::symbols::Replaced] = &[
    (c"mmap", &crate::real::mmap, Hook(mmap as *const c_void)),
    (c"mmap64", &crate::real::mmap, Hook(mmap64 as *const c_void)),
    (c"munmap", &crate::real::munmap, Hook(munmap as *const c_void)),
    (c"mremap", &crate::real::mremap, Hook(mremap as *const c_void)),
];
