//! Python source as an editor needs it: functions, tests, the main guard and limit comments, with their lines.
//!
//! This is the only place that knows Python's grammar. It reads text and must never run any of it.

mod comments;
mod lines;
mod outline;

pub use comments::{LimitComment, LimitTarget};
pub use lines::line_starts;
pub use outline::{Function, Outline, TestRunner};
