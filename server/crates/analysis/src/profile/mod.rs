//! What one profiling run recorded, ready to be asked.
//!
//! A [`Profile`] merges the captures of a run: file names become absolute, equal functions and lines become one,
//! and the stack trees are joined. After that it knows nothing of the capture format.

mod build;
mod callers;
mod graph;
mod imports;
mod lines;
mod modules;
mod native;
mod native_part;
mod origin;
mod overview;
mod part;
mod processes;
mod selection;
mod session;
mod stacks;
mod summary;
mod table;
#[cfg(test)]
mod tests;

use heaphint_format::{Allocator, Capture, SIZE_CLASSES};

use crate::Figures;

pub use graph::{Graph, GraphFile, GraphFunction, GraphNode, GraphSite, GraphThread, Run};
use lines::Maxima;
use native_part::NativeStacks;

pub use callers::{Caller, Callers, Step};
pub use imports::ImportFigures;
pub use lines::{FileFigures, FunctionFigures, LineFigures};
pub use modules::ModuleFigures;
pub use native::{NativeFunction, NativeModule, Symbols};
pub use native_part::NativePart;
pub use origin::Origin;
pub use overview::{AllocatorFigures, LocationFigures, ProjectLine, SizeClass, ThreadFigures};
pub use processes::{Beginning, End, Process};
pub use selection::Selection;
pub use session::Session;
pub use stacks::{Frame, StackFigures, StackList, Through};
pub use summary::{Summary, SummaryBy, SummaryRow};
pub use table::TableRow;

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
        pub(crate) struct $name(pub(crate) u32);
        impl $name {
            pub(crate) const fn index(self) -> usize {
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
pub(crate) struct Function {
    /// Qualified where the interpreter knows it.
    pub(crate) qualname: String,
    pub(crate) file: FileId,
    pub(crate) first_line: u32,
    /// Whether it is no Python function.
    pub(crate) is_native: bool,
}

impl Function {
    /// The name without what it is nested in: what every Python version knows.
    pub(crate) fn name(&self) -> &str {
        if self.is_native {
            return &self.qualname;
        }
        self.qualname.rsplit('.').next().unwrap_or_default()
    }
}

/// A frame on top of a stack. Node 0 is the empty stack; a parent is always lower than its children.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) parent: NodeId,
    pub(crate) function: FunctionId,
    pub(crate) line: LineId,
}

/// What one (stack, thread, allocator) allocated.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) node: NodeId,
    /// Its stack as the capture of its process numbers it.
    pub(crate) stack: u32,
    pub(crate) thread: ThreadId,
    /// `None` for one that a newer tracer knows.
    pub(crate) allocator: Option<Allocator>,
    pub(crate) figures: Figures,
    pub(crate) sizes: [u32; SIZE_CLASSES],
}

#[derive(Clone, Debug)]
pub(crate) struct ThreadName {
    pub(crate) tid: u32,
    /// Index into [`Profile::processes`].
    pub(crate) process: u32,
    pub(crate) name: String,
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
    pub(crate) file_names: Vec<String>,
    /// Of each file, whether it belongs to the profiled project.
    pub(crate) in_project: Vec<bool>,
    /// Of each file, whether native frames are in it. A file that has Python frames, too, is there twice.
    pub(crate) is_native: Vec<bool>,
    pub(crate) functions: Vec<Function>,
    pub(crate) lines: Vec<(FileId, u32)>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) sites: Vec<Site>,
    pub(crate) threads: Vec<ThreadName>,
    files: Vec<FileFigures>,
    outside_python: Figures,
    processes: Vec<Process>,
    /// The recorded maxima of each process.
    maxima: Vec<Maxima>,
    /// For native frames of stacks that do not have them; see [`Profile::with_native_stacks`].
    native_stacks: Option<NativeStacks>,
    has_stacks: bool,
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
        build::profile(captures, None, true)
    }

    /// The same, of captures that nobody else needs: with many stacks it takes half as much memory at once.
    #[must_use]
    pub fn consuming(captures: Vec<Capture>) -> Self {
        build::profile(captures, None, true)
    }

    /// The same without stacks: the session, files with their lines and functions, and processes are there, and whatever
    /// is asked about stacks themselves is answered with nothing. With many stacks it takes half the time and memory.
    #[must_use]
    pub fn without_stacks_of(captures: Vec<Capture>) -> Self {
        build::profile(captures, None, false)
    }

    /// The same, which keeps what [`Self::native_part`] needs.
    #[must_use]
    pub fn with_native_stacks(captures: Vec<Capture>) -> Self {
        let native_stacks = NativeStacks::of(&captures);
        Self { native_stacks, ..Self::consuming(captures) }
    }

    /// The same, with the native frames of captures that have them between the Python frames. Lines of Python have the
    /// figures that they have without.
    #[must_use]
    pub fn with_native(captures: &[Capture], symbols: &mut dyn Symbols) -> Self {
        build::profile(captures, Some(symbols), true)
    }

    /// For each stack its innermost Python frame.
    pub(crate) fn python_nodes(&self) -> Vec<NodeId> {
        if !self.functions.iter().any(|function| function.is_native) {
            return (0..self.nodes.len() as u32).map(NodeId).collect();
        }
        let mut innermost: Vec<NodeId> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let is_native = self.functions[node.function.index()].is_native;
            innermost.push(if is_native { innermost[node.parent.index()] } else { NodeId(index as u32) });
        }
        innermost
    }

    /// How many ways to allocate were recorded: a stack, a thread and an allocator each.
    #[must_use]
    pub fn stack_count(&self) -> usize {
        self.sites.len()
    }

    /// Whether stacks are there, and were not left out.
    #[must_use]
    pub fn has_stacks(&self) -> bool {
        self.has_stacks
    }

    /// The same without stacks, as [`Self::without_stacks_of`] would make it.
    #[must_use]
    pub fn without_stacks(&self) -> Self {
        Self {
            session: self.session.clone(),
            file_names: self.file_names.clone(),
            in_project: self.in_project.clone(),
            is_native: self.is_native.clone(),
            functions: self.functions.clone(),
            lines: self.lines.clone(),
            nodes: self.nodes.first().copied().into_iter().collect(),
            sites: Vec::new(),
            threads: self.threads.clone(),
            files: self.files.clone(),
            outside_python: self.outside_python,
            processes: self.processes.clone(),
            maxima: self.maxima.clone(),
            native_stacks: None,
            has_stacks: false,
        }
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
        self.processes.first().map_or(&[], |process| &process.timeline)
    }

    /// The processes of the session, the one that was started first.
    #[must_use]
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }
}
