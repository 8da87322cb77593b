//! Limits that people wrote down, and the findings where a profile exceeds them.
//!
//! Files are read elsewhere; here are the parsers of what is written in them, and the comparison.

mod baseline;
mod comment;
mod condition;
mod config;
mod evaluate;
mod finding;
mod growth;
mod pattern;
mod source;

pub use baseline::{AcceptedFunction, AcceptedRun, Baseline, BaselineError};
pub use comment::{CommentError, Remark, parse_comment};
pub use condition::{Conditions, command_of};
pub use config::{Config, ConfigFile, parse_config};
pub use evaluate::{Context, Verdict, evaluate};
pub use finding::{Amount, Finding, FindingKind};
pub use growth::Growth;
pub use pattern::{FilePattern, NamePattern};
pub use source::{LimitSource, Problem, ProblemKind};

use std::ops::RangeInclusive;

/// What a limit is about.
#[derive(Clone, Debug)]
pub enum Scope {
    /// The process as a whole.
    Process,
    /// Functions of some files, by plain or qualified name.
    Functions {
        /// The files.
        files: FilePattern,
        /// The names.
        name: NamePattern,
    },
    /// Each line of some files.
    Lines {
        /// The files.
        files: FilePattern,
    },
    /// The import of a module, with all that it imports.
    Import {
        /// `app.cli`.
        module: String,
    },
    /// The function of one file that begins in these lines (its first decorator to its `def`).
    FunctionAt {
        /// Absolute path.
        file: String,
        /// 1-based.
        lines: RangeInclusive<u32>,
    },
    /// One line.
    LineAt {
        /// Absolute path.
        file: String,
        /// 1-based.
        line: u32,
    },
}

/// The figure that a limit is about, and what it must not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Bytes: the process's peak; of everything else its `max`, total.
    Held(u64),
    /// Bytes of the process's largest resident set.
    Resident(u64),
    /// Bytes that each line of the project, with the libraries it called, still held at the end.
    Leaked(u64),
    /// Allocations ever made.
    Allocations(u64),
    /// Growth of the same bytes as [`Self::Held`] since the accepted run.
    Growth(Growth),
}

/// A number that somebody wrote down and that a figure must not exceed.
#[derive(Clone, Debug)]
pub struct Limit {
    /// What must not exceed it.
    pub scope: Scope,
    /// Which of its figures, and the number.
    pub bound: Bound,
    /// The runs that it is about.
    pub conditions: Conditions,
    /// Where the number is written.
    pub source: LimitSource,
}

/// Lines whose findings nobody wants to see: one line, or the first lines of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Absolute path.
    pub file: String,
    /// 1-based.
    pub lines: RangeInclusive<u32>,
}

/// Everything that is written down about limits.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The limits.
    pub limits: Vec<Limit>,
    /// What is left out of the findings.
    pub ignored: Vec<Ignored>,
}
