//! Lines of source files beside figures, each file read once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use heaphint_analysis::Frame;

use crate::lines::Source;
use crate::text::printable;

/// Reads a file of a capture by its path, if it is there.
pub type ReadSource<'a> = dyn Fn(&str) -> Option<Source> + 'a;

/// Source files that were asked for.
pub struct Sources<'a> {
    read: &'a ReadSource<'a>,
    files: RefCell<HashMap<String, Option<Rc<SourceLines>>>>,
}

/// A source file by its lines.
#[derive(Debug)]
pub struct SourceLines {
    lines: Vec<String>,
    /// Whether it was changed after the run: lines may have moved.
    pub changed_since: bool,
}

impl SourceLines {
    /// A line by its number, without anything that a terminal would act on. Indented as in the file.
    #[must_use]
    pub fn line(&self, number: u32) -> Option<&str> {
        self.lines.get((number as usize).checked_sub(1)?).map(String::as_str)
    }
}

impl<'a> Sources<'a> {
    /// Sources that `read` gives.
    #[must_use]
    pub fn new(read: &'a ReadSource<'a>) -> Self {
        Self { read, files: RefCell::default() }
    }

    /// A file by its path.
    pub fn file(&self, path: &str) -> Option<Rc<SourceLines>> {
        if let Some(held) = self.files.borrow().get(path) {
            return held.clone();
        }
        let file = (self.read)(path).map(|source| {
            let lines = source.text.lines().map(|line| printable(line).trim_end().to_owned()).collect();
            Rc::new(SourceLines { lines, changed_since: source.changed_since })
        });
        self.files.borrow_mut().insert(path.to_owned(), file.clone());
        file
    }

    /// The line that a frame executed, unless the file was changed since: another line would mislead.
    #[must_use]
    pub fn line(&self, frame: &Frame<'_>) -> Option<String> {
        // The file of a native frame without a line is a library, not a source.
        if frame.line == 0 {
            return None;
        }
        let file = self.file(frame.file).filter(|file| !file.changed_since)?;
        file.line(frame.line).map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
    }
}
