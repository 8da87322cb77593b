//! Two runs side by side: what grew, shrank, appeared and went, by line, function and stack.
//!
//! Places are named as they are in the later run; what is in the earlier one only keeps its name there. Lines that
//! moved because a file was edited are found again, and how sure that is stands beside each.

mod align;
mod graph;
mod places;
#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;

use crate::profile::NodeId;
use crate::{Figures, Frame, Measure, Profile, ProjectLine, Selection, SummaryBy};
pub use align::MatchedBy;
use places::Places;

/// Gives the text of a file as it was at a run, by its path then; `None` when that is not known.
pub type ReadText<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It has more.
    Grew,
    /// It has less.
    Shrank,
    /// It had nothing.
    Appeared,
    /// It has nothing.
    Went,
    /// It has as much.
    Same,
}

impl ChangeKind {
    /// What became of a value.
    #[must_use]
    pub fn of(before: u64, after: u64) -> Self {
        match (before, after) {
            (before, after) if before == after => Self::Same,
            (0, _) => Self::Appeared,
            (_, 0) => Self::Went,
            (before, after) if before < after => Self::Grew,
            _ => Self::Shrank,
        }
    }

    /// Its name in documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grew => "grew",
            Self::Shrank => "shrank",
            Self::Appeared => "appeared",
            Self::Went => "went",
            Self::Same => "same",
        }
    }
}

/// Figures in both runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// In the earlier run.
    pub before: Figures,
    /// In the later run.
    pub after: Figures,
}

impl Change {
    /// How much more there is of a measure; negative for less.
    #[must_use]
    pub fn delta(&self, measure: Measure) -> i64 {
        let (before, after) = (self.before.of(measure), self.after.of(measure));
        let size = i64::try_from(before.abs_diff(after)).unwrap_or(i64::MAX);
        if after < before { -size } else { size }
    }

    /// What became of a measure.
    #[must_use]
    pub fn kind(&self, measure: Measure) -> ChangeKind {
        ChangeKind::of(self.before.of(measure), self.after.of(measure))
    }
}

/// Where a place was in the earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Its line then.
    pub line: u32,
    /// How it was found again; `None` when it was not.
    pub matched_by: Option<MatchedBy>,
}

/// A line or function in both runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffPlace<'a> {
    /// In the later run, or in the earlier one when it is only there. `None` for allocations without Python frames.
    pub frame: Option<Frame<'a>>,
    /// Where it was; `None` when it is in the later run only.
    pub before: Option<Before>,
    /// As the innermost frame.
    pub own: Change,
    /// Anywhere on the stack. With maxima where the runs know them.
    pub total: Change,
}

/// A line of the project with the libraries it calls, in both runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffProjectLine<'a> {
    /// In the later run, or in the earlier one when it is only there.
    pub frame: Frame<'a>,
    /// Where it was; `None` when it is in the later run only.
    pub before: Option<Before>,
    /// Bytes or allocations in the earlier run.
    pub before_value: u64,
    /// Bytes or allocations in the later run.
    pub after_value: u64,
}

/// Index of a node in [`Diff::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DiffId(u32);

impl DiffId {
    /// The root: all stacks.
    pub const ROOT: Self = Self(0);

    /// Position in [`Diff::nodes`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A frame on top of a stack, in both runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffNode<'a> {
    /// As in [`DiffPlace::frame`]; `None` at the root.
    pub frame: Option<Frame<'a>>,
    /// Where the frame was; `None` when it is in the later run only.
    pub before: Option<Before>,
    /// `None` at the root.
    pub parent: Option<DiffId>,
    /// Of the stacks that end here. `max_bytes` is not known and zero.
    pub own: Change,
    /// Of all stacks through here. `max_bytes` is not known and zero.
    pub total: Change,
}

/// Two runs side by side.
pub struct Diff<'a> {
    before: &'a Profile,
    after: &'a Profile,
    places: Places,
    nodes: Vec<DiffNode<'a>>,
    /// For the nodes of the later and of the earlier run their place among all.
    joined: [Vec<DiffId>; 2],
}

impl<'a> Diff<'a> {
    /// Compares two runs. `before_text` and `after_text` give the text of a file as it was at that run.
    #[must_use]
    pub fn new(
        before: &'a Profile,
        after: &'a Profile,
        before_text: &ReadText<'_>,
        after_text: &ReadText<'_>,
    ) -> Self {
        let places = Places::new(before, after, [before_text, after_text]);
        let mut diff = Self { before, after, places, nodes: Vec::new(), joined: Default::default() };
        diff.join_trees();
        diff
    }

    /// The stacks of both runs as one tree, for differential flame graphs. The first node is the root, and children
    /// come after their parents.
    #[must_use]
    pub fn nodes(&self) -> &[DiffNode<'a>] {
        &self.nodes
    }

