//! Which program a request means: a file, a module, an import, tests, or what the project names.
//!
//! Reads sources and settings; nothing here starts anything.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::launch::{Modes, Target, configuration};
use crate::lsp::ext::{ProfileParams, ProfileWhat};
use crate::lsp::notebooks;
use crate::python::{Outline, TestRunner, read_source};

/// The modules that run tests.
pub const PYTEST: &str = "pytest";
const UNITTEST: &str = "unittest";

/// A program and what it finds around it.
#[derive(Debug)]
pub struct Program {
    /// What to run.
    pub target: Target,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The working directory.
    pub directory: PathBuf,
    /// Variables beside the server's own.
    pub environment: BTreeMap<String, String>,
    /// The interpreter; that of the settings when nobody says.
    pub python: Option<PathBuf>,
    /// Its standard input.
    pub stdin: Stdin,
    /// What is recorded; what is left open is as the project says.
    pub modes: Modes,
    /// What runs instead where pytest is not installed.
    pub without_pytest: Option<Box<Program>>,
}

/// A program's standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stdin {
    /// There is nothing to read.
    Closed,
    /// A text.
    Text(String),
    /// What a file holds.
    File(PathBuf),
}

impl Stdin {
    /// It, ready to be read; `None` when there is nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or the text not be put aside.
    pub fn open(&self) -> io::Result<Option<File>> {
        match self {
            Self::Closed => Ok(None),
            Self::File(path) => File::open(path).map(Some),
            Self::Text(text) => {
                // A file without a name never waits for its reader, as a pipe would.
                let mut file = tempfile::tempfile()?;
                file.write_all(text.as_bytes())?;
                file.rewind()?;
                Ok(Some(file))
            }
        }
    }
}

impl Program {
    /// What `params` mean. `path` is the file or folder that they name, `root` its project's.
    ///
    /// # Errors
    /// One sentence that says what to do.
    pub fn new(params: &ProfileParams, path: &Path, root: &Path) -> anyhow::Result<Self> {
        let mut program = match (params.what, &params.test) {
            (None | Some(ProfileWhat::File | ProfileWhat::TestFile), Some(test)) => {
                tests(root, path, Some(test))?
            }
            (None | Some(ProfileWhat::File), None) => Self::file(path),
            (Some(ProfileWhat::TestFile), None) => tests(root, path, None)?,
            (Some(ProfileWhat::AllTests), _) => all_tests(root),
            (Some(ProfileWhat::Module), _) => {
                let (directory, module) = own_module(path)?;
                Self::plain(Target::Module(module), directory)
            }
            (Some(ProfileWhat::Import), _) => import(params.name.as_deref(), path, root)?,
            (Some(ProfileWhat::Configuration), _) => configured(params.name.as_deref(), root)?,
            (Some(ProfileWhat::Notebook), _) => notebook(path)?,
            (Some(ProfileWhat::Again), _) => bail!("nothing was profiled yet: profile a file first"),
        };
        program.arguments.extend(params.args.iter().flatten().map(OsString::from));
        if let Some(text) = &params.stdin {
            program.stdin = Stdin::Text(text.clone());
        }
        Ok(program)
    }

    fn plain(target: Target, directory: PathBuf) -> Self {
        Self {
            target,
            arguments: Vec::new(),
            directory,
            environment: BTreeMap::new(),
            python: None,
            stdin: Stdin::Closed,
            modes: Modes::default(),
            without_pytest: None,
        }
    }

    fn file(path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new("/"));
        Self::plain(Target::Script(path.to_owned()), folder.to_owned())
    }

    fn pytest(root: &Path, what: Option<OsString>) -> Self {
        let mut program = Self::plain(Target::Module(PYTEST.into()), root.to_owned());
        program.arguments.extend(what);
        program
    }

    fn unittest(directory: &Path, what: impl Into<OsString>) -> Self {
        let mut program = Self::plain(Target::Module(UNITTEST.into()), directory.to_owned());
        program.arguments.push(what.into());
        program
    }
}

/// One test, one class of tests, or all tests of a file: by pytest, or by `unittest` where that can run them.
fn tests(root: &Path, file: &Path, test: Option<&str>) -> anyhow::Result<Program> {
    let text = read_source(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let outline = Outline::parse(&text, file);
    let runners = || outline.tests.iter().map(|test| test.runner);
    let by_unittest = match test {
        // `test_a[1]` is one of the cases of `test_a`.
        Some(test) => {
            outline.test(test.split('[').next().unwrap_or(test)).map(|test| test.runner)
                == Some(TestRunner::Unittest)
        }
        None => runners().count() > 0 && runners().all(|runner| runner == TestRunner::Unittest),
    };
    if by_unittest {
        let (directory, mut name) = unittest_module(root, file)?;
        if let Some(test) = test {
            name = format!("{name}.{}", test.replace("::", "."));
        }
        return Ok(Program::unittest(&directory, name));
    }
    // pytest itself says what is wrong with a name that nobody knows.
    let mut node = file.as_os_str().to_owned();
    if let Some(test) = test {
        node.push("::");
        node.push(test);
    }
    Ok(Program::pytest(root, Some(node)))
}

fn all_tests(root: &Path) -> Program {
    let mut program = Program::pytest(root, None);
    program.without_pytest = Some(Box::new(Program::unittest(root, "discover")));
    program
}

/// The name by which `unittest` finds a file, and the folder from which it does.
fn unittest_module(root: &Path, file: &Path) -> anyhow::Result<(PathBuf, String)> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let below_root = file.with_extension("");
    let below_root = below_root.strip_prefix(root).unwrap_or(Path::new(&*stem));
    let parts: Vec<String> = below_root.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    // A module in a folder whose name is no identifier can only be found from that folder.
    if parts.iter().all(|part| is_identifier(part)) {
        Ok((root.to_owned(), parts.join(".")))
    } else if is_identifier(&stem) {
        Ok((file.parent().unwrap_or(root).to_owned(), stem.into_owned()))
    } else {
        bail!("unittest cannot import {}: rename it to a Python identifier", file.display())
    }
}

