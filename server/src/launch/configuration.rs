//! Run configurations: programs that a project names in its `pyproject.toml` (`[tool.heaphint.run.NAME]`) or
//! `heaphint.toml` (`[run.NAME]`); and the modes of all runs, which stand in `run` itself.
//!
//! Reads text and checks it; nothing here starts a program.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::{Modes, Target};

/// The names of [`Modes`].
const MODES: [&str; 6] = ["record", "addresses", "trace-python-allocators", "native", "sample", "follow"];
/// Where configurations are written: the file's name, and the tables that hold `run`.
const FILES: [(&str, &[&str]); 2] = [("pyproject.toml", &["tool", "heaphint"]), ("heaphint.toml", &[])];

/// A program that a project names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Its name.
    pub name: String,
    /// The 1-based line of the file on which its table begins.
    pub line: u32,
    /// What to run.
    pub target: Target,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables beside those of whoever starts it.
    pub environment: BTreeMap<String, String>,
    /// The working directory, relative to the file's folder; that folder itself when it is empty.
    pub directory: PathBuf,
    /// The interpreter: a name, or a path relative to the file's folder.
    pub python: Option<PathBuf>,
    /// The file that the program finds at its standard input, relative to the file's folder.
    pub stdin: Option<PathBuf>,
    /// What is recorded; what is left open is as the project says for all runs.
    pub modes: Modes,
}

/// A configuration that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigurationError {
    /// The configuration; `None` when the file itself is wrong.
    pub name: Option<String>,
    /// 1-based.
    pub line: u32,
    /// One sentence.
    pub message: String,
}

/// A configuration as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    script: Option<PathBuf>,
    module: Option<String>,
    text: Option<String>,
    command: Option<Vec<String>>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    cwd: PathBuf,
    python: Option<PathBuf>,
    stdin: Option<PathBuf>,
}

/// Whether configurations may be written in a file of this name.
#[must_use]
pub fn is_configuration_file(path: &Path) -> bool {
    FILES.iter().any(|(name, _)| path.file_name().is_some_and(|file| file == *name))
}

/// The configurations of a project, of its `pyproject.toml` first. Files that are not there have none.
#[must_use]
pub fn of_project(root: &Path) -> (Vec<Configuration>, Vec<ConfigurationError>) {
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    for (name, _) in FILES {
        let path = root.join(name);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let (found, wrong) = parse(&text, &path);
        all.extend(found);
        errors.extend(wrong);
    }
    (all, errors)
}

/// The configurations in the text of a file, in its order, and what cannot be understood there.
#[must_use]
pub fn parse(text: &str, path: &Path) -> (Vec<Configuration>, Vec<ConfigurationError>) {
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    let problem = |name: Option<String>, span: Range<usize>, message: String| ConfigurationError {
        name,
        line: line_of(text, span.start),
        message,
    };
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let message = format!("this is not TOML: {}", error.message().replace('\n', ", "));
            errors.push(problem(None, error.span().unwrap_or(0..0), message));
            return (all, errors);
        }
    };
    let Some(run) = run_of(document.get_ref(), path) else { return (all, errors) };
    let Some(table) = run.get_ref().as_table() else {
        let message =
            "`run` must be a table: write one table for each program, such as `[tool.heaphint.run.web]`";
        errors.push(problem(None, run.span(), message.to_owned()));
        return (all, errors);
    };
    let (modes, configurations) = split(table);
    if let Err(message) = read_modes(&modes) {
        errors.push(problem(None, run.span(), format!("what `run` says about all runs {message}")));
    }
    for (key, value) in &configurations {
        let name = key.get_ref().to_string();
        match one(&name, line_of(text, key.span().start), value) {
            Ok(configuration) => all.push(configuration),
            Err(message) => errors.push(problem(Some(name), key.span(), message)),
        }
    }
    all.sort_by_key(|configuration| configuration.line);
    errors.sort_by_key(|error| error.line);
    (all, errors)
}

