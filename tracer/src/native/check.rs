//! For the tests alone (feature `frame-oracle`): compares every native stack with the one that the C library reads, and
//! ends the process at the first difference.

use core::ffi::c_void;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Stacks that were compared, and their frames.
static STACKS: AtomicUsize = AtomicUsize::new(0);
static FRAMES: AtomicUsize = AtomicUsize::new(0);

const MOST: usize = 1 << 14;

/// How many native stacks were compared since the process began.
#[unsafe(no_mangle)]
pub extern "C" fn heaphint_oracle_native_stacks() -> usize {
    STACKS.load(Ordering::Relaxed)
}

/// How many frames those had.
#[unsafe(no_mangle)]
pub extern "C" fn heaphint_oracle_native_frames() -> usize {
    FRAMES.load(Ordering::Relaxed)
}

/// Compares return addresses, the innermost first; `is_own` says which of them are in this library.
pub fn compare(ours: impl Iterator<Item = usize> + Clone, is_own: impl Fn(usize) -> bool) {
    let Some(buffer) = crate::sys::map_private(MOST * size_of::<usize>()) else { return };
    // SAFETY: the buffer has room for so many addresses.
    let count = unsafe { libc::backtrace(buffer.cast::<*mut c_void>(), MOST as i32) };
    // SAFETY: the C library has filled in so many of them.
    let theirs = unsafe { core::slice::from_raw_parts(buffer.cast::<usize>(), count.max(0) as usize) };
    let mut theirs_left = theirs.iter().copied().skip_while(|pc| is_own(*pc));
    let mut frames = 0;
    for our in ours.clone().skip_while(|pc| is_own(*pc)) {
        // An instruction that was interrupted by a signal is not a return address.
        match theirs_left.next() {
            Some(their) if their == our || their + 1 == our => frames += 1,
            None if frames + 1 >= MOST - 16 => break,
            // The outermost function has no caller, and the C library may leave it out.
            None if our == ours.clone().last().unwrap_or(0) => {}
            other => differ(ours.clone(), theirs, our, other),
        }
    }
    // Their last address may be one without a function: a thread's or the program's first word.
    if let Some(more) = theirs_left.find(|pc| *pc > 4096) {
        differ(ours, theirs, 0, Some(more));
    }
    STACKS.fetch_add(1, Ordering::Relaxed);
    FRAMES.fetch_add(frames, Ordering::Relaxed);
    // SAFETY: the mapping is ours, and nothing refers to it any more.
    unsafe { crate::sys::unmap(buffer, MOST * size_of::<usize>()) };
}

unsafe extern "C" {
    fn dprintf(file: core::ffi::c_int, format: *const core::ffi::c_char, ...) -> core::ffi::c_int;
}

fn differ(ours: impl Iterator<Item = usize>, theirs: &[usize], our: usize, their: Option<usize>) {
    let say = |text: &core::ffi::CStr, number: usize| {
        // SAFETY: the format takes one word.
        unsafe { dprintf(2, text.as_ptr(), number) };
    };
    say(c"heaphint: another native stack: ours %#zx", our);
    say(c", theirs %#zx\nours:", their.unwrap_or(0));
    ours.for_each(|pc| say(c" %#zx", pc));
    say(c"\ntheirs (%zu):", theirs.len());
    theirs.iter().for_each(|pc| say(c" %#zx", *pc));
    say(c"\n", 0);
    // SAFETY: takes nothing and does not return.
    unsafe { libc::abort() };
}
