//! CPython 3.9: frames are objects, lines are in `co_lnotab`.

use super::{
    Attributes, Calls, CodeLayout, Entries, FrameLayout, InstanceLayout, Instructions, Keys, Layout,
    MarkerPlace, Running, TextLayout, ThreadLayout,
};

pub const LAYOUT: Layout = Layout {
    finalizing: 16,
    main_interpreter: 40,
    thread: ThreadLayout { cframe: None, running: Running::OfGilHolder { thread_id: 176 }, frame: 24 },
    frame: FrameLayout {
        code: 32,
        object_mask: usize::MAX,
        instruction: 104,
        // `f_lasti` is an int; `f_lineno` follows it in the same word.
        instruction_mask: 0xffff_ffff,
        previous: 24,
        owner: 32,
        shim_owner: u16::MAX,
        entries: Entries::Every,
        locals: 360,
        in_object: None,
        marker: Some(MarkerPlace::ActivationBit { trace_lines: 88, generator: 96 }),
    },
    code: CodeLayout {
        name: 112,
        file: 104,
        first_line: 40,
        line_table: 120,
        instructions: Instructions::ByteIndex,
        calls: Calls::UNKNOWN,
    },
    text: TextLayout { ascii: 48, compact: 72 },
    instance: InstanceLayout {
        attributes: Attributes::Dictionary,
        cached_keys: 864,
        keys: Keys::Sized,
        values_header: 0,
    },
};
