//! The run as rows: what each place allocated itself, by allocator and thread.

use heaphint_format::Allocator;
use rustc_hash::FxHashMap;

use super::{Frame, NodeId, Profile, Selection};
use crate::Figures;

/// What a (function, line) allocated itself in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow<'a> {
    /// The innermost frame; `None` for allocations without any Python frame.
    pub location: Option<Frame<'a>>,
    /// Kernel's id and name of the thread; `None` when threads are added up.
    pub thread: Option<(u32, String)>,
    /// `None` for those that a newer tracer knows.
    pub allocator: Option<Allocator>,
    /// Its figures; `max_bytes` is not known and zero.
    pub figures: Figures,
}

impl Profile {
    /// One row for each (function, line, allocator), and for each thread when these are told apart. In no
    /// particular order, but always in the same.
    #[must_use]
    pub fn table(&self, selection: &Selection, by_thread: bool) -> Vec<TableRow<'_>> {
        let mut at: FxHashMap<_, usize> = FxHashMap::default();
        let mut rows: Vec<TableRow<'_>> = Vec::new();
        for site in self.selected(selection) {
            let node = &self.nodes[site.node.index()];
            let tid = by_thread.then(|| self.tid(site.thread));
            let index = *at.entry((node.function, node.line, site.allocator, tid)).or_insert_with(|| {
                rows.push(TableRow {
                    location: (site.node != NodeId(0)).then(|| self.frame(site.node)),
                    thread: tid.map(|tid| (tid, self.thread_name(site.thread))),
                    allocator: site.allocator,
                    figures: Figures { inexact: self.session.inexact, ..Figures::default() },
                });
                rows.len() - 1
            });
            rows[index].figures.add(&site.figures);
        }
        rows
    }
}
