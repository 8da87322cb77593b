//! Facts in, documents out: what people read in a terminal, and what programs read.
//!
//! Every document goes to a [`std::io::Write`] that the caller gives, and nothing else is touched: source texts are
//! handed in, whether to use colour is told. The same profile gives the same bytes. Names out of a capture never
//! reach a terminal as control characters.

mod diff;
mod findings;
mod imports;
mod json;
mod lines;
mod page;
mod records;
mod session;
mod sources;
mod stats;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod transform;
mod tree;

pub use diff::{DiffView, diff_json, diff_text};
pub use findings::{
    CODES, FindingsReport, explanation, finding_sentence, findings_github, findings_json, findings_junit,
    findings_markdown, findings_sarif, findings_text, limit_sentence,
};
pub use imports::{ImportsView, imports_json, imports_text};
pub use lines::{LinesOptions, Source, lines_json, lines_text};
pub use page::{HISTORY_ENTRIES, MOST_BYTES, PageOptions, page_html};
pub use records::records_text;
pub use session::session_text;
pub use sources::{ReadSource, SourceLines, Sources};
pub use stats::{StatsOptions, process_text, stats_json, stats_text};
pub use summary::{SummarySort, SummaryView, row_place, summary_json, summary_text};
pub use table::{TableSort, TableView, table_json, table_text};
pub use text::{Look, duration, grouped, printable, share, short_path};
pub use transform::{EventTable, Format, MemrayEvents, TransformOptions, transform};
pub use tree::{TreeView, frame_place, tree_json, tree_text};
