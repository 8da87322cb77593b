//! The self test: is the running interpreter laid out as its version says?
//!
//! Runs once, as a pending call of the interpreter: in the main thread, at a safe point, with the GIL. It runs a few
//! lines of Python that call back from a known stack, and compares every word the tracer would read with what the
//! interpreter itself says. An address is followed only after the interpreter has confirmed it. No reference is
//! kept and no exception left behind.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicU8, Ordering};
use core::{ptr, slice};

use super::codes::{self, CodeText, NAME_BYTES};
use super::frames::{self, Frame, FrameReader, FrameWords};
use super::instances;
use super::interpreter::{Function, Interpreter, MethodDefinition, Object};
use super::lines::Cursor;
use super::markers::Marking;
use super::memory::{int, is_mapped, word};
use super::versions::Instructions;

/// Calls `check` through a call, a generator, a comprehension and a callback from C. The names are checked too.
const KNOWN_STACK: &CStr = c"
def innermost(check):
    return check(
        None)
def generator(check):
    yield innermost(check)
def comprehension(check):
    return [value
            for value in generator(check)]
list(map(comprehension, (check,)))
";
const KNOWN_FUNCTIONS: [&CStr; 3] = [c"innermost", c"generator", c"comprehension"];
/// The file that its code objects name.
const KNOWN_FILE: &CStr = c"<heaphint>";
/// Frames on the known stack; one more before 3.12, where a comprehension is a function of its own.
const KNOWN_FRAMES: usize = 4;
/// Frames that are compared, known ones and those below them.
const MOST_FRAMES: usize = 64;
/// Bytes of each code object whose lines are compared.
const MOST_CODE_BYTES: i64 = 512;

/// `Py_file_input`, `METH_O`.
const FILE_INPUT: c_int = 257;
const ONE_ARGUMENT: c_int = 8;

/// The function that the known stack calls, as Python wants it described.
pub(super) struct Definition(UnsafeCell<MethodDefinition>);
// SAFETY: written by nobody; the interpreter only asks for a pointer that could be written through.
unsafe impl Sync for Definition {}
static DEFINITION: Definition = Definition::new(check);

impl Definition {
    /// A function named `check` with one argument.
    pub(super) const fn new(function: Function) -> Self {
        Self(UnsafeCell::new(MethodDefinition {
            name: c"check".as_ptr(),
            function: Some(function),
            flags: ONE_ARGUMENT,
            documentation: ptr::null(),
        }))
    }
}

/// What came of the callback.
static OUTCOME: AtomicU8 = AtomicU8::new(NOT_CALLED);
const NOT_CALLED: u8 = 0;
const EQUAL: u8 = 1;
const DIFFERENT: u8 = 2;

/// Why frames are not read if anything differs.
const UNEXPECTED_LAYOUT: &str =
    "the frames of this Python are not laid out as its version says; it may be a modified build";

/// What the test found out, if the frames are right.
pub struct Proof {
    /// Whether attributes of instances are where they should be; without them threads have no names.
    pub can_read_attributes: bool,
}

/// Runs the test.
///
/// # Safety
///
/// The GIL must be held, at a point where Python code may run.
pub unsafe fn run(interpreter: &Interpreter) -> Result<Proof, &'static str> {
    // Pending calls run before the interpreter's end begins, so that word must be null. As that alone says little, a
    // word that is declared right behind it is compared as well.
    let layout = &interpreter.layout;
    // SAFETY: `_PyRuntime` is larger than these offsets.
    let (finalizing, main) = unsafe {
        (word(interpreter.runtime, layout.finalizing), word(interpreter.runtime, layout.main_interpreter))
    };
    // SAFETY: the interpreter is initialized.
    if finalizing != 0 || main != unsafe { (interpreter.functions.main_interpreter)() } {
        return Err(UNEXPECTED_LAYOUT);
    }
    // SAFETY: the GIL is held.
    if !unsafe { call_back(interpreter, KNOWN_STACK, &KNOWN_FUNCTIONS, &DEFINITION) } {
        return Err("the interpreter could not run heaphint's self test");
    }
    match OUTCOME.load(Ordering::Acquire) {
        // SAFETY: the GIL is held.
        EQUAL => Ok(Proof { can_read_attributes: unsafe { compare_attributes(interpreter) } }),
        _ => Err(UNEXPECTED_LAYOUT),
    }
}

