//! What importing each module costs, as a tree.

use std::io::{self, Write};

use heaphint_analysis::{ImportId, ImportNode, ImportTree, Imported, Measure, Profile};
use serde::Serialize;

use crate::json::{JsonFigures, JsonFrame, JsonSession, SCHEMA, write};
use crate::session::session_text;
use crate::sources::{ReadSource, Sources};
use crate::text::{Look, Role, grouped, printable, prominence, share};
use crate::tree::frame_place;

/// Which imports are written.
#[derive(Clone, Copy, Debug)]
pub struct ImportsView {
    /// What modules are ordered by.
    pub measure: Measure,
    /// Modules with less, with those below them, are left out.
    pub min: u64,
    /// Modules below this many others are left out.
    pub depth: usize,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    session: JsonSession<'a>,
    by: &'static str,
    /// Parents before their children, siblings in order.
    modules: Vec<Module<'a>>,
}

#[derive(Serialize)]
struct Module<'a> {
    id: usize,
    parent: Option<usize>,
    kind: &'static str,
    /// `null` for the whole, and for extension modules, whose names no frame tells.
    module: Option<&'a str>,
    file: Option<&'a str>,
    /// The frame that asked for it.
    importer: Option<JsonFrame<'a>>,
    #[serde(rename = "self")]
    own: JsonFigures,
    total: JsonFigures,
}

/// Writes the session and the imported modules as one object.
///
/// # Errors
/// When `out` cannot be written.
pub fn imports_json(
    out: &mut dyn Write,
    profile: &Profile,
    tree: &ImportTree<'_>,
    view: &ImportsView,
) -> io::Result<()> {
    let mut modules: Vec<Module<'_>> = Vec::new();
    let mut waiting = vec![(ImportId::ROOT, None, 0)];
    while let Some((id, parent, depth)) = waiting.pop() {
        let node = tree.node(id);
        let (kind, module, file) = match &node.imported {
            Imported::Everything => ("everything", None, None),
            Imported::Module { name, file } => ("module", Some(name.as_str()), Some(*file)),
            Imported::Extension => ("extension", None, None),
        };
        let number = modules.len();
        modules.push(Module {
            id: number,
            parent,
            kind,
            module,
            file,
            importer: node.importer.as_ref().map(JsonFrame::from),
            own: JsonFigures::without_max(&node.own),
            total: JsonFigures::without_max(&node.total),
        });
        let (children, ..) = shown_children(tree, id, view, depth);
        waiting.extend(children.into_iter().rev().map(|child| (child, Some(number), depth + 1)));
    }
    let by = view.measure.figure.name();
    write(out, &Document { schema: SCHEMA, session: profile.session().into(), by, modules })
}

/// The modules below one that are written, the number of those that are left out, and what these have.
fn shown_children(
    tree: &ImportTree<'_>,
    id: ImportId,
    view: &ImportsView,
    depth: usize,
) -> (Vec<ImportId>, usize, u64) {
    let of = |id: &ImportId| tree.node(*id).total.of(view.measure);
    let mut shown = tree.children_by(id, view.measure);
    let most = if depth < view.depth { shown.partition_point(|id| of(id) >= view.min) } else { 0 };
    let mut left_out = shown.split_off(most);
    left_out.retain(|id| of(id) > 0);
    (shown, left_out.len(), left_out.iter().map(of).fold(0, u64::saturating_add))
}

/// Writes what the run was, what all imports cost together, and the modules with what theirs cost. `source` gives the
/// text of a file by its path, if there is one.
///
/// # Errors
/// When `out` cannot be written.
pub fn imports_text(
    out: &mut dyn Write,
    profile: &Profile,
    tree: &ImportTree<'_>,
    view: &ImportsView,
    look: &Look,
    source: &ReadSource<'_>,
) -> io::Result<()> {
    session_text(out, profile, look)?;
    let look = &look.of(profile);
    let (measure, sources) = (view.measure, Sources::new(source));
    let directory = &profile.session().directory;
    let root = tree.node(ImportId::ROOT);
    let whole = root.total.of(measure);
    let imports = whole.saturating_sub(root.own.of(measure));
    writeln!(
        out,
        "imports: {} of {} ({}), {} modules",
        look.paint(Role::Large, look.measured(imports, measure)),
        look.measured(whole, measure),
        measure.figure.name(),
        grouped(tree.nodes().len() as u64 - 1)
    )?;
    let heading =
        format!("{:>11} {:>8} {:>11} {:>11}  module", measure.figure.name(), "share", "self", "allocated");
    let used = heading.chars().count() - "module".len();
    writeln!(out, "\n{}", look.paint(Role::Dim, heading))?;
    /// What is still to be written: a module, or how many were left out below one.
    enum Entry {
        Module { id: ImportId, depth: usize },
        LeftOut { count: usize, value: u64, depth: usize },
    }
    let mut waiting = vec![Entry::Module { id: ImportId::ROOT, depth: 0 }];
    while let Some(entry) = waiting.pop() {
        match entry {
            Entry::LeftOut { count, value, depth } => {
                let shown = format!("{:>11} {:>8}", look.measured(value, measure), share(value, whole));
                let gap = used - 20 + 2 * depth;
                let note = format!("{shown}{:gap$}… {} more", "", grouped(count as u64));
                writeln!(out, "{}", look.paint(Role::Dim, note))?;
            }
            Entry::Module { id, depth } => {
                if depth > 0 {
                    let importer = tree.node(id).importer.as_ref().map(|frame| {
                        let line = sources.line(frame).map(|line| format!("  {line}")).unwrap_or_default();
                        format!("{}{line}", frame_place(frame, directory))
                    });
                    let row = Row { node: tree.node(id), whole, measure, depth, used };
                    row.write(out, look, &importer.unwrap_or_default())?;
                }
                let (children, count, value) = shown_children(tree, id, view, depth);
                if count > 0 {
                    waiting.push(Entry::LeftOut { count, value, depth });
                }
                let children = children.into_iter().rev();
                waiting.extend(children.map(|id| Entry::Module { id, depth: depth + 1 }));
            }
        }
    }
    Ok(())
}

/// A module's row.
struct Row<'r, 'a> {
    node: &'r ImportNode<'a>,
    whole: u64,
    measure: Measure,
    /// At least 1: the root has no row.
    depth: usize,
    /// Columns before the name.
    used: usize,
}

impl Row<'_, '_> {
    fn write(&self, out: &mut dyn Write, look: &Look, importer: &str) -> io::Result<()> {
        let (total, own) = (self.node.total.of(self.measure), self.node.own.of(self.measure));
        let shown = |value: u64| {
            let text = format!("{:>11}", look.measured(value, self.measure));
            look.paint(prominence(value, self.whole), text)
        };
        let indent = 2 * (self.depth - 1);
        let name = look.fit(&format!("{:indent$}{}", "", name(self.node)), self.used);
        let importer = look.fit(importer, self.used + name.chars().count() + 2);
        let row = format!(
            "{} {:>8} {} {:>11}  {name}  {}",
            shown(total),
            share(total, self.whole),
            shown(own),
            look.size(self.node.total.allocated_bytes),
            look.paint(Role::Dim, importer)
        );
        writeln!(out, "{}", row.trim_end())
    }
}

/// A module's name.
fn name(node: &ImportNode<'_>) -> String {
    match &node.imported {
        Imported::Everything => "everything".to_owned(),
        Imported::Module { name, .. } => printable(name),
        Imported::Extension => "(extension module)".to_owned(),
    }
}
