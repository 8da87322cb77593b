//! CPython 3.13: the interpreter publishes most offsets itself, in `_Py_DebugOffsets` at the start of `_PyRuntime`.

use super::{
    Attributes, Calls, CodeLayout, FrameLayout, InstanceLayout, Instructions, Keys, Layout, MarkerPlace,
    TextLayout, ThreadLayout,
};

/// The first bytes of `_Py_DebugOffsets`.
const COOKIE: [u8; 8] = *b"xdebugpy";

/// Positions of the published numbers in 3.13's `_Py_DebugOffsets` (each a `uint64_t`).
mod published {
    pub const VERSION: usize = 8;
    pub const FREE_THREADED: usize = 16;
    pub const FINALIZING: usize = 32;
    pub const INTERPRETERS_HEAD: usize = 40;
    pub const CURRENT_FRAME: usize = 184;
    pub const FRAME_PREVIOUS: usize = 232;
    pub const FRAME_EXECUTABLE: usize = 240;
    pub const FRAME_INSTRUCTION: usize = 248;
    pub const FRAME_LOCALS: usize = 256;
    pub const FRAME_OWNER: usize = 264;
    pub const CODE_FILE: usize = 280;
    pub const CODE_QUALNAME: usize = 296;
    pub const CODE_LINE_TABLE: usize = 304;
    pub const CODE_FIRST_LINE: usize = 312;
    pub const CODE_BYTECODE: usize = 344;
    pub const TEXT_ASCII_SIZE: usize = 560;
}

/// The only structure without published numbers that depends on the others: `_co_firsttraceable` stands this far
/// before the byte code.
const FIRST_TRACEABLE_BEFORE_BYTECODE: usize = 16;

/// `CALL`, `CALL_FUNCTION_EX`, `CALL_KW`, the specialized forms of `CALL`, and the instrumented forms.
const CALLS: [u8; 26] = [
    53, 54, 57, 162, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173, 174, 175, 176, 177, 178, 179,
    180, 181, 244, 245, 246,
];

/// The structures that are read are smaller than this (`_PyRuntime` aside).
const LARGEST_OFFSET: usize = 4096;

/// Reads the layout out of a 3.13 runtime.
///
/// # Safety
///
/// `runtime` must be the address of `_PyRuntime` of CPython 3.13.
pub unsafe fn layout(runtime: usize) -> Result<Layout, &'static str> {
    // SAFETY: _Py_DebugOffsets is static data at the start of _PyRuntime, valid before Py_Initialize; all positions
    // are inside it.
    let word = |position: usize| unsafe { ((runtime + position) as *const u64).read_unaligned() } as usize;
    if (word(0) as u64).to_ne_bytes() != COOKIE || word(published::VERSION) >> 16 != 0x030d {
        return Err("this Python does not publish its frame layout as CPython 3.13 does");
    }
    if word(published::FREE_THREADED) != 0 {
        return Err(super::super::FREE_THREADED);
    }
    let bytecode = word(published::CODE_BYTECODE);
    let layout = Layout {
        finalizing: word(published::FINALIZING),
        // The second pointer of `interpreters`, after the head of their list.
        main_interpreter: word(published::INTERPRETERS_HEAD).saturating_add(8),
        thread: ThreadLayout { cframe: None, running_is_own: true, frame: word(published::CURRENT_FRAME) },
        frame: FrameLayout {
            code: word(published::FRAME_EXECUTABLE),
            instruction: word(published::FRAME_INSTRUCTION),
            instruction_mask: usize::MAX,
            previous: word(published::FRAME_PREVIOUS),
            owner: word(published::FRAME_OWNER),
            shim_owner: 3,
            locals: word(published::FRAME_LOCALS),
            in_object: Some(24),
            marker: MarkerPlace::DeadSlot {
                // The pointer to the instruction is followed by this `int`.
                stack_top: word(published::FRAME_INSTRUCTION).saturating_add(8),
                is_entry: None,
            },
        },
        code: CodeLayout {
            name: word(published::CODE_QUALNAME),
            file: word(published::CODE_FILE),
            first_line: word(published::CODE_FIRST_LINE),
            line_table: word(published::CODE_LINE_TABLE),
            instructions: Instructions::Pointer {
                bytecode,
                first_traceable: bytecode.saturating_sub(FIRST_TRACEABLE_BEFORE_BYTECODE),
            },
            calls: Calls { opcodes: &[], units_before: 0, named: &CALLS },
        },
        text: TextLayout {
            ascii: word(published::TEXT_ASCII_SIZE),
            // PyCompactUnicodeObject adds a length and a pointer.
            compact: word(published::TEXT_ASCII_SIZE).saturating_add(16),
        },
        instance: InstanceLayout {
            attributes: Attributes::Inline,
            cached_keys: 880,
            keys: Keys::Log2,
            values_header: 8,
        },
    };
    let numbers = [
        layout.finalizing,
        layout.main_interpreter,
        layout.thread.frame,
        layout.frame.code,
        layout.frame.instruction,
        layout.frame.previous,
        layout.frame.owner,
        layout.frame.locals,
        layout.code.name,
        layout.code.file,
        layout.code.first_line,
        layout.code.line_table,
        bytecode,
        layout.text.ascii,
    ];
    if numbers.into_iter().any(|number| number >= LARGEST_OFFSET) {
        return Err("the frame layout that this Python publishes makes no sense");
    }
    Ok(layout)
}
