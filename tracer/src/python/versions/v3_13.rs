//! CPython 3.13: the first version that publishes its offsets.

use super::debug_offsets::{self, Form, Unpublished};
use super::{Calls, Layout, MarkerPlace};

pub const FORM: Form = Form { series: 0x030d, current_frame: 184, frame: 224, code: 272, text: 536 };

/// `CALL`, `CALL_FUNCTION_EX`, `CALL_KW`, the specialized forms of `CALL`, and the instrumented forms.
const CALLS: [u8; 26] = [
    53, 54, 57, 162, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173, 174, 175, 176, 177, 178, 179,
    180, 181, 244, 245, 246,
];

/// Reads the layout out of a 3.13 runtime.
///
/// # Safety
///
/// As for [`debug_offsets::layout`].
pub unsafe fn layout(runtime: usize) -> Result<Layout, &'static str> {
    let rest = Unpublished {
        object_mask: usize::MAX,
        // The pointer to the instruction is followed by `stacktop`.
        marker: |places| {
            let stack_top = places.instruction.saturating_add(8);
            Some(MarkerPlace::DeadSlot { stack_top, is_entry: None })
        },
        calls: Calls { opcodes: &[], units_before: 0, named: &CALLS },
        cached_keys: 880,
    };
    // SAFETY: the same conditions.
    unsafe { debug_offsets::layout(runtime, &FORM, rest) }
}
