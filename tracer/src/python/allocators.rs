//! CPython's own allocators: the table of functions that the interpreter calls for each domain.
//!
//! The table belongs to the process, whatever the number of interpreters, and its functions are public since 3.4.
//! Nothing here is known of blocks, arenas or free lists.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;

use super::interpreter::symbol;
use super::once::Once;

/// What a block is for; the numbers are the interpreter's.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// `PyMem_RawMalloc` and its kin: also without the GIL.
    Raw = 0,
    /// `PyMem_Malloc`: buffers.
    Mem = 1,
    /// `PyObject_Malloc`: objects.
    Object = 2,
}

/// `PyMemAllocatorEx`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Functions {
    pub context: *mut c_void,
    pub malloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    pub calloc: unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void,
    pub realloc: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void,
    pub free: unsafe extern "C" fn(*mut c_void, *mut c_void),
}

// SAFETY: functions, and a context that is theirs to share.
unsafe impl Send for Functions {}
// SAFETY: as above.
unsafe impl Sync for Functions {}

/// The interpreter's way to its table.
#[derive(Clone, Copy)]
struct Access {
    get: unsafe extern "C" fn(c_int, *mut Functions),
    set: unsafe extern "C" fn(c_int, *const Functions),
}

static ACCESS: Once<Access> = Once::new();

/// Looks for the interpreter's functions; from the constructor.
pub fn find() {
    if let (Some(get), Some(set)) = (symbol(c"PyMem_GetAllocator"), symbol(c"PyMem_SetAllocator")) {
        // SAFETY: CPython declares the symbols with these types in every version.
        let access = unsafe {
            Access {
                get: core::mem::transmute::<*mut c_void, unsafe extern "C" fn(c_int, *mut Functions)>(get),
                set: core::mem::transmute::<*mut c_void, unsafe extern "C" fn(c_int, *const Functions)>(set),
            }
        };
        ACCESS.set(access);
    }
}

/// The functions of a domain. `None` when [`find`] has not found the interpreter's.
pub fn get(domain: Domain) -> Option<Functions> {
    let access = ACCESS.get()?;
    let mut functions = MaybeUninit::uninit();
    // SAFETY: may be called at any time; it fills in all fields of a domain that exists.
    Some(unsafe {
        (access.get)(domain as c_int, functions.as_mut_ptr());
        functions.assume_init()
    })
}

/// Replaces the functions of a domain.
///
/// # Safety
///
/// They must do for every block what the present ones do, blocks that are live already included, and must live as long
/// as the process. No other thread may be replacing them.
pub unsafe fn set(domain: Domain, functions: &Functions) {
    if let Some(access) = ACCESS.get() {
        // SAFETY: the interpreter copies the fields.
        unsafe { (access.set)(domain as c_int, functions) };
    }
}
