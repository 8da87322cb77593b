//! Recordings of single events, counted: the same facts that a tracer counts while its program runs.
//!
//! A source of events (Memray's captures, a full record) tells them to an [`Aggregator`] in their order; what comes out
//! is a [`crate::Capture`], so every report works on it. An event costs a few table look-ups, and memory grows with what
//! is live and with the number of different stacks, never with the number of events. Events may be anything: a free
//! of what was never allocated is ignored, an address that is allocated twice was freed in between.

mod aggregator;
mod counters;
mod history;
mod live;
mod ranges;
mod recount;
mod tables;
mod temporary;
#[cfg(test)]
mod tests;

pub use aggregator::{Aggregator, Allocation, Events, Totals};
pub use history::{Amount, Change, History, Lifetime, Tick};
pub use recount::{Interval, Recount};
pub use tables::{Added, FunctionId, Program, StackId, Tables, ThreadId};