/// The module that a file is, and the folder from which Python finds it: the one above its outermost package.
///
/// # Errors
/// When Python has no name for it.
pub fn own_module(file: &Path) -> anyhow::Result<(PathBuf, String)> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut folder = file.parent().unwrap_or(Path::new("/"));
    let mut names = if matches!(stem.as_str(), "__init__" | "__main__") { Vec::new() } else { vec![stem] };
    while folder.join("__init__.py").is_file() {
        let (Some(name), Some(above)) = (folder.file_name(), folder.parent()) else { break };
        names.insert(0, name.to_string_lossy().into_owned());
        folder = above;
    }
    if names.is_empty() || !names.iter().all(|name| is_identifier(name)) {
        bail!("{} is not a module that Python can import: rename it to a Python identifier", file.display())
    }
    Ok((folder.to_owned(), names.join(".")))
}

fn import(name: Option<&str>, path: &Path, root: &Path) -> anyhow::Result<Program> {
    let (directory, module) = match name {
        // What a folder's files can import is decided there.
        Some(name) if path.is_file() => {
            (own_module(path).map_or_else(|_| root.to_owned(), |(folder, _)| folder), name.to_owned())
        }
        Some(name) => (path.to_owned(), name.to_owned()),
        None => own_module(path)?,
    };
    if !module.split('.').all(is_identifier) {
        bail!("`{module}` is not the name of a module: write it as in an import, such as `package.module`")
    }
    Ok(Program::plain(Target::Text(format!("import {module}")), directory))
}

/// The cells of a notebook, where it stands.
fn notebook(path: &Path) -> anyhow::Result<Program> {
    let cells = if notebooks::is_notebook(path) { notebooks::cell_files(path) } else { Vec::new() };
    if cells.is_empty() {
        bail!("{} is not a notebook with Python cells that is open in the editor", path.display())
    }
    let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
    let mut program = Program::plain(Target::Text(notebooks::DRIVER.to_owned()), folder);
    program.arguments.extend(cells.into_iter().map(OsString::from));
    Ok(program)
}

fn configured(name: Option<&str>, root: &Path) -> anyhow::Result<Program> {
    let Some(name) = name else { bail!("name the run configuration to profile") };
    let (all, errors) = configuration::of_project(root);
    if let Some(error) = errors.into_iter().find(|error| error.name.as_deref().is_none_or(|of| of == name)) {
        return Err(error.into());
    }
    let names: Vec<_> = all.iter().map(|configuration| format!("`{}`", configuration.name)).collect();
    let Some(found) = all.into_iter().find(|configuration| configuration.name == name) else {
        let there_are = match names.as_slice() {
            [] => format!("write `[tool.heaphint.run.{name}]` in {}", root.join("pyproject.toml").display()),
            names => format!("there are {}", names.join(", ")),
        };
        bail!("there is no run configuration `{name}`: {there_are}")
    };
    let target = match found.target {
        Target::Script(path) => Target::Script(root.join(path)),
        other => other,
    };
    Ok(Program {
        arguments: found.arguments,
        environment: found.environment,
        python: found.python,
        modes: found.modes,
        stdin: found.stdin.map_or(Stdin::Closed, |path| Stdin::File(root.join(path))),
        ..Program::plain(target, root.join(found.directory))
    })
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c == '_' || c.is_alphanumeric())
        && !name.starts_with(|c: char| c.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unittest_gets_a_module_name() {
        let found = |file: &str| unittest_module(Path::new("/p"), Path::new(file)).ok();
        assert_eq!(found("/p/tests/test_a.py"), Some(("/p".into(), "tests.test_a".into())));
        assert_eq!(found("/p/my-tests/test_a.py"), Some(("/p/my-tests".into(), "test_a".into())));
        assert_eq!(found("/p/test-a.py"), None);
    }

    #[test]
    fn a_module_is_named_from_above_its_outermost_package() {
        let folder = tempfile::tempdir().expect("a folder");
        let top = folder.path();
        std::fs::create_dir_all(top.join("src/app/core")).expect("a folder");
        for name in ["src/app/__init__.py", "src/app/core/__init__.py"] {
            std::fs::write(top.join(name), "").expect("a file");
        }
        let found = |name: &str| own_module(&top.join(name)).ok();
        let src = top.join("src");
        assert_eq!(found("src/app/core/db.py"), Some((src.clone(), "app.core.db".into())));
        assert_eq!(found("src/app/__main__.py"), Some((src.clone(), "app".into())));
        assert_eq!(found("src/app/core/__init__.py"), Some((src.clone(), "app.core".into())));
        assert_eq!(found("src/tool.py"), Some((src, "tool".into())));
        assert_eq!(found("src/my-tool.py"), None);
        assert_eq!(found("src/__main__.py"), None);
    }

    #[test]
    fn a_text_is_standard_input_from_its_beginning() {
        let mut read = String::new();
        let mut file = Stdin::Text("a\nb".into()).open().expect("a file").expect("a text");
        io::Read::read_to_string(&mut file, &mut read).expect("a text");
        assert_eq!(read, "a\nb");
        assert!(Stdin::Closed.open().expect("nothing").is_none());
        assert!(Stdin::File("/no/such/file".into()).open().is_err());
    }
}
