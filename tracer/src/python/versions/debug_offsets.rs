//! CPython 3.13 and later publish most offsets themselves, in `_Py_DebugOffsets` at the start of `_PyRuntime`: the
//! numbers are read from there, and only what is not published stands in the file of each version.
//!
//! The structure itself differs between versions, so its form is chosen by the version; it must never be read by the
//! form of another one.

use super::{
    Attributes, Calls, CodeLayout, Entries, FrameLayout, InstanceLayout, Instructions, Keys, Layout,
    MarkerPlace, Running, TextLayout, ThreadLayout,
};

/// The first bytes of the structure.
const COOKIE: [u8; 8] = *b"xdebugpy";

/// Positions in the structure that are the same in all versions. Each number is a `uint64_t`.
const VERSION: usize = 8;
const FREE_THREADED: usize = 16;
const FINALIZING: usize = 32;
const INTERPRETERS_HEAD: usize = 40;

/// `_co_firsttraceable` is not published; it stands this far before the byte code.
const FIRST_TRACEABLE_BEFORE_BYTECODE: usize = 16;

/// The structures that are read are smaller than this (`_PyRuntime` aside).
const LARGEST_OFFSET: usize = 4096;

/// Where the parts of the structure begin that differ in length from version to version. The fields that are read
/// stand at the same place in each part.
pub struct Form {
    /// `0x030d` for 3.13.
    pub series: u32,
    /// `thread_state.current_frame`.
    pub current_frame: usize,
    /// `interpreter_frame`.
    pub frame: usize,
    /// `code_object`.
    pub code: usize,
    /// `unicode_object`.
    pub text: usize,
}

/// What a version does not publish.
pub struct Unpublished {
    /// See [`FrameLayout::object_mask`].
    pub object_mask: usize,
    /// Where a frame can be marked, from the offsets of its instruction, owner and first local variable.
    pub marker: fn(FramePlaces) -> Option<MarkerPlace>,
    /// Instructions that call.
    pub calls: Calls,
    /// See [`InstanceLayout::cached_keys`].
    pub cached_keys: usize,
}

/// Published offsets in a frame, from which a marker's place follows.
#[derive(Clone, Copy)]
pub struct FramePlaces {
    pub instruction: usize,
    pub owner: usize,
    pub locals: usize,
}

