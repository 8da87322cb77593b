//! The stacks that the tracer reads are those that Python itself shows, on random call graphs.
//!
//! The tracer is built with the feature `frame-oracle` and loaded by the script that compares, without any hook. For
//! the second test it traces that script, and compares the stack of every allocation with one for which it has read
//! every frame.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::subjects::complaints;
use crate::support::interpreter::{Interpreter, say};
use crate::support::playground::tests_folder;
use crate::support::process::run;

const SEEDS: [&str; 2] = ["1", "2"];
const STACKS: &str = "8000";

/// Stacks of allocations that the second test compares at least, for each interpreter and seed.
const REMEMBERED: &str = "50000";

/// Builds a tracer with a feature; the library.
fn build(feature: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(feature);
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    build.args(["build", "-q", "-p", "heaphint-tracer", "--profile", "tracer"]);
    build.args(["--features", feature, "--target-dir"]).arg(&target);
    let status = build.stdin(Stdio::null()).status().expect("cargo runs");
    assert!(status.success(), "the tracer does not build with the feature {feature}");
    target.join("tracer/libheaphint_tracer.so")
}

/// Runs the script that compares; what it said if it failed.
fn fuzz(interpreter: &Interpreter, library: &Path, more: &[&str], capture: Option<&Path>) -> Option<String> {
    let mut fuzz = Command::new(&interpreter.path);
    fuzz.arg(tests_folder().join("programs/fuzz_stacks.py")).arg(library).args(more);
    if let Some(capture) = capture {
        // Every object is an allocation then.
        fuzz.env("LD_PRELOAD", library).env("HEAPHINT_CAPTURE", capture).env("PYTHONMALLOC", "malloc");
    }
    let outcome = run(&mut fuzz, "");
    if outcome.code == 0 {
        say(String::from_utf8_lossy(&outcome.stdout).trim());
    }
    (outcome.code != 0).then(|| format!("{more:?} on {}: {}", interpreter.version, outcome.text()))
}

#[test]
fn stacks_are_those_that_python_shows() {
    let library = build("frame-oracle");
    let interpreters = Interpreter::all();
    let runs: Vec<_> = interpreters.iter().flat_map(|it| SEEDS.map(|seed| (it, seed))).collect();
    let complaints = complaints(&runs, |(interpreter, seed)| {
        fuzz(interpreter, &library, &[seed, STACKS], None).into_iter().collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn remembered_stacks_are_those_that_are_read() {
    let library = build("frame-oracle");
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let interpreters = Interpreter::all();
    let runs: Vec<_> = interpreters.iter().flat_map(|it| SEEDS.map(|seed| (it, seed))).collect();
    let complaints = complaints(&runs, |(interpreter, seed)| {
        let capture = folder.path().join(format!("{}-{seed}.heaphint", interpreter.version));
        fuzz(interpreter, &library, &[seed, "3000", REMEMBERED], Some(&capture)).into_iter().collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Markers that prove nothing are believed, on purpose: the comparison has to notice, on every interpreter.
#[test]
fn wrong_markers_are_found() {
    let library = build("frame-oracle-control");
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let [seed, _] = SEEDS;
    let unnoticed = complaints(&Interpreter::all(), |interpreter| {
        let capture = folder.path().join(format!("{}.heaphint", interpreter.version));
        let said = fuzz(interpreter, &library, &[seed, "3000", REMEMBERED], Some(&capture));
        let is_noticed = said.as_ref().is_some_and(|text| text.contains("heaphint: a remembered stack"));
        let unnoticed = || format!("{}: {}", interpreter.version, said.as_deref().unwrap_or("no difference"));
        if is_noticed { Vec::new() } else { vec![unnoticed()] }
    });
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}
