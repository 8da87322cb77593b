//! Comments that are meant for heaphint: `# heaphint: limit 50 MiB`. What they say is read elsewhere.

use std::ops::Range;

/// A comment for heaphint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitComment {
    /// The comment's line, 1-based.
    pub line: u32,
    /// Byte range of `text`.
    pub range: Range<usize>,
    /// The comment from its `#`, without other comments on the line.
    pub text: String,
    /// What it is about.
    pub target: LimitTarget,
}

/// What a comment is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitTarget {
    /// Its line.
    Line,
    /// The function whose signature it stands on: index in [`super::Outline::functions`].
    Function(usize),
    /// Nothing: the line holds no code.
    Nothing,
}

/// The byte ranges of the comments for heaphint in a comment that may hold several:
/// `# noqa  # heaphint: limit 1 MiB  # why`.
pub(super) fn marked(comment: &str) -> impl Iterator<Item = Range<usize>> {
    let hashes = comment.match_indices('#').map(|(at, _)| at);
    let parts = hashes.map(|start| {
        let end = comment[start + 1..].find('#').map_or(comment.len(), |next| start + 1 + next);
        start..start + comment[start..end].trim_end().len()
    });
    parts.filter(|part| comment[part.start + 1..part.end].trim_start().starts_with("heaphint:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_found_among_other_comments() {
        let comment = "# noqa: E501  # heaphint: limit 1.5 GiB  # because";
        let found =
            |comment: &str| marked(comment).map(|range| comment[range].to_owned()).collect::<Vec<_>>();
        assert_eq!(found(comment), ["# heaphint: limit 1.5 GiB"]);
        assert_eq!(found("#heaphint:limit 5"), ["#heaphint:limit 5"]);
        assert_eq!(found("#heaphint:a#heaphint: b"), ["#heaphint:a", "#heaphint: b"]);
        assert!(found("# heaphint is nice: limit 5").is_empty());
    }
}
