//! Notice of every code object's death, so that a reused address never lends its old name to new code.
//!
//! The destructor in `PyCode_Type` is replaced by one that calls the original and then gives notice. It must do
//! nothing else: it runs in the middle of the program.

use core::ffi::{CStr, c_char, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};

use super::interpreter::{Interpreter, Object};
use super::memory::word;

/// `tp_name` and `tp_dealloc` of a type: the same in all known versions.
const TYPE_NAME: usize = 24;
const TYPE_DEALLOC: usize = 48;
/// `Py_tp_dealloc`, for `PyType_GetSlot`.
const DEALLOC_SLOT: core::ffi::c_int = 52;
/// The first version whose `PyType_GetSlot` accepts types that are not allocated on the heap.
const SLOTS_OF_STATIC_TYPES: u32 = 0x030a;

/// Is told the address of a code object that no longer exists. Called with the GIL; it must not call Python.
pub type Watcher = fn(code: usize);

type Destructor = unsafe extern "C" fn(Object);

/// The watcher, as an address; 0 = none.
static WATCHER: AtomicUsize = AtomicUsize::new(0);
/// The destructor that was replaced, as an address; 0 = not replaced.
static ORIGINAL: AtomicUsize = AtomicUsize::new(0);

/// Sets who is told.
pub(super) fn watch(watcher: Watcher) {
    WATCHER.store(watcher as usize, Ordering::Release);
}

/// Replaces the destructor. The GIL must be held.
pub(super) fn install(interpreter: &Interpreter) -> Result<(), &'static str> {
    const UNKNOWN: &str = "the code objects of this Python are not laid out as heaphint knows them";
    let slot = (interpreter.code_type + TYPE_DEALLOC) as *const AtomicUsize;
    // SAFETY: `PyCode_Type` is a static, writable type object that is initialized.
    let (name, slot) = unsafe { (word(interpreter.code_type, TYPE_NAME), &*slot) };
    // SAFETY: a type's name is a C string.
    if name == 0 || unsafe { CStr::from_ptr(name as *const c_char) } != c"code" {
        return Err(UNKNOWN);
    }
    let original = slot.load(Ordering::Acquire);
    if !is_destructor(interpreter, original) {
        return Err(UNKNOWN);
    }
    ORIGINAL.store(original, Ordering::Release);
    slot.store(on_death as Destructor as usize, Ordering::Release);
    Ok(())
}

/// Whether the word found where the destructor should be is it: the interpreter says so itself or, where it cannot be
/// asked, it lies in the library that the interpreter's functions lie in.
fn is_destructor(interpreter: &Interpreter, address: usize) -> bool {
    if interpreter.version.minor_series() >= SLOTS_OF_STATIC_TYPES {
        // SAFETY: the type is initialized and the slot's number is valid in every version.
        let slot =
            unsafe { (interpreter.functions.type_slot)(interpreter.code_type as Object, DEALLOC_SLOT) };
        return address != 0 && slot as usize == address;
    }
    let known = interpreter.functions.is_initialized as usize;
    address != 0 && library_of(address).is_some_and(|library| library_of(known) == Some(library))
}

/// Where the library that holds `address` begins.
fn library_of(address: usize) -> Option<usize> {
    let mut found = libc::Dl_info {
        dli_fname: core::ptr::null(),
        dli_fbase: core::ptr::null_mut(),
        dli_sname: core::ptr::null(),
        dli_saddr: core::ptr::null_mut(),
    };
    // SAFETY: dladdr accepts any address and fills the structure.
    let is_found = unsafe { libc::dladdr(address as *const c_void, &mut found) } != 0;
    is_found.then_some(found.dli_fbase as usize)
}

/// Takes the place of the code objects' destructor.
unsafe extern "C" fn on_death(code: Object) {
    let original = ORIGINAL.load(Ordering::Acquire);
    if original != 0 {
        // SAFETY: the word was the destructor of this type.
        let original = unsafe { core::mem::transmute::<usize, Destructor>(original) };
        // SAFETY: the interpreter calls this as it would call the original.
        unsafe { original(code) };
    }
    // Afterwards, and not before: a weak reference's callback may still have run Python code in there, with a frame
    // of the dying code object on the stack.
    let watcher = WATCHER.load(Ordering::Acquire);
    if watcher != 0 {
        // SAFETY: only `watch` stores here, and it stores a `Watcher`.
        let watcher = unsafe { core::mem::transmute::<usize, Watcher>(watcher) };
        watcher(code as usize);
    }
}
