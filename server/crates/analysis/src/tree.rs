//! The stacks of a run as one tree, for views that unfold it and for flame graphs.
//!
//! Children come after their parents, so one pass over the nodes from the end adds them up. Trees are as deep as the
//! program's recursion, so nothing here recurses.

use rustc_hash::FxHashMap;

use crate::profile::{FunctionId, LineId, NodeId};
use crate::{Figures, Frame, Measure, Profile, Selection};

/// Index of a node in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreeId(u32);

impl TreeId {
    /// The root of every tree.
    pub const ROOT: Self = Self(0);

    /// Position in [`Tree::nodes`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a node stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreePlace<'a> {
    /// The root: all stacks.
    Everything,
    /// All stacks of a thread.
    Thread {
        /// Kernel's id; 0 for all threads beyond the capture's bound.
        tid: u32,
        /// Its name, or its number.
        name: String,
    },
    /// A frame below the frames of its ancestors.
    Frame(Frame<'a>),
    /// Allocations without any Python frame.
    OutsidePython,
}

/// A frame with the stacks that go through it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeNode<'a> {
    /// What it stands for.
    pub place: TreePlace<'a>,
    /// `None` at the root.
    pub parent: Option<TreeId>,
    /// In no particular order, but always in the same; see [`Tree::children_by`].
    pub children: Vec<TreeId>,
    /// Of the stacks that end here; `max_bytes` is not known and zero.
    pub own: Figures,
    /// Of all stacks through here; `max_bytes` is not known and zero.
    pub total: Figures,
}

/// How a [`Tree`] is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeOptions {
    /// The stacks that are in it.
    pub selection: Selection,
    /// Whether the root's children are threads.
    pub by_thread: bool,
    /// Whether frames of the import system are left out.
    pub hide_imports: bool,
    /// Whether stacks begin with their innermost frame: below a place stand those who called it.
    pub inverted: bool,
}

/// All stacks of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree<'a> {
    nodes: Vec<TreeNode<'a>>,
}

impl<'a> Tree<'a> {
    /// The tree of a run's stacks. Stacks of several processes are joined.
    #[must_use]
    pub fn new(profile: &'a Profile, options: &TreeOptions) -> Self {
        let mut builder = Builder {
            profile,
            python: profile.python_nodes(),
            options,
            nodes: Vec::new(),
            children: FxHashMap::default(),
            built: FxHashMap::default(),
        };
        let root = builder.add(TreePlace::Everything, None);
        for site in profile.selected(&options.selection) {
            let mut at = root;
            if options.by_thread {
                let tid = profile.tid(site.thread);
                at = builder.child(at, Key::Thread(tid), || TreePlace::Thread {
                    tid,
                    name: profile.thread_name(site.thread),
                });
            }
            at = if site.node == NodeId(0) {
                builder.child(at, Key::OutsidePython, || TreePlace::OutsidePython)
            } else if options.inverted {
                builder.callers(at, site.node)
            } else {
                builder.stack(at, site.node)
            };
            builder.nodes[at.index()].own.add(&site.figures);
        }
        let mut tree = Self { nodes: builder.nodes };
        tree.add_up();
        tree
    }

    fn add_up(&mut self) {
        for index in (0..self.nodes.len()).rev() {
            let own = self.nodes[index].own;
            self.nodes[index].total.add(&own);
            if let Some(parent) = self.nodes[index].parent {
                let total = self.nodes[index].total;
                self.nodes[parent.index()].total.add(&total);
            }
        }
    }

    /// A node of this tree.
    ///
    /// # Panics
    /// When the id is another tree's.
    #[must_use]
    pub fn node(&self, id: TreeId) -> &TreeNode<'a> {
        &self.nodes[id.index()]
    }

    /// The id of the node at a position in [`Self::nodes`], if there is one.
    #[must_use]
    pub fn id(&self, index: usize) -> Option<TreeId> {
        (index < self.nodes.len()).then_some(TreeId(index as u32))
    }

    /// All nodes; the first is the root, and children come after their parents.
    #[must_use]
    pub fn nodes(&self) -> &[TreeNode<'a>] {
        &self.nodes
    }

    /// The children of a node, those with most of a measure first.
    #[must_use]
    pub fn children_by(&self, id: TreeId, measure: Measure) -> Vec<TreeId> {
        let of = |id: TreeId| self.node(id).total.of(measure);
        let mut children = self.node(id).children.clone();
        children.sort_by_key(|id| (std::cmp::Reverse(of(*id)), *id));
        children
    }

    /// The ancestors of a node and itself, without the root, the outermost first.
    #[must_use]
    pub fn path(&self, id: TreeId) -> Vec<TreeId> {
        let mut path = Vec::new();
        let mut at = id;
        while let Some(parent) = self.node(at).parent {
            path.push(at);
            at = parent;
        }
        path.reverse();
        path
    }
}

