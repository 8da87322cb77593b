//! The page: one HTML file with a flame graph, the memory over time, annotated source, tables and statistics.
//!
//! The page reads its figures from data inside it (`data.rs` here, `assets/data.js` there) and does all the choosing
//! itself: which figure, which threads, which frames. It fetches nothing, and nothing that a traced program can name
//! runs in it (`document.rs`). It never grows beyond [`MOST_BYTES`]: the smallest stacks are joined until it fits.

mod columns;
mod data;
mod document;
mod history;
mod places;
mod sources;
#[cfg(test)]
mod tests;
mod trim;

use std::io::{self, Write};

use heaphint_analysis::records::History;
use heaphint_analysis::{Diff, Figure, Profile};

use crate::sources::ReadSource;
use data::Bounds;

/// Size that a page never exceeds, bytes.
pub const MOST_BYTES: usize = 10_000_000;
/// Changes and lifetimes that the history of a page should have at most: they are a good part of its size.
pub const HISTORY_ENTRIES: usize = 200_000;
/// What the markup, the scripts and the styles need of it at most.
const FRAME_BYTES: usize = 400_000;

/// What a page has.
pub struct PageOptions<'a> {
    /// Version of the program that writes.
    pub version: String,
    /// Gives the text of a source file by its path, if there is one; `None` for a page without source.
    pub source: Option<&'a ReadSource<'a>>,
    /// The figure that is shown first.
    pub figure: Figure,
    /// The comparison with an earlier run, for a page of two runs.
    pub earlier: Option<&'a Diff<'a>>,
    /// How the first process came to its figures, if it was recorded in full: then any part of its time can be chosen.
    pub history: Option<&'a History>,
}

/// Writes the page.
///
/// # Errors
/// When `out` cannot be written.
pub fn page_html(out: &mut dyn Write, profile: &Profile, options: &PageOptions<'_>) -> io::Result<()> {
    let command = profile.session().command.join(" ");
    let what = if options.earlier.is_some() { "two runs - heaphint" } else { "heaphint" };
    let title = if command.is_empty() { what.to_owned() } else { format!("{command} - {what}") };
    document::write(
        out,
        &crate::text::printable(&title),
        &sections(profile, options, MOST_BYTES - FRAME_BYTES)?,
    )
}

/// The data, in not more than `most` bytes.
fn sections(profile: &Profile, options: &PageOptions<'_>, most: usize) -> io::Result<Vec<document::Section>> {
    let mut bounds = Bounds::usual();
    loop {
        let sections = data::sections(profile, options, &bounds)?;
        if sections.iter().map(document::Section::len).sum::<usize>() <= most || bounds.is_least() {
            return Ok(sections);
        }
        bounds = bounds.halved();
    }
}
