//! Code objects: their names and lines.
//!
//! Reads memory only; never calls the interpreter. A code object is alive as long as a frame runs it, so the thread
//! that owns such a frame may read it without the GIL.

use core::slice;

use super::frames::{Frame, FrameWords, is_shim};
use super::interpreter::Interpreter;
use super::lines::{self, Cursor};
use super::memory::{byte, int, word};
use super::text::Utf8Buffer;
use super::versions::Instructions;

/// Bytes of a function's name that are kept.
pub const NAME_BYTES: usize = 1024;
/// Bytes of a file's path that are kept.
pub const FILE_BYTES: usize = 4096;

/// `ob_refcnt`, `ob_type`, and length and content of `bytes`: the same in all known versions.
const REFERENCES: usize = 0;
const TYPE: usize = 8;
const BYTES_LENGTH: usize = 16;
const BYTES_CONTENT: usize = 32;

/// A frame that belongs to a generator or coroutine.
const OWNED_BY_GENERATOR: u8 = 1;

/// What people call a code object.
#[derive(Clone, Copy)]
pub struct CodeText {
    /// The qualified name; before 3.11 the plain one.
    pub name: Utf8Buffer<NAME_BYTES>,
    /// The file, as the code object names it.
    pub file: Utf8Buffer<FILE_BYTES>,
    /// The line on which the definition starts; 0 if there is none.
    pub first_line: u32,
}

impl CodeText {
    /// An empty one. It has some 5 KiB: too much for a thread's stack.
    pub const fn new() -> Self {
        Self { name: Utf8Buffer::new(), file: Utf8Buffer::new(), first_line: 0 }
    }
}

impl Default for CodeText {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether `code` is a code object that is not being destroyed.
///
/// # Safety
///
/// `code` must be the address of an object, or of one whose destruction has begun on this thread.
unsafe fn is_alive(interpreter: &Interpreter, code: usize) -> bool {
    // Reference counts have 32 bits from 3.12 on, with flags above them; before, no code object has 2^32 references.
    // SAFETY: the head of an object stays readable until its destruction ends.
    unsafe { word(code, REFERENCES) as u32 != 0 && word(code, TYPE) == interpreter.code_type }
}

/// Copies names and first line of a code object; leaves `out` empty if the object is being destroyed.
///
/// # Safety
///
/// `code` must come from a frame of the calling thread that is alive.
pub(super) unsafe fn describe(interpreter: &Interpreter, code: usize, out: &mut CodeText) {
    let layout = &interpreter.layout;
    out.name.clear();
    out.file.clear();
    out.first_line = 0;
    // SAFETY: the code object is alive, so its names are strings that are alive.
    unsafe {
        if is_alive(interpreter, code) {
            out.name.set(word(code, layout.code.name), &layout.text);
            out.file.set(word(code, layout.code.file), &layout.text);
            out.first_line = u32::try_from(int(code, layout.code.first_line)).unwrap_or(0);
        }
    }
}

/// The instruction's position in bytes from the start of the byte code; negative before the first instruction.
///
/// # Safety
///
/// `code` need not be readable; the result means something only for words of one frame.
pub(super) fn byte_offset(interpreter: &Interpreter, code: usize, instruction: usize) -> i64 {
    match interpreter.layout.code.instructions {
        Instructions::ByteIndex => i64::from(instruction as u32 as i32),
        Instructions::UnitIndex => i64::from(instruction as u32 as i32) * 2,
        Instructions::Pointer { bytecode, .. } => {
            instruction.wrapping_sub(code.wrapping_add(bytecode)) as isize as i64
        }
    }
}

/// The line of a byte offset in a code object; 0 = none.
///
/// # Safety
///
/// `code` must be a live code object; the cursor is a new one, or one of that object.
pub(super) unsafe fn line_at(
    interpreter: &Interpreter,
    code: usize,
    offset: i64,
    cursor: &mut Cursor,
) -> u32 {
    let layout = &interpreter.layout.code;
    // SAFETY: a code object points to a `bytes` with its line table; both are alive.
    let (table, first_line) = unsafe {
        let bytes = word(code, layout.line_table);
        let length = word(bytes, BYTES_LENGTH).min(isize::MAX as usize);
        let content = slice::from_raw_parts((bytes + BYTES_CONTENT) as *const u8, length);
        (content, int(code, layout.first_line))
    };
    let line = match layout.instructions {
        Instructions::ByteIndex => lines::in_lnotab,
        Instructions::UnitIndex => lines::in_ranges,
        Instructions::Pointer { .. } => lines::in_locations,
    };
    line(table, first_line, offset, cursor)
}

/// The line of an instruction; 0 if it has none or the code object is being destroyed.
///
/// # Safety
///
/// Both words must come from one frame of the calling thread that is alive; the cursor is a new one, or one of that code
/// object.
pub(super) unsafe fn line(
    interpreter: &Interpreter,
    code: usize,
    instruction: usize,
    cursor: &mut Cursor,
) -> u32 {
    // SAFETY: the code object is alive if `is_alive` says so.
    unsafe {
        if !is_alive(interpreter, code) {
            return 0;
        }
        line_at(interpreter, code, byte_offset(interpreter, code, instruction), cursor)
    }
}

/// Whether Python itself shows a frame (`sys._getframe`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Visibility {
    /// What a frame that is not shown allocates belongs to its caller.
    pub is_shown: bool,
    /// Whether the answer is the same for all frames with the same code and instruction, until that code object dies.
    pub is_lasting: bool,
}