/// An owned reference that is released in the end.
struct Owned<'a> {
    interpreter: &'a Interpreter,
    object: Object,
}

impl<'a> Owned<'a> {
    /// Takes over a new reference; `None` for a null one, whose exception is dropped.
    fn new(interpreter: &'a Interpreter, object: Object) -> Option<Self> {
        if object.is_null() {
            // SAFETY: the GIL is held throughout the test.
            unsafe { (interpreter.functions.clear_error)() };
            return None;
        }
        Some(Self { interpreter, object })
    }

    fn attribute(&self, name: &CStr) -> Option<Self> {
        // SAFETY: the object is alive and the GIL held.
        let value = unsafe { (self.interpreter.functions.attribute)(self.object, name.as_ptr()) };
        Self::new(self.interpreter, value)
    }

    fn address(&self) -> usize {
        self.object as usize
    }
}

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        // SAFETY: the reference is ours and the GIL held.
        unsafe { (self.interpreter.functions.release)(self.object) };
    }
}

/// Runs Python code, which defines the `named` functions, in a name space of its own where `check` is the function
/// given; false if Python could not.
///
/// # Safety
///
/// The GIL must be held, at a point where Python code may run.
pub(super) unsafe fn call_back(
    interpreter: &Interpreter,
    source: &CStr,
    named: &[&CStr],
    definition: &'static Definition,
) -> bool {
    let functions = &interpreter.functions;
    let run = || -> Option<()> {
        // SAFETY: all are calls of the C interface under the GIL, with live objects.
        unsafe {
            let code = (functions.compile)(source.as_ptr(), KNOWN_FILE.as_ptr(), FILE_INPUT);
            let code = Owned::new(interpreter, code)?;
            let check = (functions.new_function)(definition.0.get(), ptr::null_mut(), ptr::null_mut());
            let check = Owned::new(interpreter, check)?;
            let names = Owned::new(interpreter, (functions.new_dict)())?;
            let builtins = (functions.builtins)();
            if builtins.is_null()
                || (functions.set_item)(names.object, c"__builtins__".as_ptr(), builtins) != 0
                || (functions.set_item)(names.object, c"check".as_ptr(), check.object) != 0
            {
                (functions.clear_error)();
                return None;
            }
            let result = (functions.evaluate)(code.object, names.object, names.object);
            let result = Owned::new(interpreter, result);
            // Functions and their name space refer to each other: take them apart instead of leaving garbage.
            for name in named {
                if (functions.set_item)(names.object, name.as_ptr(), check.object) != 0 {
                    (functions.clear_error)();
                }
            }
            result.map(drop)
        }
    };
    run().is_some()
}

/// The function that the known stack calls.
unsafe extern "C" fn check(_module: Object, argument: Object) -> Object {
    if let Some(interpreter) = super::interpreter() {
        // SAFETY: called by Python code, so the GIL is held and this thread has frames.
        let is_equal = unsafe { compare_stack(interpreter) }.is_some();
        OUTCOME.store(if is_equal { EQUAL } else { DIFFERENT }, Ordering::Release);
    }
    returned(argument)
}

/// What a function that Python calls returns: its argument, with a reference for the caller.
pub(super) fn returned(argument: Object) -> Object {
    match super::interpreter() {
        Some(interpreter) => {
            // SAFETY: the argument is alive; the caller expects a reference of its own.
            unsafe { (interpreter.functions.retain)(argument) };
            argument
        }
        None => ptr::null_mut(),
    }
}

