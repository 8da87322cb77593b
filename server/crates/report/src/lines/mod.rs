//! Figures beside source lines.

mod json;
mod source;
mod text;

use heaphint_analysis::{Figure, FileFigures, LineFigures, Profile};

pub use json::lines_json;
pub use source::Source;
pub use text::lines_text;

/// Which lines a document has, and in what order.
#[derive(Clone, Debug, Default)]
pub struct LinesOptions {
    /// The figure that lines are chosen and files are ordered by.
    pub sort: Figure,
    /// Lines whose total of that figure (of the peak: also their own maximum) is less are left out; bytes.
    pub min_bytes: u64,
    /// Absolute paths or ends of paths (`app.py`, `pkg/app.py`); empty for no choice.
    pub files: Vec<String>,
    /// Whether files outside the project are shown, too. A chosen file always is.
    pub all_files: bool,
}

impl LinesOptions {
    fn matters(&self, line: &LineFigures) -> bool {
        let total = &line.total_figures;
        // A line that was large at another moment than the peak is worth a look, too.
        let bytes = if self.sort == Figure::Peak {
            total.peak_bytes.max(total.max_bytes)
        } else {
            total.bytes(self.sort)
        };
        bytes >= self.min_bytes
    }

    fn is_chosen(&self, file: &FileFigures) -> bool {
        if self.files.is_empty() {
            return self.all_files || file.in_project;
        }
        self.files.iter().any(|name| {
            file.path == *name
                || file.path.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('/'))
        })
    }

    /// The chosen files with the lines that matter, the file with most first.
    fn choose<'a>(&self, profile: &'a Profile) -> Vec<(&'a FileFigures, Vec<&'a LineFigures>)> {
        let mut files: Vec<_> = profile
            .files()
            .iter()
            .filter(|file| self.is_chosen(file))
            .map(|file| (file, file.lines.iter().filter(|line| self.matters(line)).collect::<Vec<_>>()))
            .filter(|(_, lines)| !lines.is_empty())
            .collect();
        files.sort_by(|(a, _), (b, _)| {
            let key = |file: &FileFigures| {
                (file.total_figures.bytes(self.sort), file.self_figures.bytes(self.sort))
            };
            key(b).cmp(&key(a)).then_with(|| a.path.cmp(&b.path))
        });
        files
    }
}
