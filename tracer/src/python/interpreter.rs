//! The interpreter in this process: its functions, found by name, and its layout.
//!
//! Python's symbols are never imported at link time: the library is loaded into any program. Nothing here reads
//! frames; that needs the proof.

use core::ffi::{CStr, c_char, c_int, c_long, c_void};

use super::frames::WalkStart;
use super::markers::Marking;
use super::versions::{Layout, Version};
use super::{DEBUG_BUILD, FREE_THREADED};

/// A Python object, as the C interface hands it out. Only its address is of interest.
pub type Object = *mut c_void;

/// Gives a thread state, or 0.
pub type ThreadStateFunction = unsafe extern "C" fn() -> usize;
/// Gives the main interpreter, or 0 before there is one.
pub type MainInterpreterFunction = unsafe extern "C" fn() -> usize;
/// A function of the C interface that Python code may call.
pub type Function = unsafe extern "C" fn(Object, Object) -> Object;

/// Declares the functions that are looked up by name, each with its type.
macro_rules! functions {
    ($($(#[$doc:meta])* $field:ident = $symbol:literal : fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// Functions of the C interface. All but the ones used before the proof need the GIL.
        #[derive(Clone, Copy)]
        pub struct Functions {
            $($(#[$doc])* pub $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            fn find() -> Option<Self> {
                Some(Self {
                    $(
                        // SAFETY: a function pointer has the size of an address, and CPython declares the symbol with
                        // this type in every version that has a layout here.
                        $field: unsafe { core::mem::transmute::<
                            *mut c_void,
                            unsafe extern "C" fn($($argument),*) $(-> $result)?,
                        >(symbol($symbol)?) },
                    )*
                })
            }
        }
    };
}

functions! {
    is_initialized = c"Py_IsInitialized": fn() -> c_int;
    add_pending_call = c"Py_AddPendingCall": fn(unsafe extern "C" fn(*mut c_void) -> c_int, *mut c_void) -> c_int;
    /// The thread state bound to the calling thread; also without the GIL.
    bound_thread_state = c"PyGILState_GetThisThreadState": fn() -> usize;
    main_interpreter = c"PyInterpreterState_Main": fn() -> usize;
    current_frame = c"PyEval_GetFrame": fn() -> Object;
    frame_back = c"PyFrame_GetBack": fn(Object) -> Object;
    frame_code = c"PyFrame_GetCode": fn(Object) -> Object;
    line_at = c"PyCode_Addr2Line": fn(Object, c_int) -> c_int;
    attribute = c"PyObject_GetAttrString": fn(Object, *const c_char) -> Object;
    as_long = c"PyLong_AsLong": fn(Object) -> c_long;
    as_utf8 = c"PyUnicode_AsUTF8AndSize": fn(Object, *mut isize) -> *const c_char;
    retain = c"Py_IncRef": fn(Object);
    release = c"Py_DecRef": fn(Object);
    clear_error = c"PyErr_Clear": fn();
    compile = c"Py_CompileString": fn(*const c_char, *const c_char, c_int) -> Object;
    evaluate = c"PyEval_EvalCode": fn(Object, Object, Object) -> Object;
    builtins = c"PyEval_GetBuiltins": fn() -> Object;
    new_dict = c"PyDict_New": fn() -> Object;
    set_item = c"PyDict_SetItemString": fn(Object, *const c_char, Object) -> c_int;
    new_function = c"PyCFunction_NewEx": fn(*mut MethodDefinition, Object, Object) -> Object;
    system_object = c"PySys_GetObject": fn(*const c_char) -> Object;
    type_slot = c"PyType_GetSlot": fn(Object, c_int) -> *mut c_void;
}

/// `PyMethodDef`.
#[repr(C)]
pub struct MethodDefinition {
    pub name: *const c_char,
    pub function: Option<Function>,
    pub flags: c_int,
    pub documentation: *const c_char,
}

/// The interpreter in this process.
#[derive(Clone, Copy)]
pub struct Interpreter {
    pub version: Version,
    pub layout: Layout,
    pub functions: Functions,
    /// `_PyThreadState_UncheckedGet` or `PyThreadState_GetUnchecked`: the thread state that runs. Before 3.12 it is
    /// that of whichever thread holds the GIL, from then on that of the calling thread or null.
    pub running_thread_state: ThreadStateFunction,
    /// `_PyRuntime`.
    pub runtime: usize,
    /// `PyCode_Type`.
    pub code_type: usize,
}

impl Interpreter {
    /// Looks for CPython among the loaded libraries: `None` if there is none, an error if it cannot be read.
    pub fn find() -> Option<Result<Self, &'static str>> {
        let get_version = symbol(c"Py_GetVersion")?;
        // A library that merely mentions Python is not Python.
        let runtime = symbol(c"_PyRuntime")? as usize;
        // SAFETY: Py_GetVersion takes nothing, returns a static string, and may be called before Py_Initialize.
        let text = unsafe {
            let get_version =
                core::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *const c_char>(get_version);
            CStr::from_ptr(get_version()).to_bytes()
        };
        Some(Self::read(text, runtime))
    }

    fn read(text: &[u8], runtime: usize) -> Result<Self, &'static str> {
        const INCOMPLETE: &str = "this Python hides functions that heaphint needs to read its frames";
        let version = match symbol(c"Py_Version") {
            // SAFETY: `Py_Version` is a constant `unsigned long` (3.11 and later).
            Some(number) => Version(unsafe { number.cast::<libc::c_ulong>().read() } as u32),
            None => parse_version(text).ok_or("the version of this Python cannot be read")?,
        };
        if contains(text, b"free-threading") {
            return Err(FREE_THREADED);
        }
        // Symbols that exist in debug and reference-tracing builds alone; their objects have more fields.
        let traces = [c"_Py_RefTotal", c"_Py_NegativeRefcount", c"PyModule_Create2TraceRefs"];
        if traces.into_iter().any(|name| symbol(name).is_some()) {
            return Err(DEBUG_BUILD);
        }
        // SAFETY: `runtime` is the `_PyRuntime` that belongs to this version.
        let layout = unsafe { Layout::of(version, runtime) }?;
        let running = symbol(c"PyThreadState_GetUnchecked")
            .or_else(|| symbol(c"_PyThreadState_UncheckedGet"))
            .ok_or(INCOMPLETE)?;
        Ok(Self {
            version,
            layout,
            functions: Functions::find().ok_or(INCOMPLETE)?,
            // SAFETY: both take nothing and return a pointer to a thread state.
            running_thread_state: unsafe {
                core::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> usize>(running)
            },
            runtime,
            code_type: symbol(c"PyCode_Type").ok_or(INCOMPLETE)? as usize,
        })
    }

    /// Whether the calling thread holds the GIL.
    pub fn holds_gil(&self) -> bool {
        // SAFETY: reads one word.
        let running = unsafe { (self.running_thread_state)() };
        running != 0 && running == WalkStart::new(self, Marking::OFF).thread_state()
    }
}

/// Looks for `PyInterpreterState_Main`, which every CPython since 3.7 has.
pub fn main_interpreter() -> Option<MainInterpreterFunction> {
    let function = symbol(c"PyInterpreterState_Main")?;
    // SAFETY: it takes nothing and returns a pointer.
    Some(unsafe { core::mem::transmute::<*mut c_void, MainInterpreterFunction>(function) })
}

/// Looks a symbol up among everything that is loaded.
pub fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name is a C string; dlsym has no other precondition.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}

