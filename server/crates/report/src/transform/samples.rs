//! The stacks of a profile as formats want them: frames numbered once, figures added up.

use std::collections::BTreeMap;

use heaphint_analysis::{Figure, Figures, Graph, GraphSite, Profile, Selection};
use rustc_hash::FxHashMap;

/// A (function, line) that is on some stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleFrame<'a> {
    /// With what it is nested in, where the interpreter knows that.
    pub function: &'a str,
    /// Number of the function, for formats that number them.
    pub function_index: u32,
    /// Absolute path, or a name such as `<string>`.
    pub file: &'a str,
    /// 1-based.
    pub line: u32,
}

/// The stack tree of a profile with its frames numbered.
pub struct Samples<'a> {
    /// The tree; formats use its functions, threads and sites.
    pub graph: Graph<'a>,
    /// Every frame once.
    pub frames: Vec<SampleFrame<'a>>,
    /// The frame of each node; that of the root means nothing.
    frame_of_node: Vec<u32>,
}

impl<'a> Samples<'a> {
    pub fn new(profile: &'a Profile, part: &Selection) -> Self {
        let graph = profile.graph_of(part);
        let mut numbers: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        let mut frames = Vec::new();
        let mut frame_of_node = vec![0; graph.nodes.len()];
        for (node, frame) in graph.nodes.iter().zip(&mut frame_of_node).skip(1) {
            *frame = *numbers.entry((node.function, node.line)).or_insert_with(|| {
                let function = &graph.functions[node.function as usize];
                frames.push(SampleFrame {
                    function: function.qualname,
                    function_index: node.function,
                    file: graph.files[function.file as usize].path,
                    line: node.line,
                });
                frames.len() as u32 - 1
            });
        }
        Self { graph, frames, frame_of_node }
    }

    /// Numbers of a stack's frames, the innermost first. Empty for allocations without any Python frame.
    pub fn stack(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let mut at = node as usize;
        std::iter::from_fn(move || {
            let frame = (at != 0).then(|| self.frame_of_node[at])?;
            at = self.graph.nodes[at].parent as usize;
            Some(frame)
        })
    }

    /// Number of the frame on top of a stack that is not empty.
    pub fn frame(&self, node: u32) -> u32 {
        self.frame_of_node[node as usize]
    }

    /// The children of each node as two lists: the first child of a node, and the next child of the same parent. 0 ends
    /// both. Only nodes that are `wanted` are in them.
    fn children(&self, wanted: impl Fn(usize) -> bool) -> (Vec<u32>, Vec<u32>) {
        let nodes = &self.graph.nodes;
        let (mut first_child, mut next_sibling) = (vec![0; nodes.len()], vec![0; nodes.len()]);
        for index in (1..nodes.len()).rev().filter(|index| wanted(*index)) {
            let parent = nodes[index].parent as usize;
            next_sibling[index] = first_child[parent];
            first_child[parent] = index as u32;
        }
        (first_child, next_sibling)
    }

    /// Visits the wanted nodes but the root, depth first, on the way in (true) and on the way out.
    pub fn walk<E>(
        &self,
        wanted: impl Fn(usize) -> bool,
        mut visit: impl FnMut(u32, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        let (first_child, next_sibling) = self.children(wanted);
        // Stacks may be deeper than any recursion should be.
        let (mut path, mut at) = (Vec::new(), first_child[0]);
        loop {
            if at != 0 {
                visit(at, true)?;
                path.push(at);
                at = first_child[at as usize];
            } else if let Some(done) = path.pop() {
                visit(done, false)?;
                at = next_sibling[done as usize];
            } else {
                return Ok(());
            }
        }
    }

    /// For each node its place in the order in which a walk meets them: neighbours there share most of their frames.
    pub fn preorder(&self) -> Vec<u32> {
        let mut order = vec![0; self.graph.nodes.len()];
        let mut next = 0;
        let walked: Result<(), std::convert::Infallible> = self.walk(
            |_| true,
            |node, entering| {
                next += u32::from(entering);
                if entering {
                    order[node as usize] = next;
                }
                Ok(())
            },
        );
        walked.unwrap_or_else(|never| match never {});
        order
    }

    /// Sites with something of a figure, in the order of the profile.
    pub fn sites(&self, figure: Figure) -> impl Iterator<Item = &GraphSite<'a>> {
        self.graph.sites.iter().filter(move |site| has(site.figures, figure))
    }

    /// Stacks with something of a figure over all threads and allocators: node, bytes and allocations.
    pub fn stacks(&self, figure: Figure) -> Vec<(u32, u64, u64)> {
        let mut sums: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for site in self.sites(figure) {
            let (bytes, count) = of(site.figures, figure);
            let sum = sums.entry(site.node).or_default();
            *sum = (sum.0.saturating_add(bytes), sum.1.saturating_add(count));
        }
        sums.into_iter().map(|(node, (bytes, count))| (node, bytes, count)).collect()
    }
}

/// Bytes and allocations of a figure.
pub fn of(figures: &Figures, figure: Figure) -> (u64, u64) {
    (figures.bytes(figure), figures.count(figure).unwrap_or_default())
}

fn has(figures: &Figures, figure: Figure) -> bool {
    of(figures, figure) != (0, 0)
}

/// What stands for a stack without any Python frame, in formats that need a name.
pub const NO_FRAME: &str = "<no Python frame>";
