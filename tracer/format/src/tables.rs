//! The tables' records.

use crate::header::Text;
use crate::record::record;

/// The tables of a capture. The number stands in extents, journal entries and [`crate::Header::lengths`].
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The fixed structures before the first extent; only as a journal target.
    Fixed = 0,
    /// UTF-8 text, referred to by [`Text`].
    Strings = 1,
    /// [`Code`].
    Codes = 2,
    /// [`Stack`].
    Stacks = 3,
    /// [`crate::SmallSite`]; before version 4 [`Site`].
    Sites = 4,
    /// [`Place`].
    Places = 5,
    /// [`SetNode`].
    Sets = 6,
    /// [`Thread`].
    Threads = 7,
    /// [`crate::Sample`]: taken by the process itself when it allocates.
    Timeline = 8,
    /// [`crate::Sample`]: taken from outside, by whoever started the process; they fill the time in which it does
    /// not allocate. The tracer makes the slots and never touches them again.
    Observed = 9,
    /// [`Fold`].
    Folds = 10,
    /// [`crate::Area`]: one for each thread that lives.
    Areas = 11,
    /// [`crate::Module`].
    Modules = 12,
    /// [`crate::Address`].
    Addresses = 13,
    /// [`crate::NativeFrame`].
    NativeFrames = 14,
    /// [`crate::Symbol`]: never written by the tracer.
    Symbols = 15,
    /// [`crate::Segment`]s with their [`crate::LogRow`]s, in full records only. It has no length: each segment says itself
    /// what it holds, and who reads the tables leaves it out.
    Log = 16,
    /// [`Site`]s that have outgrown their record in [`Table::Sites`], which says where they are. It has no length: what no
    /// record refers to says nothing.
    LargeSites = 17,
}

impl Table {
    /// All tables that a [`crate::Capture`] is made of.
    pub const ALL: [Self; 16] = [
        Self::Strings,
        Self::Codes,
        Self::Stacks,
        Self::Sites,
        Self::Places,
        Self::Sets,
        Self::Threads,
        Self::Timeline,
        Self::Observed,
        Self::Folds,
        Self::Areas,
        Self::Modules,
        Self::Addresses,
        Self::NativeFrames,
        Self::Symbols,
        Self::LargeSites,
    ];
}

record! {
    /// A function, as far as figures need it: one for each (name, file, first line) that was seen.
    Code [24] {
        /// Qualified name where the interpreter knows it (3.11 and later), else the plain name.
        name: Text,
        /// The file as the code object names it; may be relative, or `<string>`.
        file: Text,
        /// First line of the function, 1-based.
        first_line: u32,
        /// 1 when the file belongs to the project.
        in_project: u32,
    }
}

record! {
    /// A node of the stack tree: a frame, and the stack below it. Index 0 is the empty stack.
    ///
    /// Example: `01 00 00 00  02 00 00 00  2a 00 00 00  03 00 00 00` is the frame of code 2 at line 42 on top of
    /// stack 1, whose project lines are set 3.
    ///
    /// With native frames ([`crate::Mode::Native`]) a stack can also be a Python stack with the native frames around it,
    /// see [`NATIVE_STACK`]. No stack is on top of such a one.
    Stack [16] {
        /// The caller's stack; always lower than the own index.
        parent: u32,
        /// Index of a [`Code`], or [`NATIVE_STACK`].
        code: u32,
        /// The line that was executing, 1-based, 0 when the code object has none; with [`ENTERED`].
        line: u32,
        /// Index of the [`SetNode`] with all project lines and functions of this stack.
        set: u32,
    }
}

impl Stack {
    /// The line that was executing, 0 when it is not known.
    #[must_use]
    pub const fn own_line(&self) -> u32 {
        self.line & !ENTERED
    }
}

/// [`Stack::code`] of a stack that is the Python stack `parent` with native frames: `line` is the index of the innermost
/// [`crate::NativeFrame`]; with [`ENTERED`] if the innermost loop stands for a frame that Python does not show yet.
pub const NATIVE_STACK: u32 = u32::MAX;

