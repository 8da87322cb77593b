//! Stacks that allocated most.

use heaphint_format::Allocator;
use rustc_hash::FxHashMap;

use super::origin::is_import_system;
use super::{NodeId, Profile, ThreadId};
use crate::{Figure, Figures, Measure};

/// A frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The function without what it is nested in.
    pub function: &'a str,
    /// With what it is nested in, where the interpreter knows that.
    pub qualname: &'a str,
    /// Absolute path, or a name such as `<string>`.
    pub file: &'a str,
    /// 1-based; 0 when a native frame's line is not known.
    pub line: u32,
    /// Whether it is a native frame: then `file` is the source file, or the loaded file if that is not known.
    pub is_native: bool,
}

impl Frame<'_> {
    /// Whether it belongs to Python's import system, which stands between an import and the imported module.
    #[must_use]
    pub fn is_import_system(&self) -> bool {
        !self.is_native && is_import_system(self.file)
    }
}

/// What a stack goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through<'a> {
    /// Any stack.
    Anything,
    /// A line of a file.
    Line {
        /// Absolute path.
        file: &'a str,
        /// 1-based.
        line: u32,
    },
    /// A function, as [`crate::FunctionFigures`] names it.
    Function {
        /// Absolute path.
        file: &'a str,
        /// Qualified name.
        qualname: &'a str,
        /// 1-based.
        first_line: u32,
    },
    /// A line of the project that calls no other: the stack is its own, with the libraries it called.
    ProjectLine {
        /// Absolute path.
        file: &'a str,
        /// 1-based.
        line: u32,
    },
    /// The import of a module or of a package around it.
    Import {
        /// `app.cli`.
        module: &'a str,
    },
}

/// What one stack allocated, over all threads and allocators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackFigures<'a> {
    /// Outermost first. Empty for allocations without any Python frame.
    pub frames: Vec<Frame<'a>>,
    /// Of the figure that was asked for.
    pub bytes: u64,
    /// Allocations behind `bytes`.
    pub count: u64,
    /// Names of the threads, the one with most first.
    pub threads: Vec<String>,
    /// How the memory was asked for, the one with most first. Allocators of a newer tracer are left out.
    pub allocators: Vec<Allocator>,
    pub(crate) node: NodeId,
}

/// The stacks that allocated most, the largest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackList<'a> {
    /// The figure they are measured and ordered by. When [`Figure::Max`] was asked for, which single stacks do not
    /// have, it is the peak, or what was ever allocated where nothing was live at the peak.
    pub by: Figure,
    /// Whether the number of allocations decides, instead of their bytes.
    pub counts: bool,
    /// At most as many as were asked for.
    pub stacks: Vec<StackFigures<'a>>,
    /// Further stacks that were left out.
    pub left_out: usize,
}

