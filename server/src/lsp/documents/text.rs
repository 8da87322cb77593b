//! A text with its line starts, and positions in the editor's units.

use std::ops::Range;

use lsp_types::{Position, PositionEncodingKind};

use crate::python::line_starts;

/// The unit of a position's `character`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-16 code units, which every editor understands.
    #[default]
    Utf16,
    /// Bytes.
    Utf8,
    /// Characters.
    Utf32,
}

impl Encoding {
    /// The first one of the editor's wishes that is supported.
    pub fn negotiate(wishes: &[PositionEncodingKind]) -> Self {
        let supported = |wish: &PositionEncodingKind| match wish.as_str() {
            "utf-8" => Some(Self::Utf8),
            "utf-16" => Some(Self::Utf16),
            "utf-32" => Some(Self::Utf32),
            _ => None,
        };
        wishes.iter().find_map(supported).unwrap_or_default()
    }

    /// Its name in the protocol.
    pub fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf16 => PositionEncodingKind::UTF16,
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    fn len(self, text: &str) -> usize {
        match self {
            Self::Utf16 => text.encode_utf16().count(),
            Self::Utf8 => text.len(),
            Self::Utf32 => text.chars().count(),
        }
    }
}

/// A text and where its rows begin. A row is a line counted from 0, as the protocol does.
#[derive(Debug, Clone)]
pub struct Text {
    content: String,
    starts: Vec<usize>,
}

impl Text {
    /// Finds the rows of `content`.
    pub fn new(content: String) -> Self {
        let starts = line_starts(&content);
        Self { content, starts }
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.content
    }

    /// Rows, at least one.
    pub fn row_count(&self) -> usize {
        self.starts.len()
    }

    /// A row without its line end; empty when there is no such row.
    pub fn row(&self, row: usize) -> &str {
        let Some(&start) = self.starts.get(row) else { return "" };
        let end = self.starts.get(row + 1).copied().unwrap_or(self.content.len());
        self.content[start..end].trim_end_matches(['\n', '\r'])
    }

    /// All rows without their line ends.
    pub fn rows(&self) -> Vec<&str> {
        (0..self.row_count()).map(|row| self.row(row)).collect()
    }

    /// The row that holds a byte.
    pub fn row_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// The byte offset of a position. One behind its line's end means that end, one behind the last line the
    /// text's end, and one inside a character means that character's start.
    pub fn offset(&self, position: Position, encoding: Encoding) -> usize {
        let Some(&start) = self.starts.get(position.line as usize) else { return self.content.len() };
        let wanted = position.character as usize;
        let mut units = 0;
        let row = self.row(position.line as usize);
        for (byte, c) in row.char_indices() {
            units += match encoding {
                Encoding::Utf16 => c.len_utf16(),
                Encoding::Utf8 => c.len_utf8(),
                Encoding::Utf32 => 1,
            };
            if units > wanted {
                return start + byte;
            }
        }
        start + row.len()
    }

    /// The position of a byte.
    pub fn position(&self, offset: usize, encoding: Encoding) -> Position {
        let row = self.row_of(offset);
        let before = self.content.get(self.starts[row]..offset).unwrap_or_default();
        Position::new(row as u32, encoding.len(before) as u32)
    }

    /// The position behind a row's last character.
    pub fn row_end(&self, row: usize, encoding: Encoding) -> Position {
        Position::new(row as u32, encoding.len(self.row(row)) as u32)
    }

    /// The range of a row's text without the white space around it.
    pub fn row_range(&self, row: usize, encoding: Encoding) -> lsp_types::Range {
        let text = self.row(row);
        let indent = text.len() - text.trim_start().len();
        let end = text.trim_end().len().max(indent);
        lsp_types::Range::new(
            Position::new(row as u32, encoding.len(&text[..indent]) as u32),
            Position::new(row as u32, encoding.len(&text[..end]) as u32),
        )
    }

    /// Replaces bytes.
    pub fn replace(&mut self, bytes: Range<usize>, with: &str) {
        self.content.replace_range(bytes, with);
        self.starts = line_starts(&self.content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_in_the_negotiated_unit() {
        let text = Text::new("a🐍é = 1\r\nb".to_owned());
        for (encoding, snake_end, line_end) in
            [(Encoding::Utf16, 3, 8), (Encoding::Utf8, 5, 11), (Encoding::Utf32, 2, 7)]
        {
            assert_eq!(text.offset(Position::new(0, snake_end), encoding), 5);
            assert_eq!(text.position(5, encoding), Position::new(0, snake_end));
            assert_eq!(text.row_end(0, encoding), Position::new(0, line_end));
            assert_eq!(text.offset(Position::new(0, 99), encoding), 11);
            assert_eq!(text.offset(Position::new(9, 0), encoding), text.as_str().len());
        }
        // Between the two halves of a surrogate pair, and between the bytes of a character.
        assert_eq!(text.offset(Position::new(0, 2), Encoding::Utf16), 1);
        assert_eq!(text.offset(Position::new(0, 3), Encoding::Utf8), 1);
    }

    #[test]
    fn the_first_supported_wish_wins() {
        let wishes = ["utf-7", "utf-8", "utf-16"].map(PositionEncodingKind::new);
        assert_eq!(Encoding::negotiate(&wishes), Encoding::Utf8);
        assert_eq!(Encoding::negotiate(&[PositionEncodingKind::UTF32]), Encoding::Utf32);
        assert_eq!(Encoding::negotiate(&[]), Encoding::Utf16);
    }
}
