//! The command line as people and scripts meet it: what it prints where, its files, and its exit codes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::interpreter::Interpreter;
use crate::support::process::{Outcome, run};

const APP: &str = "\
import sys


def load(count):
    return [bytearray(1_000_000) for _ in range(count)]


if __name__ == '__main__':
    blocks = load(8)  # heaphint: limit 100 MB
    print(len(blocks), *sys.argv[1:])
    sys.exit(int(sys.argv[1]) if sys.argv[1:] else 0)
";

/// A folder with `app.py`, a project of its own.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        let this = Self(folder);
        this.write("app.py", APP);
        this.write("pyproject.toml", "");
        this
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a file can be written");
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
        let python = Interpreter::default().path;
        let search_path = std::env::var("PATH").unwrap_or_default();
        let folder = python.parent().expect("an interpreter is in a folder");
        command.current_dir(self.path()).args(arguments).env_remove("VIRTUAL_ENV");
        command.env("PATH", format!("{}:{search_path}", folder.display()));
        command
    }

    pub fn heaphint(&self, arguments: &[&str]) -> Outcome {
        run(&mut self.command(arguments), "")
    }

    /// Names of the captures in the folder, with `N` for numbers.
    fn captures(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("a folder can be listed");
        let names = entries.map(|entry| entry.expect("it can").file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> =
            names.filter(|name| name.ends_with(".heaphint")).map(|name| without_numbers(&name)).collect();
        names.sort();
        names
    }
}

fn without_numbers(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if shown.ends_with('N') => {}
            '0'..='9' => shown.push('N'),
            c => shown.push(c),
        }
    }
    shown
}

pub fn stdout(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.stdout).into_owned()
}

pub fn stderr(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.stderr).into_owned()
}

#[test]
fn a_run_says_where_its_capture_is_and_ends_as_the_program_does() {
    let folder = Folder::new();
    let outcome = folder.heaphint(&["run", "app.py", "7", "-q"]);
    assert_eq!((outcome.code, stdout(&outcome).as_str()), (7, "8 7 -q\n"));
    let said = without_numbers(&stderr(&outcome));
    let expected = "heaphint: peak N.N MiB, recorded in app.py.N.heaphint\n\
                    heaphint: next, try `heaphint lines app.py.N.heaphint` or `heaphint stats app.py.N.heaphint`\n";
    assert_eq!(said, expected);
    assert_eq!(folder.captures(), ["app.py.N.heaphint"]);
}

#[test]
fn captures_are_named_after_what_ran() {
    let folder = Folder::new();
    let outcomes = [
        folder.heaphint(&["run", "-q", "-c", "import sys; print(sys.argv)", "-q", "--", "x"]),
        folder.heaphint(&["run", "-q", "-m", "app", "0"]),
        folder.heaphint(&["run", "-q", "--", "sh", "-c", "python3 app.py; exit 3"]),
    ];
    assert_eq!(outcomes.each_ref().map(|outcome| outcome.code), [0, 0, 3]);
    assert_eq!(stdout(&outcomes[0]), "['-c', '-q', '--', 'x']\n");
    assert!(outcomes.iter().all(|outcome| outcome.stderr.is_empty()), "{outcomes:?}");
    assert_eq!(folder.captures(), ["app.N.heaphint", "sh.N.heaphint", "string.N.heaphint"]);
}

