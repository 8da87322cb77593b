//! What differs between CPython versions, as numbers: one file per minor version, chosen once.
//!
//! To support a further version, add its file and its line in [`Layout::of`]; the rest of the tracer follows the
//! numbers. A version without a file is refused: nothing here may guess.

mod debug_offsets;
mod v3_10;
mod v3_11;
mod v3_12;
mod v3_13;
mod v3_14;
mod v3_15;
mod v3_9;

/// `PY_VERSION_HEX`: two bytes of major and minor version, then micro version, release level and serial.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version(pub u32);

impl Version {
    /// The release level of betas; alphas are lower, candidates and final releases higher.
    const BETA: u32 = 0xb;

    /// `0x030b` for every 3.11.
    pub const fn minor_series(self) -> u32 {
        self.0 >> 16
    }

    /// Alphas and betas: their layouts may still change.
    pub const fn is_unstable(self) -> bool {
        (self.0 >> 4) & 0xf <= Self::BETA
    }
}

/// Where the tracer finds what it reads. All numbers are byte offsets.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// In `_PyRuntime`: the thread state that finalizes the interpreter, or null.
    pub finalizing: usize,
    /// In `_PyRuntime`: the main interpreter. Only there to prove the offset above.
    pub main_interpreter: usize,
    /// The way from a thread state to its innermost frame.
    pub thread: ThreadLayout,
    /// A frame.
    pub frame: FrameLayout,
    /// A code object.
    pub code: CodeLayout,
    /// A `str`.
    pub text: TextLayout,
    /// Instances of classes that are written in Python, and their dictionaries.
    pub instance: InstanceLayout,
}

/// The way from a `PyThreadState` to its innermost frame.
#[derive(Clone, Copy, Debug)]
pub struct ThreadLayout {
    /// Where the thread state points to the `_PyCFrame` that holds the frame pointer (3.11 and 3.12).
    pub cframe: Option<usize>,
    /// Whose thread state is the running one.
    pub running: Running,
    /// The frame pointer, in the `_PyCFrame` if there is one, else in the thread state.
    pub frame: usize,
}

/// Whose thread state it is that the interpreter calls the running one.
#[derive(Clone, Copy, Debug)]
pub enum Running {
    /// 3.12 and later: the calling thread's, in whatever interpreter it is.
    Own,
    /// Before: that of whichever thread holds the GIL.
    OfGilHolder {
        /// `thread_id`: what `pthread_self` says in the thread.
        thread_id: usize,
    },
}

/// A frame: `PyFrameObject` before 3.11, `_PyInterpreterFrame` from then on.
#[derive(Clone, Copy, Debug)]
pub struct FrameLayout {
    /// Pointer to the code object.
    pub code: usize,
    /// Which bits of a word in a frame are the object's address.
    pub object_mask: usize,
    /// The word that names the instruction: an index before 3.11, a pointer from then on.
    pub instruction: usize,
    /// Which bits of that word count.
    pub instruction_mask: usize,
    /// Pointer to the calling frame.
    pub previous: usize,
    /// The byte that says who owns the frame; any byte of the frame where there is none.
    pub owner: usize,
    /// The lowest owner that marks a frame without Python code; above 255 where there are no such frames.
    pub shim_owner: u16,
    /// How a frame shows that the interpreter's loop was called anew for it.
    pub entries: Entries,
    /// The first local variable.
    pub locals: usize,
    /// In a frame *object*: the pointer to the frame; `None` where the object is the frame itself.
    pub in_object: Option<usize>,
    /// Where a marker can be set, if anywhere.
    pub marker: Option<MarkerPlace>,
}

/// How a frame shows that the interpreter's loop was called anew for it, instead of going on with it.
#[derive(Clone, Copy, Debug)]
pub enum Entries {
    /// 3.9 and 3.10: it is for every frame.
    Every,
    /// 3.11: by the lowest bit of this byte.
    Byte(usize),
    /// 3.12 and later: a frame without Python code stands before it.
    Shim,
}

/// Where a frame has room for a marker; [`super::markers`] says why nobody minds.
#[derive(Clone, Copy, Debug)]
pub enum MarkerPlace {
    /// 3.9 and 3.10.
    ActivationBit {
        /// `f_trace_lines`, a `char`.
        trace_lines: usize,
        /// `f_gen`: null in frames that are not a generator's.
        generator: usize,
    },
    /// 3.11 to 3.13.
    DeadSlot {
        /// `stacktop`, an `int`: how many locals and operands there are; -1 while the frame runs.
        stack_top: usize,
        /// The byte that says whether the frame was entered from C, where a frame without code does not say it.
        is_entry: Option<usize>,
    },
    /// 3.14.5 and later.
    VisitedBit {
        /// The word whose third byte is the owner and whose fourth is `visited`.
        word: usize,
    },
}

