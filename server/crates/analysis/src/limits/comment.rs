//! Limits in comments: `# heaphint: limit 50 MiB`.

use std::ops::Range;

use super::Bound;
use crate::{SizeError, parse_size};

/// What a comment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// A limit, and the bytes of the comment that hold its number.
    Limit(Bound, Range<usize>),
    /// Findings here are not wanted.
    Ignore,
}

/// A comment for heaphint that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommentError {
    /// The size.
    #[error(transparent)]
    Size(#[from] SizeError),
    /// A word that is none of ours.
    #[error(
        "`{0}` is nothing that heaphint knows: write `# heaphint: limit 50 MiB`, `limit leaks 1 MiB`, `limit 1000 allocations` or `ignore`"
    )]
    Unknown(String),
}

/// Reads a comment, from its `#` to the end of the line. `None` when it is not for heaphint.
///
/// # Errors
/// When it is, and cannot be understood.
pub fn parse_comment(comment: &str) -> Option<Result<Remark, CommentError>> {
    let text = comment.trim_start().strip_prefix('#')?.trim_start().strip_prefix("heaphint:")?;
    // A second comment may follow the first on the same line.
    let text = text.split('#').next().unwrap_or_default().trim();
    Some(remark(comment, text))
}

fn remark(comment: &str, text: &str) -> Result<Remark, CommentError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let unknown = || CommentError::Unknown(text.to_owned());
    match words.as_slice() {
        ["ignore"] => Ok(Remark::Ignore),
        ["limit", number, "allocations" | "allocation"] => {
            let count = number.replace(['_', ','], "").parse().map_err(|_| unknown())?;
            Ok(Remark::Limit(Bound::Allocations(count), span(comment, number)))
        }
        ["limit", "leaks", ..] => {
            let size = rest(text, &["limit", "leaks"]);
            Ok(Remark::Limit(Bound::Leaked(parse_size(size)?), span(comment, size)))
        }
        ["limit", ..] => {
            let size = rest(text, &["limit"]);
            Ok(Remark::Limit(Bound::Held(parse_size(size)?), span(comment, size)))
        }
        _ => Err(unknown()),
    }
}

/// What follows these words.
fn rest<'a>(mut text: &'a str, words: &[&str]) -> &'a str {
    for word in words {
        text = text.trim_start().strip_prefix(word).unwrap_or(text);
    }
    text.trim()
}

/// Where a part of a comment stands in it.
fn span(comment: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - comment.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_name_an_amount() {
        let bound = |comment: &str| match parse_comment(comment) {
            Some(Ok(Remark::Limit(bound, span))) => Some((bound, comment[span].to_owned())),
            other => panic!("{comment}: {other:?}"),
        };
        let held = |bytes, text: &str| Some((Bound::Held(bytes), text.to_owned()));
        assert_eq!(bound("# heaphint: limit 50 MiB"), held(50 << 20, "50 MiB"));
        assert_eq!(bound("#heaphint:limit 1.5GB"), held(3 << 29, "1.5GB"));
        assert_eq!(bound("# heaphint: limit 2 KB # noqa"), held(2048, "2 KB"));
        assert_eq!(bound("# heaphint: limit leaks 1 MB"), Some((Bound::Leaked(1 << 20), "1 MB".to_owned())));
        assert_eq!(
            bound("# heaphint: limit 1_000 allocations"),
            Some((Bound::Allocations(1000), "1_000".to_owned()))
        );
        assert_eq!(parse_comment("# heaphint: ignore"), Some(Ok(Remark::Ignore)));
        assert_eq!(parse_comment("# a comment"), None);
    }

    #[test]
    fn errors_name_the_text() {
        let error = |comment: &str| parse_comment(comment).unwrap().unwrap_err().to_string();
        assert!(error("# heaphint: limit 50").starts_with("`50` is not a size"));
        assert!(error("# heaphint: limit leaks plenty").starts_with("`plenty` is not a size"));
        assert!(error("# heaphint: limits 2 KB").starts_with("`limits 2 KB` is nothing"));
        assert!(error("# heaphint: lmit 5 MiB").starts_with("`lmit 5 MiB` is nothing"));
        assert!(error("# heaphint: limit").starts_with("`` is not a size"));
    }
}