/// Reads the layout out of a runtime.
///
/// # Safety
///
/// `runtime` must be the address of `_PyRuntime` of a CPython of the form's series, or of memory that is as large as
/// the form says.
pub unsafe fn layout(runtime: usize, form: &Form, rest: Unpublished) -> Result<Layout, &'static str> {
    // SAFETY: the structure is static data at the start of _PyRuntime, valid before Py_Initialize; all positions are
    // inside it.
    let word = |position: usize| unsafe { ((runtime + position) as *const u64).read_unaligned() } as usize;
    if (word(0) as u64).to_ne_bytes() != COOKIE || word(VERSION) >> 16 != form.series as usize {
        return Err("this Python does not publish its frame layout as its version does");
    }
    if word(FREE_THREADED) != 0 {
        return Err(super::super::FREE_THREADED);
    }
    let frame = |index: usize| word(form.frame + index * 8);
    let code = |index: usize| word(form.code + index * 8);
    let ascii = word(form.text + 3 * 8);
    let bytecode = code(9);
    let places = FramePlaces { instruction: frame(3), locals: frame(4), owner: frame(5) };
    let layout = Layout {
        finalizing: word(FINALIZING),
        // The second pointer of `interpreters`, after the head of their list.
        main_interpreter: word(INTERPRETERS_HEAD).saturating_add(8),
        thread: ThreadLayout { cframe: None, running: Running::Own, frame: word(form.current_frame) },
        frame: FrameLayout {
            code: frame(2),
            object_mask: rest.object_mask,
            instruction: places.instruction,
            instruction_mask: usize::MAX,
            previous: frame(1),
            owner: places.owner,
            shim_owner: 3,
            entries: Entries::Shim,
            locals: places.locals,
            in_object: Some(24),
            marker: (rest.marker)(places),
        },
        code: CodeLayout {
            name: code(3),
            file: code(1),
            first_line: code(5),
            line_table: code(4),
            instructions: Instructions::Pointer {
                bytecode,
                first_traceable: bytecode.saturating_sub(FIRST_TRACEABLE_BEFORE_BYTECODE),
            },
            calls: rest.calls,
        },
        // PyCompactUnicodeObject adds a length and a pointer.
        text: TextLayout { ascii, compact: ascii.saturating_add(16) },
        instance: InstanceLayout {
            attributes: Attributes::Inline,
            cached_keys: rest.cached_keys,
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

#[cfg(test)]
mod tests {
    use super::super::{Version, v3_13, v3_14, v3_15};
    use super::*;

    /// What a version publishes: the numbers of the headers of 3.13.5, 3.14.10 and 3.15.2.
    fn published(version: u32, form: &Form, finalizing: u64, frame: [u64; 6], ascii: u64) -> Vec<u64> {
        let mut words = vec![0; 128];
        words[0] = u64::from_ne_bytes(COOKIE);
        words[1] = version.into();
        words[FINALIZING / 8] = finalizing;
        words[INTERPRETERS_HEAD / 8] = finalizing + 24;
        words[form.current_frame / 8] = 72;
        words[form.frame / 8..][..6].copy_from_slice(&frame);
        words[form.code / 8..][..10].copy_from_slice(&[216, 112, 120, 128, 136, 68, 52, 96, 104, 200]);
        words[form.text / 8..][..4].copy_from_slice(&[64, 32, 16, ascii]);
        words
    }

    const FRAME: [u64; 6] = [88, 8, 0, 56, 80, 74];

    fn of_3_14(version: u32, change: impl FnOnce(&mut Vec<u64>)) -> Result<Layout, &'static str> {
        let mut words = published(version, &v3_14::FORM, 784, FRAME, 40);
        change(&mut words);
        // SAFETY: the words are as many as the form says.
        unsafe { v3_14::layout(Version(version), words.as_ptr() as usize) }
    }

    #[test]
    fn numbers_are_read_by_the_form_of_their_version() {
        let words = published(0x030d_05f0, &v3_13::FORM, 776, [80, 8, 0, 56, 72, 70], 40);
        // SAFETY: the words are as many as the form says.
        let layout = unsafe { v3_13::layout(words.as_ptr() as usize) }.unwrap();
        assert_eq!((layout.frame.locals, layout.frame.owner, layout.text.compact), (72, 70, 56));
        assert!(matches!(layout.frame.marker, Some(MarkerPlace::DeadSlot { stack_top: 64, .. })));

        let words = published(0x030f_02f0, &v3_15::FORM, 912, FRAME, 40);
        // SAFETY: the words are as many as the form says.
        let layout = unsafe { v3_15::layout(words.as_ptr() as usize) }.unwrap();
        assert_eq!((layout.finalizing, layout.main_interpreter), (912, 944));
        assert_eq!((layout.code.name, layout.code.file, layout.code.first_line), (128, 112, 68));
        assert!(matches!(layout.frame.marker, Some(MarkerPlace::VisitedBit { word: 72 })));
        // SAFETY: no form reaches behind the words.
        assert!(unsafe { v3_13::layout(words.as_ptr() as usize) }.is_err(), "of another version");
    }

    #[test]
    fn frames_are_marked_where_nobody_else_uses_the_byte() {
        let marker = |version, change: fn(&mut Vec<u64>)| of_3_14(version, change).unwrap().frame.marker;
        assert!(marker(0x030e_05f0, |_| ()).is_some());
        assert!(marker(0x030e_04f0, |_| ()).is_none(), "its collector uses the byte");
        assert!(marker(0x030e_05f0, |words| words[v3_14::FORM.frame / 8 + 5] = 75).is_none());
    }

    #[test]
    fn other_builds_are_refused() {
        assert_eq!(
            of_3_14(0x030e_05f0, |words| words[2] = 1).err(),
            Some(super::super::super::FREE_THREADED)
        );
        assert!(of_3_14(0x030e_05f0, |words| words[0] = 0).is_err());
        assert!(of_3_14(0x030e_05f0, |words| words[v3_14::FORM.frame / 8 + 1] = 1 << 40).is_err());
    }
}
