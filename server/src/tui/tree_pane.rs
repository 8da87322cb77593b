//! The tree, as far as it is unfolded.

use std::collections::HashSet;

use heaphint_analysis::{Measure, Tree, TreeId, TreePlace};
use heaphint_report::{Sources, frame_place, printable, share};
use ratatui::text::{Line, Span};

use super::cursor::{Cursor, Step};
use super::search::Search;
use super::style::{Styles, bar};

/// Columns of a bar, where there is room for one.
const BAR: usize = 8;
/// Narrower screens have no bars.
const LEAST_WIDTH_FOR_BARS: usize = 90;
/// A part of the tree beyond this many rows is not unfolded at once.
const MOST_ROWS: usize = 20_000;

/// A row of the unfolded tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    id: TreeId,
    /// Branches above it. A node that alone stands below another has no branch of its own.
    indent: usize,
    has_children: bool,
}

/// The unfolded part of a tree, and the row under the cursor.
#[derive(Debug, Default)]
pub struct TreePane {
    unfolded: HashSet<TreeId>,
    rows: Vec<Row>,
    cursor: Cursor,
}

impl TreePane {
    /// A tree unfolded along its heaviest path.
    pub fn new(tree: &Tree<'_>, measure: Measure) -> Self {
        let mut pane = Self::default();
        pane.unfold_heaviest(tree, measure, TreeId::ROOT);
        pane.refresh(tree, measure);
        pane
    }

    /// The node under the cursor.
    pub fn chosen(&self) -> TreeId {
        self.rows.get(self.cursor.at).map_or(TreeId::ROOT, |row| row.id)
    }

    /// Brings the rows up to date; the cursor stays on its node, or goes to the nearest one above that is shown.
    pub fn refresh(&mut self, tree: &Tree<'_>, measure: Measure) {
        let chosen = self.chosen();
        self.rows.clear();
        let mut waiting = vec![(TreeId::ROOT, 0)];
        while let Some((id, indent)) = waiting.pop() {
            let children = shown_children(tree, id, measure);
            self.rows.push(Row { id, indent, has_children: !children.is_empty() });
            if self.unfolded.contains(&id) && self.rows.len() + waiting.len() < MOST_ROWS {
                let is_chain = children.len() == 1 && id != TreeId::ROOT;
                let indent = if is_chain { indent } else { indent + 1 };
                waiting.extend(children.into_iter().rev().map(|child| (child, indent)));
            }
        }
        self.choose_nearest(tree, chosen);
    }

    fn choose_nearest(&mut self, tree: &Tree<'_>, id: TreeId) {
        let mut at = Some(id);
        while let Some(id) = at {
            if let Some(row) = self.rows.iter().position(|row| row.id == id) {
                self.cursor.at = row;
                return;
            }
            at = tree.node(id).parent;
        }
    }

    /// Moves the cursor.
    pub fn step(&mut self, step: Step) {
        self.cursor.step(step, self.rows.len());
    }

    /// Goes to a node and unfolds what is above it.
    pub fn go_to(&mut self, tree: &Tree<'_>, measure: Measure, id: TreeId) {
        let mut at = tree.node(id).parent;
        while let Some(parent) = at {
            self.unfolded.insert(parent);
            at = tree.node(parent).parent;
        }
        self.refresh(tree, measure);
        self.choose_nearest(tree, id);
    }

    /// Unfolds the chosen node, down to where stacks branch; an unfolded one is entered.
    pub fn unfold(&mut self, tree: &Tree<'_>, measure: Measure) {
        let chosen = self.chosen();
        if self.unfolded.contains(&chosen) {
            self.step(Step::Down);
            return;
        }
        let mut at = chosen;
        loop {
            self.unfolded.insert(at);
            match shown_children(tree, at, measure)[..] {
                [only] => at = only,
                _ => break,
            }
        }
        self.refresh(tree, measure);
    }

    /// Folds the chosen node; from one that is folded, goes to its parent.
    pub fn fold(&mut self, tree: &Tree<'_>, measure: Measure) {
        let chosen = self.chosen();
        if self.unfolded.remove(&chosen) {
            self.refresh(tree, measure);
        } else if let Some(parent) = tree.node(chosen).parent {
            self.choose_nearest(tree, parent);
        }
    }

    /// Folds an unfolded node, and unfolds a folded one.
    pub fn toggle(&mut self, tree: &Tree<'_>, measure: Measure) {
        if self.unfolded.contains(&self.chosen()) {
            self.fold(tree, measure);
        } else {
            self.unfold(tree, measure);
        }
    }