impl Profile {
    /// The `most` largest stacks through a place, by a figure; stacks where it is zero are not listed.
    #[must_use]
    pub fn stacks_through(&self, through: Through<'_>, figure: Figure, most: usize) -> StackList<'_> {
        let chosen = self.nodes_through(through);
        let largest = |figure| self.largest(&chosen, Measure::bytes(figure), most);
        if figure != Figure::Max {
            return largest(figure);
        }
        let at_peak = largest(Figure::Peak);
        if at_peak.stacks.is_empty() { largest(Figure::Allocated) } else { at_peak }
    }

    /// The `most` stacks through a place that allocated most often.
    #[must_use]
    pub fn busiest_stacks_through(&self, through: Through<'_>, most: usize) -> StackList<'_> {
        let measure = Measure { figure: Figure::Allocated, counts: true };
        self.largest(&self.nodes_through(through), measure, most)
    }

    /// For each node, whether the place is on the stack it stands for.
    pub(super) fn nodes_through(&self, through: Through<'_>) -> Vec<bool> {
        let file_id = |name: &str| self.file_names.iter().position(|held| held == name);
        let mut chosen = vec![false; self.nodes.len()];
        match through {
            Through::Anything => chosen.fill(true),
            Through::Line { file, line } => {
                if let Some(file) = file_id(file) {
                    self.mark(&mut chosen, |node| {
                        let (node_file, node_line) = self.lines[node.line.index()];
                        node_file.index() == file && node_line == line
                    });
                }
            }
            Through::ProjectLine { file, line } => {
                if let Some(file) = file_id(file) {
                    for (chosen, innermost) in chosen.iter_mut().zip(self.innermost_project_nodes()) {
                        *chosen = innermost.is_some_and(|node| {
                            let (node_file, node_line) = self.lines[self.nodes[node.index()].line.index()];
                            node_file.index() == file && node_line == line
                        });
                    }
                }
            }
            Through::Import { module } => {
                let executed = self.import_nodes(module);
                for (index, node) in self.nodes.iter().enumerate().skip(1) {
                    chosen[index] = chosen[node.parent.index()] || executed.contains(&NodeId(index as u32));
                }
            }
            Through::Function { file, qualname, first_line } => {
                if let Some(file) = file_id(file) {
                    self.mark(&mut chosen, |node| {
                        let function = &self.functions[node.function.index()];
                        function.file.index() == file
                            && function.first_line.max(1) == first_line.max(1)
                            && function.qualname == qualname
                    });
                }
            }
        }
        chosen
    }

    fn mark(&self, chosen: &mut [bool], is_place: impl Fn(&super::Node) -> bool) {
        for (index, node) in self.nodes.iter().enumerate().skip(1) {
            chosen[index] = chosen[node.parent.index()] || is_place(node);
        }
    }

    fn largest(&self, chosen: &[bool], measure: Measure, most: usize) -> StackList<'_> {
        let Measure { figure, counts } = measure;
        let amount = |figures: &Figures| {
            if counts { figures.count(figure).unwrap_or_default() } else { figures.bytes(figure) }
        };
        #[derive(Default)]
        struct Group {
            sum: Figures,
            sites: Vec<usize>,
        }
        let mut groups: FxHashMap<NodeId, Group> = FxHashMap::default();
        for (index, site) in self.sites.iter().enumerate() {
            if chosen[site.node.index()] && amount(&site.figures) > 0 {
                let group = groups.entry(site.node).or_default();
                group.sum.add(&site.figures);
                group.sites.push(index);
            }
        }
        let mut order: Vec<(u64, NodeId)> =
            groups.iter().map(|(node, group)| (amount(&group.sum), *node)).collect();
        order.sort_by_key(|(amount, node)| (std::cmp::Reverse(*amount), *node));
        let left_out = order.len().saturating_sub(most);
        let stacks = order
            .into_iter()
            .take(most)
            .filter_map(|(_, node)| {
                let group = groups.get_mut(&node)?;
                group.sites.sort_by_key(|index| std::cmp::Reverse(amount(&self.sites[*index].figures)));
                let mut threads: Vec<String> = Vec::new();
                let mut allocators: Vec<Allocator> = Vec::new();
                for site in group.sites.iter().map(|index| &self.sites[*index]) {
                    let thread = self.thread_name(site.thread);
                    if !threads.contains(&thread) {
                        threads.push(thread);
                    }
                    if let Some(allocator) = site.allocator
                        && !allocators.contains(&allocator)
                    {
                        allocators.push(allocator);
                    }
                }
                let (bytes, count) = (group.sum.bytes(figure), group.sum.count(figure).unwrap_or_default());
                Some(StackFigures { frames: self.frames(node), bytes, count, threads, allocators, node })
            })
            .collect();
        StackList { by: figure, counts, stacks, left_out }
    }

    /// The frames of a stack, outermost first.
    fn frames(&self, mut at: NodeId) -> Vec<Frame<'_>> {
        let mut frames = Vec::new();
        while at != NodeId(0) {
            frames.push(self.frame(at));
            at = self.nodes[at.index()].parent;
        }
        frames.reverse();
        frames
    }

    /// The innermost frame of a stack.
    pub(crate) fn frame(&self, at: NodeId) -> Frame<'_> {
        let node = &self.nodes[at.index()];
        let function = &self.functions[node.function.index()];
        Frame {
            function: function.name(),
            qualname: &function.qualname,
            file: &self.file_names[function.file.index()],
            line: self.lines[node.line.index()].1,
            is_native: function.is_native,
        }
    }

    /// A thread as people see it: its name, else its number.
    pub(crate) fn thread_name(&self, id: ThreadId) -> String {
        match self.threads.get(id.index()) {
            Some(thread) if !thread.name.is_empty() => thread.name.clone(),
            Some(thread) if thread.tid != 0 => format!("thread {}", thread.tid),
            _ => "other threads".to_owned(),
        }
    }
}
