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

/// The byte range of the comment for heaphint in a comment that may hold several:
/// `# noqa  # heaphint: limit 1 MiB  # why`.
pub(super) fn marked(comment: &str) -> Option<Range<usize>> {
    let hashes = comment.match_indices('#').map(|(at, _)| at);
    let mut parts = hashes.map(|start| {
        let end = comment[start + 1..].find('#').map_or(comment.len(), |next| start + 1 + next);
        start..start + comment[start..end].trim_end().len()
    });
    parts.find(|part| comment[part.start + 1..part.end].trim_start().starts_with("heaphint:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_found_among_other_comments() {
        let comment = "# noqa: E501  # heaphint: limit 1.5 GiB  # because";
        assert_eq!(marked(comment).map(|range| &comment[range]), Some("# heaphint: limit 1.5 GiB"));
        assert_eq!(marked("#heaphint:limit 5"), Some(0..17));
        assert_eq!(marked("# heaphint is nice: limit 5"), None);
    }
}
