//! Choosing one of several names: a thread, a package.

use super::cursor::{Cursor, Step};

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Thread,
    Module,
}

/// A list of names over the screen; the first means all.
#[derive(Clone, Debug)]
pub struct Picker {
    pub kind: Kind,
    /// Names, and what stands behind them.
    pub items: Vec<(String, String)>,
    pub cursor: Cursor,
}

impl Picker {
    /// The list of `items`, with `chosen` under the cursor.
    pub fn new(kind: Kind, items: Vec<(String, String)>, chosen: Option<&str>) -> Self {
        let mut items = items;
        items.insert(0, ("all".to_owned(), String::new()));
        let at =
            items.iter().skip(1).position(|(name, _)| Some(name.as_str()) == chosen).map_or(0, |at| at + 1);
        Self { kind, items, cursor: Cursor::at(at) }
    }

    /// Moves through the list.
    pub fn step(&mut self, step: Step) {
        self.cursor.step(step, self.items.len());
    }

    /// The name under the cursor; `None` for all.
    pub fn chosen(&self) -> Option<String> {
        if self.cursor.at == 0 {
            return None;
        }
        self.items.get(self.cursor.at).map(|(name, _)| name.clone())
    }
}
