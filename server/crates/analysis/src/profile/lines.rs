//! Figures per line, function and file, out of the stack tree.

use rustc_hash::FxHashMap;

use super::{FunctionId, LineId, Maximum, Node, NodeId, Profile, Site};
use crate::{Figures, Inexact};

/// A line of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFigures {
    /// 1-based.
    pub line: u32,
    /// The function that executed it, without what it is nested in; the outermost when comprehensions share the line.
    pub function: String,
    /// The same with what it is nested in, where the interpreter knows that (3.11 and later).
    pub qualname: String,
    /// What the line allocated as the innermost Python frame.
    pub self_figures: Figures,
    /// What was allocated while the line was anywhere on the stack.
    pub total_figures: Figures,
}

/// A function of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionFigures {
    /// Without what it is nested in.
    pub name: String,
    /// With what it is nested in, where the interpreter knows that (3.11 and later).
    pub qualname: String,
    /// 1-based; the first decorator's line when there is one. Never 0.
    pub first_line: u32,
    /// What was allocated while the function was anywhere on the stack.
    pub total_figures: Figures,
}

/// A source file with its lines and functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFigures {
    /// Absolute; or a name such as `<string>`.
    pub path: String,
    /// Whether it belongs to the profiled project.
    pub in_project: bool,
    /// What its lines allocated as innermost Python frames. `max_bytes` is a lower bound.
    pub self_figures: Figures,
    /// What was allocated while the file was anywhere on the stack. `max_bytes` is a lower bound.
    pub total_figures: Figures,
    /// In the order of the file.
    pub lines: Vec<LineFigures>,
    /// In the order of the file.
    pub functions: Vec<FunctionFigures>,
}

impl FileFigures {
    /// A line by its number.
    #[must_use]
    pub fn line(&self, line: u32) -> Option<&LineFigures> {
        let at = self.lines.binary_search_by_key(&line, |figures| figures.line).ok()?;
        self.lines.get(at)
    }
}

/// The maxima that were recorded, and what is known about their exactness.
#[derive(Clone, Debug, Default)]
pub(super) struct Maxima {
    pub line_selfs: FxHashMap<LineId, Maximum>,
    pub line_totals: FxHashMap<LineId, Maximum>,
    pub function_totals: FxHashMap<FunctionId, Maximum>,
    /// A reason that holds for every figure.
    pub everywhere: Option<Inexact>,
}

impl Maxima {
    /// The maxima of several processes, added up.
    pub(super) fn sum(processes: &[Self]) -> Self {
        fn add_to<K: std::hash::Hash + Eq + Copy>(
            all: &mut FxHashMap<K, Maximum>,
            other: &FxHashMap<K, Maximum>,
        ) {
            for (key, maximum) in other {
                all.entry(*key)
                    .and_modify(|held| held.bytes = held.bytes.saturating_add(maximum.bytes))
                    .or_insert(*maximum);
            }
        }
        let mut sum = Self::default();
        for process in processes {
            add_to(&mut sum.line_selfs, &process.line_selfs);
            add_to(&mut sum.line_totals, &process.line_totals);
            add_to(&mut sum.function_totals, &process.function_totals);
        }
        sum
    }

    /// Completes figures that have everything but the maximum.
    fn complete(&self, mut figures: Figures, recorded: Option<&Maximum>, at_least: u64) -> Figures {
        // What never allocated has no recorded maximum, and it is 0.
        let exact = figures.allocated_count == 0 || recorded.is_some_and(|maximum| maximum.exact);
        figures.max_bytes = recorded.map_or(0, |maximum| maximum.bytes);
        if !exact {
            figures.max_bytes =
                figures.max_bytes.max(at_least).max(figures.peak_bytes).max(figures.leaked_bytes);
        }
        let bound = (!exact).then_some(Inexact::MaxIsLowerBound);
        figures.inexact = self.everywhere.or(bound);
        figures
    }
}

/// Sums over the stack tree, by line, function and file.
pub(super) struct Sums {
    pub line_selfs: Vec<Figures>,
    pub line_totals: Vec<Figures>,
    pub function_selfs: Vec<Figures>,
    pub function_totals: Vec<Figures>,
    pub file_totals: Vec<Figures>,
    /// The function that a line is shown under.
    pub line_functions: Vec<FunctionId>,
}

