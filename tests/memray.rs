//! The same subjects through Memray 1.20: what a line holds at the peak is the same to the byte.
//!
//! Where the two differ and Memray is at fault, a test of its own says why and holds both figures.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use heaphint_format::Capture;
use serde_json::Value;

use crate::subjects::{can_run, complaints, names};
use crate::support::expectation::{SMALL, Subject, figure};
use crate::support::interpreter::Interpreter;
use crate::support::packages::environment;
use crate::support::playground::{Playground, lines, tests_folder};
use crate::support::process::run;

/// A virtual environment with Memray and NumPy.
pub fn memray_python() -> &'static Interpreter {
    static MADE: OnceLock<Interpreter> = OnceLock::new();
    MADE.get_or_init(|| environment("memray", &["memray==1.20.*", "numpy"]))
}

/// Memray's figures for a script, in the shape of `heaphint lines --json`.
fn memray(playground: &Playground, script: &str) -> Value {
    let python = &memray_python().path;
    let capture: PathBuf = playground.path(&format!("{script}.memray"));
    let mut command = Command::new(python);
    command.args(["-m", "memray", "run", "-q", "-f", "-o"]).arg(&capture).arg(playground.path(script));
    run(command.env("PYTHONDONTWRITEBYTECODE", "1"), "some input\n");
    let mut command = Command::new(python);
    let outcome = run(command.arg(tests_folder().join("support/memray_lines.py")).arg(&capture), "");
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.text()))
}

/// Heaphint's figures for a script, and its capture.
fn heaphint(playground: &Playground, script: &str) -> (Value, Capture) {
    let (outcome, recorded) = playground.run_traced(memray_python(), script, "some input\n");
    let document = lines(&recorded.main).unwrap_or_else(|error| panic!("{error}: {}", outcome.text()));
    (document, heaphint_record::read_capture(&recorded.main).expect("the capture is readable"))
}

/// Bytes that a file's lines held at the peak, self and total, in blocks of at least `smallest` bytes on average
/// of a stack: a report by lines has no sizes, so this adds up the capture's stacks.
fn peaks(capture: &Capture, path: &str, smallest: u64) -> BTreeMap<u64, [u64; 2]> {
    let mut peaks: BTreeMap<u64, [u64; 2]> = BTreeMap::new();
    for site in &capture.sites {
        if site.peak_bytes < smallest * u64::from(site.peak_count) {
            continue;
        }
        let (mut at, mut seen) = (site.stack, BTreeSet::new());
        while at != 0 {
            let stack = capture.stacks[at as usize];
            if capture.text(capture.codes[stack.code as usize].file) == path {
                let [own, total] = peaks.entry(stack.line.into()).or_default();
                *own += if at == site.stack { site.peak_bytes } else { 0 };
                *total += if seen.insert(stack.line) { site.peak_bytes } else { 0 };
            }
            at = stack.parent;
        }
    }
    peaks
}

/// What Memray says a line held at the peak in blocks of 10 kB and more.
fn large_of(document: &Value, path: &str, line: u64, scope: &str) -> u64 {
    let files = document["files"].as_array().into_iter().flatten().filter(|it| it["path"] == path);
    let mut lines = files.flat_map(|it| it["lines"].as_array()).flatten();
    let found = lines.find(|it| it["line"] == line);
    found.and_then(|it| it[scope]["large_peak_bytes"].as_u64()).unwrap_or(0)
}

/// Figures of both, for one line.
fn both(script: &str, line_of: &str, name: &str) -> (u64, u64) {
    let playground = Playground::new();
    let source = playground.source(script);
    let line = source.lines().position(|text| text.contains(line_of)).expect("the line is there") as u64 + 1;
    let path = playground.path(script);
    let path = path.to_str().expect("paths are text");
    let of = |document: Value| figure(&document, path, line, name).as_u64().expect("a figure");
    (of(heaphint(&playground, script).0), of(memray(&playground, script)))
}

