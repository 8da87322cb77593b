//! Where something is written, and what is wrong there.

use std::ops::Range;

/// Where a limit is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LimitSource {
    /// Absolute path.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// The bytes of the file's text that hold the number, or whatever else is meant.
    pub span: Range<usize>,
}

impl LimitSource {
    /// Bytes of a text that stands in `file`.
    #[must_use]
    pub fn new(file: &str, text: &str, span: Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            file: file.to_owned(),
            line: before.matches('\n').count() as u32 + 1,
            column: before[line_start..].chars().count() as u32 + 1,
            span,
        }
    }
}

/// Why a limit does not do what its author wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// It cannot be understood.
    Wrong,
    /// It is about nothing that exists.
    Unused,
    /// It is about growth, and no run of the command was accepted.
    Unaccepted,
    /// It can only be known by running the program, as a variable in a decorator.
    Unread,
}

impl ProblemKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Wrong, Self::Unused, Self::Unaccepted, Self::Unread];

    /// Its code, as diagnostics and reports name it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Wrong => "wrong-limit",
            Self::Unused => "unused-limit",
            Self::Unaccepted => "no-accepted-run",
            Self::Unread => "unread-limit",
        }
    }
}

/// Something about a limit that its author should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of thing.
    pub kind: ProblemKind,
    /// Where it is written.
    pub source: LimitSource,
    /// One sentence with its full stop.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_a_line_and_a_column() {
        let source = LimitSource::new("/p/x", "a\nä = \"5 MB\"\n", 7..13);
        assert_eq!((source.line, source.column), (2, 5));
        assert_eq!(LimitSource::new("/p/x", "", 0..0).line, 1);
    }
}