    /// Unfolds the path of the largest children below the chosen node.
    pub fn unfold_heaviest_below(&mut self, tree: &Tree<'_>, measure: Measure) {
        self.unfold_heaviest(tree, measure, self.chosen());
        self.refresh(tree, measure);
    }

    fn unfold_heaviest(&mut self, tree: &Tree<'_>, measure: Measure, from: TreeId) {
        let mut at = Some(from);
        while let Some(id) = at {
            self.unfolded.insert(id);
            at = shown_children(tree, id, measure).first().copied();
        }
    }

    /// Unfolds everything below the chosen node, or folds it when it is unfolded.
    pub fn toggle_all(&mut self, tree: &Tree<'_>, measure: Measure) {
        let chosen = self.chosen();
        let fold = self.unfolded.contains(&chosen);
        let mut waiting = vec![chosen];
        while let Some(id) = waiting.pop() {
            if fold {
                self.unfolded.remove(&id);
            } else if self.unfolded.len() < MOST_ROWS {
                self.unfolded.insert(id);
            }
            waiting.extend(&tree.node(id).children);
        }
        self.refresh(tree, measure);
    }

    /// The rows in a window.
    pub fn lines(&mut self, height: usize, width: usize, look: &RowLook<'_, '_>) -> Vec<Line<'static>> {
        let window = self.cursor.window(self.rows.len(), height);
        let rows = self.rows.get(window.clone()).unwrap_or_default();
        let chosen = self.cursor.at - window.start.min(self.cursor.at);
        rows.iter()
            .enumerate()
            .map(|(index, row)| {
                let line = look.line(row, self.unfolded.contains(&row.id), width);
                if index == chosen { line.patch_style(look.styles.chosen()) } else { line }
            })
            .collect()
    }
}

/// Children with something of a measure, the largest first.
fn shown_children(tree: &Tree<'_>, id: TreeId, measure: Measure) -> Vec<TreeId> {
    let mut children = tree.children_by(id, measure);
    children.retain(|child| tree.node(*child).total.of(measure) > 0);
    children
}

/// What is needed to draw rows.
pub struct RowLook<'t, 'a> {
    pub tree: &'t Tree<'a>,
    pub measure: Measure,
    pub look: heaphint_report::Look,
    pub styles: Styles,
    pub directory: &'t str,
    pub sources: &'t Sources<'a>,
    pub search: Option<&'t Search<TreeId>>,
}

impl RowLook<'_, '_> {
    fn line(&self, row: &Row, is_unfolded: bool, width: usize) -> Line<'static> {
        let node = self.tree.node(row.id);
        let (value, whole) =
            (node.total.of(self.measure), self.tree.node(TreeId::ROOT).total.of(self.measure));
        let mut spans = vec![
            Span::styled(
                format!("{:>10}", self.look.measured(value, self.measure)),
                self.styles.figure(value, whole),
            ),
            Span::styled(format!(" {:>7} ", share(value, whole)), self.styles.dim()),
        ];
        if width >= LEAST_WIDTH_FOR_BARS {
            spans.push(Span::styled(bar(value, whole, BAR), self.styles.figure(value, whole)));
        }
        let marker = match (row.has_children, is_unfolded) {
            (false, _) => "·",
            (true, true) => "▾",
            (true, false) => "▸",
        };
        // Deep branches would leave no room for names.
        let indent = (row.indent * 2).min(width / 3);
        spans.push(Span::raw(format!(" {:indent$}{marker} ", "")));
        match &node.place {
            TreePlace::Everything => spans.push(Span::styled("everything", self.styles.heading())),
            TreePlace::Thread { name, .. } => {
                spans.push(Span::styled(format!("thread {}", printable(name)), self.styles.heading()));
            }
            TreePlace::OutsidePython => spans.push(Span::raw("outside Python code")),
            TreePlace::Frame(frame) => {
                let is_found = self.search.is_some_and(|search| search.is_match(frame));
                let style = if is_found { self.styles.found() } else { ratatui::style::Style::new() };
                spans.push(Span::styled(printable(frame.qualname), style));
                spans.push(Span::styled(
                    format!("  {}", frame_place(frame, self.directory)),
                    self.styles.dim(),
                ));
                let source = self.sources.line(frame).map(|line| format!("  {line}"));
                spans.push(Span::raw(source.unwrap_or_default()));
            }
        }
        Line::from(spans)
    }
}
