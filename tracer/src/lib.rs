//! The library that is loaded into Python processes: it sees every allocation and free, knows the Python stack of
//! each, and aggregates them in the capture file as they happen.
//!
//! ```text
//! hooks ──▶ thread, walk ──▶ steps, intern ──▶ area ──▶ ordered ──▶ aggregate ──▶ capture
//! (malloc…)  (who, frames)   (ids)             (events)  (of all)    (counters)    (shared file)
//! ```
//!
//! It must never harm the program: no output, no lock that the program can hold, no allocation through the
//! functions it hooks, `errno` as it was. On any problem of its own it stops recording, and the program goes on.
#![cfg_attr(all(not(test), panic = "abort"), no_std)]
#![cfg_attr(
    test,
    allow(dead_code, reason = "in tests the hooks are not exported, so nothing uses what they use")
)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod aggregate;
mod api;
mod area;
mod capture;
mod crash_points;
mod environment;
mod event_log;
mod folds;
mod hooks;
mod import_tables;
mod intern;
mod live;
mod lock;
mod mappings;
mod modes;
mod naming;
mod native;
mod numbers;
mod order;
mod ordered;
mod place;
mod prefetch;
mod private;
mod python;
mod real;
mod recorder;
mod sampling;
mod start;
mod steps;
mod sys;
mod temporary;
mod thread;
mod timeline;
mod tls;
mod walk;
#[cfg(feature = "frame-oracle")]
mod walk_check;

#[cfg(all(not(test), panic = "abort"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // SAFETY: abort takes no arguments and does not return.
    unsafe { libc::abort() }
}
