//! Interpreters are asked what they are before a program runs in them: once, when the answer can only change with the
//! interpreter's file, and each time otherwise.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::interpreter::Interpreter;
use crate::support::process::{Outcome, run};

/// A folder with a program, a cache of its own, and a log of all processes.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("the temporary folder is writable"));
        std::fs::write(folder.path("app.py"), "print('ran')\n").expect("a file can be written");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, python: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
        command.current_dir(self.0.path()).args(["run", "-q", "-f", "-o", "x.heaphint", "--python"]);
        command.arg(python).arg("app.py").env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    /// Runs the program; how many processes that took. The dynamic loader writes a file for each.
    fn processes(&self, python: &Path) -> usize {
        let log = self.path("log");
        std::fs::create_dir(&log).expect("a folder can be made");
        let mut command = self.command(python);
        command.env("LD_DEBUG", "statistics").env("LD_DEBUG_OUTPUT", log.join("process"));
        ran(&run(&mut command, ""));
        let count = std::fs::read_dir(&log).expect("a folder can be listed").count();
        std::fs::remove_dir_all(&log).expect("it can be removed");
        count
    }

    /// What is kept in the cache of interpreters.
    fn entries(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("cache/heaphint")).expect("the cache is there");
        let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
        paths.filter(|path| path.to_string_lossy().contains("/interpreter-")).collect()
    }

    /// Writes a program that starts another one.
    fn script(&self, text: &str) -> PathBuf {
        let path = self.path("python");
        std::fs::write(&path, text).expect("a file can be written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("it can be made a program");
        path
    }
}

fn ran(outcome: &Outcome) {
    assert_eq!((outcome.code, outcome.stdout.as_slice()), (0, &b"ran\n"[..]), "{}", outcome.text());
}

/// The program, the question, and heaphint itself.
const ASKED: usize = 3;

#[test]
fn an_interpreter_is_asked_once() {
    for interpreter in Interpreter::all() {
        let folder = Folder::new();
        let version = &interpreter.version;
        assert_eq!(folder.processes(&interpreter.path), ASKED, "{version}");
        assert_eq!(folder.processes(&interpreter.path), ASKED - 1, "{version}");
        // Through a virtual environment it is the same interpreter.
        let link = folder.path("venv-python");
        std::os::unix::fs::symlink(&interpreter.path, &link).expect("a link can be made");
        assert_eq!(folder.processes(&link), ASKED - 1, "{version}");
    }
}

#[test]
fn a_damaged_answer_is_asked_for_again() {
    let folder = Folder::new();
    let python = Interpreter::default().path;
    assert_eq!(folder.processes(&python), ASKED);
    let [entry] = &folder.entries()[..] else { panic!("{:?}", folder.entries()) };
    let kept = std::fs::read_to_string(entry).expect("it is text");
    // Nobody has signed this.
    std::fs::write(entry, kept.replacen("cpython", "pypypyt", 1)).expect("it can be written");
    assert_eq!(folder.processes(&python), ASKED);
    assert_eq!(std::fs::read_to_string(entry).expect("it is mended"), kept);
    std::fs::remove_dir_all(folder.path("cache")).expect("a cache can be emptied");
    assert_eq!(folder.processes(&python), ASKED);
}

/// pyenv's `python3` is a script that looks for the interpreter to start.
#[test]
fn a_script_is_asked_each_time() {
    let folder = Folder::new();
    let python = Interpreter::default().path;
    let script =
        folder.script(&format!("#!/bin/sh\necho \"$#\" >> asked\nexec '{}' \"$@\"\n", python.display()));
    for _ in 0..2 {
        ran(&run(&mut folder.command(&script), ""));
    }
    assert_eq!(std::fs::read_to_string(folder.path("asked")).expect("the log is there"), "4\n1\n4\n1\n");
    assert_eq!(folder.entries(), Vec::<PathBuf>::new());
    // It has changed its mind.
    folder.script("#!/bin/sh\necho pypy 3 10\n");
    let refused = run(&mut folder.command(&script), "");
    assert_eq!(refused.code, 2, "{}", refused.text());
    assert!(refused.text().contains("is pypy 3.10"), "{}", refused.text());
}

/// mise and others have one program that starts whichever interpreter the folder and the environment ask for.
#[test]
fn a_program_that_starts_an_interpreter_is_asked_each_time() {
    let folder = Folder::new();
    let python = Interpreter::default().path;
    let source = folder.path("chooses.c");
    let text = "#include <stdlib.h>\n#include <unistd.h>\n\
                int main(int count, char **words) { return execv(getenv(\"CHOSEN\"), words); }\n";
    std::fs::write(&source, text).expect("a file can be written");
    let chooses = folder.path("python3");
    let outcome = run(Command::new("cc").arg(&source).arg("-o").arg(&chooses), "");
    assert_eq!(outcome.code, 0, "the tests need a C compiler named cc: {}", outcome.text());
    for _ in 0..2 {
        ran(&run(folder.command(&chooses).env("CHOSEN", &python), ""));
    }
    assert_eq!(folder.entries(), Vec::<PathBuf>::new());
    let refused = run(folder.command(&chooses).env("CHOSEN", "/bin/echo"), "");
    assert_eq!(refused.code, 2, "{}", refused.text());
    assert!(refused.text().contains("does not work as a Python interpreter"), "{}", refused.text());
}