    /// The earlier run.
    #[must_use]
    pub const fn before(&self) -> &'a Profile {
        self.before
    }

    /// Both runs as a whole.
    #[must_use]
    pub fn whole(&self) -> Change {
        self.nodes.first().map(|root| root.total).unwrap_or_default()
    }

    /// The frames of a stack, the outermost first.
    #[must_use]
    pub fn stack(&self, id: DiffId) -> Vec<&DiffNode<'a>> {
        let mut frames = Vec::new();
        let mut at = self.nodes.get(id.index());
        while let Some((node, parent)) = at.and_then(|node| Some((node, node.parent?))) {
            frames.push(node);
            at = self.nodes.get(parent.index());
        }
        frames.reverse();
        frames
    }

    /// Stacks whose own figures differ by at least `threshold`, those that differ most first.
    #[must_use]
    pub fn stacks(&self, measure: Measure, threshold: u64) -> Vec<DiffId> {
        let delta = |id: &DiffId| self.nodes[id.index()].own.delta(measure).unsigned_abs();
        let mut stacks: Vec<DiffId> = (0..self.nodes.len() as u32).map(DiffId).collect();
        stacks.retain(|id| delta(id) >= threshold.max(1));
        stacks.sort_by_key(|id| (std::cmp::Reverse(delta(id)), *id));
        stacks
    }

    /// The path in the later run of a file of the earlier one; `None` when only the earlier one has it.
    #[must_use]
    pub fn later_path(&self, path: &str) -> Option<&str> {
        self.places.file(path)
    }

    /// Lines or functions of both runs, whether they differ or not, in no particular order but always in the same.
    #[must_use]
    pub fn places(&self, by: SummaryBy) -> Vec<DiffPlace<'a>> {
        self.join_places(by)
    }

    /// Lines whose totals or own figures differ by at least `threshold`, those that differ most first.
    #[must_use]
    pub fn lines(&self, measure: Measure, threshold: u64) -> Vec<DiffPlace<'a>> {
        self.differing(SummaryBy::Line, measure, threshold)
    }

    /// Functions whose totals or own figures differ by at least `threshold`, those that differ most first.
    #[must_use]
    pub fn functions(&self, measure: Measure, threshold: u64) -> Vec<DiffPlace<'a>> {
        self.differing(SummaryBy::Function, measure, threshold)
    }

    /// Lines of the project, each with the libraries it called, as [`Profile::project_lines`] has them; those whose
    /// measure differs most first.
    #[must_use]
    pub fn project_lines(&self, measure: Measure, threshold: u64) -> Vec<DiffProjectLine<'a>> {
        let value = |line: &ProjectLine<'_>| if measure.counts { line.count } else { line.bytes };
        let mut at: FxHashMap<(&str, u32), usize> = FxHashMap::default();
        let mut lines: Vec<DiffProjectLine<'a>> = Vec::new();
        for line in self.after.project_lines(measure.figure) {
            let frame = line.location;
            at.insert((frame.file, frame.line), lines.len());
            lines.push(DiffProjectLine { frame, before: None, before_value: 0, after_value: value(&line) });
        }
        for line in self.before.project_lines(measure.figure) {
            let frame = line.location;
            let before = Some(self.places.before(&frame));
            let now = self
                .places
                .line(frame.file, frame.line)
                .and_then(|(line, _)| at.get(&(self.places.file(frame.file)?, line)).copied());
            match now {
                Some(index) => {
                    lines[index].before = before;
                    lines[index].before_value = value(&line);
                }
                None => {
                    lines.push(DiffProjectLine { frame, before, before_value: value(&line), after_value: 0 });
                }
            }
        }
        let delta = |line: &DiffProjectLine<'_>| line.before_value.abs_diff(line.after_value);
        lines.retain(|line| delta(line) >= threshold.max(1));
        lines.sort_by(|a, b| {
            let key = |line: &DiffProjectLine<'a>| (line.frame.file, line.frame.line);
            delta(b).cmp(&delta(a)).then_with(|| key(a).cmp(&key(b)))
        });
        lines
    }

    fn differing(&self, by: SummaryBy, measure: Measure, threshold: u64) -> Vec<DiffPlace<'a>> {
        let mut places = self.join_places(by);
        let size = |place: &DiffPlace<'_>| {
            let (own, total) = (place.own.delta(measure), place.total.delta(measure));
            (total.unsigned_abs(), own.unsigned_abs())
        };
        places.retain(|place| {
            let (total, own) = size(place);
            total.max(own) >= threshold.max(1)
        });
        places.sort_by(|a, b| {
            let key =
                |place: &DiffPlace<'a>| place.frame.map(|frame| (frame.file, frame.line, frame.qualname));
            size(b).cmp(&size(a)).then_with(|| key(a).cmp(&key(b)))
        });
        places
    }

    fn join_places(&self, by: SummaryBy) -> Vec<DiffPlace<'a>> {
        /// A place of either run: a line only, or a function with its first line.
        type Key<'k> = Option<(&'k str, &'k str, u32)>;
        let everything = Selection::default();
        let mut places: Vec<DiffPlace<'a>> = Vec::new();
        let mut at: FxHashMap<Key<'_>, usize> = FxHashMap::default();
        let name = |frame: &Frame<'a>| if by == SummaryBy::Line { "" } else { frame.qualname };
        for row in self.after.summary(by, &everything).rows {
            at.insert(row.location.map(|frame| (frame.file, name(&frame), frame.line)), places.len());
            let (own, total) = (
                Change { after: row.own, ..Change::default() },
                Change { after: row.total, ..Change::default() },
            );
            places.push(DiffPlace { frame: row.location, before: None, own, total });
        }
        let first_lines = self.functions_of_before();
        for row in self.before.summary(by, &everything).rows {
            let (key, before): (Option<Key<'_>>, Option<Before>) = match &row.location {
                None => (Some(None), None),
                Some(frame) if by == SummaryBy::Line => {
                    let found = self.places.line(frame.file, frame.line);
                    let now =
                        found.and_then(|(line, _)| Some(Some((self.places.file(frame.file)?, "", line))));
                    (now, Some(self.places.before(frame)))
                }
                Some(frame) => {
                    let found = first_lines.get(&(frame.file, frame.qualname, frame.line));
                    let mut before = self.places.before(frame);
                    // A function is known by its name, wherever its first line went.
                    before.matched_by = found.map(|(_, _, line)| match before.matched_by {
                        Some(by @ (MatchedBy::File | MatchedBy::Content)) => by,
                        _ if *line == frame.line => MatchedBy::Number,
                        _ => MatchedBy::Function,
                    });
                    (found.map(|key| Some(*key)), Some(before))
                }
            };
            match key.and_then(|key| at.get(&key)) {
                Some(index) => {
                    let place = &mut places[*index];
                    (place.own.before, place.total.before) = (row.own, row.total);
                    place.before = before;
                }
                None => places.push(DiffPlace {
                    frame: row.location,
                    before,
                    own: Change { before: row.own, ..Change::default() },
                    total: Change { before: row.total, ..Change::default() },
                }),
            }
        }
        places
    }

    /// Functions of the earlier run by path, name and first line, and what they are in the later one.
    fn functions_of_before(&self) -> FxHashMap<(&'a str, &'a str, u32), (&'a str, &'a str, u32)> {
        fn key(profile: &Profile, id: crate::profile::FunctionId) -> (&str, &str, u32) {
            let function = &profile.functions[id.index()];
            let path = profile.file_names[function.file.index()].as_str();
            (path, function.qualname.as_str(), function.first_line.max(1))
        }
        (1..self.before.functions.len() as u32)
            .map(crate::profile::FunctionId)
            .filter_map(|id| Some((key(self.before, id), key(self.after, self.places.function(id)?))))
            .collect()
    }

    /// Puts the stacks of both runs into one tree.
    fn join_trees(&mut self) {
        let root = DiffNode {
            frame: None,
            before: None,
            parent: None,
            own: Change::default(),
            total: Change::default(),
        };
        let mut nodes = vec![root];
        let mut children: FxHashMap<(DiffId, Key), DiffId> = FxHashMap::default();
        let (before, after): (&'a Profile, &'a Profile) = (self.before, self.after);
        let mut all_joined = [Vec::new(), Vec::new()];
        for (profile, is_before) in [(after, false), (before, true)] {
            let mut joined = vec![DiffId::ROOT; profile.nodes.len()];
            for index in 1..profile.nodes.len() {
                let node = &profile.nodes[index];
                let frame = profile.frame(NodeId(index as u32));
                let place = is_before.then(|| self.places.before(&frame));
                let key = if is_before {
                    let function = self.places.function(node.function);
                    let line = self.places.line(frame.file, frame.line);
                    match (function, line) {
                        (Some(function), Some((line, _))) => Key::After(function.0, line),
                        _ => Key::Before(node.function.0, frame.line),
                    }
                } else {
                    Key::After(node.function.0, frame.line)
                };
                let parent = joined[node.parent.index()];
                let id = *children.entry((parent, key)).or_insert_with(|| {
                    let none = Change::default();
                    nodes.push(DiffNode {
                        frame: Some(frame),
                        before: place,
                        parent: Some(parent),
                        own: none,
                        total: none,
                    });
                    DiffId(nodes.len() as u32 - 1)
                });
                if is_before {
                    nodes[id.index()].before = place;
                }
                joined[index] = id;
            }
            for site in &profile.sites {
                let own = &mut nodes[joined[site.node.index()].index()].own;
                if is_before { own.before.add(&site.figures) } else { own.after.add(&site.figures) }
            }
            all_joined[usize::from(is_before)] = joined;
        }
        for index in (0..nodes.len()).rev() {
            let own = nodes[index].own;
            nodes[index].total.before.add(&own.before);
            nodes[index].total.after.add(&own.after);
            nodes[index].total.before.inexact = before.session().inexact;
            nodes[index].total.after.inexact = after.session().inexact;
            if let Some(parent) = nodes[index].parent {
                let total = nodes[index].total;
                let above = &mut nodes[parent.index()].total;
                above.before.add(&total.before);
                above.after.add(&total.after);
            }
        }
        (self.nodes, self.joined) = (nodes, all_joined);
    }
}

/// What tells the children of a node apart: a function and a line of the later run, or of the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    After(u32, u32),
    Before(u32, u32),
}