/// Reads `PY_VERSION_HEX` (without the serial) from a text like `3.9.18 (main, ...)` or `3.10.0rc2+ (...)`.
fn parse_version(text: &[u8]) -> Option<Version> {
    let mut rest = text;
    let mut number = || {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, tail) = rest.split_at_checked(digits)?;
        rest = tail.strip_prefix(b".").unwrap_or(tail);
        if digits.is_empty() || digits.len() > 3 {
            return None;
        }
        Some(digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
    };
    let (major, minor, micro) = (number()?, number()?, number()?);
    let level = match rest.first() {
        Some(b'a') => 0xa,
        Some(b'b') => 0xb,
        Some(b'r') => 0xc,
        _ => 0xf,
    };
    Some(Version((major << 24) | (minor << 16) | (micro << 8) | (level << 4)))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_text() {
        assert_eq!(parse_version(b"3.9.18 (main, Oct  1 2023)"), Some(Version(0x0309_12f0)));
        assert_eq!(parse_version(b"3.10.0rc2+ (heads/3.10)"), Some(Version(0x030a_00c0)));
        assert_eq!(parse_version(b"3.10.0a7 (default)"), Some(Version(0x030a_00a0)));
        assert!(Version(0x030a_00a0).is_unstable() && !Version(0x030a_00c0).is_unstable());
        assert_eq!(parse_version(b"unknown"), None);
        assert_eq!(parse_version(b"3.9"), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "it asks the kernel or the loader for what Miri has not")]
    fn a_program_without_python_is_not_python() {
        assert!(Interpreter::find().is_none());
    }
}
