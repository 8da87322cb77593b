//! Recording begins in the process that becomes a Python interpreter, and in no other: not in one that only could.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::support::interpreter::Interpreter;
use crate::support::playground::lines;
use crate::support::process::{Outcome, run};

/// A folder with a Python program, and C programs that start it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("the temporary folder is writable"));
        folder.write("app.py", "import os\nkept = bytearray(5_000_000)\nprint('LD_PRELOAD' in os.environ)\n");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file can be written");
    }

    /// Compiles a C program; what the compiler says.
    fn compile(&self, text: &str, more: &[String]) -> Outcome {
        self.write("program.c", text);
        let mut compiler = Command::new("cc");
        compiler.current_dir(self.0.path()).args(["-rdynamic", "program.c", "-o", "program"]).args(more);
        run(&mut compiler, "")
    }

    /// Runs the C program with the interpreter's path as its argument, recorded.
    fn run(&self, interpreter: &Interpreter) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
        command.current_dir(self.0.path()).args(["run", "-q", "-o", "%p.heaphint", "--", "./program"]);
        run(command.arg(&interpreter.path), "")
    }

    /// For each capture: whether `app.py` line 2 allocated the 5 MB, and whether a text `<embedded>` allocated 7 MB.
    fn captures(&self) -> Vec<[bool; 2]> {
        let entries = std::fs::read_dir(self.0.path()).expect("a folder can be listed");
        let paths = entries.map(|entry| entry.expect("it can").path());
        let captures = paths.filter(|path| path.extension().is_some_and(|it| it == "heaphint"));
        let mut found: Vec<_> = captures
            .map(|capture| {
                let document = lines(&capture).expect("the capture is readable");
                let files = document["files"].as_array().expect("`files` is a list");
                let has = |name: &str, line: u64, bytes: u64| {
                    let files =
                        files.iter().filter(|it| it["path"].as_str().is_some_and(|it| it.ends_with(name)));
                    let mut lines = files.flat_map(|it| it["lines"].as_array()).flatten();
                    lines
                        .any(|it| it["line"] == line && it["self"]["allocated_bytes"].as_u64() >= Some(bytes))
                };
                [has("app.py", 2, 5_000_000), has("<string>", 1, 7_000_000)]
            })
            .collect();
        found.sort();
        found
    }
}

/// Runs `app.py` with the interpreter that is named, and waits for it.
const START: &str = r#"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int start(char *python) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        free(malloc(100));
        execl(python, python, "app.py", (char *)0);
        _exit(127);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
"#;

/// It has the functions by which Python is known, as perf has them, and never calls one.
const COULD_BE_PYTHON: &str = r#"
void *_PyRuntime[1000];
const char *Py_GetVersion(void) { return "3.11.7 (main)"; }
void *PyInterpreterState_Main(void) { return 0; }

int main(int count, char **words) {
    free(malloc(1000));
    return start(words[1]);
}
"#;

#[test]
fn a_program_that_only_could_run_python_leaves_no_capture_and_its_children_do() {
    let folder = Folder::new();
    let outcome = folder.compile(&format!("{START}{COULD_BE_PYTHON}"), &[]);
    assert_eq!(outcome.code, 0, "the tests need a C compiler named cc: {}", outcome.text());
    let outcome = folder.run(&Interpreter::default());
    assert_eq!((outcome.code, outcome.stdout.as_slice()), (0, &b"False\n"[..]), "{}", outcome.text());
    assert_eq!(folder.captures(), [[true, false]]);
}

/// Starts Python in a process of its own first, then becomes one, and starts another.
const BECOMES_PYTHON: &str = r#"
void Py_InitializeEx(int);
int PyRun_SimpleString(const char *);
int Py_FinalizeEx(void);

int main(int count, char **words) {
    int before = start(words[1]);
    Py_InitializeEx(0);
    int embedded = PyRun_SimpleString("kept = bytearray(7_000_000)");
    int after = start(words[1]);
    return before + embedded + after + Py_FinalizeEx();
}
"#;

/// Where the interpreter's library is, for the linker; `None` when it has none.
fn library(interpreter: &Interpreter) -> Option<[String; 3]> {
    let question = "from sysconfig import get_config_var as v\n\
                    print(v('Py_ENABLE_SHARED'), v('LIBDIR'), v('LDVERSION'))";
    let outcome = run(Command::new(&interpreter.path).args(["-c", question]), "");
    let text = String::from_utf8(outcome.stdout).ok()?;
    let mut words = text.split_whitespace();
    let (shared, folder, version) = (words.next()?, words.next()?, words.next()?);
    (shared == "1")
        .then(|| [format!("-L{folder}"), format!("-Wl,-rpath,{folder}"), format!("-lpython{version}")])
}

#[test]
fn a_program_that_becomes_python_is_recorded_from_then_on() {
    for interpreter in Interpreter::all() {
        let Some(library) = library(&interpreter) else { continue };
        let folder = Folder::new();
        let outcome = folder.compile(&format!("{START}{BECOMES_PYTHON}"), &library);
        if outcome.code != 0 {
            // Debian has libraries without the links that a linker looks for.
            continue;
        }
        let outcome = folder.run(&interpreter);
        let version = &interpreter.version;
        assert_eq!(
            (outcome.code, outcome.stdout.as_slice()),
            (0, &b"False\nFalse\n"[..]),
            "{}",
            outcome.text()
        );
        // The child that is forked from it is recorded until it becomes another program, which is recorded, too.
        let expected = [[false, false], [false, true], [true, false], [true, false]];
        assert_eq!(folder.captures(), expected, "{version}");
    }
}
