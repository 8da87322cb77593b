//! One entry of the list of limits: what it is about, in which runs, and the amounts.

use globset::GlobMatcher;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Reader, listed};
use crate::limits::{Bound, Conditions, FilePattern, NamePattern, Scope, condition};

/// What an entry can be about, and in which runs.
const ABOUT: [&str; 6] = ["files", "function", "import", "test", "command", "run"];
/// What it can limit.
const AMOUNTS: [&str; 6] = ["bytes", "peak", "rss", "leaks", "allocations", "growth"];

/// What an entry is about.
#[derive(Default)]
struct About<'v> {
    files: Option<FilePattern>,
    function: Option<NamePattern>,
    import: Option<String>,
    /// Node ids of tests.
    test: Option<(&'v str, GlobMatcher)>,
    command: Option<GlobMatcher>,
    run: Option<String>,
}

impl Reader<'_> {
    /// Reads an entry: one limit for each amount.
    pub(super) fn entry(&mut self, entry: &Spanned<DeValue<'_>>) {
        let Some(table) = entry.get_ref().as_table() else {
            let message = "a limit must be a table, for example { files = \"app/*.py\", bytes = \"50 MB\" }";
            return self.problem(entry.span(), message);
        };
        for (key, _) in table {
            let name = &**key.get_ref();
            if !ABOUT.contains(&name) && !AMOUNTS.contains(&name) {
                let message = format!(
                    "`{name}` is not part of a limit: it is about {}, and limits {}",
                    listed(&ABOUT),
                    listed(&AMOUNTS)
                );
                self.problem(key.span(), message);
            }
        }
        let about = self.about(table);
        let amounts: Vec<_> = AMOUNTS.iter().filter_map(|name| Some((*name, table.get(*name)?))).collect();
        if amounts.is_empty() {
            let message = "this limit has no `bytes`, nor any other amount: there are";
            return self.problem(entry.span(), format!("{message} {}", listed(&AMOUNTS)));
        }
        for (name, value) in amounts {
            let bound = self.bound(name, value);
            let (Some(about), Some(bound)) = (&about, bound) else { continue };
            match self.scope(about, name, bound) {
                Ok((scope, conditions)) => self.limit(scope, bound, conditions, value.span()),
                Err(message) => self.problem(value.span(), message),
            }
        }
    }

    /// `None` when a part of it cannot be understood.
    fn about<'v>(&mut self, table: &'v DeTable<'_>) -> Option<About<'v>> {
        let mut about = About::default();
        let mut understood = true;
        for name in ABOUT {
            let Some(value) = table.get(name) else { continue };
            let Some(text) = self.string(value, name) else {
                understood = false;
                continue;
            };
            let read = match name {
                "files" => FilePattern::new(text, self.root).map(|files| about.files = Some(files)),
                "function" => NamePattern::new(text).map(|name| about.function = Some(name)),
                "test" => condition::pattern(text).map(|test| about.test = Some((text, test))),
                "command" => condition::pattern(text).map(|command| about.command = Some(command)),
                "import" => {
                    about.import = Some(text.to_owned());
                    if is_module(text) { Ok(()) } else { Err(format!("`{text}` is not a module's name")) }
                }
                _ => {
                    about.run = Some(text.to_owned());
                    Ok(())
                }
            };
            if let Err(message) = read {
                self.problem(value.span(), message);
                understood = false;
            }
        }
        let other = ["files", "function"].into_iter().find(|name| table.contains_key(*name));
        if let (Some(import), Some(other)) = (table.get("import"), other) {
            let message = format!("a limit is about an `import` or about `{other}`: write two limits");
            self.problem(import.span(), message);
            understood = false;
        }
        understood.then_some(about)
    }

    /// What an amount is about.
    fn scope(&self, about: &About<'_>, amount: &str, bound: Bound) -> Result<(Scope, Conditions), String> {
        let mut conditions = Conditions {
            test: about.test.as_ref().map(|(_, pattern)| pattern.clone()),
            command: about.command.clone(),
            run: about.run.clone(),
        };
        let of_process = matches!(amount, "peak" | "rss");
        let scope = match (&about.import, &about.files, &about.function, &about.test) {
            (None, None, None, Some((test, _))) if !of_process => {
                // The limit is about the test itself, whatever else runs beside it.
                conditions.test = None;
                self.test(test)?
            }
            (None, None, None, _) if amount == "bytes" => {
                return Err("`bytes` needs `files`, `function`, `import` or `test`: for the whole process write `peak`".to_owned());
            }
            (None, None, None, _) => Scope::Process,
            _ if of_process => {
                return Err(format!(
                    "`{amount}` is about the whole process: write `bytes` for what a part of the program holds"
                ));
            }
            (Some(module), ..) => Scope::Import { module: module.clone() },
            (None, files, Some(name), _) => {
                let files = files.clone().map_or_else(|| FilePattern::new("**", self.root), Ok)?;
                Scope::Functions { files, name: name.clone() }
            }
            (None, Some(files), None, _) => Scope::Lines { files: files.clone() },
        };
        match (&scope, bound) {
            (Scope::Lines { .. }, Bound::Growth(_)) => {
                Err("growth is known of the process and of functions: add `function`, or `function = \"*\"` for each".to_owned())
            }
            (Scope::Import { .. }, Bound::Growth(_) | Bound::Leaked(_)) => {
                Err(format!("`{amount}` is not known of an import: write `bytes` or `allocations`"))
            }
            _ => Ok((scope, conditions)),
        }
    }

    /// The functions that a node id such as `tests/test_a.py::TestB::test_c` names.
    fn test(&self, id: &str) -> Result<Scope, String> {
        let (files, name) = match id.split_once("::") {
            Some((files, name)) => (files, name),
            None if id.contains(".py") || id.contains('/') => (id, "test*"),
            None => ("**", id),
        };
        // A function has one maximum, whatever its parameters.
        let name = name.split('[').next().unwrap_or(name).replace("::", ".");
        Ok(Scope::Functions { files: FilePattern::new(files, self.root)?, name: NamePattern::new(&name)? })
    }
}

/// Whether a text is a dotted name.
fn is_module(text: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty()
            && !part.starts_with(|c: char| c.is_numeric())
            && part.chars().all(|c| c == '_' || c.is_alphanumeric())
    };
    text.split('.').all(is_name)
}
