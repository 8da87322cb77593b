//! Whether what a limit names exists in the project: a limit about nothing can never be exceeded, and its author
//! should know.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use heaphint_analysis::limits::{FilePattern, NamePattern, Scope};

use crate::python::{Outline, read_source};

/// Files of a project that are looked at. In a larger one everything is taken to exist.
const MOST_FILES: usize = 20_000;
/// Files that are parsed for one limit.
const MOST_PARSED: usize = 500;

/// Answers, and the files that they are made from. It is made anew when files may have changed.
#[derive(Debug)]
pub struct Existing {
    root: PathBuf,
    files: Option<Files>,
    answers: HashMap<String, bool>,
}

/// The Python files of a project.
#[derive(Debug)]
struct Files {
    paths: Vec<String>,
    complete: bool,
}

impl Existing {
    /// Looks into nothing before it is asked.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), files: None, answers: HashMap::new() }
    }

    /// Says that what a limit is about does not exist. After a run, what that did not use is looked for.
    pub fn missing(&mut self, scope: &Scope, after_run: bool) -> Option<String> {
        match scope {
            Scope::Lines { files } => {
                let exists = self.answer(format!("files {}", files.text()), |project| {
                    project.paths.iter().any(|path| files.matches(path))
                });
                (!exists).then(|| no_file(files))
            }
            Scope::Functions { files, name } => {
                let any = self.answer(format!("files {}", files.text()), |project| {
                    project.paths.iter().any(|path| files.matches(path))
                });
                if !any {
                    return Some(no_file(files));
                }
                let key = format!("function {} in {}", name.text(), files.text());
                let exists = self.answer(key, |project| has_function(project, files, name));
                (!exists).then(|| match files.text() {
                    "**" => format!("No function of the project is called `{}`.", name.text()),
                    files => format!("No file that is called `{files}` has a function `{}`.", name.text()),
                })
            }
            Scope::Import { module } => {
                // Before a run nobody knows what is installed.
                if !after_run {
                    return None;
                }
                let path = module.replace('.', "/");
                let exists = self.answer(format!("module {module}"), |project| {
                    let ends = [format!("/{path}.py"), format!("/{path}/__init__.py")];
                    project.paths.iter().any(|file| ends.iter().any(|end| file.ends_with(end)))
                });
                (!exists).then(|| {
                    format!("The run did not import `{module}`, and the project has no such module.")
                })
            }
            Scope::Process | Scope::FunctionAt { .. } | Scope::LineAt { .. } => None,
        }
    }

    fn answer(&mut self, key: String, find: impl FnOnce(&Files) -> bool) -> bool {
        let Self { root, files, answers } = self;
        let files = files.get_or_insert_with(|| Files::below(root));
        *answers.entry(key).or_insert_with(|| !files.complete || find(files))
    }
}

fn no_file(files: &FilePattern) -> String {
    format!("No Python file below {} is called `{}`.", files.root(), files.text())
}

fn has_function(project: &Files, files: &FilePattern, name: &NamePattern) -> bool {
    let matching: Vec<&String> = project.paths.iter().filter(|path| files.matches(path)).collect();
    if matching.len() > MOST_PARSED || name.matches("<module>", "<module>") {
        return true;
    }
    matching.iter().any(|path| {
        let Ok(text) = read_source(Path::new(path)) else { return true };
        let outline = Outline::parse(&text, Path::new(path));
        outline.functions.iter().any(|function| name.matches(&function.name, &function.qualified_name))
    })
}

impl Files {
    /// Every Python file below `root` that is not in a hidden folder, an environment or a cache.
    fn below(root: &Path) -> Self {
        let mut files = Self { paths: Vec::new(), complete: true };
        let mut folders = vec![root.to_owned()];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                seen += 1;
                if seen > MOST_FILES {
                    files.complete = false;
                    return files;
                }
                let (path, name) = (entry.path(), entry.file_name());
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    let is_other = name.as_encoded_bytes().starts_with(b".")
                        || ["__pycache__", "node_modules"].iter().any(|other| name == *other)
                        || path.join("pyvenv.cfg").exists();
                    if !is_other {
                        folders.push(path);
                    }
                } else if path.extension().is_some_and(|extension| extension == "py") {
                    files.paths.push(path.to_string_lossy().into_owned());
                }
            }
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_limit_names_is_looked_for_in_the_sources() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("src/app")).unwrap();
        fs::create_dir_all(root.join(".venv")).unwrap();
        fs::write(root.join("src/app/cli.py"), "class Store:\n    def load(self): pass\n").unwrap();
        fs::write(root.join(".venv/hidden.py"), "").unwrap();
        let mut existing = Existing::new(root);
        let files = |text: &str| FilePattern::new(text, &root.to_string_lossy()).unwrap();
        let mut missing = |scope| existing.missing(&scope, true);
        assert_eq!(missing(Scope::Lines { files: files("src/**/*.py") }), None);
        let said = missing(Scope::Lines { files: files("app/*.py") }).unwrap();
        assert!(said.ends_with("is called `app/*.py`."), "{said}");
        assert!(missing(Scope::Lines { files: files(".venv/*.py") }).is_some());
        let mut function = |name: &str| {
            missing(Scope::Functions { files: files("**"), name: NamePattern::new(name).unwrap() })
        };
        assert_eq!(function("Store.load"), None);
        assert_eq!(function("load"), None);
        let said = function("lod").unwrap();
        assert!(said.contains("`lod`"), "{said}");
        assert_eq!(missing(Scope::Import { module: "app.cli".to_owned() }), None);
        let said = missing(Scope::Import { module: "app.clii".to_owned() }).unwrap();
        assert!(said.contains("`app.clii`"), "{said}");
    }
}
