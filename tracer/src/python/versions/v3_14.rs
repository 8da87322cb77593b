//! CPython 3.14: objects in frames are tagged words; the byte `visited` follows a frame's owner.

use super::debug_offsets::{self, Form, FramePlaces, Unpublished};
use super::{Calls, Layout, MarkerPlace, Version};

pub const FORM: Form = Form { series: 0x030e, current_frame: 208, frame: 248, code: 312, text: 616 };

/// The lowest bits of a `_PyStackRef` say how the reference is held.
pub const OBJECT_MASK: usize = !0b11;

/// The first release whose collector leaves `visited` alone: the ones before have the incremental collector, which
/// keeps notes of its own there.
const FIRST_WITHOUT_INCREMENTAL_COLLECTOR: Version = Version(0x030e_05f0);

/// Reads the layout out of a 3.14 runtime.
///
/// # Safety
///
/// As for [`debug_offsets::layout`].
pub unsafe fn layout(version: Version, runtime: usize) -> Result<Layout, &'static str> {
    let has_free_byte = version >= FIRST_WITHOUT_INCREMENTAL_COLLECTOR;
    let rest = Unpublished {
        object_mask: OBJECT_MASK,
        marker: if has_free_byte { visited } else { |_| None },
        calls: Calls::UNKNOWN,
        cached_keys: 880,
    };
    // SAFETY: the same conditions.
    unsafe { debug_offsets::layout(runtime, &FORM, rest) }
}

/// The byte `visited`, in the word between the pointer to the stack's top and the local variables.
pub fn visited(places: FramePlaces) -> Option<MarkerPlace> {
    let word = places.instruction + 16;
    (places.owner == word + 2 && places.locals == word + 8).then_some(MarkerPlace::VisitedBit { word })
}
