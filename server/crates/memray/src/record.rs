//! The records of both file formats, and each as one line of text.

use std::fmt;

use heaphint_analysis::Allocator;

use crate::{FileFormat, Header};

/// One record. What Memray calls a deallocation is an [`Record::Allocation`] by one of the functions that free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The end.
    Trailer,
    /// Memory was allocated or freed by the current thread.
    Allocation {
        /// Of the block.
        address: u64,
        /// Number of the function: [`Allocator::from_number`] knows it unless it frees.
        allocator: u8,
        /// Node of the native stack, 0 without one.
        native_frame: u64,
        /// Requested size; 0 for a simple free.
        bytes: u64,
    },
    /// The current thread called a function.
    FramePush {
        /// Its code object.
        code: u64,
        /// The instruction in the code object, in bytes.
        offset: i64,
        /// Whether a C function made the call.
        is_entry: bool,
    },
    /// The current thread left so many functions.
    FramePop {
        /// 1 to 16.
        count: u8,
    },
    /// An object was created or destroyed.
    Object {
        /// Of the object.
        address: u64,
        /// Whether it was created.
        created: bool,
        /// Node of the native stack, 0 without one.
        native_frame: u64,
    },
    /// What follows belongs to this thread.
    ContextSwitch {
        /// Memray's number of the thread.
        tid: u64,
    },
    /// Name of the current thread.
    Thread {
        /// Its name.
        name: String,
    },
    /// Resident set size at a moment.
    Memory {
        /// Bytes.
        rss: u64,
        /// Milliseconds since the start.
        elapsed_ms: u64,
    },
    /// A function.
    Code(Box<Code>),
    /// A node of the tree of native stacks; numbered from 1 in their order.
    NativeFrame {
        /// Return address.
        ip: u64,
        /// Node of the caller, 0 for none.
        parent: u64,
    },
    /// A new list of loaded libraries follows.
    MemoryMapStart,
    /// A loaded library; its segments follow.
    SegmentHeader {
        /// Its file.
        file: String,
        /// Number of segments.
        count: u64,
        /// Load address.
        address: u64,
    },
    /// A segment of a library.
    Segment {
        /// Relative to the load address.
        address: u64,
        /// Length.
        bytes: u64,
    },
    /// Aggregated files: resident set and heap at a moment.
    Snapshot {
        /// Milliseconds since 1970-01-01 UTC.
        unix_ms: u64,
        /// Bytes.
        rss: u64,
        /// Bytes.
        heap: u64,
    },
    /// Aggregated files: the sums of a stack.
    Aggregated(Box<Aggregated>),
    /// Aggregated files: a frame, numbered from 0.
    Frame {
        /// Its number.
        id: u64,
        /// Its code object.
        code: u64,
        /// The instruction in the code object, in bytes.
        offset: i64,
        /// Whether a C function made the call.
        is_entry: bool,
    },
    /// Aggregated files: a node of the stack tree, numbered from 1 in their order.
    Stack {
        /// The frame on top.
        frame: u64,
        /// The caller's node, 0 for none.
        parent: u64,
    },
    /// Aggregated files: an object that was alive at the end.
    SurvivingObject {
        /// Of the object.
        address: u64,
        /// Node of the native stack, 0 without one.
        native_frame: u64,
    },
}

/// A code object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Its number.
    pub id: u64,
    /// The function's name.
    pub function: String,
    /// Its file, as the code object names it.
    pub file: String,
    /// The function's first line.
    pub first_line: i32,
    /// Lines of its instructions, in the encoding of its Python version.
    pub line_table: Vec<u8>,
}

/// Sums of one stack, thread and allocator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aggregated {
    /// Memray's number of the thread.
    pub tid: u64,
    /// How the memory was asked for.
    pub allocator: u8,
    /// Node of the native stack.
    pub native_frame: u64,
    /// Node of the stack tree.
    pub stack: u64,
    /// Which list of loaded libraries the native stack belongs to.
    pub native_segment_generation: u64,
    /// Allocations live at the peak.
    pub peak_count: u64,
    /// Allocations live at the end.
    pub leaked_count: u64,
    /// Bytes live at the peak.
    pub peak_bytes: u64,
    /// Bytes live at the end.
    pub leaked_bytes: u64,
}

/// What `free` and pymalloc's `free` are.
pub(crate) const PYMALLOC_FREE: u8 = 1;
/// See [`PYMALLOC_FREE`].
pub(crate) const FREE: u8 = 5;
/// What `munmap` is; it has a size.
pub(crate) const MUNMAP: u8 = 15;

