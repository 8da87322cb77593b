//! A program that is ready to be started, out of what somebody asked for.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::program::{PYTEST, Program};
use crate::launch::{Launch, Output, Spec, Target, project_root};
use crate::lsp::documents::file_path;
use crate::lsp::ext::{ProfileParams, ProfileWhat, Settings};
use crate::lsp::sessions::{self, SessionId};

/// A program, ready to be started.
#[derive(Debug)]
pub struct Plan {
    /// The program under the tracer.
    pub launch: Launch,
    /// Variables beside the server's own.
    pub environment: BTreeMap<String, String>,
    /// Its standard input; `None` when there is nothing to read.
    stdin: Option<File>,
    /// The Python file that was asked for, as the kernel names it.
    pub file: Option<PathBuf>,
    /// The project's root.
    pub root: PathBuf,
    /// The session that the run becomes.
    pub session: SessionId,
}

impl Plan {
    /// Finds the interpreter and the project, and prepares the folder of captures. Call it where it may block.
    ///
    /// # Errors
    /// One sentence that says what to do.
    pub fn new(params: &ProfileParams, settings: &Settings) -> anyhow::Result<Self> {
        let Some(path) = file_path(&params.uri) else {
            bail!("only files on this machine can be profiled, and {} is none", params.uri)
        };
        if !path.exists() {
            bail!("there is no file {}: save it first", path.display())
        }
        let needs_file = !matches!(
            params.what,
            Some(
                ProfileWhat::AllTests
                    | ProfileWhat::Configuration
                    | ProfileWhat::Import
                    | ProfileWhat::Notebook
                    | ProfileWhat::Again
            )
        );
        if needs_file && !path.is_file() {
            bail!("{} is not a Python file", path.display())
        }
        let root = root_of(&path);
        let program = Program::new(params, &path, &root)?;
        let name = capture_name(params, &path);
        let plan = Self::prepare(program, settings, &root, &name)?;
        Ok(Self { file: Some(path).filter(|path| needs_file || is_python(path)), ..plan })
    }

    fn prepare(program: Program, settings: &Settings, root: &Path, name: &str) -> anyhow::Result<Self> {
        let needs_pytest = program.target == Target::Module(PYTEST.into());
        let folder = sessions::folder_of(root);
        let (session, path) = sessions::prepare(&folder, name, settings.keep_sessions as usize)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        let python_of_program = program.python.or_else(|| settings.python.as_ref().map(PathBuf::from));
        let launch = Launch::prepare(Spec {
            target: program.target,
            arguments: program.arguments,
            python: python_of_program.map(|python| interpreter(python, root)),
            tracer_library: None,
            directory: program.directory,
            output: Output::File { path, overwrite: false },
            modes: program.modes.or(settings.run.modes()),
        })?;
        if needs_pytest && !has_pytest(launch.program(), root) {
            if let Some(other) = program.without_pytest {
                return Self::prepare(*other, settings, root, name);
            }
            let python = launch.program().display();
            bail!("this test needs pytest: install it with `{python} -m pip install pytest`");
        }
        let stdin = program.stdin.open().context("the program's standard input cannot be opened")?;
        Ok(Self {
            launch,
            environment: program.environment,
            stdin,
            file: None,
            root: root.to_owned(),
            session,
        })
    }

    /// The command, with everything set but its standard streams.
    pub fn command(&self) -> Command {
        let mut command = self.launch.command();
        command.envs(&self.environment);
        command
    }

    /// The program's standard input, once.
    pub fn stdin(&mut self) -> Stdio {
        self.stdin.take().map_or_else(Stdio::null, Stdio::from)
    }
}

/// The project of a file or folder.
pub fn root_of(path: &Path) -> PathBuf {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("/")) };
    project_root(None, folder)
}

fn is_python(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py" || extension == "pyw")
}

/// A word for the names of the run's captures.
fn capture_name(params: &ProfileParams, path: &Path) -> String {
    match (params.what, &params.name) {
        (Some(ProfileWhat::AllTests), _) => "tests".to_owned(),
        (Some(ProfileWhat::Configuration | ProfileWhat::Import), Some(name)) => name.clone(),
        _ => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

/// What runs, as people name it: `app.py`, `TestA::test_b`, `the import of app.core`.
pub fn subject(params: &ProfileParams) -> String {
    let path = file_path(&params.uri).unwrap_or_default();
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let module = || super::program::own_module(&path).map_or_else(|_| file.clone(), |(_, module)| module);
    match (params.what, &params.test, &params.name) {
        (Some(ProfileWhat::Configuration), _, Some(name)) => name.clone(),
        (Some(ProfileWhat::Import), _, Some(name)) => format!("the import of {name}"),
        (Some(ProfileWhat::Import), _, None) => format!("the import of {}", module()),
        (Some(ProfileWhat::Module), ..) => format!("module {}", module()),
        (Some(ProfileWhat::AllTests), ..) => "all tests".to_owned(),
        (_, Some(test), _) => test.clone(),
        (Some(ProfileWhat::TestFile), ..) => format!("the tests of {file}"),
        _ => file,
    }
}

/// The interpreter that somebody named: a name stays a name, a path is relative to the project.
fn interpreter(python: PathBuf, root: &Path) -> PathBuf {
    if python.as_os_str().as_encoded_bytes().contains(&b'/') { root.join(python) } else { python }
}

/// Whether the interpreter can import pytest, without importing it.
fn has_pytest(interpreter: &Path, root: &Path) -> bool {
    let program = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pytest') is None)";
    let mut command = Command::new(interpreter);
    command.args(["-c", program]).current_dir(root);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