/// A bit of [`Stack::line`], in captures with native frames: the interpreter's loop was called anew for this frame, so a
/// native frame of the loop stands for it and for the frames that it called without a new loop.
pub const ENTERED: u32 = 1 << 31;

/// Frames of a stack beyond which recursion is folded; see [`Fold`].
pub const FOLD_DEPTH: u32 = 1024;

record! {
    /// A stack that deep recursion came back to. A stack with more than [`FOLD_DEPTH`] frames whose next frame is at the
    /// same line as one of the last few takes that one's place in the tree instead of a new one, and what allocates in it
    /// counts there.
    ///
    /// Example: `01 04 00 00  58 82 01 00` are 98904 frames that were folded at once into stack 1025.
    Fold [8] {
        /// Index of a [`Stack`].
        stack: u32,
        /// Largest number of frames that a thread had beside those of the stack as it is shown.
        frames: u32,
    }
}

/// Lower bounds of size classes grow by a factor of four from 16 bytes: see [`size_class_lower_bound`].
pub const SIZE_CLASSES: usize = 13;

/// The class of a requested size: 0 for less than 16 bytes, then one class per factor of four.
#[must_use]
pub const fn size_class(bytes: u64) -> usize {
    if bytes < 16 {
        return 0;
    }
    let class = (bytes.ilog2() as usize - 4) / 2 + 1;
    if class < SIZE_CLASSES { class } else { SIZE_CLASSES - 1 }
}

/// Smallest size in a class, bytes.
#[must_use]
pub const fn size_class_lower_bound(class: usize) -> u64 {
    if class == 0 { 0 } else { 16 << (2 * (class - 1)) }
}

record! {
    /// Counters of one (stack, thread, allocator). Two cache lines: the first changes with every event.
    Site [128] {
        /// Bytes allocated here and not yet freed.
        live_bytes: u64,
        /// Live bytes at the peak, valid as [`crate::Header::peak_state`] says.
        peak_bytes: u64,
        /// Allocations not yet freed.
        live_count: u32,
        /// Live allocations at the peak.
        peak_count: u32,
        /// The peak that `peak_bytes` and `peak_count` belong to.
        epoch: u32,
        /// Index of the [`Place`] of the innermost line, [`NO_PLACE`] without one.
        place: u32,
        /// Bytes ever allocated.
        allocated_bytes: u64,
        /// Allocations ever made.
        allocated_count: u64,
        /// Bytes of temporary allocations.
        temporary_bytes: u64,
        /// Temporary allocations: freed before their thread's next allocation.
        temporary_count: u64,
        /// Index of a [`Stack`].
        stack: u32,
        /// The stack's set, again.
        set: u32,
        /// Index of a [`Thread`] in the low 24 bits, [`Allocator`] in the high 8.
        thread_and_allocator: u32,
        /// Allocations by [`size_class`]; stays at `u32::MAX` when it would overflow.
        sizes: [u32; SIZE_CLASSES],
    }
}

impl Site {
    /// Packs `thread_and_allocator`.
    #[must_use]
    pub const fn key(thread: u32, allocator: Allocator) -> u32 {
        (thread & 0xff_ffff) | ((allocator as u32) << 24)
    }
    /// Index of the thread.
    #[must_use]
    pub const fn thread(&self) -> u32 {
        Self::thread_of(self.thread_and_allocator)
    }
    /// Index of the thread in what [`Self::key`] packed.
    #[must_use]
    pub const fn thread_of(key: u32) -> u32 {
        key & 0xff_ffff
    }
    /// The allocator, `None` for a number this version does not know.
    #[must_use]
    pub const fn allocator(&self) -> Option<Allocator> {
        Allocator::from_number((self.thread_and_allocator >> 24) as u8)
    }
}

/// No [`Place`].
pub const NO_PLACE: u32 = u32::MAX;

/// What a [`Place`] is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// A line of a file: the `self_*` figures.
    SelfLine = 0,
    /// A line of a project file: the inclusive figures.
    TotalLine = 1,
    /// A function of a project file: the inclusive figures.
    TotalFunction = 2,
}