impl Profile {
    /// Fills `files` and `outside_python`, out of what was allocated at each node.
    pub(super) fn count_lines(&mut self, maxima: &Maxima, at_node: Vec<Figures>) {
        self.outside_python = self.without_python(&at_node);
        self.outside_python.max_bytes = self.outside_python.peak_bytes.max(self.outside_python.leaked_bytes);
        self.outside_python.inexact = maxima.everywhere.or(Some(Inexact::MaxIsLowerBound));
        let sums = self.sums(at_node);

        let mut files: Vec<FileFigures> = self
            .file_names
            .iter()
            .zip(&self.in_project)
            .zip(&sums.file_totals)
            .map(|((path, in_project), total)| FileFigures {
                path: path.clone(),
                in_project: *in_project,
                self_figures: Figures::default(),
                total_figures: *total,
                lines: Vec::new(),
                functions: Vec::new(),
            })
            .collect();
        for (index, (file_id, line)) in self.lines.iter().enumerate().skip(1) {
            let (Some(file), function) = (files.get_mut(file_id.index()), sums.line_functions[index]) else {
                continue;
            };
            if self.is_native[file_id.index()] {
                continue;
            }
            let (own, total) = (sums.line_selfs[index], sums.line_totals[index]);
            let id = LineId(index as u32);
            let self_figures = maxima.complete(own, maxima.line_selfs.get(&id), 0);
            // A line that calls nothing that allocates has one maximum, and the self one is always recorded.
            let only_self = own.allocated_count == total.allocated_count;
            let recorded = maxima
                .line_totals
                .get(&id)
                .or_else(|| if only_self { maxima.line_selfs.get(&id) } else { None });
            let total_figures = maxima.complete(total, recorded, self_figures.max_bytes);
            file.self_figures.add(&own);
            file.self_figures.max_bytes = file.self_figures.max_bytes.max(self_figures.max_bytes);
            file.total_figures.max_bytes = file.total_figures.max_bytes.max(total_figures.max_bytes);
            let (function, qualname) = self
                .functions
                .get(function.index())
                .map_or(("", ""), |function| (function.name(), function.qualname.as_str()));
            file.lines.push(LineFigures {
                line: *line,
                function: function.to_owned(),
                qualname: qualname.to_owned(),
                self_figures,
                total_figures,
            });
        }
        for (index, function) in self.functions.iter().enumerate().skip(1) {
            if function.is_native {
                continue;
            }
            let Some(file) = files.get_mut(function.file.index()) else { continue };
            let recorded = maxima.function_totals.get(&FunctionId(index as u32));
            let total = maxima.complete(sums.function_totals[index], recorded, 0);
            file.total_figures.max_bytes = file.total_figures.max_bytes.max(total.max_bytes);
            file.functions.push(FunctionFigures {
                name: function.name().to_owned(),
                qualname: function.qualname.clone(),
                first_line: function.first_line.max(1),
                total_figures: total,
            });
        }
        for file in &mut files {
            file.lines.sort_by_key(|line| line.line);
            file.functions.sort_by(|a, b| (a.first_line, &a.qualname).cmp(&(b.first_line, &b.qualname)));
            file.self_figures = maxima.complete(file.self_figures, None, file.self_figures.max_bytes);
            file.total_figures = maxima.complete(file.total_figures, None, file.total_figures.max_bytes);
        }
        files.retain(|file| !file.lines.is_empty());
        files.sort_by(|a, b| a.path.cmp(&b.path));
        self.files = files;
    }

