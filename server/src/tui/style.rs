//! How things look: the terminal's own colours, so that dark and light ones both work, or none at all.

use ratatui::style::{Color, Modifier, Style};

/// Styles with colours or without.
#[derive(Clone, Copy, Debug)]
pub struct Styles {
    /// Whether colours may be used.
    pub colour: bool,
}

impl Styles {
    fn coloured(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// A heading, or what is chosen among alternatives.
    pub fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Context.
    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// The row under the cursor.
    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// What a search has found.
    pub fn found(self) -> Style {
        self.coloured(Color::Magenta).add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// A key in a list of keys.
    pub fn key(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// Something to know.
    pub fn note(self) -> Style {
        self.coloured(Color::Yellow)
    }

    /// A figure, by its part of the whole.
    pub fn figure(self, part: u64, whole: u64) -> Style {
        if part >= whole / 10 && part > 0 {
            self.coloured(Color::Red).add_modifier(Modifier::BOLD)
        } else if part >= whole / 100 && part > 0 {
            self.coloured(Color::Yellow)
        } else {
            self.dim()
        }
    }
}

/// A bar of `columns` for a part of a whole, in eighths of a column.
pub fn bar(part: u64, whole: u64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = if whole == 0 {
        0
    } else {
        (u128::from(part.min(whole)) * 8 * columns as u128).div_ceil(u128::from(whole)) as usize
    };
    let shown = format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8]);
    format!("{shown:<columns$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_their_part_of_the_columns() {
        assert_eq!(bar(0, 100, 4), "    ");
        assert_eq!(bar(1, 1000, 4), "▏   ");
        assert_eq!(bar(50, 100, 4), "██  ");
        assert_eq!(bar(100, 100, 4), "████");
        assert_eq!(bar(u64::MAX, 1, 2), "██");
        assert_eq!(bar(5, 0, 2), "  ");
    }
}