/// Whether an allocator number is that of a function that frees a block by its address alone.
pub(crate) const fn is_simple_free(allocator: u8) -> bool {
    matches!(allocator, PYMALLOC_FREE | FREE)
}

/// Memray writes functions in small letters.
fn allocator_name(number: u8) -> String {
    let name = match number {
        PYMALLOC_FREE => "pymalloc_free",
        FREE => "free",
        MUNMAP => "munmap",
        _ => match Allocator::from_number(number) {
            Some(known) => return known.name().to_lowercase(),
            None => return format!("<unknown allocator {number}>"),
        },
    };
    name.to_owned()
}

/// A name on one line: control characters are escaped.
pub(crate) struct OneLine<'a>(pub &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") }
        })
    }
}

/// A pointer as C prints it.
struct Pointer(u64);

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("(nil)") } else { write!(f, "{:#x}", self.0) }
    }
}

impl Record {
    /// The record on one line, in the words of `memray parse`. Times are counted from the header's start.
    #[must_use]
    pub fn line(&self, header: &Header) -> String {
        let aggregated = header.file_format == FileFormat::Aggregated;
        match self {
            Self::Trailer if aggregated => "AGGREGATED_TRAILER".to_owned(),
            Self::Trailer => "TRAILER".to_owned(),
            Self::Allocation { address, allocator, native_frame, bytes } => format!(
                "ALLOCATION address={} size={bytes} allocator={} native_frame_id={native_frame}",
                Pointer(*address),
                allocator_name(*allocator)
            ),
            Self::FramePush { code, offset, is_entry } => format!(
                "FRAME_PUSH code_object_id={code} instruction_offset={offset} is_entry_frame={}",
                u8::from(*is_entry)
            ),
            Self::FramePop { count } => format!("FRAME_POP count={count}"),
            Self::Object { address, native_frame, created } => format!(
                "OBJECT_RECORD address={} native_frame_id={native_frame} created={}",
                Pointer(*address),
                u8::from(*created)
            ),
            Self::ContextSwitch { tid } => format!("CONTEXT_SWITCH tid={tid}"),
            Self::Thread { name } if aggregated => format!("THREAD_RECORD {}", OneLine(name)),
            Self::Thread { name } => format!("THREAD {}", OneLine(name)),
            Self::Memory { rss, elapsed_ms } => {
                let time = (header.start_time as u64).wrapping_add(*elapsed_ms);
                format!("MEMORY_RECORD time={time} memory={rss}")
            }
            Self::Code(code) => format!(
                "CODE_OBJECT code_id={} function_name={} filename={} firstlineno={} linetable_size={}",
                code.id,
                OneLine(&code.function),
                OneLine(&code.file),
                code.first_line,
                code.line_table.len()
            ),
            Self::NativeFrame { ip, parent } => {
                let name = if aggregated { "NATIVE_TRACE_INDEX" } else { "NATIVE_FRAME_ID" };
                format!("{name} ip={} index={parent}", Pointer(*ip))
            }
            Self::MemoryMapStart => "MEMORY_MAP_START".to_owned(),
            Self::SegmentHeader { file, count, address } => format!(
                "SEGMENT_HEADER filename={} num_segments={count} addr={}",
                OneLine(file),
                Pointer(*address)
            ),
            Self::Segment { address, bytes } => format!("SEGMENT {} {bytes:x}", Pointer(*address)),
            Self::Snapshot { unix_ms, rss, heap } => {
                format!("MEMORY_SNAPSHOT time={unix_ms} rss={rss} heap={heap}")
            }
            Self::Aggregated(sums) => format!(
                "AGGREGATED_ALLOCATION tid={} allocator={} native_frame_id={} python_frame_id={} \
                 native_segment_generation={} n_allocations_in_high_water_mark={} n_allocations_leaked={} \
                 bytes_in_high_water_mark={} bytes_leaked={}",
                sums.tid,
                allocator_name(sums.allocator),
                sums.native_frame,
                sums.stack,
                sums.native_segment_generation,
                sums.peak_count,
                sums.leaked_count,
                sums.peak_bytes,
                sums.leaked_bytes
            ),
            Self::Frame { id, code, offset, is_entry } => format!(
                "PYTHON_FRAME_INDEX frame_id={id} code_object_id={code} instruction_offset={offset} is_entry_frame={}",
                u8::from(*is_entry)
            ),
            Self::Stack { frame, parent } => {
                format!("PYTHON_TRACE_INDEX frame_id={frame} parent_index={parent}")
            }
            Self::SurvivingObject { address, native_frame } => {
                format!("SURVIVING_OBJECT address={} native_frame_id={native_frame}", Pointer(*address))
            }
        }
    }
}
