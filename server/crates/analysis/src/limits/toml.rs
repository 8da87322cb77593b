//! Limits in `[tool.heaphint]` of a `pyproject.toml`.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{FilePattern, Limit, LimitScope, LimitSource};
use crate::parse_size;

/// Something in the file that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// 1-based.
    pub line: u32,
    /// One sentence.
    pub message: String,
}

/// Reads the limits of a `pyproject.toml`. `file` is its absolute path; file patterns are relative to `root`, its
/// folder. What can be understood is returned, in the order of the file, beside the errors of what cannot.
#[must_use]
pub fn parse_pyproject(text: &str, file: &str, root: &str) -> (Vec<Limit>, Vec<ConfigError>) {
    let mut reader = Reader { text, file, root, limits: Vec::new(), errors: Vec::new() };
    match DeTable::parse(text) {
        Ok(document) => reader.document(document.get_ref()),
        Err(error) => {
            let message = format!("this is not TOML: {}", error.message().replace('\n', ", "));
            reader.error(error.span().unwrap_or(0..0), message);
        }
    }
    reader.limits.sort_by_key(|limit| limit.source.line);
    reader.errors.sort_by_key(|error| error.line);
    (reader.limits, reader.errors)
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    root: &'a str,
    limits: Vec<Limit>,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    fn document(&mut self, document: &DeTable<'_>) {
        let Some(tool) = document.get("tool").and_then(|tool| tool.get_ref().as_table()) else { return };
        let Some(heaphint) = tool.get("heaphint") else { return };
        let Some(table) = heaphint.get_ref().as_table() else {
            return self.error(heaphint.span(), "`tool.heaphint` must be a table".to_owned());
        };
        for (key, value) in table {
            match &**key.get_ref() {
                "peak" => {
                    if let Some(bytes) = self.size(value) {
                        self.limit(LimitScope::Peak, bytes, value.span());
                    }
                }
                "limits" => match value.get_ref().as_array() {
                    Some(limits) => limits.iter().for_each(|limit| self.one(limit)),
                    None => self.error(
                        value.span(),
                        "`limits` must be an array of tables: write `[[tool.heaphint.limits]]`".to_owned(),
                    ),
                },
                other => self.error(
                    key.span(),
                    format!("`{other}` is not a setting of heaphint: there are `peak` and `limits`"),
                ),
            }
        }
    }

    /// One `[[tool.heaphint.limits]]`.
    fn one(&mut self, entry: &Spanned<DeValue<'_>>) {
        let Some(table) = entry.get_ref().as_table() else {
            return self.error(entry.span(), "a limit must be a table with `files` and `bytes`".to_owned());
        };
        for (key, _) in table {
            if !["files", "function", "bytes"].contains(&&**key.get_ref()) {
                self.error(
                    key.span(),
                    format!(
                        "`{}` is not part of a limit: there are `files`, `function` and `bytes`",
                        key.get_ref()
                    ),
                );
            }
        }
        let files = self.required(table, "files", entry);
        let bytes = self.required(table, "bytes", entry);
        let (Some(files), Some(bytes)) = (files, bytes) else { return };
        let pattern = self.string(files, "files").map(str::to_owned);
        let size = self.size(bytes);
        let function = match table.get("function") {
            Some(function) => match self.string(function, "function") {
                Some(name) => Some(name.to_owned()),
                None => return,
            },
            None => None,
        };
        let (Some(pattern), Some(size)) = (pattern, size) else { return };
        let files_pattern = match FilePattern::new(&pattern, self.root) {
            Ok(pattern) => pattern,
            Err(message) => return self.error(files.span(), message),
        };
        let scope = match function {
            Some(name) => LimitScope::Functions { files: files_pattern, name },
            None => LimitScope::Lines { files: files_pattern },
        };
        self.limit(scope, size, bytes.span());
    }

    fn required<'v, 'i>(
        &mut self,
        table: &'v DeTable<'i>,
        key: &str,
        entry: &Spanned<DeValue<'i>>,
    ) -> Option<&'v Spanned<DeValue<'i>>> {
        let value = table.get(key);
        if value.is_none() {
            self.error(entry.span(), format!("this limit has no `{key}`"));
        }
        value
    }

    fn string<'v>(&mut self, value: &'v Spanned<DeValue<'_>>, key: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.error(value.span(), format!("`{key}` must be a string"));
        }
        text
    }

    fn size(&mut self, value: &Spanned<DeValue<'_>>) -> Option<u64> {
        let Some(text) = value.get_ref().as_str() else {
            self.error(value.span(), "a size must be a string with a unit, for example \"50 MB\"".to_owned());
            return None;
        };
        parse_size(text).map_err(|error| self.error(value.span(), error.to_string())).ok()
    }

    fn limit(&mut self, scope: LimitScope, bytes: u64, span: Range<usize>) {
        let source = LimitSource { file: self.file.to_owned(), line: self.line(span) };
        self.limits.push(Limit { scope, bytes, source });
    }

    fn error(&mut self, span: Range<usize>, message: String) {
        let line = self.line(span);
        self.errors.push(ConfigError { line, message });
    }

    fn line(&self, span: Range<usize>) -> u32 {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        before.iter().filter(|byte| **byte == b'\n').count() as u32 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> (Vec<Limit>, Vec<(u32, String)>) {
        let (limits, errors) = parse_pyproject(text, "/p/pyproject.toml", "/p");
        (limits, errors.into_iter().map(|error| (error.line, error.message)).collect())
    }

    #[test]
    fn limits_know_their_line() {
        let (limits, errors) = parse(
            "[project]\nname = \"x\"\n\n[tool.heaphint]\npeak = \"512 MB\"\n\n[[tool.heaphint.limits]]\n\
             files = \"app/*.py\"\nfunction = \"load\"\nbytes = \"50 MB\"\n\n[[tool.heaphint.limits]]\n\
             files = \"**/x.py\"\nbytes = \"1 GiB\"\n",
        );
        assert_eq!(errors, []);
        let seen: Vec<_> = limits.iter().map(|limit| (limit.source.line, limit.bytes)).collect();
        assert_eq!(seen, [(5, 512 << 20), (10, 50 << 20), (14, 1 << 30)]);
        let LimitScope::Functions { files, name } = &limits[1].scope else { panic!("a function's limit") };
        assert_eq!(name, "load");
        assert!(files.matches("/p/app/a.py"));
        assert!(!files.matches("/p/app/sub/a.py"));
        assert!(!files.matches("/q/app/a.py"));
        let LimitScope::Lines { files } = &limits[2].scope else { panic!("a limit of lines") };
        assert!(files.matches("/p/deep/er/x.py") && files.matches("/p/x.py"));
    }

    #[test]
    fn errors_know_their_line_and_spare_the_rest() {
        let (limits, errors) = parse(
            "[tool.heaphint]\npeak = \"512\"\nspeed = 1\n[[tool.heaphint.limits]]\nfiles = \"a[.py\"\nbytes = \"1 MB\"\n\
             [[tool.heaphint.limits]]\nfiles = 3\nbytes = 5\n[[tool.heaphint.limits]]\nfiles = \"a.py\"\n\
             [[tool.heaphint.limits]]\nfiles = \"a.py\"\nbytes = \"1 MB\"\n",
        );
        assert_eq!(limits.len(), 1);
        assert_eq!(limits[0].source.line, 14);
        let lines: Vec<_> = errors.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 5, 8, 9, 10]);
        assert!(errors[0].1.contains("`512` is not a size"), "{}", errors[0].1);
        assert!(errors[5].1.contains("no `bytes`"), "{}", errors[5].1);
    }

    #[test]
    fn a_file_without_us_has_no_limits() {
        for text in ["", "[tool.black]\nline-length = 3\n", "tool = 3\n"] {
            let (limits, errors) = parse(text);
            assert!(limits.is_empty() && errors.is_empty(), "{text}");
        }
        let (_, errors) = parse("[tool.heaphint]\npeak = \n");
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].0, 2);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(\\[+tool\\.heaphint(\\.limits)?\\]+|peak|files|bytes|=|\"[a-z0-9 *\\[]{0,6}\"|\n| ){0,20}") {
            let _ = parse(&text);
        }
    }
}