/// What tells the children of a node apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Thread(u32),
    Frame(FunctionId, LineId),
    OutsidePython,
}

struct Builder<'a, 'o> {
    profile: &'a Profile,
    /// Of each stack, its innermost Python frame.
    python: Vec<NodeId>,
    options: &'o TreeOptions,
    nodes: Vec<TreeNode<'a>>,
    children: FxHashMap<(TreeId, Key), TreeId>,
    /// Where the stacks of the profile stand below a root.
    built: FxHashMap<(TreeId, NodeId), TreeId>,
}

impl<'a> Builder<'a, '_> {
    fn add(&mut self, place: TreePlace<'a>, parent: Option<TreeId>) -> TreeId {
        let id = TreeId(self.nodes.len() as u32);
        let none = Figures { inexact: self.profile.session().inexact, ..Figures::default() };
        self.nodes.push(TreeNode { place, parent, children: Vec::new(), own: none, total: none });
        if let Some(parent) = parent {
            self.nodes[parent.index()].children.push(id);
        }
        id
    }

    fn child(&mut self, parent: TreeId, key: Key, place: impl FnOnce() -> TreePlace<'a>) -> TreeId {
        if let Some(id) = self.children.get(&(parent, key)) {
            return *id;
        }
        let id = self.add(place(), Some(parent));
        self.children.insert((parent, key), id);
        id
    }

    /// The node of a frame below another, which is that node itself when the frame is hidden.
    fn frame(&mut self, parent: TreeId, at: NodeId) -> TreeId {
        let profile = self.profile;
        let node = &profile.nodes[at.index()];
        let frame = profile.frame(at);
        // Native frames that the import system has called are a part of it.
        let python = self.python.get(at.index()).copied().unwrap_or(at);
        if self.options.hide_imports && profile.frame(python).is_import_system() {
            return parent;
        }
        self.child(parent, Key::Frame(node.function, node.line), || TreePlace::Frame(frame))
    }

    /// The node of a stack below a root.
    fn stack(&mut self, root: TreeId, stack: NodeId) -> TreeId {
        let mut missing = Vec::new();
        let mut at = stack;
        let mut id = loop {
            if at == NodeId(0) {
                break root;
            }
            if let Some(id) = self.built.get(&(root, at)) {
                break *id;
            }
            missing.push(at);
            at = self.profile.nodes[at.index()].parent;
        };
        for at in missing.into_iter().rev() {
            id = self.frame(id, at);
            self.built.insert((root, at), id);
        }
        id
    }

    /// The node of a stack's outermost frame, below those it called.
    fn callers(&mut self, root: TreeId, stack: NodeId) -> TreeId {
        let (mut id, mut at) = (root, stack);
        while at != NodeId(0) {
            id = self.frame(id, at);
            at = self.profile.nodes[at.index()].parent;
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hand_made::HandMade;
    use crate::{Figure, SummaryBy};

    const PEAK: Measure = Measure { figure: Figure::Peak, counts: false };

    /// `main` imports `lib` through the import system, and `lib` and `main` call `load`; a second thread calls it, too.
    fn program() -> HandMade {
        let mut made = HandMade::default();
        let main = made.code("<module>", "/p/app.py", 1);
        let import = made.code("_find_and_load", "<frozen importlib._bootstrap>", 1);
        let lib = made.code("<module>", "/usr/lib/python3.11/site-packages/lib/__init__.py", 1);
        let load = made.code("load", "/p/load.py", 1);
        let at_import = made.stack(0, main, 1);
        let importing = made.stack(at_import, import, 7);
        let in_lib = made.stack(importing, lib, 3);
        let by_lib = made.stack(in_lib, load, 2);
        let calls = made.stack(0, main, 9);
        let by_main = made.stack(calls, load, 2);
        made.site(importing, 10, 1, 1, 1);
        made.site(by_lib, 100, 1, 1, 1);
        made.site(by_main, 1000, 2, 1, 0);
        made.site(0, 5, 1, 1, 1);
        made.thread(4712, "worker");
        let alone = made.stack(0, load, 2);
        made.site(alone, 30, 1, 1, 0).thread_and_allocator =
            heaphint_format::Site::key(1, crate::Allocator::Mmap);
        made
    }

    /// Each node as `depth name:line total/own` in the order in which a view would show it.
    fn shown(tree: &Tree<'_>) -> Vec<String> {
        let mut shown = Vec::new();
        let mut waiting = vec![TreeId::ROOT];
        while let Some(id) = waiting.pop() {
            let node = tree.node(id);
            let name = match &node.place {
                TreePlace::Everything => "all".to_owned(),
                TreePlace::Thread { tid, name } => format!("{name}/{tid}"),
                TreePlace::Frame(frame) => format!("{}:{}", frame.function, frame.line),
                TreePlace::OutsidePython => "outside".to_owned(),
            };
            let depth = tree.path(id).len();
            shown.push(format!("{depth} {name} {}/{}", node.total.peak_bytes, node.own.peak_bytes));
            waiting.extend(tree.children_by(id, PEAK).into_iter().rev());
        }
        shown
    }

    #[test]
    fn stacks_are_joined_and_added_up() {
        let profile = Profile::from_capture(&program().capture());
        let tree = Tree::new(&profile, &TreeOptions::default());
        assert_eq!(
            shown(&tree),
            [
                "0 all 1145/0",
                "1 <module>:9 1000/0",
                "2 load:2 1000/1000",
                "1 <module>:1 110/0",
                "2 _find_and_load:7 110/10",
                "3 <module>:3 100/0",
                "4 load:2 100/100",
                "1 load:2 30/30",
                "1 outside 5/5",
            ]
        );
        let of_thread = Selection {
            threads: vec!["worker".to_owned()],
            modules: vec!["load".to_owned()],
            ..Selection::default()
        };
        let options = TreeOptions { selection: of_thread, by_thread: true, ..TreeOptions::default() };
        assert_eq!(
            shown(&Tree::new(&profile, &options)),
            ["0 all 30/0", "1 worker/4712 30/0", "2 load:2 30/30"]
        );
    }

    #[test]
    fn the_import_system_can_be_hidden_and_the_tree_turned_over() {
        let profile = Profile::from_capture(&program().capture());
        let options = TreeOptions { hide_imports: true, ..TreeOptions::default() };
        let tree = shown(&Tree::new(&profile, &options));
        assert_eq!(tree[3..6], ["1 <module>:1 110/10", "2 <module>:3 100/0", "3 load:2 100/100"]);

        let options = TreeOptions { inverted: true, hide_imports: true, ..TreeOptions::default() };
        let tree = shown(&Tree::new(&profile, &options));
        assert_eq!(
            tree[..5],
            [
                "0 all 1145/0",
                "1 load:2 1130/30",
                "2 <module>:9 1000/1000",
                "2 <module>:3 100/0",
                "3 <module>:1 100/100"
            ]
        );
    }

    #[test]
    fn two_captures_with_one_stack_have_one_node() {
        let capture = program().capture();
        let profile = Profile::from_captures(&[capture.clone(), capture.clone()]);
        let one = Profile::from_capture(&capture);
        let (tree, once) =
            (Tree::new(&profile, &TreeOptions::default()), Tree::new(&one, &TreeOptions::default()));
        assert_eq!(tree.nodes().len(), once.nodes().len());
        assert_eq!(tree.node(TreeId::ROOT).total.peak_bytes, 2 * once.node(TreeId::ROOT).total.peak_bytes);
        assert!(tree.nodes().iter().all(|node| node.total.inexact.is_some()));
    }

    #[test]
    fn a_very_deep_stack_is_a_very_deep_tree() {
        let mut made = HandMade::default();
        let code = made.code("f", "/p/app.py", 1);
        let mut stack = 0;
        for _ in 0..200_000 {
            stack = made.stack(stack, code, 2);
        }
        made.site(stack, 7, 1, 1, 1);
        let profile = Profile::from_capture(&made.capture());
        let tree = Tree::new(&profile, &TreeOptions::default());
        assert_eq!((tree.nodes().len(), tree.node(TreeId(1)).total.peak_bytes), (200_001, 7));
    }

    proptest! {
        /// Whatever is left out or turned over, nothing is lost and nothing counts twice.
        #[test]
        fn all_views_of_a_run_agree(
            parents in prop::collection::vec((any::<prop::sample::Index>(), 0u32..4, 1u32..4), 1..30),
            sites in prop::collection::vec((any::<prop::sample::Index>(), 1u64..1000, 0u32..2), 0..30),
            by_thread: bool, hide_imports: bool, inverted: bool,
        ) {
            let mut made = HandMade::default();
            made.thread(4712, "worker");
            let files = ["/p/app.py", "/p/lib.py", "<frozen importlib._bootstrap>", "/usr/lib/python3.11/x.py"];
            let codes = files.map(|file| made.code("f", file, 1));
            for (parent, code, line) in &parents {
                let parent = parent.index(made.stacks.len()) as u32;
                made.stack(parent, codes[*code as usize], *line);
            }
            for (stack, bytes, thread) in &sites {
                let stack = stack.index(made.stacks.len()) as u32;
                made.site(stack, *bytes, 3, 2, 1).thread_and_allocator =
                    heaphint_format::Site::key(*thread, crate::Allocator::Malloc);
            }
            let profile = Profile::from_capture(&made.capture());
            let session = profile.session();
            let tree = Tree::new(&profile, &TreeOptions { by_thread, hide_imports, inverted, ..TreeOptions::default() });
            let root = tree.node(TreeId::ROOT).total;
            prop_assert_eq!(root.allocated_bytes, session.allocated_bytes);
            prop_assert_eq!(root.leaked_count, session.leaked_count);
            prop_assert_eq!(root.peak_bytes, session.peak_bytes);
            let owns: u64 = tree.nodes().iter().map(|node| node.own.allocated_bytes).sum();
            prop_assert_eq!(owns, session.allocated_bytes);

            let everything = Selection::default();
            for by in [SummaryBy::Function, SummaryBy::Line, SummaryBy::File] {
                let summary = profile.summary(by, &everything);
                let owns: u64 = summary.rows.iter().map(|row| row.own.allocated_bytes).sum();
                prop_assert_eq!(owns, session.allocated_bytes);
                prop_assert_eq!(summary.whole.peak_bytes, session.peak_bytes);
            }
            for row in profile.summary(SummaryBy::Line, &everything).rows {
                let Some(frame) = row.location else { continue };
                let line = profile.file(frame.file).and_then(|file| file.line(frame.line)).cloned();
                let line = line.expect("a line that allocated is a line of its file");
                prop_assert_eq!(row.total, line.total_figures);
                prop_assert_eq!(row.own.peak_bytes, line.self_figures.peak_bytes);
                prop_assert_eq!(row.own.allocated_count, line.self_figures.allocated_count);
            }
            let rows = profile.table(&everything, by_thread);
            prop_assert_eq!(rows.iter().map(|row| row.figures.allocated_bytes).sum::<u64>(), session.allocated_bytes);

            // The parts of a run are the run.
            let of_module = |module: crate::ModuleFigures| {
                let selection = Selection { modules: vec![module.module], ..Selection::default() };
                let sum = profile.summary(SummaryBy::Function, &selection).whole;
                (module.bytes, sum.allocated_bytes)
            };
            let parts: Vec<(u64, u64)> =
                profile.modules(false, usize::MAX).into_iter().map(of_module).collect();
            prop_assert!(parts.iter().all(|(stated, summed)| stated == summed), "{:?}", parts);
            for thread in profile.threads() {
                let selection = Selection { threads: vec![thread.tid.to_string()], ..Selection::default() };
                prop_assert_eq!(profile.summary(SummaryBy::File, &selection).whole.leaked_bytes, thread.figures.leaked_bytes);
            }
        }
    }
}
