//! Finding functions and files by a part of their name.

use heaphint_analysis::{Frame, Measure, Tree, TreeId, TreePlace};

/// What somebody looks for, and where it is.
#[derive(Clone, Debug)]
pub struct Search<T> {
    /// In lower case; a search with a capital letter in it is found in any case, too.
    text: String,
    /// Places in the order in which they are gone to.
    found: Vec<T>,
    at: usize,
}

impl<T: Copy + PartialEq> Search<T> {
    /// A search that found these places.
    pub fn new(text: &str, found: Vec<T>) -> Self {
        Self { text: text.to_lowercase(), found, at: 0 }
    }

    /// The place found first, or the next or previous one, around the end.
    pub fn go(&mut self, forwards: bool) -> Option<T> {
        let len = self.found.len();
        if len == 0 {
            return None;
        }
        self.at = if forwards { (self.at + 1) % len } else { (self.at + len - 1) % len };
        self.current()
    }

    /// The place that was gone to last.
    pub fn current(&self) -> Option<T> {
        self.found.get(self.at).copied()
    }

    /// Whether a frame is what was looked for.
    pub fn is_match(&self, frame: &Frame<'_>) -> bool {
        is_match(&self.text, frame)
    }

    /// `2 of 7 matches`.
    pub fn position(&self) -> String {
        match self.found.len() {
            0 => format!("`{}` is nowhere", self.text),
            len => format!("`{}`: {} of {len}", self.text, self.at + 1),
        }
    }
}

/// Whether a text in lower case is in a function's or a file's name.
pub fn is_match(text: &str, frame: &Frame<'_>) -> bool {
    frame.qualname.to_lowercase().contains(text) || frame.file.to_lowercase().contains(text)
}

/// The nodes of a tree with a text in their names, the largest first, and the sum of the stacks through them: of nodes
/// above each other, the outermost counts.
pub fn find(tree: &Tree<'_>, measure: Measure, text: &str) -> (Vec<TreeId>, u64) {
    let text = text.to_lowercase();
    let (mut found, mut sum) = (Vec::new(), 0u64);
    let mut waiting = vec![(TreeId::ROOT, false)];
    while let Some((id, below_match)) = waiting.pop() {
        let node = tree.node(id);
        if node.total.of(measure) == 0 {
            continue;
        }
        let is_match = matches!(&node.place, TreePlace::Frame(frame) if is_match(&text, frame));
        if is_match {
            found.push(id);
            if !below_match {
                sum = sum.saturating_add(node.total.of(measure));
            }
        }
        waiting.extend(node.children.iter().map(|child| (*child, below_match || is_match)));
    }
    found.sort_by_key(|id| (std::cmp::Reverse(tree.node(*id).total.of(measure)), *id));
    (found, sum)
}
