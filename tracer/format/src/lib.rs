//! The layout of a heaphint capture, shared by the tracer that writes it and everything that reads it.
//!
//! A capture is one file per traced process. The tracer aggregates in tables that live in a shared mapping of
//! that file, so the file is complete at every moment: nothing is lost when the process is killed, and the same
//! file can be read while the process runs.
//!
//! ```text
//! page 0      Header: who, when, status, table lengths, totals; at the end the Process
//! page 1-2    extent directory: which pages of the file belong to which table, in order
//! page 3      Journal: old values of the words that are being changed
//! page 4...   extents of the tables (a table is the concatenation of its extents)
//! ```
//!
//! All integers are little-endian. A table only grows: a record is written first, then the table's length in the
//! header is raised. Records refer to each other by index, always to lower indexes of the same table.
//!
//! This crate depends on nothing and must never allocate, print or panic outside its `read` feature: the tracer
//! links it into other people's processes.
#![no_std]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic))]

#[cfg(any(test, feature = "read"))]
extern crate alloc;

mod header;
mod journal;
mod log;
mod native;
mod pending;
#[cfg(feature = "read")]
mod read;
mod record;
mod sampling;
mod small_site;
#[cfg(feature = "read")]
mod symbolize;
mod tables;
mod timeline;
mod totals;
#[cfg(feature = "read")]
mod version_2;

pub use header::{
    COMPACT, COMPACT_PROCESS_OFFSET, EXIT_UNKNOWN, Extent, HEAP_BYTES_STEP, Header, MAX_EXTENTS, Mode,
    Origin, PROCESS_OFFSET, Process, Status, StopReason, Text,
};
pub use journal::{JOURNAL_ENTRIES, JOURNAL_ENTRIES_OFFSET, Journal, JournalEntry};
pub use log::{LogEvent, LogRow, MOST_SITES, SEGMENT_BYTES, SEGMENT_ROWS, Segment, SegmentState};
pub use native::{Address, AddressKind, Module, NO_MODULE, NativeFrame, Symbol};
pub use pending::{AREA_EVENTS, Area, AreaState, Change, MOST_AREAS, NO_STAMP, PendingEvent, earliest};
#[cfg(feature = "read")]
pub use read::{Capture, ReadError, Unlogged};
pub use record::{Record, Word};
pub use sampling::{ROUNDED_UP, Sampling, Weighed};
pub use small_site::{FIRST_WITH_SMALL_SITES, SmallSite};
#[cfg(feature = "read")]
pub use symbolize::{NewSymbol, with_symbols};
pub use tables::{
    Allocator, Code, ENTERED, FOLD_DEPTH, Fold, NATIVE_STACK, NO_PLACE, Place, PlaceKind, SIZE_CLASSES,
    SetNode, Site, Stack, Table, Thread, size_class, size_class_lower_bound,
};
pub use timeline::{Sample, TIMELINE_SLOTS, TIMELINE_TICK_MS, Thinning};
pub use totals::{Pending, Totals};

/// First bytes of every capture.
pub const MAGIC: [u8; 8] = *b"HEAPHINT";
/// Version of the layout. A reader refuses newer ones and reads every older one.
pub const VERSION: u32 = 4;
/// Unit of extents, in bytes.
pub const PAGE: usize = 4096;
/// Byte offset of the extent directory.
pub const DIRECTORY_OFFSET: usize = PAGE;
/// Byte offset of the journal.
pub const JOURNAL_OFFSET: usize = 3 * PAGE;
/// Bytes before the first extent.
pub const FIXED_BYTES: usize = 4 * PAGE;