/// How the instruction word of a frame that waits for its callee shows that it is a call.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    /// Opcodes of calls, in all specialized and instrumented forms.
    pub opcodes: &'static [u8],
    /// How many code units before the one that the instruction word names these stand.
    pub units_before: usize,
    /// Opcodes of calls that the instruction word names itself.
    pub named: &'static [u8],
}

impl Calls {
    /// Where markers do not ask for it.
    pub const UNKNOWN: Self = Self { opcodes: &[], units_before: 0, named: &[] };
}

/// A `PyCodeObject`.
#[derive(Clone, Copy, Debug)]
pub struct CodeLayout {
    /// The name to show: `co_qualname`, before 3.11 `co_name`.
    pub name: usize,
    /// `co_filename`.
    pub file: usize,
    /// `co_firstlineno`, an `int`.
    pub first_line: usize,
    /// The `bytes` object with the line table.
    pub line_table: usize,
    /// How the line table is written, and what an instruction word means.
    pub instructions: Instructions,
    /// Instructions that call.
    pub calls: Calls,
}

/// What the instruction word of a frame means, and the form of the line table that belongs to it.
#[derive(Clone, Copy, Debug)]
pub enum Instructions {
    /// 3.9: byte index of the instruction; `co_lnotab`.
    ByteIndex,
    /// 3.10: index in code units of two bytes; `co_linetable` of (length, line delta) pairs.
    UnitIndex,
    /// 3.11 and later: pointer into the byte code; location table.
    Pointer {
        /// Start of the byte code in the code object.
        bytecode: usize,
        /// `_co_firsttraceable`, an `int`: index of the first code unit that belongs to the function's body.
        first_traceable: usize,
    },
}

/// A `str`. Its length is at 16 and its state bits at 32 in all known versions.
#[derive(Clone, Copy, Debug)]
pub struct TextLayout {
    /// Characters of a compact ASCII string.
    pub ascii: usize,
    /// Characters of another compact string; pointer to them where the string is not compact.
    pub compact: usize,
}

/// Instances of classes that are written in Python.
#[derive(Clone, Copy, Debug)]
pub struct InstanceLayout {
    /// Where the attributes are.
    pub attributes: Attributes,
    /// `ht_cached_keys` of a heap type: names of the attributes that instances keep without a dictionary.
    pub cached_keys: usize,
    /// The form of a dictionary's keys.
    pub keys: Keys,
    /// Bytes before the first pointer in an array of values.
    pub values_header: usize,
}

/// Where an instance keeps its attributes.
#[derive(Clone, Copy, Debug)]
pub enum Attributes {
    /// 3.9 and 3.10: in a dictionary, at the type's `tp_dictoffset`.
    Dictionary,
    /// 3.11: value array at -32, or dictionary at -24.
    ValuesOrDictionary,
    /// 3.12: one word at -24; value array if its lowest bit is set, else dictionary.
    Tagged,
    /// 3.13 and later: dictionary at -24, or value array behind the object's own fields.
    Inline,
}

/// The form of `PyDictKeysObject`.
#[derive(Clone, Copy, Debug)]
pub enum Keys {
    /// 3.9 and 3.10: size as a word; every entry is (hash, key, value).
    Sized,
    /// 3.11 and later: sizes as powers of two; entries without hash where all keys are strings.
    Log2,
}

impl Layout {
    /// The layout of a version, or the sentence that says why there is none.
    ///
    /// # Safety
    ///
    /// `runtime` must be the address of `_PyRuntime` of an interpreter of that version.
    pub unsafe fn of(version: Version, runtime: usize) -> Result<Self, &'static str> {
        if version.is_unstable() {
            return Err(
                "this Python is an alpha or beta release; heaphint reads Python frames of final releases only",
            );
        }
        match version.minor_series() {
            0x0309 => Ok(v3_9::LAYOUT),
            0x030a => Ok(v3_10::LAYOUT),
            0x030b => Ok(v3_11::LAYOUT),
            0x030c => Ok(v3_12::LAYOUT),
            // SAFETY: the caller passes the runtime of this version.
            0x030d => unsafe { v3_13::layout(runtime) },
            // SAFETY: the same.
            0x030e => unsafe { v3_14::layout(version, runtime) },
            // SAFETY: the same.
            0x030f => unsafe { v3_15::layout(runtime) },
            _ => Err("heaphint knows the frames of CPython 3.9 to 3.15 and this is another version"),
        }
    }
}