    /// Adds sites up by the node at which their stacks end.
    pub(super) fn at_node<'a>(&self, sites: impl IntoIterator<Item = &'a Site>) -> Vec<Figures> {
        let mut at_node = vec![Figures::default(); self.nodes.len()];
        for site in sites {
            if let Some(figures) = at_node.get_mut(site.node.index()) {
                figures.add(&site.figures);
            }
        }
        at_node
    }

    /// What stacks without any Python frame allocated.
    pub(super) fn without_python(&self, at_node: &[Figures]) -> Figures {
        let mut sum = Figures::default();
        for (python, figures) in self.python_nodes().into_iter().zip(at_node) {
            if python == NodeId(0) {
                sum.add(figures);
            }
        }
        sum
    }

    /// Adds up the tree in one walk. A stack counts once for a line, function or file: only where that is met first
    /// on the way down.
    pub(super) fn sums(&self, at_node: Vec<Figures>) -> Sums {
        let mut line_selfs = vec![Figures::default(); self.lines.len()];
        let mut function_selfs = vec![Figures::default(); self.functions.len()];
        for (index, python) in self.python_nodes().into_iter().enumerate().skip(1) {
            // What native frames allocate is the innermost Python line's own, as it is without them.
            let own = [Some(NodeId(index as u32)), Some(python).filter(|node| node.index() != index)];
            for node in own.into_iter().flatten().filter(|node| *node != NodeId(0)) {
                let node = &self.nodes[node.index()];
                line_selfs[node.line.index()].add(&at_node[index]);
                function_selfs[node.function.index()].add(&at_node[index]);
            }
        }
        // Children come after their parents, so one pass from the end gives every subtree's sum.
        let mut below = at_node;
        for index in (1..self.nodes.len()).rev() {
            let figures = below[index];
            below[self.nodes[index].parent.index()].add(&figures);
        }

        let mut sums = Sums {
            line_selfs,
            line_totals: vec![Figures::default(); self.lines.len()],
            function_selfs,
            function_totals: vec![Figures::default(); self.functions.len()],
            file_totals: vec![Figures::default(); self.file_names.len()],
            line_functions: self.line_functions(&below),
        };
        let mut lines = OnPath::new(self.lines.len());
        let mut functions = OnPath::new(self.functions.len());
        let mut files = OnPath::new(self.file_names.len());
        self.walk(|id, node, entering| {
            let file = self.lines[node.line.index()].0;
            if !entering {
                lines.leave(node.line.index());
                functions.leave(node.function.index());
                files.leave(file.index());
                return;
            }
            let figures = &below[id.index()];
            if lines.enter(node.line.index()) {
                sums.line_totals[node.line.index()].add(figures);
            }
            if functions.enter(node.function.index()) {
                sums.function_totals[node.function.index()].add(figures);
            }
            if files.enter(file.index()) {
                sums.file_totals[file.index()].add(figures);
            }
        });
        sums
    }

    /// Visits every node but the root, depth first, on the way in and on the way out.
    fn walk(&self, mut visit: impl FnMut(NodeId, &Node, bool)) {
        let mut first_child = vec![0u32; self.nodes.len()];
        let mut next_sibling = vec![0u32; self.nodes.len()];
        for index in (1..self.nodes.len()).rev() {
            let parent = self.nodes[index].parent.index();
            next_sibling[index] = first_child[parent];
            first_child[parent] = index as u32;
        }
        let mut at = first_child[0];
        let mut path: Vec<u32> = Vec::new();
        loop {
            if at != 0 {
                visit(NodeId(at), &self.nodes[at as usize], true);
                path.push(at);
                at = first_child[at as usize];
            } else if let Some(done) = path.pop() {
                visit(NodeId(done), &self.nodes[done as usize], false);
                at = next_sibling[done as usize];
            } else {
                break;
            }
        }
    }

    /// For each line the function with most below it: of a function and its comprehension, the function.
    fn line_functions(&self, below: &[Figures]) -> Vec<FunctionId> {
        let mut weights: FxHashMap<(LineId, FunctionId), u64> = FxHashMap::default();
        for (node, figures) in self.nodes.iter().zip(below) {
            let weight = weights.entry((node.line, node.function)).or_default();
            *weight = weight.saturating_add(figures.allocated_bytes);
        }
        let mut best: Vec<Option<(u64, FunctionId)>> = vec![None; self.lines.len()];
        for ((line, function), weight) in weights {
            let held = &mut best[line.index()];
            // Of equal ones the first that was seen, whatever order the map has.
            if held.is_none_or(|(most, first)| {
                (weight, std::cmp::Reverse(function)) > (most, std::cmp::Reverse(first))
            }) {
                *held = Some((weight, function));
            }
        }
        best.into_iter().map(|held| held.map_or(FunctionId(0), |(_, function)| function)).collect()
    }
}

/// How often each of some things is on the path from the root to here.
struct OnPath(Vec<u32>);

impl OnPath {
    fn new(len: usize) -> Self {
        Self(vec![0; len])
    }
    /// True when it was not on the path yet.
    fn enter(&mut self, index: usize) -> bool {
        self.0[index] += 1;
        self.0[index] == 1
    }
    fn leave(&mut self, index: usize) {
        self.0[index] -= 1;
    }
}