/// A frame is not shown before it has reached its function's body, or while its code is being destroyed. A generator's own
/// frame is always shown, while the one that makes the generator is at the same instruction and is not.
///
/// # Safety
///
/// `words` must have been read from `frame`, which must be a frame of the calling thread that is alive.
pub(super) unsafe fn visibility(
    interpreter: &Interpreter,
    frame: *const Frame,
    words: &FrameWords,
) -> Visibility {
    const SHOWN: Visibility = Visibility { is_shown: true, is_lasting: true };
    const HIDDEN: Visibility = Visibility { is_shown: false, is_lasting: true };
    // SAFETY: the frame runs the code object, which is alive or about to be destroyed on this thread.
    unsafe {
        if is_shim(&interpreter.layout.frame, frame) || !is_alive(interpreter, words.code) {
            return HIDDEN;
        }
        let Instructions::Pointer { first_traceable, .. } = interpreter.layout.code.instructions else {
            return SHOWN;
        };
        let body = i64::from(int(words.code, first_traceable)) * 2;
        if byte_offset(interpreter, words.code, words.instruction) >= body {
            return SHOWN;
        }
        let owner = byte(frame as usize, interpreter.layout.frame.owner);
        Visibility { is_shown: owner == OWNED_BY_GENERATOR, is_lasting: false }
    }
}

/// Whether a frame is not shown; see [`visibility`].
///
/// # Safety
///
/// As there.
pub(super) unsafe fn is_incomplete(
    interpreter: &Interpreter,
    frame: *const Frame,
    words: &FrameWords,
) -> bool {
    // SAFETY: the same conditions.
    unsafe { !visibility(interpreter, frame, words).is_shown }
}

/// Whether an instruction is a call of a function, seen from a frame that waits for the function to return. Another
/// one may be taken for a call; see [`super::markers`] for why that does no harm.
///
/// # Safety
///
/// Both words must come from one frame of the calling thread that is alive and has begun.
pub(super) unsafe fn is_call(interpreter: &Interpreter, code: usize, instruction: usize) -> bool {
    let layout = &interpreter.layout.code;
    let Instructions::Pointer { bytecode, .. } = layout.instructions else { return true };
    let calls = &layout.calls;
    // SAFETY: the frame has begun, so both are inside its byte code.
    unsafe {
        calls.named.contains(&byte(instruction, 0))
            || instruction
                .checked_sub(calls.units_before * 2)
                .is_some_and(|at| at >= code + bytecode && calls.opcodes.contains(&byte(at, 0)))
    }
}