/// What a project says about all runs. What cannot be understood is said where configurations are read.
#[must_use]
pub fn modes_of_project(root: &Path) -> Modes {
    let of_file = |name: &str| {
        let path = root.join(name);
        let text = std::fs::read_to_string(&path).ok()?;
        let document = DeTable::parse(&text).ok()?;
        let (modes, _) = split(run_of(document.get_ref(), &path)?.get_ref().as_table()?);
        read_modes(&modes).ok()
    };
    FILES.iter().filter_map(|(name, _)| of_file(name)).fold(Modes::default(), Modes::or)
}

/// The entries of a table that are modes, and the others.
fn split<'i>(table: &DeTable<'i>) -> (DeTable<'i>, DeTable<'i>) {
    let (mut modes, mut others) = (DeTable::new(), DeTable::new());
    for (key, value) in table {
        let is_mode = MODES.contains(&&**key.get_ref()) && value.get_ref().as_table().is_none();
        let to = if is_mode { &mut modes } else { &mut others };
        to.insert(key.clone(), value.clone());
    }
    (modes, others)
}

/// Reads modes; the rest of a sentence when they are wrong.
fn read_modes(table: &DeTable<'_>) -> Result<Modes, String> {
    let value = Spanned::new(0..0, DeValue::Table(table.clone()));
    Modes::deserialize(ValueDeserializer::from(value))
        .map_err(|error| format!("cannot be read: {}", error.message().replace('\n', ", ")))
}

/// The files that configurations name, and where their names stand in the text, as bytes.
#[must_use]
pub fn named_files(text: &str, path: &Path) -> Vec<(Range<usize>, PathBuf)> {
    let Ok(document) = DeTable::parse(text) else { return Vec::new() };
    let run = run_of(document.get_ref(), path).and_then(|run| run.get_ref().as_table());
    let tables = run.into_iter().flatten().filter_map(|(_, value)| value.get_ref().as_table());
    let named = |table: &DeTable<'_>| {
        let values = ["script", "stdin"].into_iter().filter_map(|key| table.get(key));
        values.filter_map(|value| Some((value.span(), PathBuf::from(value.get_ref().as_str()?)))).collect()
    };
    let mut files: Vec<_> = tables.flat_map(|table| -> Vec<_> { named(table) }).collect();
    files.sort_by_key(|(span, _)| span.start);
    files
}

/// The value of `run` in a file of this name.
fn run_of<'v, 'i>(document: &'v DeTable<'i>, path: &Path) -> Option<&'v Spanned<DeValue<'i>>> {
    let is_here = |(name, _): &&(&str, &[&str])| path.file_name().is_some_and(|file| file == *name);
    let (_, tables) = FILES.iter().find(is_here)?;
    let mut table = document;
    for name in *tables {
        table = table.get(*name)?.get_ref().as_table()?;
    }
    table.get("run")
}

/// The 1-based line of a byte.
fn line_of(text: &str, offset: usize) -> u32 {
    let before = text.get(..offset).unwrap_or(text);
    1 + before.bytes().filter(|byte| *byte == b'\n').count() as u32
}