#[test]
fn a_signal_sent_to_heaphint_reaches_the_program() {
    let folder = Folder::new();
    folder.write(
        "waits.py",
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n\
         print('ready', flush=True)\ntime.sleep(60)\n",
    );
    let mut command = folder.command(&["run", "-q", "-o", "x.heaphint", "waits.py"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("heaphint starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is a pipe")).read_line(&mut line).expect("it can be read");
    assert_eq!(line, "ready\n");
    // SAFETY: takes numbers only; the child has not been waited for, so the id is its own.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    assert_eq!(child.wait().expect("a child can be waited for").code(), Some(5));
    let session = lines(&folder, &["x.heaphint"])["session"].clone();
    assert_eq!(session["exit_code"], 5);
}

#[test]
fn a_killed_program_has_the_code_that_a_shell_would_give() {
    let folder = Folder::new();
    let outcome =
        folder.heaphint(&["run", "-q", "-o", "x.heaphint", "-c", "import os; os.kill(os.getpid(), 9)"]);
    assert_eq!(outcome.code, 137);
    let session = lines(&folder, &["x.heaphint"])["session"].clone();
    assert_eq!((&session["exit_code"], &session["complete"]), (&Value::from(137), &Value::from(false)));
}

#[test]
fn what_cannot_be_done_is_said_before_the_program_starts() {
    let folder = Folder::new();
    folder.write("there.heaphint", "");
    folder.write("no-python", "");
    for (arguments, code, expected) in [
        (&["run"][..], 2, "there is nothing to run"),
        (&["run", "missing.py"], 2, "there is no file `missing.py`"),
        (&["run", "--python", "no-python", "app.py"], 2, "there is no interpreter `no-python`"),
        (&["run", "--python", "/bin/true", "app.py"], 2, "does not work as a Python interpreter"),
        (&["run", "-o", "there.heaphint", "app.py"], 2, "exists already"),
        (&["run", "-fo", "/dev/null", "app.py"], 2, "is not an ordinary file"),
        (&["run", "-o", "nowhere/x", "app.py"], 3, "does not exist"),
        (&["run", "-c", "app.py"], 2, "leave out `-c`"),
        (&["run", "--", "no-such-command"], 2, "there is no command `no-such-command`"),
        (&["flamegraph", "--nothing"], 2, "unexpected argument"),
        (&["lines", "--min", "5", "there.heaphint"], 2, "`5` is not a size"),
        (&["lines", "there.heaphint"], 3, "nothing was recorded"),
        (&["lines", "app.py"], 3, "this is not a heaphint capture"),
        (&["stats", "missing"], 3, "cannot read missing"),
    ] {
        let outcome = folder.heaphint(arguments);
        let said = stderr(&outcome);
        assert_eq!(outcome.code, code, "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(outcome.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(folder.captures(), ["there.heaphint"]);
}

#[test]
fn a_program_without_python_runs_and_is_explained() {
    let folder = Folder::new();
    let outcome = folder.heaphint(&["run", "--", "sh", "-c", "echo hello; exit 4"]);
    assert_eq!((outcome.code, stdout(&outcome).as_str()), (4, "hello\n"));
    assert!(stderr(&outcome).contains("nothing was recorded: it started no Python"), "{}", stderr(&outcome));
}

#[test]
fn annotated_source_has_figures_beside_the_lines() {
    let folder = Folder::new();
    let outcome = folder.heaphint(&["run", "-fq", "--lines", "-o", "x.heaphint", "app.py"]);
    let shown = stdout(&outcome);
    let row = "  7.63 MiB   7.63 MiB   7.63 MiB   7.63 MiB  5 │     return [bytearray(1_000_000)";
    assert!(shown.starts_with("8\n") && shown.contains(row), "{shown}");
    assert!(!shown.contains('\u{1b}'), "a file has no colours");

    let coloured = run(folder.command(&["lines", "x.heaphint"]).env("CLICOLOR_FORCE", "1"), "");
    assert!(stdout(&coloured).contains('\u{1b}'));
    let other = folder.heaphint(&["lines", "--file", "other.py", "x.heaphint"]);
    assert!(stdout(&other).contains("Nothing was recorded in these files."), "{}", stdout(&other));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = Folder::new();
    folder.heaphint(&["run", "-q", "-o", "x.heaphint", "app.py"]);
    let mut command = folder.command(&["lines", "--json", "x.heaphint"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("heaphint starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("a child can be waited for");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn the_demo_shows_its_source() {
    let outcome = Folder::new().heaphint(&["demo"]);
    assert_eq!(outcome.code, 0, "{}", stderr(&outcome));
    let shown = stdout(&outcome);
    assert!(shown.contains("readings[sensor] = array.array") && shown.contains("example.py"), "{shown}");
}

pub fn lines(folder: &Folder, captures: &[&str]) -> Value {
    let outcome = folder.heaphint(&[&["lines", "--json"], captures].concat());
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(&outcome)))
}

#[test]
fn a_page_is_written_beside_its_capture_and_never_over_another() {
    let folder = Folder::new();
    folder.heaphint(&["run", "-q", "-o", "app.heaphint", "app.py"]);
    let written = folder.heaphint(&["flamegraph", "app.heaphint"]);
    assert_eq!((written.code, stdout(&written).as_str()), (0, ""));
    assert_eq!(stderr(&written), "heaphint: the page is in app.html\n");
    let page = fs::read_to_string(folder.path().join("app.html")).expect("the page is text");
    assert!(page.starts_with("<!doctype html>"));

    let again = folder.heaphint(&["flamegraph", "app.heaphint"]);
    assert_eq!(again.code, 2);
    assert!(
        stderr(&again).contains("app.html exists already: choose another name with `-o`, or overwrite it")
    );
    assert_eq!(folder.heaphint(&["flamegraph", "-f", "app.heaphint"]).code, 0);

    let printed = folder.heaphint(&["flamegraph", "-o", "-", "app.heaphint"]);
    assert_eq!(stdout(&printed), page, "the same capture gives the same page");
    let bare = folder.heaphint(&["flamegraph", "--no-source", "-o", "-", "app.heaphint"]);
    assert!(bare.code == 0 && stdout(&bare).len() < page.len());
    assert_eq!(folder.heaphint(&["flamegraph", "--open", "-o", "-", "app.heaphint"]).code, 2);
    assert_eq!(folder.heaphint(&["flamegraph", "-o", "none/there.html", "app.heaphint"]).code, 3);
    assert_eq!(folder.heaphint(&["flamegraph", "missing.heaphint"]).code, 3);
}
