//! Recording is started and stopped from inside the process, whether the library was loaded early or late.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::subjects::complaints;
use crate::support::expectation::figure;
use crate::support::interpreter::{Interpreter, announce};
use crate::support::playground::{lines, tracer_library};
use crate::support::process::{Outcome, run};

/// Two recordings, with blocks before, between and after them, a thread of before, and forked children.
const PROGRAM: &str = "\
import ctypes, os, sys, threading

library = ctypes.PyDLL(sys.argv[1])
start, stop = library.heaphint_start, library.heaphint_stop
start.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
kept = []
go, gone = threading.Semaphore(0), threading.Semaphore(0)


def work():
    for _ in range(3):
        go.acquire()
        kept.append(bytearray(1_500_000))
        gone.release()


def others():
    go.release()
    gone.acquire()


threading.Thread(target=work, daemon=True).start()
before = bytearray(3_000_000)
print(library.heaphint_api_version(), stop(), start(None, None), start(b'', None), start(b'/nowhere/x', None))
print(start(b'first.heaphint', None), start(b'second.heaphint', None))
kept.append(bytearray(5_000_000))
del before
others()
held = ctypes.create_string_buffer(700_000)
late = ctypes.CDLL(None).malloc
late.restype = ctypes.c_void_p
ctypes.CDLL(None).free(ctypes.c_void_p(late(900_000)))
if os.fork() == 0:
    kept.append(bytearray(4_000_000))
    os._exit(3)
os.wait()
for _ in range(10):
    bytes(100_000)
print(stop(), stop())
kept.append(bytearray(9_000_000))
others()
os.chdir('/')
print(start(sys.argv[2].encode() + b'/second.heaphint', b''), start(b'third.heaphint', None))
kept.append(bytearray(2_000_000))
others()
if os.fork() == 0:
    kept.append(bytearray(6_000_000))
    os._exit(0)
os.wait()
print(stop(), start(sys.argv[2].encode() + b'/second.heaphint', None))
if os.fork() == 0:
    kept.append(bytearray(7_000_000))
    os._exit(0)
os.wait()
";

/// What it prints.
const ANSWERS: &str = "1 -5 -3 -3 -4\n0 -1\n0 -5\n0 -1\n0 -4\n";

/// What the program allocated in all, on lines with these words: in the first recording, in the second, and in the child that
/// was forked in the first.
fn known(room: u64) -> [(&'static str, [u64; 3]); 9] {
    [
        ("bytearray(3_000_000)", [0, 0, 0]),
        ("bytearray(5_000_000)", [5_000_000 + room, 0, 0]),
        ("bytearray(1_500_000)", [1_500_000 + room, 1_500_000 + room, 0]),
        ("bytearray(4_000_000)", [0, 0, 4_000_000 + room]),
        ("bytearray(9_000_000)", [0, 0, 0]),
        ("bytearray(2_000_000)", [0, 2_000_000 + room, 0]),
        ("bytearray(6_000_000)", [0, 0, 0]),
        ("late(900_000)", [900_000, 0, 0]),
        ("    bytes(100_000)", [10 * 100_033, 0, 0]),
    ]
}

struct Ran {
    outcome: Outcome,
    script: PathBuf,
    /// What `lines` says of each capture, in the order of `known`.
    documents: Vec<Value>,
}

impl Ran {
    fn new(interpreter: &Interpreter, library: &Path, early: bool) -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        let script = folder.path().join("app.py");
        std::fs::write(&script, PROGRAM).expect("a file can be written");
        let mut command = Command::new(&interpreter.path);
        // A warning that a program with threads forks would import modules, and those may have to be compiled first.
        command.args(["-W", "ignore"]);
        command.current_dir(folder.path()).arg(&script).arg(library).arg(folder.path());
        if early {
            command.env("LD_PRELOAD", library);
        }
        let outcome = run(&mut command, "");
        let entries = std::fs::read_dir(folder.path()).expect("a folder can be listed");
        let paths = entries.map(|entry| entry.expect("it can").path());
        let mut captures: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|it| it == "heaphint")).collect();
        captures.sort_by_key(|path| path.file_name().map(std::ffi::OsStr::len));
        let documents = captures.iter().map(|path| lines(path).expect("the capture is readable")).collect();
        Self { outcome, script, documents }
    }

    /// A figure of a line of the program in each capture.
    fn figures(&self, words: &str, name: &str) -> Vec<u64> {
        let at = PROGRAM.lines().position(|line| line.contains(words)).expect("the program has such a line");
        let script = self.script.to_str().expect("paths are text");
        let figures = self.documents.iter().map(|document| figure(document, script, at as u64 + 1, name));
        figures.map(|figure| figure.as_u64().expect("a number")).collect()
    }
}

#[test]
fn a_recording_is_started_and_stopped_from_inside() {
    let interpreters = Interpreter::all();
    announce("start and stop from inside", &interpreters);
    let library = tracer_library();
    let complaints = complaints(&interpreters, |interpreter| {
        let version = &interpreter.version;
        // A bytearray needs a byte more than it has, and from 3.15 on 33 more.
        let known = known(if version.starts_with("3.15.") { 33 } else { 1 });
        let [late, early] = [false, true].map(|early| Ran::new(interpreter, &library, early));
        let mut found = Vec::new();
        for ran in [&late, &early] {
            if ran.outcome.stdout != ANSWERS.as_bytes() || ran.outcome.code != 0 || ran.documents.len() != 3 {
                found.push(format!("{version}: {} captures, {}", ran.documents.len(), ran.outcome.text()));
                return found;
            }
            for (words, bytes) in known {
                let figures = ran.figures(words, "self.allocated_bytes");
                if figures != bytes {
                    found.push(format!("{version}: {words}: {figures:?} and not {bytes:?}"));
                }
            }
        }
        // Loaded late or early, the same is seen.
        for line in PROGRAM.lines().filter(|line| line.contains('(')) {
            for name in
                ["self.allocated_bytes", "self.leaked_bytes", "self.peak_bytes", "self.temporary_bytes"]
            {
                let [late, early] = [&late, &early].map(|ran| ran.figures(line, name));
                if late != early {
                    found.push(format!("{version}: {line} has {name} {late:?}; loaded early, {early:?}"));
                }
            }
        }
        found
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// A recording of nothing, after one in which everything has been there once.
const EMPTY: &str = "\
import ctypes, sys

library = ctypes.PyDLL(sys.argv[1])
start, stop = library.heaphint_start, library.heaphint_stop
start.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
for name in (b'first.heaphint', b'empty.heaphint'):
    assert start(name, None) == 0
    if name == b'first.heaphint':
        kept = bytearray(100_000)
    assert stop() == 0
";

#[test]
fn a_recording_of_nothing_has_no_allocation() {
    let library = tracer_library();
    for interpreter in Interpreter::all() {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        std::fs::write(folder.path().join("app.py"), EMPTY).expect("a file can be written");
        let mut command = Command::new(&interpreter.path);
        let outcome = run(command.current_dir(folder.path()).arg("app.py").arg(&library), "");
        assert_eq!(outcome.code, 0, "{}: {}", interpreter.version, outcome.text());
        let [first, empty] = ["first.heaphint", "empty.heaphint"].map(|name| {
            let document = lines(&folder.path().join(name)).expect("the capture is readable");
            document["session"]["allocated_count"].as_u64().expect("a number")
        });
        assert!(first >= 1, "{}", interpreter.version);
        assert_eq!(empty, 0, "{}", interpreter.version);
    }
}
