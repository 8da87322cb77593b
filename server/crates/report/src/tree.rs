//! The stacks of a run as one tree.

use std::io::{self, Write};

use heaphint_analysis::{Frame, Measure, Profile, Tree, TreeId, TreePlace};
use serde::Serialize;

use crate::json::{JsonFigures, JsonFrame, JsonSession, SCHEMA, write};
use crate::session::session_text;
use crate::sources::{ReadSource, Sources};
use crate::text::{Look, Role, grouped, printable, prominence, share, short_path};

/// Columns of a size or a number of allocations.
const VALUE_WIDTH: usize = 11;
/// Columns of a share.
const SHARE_WIDTH: usize = 8;

/// Which part of a tree is written.
#[derive(Clone, Copy, Debug)]
pub struct TreeView {
    /// What nodes are ordered by.
    pub measure: Measure,
    /// Nodes with less of the measure are left out.
    pub min: u64,
    /// Frames below this many others are left out.
    pub depth: usize,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    session: JsonSession<'a>,
    /// What nodes are ordered by.
    by: &'static str,
    /// Parents before their children, siblings in order. A list, because JSON readers do not nest as deep as
    /// programs recurse.
    nodes: Vec<Node<'a>>,
}

#[derive(Serialize)]
struct Node<'a> {
    id: usize,
    parent: Option<usize>,
    kind: &'static str,
    #[serde(flatten)]
    frame: Option<JsonFrame<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<Thread<'a>>,
    #[serde(rename = "self")]
    own: JsonFigures,
    total: JsonFigures,
}

/// A thread by its kernel's id and name.
#[derive(Serialize)]
pub struct Thread<'a> {
    pub id: u32,
    pub name: &'a str,
}

/// Writes the session and the nodes of a tree as one object.
///
/// # Errors
/// When `out` cannot be written.
pub fn tree_json(out: &mut dyn Write, profile: &Profile, tree: &Tree<'_>, view: &TreeView) -> io::Result<()> {
    let mut nodes = Vec::new();
    let mut waiting = vec![(TreeId::ROOT, None, 0)];
    while let Some((id, parent, depth)) = waiting.pop() {
        let node = tree.node(id);
        let number = nodes.len();
        let (kind, frame, thread) = match &node.place {
            TreePlace::Everything => ("everything", None, None),
            TreePlace::Thread { tid, name } => ("thread", None, Some(Thread { id: *tid, name })),
            TreePlace::Frame(frame) => ("frame", Some(JsonFrame::from(frame)), None),
            TreePlace::OutsidePython => ("outside_python", None, None),
        };
        let (own, total) = (JsonFigures::without_max(&node.own), JsonFigures::without_max(&node.total));
        nodes.push(Node { id: number, parent, kind, frame, thread, own, total });
        let children = shown_children(tree, id, view, depth).0;
        waiting.extend(children.into_iter().rev().map(|child| (child, Some(number), depth + 1)));
    }
    let by = view.measure.figure.name();
    write(out, &Document { schema: SCHEMA, session: profile.session().into(), by, nodes })
}

/// The children that are written, those that are left out, and what these have.
fn shown_children(tree: &Tree<'_>, id: TreeId, view: &TreeView, depth: usize) -> (Vec<TreeId>, usize, u64) {
    let mut shown = tree.children_by(id, view.measure);
    let of = |id: &TreeId| tree.node(*id).total.of(view.measure);
    let most = if depth < view.depth { shown.partition_point(|id| of(id) >= view.min) } else { 0 };
    let mut left_out = shown.split_off(most);
    left_out.retain(|id| of(id) > 0);
    (shown, left_out.len(), left_out.iter().map(of).sum())
}

