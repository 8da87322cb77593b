//! Two runs side by side: which line of one is which line of the other, and what became of its figures.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heaphint_analysis::{FunctionFigures, LineFigures};

use super::documents::{Baseline, Edited, match_lines};
use super::results::{FileResults, Results};

/// A run that another one is compared with.
#[derive(Debug)]
pub struct Comparison {
    /// The run to compare with.
    pub base: Arc<Results>,
    files: HashMap<PathBuf, FileLines>,
}

/// Which lines of a file are which lines of the run to compare with.
#[derive(Debug, Clone)]
struct FileLines {
    then: Arc<Baseline>,
    now: Arc<Baseline>,
    /// Of each 0-based row of the text now, the row then.
    rows: Arc<Vec<Option<usize>>>,
}

impl Comparison {
    /// Compares `results` with `base`, by the texts that ran. Texts that were matched `before` are not matched again:
    /// figures that grow belong to the same texts all the time.
    pub fn new(base: &Arc<Results>, results: &Results, before: Option<&Self>) -> Self {
        let mut files = HashMap::new();
        for file in results.project_files() {
            let Some(other) = base.file(file.path()) else { continue };
            let (then, now) = (other.baseline(), file.baseline());
            let same = before
                .and_then(|before| before.files.get(file.path()))
                .filter(|lines| Arc::ptr_eq(&lines.then, &then) && Arc::ptr_eq(&lines.now, &now));
            let lines = same.cloned().unwrap_or_else(|| {
                let rows = match_lines(&then.text.rows(), &now.text.rows(), Edited::Similar);
                FileLines { rows: Arc::new(rows), then, now }
            });
            files.insert(file.path().to_owned(), lines);
        }
        Self { base: base.clone(), files }
    }

    /// What a 1-based line of a file was then.
    pub fn line(&self, path: &Path, line: u32) -> Option<&LineFigures> {
        let (file, line) = self.place(path, line)?;
        self.base.figures(file)?.line(line)
    }

    /// What a function was then whose `def` stood on a 1-based line.
    pub fn function(&self, path: &Path, def_line: u32) -> Option<&FunctionFigures> {
        let (file, def_line) = self.place(path, def_line)?;
        Some(self.base.function(file, def_line)?.0)
    }

    fn place(&self, path: &Path, line: u32) -> Option<(&FileResults, u32)> {
        let row = (line as usize).checked_sub(1)?;
        let then = (*self.files.get(path)?.rows.get(row)?)?;
        Some((self.base.file(path)?, then as u32 + 1))
    }
}
