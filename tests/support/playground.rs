//! A folder of its own with the Python subjects, where they run under heaphint and without it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::interpreter::Interpreter;
use super::process::{Outcome, run};

/// The `tests` folder of the repository.
pub fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

/// A copy of `programs/` and `oracle/` in one temporary folder. It is no part of this repository, so that the
/// project root of a script there is the folder itself.
pub struct Playground {
    folder: TempDir,
}

impl Playground {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        for source in ["programs", "oracle", "native"] {
            for entry in std::fs::read_dir(tests_folder().join(source)).expect("the subjects are there") {
                let path = entry.expect("a folder can be listed").path();
                if path.extension().is_some_and(|extension| extension == "py") {
                    let name = path.file_name().expect("a file has a name");
                    std::fs::copy(&path, folder.path().join(name)).expect("a subject can be copied");
                }
            }
        }
        Self { folder }
    }

    /// The folder, named as the kernel names it.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("the folder exists")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The text of a subject.
    pub fn source(&self, script: &str) -> String {
        std::fs::read_to_string(self.path(script)).expect("a subject is text")
    }

    /// Runs a script as it is.
    pub fn run_untraced(&self, interpreter: &Interpreter, script: &str, input: &str) -> Outcome {
        run(self.in_here(Command::new(&interpreter.path)).arg(self.path(script)), input)
    }

    /// Runs a script under heaphint. Its captures go into a folder of their own.
    pub fn run_traced(&self, interpreter: &Interpreter, script: &str, input: &str) -> (Outcome, Recorded) {
        let recorded = self.recorded(interpreter, script);
        (run(&mut self.traced(interpreter, script, &recorded), input), recorded)
    }

    /// The command that runs a script under heaphint.
    pub fn traced(&self, interpreter: &Interpreter, script: &str, recorded: &Recorded) -> Command {
        self.traced_with(interpreter, script, recorded, &[])
    }

    /// The same, with further options.
    pub fn traced_with(
        &self,
        interpreter: &Interpreter,
        script: &str,
        recorded: &Recorded,
        options: &[&str],
    ) -> Command {
        let mut command = self.in_here(Command::new(env!("CARGO_BIN_EXE_heaphint")));
        command.arg("run").arg("-q").arg("-o").arg(&recorded.main).args(options);
        command.arg("--python").arg(&interpreter.path).arg(self.path(script));
        command
    }

    /// A new folder for the captures of one run.
    pub fn recorded(&self, interpreter: &Interpreter, script: &str) -> Recorded {
        let prefix = format!("{script}-{}-", interpreter.version);
        let folder = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(self.folder.path())
            .expect("a folder for captures can be made");
        Recorded { main: folder.path().join("main.heaphint"), folder }
    }

    fn in_here(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.path()).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// The captures of one run.
pub struct Recorded {
    /// The capture of the process that was started.
    pub main: PathBuf,
    folder: TempDir,
}

impl Recorded {
    /// Captures of forked children.
    pub fn children(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder exists");
        let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
        paths
            .filter(|path| *path != self.main && path.extension().is_some_and(|it| it == "heaphint"))
            .collect()
    }
}

/// The library that traced programs have loaded.
///
/// # Panics
/// When a program has loaded none.
pub fn tracer_library() -> PathBuf {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
    command.current_dir(folder.path()).args(["run", "-q", "--python"]).arg(Interpreter::default().path);
    let outcome = run(command.args(["-c", "print(open('/proc/self/maps').read())"]), "");
    let maps = String::from_utf8(outcome.stdout).expect("maps are text");
    maps.split_whitespace().find(|word| word.contains("/tracer-")).expect("the library is loaded").into()
}

/// What `heaphint lines --json` says about a capture.
pub fn lines(capture: &Path) -> Result<Value, String> {
    let outcome = run(
        Command::new(env!("CARGO_BIN_EXE_heaphint")).args(["lines", "--json", "--min", "0"]).arg(capture),
        "",
    );
    if outcome.code != 0 {
        return Err(format!("heaphint lines failed: {}", outcome.text()));
    }
    serde_json::from_slice(&outcome.stdout).map_err(|error| format!("its JSON is broken: {error}"))
}
