//! What one profiling run recorded, ready to be asked.
//!
//! A [`Profile`] merges the captures of a run: file names become absolute, equal functions and lines become one,
//! and the stack trees are joined. After that it knows nothing of the capture format.

mod build;
mod lines;
mod modules;
mod overview;
mod session;
mod stacks;
#[cfg(test)]
mod tests;

use heaphint_format::{Allocator, Capture, SIZE_CLASSES};

use crate::Figures;

pub use lines::{FileFigures, FunctionFigures, LineFigures};
pub use modules::ModuleFigures;
pub use overview::{AllocatorFigures, LocationFigures, ProjectLine, SizeClass, ThreadFigures};
pub use session::Session;
pub use stacks::{Frame, StackFigures, StackList, Through};

/// One moment of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Milliseconds since recording began.
    pub elapsed_ms: u32,
    /// Resident set size, bytes.
    pub rss_bytes: u64,
    /// Live tracked bytes.
    pub heap_bytes: u64,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        struct $name(u32);
        impl $name {
            const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}
ids! {
    /// Index into [`Profile::file_names`].
    FileId
    /// Index into [`Profile::functions`].
    FunctionId
    /// Index into [`Profile::lines`].
    LineId
    /// Index into [`Profile::nodes`].
    NodeId
    /// Index into [`Profile::threads`].
    ThreadId
}

#[derive(Clone, Debug)]
struct Function {
    /// Qualified where the interpreter knows it.
    qualname: String,
    file: FileId,
    first_line: u32,
}

impl Function {
    /// The name without what it is nested in: what every Python version knows.
    fn name(&self) -> &str {
        self.qualname.rsplit('.').next().unwrap_or_default()
    }
}

/// A frame on top of a stack. Node 0 is the empty stack; a parent is always lower than its children.
#[derive(Clone, Copy, Debug)]
struct Node {
    parent: NodeId,
    function: FunctionId,
    line: LineId,
}

/// What one (stack, thread, allocator) allocated.
#[derive(Clone, Debug)]
struct Site {
    node: NodeId,
    thread: ThreadId,
    /// `None` for one that a newer tracer knows.
    allocator: Option<Allocator>,
    figures: Figures,
    sizes: [u32; SIZE_CLASSES],
}

#[derive(Clone, Debug)]
struct ThreadName {
    tid: u32,
    name: String,
}

/// A line's or function's own maximum, as the tracer recorded it.
#[derive(Clone, Copy, Debug)]
struct Maximum {
    bytes: u64,
    exact: bool,
}

/// The facts of one profiling run.
#[derive(Clone, Debug)]
pub struct Profile {
    session: Session,
    file_names: Vec<String>,
    /// Of each file, whether it belongs to the profiled project.
    in_project: Vec<bool>,
    functions: Vec<Function>,
    lines: Vec<(FileId, u32)>,
    nodes: Vec<Node>,
    sites: Vec<Site>,
    threads: Vec<ThreadName>,
    files: Vec<FileFigures>,
    outside_python: Figures,
    timeline: Vec<Sample>,
}

impl Profile {
    /// The facts of one process.
    #[must_use]
    pub fn from_capture(capture: &Capture) -> Self {
        Self::from_captures(std::slice::from_ref(capture))
    }

    /// The facts of a session: the first capture is the process that was started, the others are its children.
    /// Bytes and counts add up over the processes; the peak and the maxima then are sums of each process's own.
    #[must_use]
    pub fn from_captures(captures: &[Capture]) -> Self {
        build::profile(captures)
    }

    /// What is known of the run as a whole.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// All source files that were on a stack, by path.
    #[must_use]
    pub fn files(&self) -> &[FileFigures] {
        &self.files
    }

    /// One source file by its absolute path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&FileFigures> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Allocations without any Python frame: the interpreter's start, threads of libraries.
    #[must_use]
    pub fn outside_python(&self) -> &Figures {
        &self.outside_python
    }

    /// RSS and heap of the first process over time.
    #[must_use]
    pub fn timeline(&self) -> &[Sample] {
        &self.timeline
    }
}
