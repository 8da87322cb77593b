//! The whole stack tree with its counters, for reports that let a reader choose what is shown.
//!
//! Everything here is a view of what the profile holds: plain numbers that are indices into the lists beside them.
//! Nothing is summed up or left out, so that whoever draws the tree can filter and merge without losing exactness.

use heaphint_format::{Allocator, SIZE_CLASSES};

use super::modules::module_of;
use super::origin::Origin;
use super::{Profile, Selection, ThreadId};
use crate::Figures;

/// Which of two compared runs something belongs to. Of a single run everything is the later one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Run {
    /// The later run, or the only one.
    #[default]
    Later,
    /// The earlier run. Of a place: it is in the earlier run only.
    Earlier,
}

/// A source file of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphFile<'a> {
    /// Absolute path, or a name such as `<string>`. Empty for the file of the root.
    pub path: &'a str,
    /// Where it comes from.
    pub origin: Origin,
    /// The package it is a part of; `None` for the standard library and for what is no file.
    pub module: Option<&'a str>,
}

/// A function of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphFunction<'a> {
    /// With what it is nested in, where the interpreter knows that.
    pub qualname: &'a str,
    /// Index into [`Graph::files`].
    pub file: u32,
    /// 1-based; 0 when it is not known.
    pub first_line: u32,
}

/// A frame on top of a stack. Node 0 is the empty stack, its own parent; a parent is lower than its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphNode {
    /// Index into [`Graph::nodes`].
    pub parent: u32,
    /// Index into [`Graph::functions`].
    pub function: u32,
    /// 1-based line of the function's file.
    pub line: u32,
    /// Whether the line is one of the earlier run only.
    pub run: Run,
}

/// A thread of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphThread {
    /// Kernel's id; 0 for the entry that stands for all threads beyond the capture's bound.
    pub tid: u32,
    /// Its name, or its number.
    pub name: String,
    /// Index into [`Profile::processes`].
    pub process: u32,
}

/// What one (stack, thread, allocator) allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphSite<'a> {
    /// Index into [`Graph::nodes`].
    pub node: u32,
    /// Index into [`Graph::threads`].
    pub thread: u32,
    /// The package that the stack belongs to, as [`crate::ModuleFigures`] names it.
    pub module: &'a str,
    /// `None` for those that a newer tracer knows.
    pub allocator: Option<Allocator>,
    /// Its figures; `max_bytes` is not known and zero.
    pub figures: &'a Figures,
    /// Allocations by size, in the classes of [`Profile::sizes`]; a counter that ran full holds `u32::MAX`.
    pub sizes: &'a [u32; SIZE_CLASSES],
    /// The run that the figures are of.
    pub run: Run,
}

/// The stack tree with its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph<'a> {
    /// Source files.
    pub files: Vec<GraphFile<'a>>,
    /// Functions.
    pub functions: Vec<GraphFunction<'a>>,
    /// The tree.
    pub nodes: Vec<GraphNode>,
    /// Threads of all processes.
    pub threads: Vec<GraphThread>,
    /// Counters at the tree's nodes.
    pub sites: Vec<GraphSite<'a>>,
}

impl Profile {
    /// The whole stack tree.
    #[must_use]
    pub fn graph(&self) -> Graph<'_> {
        self.graph_of(&Selection::default())
    }

    /// The stack tree with the counters of a part of the run.
    #[must_use]
    pub fn graph_of(&self, selection: &Selection) -> Graph<'_> {
        let project = &self.session.project;
        let files = self
            .file_names
            .iter()
            .zip(self.in_project.iter().zip(&self.is_native))
            .map(|(path, (in_project, is_native))| GraphFile {
                path,
                origin: if *is_native { Origin::Native } else { Origin::of(path, *in_project) },
                module: if *is_native { None } else { module_of(path, project) },
            })
            .collect();
        let functions = self
            .functions
            .iter()
            .map(|function| GraphFunction {
                qualname: &function.qualname,
                file: function.file.0,
                first_line: function.first_line,
            })
            .collect();
        let nodes = self
            .nodes
            .iter()
            .map(|node| GraphNode {
                parent: node.parent.0,
                function: node.function.0,
                line: self.lines[node.line.index()].1,
                run: Run::Later,
            })
            .collect();
        let threads = self
            .threads
            .iter()
            .enumerate()
            .map(|(index, thread)| GraphThread {
                tid: thread.tid,
                name: self.thread_name(ThreadId(index as u32)),
                process: thread.process,
            })
            .collect();
        let packages = self.packages();
        let sites = self
            .selected(selection)
            .into_iter()
            .map(|site| GraphSite {
                node: site.node.0,
                thread: site.thread.0,
                module: packages[site.node.index()],
                allocator: site.allocator,
                figures: &site.figures,
                sizes: &site.sizes,
                run: Run::Later,
            })
            .collect();
        Graph { files, functions, nodes, threads, sites }
    }
}
