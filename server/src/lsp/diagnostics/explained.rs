//! Where the explanation of a code can be read: a page that travels inside this program.

use std::path::PathBuf;
use std::sync::OnceLock;

use lsp_types::{CodeDescription, Url};

use crate::launch::cache;

/// The page about limits, with a section for each code.
const PAGE: &str = include_str!("../../../docs/limits.md");

/// A link to the section about a code; `None` where the page cannot be put into the user's cache.
pub fn code_description(code: &str) -> Option<CodeDescription> {
    static WRITTEN: OnceLock<Option<PathBuf>> = OnceLock::new();
    let path = WRITTEN.get_or_init(write).as_ref()?;
    let mut href = Url::from_file_path(path).ok()?;
    // What editors understand of a file: the line.
    href.set_fragment(Some(&format!("L{}", line_of(code)?)));
    Some(CodeDescription { href })
}

/// The 1-based line on which the section about a code begins.
fn line_of(code: &str) -> Option<usize> {
    let heading = format!("### {code}");
    PAGE.lines().position(|line| line == heading).map(|at| at + 1)
}

/// The page as a file that editors can open.
fn write() -> Option<PathBuf> {
    let folder = cache::folders().into_iter().find(|folder| cache::make(folder).is_ok())?;
    let path = folder.join(format!("limits-{}.md", env!("CARGO_PKG_VERSION")));
    if cache::read(&path, PAGE.len()).is_ok_and(|held| held == PAGE.as_bytes()) {
        return Some(path);
    }
    cache::write(&path, PAGE.as_bytes()).ok()?;
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_section() {
        for code in heaphint_report::CODES {
            assert!(line_of(code).is_some(), "{code}");
        }
    }
}
