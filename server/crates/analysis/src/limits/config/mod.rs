//! `[tool.heaphint]` of a `pyproject.toml`, and the same without that heading in a `heaphint.toml`.

mod entry;
#[cfg(test)]
mod tests;

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Bound, Conditions, Growth, Limit, LimitSource, Problem, ProblemKind, Scope};
use crate::parse_size;

/// Settings of the whole process, and tables.
const SETTINGS: [&str; 8] = ["peak", "rss", "leaks", "allocations", "growth", "limits", "baseline", "run"];

/// Which file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigFile {
    /// Settings stand in `[tool.heaphint]`.
    Pyproject,
    /// The whole file is heaphint's.
    Heaphint,
}

impl ConfigFile {
    /// Both, in the order in which they are read.
    pub const ALL: [Self; 2] = [Self::Pyproject, Self::Heaphint];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pyproject => "pyproject.toml",
            Self::Heaphint => "heaphint.toml",
        }
    }

    /// How a list of limits begins in it.
    const fn limits_heading(self) -> &'static str {
        match self {
            Self::Pyproject => "[[tool.heaphint.limits]]",
            Self::Heaphint => "[[limits]]",
        }
    }
}

/// What a file says.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Limits, in the order of the file.
    pub limits: Vec<Limit>,
    /// What cannot be understood, in the order of the file.
    pub problems: Vec<Problem>,
    /// The file of accepted runs, as it is written.
    pub baseline: Option<String>,
    /// The names of run configurations.
    pub runs: Vec<String>,
}

/// Reads a file. `file` is its absolute path; file patterns are relative to `root`, its folder. What can be understood
/// is returned beside the problems of what cannot.
#[must_use]
pub fn parse_config(kind: ConfigFile, text: &str, file: &str, root: &str) -> Config {
    let mut reader = Reader { kind, text, file, root, config: Config::default() };
    match DeTable::parse(text) {
        Ok(document) => reader.document(document.get_ref()),
        Err(error) => {
            let message = format!("This is not TOML: {}", error.message().replace('\n', ", "));
            reader.problem(error.span().unwrap_or(0..0), message);
        }
    }
    let Reader { mut config, .. } = reader;
    config.limits.sort_by_key(|limit| limit.source.span.start);
    config.problems.sort_by_key(|problem| problem.source.span.start);
    config
}

struct Reader<'a> {
    kind: ConfigFile,
    text: &'a str,
    file: &'a str,
    root: &'a str,
    config: Config,
}

impl Reader<'_> {
    fn document(&mut self, document: &DeTable<'_>) {
        if self.kind == ConfigFile::Heaphint {
            return self.settings(document);
        }
        let Some(tool) = document.get("tool").and_then(|tool| tool.get_ref().as_table()) else { return };
        let Some(heaphint) = tool.get("heaphint") else { return };
        match heaphint.get_ref().as_table() {
            Some(table) => self.settings(table),
            None => self.problem(heaphint.span(), "`tool.heaphint` must be a table"),
        }
    }

    fn settings(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = &**key.get_ref();
            match name {
                "limits" => self.limits(value),
                "baseline" => self.config.baseline = self.string(value, "baseline").map(str::to_owned),
                // What a run configuration holds is for whoever runs it.
                "run" => match value.get_ref().as_table() {
                    Some(runs) => {
                        self.config.runs = runs.iter().map(|(name, _)| name.get_ref().to_string()).collect()
                    }
                    None => self.problem(value.span(), "`run` must be a table of run configurations"),
                },
                _ if SETTINGS.contains(&name) => {
                    if let Some(bound) = self.bound(name, value) {
                        self.limit(Scope::Process, bound, Conditions::default(), value.span());
                    }
                }
                other => self.problem(
                    key.span(),
                    format!("`{other}` is not a setting of heaphint: there are {}", listed(&SETTINGS)),
                ),
            }
        }
    }

    fn limits(&mut self, value: &Spanned<DeValue<'_>>) {
        match value.get_ref().as_array() {
            Some(limits) => limits.iter().for_each(|limit| self.entry(limit)),
            None => {
                let heading = self.kind.limits_heading();
                self.problem(value.span(), format!("`limits` must be an array of tables: write `{heading}`"));
            }
        }
    }

    /// The amount that a key names.
    fn bound(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Bound> {
        match key {
            "allocations" => self.count(value).map(Bound::Allocations),
            "growth" => {
                let text = self.string(value, "growth")?;
                Growth::parse(text)
                    .map(Bound::Growth)
                    .map_err(|error| self.problem(value.span(), error.to_string()))
                    .ok()
            }
            "rss" => self.size(value).map(Bound::Resident),
            "leaks" => self.size(value).map(Bound::Leaked),
            _ => self.size(value).map(Bound::Held),
        }
    }

    fn string<'v>(&mut self, value: &'v Spanned<DeValue<'_>>, key: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let written = self.written(&value.span());
            self.problem(value.span(), format!("`{key}` must be a string, and `{written}` is none"));
        }
        text
    }

    fn size(&mut self, value: &Spanned<DeValue<'_>>) -> Option<u64> {
        let Some(text) = value.get_ref().as_str() else {
            let written = self.written(&value.span());
            let message =
                format!("`{written}` is not a size: write a string with a unit, for example \"50 MB\"");
            self.problem(value.span(), message);
            return None;
        };
        parse_size(text).map_err(|error| self.problem(value.span(), error.to_string())).ok()
    }

    fn count(&mut self, value: &Spanned<DeValue<'_>>) -> Option<u64> {
        let number = value.get_ref().as_integer();
        let number = number.and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
        if number.is_none() {
            let written = self.written(&value.span());
            let message = format!(
                "`{written}` is not a number of allocations: write a whole number, for example 100_000"
            );
            self.problem(value.span(), message);
        }
        number
    }

    /// What stands there, without a line break.
    fn written(&self, span: &Range<usize>) -> String {
        let text = self.text.get(span.clone()).unwrap_or_default();
        text.lines().next().unwrap_or_default().to_owned()
    }

    fn limit(&mut self, scope: Scope, bound: Bound, conditions: Conditions, span: Range<usize>) {
        let source = LimitSource::new(self.file, self.text, span);
        self.config.limits.push(Limit { scope, bound, conditions, source });
    }

    fn problem(&mut self, span: Range<usize>, message: impl Into<String>) {
        let source = LimitSource::new(self.file, self.text, span);
        let message = format!("{}.", message.into());
        self.config.problems.push(Problem { kind: ProblemKind::Wrong, source, message });
    }
}

/// Names in a sentence.
fn listed(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => {
            let others: Vec<String> = others.iter().map(|name| format!("`{name}`")).collect();
            format!("{} and `{last}`", others.join(", "))
        }
        Some((last, _)) => format!("`{last}`"),
        None => String::new(),
    }
}