/// Compares the walk of the calling thread's stack with the interpreter's; `None` at the first difference.
///
/// # Safety
///
/// The GIL must be held.
unsafe fn compare_stack(interpreter: &Interpreter) -> Option<()> {
    let thread_state = frames::WalkStart::new(interpreter, Marking::OFF).thread_state();
    if let Some(offset) = interpreter.layout.thread.cframe {
        // SAFETY: all known thread states are larger than this offset.
        is_mapped(unsafe { word(thread_state, offset) }, 16).then_some(())?;
    }
    // SAFETY: the words on the way to the frame are readable.
    let mut frame = unsafe { frames::innermost(&interpreter.layout.thread, thread_state) };
    // SAFETY: the GIL is held; the reference is borrowed, so one is added.
    let mut theirs = unsafe {
        let object = (interpreter.functions.current_frame)();
        if !object.is_null() {
            (interpreter.functions.retain)(object);
        }
        Owned::new(interpreter, object)?
    };
    let reader = FrameReader::new(&interpreter.layout.frame, &Marking::OFF);
    let mut text = CodeText::new();
    let mut known_frames = 0;
    for _ in 0..MOST_FRAMES {
        let expected = match interpreter.layout.frame.in_object {
            // SAFETY: an object of the interpreter's frame type; it points to its frame.
            Some(offset) => unsafe { word(theirs.address(), offset) },
            None => theirs.address(),
        };
        // SAFETY: see `skip_hidden`; a frame that the interpreter names may be read.
        let words = unsafe {
            frame = skip_hidden(interpreter, frame, expected)?;
            (frame as usize == expected).then(|| reader.read(frame))?
        };
        // SAFETY: the GIL is held and both are the same frame.
        unsafe { compare_frame(interpreter, &theirs, frame, &words, &mut text)? };
        known_frames += usize::from(text.file.as_bytes() == KNOWN_FILE.to_bytes());
        frame = words.previous;
        // SAFETY: the frame object is alive.
        match Owned::new(interpreter, unsafe { (interpreter.functions.frame_back)(theirs.object) }) {
            Some(back) => theirs = back,
            None => {
                // SAFETY: see `skip_hidden`.
                let rest = unsafe { skip_hidden(interpreter, frame, 0)? };
                return (rest.is_null() && known_frames >= KNOWN_FRAMES).then_some(());
            }
        }
    }
    (known_frames >= KNOWN_FRAMES).then_some(())
}

/// Skips frames that the interpreter does not show, up to `expected` or the end; `None` if a frame is in the way that
/// it would show. Looks only at memory that is mapped.
///
/// # Safety
///
/// The GIL must be held.
unsafe fn skip_hidden(
    interpreter: &Interpreter,
    mut frame: *const Frame,
    expected: usize,
) -> Option<*const Frame> {
    let reader = FrameReader::new(&interpreter.layout.frame, &Marking::OFF);
    while !frame.is_null() && frame as usize != expected {
        is_mapped(frame as usize, 72).then_some(())?;
        // SAFETY: the frame's fixed part is mapped.
        let (words, is_shim) =
            unsafe { (reader.read(frame), frames::is_shim(&interpreter.layout.frame, frame)) };
        if !is_shim {
            is_mapped(words.code, 128).then_some(())?;
            // SAFETY: so is what is read of the code object.
            unsafe { codes::is_incomplete(interpreter, frame, &words) }.then_some(())?;
        }
        frame = words.previous;
    }
    Some(frame)
}

