//! Limits that were exceeded, in the formats of those who read them. Every format says the same in the same words.

mod explanation;
mod github;
mod json;
mod junit;
mod markdown;
mod place;
mod sarif;
mod sentence;
#[cfg(test)]
mod tests;
mod text;

use heaphint_analysis::Units;
use heaphint_analysis::limits::{Finding, Limit, Problem};

pub use explanation::{CODES, explanation};
pub use github::findings_github;
pub use json::findings_json;
pub use junit::findings_junit;
pub use markdown::findings_markdown;
pub use sarif::findings_sarif;
pub use sentence::{finding_sentence, limit_sentence};
pub use text::findings_text;

/// What a comparison of a run with its limits gave.
#[derive(Clone, Copy, Debug)]
pub struct FindingsReport<'a> {
    /// Limits that were exceeded.
    pub findings: &'a [Finding<'a>],
    /// Limits that were not.
    pub held: &'a [&'a Limit],
    /// What is wrong with limits.
    pub problems: &'a [Problem],
    /// Paths below this absolute folder are written relative to it.
    pub folder: &'a str,
    /// The project's root, absolute: stacks begin with its code.
    pub project: &'a str,
    /// How sizes are shown.
    pub units: Units,
    /// Of this program.
    pub version: &'a str,
}
