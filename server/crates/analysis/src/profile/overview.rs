//! The run by thread, by allocator, by size and by location.

use heaphint_format::{Allocator, SIZE_CLASSES, size_class_lower_bound};
use rustc_hash::FxHashMap;

use super::{Frame, LineId, NodeId, Profile, Through};
use crate::{Figure, Figures};

/// What a thread allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadFigures {
    /// Kernel's id; 0 for the entry that stands for all threads beyond the capture's bound.
    pub tid: u32,
    /// Its name, or its number.
    pub name: String,
    /// Its figures; `max_bytes` is not known and zero.
    pub figures: Figures,
}

/// How often memory was asked for in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocatorFigures {
    /// `None` for those that a newer tracer knows.
    pub allocator: Option<Allocator>,
    /// Allocations.
    pub count: u64,
    /// Bytes ever allocated.
    pub bytes: u64,
}

/// Allocations of similar size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeClass {
    /// Smallest size that belongs here, bytes.
    pub min_bytes: u64,
    /// Largest size that belongs here, bytes; `u64::MAX` in the last class.
    pub max_bytes: u64,
    /// Allocations.
    pub count: u64,
    /// False when a counter ran full, so that there were more.
    pub exact: bool,
}

/// What a (function, line) allocated itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocationFigures<'a> {
    /// `None` for allocations without any Python frame.
    pub location: Option<Frame<'a>>,
    /// Bytes ever allocated.
    pub bytes: u64,
    /// Allocations.
    pub count: u64,
}

/// A line of the project with the libraries it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectLine<'a> {
    /// The line.
    pub location: Frame<'a>,
    /// Of the figure that was asked for.
    pub bytes: u64,
    /// Allocations behind `bytes`.
    pub count: u64,
}

impl Profile {
    /// Threads, the one that allocated most first.
    #[must_use]
    pub fn threads(&self) -> Vec<ThreadFigures> {
        let mut threads: FxHashMap<u32, ThreadFigures> = FxHashMap::default();
        for site in &self.sites {
            let tid = self.threads.get(site.thread.index()).map_or(0, |thread| thread.tid);
            let thread = threads.entry(tid).or_insert_with(|| ThreadFigures {
                tid,
                name: self.thread_name(site.thread),
                figures: Figures::default(),
            });
            thread.figures.add(&site.figures);
        }
        let mut threads: Vec<_> = threads.into_values().collect();
        threads.sort_by_key(|thread| (std::cmp::Reverse(thread.figures.allocated_bytes), thread.tid));
        threads
    }

    /// Ways of asking for memory, the most frequent first.
    #[must_use]
    pub fn allocators(&self) -> Vec<AllocatorFigures> {
        let mut kinds: FxHashMap<Option<Allocator>, AllocatorFigures> = FxHashMap::default();
        for site in &self.sites {
            let kind = kinds.entry(site.allocator).or_insert(AllocatorFigures {
                allocator: site.allocator,
                count: 0,
                bytes: 0,
            });
            kind.count = kind.count.saturating_add(site.figures.bytes_and_count().1);
            kind.bytes = kind.bytes.saturating_add(site.figures.bytes_and_count().0);
        }
        let mut kinds: Vec<_> = kinds.into_values().collect();
        kinds.sort_by_key(|kind| (std::cmp::Reverse(kind.count), kind.allocator));
        kinds
    }

    /// Allocations by requested size, every class, the smallest first.
    #[must_use]
    pub fn sizes(&self) -> Vec<SizeClass> {
        (0..SIZE_CLASSES)
            .map(|class| {
                let counts = self.sites.iter().filter_map(|site| site.sizes.get(class));
                let last = class + 1 == SIZE_CLASSES;
                SizeClass {
                    min_bytes: size_class_lower_bound(class),
                    max_bytes: if last { u64::MAX } else { size_class_lower_bound(class + 1) - 1 },
                    count: counts.clone().fold(0, |sum: u64, count| sum.saturating_add(u64::from(*count))),
                    exact: counts.clone().all(|count| *count != u32::MAX),
                }
            })
            .collect()
    }

    /// Lines of the project, each with what was allocated by it and by the libraries it called, but not by other
    /// lines of the project: every stack belongs to its innermost project line. The largest come first; of
    /// [`Figure::Max`], which single stacks do not have, the peak is meant.
    #[must_use]
    pub fn project_lines(&self, figure: Figure) -> Vec<ProjectLine<'_>> {
        self.project_lines_through(Through::Anything, figure)
    }

    /// The same of the stacks through a place only.
    #[must_use]
    pub fn project_lines_through(&self, through: Through<'_>, figure: Figure) -> Vec<ProjectLine<'_>> {
        let figure = if figure == Figure::Max { Figure::Peak } else { figure };
        let chosen = self.nodes_through(through);
        let innermost = self.innermost_project_nodes();
        let mut sums: FxHashMap<LineId, (NodeId, Figures)> = FxHashMap::default();
        for site in self.sites.iter().filter(|site| chosen[site.node.index()]) {
            if let Some(node) = innermost[site.node.index()] {
                let sum = sums.entry(self.nodes[node.index()].line).or_insert((node, Figures::default()));
                sum.0 = sum.0.min(node);
                sum.1.add(&site.figures);
            }
        }
        let mut lines: Vec<ProjectLine<'_>> = sums
            .into_values()
            .map(|(node, figures)| ProjectLine {
                location: self.frame(node),
                bytes: figures.bytes(figure),
                count: figures.count(figure).unwrap_or_default(),
            })
            .filter(|line| line.bytes > 0)
            .collect();
        lines.sort_by(|a, b| {
            b.bytes
                .cmp(&a.bytes)
                .then_with(|| (a.location.file, a.location.line).cmp(&(b.location.file, b.location.line)))
        });
        lines
    }

    /// For each stack its innermost frame of the project.
    pub(super) fn innermost_project_nodes(&self) -> Vec<Option<NodeId>> {
        // Parents come first, so each node's answer is its own or its parent's.
        let mut innermost: Vec<Option<NodeId>> = vec![None; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate().skip(1) {
            let in_project = self.in_project[self.lines[node.line.index()].0.index()];
            let own = in_project.then_some(NodeId(index as u32));
            innermost[index] = own.or(innermost[node.parent.index()]);
        }
        innermost
    }

    /// The `most` locations that allocated most: by bytes, or by number for `by_count`.
    #[must_use]
    pub fn locations(&self, by_count: bool, most: usize) -> Vec<LocationFigures<'_>> {
        let mut sums: FxHashMap<_, (NodeId, u64, u64)> = FxHashMap::default();
        for site in &self.sites {
            let node = &self.nodes[site.node.index()];
            let (bytes, count) = site.figures.bytes_and_count();
            let sum = sums.entry((node.function, node.line)).or_insert((site.node, 0, 0));
            *sum = (sum.0.min(site.node), sum.1.saturating_add(bytes), sum.2.saturating_add(count));
        }
        let mut sums: Vec<_> = sums.into_values().collect();
        sums.sort_by_key(|(node, bytes, count)| {
            (std::cmp::Reverse(if by_count { *count } else { *bytes }), *node)
        });
        sums.into_iter()
            .take(most)
            .map(|(node, bytes, count)| LocationFigures {
                location: (node != NodeId(0)).then(|| self.frame(node)),
                bytes,
                count,
            })
            .collect()
    }
}

impl Figures {
    /// Everything ever allocated: bytes and allocations.
    pub(super) fn bytes_and_count(&self) -> (u64, u64) {
        (self.bytes(Figure::Allocated), self.allocated_count)
    }
}