/// Writes what the run was, and the tree. `source` gives the text of a file by its path, if there is one.
///
/// A frame that alone stands below another has no branch of its own, so that deep stacks stay readable.
///
/// # Errors
/// When `out` cannot be written.
pub fn tree_text(
    out: &mut dyn Write,
    profile: &Profile,
    tree: &Tree<'_>,
    view: &TreeView,
    look: &Look,
    source: &ReadSource<'_>,
) -> io::Result<()> {
    session_text(out, profile, look)?;
    let look = &look.of(profile);
    let sources = Sources::new(source);
    let measure = view.measure;
    let unit = if measure.counts { "allocations" } else { "bytes" };
    let heading = format!("{:>VALUE_WIDTH$}{:>SHARE_WIDTH$}  stack ({unit})", measure.figure.name(), "share");
    writeln!(out, "\n{}", look.paint(Role::Dim, heading))?;

    let whole = tree.node(TreeId::ROOT).total.of(measure);
    if whole == 0 {
        return writeln!(out, "There is nothing to show: these stacks have no {}.", measure.figure.name());
    }
    let row = |out: &mut dyn Write, value: u64, prefix: &str, name: &str, rest: &str| {
        let shown = format!("{:>VALUE_WIDTH$}", look.measured(value, measure));
        let part = format!("{:>SHARE_WIDTH$}", share(value, whole));
        let used = VALUE_WIDTH + SHARE_WIDTH + 2 + prefix.chars().count();
        let name = look.fit(name, used);
        let rest = look.fit(rest, used + name.chars().count() + 2);
        let gap = if name.is_empty() || rest.is_empty() { "" } else { "  " };
        let rest = look.paint(Role::Dim, rest);
        writeln!(out, "{}{part}  {prefix}{name}{gap}{rest}", look.paint(prominence(value, whole), shown))
    };

    /// What is still to be written.
    enum Entry {
        Node { id: TreeId, prefix: String, below: String, depth: usize },
        LeftOut { count: usize, value: u64, prefix: String },
    }
    let mut waiting =
        vec![Entry::Node { id: TreeId::ROOT, prefix: String::new(), below: String::new(), depth: 0 }];
    while let Some(entry) = waiting.pop() {
        match entry {
            Entry::LeftOut { count, value, prefix } => {
                row(out, value, &prefix, "", &format!("… {} more", grouped(count as u64)))?;
            }
            Entry::Node { id, prefix, below, depth } => {
                let node = tree.node(id);
                let (name, rest) = label(&node.place, profile, &sources);
                row(out, node.total.of(measure), &prefix, &name, &rest)?;
                let (children, left_out, value) = shown_children(tree, id, view, depth);
                let branches = children.len() + usize::from(left_out > 0);
                // The root is no frame: what stands below it always branches.
                let is_chain = branches == 1 && id != TreeId::ROOT;
                let mut entries: Vec<Entry> = Vec::new();
                for (index, child) in children.into_iter().enumerate() {
                    let (branch, further) = if is_chain {
                        ("", "")
                    } else if index + 1 == branches {
                        ("└─ ", "   ")
                    } else {
                        ("├─ ", "│  ")
                    };
                    entries.push(Entry::Node {
                        id: child,
                        prefix: format!("{below}{branch}"),
                        below: format!("{below}{further}"),
                        depth: depth + 1,
                    });
                }
                if left_out > 0 {
                    let branch = if is_chain { "" } else { "└─ " };
                    entries.push(Entry::LeftOut {
                        count: left_out,
                        value,
                        prefix: format!("{below}{branch}"),
                    });
                }
                waiting.extend(entries.into_iter().rev());
            }
        }
    }
    Ok(())
}

/// A node's name, and what stands behind it.
fn label(place: &TreePlace<'_>, profile: &Profile, sources: &Sources<'_>) -> (String, String) {
    match place {
        TreePlace::Everything => ("everything".to_owned(), String::new()),
        TreePlace::Thread { name, .. } => (format!("thread {}", printable(name)), String::new()),
        TreePlace::OutsidePython => ("outside Python code".to_owned(), String::new()),
        TreePlace::Frame(frame) => {
            let place = frame_place(frame, &profile.session().directory);
            let line = sources.line(frame).map(|line| format!("  {line}")).unwrap_or_default();
            (printable(frame.qualname), format!("{place}{line}"))
        }
    }
}

/// Where a frame is: `app.py:12`, `libfoo.so (native)`.
pub fn frame_place(frame: &Frame<'_>, directory: &str) -> String {
    let path = printable(short_path(frame.file, directory));
    let place = if frame.line == 0 { path } else { format!("{path}:{}", frame.line) };
    if frame.is_native { format!("{place} (native)") } else { place }
}