/// Lines of a subject for which the peaks of the two are not the same, or not what `heaphint lines` shows.
fn disagreements(playground: &Playground, script: &str, subject: &Subject) -> Vec<String> {
    let source = playground.source(script);
    let ((document, capture), theirs) = (heaphint(playground, script), memray(playground, script));
    let path = playground.path(script);
    let path = path.to_str().expect("paths are text");
    let (all, large) = (peaks(&capture, path, 0), peaks(&capture, path, SMALL));
    let mut found = Vec::new();
    for (number, text) in (1u64..).zip(source.lines()) {
        for (index, scope) in ["self", "total"].into_iter().enumerate() {
            let of = |peaks: &BTreeMap<u64, [u64; 2]>| peaks.get(&number).map_or(0, |both| both[index]);
            let shown = figure(&document, path, number, &format!("{scope}.peak_bytes"));
            if shown != of(&all) {
                found.push(format!("{script} line {number}: {scope} is {}, shown as {shown}", of(&all)));
            }
            // What an import costs depends on the modules that Memray itself has imported before.
            if text.contains("import ") || subject.memray_differs_on.contains(&number) {
                continue;
            }
            let theirs = large_of(&theirs, path, number, scope);
            if of(&large) != theirs {
                let ours = of(&large);
                found.push(format!("{script} line {number}: {scope} is {ours}, Memray says {theirs}"));
            }
        }
    }
    found
}

#[test]
fn peaks_agree_to_the_byte() {
    let playground = Playground::new();
    let complaints = complaints(&names(), |script| {
        let subject = Subject::parse(&playground.source(script));
        if subject.memray_differs {
            return Vec::new();
        }
        assert!(can_run(memray_python(), &subject), "the virtual environment has {:?}", subject.requires);
        subject.attempt(|| disagreements(&playground, script, &subject))
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Memray does not know mremap: a mapping keeps the size it was made with.
#[test]
fn memray_misses_mremap() {
    assert_eq!(both("mremap.py", "region.resize(9 * MIB)", "self.peak_bytes"), (9 << 20, 0));
    assert_eq!(both("mremap.py", "mmap.mmap(-1, MIB", "self.peak_bytes"), (0, 1 << 20));
}

/// Memray patches the call sites of loaded libraries; a call by ctypes goes through a pointer.
#[test]
fn memray_misses_calls_by_ctypes() {
    let line = "c.malloc(1_000_003)";
    assert_eq!(both("allocator_calls_libc.py", line, "self.peak_bytes"), (1_000_003, 0));
    assert_eq!(both("thread_without_gil.py", "c.malloc(100_000)", "self.peak_bytes"), (2_000_000, 0));
}

/// Memray keeps stacks with a profile function; a program that sets its own takes the stacks away.
#[test]
fn memray_loses_stacks_after_setprofile() {
    assert_eq!(both("setprofile_none.py", "bytearray(2_000_000)", "self.peak_bytes"), (2_000_001, 2_000_001));
    assert_eq!(both("setprofile_none.py", "bytearray(3_000_000)", "self.peak_bytes"), (3_000_001, 0));
}

/// Memray stops before the program's exit handlers run.
#[test]
fn memray_misses_exit_handlers() {
    assert_eq!(both("atexit_handlers.py", "bytearray(4_000_000)", "self.allocated_bytes"), (4_000_001, 0));
}

/// Memray runs a script inside a function and clears its globals before it stops: they are not leaked there.
#[test]
fn memray_clears_globals_before_it_looks_for_leaks() {
    assert_eq!(both("environment.py", "KEPT = bytearray", "self.leaked_bytes"), (2_000_001, 0));
}

/// Memray writes to a descriptor, and loses everything when the program closes it.
#[test]
fn memray_loses_its_file_to_close() {
    let (ours, theirs) = both("closed_descriptors.py", "ANCHOR = bytearray(9_000_000)", "self.max_bytes");
    assert!(ours >= 9_000_001 && theirs == 0, "{ours}, {theirs}");
}

/// Whether the interpreter's program stands in for the C library's functions: one that is not position-independent, like
/// Debian's, has an address of its own for a function that it takes the address of. Whoever looks the function up, as the
/// dynamic loader does, is led through the program, which Memray has patched.
fn stands_in_for_malloc(interpreter: &Interpreter) -> bool {
    let question = "import ctypes\n\
        of = lambda name: ctypes.cast(ctypes.CDLL(name).malloc, ctypes.c_void_p).value\n\
        print(of(None) != of('libc.so.6'))";
    let outcome = run(Command::new(&interpreter.path).args(["-c", question]), "");
    match outcome.stdout.as_slice() {
        b"True\n" => true,
        b"False\n" => false,
        _ => panic!("{}", outcome.text()),
    }
}

/// Memray does not see what the dynamic loader takes for a library's thread-local variables, unless that happens to go
/// through a program that it has patched.
#[test]
fn memray_misses_thread_local_storage() {
    let (ours, theirs) = both("numpy_arrays.py", "ONES * 2.0 + 1.0", "self.leaked_bytes");
    let misses = !stands_in_for_malloc(memray_python());
    assert!(ours >= 10_000 && (theirs < 10_000) == misses, "{ours}, {theirs}, {misses}");
}