fn one(name: &str, line: u32, value: &Spanned<DeValue<'_>>) -> Result<Configuration, String> {
    let wrong = |why: &str| format!("the run configuration `{name}` {why}");
    let table = value.get_ref().as_table().ok_or_else(|| wrong("must be a table"))?;
    let (modes, others) = split(table);
    let modes = read_modes(&modes).map_err(|why| wrong(&why))?;
    let others = Spanned::new(value.span(), DeValue::Table(others));
    let written = Written::deserialize(ValueDeserializer::from(others))
        .map_err(|error| wrong(&format!("cannot be read: {}", error.message().replace('\n', ", "))))?;
    let mut arguments: Vec<OsString> = Vec::new();
    let target = match (written.script, written.module, written.text, written.command) {
        (Some(script), None, None, None) => Target::Script(script),
        (None, Some(module), None, None) => Target::Module(module),
        (None, None, Some(text), None) => Target::Text(text),
        (None, None, None, Some(words)) => {
            let mut words = words.into_iter().map(OsString::from);
            let program = words.next().ok_or_else(|| wrong("has an empty `command`: name a program"))?;
            arguments.extend(words);
            Target::Command(program)
        }
        _ => return Err(wrong("needs exactly one of `script`, `module`, `text` and `command`")),
    };
    arguments.extend(written.args.into_iter().map(OsString::from));
    Ok(Configuration {
        name: name.to_owned(),
        line,
        target,
        arguments,
        environment: written.env,
        directory: written.cwd,
        python: written.python,
        stdin: written.stdin,
        modes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_read_with_their_lines() {
        let text = "[project]\nname = 'x'\n\n[tool.heaphint]\npeak = '1 GB'\n\n[tool.heaphint.run.web]\nmodule = 'app.web'\nargs = ['--port', '0']\ncwd = 'src'\n\n[tool.heaphint.run.web.env]\nDEBUG = '1'\n\n[tool.heaphint.run.tool]\ncommand = ['bin/tool', 'a']\nargs = ['b']\n";
        let (all, errors) = parse(text, Path::new("/p/pyproject.toml"));
        assert_eq!(errors, []);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].name.as_str(), all[0].line), ("web", 7));
        assert_eq!(all[0].target, Target::Module("app.web".into()));
        assert_eq!(all[0].arguments, ["--port", "0"]);
        assert_eq!(all[0].environment["DEBUG"], "1");
        assert_eq!(all[0].directory, Path::new("src"));
        assert_eq!((all[1].line, &all[1].target), (15, &Target::Command("bin/tool".into())));
        assert_eq!(all[1].arguments, ["a", "b"]);
        let text = "[run.x]\nscript = 'x.py'\nstdin = 'in'\n";
        let named = named_files(text, Path::new("/p/heaphint.toml"));
        assert_eq!(named, [(17..23, PathBuf::from("x.py")), (32..36, PathBuf::from("in"))]);
        let (all, _) = parse("[run.x]\nscript = 'x.py'\n", Path::new("/p/heaphint.toml"));
        assert_eq!((all[0].line, &all[0].target), (1, &Target::Script("x.py".into())));
        assert_eq!(parse(text, Path::new("/p/other.toml")), (vec![], vec![]));
    }

    #[test]
    fn modes_stand_in_a_configuration_or_are_for_all_runs() {
        let text = "[run]\nnative = true\nsample = '1 MiB'\n[run.x]\nscript = 'x.py'\nfollow = false\n";
        let (all, errors) = parse(text, Path::new("heaphint.toml"));
        assert_eq!(errors, []);
        assert_eq!(all[0].modes, Modes { follow: Some(false), ..Modes::default() });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("heaphint.toml"), text).unwrap();
        assert_eq!(modes_of_project(folder.path()).words(), "native,follow,sample=1048576");
        let (all, errors) = parse("[run]\nnative = 1\n[run.x]\nscript = 'x'\n", Path::new("heaphint.toml"));
        assert_eq!(all.len(), 1);
        assert!(errors[0].message.contains("all runs cannot be read"), "{}", errors[0].message);
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        let problem = |text: &str| {
            let (all, errors) = parse(text, Path::new("heaphint.toml"));
            assert_eq!(all, []);
            (errors[0].line, errors[0].message.clone())
        };
        assert_eq!(problem("run = 1").1.split(':').next(), Some("`run` must be a table"));
        assert!(problem("\n[run.x]\nscript = 'a'\nmodule = 'b'").1.contains("exactly one of"));
        assert!(problem("[run.x]\ncommand = []").1.contains("empty `command`"));
        let (line, message) = problem("\n\n[run.x]\nscrip = 'a'");
        assert_eq!(line, 3);
        assert!(message.contains("`x`") && message.contains("scrip"), "{message}");
        assert!(problem("[run.x").1.contains("not TOML"));
    }
}