record! {
    /// A line or function with its own largest number of live bytes. Two places are never the same
    /// (kind, file, line, name).
    Place [48] {
        /// Live bytes of the place, without what is pending in the set tree.
        live_bytes: i64,
        /// Largest `live_bytes` ever.
        max_bytes: i64,
        /// A [`PlaceKind`].
        kind: u32,
        /// The line; for a function its first line.
        line: u32,
        /// The file.
        file: Text,
        /// A function's name; empty for lines.
        name: Text,
        /// Zero.
        reserved: u64,
    }
}

record! {
    /// A node of the set tree: the set of project lines and functions on a stack, as a path to the root (index 0,
    /// the empty set). Each node adds a line, the line's function, or both: what no outer node has. A lambda on the
    /// line of its caller adds only a function.
    ///
    /// `pending` and `pending_max` are the sum of what was allocated and freed since the last application, and
    /// the highest value that sum had. They belong to the places of this node and of all nodes above it. Only
    /// the nodes from [`crate::Header::current_set`] to the root may have something pending, so an event touches
    /// two words however many lines are on its stack. Applying a node:
    /// `max = max(max, live + pending_max); live += pending` for its places, and for its parent
    /// `pending_max = max(pending_max, pending + child.pending_max); pending += child.pending`.
    SetNode [32] {
        /// The smaller set; always lower than the own index.
        parent: u32,
        /// Nodes to the root.
        depth: u32,
        /// Index of the line's [`Place`], or [`NO_PLACE`].
        line: u32,
        /// Index of the function's [`Place`], or [`NO_PLACE`].
        function: u32,
        /// Bytes, signed.
        pending: i64,
        /// Bytes, never negative.
        pending_max: i64,
    }
}

record! {
    /// A thread of the process.
    Thread [16] {
        /// The kernel's thread id; 0 for the entry that stands for all threads beyond the table's bound.
        tid: u32,
        /// Zero.
        reserved: u32,
        /// Its name: what Python calls it, else what the kernel does.
        name: Text,
    }
}

/// How memory was asked for. Numbers and names are those of Memray's captures where it knows the function.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Allocator {
    /// `malloc` of one of CPython's domains, nobody knows which; only captures of Memray have these three.
    PymallocMalloc = 2,
    /// `calloc` of one of CPython's own allocators.
    PymallocCalloc = 3,
    /// `realloc` of one of CPython's own allocators.
    PymallocRealloc = 4,
    /// `malloc`, `operator new`.
    Malloc = 6,
    /// `realloc`, `reallocarray`.
    Realloc = 7,
    /// `calloc`.
    Calloc = 8,
    /// `posix_memalign`.
    PosixMemalign = 9,
    /// `aligned_alloc`.
    AlignedAlloc = 10,
    /// `memalign`.
    Memalign = 11,
    /// `valloc`.
    Valloc = 12,
    /// `pvalloc`.
    Pvalloc = 13,
    /// `mmap`, `mmap64`.
    Mmap = 14,
    /// `mremap`, which Memray does not see.
    Mremap = 32,
    /// `PyMem_RawMalloc`. Memray does not tell the domains of CPython's allocators apart.
    PyMemRawMalloc = 33,
    /// `PyMem_RawCalloc`.
    PyMemRawCalloc = 34,
    /// `PyMem_RawRealloc`.
    PyMemRawRealloc = 35,
    /// `PyMem_Malloc`.
    PyMemMalloc = 36,
    /// `PyMem_Calloc`.
    PyMemCalloc = 37,
    /// `PyMem_Realloc`.
    PyMemRealloc = 38,
    /// `PyObject_Malloc`.
    PyObjectMalloc = 39,
    /// `PyObject_Calloc`.
    PyObjectCalloc = 40,
    /// `PyObject_Realloc`.
    PyObjectRealloc = 41,
}

