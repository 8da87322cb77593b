//! Limits that people wrote down, and the findings where a profile exceeds them.
//!
//! Where limits are written (`pyproject.toml`, comments in source files) is read elsewhere; here are the texts'
//! parsers and the comparison.

mod comment;
mod evaluate;
mod toml;

use std::ops::RangeInclusive;

pub use self::toml::{ConfigError, parse_pyproject};
pub use comment::parse_comment;
pub use evaluate::{Finding, evaluate};

/// Where a limit is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LimitSource {
    /// Absolute path.
    pub file: String,
    /// 1-based.
    pub line: u32,
}

/// Files by a pattern such as `app/*.py`, relative to a folder. `*` does not cross folders, `**` does.
#[derive(Clone, Debug)]
pub struct FilePattern {
    root: String,
    matcher: globset::GlobMatcher,
}

impl FilePattern {
    /// `pattern` below the folder `root`.
    ///
    /// # Errors
    /// When the pattern is malformed; the text says how.
    pub fn new(pattern: &str, root: &str) -> Result<Self, String> {
        let relative = pattern.strip_prefix("./").unwrap_or(pattern);
        let matcher = globset::GlobBuilder::new(relative)
            .literal_separator(true)
            .build()
            .map_err(|error| format!("`{pattern}` is not a file pattern: {}", error.kind()))?
            .compile_matcher();
        Ok(Self { root: root.to_owned(), matcher })
    }

    /// Whether a file with this absolute path is meant.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        crate::path::below(path, &self.root).is_some_and(|relative| self.matcher.is_match(relative))
    }
}

/// What a limit is about.
#[derive(Clone, Debug)]
pub enum LimitScope {
    /// The process's peak.
    Peak,
    /// Functions of some files, by plain or qualified name: their `max`, total.
    Functions {
        /// The files.
        files: FilePattern,
        /// The name.
        name: String,
    },
    /// Each line of some files: its `max`, total.
    Lines {
        /// The files.
        files: FilePattern,
    },
    /// The function of one file that begins in these lines (its first decorator to its `def`): its `max`, total.
    FunctionAt {
        /// Absolute path.
        file: String,
        /// 1-based.
        lines: RangeInclusive<u32>,
    },
    /// One line: its `max`, total.
    LineAt {
        /// Absolute path.
        file: String,
        /// 1-based.
        line: u32,
    },
}

/// A number of bytes that somebody wrote down and that a figure must not exceed.
#[derive(Clone, Debug)]
pub struct Limit {
    /// What must not exceed it.
    pub scope: LimitScope,
    /// The number of bytes.
    pub bytes: u64,
    /// Where it is written.
    pub source: LimitSource,
}

/// What kind of thing exceeded a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// The process's peak.
    Peak,
    /// A function's own maximum.
    Function,
    /// A line's own maximum.
    Line,
}

impl FindingKind {
    /// Its name in machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Function => "function",
            Self::Line => "line",
        }
    }
}
