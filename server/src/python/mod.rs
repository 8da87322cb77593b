//! Python source as an editor needs it: functions, tests, the main guard, comments and marks with limits, with their lines.
//!
//! This is the only place that knows Python's grammar. It reads text and must never run any of it.

mod cases;
mod comments;
mod lines;
mod marks;
mod outline;
mod read;

pub use comments::{LimitComment, LimitTarget};
pub use lines::line_starts;
pub use marks::{LimitMark, MarkKind};
pub use outline::{Function, Outline, TestRunner, is_valid};
pub use read::read_source;