impl Allocator {
    /// Every allocator of this version.
    pub const ALL: [Self; 22] = [
        Self::PymallocMalloc,
        Self::PymallocCalloc,
        Self::PymallocRealloc,
        Self::Malloc,
        Self::Realloc,
        Self::Calloc,
        Self::PosixMemalign,
        Self::AlignedAlloc,
        Self::Memalign,
        Self::Valloc,
        Self::Pvalloc,
        Self::Mmap,
        Self::Mremap,
        Self::PyMemRawMalloc,
        Self::PyMemRawCalloc,
        Self::PyMemRawRealloc,
        Self::PyMemMalloc,
        Self::PyMemCalloc,
        Self::PyMemRealloc,
        Self::PyObjectMalloc,
        Self::PyObjectCalloc,
        Self::PyObjectRealloc,
    ];
    /// The allocator with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            2 => Self::PymallocMalloc,
            3 => Self::PymallocCalloc,
            4 => Self::PymallocRealloc,
            6 => Self::Malloc,
            7 => Self::Realloc,
            8 => Self::Calloc,
            9 => Self::PosixMemalign,
            10 => Self::AlignedAlloc,
            11 => Self::Memalign,
            12 => Self::Valloc,
            13 => Self::Pvalloc,
            14 => Self::Mmap,
            32 => Self::Mremap,
            33 => Self::PyMemRawMalloc,
            34 => Self::PyMemRawCalloc,
            35 => Self::PyMemRawRealloc,
            36 => Self::PyMemMalloc,
            37 => Self::PyMemCalloc,
            38 => Self::PyMemRealloc,
            39 => Self::PyObjectMalloc,
            40 => Self::PyObjectCalloc,
            41 => Self::PyObjectRealloc,
            _ => return None,
        })
    }
    /// Its name: Memray's, or in the manner of Memray's the function's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PymallocMalloc => "PYMALLOC_MALLOC",
            Self::PymallocCalloc => "PYMALLOC_CALLOC",
            Self::PymallocRealloc => "PYMALLOC_REALLOC",
            Self::Malloc => "MALLOC",
            Self::Realloc => "REALLOC",
            Self::Calloc => "CALLOC",
            Self::PosixMemalign => "POSIX_MEMALIGN",
            Self::AlignedAlloc => "ALIGNED_ALLOC",
            Self::Memalign => "MEMALIGN",
            Self::Valloc => "VALLOC",
            Self::Pvalloc => "PVALLOC",
            Self::Mmap => "MMAP",
            Self::Mremap => "MREMAP",
            Self::PyMemRawMalloc => "PYMEM_RAW_MALLOC",
            Self::PyMemRawCalloc => "PYMEM_RAW_CALLOC",
            Self::PyMemRawRealloc => "PYMEM_RAW_REALLOC",
            Self::PyMemMalloc => "PYMEM_MALLOC",
            Self::PyMemCalloc => "PYMEM_CALLOC",
            Self::PyMemRealloc => "PYMEM_REALLOC",
            Self::PyObjectMalloc => "PYOBJECT_MALLOC",
            Self::PyObjectCalloc => "PYOBJECT_CALLOC",
            Self::PyObjectRealloc => "PYOBJECT_REALLOC",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    #[test]
    fn stack_example_decodes() {
        let bytes = [1, 0, 0, 0, 2, 0, 0, 0, 0x2a, 0, 0, 0, 3, 0, 0, 0];
        let stack = Stack { parent: 1, code: 2, line: 42, set: 3 };
        assert_eq!(Stack::decode(&bytes), Some(stack));
        let mut out = [0; 16];
        assert_eq!(stack.encode(&mut out), Some(()));
        assert_eq!(out, bytes);
    }

    #[test]
    fn size_classes_begin_at_their_lower_bound() {
        for class in 1..SIZE_CLASSES {
            let bound = size_class_lower_bound(class);
            assert_eq!(size_class(bound), class);
            assert_eq!(size_class(bound - 1), class - 1);
        }
        assert_eq!(size_class(0), 0);
        assert_eq!(size_class(u64::MAX), SIZE_CLASSES - 1);
    }
}
