//! Limits in comments: `# heaphint: limit 50 MiB`.

use crate::{SizeError, parse_size};

/// Reads a comment, from its `#` to the end of the line. `None` when it is no limit.
///
/// # Errors
/// When it is a limit whose size cannot be understood.
pub fn parse_comment(comment: &str) -> Option<Result<u64, SizeError>> {
    let text = comment.trim().strip_prefix('#')?.trim_start();
    let text = text.strip_prefix("heaphint:")?.trim_start();
    let size = text.strip_prefix("limit")?;
    // `limits` and `limit_x` are other words.
    if size.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    // A second comment may follow the first on the same line.
    let size = size.split('#').next().unwrap_or_default();
    Some(parse_size(size.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_name_a_size() {
        assert_eq!(parse_comment("# heaphint: limit 50 MiB"), Some(Ok(50 << 20)));
        assert_eq!(parse_comment("#heaphint:limit 1.5GB"), Some(Ok(3 << 29)));
        assert_eq!(parse_comment("# heaphint: limit 2 KB # noqa"), Some(Ok(2048)));
        assert_eq!(parse_comment("# heaphint: limits 2 KB"), None);
        assert_eq!(parse_comment("# a comment"), None);
        let bad = parse_comment("# heaphint: limit 50").unwrap().unwrap_err();
        assert_eq!(bad, SizeError::Malformed("50".to_owned()));
    }
}
