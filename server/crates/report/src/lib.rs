//! Facts in, documents out: what people read in a terminal, and what programs read.
//!
//! Every document goes to a [`std::io::Write`] that the caller gives, and nothing else is touched: source texts are
//! handed in, whether to use colour is told. The same profile gives the same bytes. Names out of a capture never
//! reach a terminal as control characters.

mod findings;
mod json;
mod lines;
mod stats;
#[cfg(test)]
mod tests;
mod text;

pub use findings::{findings_json, findings_text};
pub use lines::{LinesOptions, Source, lines_json, lines_text, summary_text};
pub use stats::{StatsOptions, stats_json, stats_text};
pub use text::Look;
