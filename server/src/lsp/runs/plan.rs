//! What to run: a script, or one test of it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::launch::{Launch, Output, Spec, Target, project_root};
use crate::lsp::captures;
use crate::lsp::ext::ProfileParams;
use crate::lsp::results::read_source;
use crate::lsp::watch::CAPTURES_FOLDER;
use crate::python::{Outline, TestRunner};

/// The module that runs tests.
const PYTEST: &str = "pytest";

/// A program, ready to be started.
#[derive(Debug)]
pub struct Plan {
    /// The program under the tracer.
    pub launch: Launch,
    /// The file that was asked for, as the kernel names it.
    pub target: PathBuf,
    /// The project's root.
    pub root: PathBuf,
}

impl Plan {
    /// Finds the interpreter and the project, and prepares the folder of captures. Call it where it may block.
    ///
    /// # Errors
    /// One sentence that says what to do.
    pub fn new(params: &ProfileParams, python: Option<&str>) -> anyhow::Result<Self> {
        let Ok(target) = params.uri.to_file_path() else {
            bail!("only files on this machine can be profiled, and {} is none", params.uri)
        };
        let Some(target) = target.canonicalize().ok().filter(|target| target.is_file()) else {
            bail!("there is no file {}: save it first", target.display())
        };
        let script_folder = target.parent().unwrap_or(Path::new("/")).to_owned();
        let root = project_root(Some(&target), &script_folder);
        let python_arguments = match &params.test {
            Some(test) => test_arguments(&root, &target, test)?,
            None => PythonArguments {
                directory: script_folder,
                target: Target::Script(target.clone()),
                arguments: Vec::new(),
            },
        };
        let PythonArguments { directory, target: program, mut arguments } = python_arguments;
        arguments.extend(params.args.iter().flatten().map(OsString::from));
        let needs_pytest = program == Target::Module(PYTEST.into());
        let folder = root.join(CAPTURES_FOLDER);
        let path = captures::prepare(&folder, &target)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        let launch = Launch::prepare(Spec {
            target: program,
            arguments,
            python: python.map(|python| interpreter(python, &root)),
            tracer_library: None,
            directory,
            output: Output::File { path, overwrite: false },
        })?;
        if needs_pytest && !has_pytest(launch.program(), &root) {
            let python = launch.program().display();
            bail!("this test needs pytest: install it with `{python} -m pip install pytest`");
        }
        Ok(Self { launch, target, root })
    }
}

/// The interpreter of the settings: a name stays a name, a path is relative to the project.
fn interpreter(python: &str, root: &Path) -> PathBuf {
    if python.contains('/') { root.join(python) } else { PathBuf::from(python) }
}

/// How Python is called.
struct PythonArguments {
    directory: PathBuf,
    target: Target,
    arguments: Vec<OsString>,
}

/// One test, by pytest or by `unittest`.
fn test_arguments(root: &Path, target: &Path, test: &str) -> anyhow::Result<PythonArguments> {
    let text = read_source(target).with_context(|| format!("{} cannot be read", target.display()))?;
    let outline = Outline::parse(&text, target);
    match outline.test(test).map(|test| test.runner) {
        Some(TestRunner::Unittest) => unittest_arguments(root, target, test),
        // pytest itself says what is wrong with a name that nobody knows.
        Some(TestRunner::Pytest) | None => {
            let mut node = target.as_os_str().to_owned();
            node.push("::");
            node.push(test);
            Ok(PythonArguments {
                directory: root.to_owned(),
                target: Target::Module(PYTEST.into()),
                arguments: vec![node],
            })
        }
    }
}

fn unittest_arguments(root: &Path, target: &Path, test: &str) -> anyhow::Result<PythonArguments> {
    let stem = target.file_stem().unwrap_or_default().to_string_lossy();
    let below_root = target.with_extension("");
    let below_root = below_root.strip_prefix(root).unwrap_or(Path::new(&*stem));
    let parts: Vec<String> = below_root.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    // A module in a folder whose name is no identifier can only be found from that folder.
    let (directory, module) = if parts.iter().all(|part| is_identifier(part)) {
        (root, parts.join("."))
    } else if is_identifier(&stem) {
        (target.parent().unwrap_or(root), stem.into_owned())
    } else {
        bail!("unittest cannot import {}: rename it to a Python identifier", target.display())
    };
    Ok(PythonArguments {
        directory: directory.to_owned(),
        target: Target::Module("unittest".into()),
        arguments: vec![format!("{module}.{}", test.replace("::", ".")).into()],
    })
}

fn is_identifier(name: &str) -> bool {
    name.chars().all(|c| c == '_' || c.is_alphanumeric()) && !name.starts_with(|c: char| c.is_numeric())
}

/// Whether the interpreter can import pytest, without importing it.
fn has_pytest(interpreter: &Path, root: &Path) -> bool {
    let program = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pytest') is None)";
    let mut command = Command::new(interpreter);
    command.args(["-c", program]).current_dir(root);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unittest_gets_a_module_name() {
        let words = |target: &str| {
            let found =
                unittest_arguments(Path::new("/p"), Path::new(target), "A::test_b").expect("a module");
            (found.directory.display().to_string(), found.arguments[0].to_string_lossy().into_owned())
        };
        assert_eq!(words("/p/tests/test_a.py"), ("/p".into(), "tests.test_a.A.test_b".into()));
        assert_eq!(words("/p/my-tests/test_a.py"), ("/p/my-tests".into(), "test_a.A.test_b".into()));
        assert!(unittest_arguments(Path::new("/p"), Path::new("/p/test-a.py"), "A::test_b").is_err());
    }
}
