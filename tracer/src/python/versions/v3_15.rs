//! CPython 3.15: as 3.14, with more fields in the thread state and in what is published.

use super::debug_offsets::{self, Form, Unpublished};
use super::v3_14::{OBJECT_MASK, visited};
use super::{Calls, Layout};

pub const FORM: Form = Form { series: 0x030f, current_frame: 208, frame: 312, code: 376, text: 712 };

/// Reads the layout out of a 3.15 runtime.
///
/// # Safety
///
/// As for [`debug_offsets::layout`].
pub unsafe fn layout(runtime: usize) -> Result<Layout, &'static str> {
    let rest =
        Unpublished { object_mask: OBJECT_MASK, marker: visited, calls: Calls::UNKNOWN, cached_keys: 888 };
    // SAFETY: the same conditions.
    unsafe { debug_offsets::layout(runtime, &FORM, rest) }
}
