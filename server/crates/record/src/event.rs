//! The events of a full record.

/// What happened. Allocations are numbered from 0 in their order: that number is an allocation's serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The next allocation was made.
    Allocated {
        /// Index of a [`heaphint_format::Site`]: who, where and how.
        site: u32,
        /// Requested bytes, as the tracer's event has them: see [`crate::requested`].
        bytes: u64,
        /// Its address; 0 when addresses were not kept.
        address: u64,
        /// Whether it is a range of addresses, of which parts may be unmapped.
        mapped: bool,
    },
    /// A block was freed.
    Freed {
        /// Index of the [`heaphint_format::Thread`] that did it; 0 when that is not known.
        thread: u32,
        /// Its allocation.
        serial: u64,
        /// Whether the thread that allocated it had made no allocation since.
        temporary: bool,
    },
    /// A part of a mapping was unmapped.
    Unmapped {
        /// As in `Freed`.
        thread: u32,
        /// The mapping's allocation.
        serial: u64,
        /// Length of the part.
        bytes: u64,
        /// Where the part begins; 0 when addresses were not kept.
        address: u64,
        /// Whether nothing is left of the mapping.
        last: bool,
        /// Whether the thread that mapped it had made no allocation since; only of the last part.
        temporary: bool,
    },
    /// What follows happened at this time or later, milliseconds since recording began.
    Time {
        /// Milliseconds.
        elapsed_ms: u32,
    },
}
