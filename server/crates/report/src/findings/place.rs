//! Where a finding is shown, and how its file is named there.

use heaphint_analysis::limits::Finding;

use super::FindingsReport;

/// A line of a file.
pub struct Place<'a> {
    /// Relative to the report's folder where it is below it.
    pub file: &'a str,
    /// 1-based.
    pub line: u32,
}

impl FindingsReport<'_> {
    /// A path as this report names it.
    pub fn path<'p>(&self, path: &'p str) -> &'p str {
        let below = path.strip_prefix(self.folder.trim_end_matches('/'));
        below.and_then(|rest| rest.strip_prefix('/')).filter(|rest| !rest.is_empty()).unwrap_or(path)
    }

    /// Whether a file is the project's own, and not of a package that is installed inside it.
    pub fn is_in_project(&self, path: &str) -> bool {
        let inside =
            path.strip_prefix(self.project.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
        inside && !path.contains("/site-packages/")
    }

    /// Where a finding is shown: at its line, or where the limit is written when it is about the whole process.
    pub fn place<'p>(&self, finding: &'p Finding<'_>) -> Place<'p> {
        match (finding.file, finding.line) {
            // What is no file, such as `<string>`, can be shown nowhere.
            (Some(file), Some(line)) if !file.starts_with('<') => Place { file: self.path(file), line },
            _ => self.limit_place(finding),
        }
    }

    /// Where the limit of a finding is written.
    pub fn limit_place<'p>(&self, finding: &'p Finding<'_>) -> Place<'p> {
        let source = &finding.limit_source;
        Place { file: self.path(&source.file), line: source.line }
    }
}