/// Compares one frame and its code object; `None` at the first difference.
///
/// # Safety
///
/// The GIL must be held, and `frame` be the frame of the frame object `theirs`.
unsafe fn compare_frame(
    interpreter: &Interpreter,
    theirs: &Owned<'_>,
    frame: *const Frame,
    words: &FrameWords,
    text: &mut CodeText,
) -> Option<()> {
    let (functions, layout) = (&interpreter.functions, &interpreter.layout.code);
    // SAFETY: calls under the GIL with live objects; addresses are followed once the interpreter has named them.
    unsafe {
        let code = Owned::new(interpreter, (functions.frame_code)(theirs.object))?;
        (code.address() == words.code).then_some(())?;

        let (name, table) = match layout.instructions {
            Instructions::ByteIndex => (c"co_name", c"co_lnotab"),
            Instructions::UnitIndex => (c"co_name", c"co_linetable"),
            Instructions::Pointer { .. } => (c"co_qualname", c"co_linetable"),
        };
        for (attribute, offset) in
            [(name, layout.name), (c"co_filename", layout.file), (table, layout.line_table)]
        {
            (code.attribute(attribute)?.address() == word(words.code, offset)).then_some(())?;
        }
        codes::describe(interpreter, words.code, text);
        compare_text(&code.attribute(name)?, text.name.as_bytes())?;
        compare_text(&code.attribute(c"co_filename")?, text.file.as_bytes())?;
        let first_line = (functions.as_long)(code.attribute(c"co_firstlineno")?.object);
        (i64::from(text.first_line) == first_line.max(0)).then_some(())?;

        let offset = codes::byte_offset(interpreter, words.code, words.instruction);
        let their_offset = (functions.as_long)(theirs.attribute(c"f_lasti")?.object);
        (offset.max(-1) == their_offset || (offset < 0 && their_offset < 0)).then_some(())?;
        for at in (0..MOST_CODE_BYTES).step_by(2).chain([offset]) {
            let line = (functions.line_at)(code.object, c_int::try_from(at).ok()?);
            let found = codes::line_at(interpreter, words.code, at, &mut Cursor::default());
            (found == u32::try_from(line).unwrap_or(0)).then_some(())?;
        }

        (!codes::is_incomplete(interpreter, frame, words)).then_some(())?;
        if let Instructions::Pointer { first_traceable, .. } = layout.instructions {
            is_body_start(text, int(words.code, first_traceable)).then_some(())?;
        }
    }
    Some(())
}

/// Whether a text that was copied is what the interpreter says. Only ASCII is compared: for other texts the
/// interpreter would attach a copy to the object.
///
/// # Safety
///
/// The GIL must be held.
unsafe fn compare_text(theirs: &Owned<'_>, ours: &[u8]) -> Option<()> {
    if !ours.is_ascii() {
        return Some(());
    }
    let mut length = 0;
    // SAFETY: the text stays alive, and with it its characters, until the reference is released.
    let characters = unsafe {
        let start = (theirs.interpreter.functions.as_utf8)(theirs.object, &mut length);
        if start.is_null() {
            (theirs.interpreter.functions.clear_error)();
            return None;
        }
        slice::from_raw_parts(start.cast::<u8>(), usize::try_from(length).ok()?)
    };
    (characters == ours || ours.len() >= NAME_BYTES).then_some(())
}

/// Whether `_co_firsttraceable` is what it must be for the known functions: a generator begins with a few
/// instructions that make the generator, a plain function has none.
fn is_body_start(text: &CodeText, first_traceable: i32) -> bool {
    if text.file.as_bytes() != KNOWN_FILE.to_bytes() {
        return first_traceable >= 0;
    }
    match text.name.as_bytes() {
        b"innermost" => first_traceable == 0,
        b"generator" => (1..8).contains(&first_traceable),
        _ => first_traceable >= 0,
    }
}

/// Whether an attribute of `sys.__spec__`, an instance of a class written in Python, is found where it is.
///
/// # Safety
///
/// The GIL must be held, and the layout of frames proven.
unsafe fn compare_attributes(interpreter: &Interpreter) -> bool {
    let functions = &interpreter.functions;
    // SAFETY: the reference is borrowed from `sys`, which keeps it.
    unsafe {
        let spec = (functions.system_object)(c"__spec__".as_ptr());
        if spec.is_null() {
            return false;
        }
        let Some(name) = Owned::new(interpreter, (functions.attribute)(spec, c"name".as_ptr())) else {
            return false;
        };
        instances::attribute(&interpreter.layout, spec as usize, b"name") == Some(name.address())
    }
}
