//! A chosen row of a list that is longer than its window.

/// The chosen row, and the first one in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The chosen row.
    pub at: usize,
    top: usize,
    /// Rows in the window when it was last drawn.
    height: usize,
}

/// A way through a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

impl Cursor {
    /// On a row.
    pub fn at(row: usize) -> Self {
        Self { at: row, ..Self::default() }
    }

    /// Chooses another row of `len`.
    pub fn step(&mut self, step: Step, len: usize) {
        let page = self.height.saturating_sub(1).max(1);
        let last = len.saturating_sub(1);
        self.at = match step {
            Step::Up => self.at.saturating_sub(1),
            Step::Down => self.at + 1,
            Step::PageUp => self.at.saturating_sub(page),
            Step::PageDown => self.at + page,
            Step::First => 0,
            Step::Last => last,
        }
        .min(last);
    }

    /// The rows to draw of `len` in a window of `height`, the chosen one among them.
    pub fn window(&mut self, len: usize, height: usize) -> std::ops::Range<usize> {
        self.height = height;
        self.at = self.at.min(len.saturating_sub(1));
        if self.at < self.top {
            self.top = self.at;
        }
        if self.at >= self.top + height {
            self.top = (self.at + 1).saturating_sub(height);
        }
        // No empty rows below while there are rows above.
        self.top = self.top.min(len.saturating_sub(height));
        self.top..(self.top + height).min(len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_chosen_row_is_in_the_window(
            steps in prop::collection::vec((0usize..6, 0usize..40, 0usize..12), 1..40),
        ) {
            let mut cursor = Cursor::default();
            for (step, len, height) in steps {
                let all = [Step::Up, Step::Down, Step::PageUp, Step::PageDown, Step::First, Step::Last];
                cursor.step(all[step], len);
                let window = cursor.window(len, height);
                prop_assert!(window.end <= len && window.len() <= height);
                prop_assert!(window.contains(&cursor.at) || len == 0 || height == 0);
                prop_assert!(window.len() == height.min(len));
            }
        }
    }
}
