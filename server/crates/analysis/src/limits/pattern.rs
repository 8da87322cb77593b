//! Files and names as people write them in limits.

use globset::{GlobBuilder, GlobMatcher};

/// Files by a pattern such as `app/*.py`, relative to a folder. `*` does not cross folders, `**` does.
#[derive(Clone, Debug)]
pub struct FilePattern {
    text: String,
    root: String,
    matcher: GlobMatcher,
}

impl FilePattern {
    /// `pattern` below the folder `root`.
    ///
    /// # Errors
    /// When the pattern is malformed; the text says how.
    pub fn new(pattern: &str, root: &str) -> Result<Self, String> {
        let relative = pattern.strip_prefix("./").unwrap_or(pattern);
        let matcher = GlobBuilder::new(relative)
            .literal_separator(true)
            .build()
            .map_err(|error| format!("`{pattern}` is not a file pattern: {}", error.kind()))?
            .compile_matcher();
        Ok(Self { text: pattern.to_owned(), root: root.to_owned(), matcher })
    }

    /// Whether a file with this absolute path is meant.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        crate::path::below(path, &self.root).is_some_and(|relative| self.matcher.is_match(relative))
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The folder that it is relative to.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }
}

/// Functions by name, plain or qualified; `*` stands for anything: `load`, `Store.load`, `test_*`.
#[derive(Clone, Debug)]
pub struct NamePattern {
    text: String,
    matcher: GlobMatcher,
}

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When the pattern is malformed; the text says how.
    pub fn new(pattern: &str) -> Result<Self, String> {
        // `<` and `>` of lambdas are plain characters; braces and brackets are no part of names.
        let matcher = GlobBuilder::new(pattern)
            .build()
            .map_err(|error| format!("`{pattern}` is not a function's name: {}", error.kind()))?
            .compile_matcher();
        Ok(Self { text: pattern.to_owned(), matcher })
    }

    /// Whether a function with these names is meant. Interpreters before 3.11 do not know qualified names: there
    /// both are the plain one, and the last part of the pattern decides.
    #[must_use]
    pub fn matches(&self, name: &str, qualname: &str) -> bool {
        if self.matcher.is_match(name) || self.matcher.is_match(qualname) {
            return true;
        }
        let last = self.text.rsplit('.').next().unwrap_or(&self.text);
        last != self.text && qualname == name && last == name
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_plain_and_qualified() {
        let matches = |pattern: &str, name: &str, qualname: &str| {
            NamePattern::new(pattern).unwrap().matches(name, qualname)
        };
        assert!(matches("load", "load", "Store.load"));
        assert!(matches("Store.load", "load", "Store.load"));
        assert!(matches("Store.load", "load", "load"), "before 3.11");
        assert!(!matches("Store.load", "load", "Other.load"));
        assert!(matches("test_*", "test_a", "TestX.test_a"));
        assert!(matches("<module>", "<module>", "<module>"));
        assert!(NamePattern::new("a[").is_err());
    }
}
