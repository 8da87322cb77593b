//! Raw reads from the interpreter's memory.
//!
//! Nothing here knows what the bytes mean, and nothing here may write.

/// Reads the word at `address + offset`.
///
/// # Safety
///
/// The eight bytes there must be readable.
#[inline(always)]
pub unsafe fn word(address: usize, offset: usize) -> usize {
    // SAFETY: readable by the caller's promise; no alignment is assumed.
    unsafe { (address.wrapping_add(offset) as *const usize).read_unaligned() }
}

/// Reads the C `int` at `address + offset`.
///
/// # Safety
///
/// The four bytes there must be readable.
#[inline(always)]
pub unsafe fn int(address: usize, offset: usize) -> i32 {
    // SAFETY: readable by the caller's promise; no alignment is assumed.
    unsafe { (address.wrapping_add(offset) as *const i32).read_unaligned() }
}

/// Reads the byte at `address + offset`.
///
/// # Safety
///
/// The byte must be readable.
#[inline(always)]
pub unsafe fn byte(address: usize, offset: usize) -> u8 {
    // SAFETY: readable by the caller's promise.
    unsafe { (address.wrapping_add(offset) as *const u8).read() }
}

/// Whether something plausible can be read at `address`: aligned, and the first `extent` bytes (a page at most) are
/// mapped.
///
/// Asks the kernel, so it is for cold paths only: it is how a self test may look at an address that is not yet known
/// to be right.
pub fn is_mapped(address: usize, extent: usize) -> bool {
    // SAFETY: sysconf takes a number and has no preconditions.
    let Ok(page) = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }) else { return false };
    if address < page
        || !address.is_multiple_of(align_of::<usize>())
        || address.checked_add(extent).is_none()
        || !page.is_power_of_two()
        || extent > page
    {
        return false;
    }
    let first = address & !(page - 1);
    let length = address + extent - first;
    let mut residency = [0_u8; 2];
    // SAFETY: mincore reads no user memory; it writes one byte per page, and the extent touches two pages at most.
    unsafe { libc::mincore(first as *mut libc::c_void, length, residency.as_mut_ptr().cast()) == 0 }
}
