//! CPython 3.11: frames become plain structures, reached through a `_PyCFrame`.

use super::{
    Attributes, Calls, CodeLayout, Entries, FrameLayout, InstanceLayout, Instructions, Keys, Layout,
    MarkerPlace, Running, TextLayout, ThreadLayout,
};

pub const LAYOUT: Layout = Layout {
    finalizing: 24,
    main_interpreter: 48,
    thread: ThreadLayout { cframe: Some(56), running: Running::OfGilHolder { thread_id: 152 }, frame: 8 },
    frame: FrameLayout {
        code: 32,
        object_mask: usize::MAX,
        instruction: 56,
        instruction_mask: usize::MAX,
        previous: 48,
        owner: 69,
        // Calls from C have no frame of their own yet.
        shim_owner: u16::MAX,
        entries: Entries::Byte(68),
        locals: 72,
        in_object: Some(24),
        marker: Some(MarkerPlace::DeadSlot { stack_top: 64, is_entry: Some(68) }),
    },
    code: CodeLayout {
        name: 128,
        file: 112,
        first_line: 72,
        line_table: 136,
        instructions: Instructions::Pointer { bytecode: 184, first_traceable: 168 },
        // The instruction word names the last inline cache of a call.
        calls: Calls { opcodes: &[22, 23, 24, 171], units_before: 4, named: &[] },
    },
    text: TextLayout { ascii: 48, compact: 72 },
    instance: InstanceLayout {
        attributes: Attributes::ValuesOrDictionary,
        cached_keys: 872,
        keys: Keys::Log2,
        values_header: 0,
    },
};
