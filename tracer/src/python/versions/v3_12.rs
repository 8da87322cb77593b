//! CPython 3.12: calls from C put a frame without Python code between (owner 3).

use super::{
    Attributes, Calls, CodeLayout, Entries, FrameLayout, InstanceLayout, Instructions, Keys, Layout,
    MarkerPlace, Running, TextLayout, ThreadLayout,
};

pub const LAYOUT: Layout = Layout {
    finalizing: 24,
    main_interpreter: 48,
    thread: ThreadLayout { cframe: Some(56), running: Running::Own, frame: 0 },
    frame: FrameLayout {
        code: 0,
        object_mask: usize::MAX,
        instruction: 56,
        instruction_mask: usize::MAX,
        previous: 8,
        owner: 70,
        shim_owner: 3,
        entries: Entries::Shim,
        locals: 72,
        in_object: Some(24),
        marker: Some(MarkerPlace::DeadSlot { stack_top: 64, is_entry: None }),
    },
    code: CodeLayout {
        name: 128,
        file: 112,
        first_line: 68,
        line_table: 136,
        instructions: Instructions::Pointer { bytecode: 192, first_traceable: 176 },
        // The instruction word names the last inline cache of a call; `CALL_FUNCTION_EX` has none.
        calls: Calls {
            opcodes: &[23, 24, 28, 29, 34, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 56, 171, 241],
            units_before: 3,
            named: &[142, 244],
        },
    },
    text: TextLayout { ascii: 40, compact: 56 },
    instance: InstanceLayout {
        attributes: Attributes::Tagged,
        cached_keys: 880,
        keys: Keys::Log2,
        values_header: 0,
    },
};
