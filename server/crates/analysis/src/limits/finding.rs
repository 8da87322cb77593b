//! One limit exceeded.

use super::{Growth, LimitSource};
use crate::{Inexact, StackList};

/// A number of bytes or of allocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Amount {
    /// Bytes.
    Bytes(u64),
    /// Allocations.
    Allocations(u64),
}

impl Amount {
    /// The number of bytes, if it is one.
    #[must_use]
    pub const fn bytes(self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Allocations(_) => None,
        }
    }

    /// The number of allocations, if it is one.
    #[must_use]
    pub const fn allocations(self) -> Option<u64> {
        match self {
            Self::Allocations(count) => Some(count),
            Self::Bytes(_) => None,
        }
    }
}

/// What kind of limit was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingKind {
    /// The process's peak.
    Peak,
    /// The process's largest resident set.
    Rss,
    /// A function's own maximum.
    Function,
    /// A line's own maximum.
    Line,
    /// What a line of the project still held at the end.
    Leak,
    /// What the import of a module held.
    Import,
    /// A number of allocations.
    Allocations,
    /// Growth since the accepted run.
    Growth,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Peak,
        Self::Rss,
        Self::Function,
        Self::Line,
        Self::Leak,
        Self::Import,
        Self::Allocations,
        Self::Growth,
    ];

    /// Its name in machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Rss => "rss",
            Self::Function => "function",
            Self::Line => "line",
            Self::Leak => "leak",
            Self::Import => "import",
            Self::Allocations => "allocations",
            Self::Growth => "growth",
        }
    }

    /// Its code, as diagnostics and reports name it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Peak => "peak-limit",
            Self::Rss => "rss-limit",
            Self::Function => "function-limit",
            Self::Line => "line-limit",
            Self::Leak => "leak-limit",
            Self::Import => "import-limit",
            Self::Allocations => "allocations-limit",
            Self::Growth => "growth-limit",
        }
    }
}

/// One limit exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<'a> {
    /// What exceeded it.
    pub kind: FindingKind,
    /// Absolute path; `None` for the process. Of an import: where the program asks for it.
    pub file: Option<&'a str>,
    /// The line, or the function's first line, 1-based; `None` for the process.
    pub line: Option<u32>,
    /// The function, or the line's function; `None` for the process.
    pub function: Option<&'a str>,
    /// Whether the finding is about the function as a whole.
    pub is_function: bool,
    /// The module of an import.
    pub module: Option<String>,
    /// The figure.
    pub measured: Amount,
    /// The most that is allowed.
    pub limit: Amount,
    /// What the accepted run had, bytes, and how much more is allowed.
    pub growth: Option<(u64, Growth)>,
    /// Where the limit is written.
    pub limit_source: LimitSource,
    /// Set when the figure is not exact: the program exceeded the limit all the same.
    pub inexact: Option<Inexact>,
    /// The stacks that contributed most.
    pub stacks: StackList<'a>,
}
