//! The stacks that the tracer reads are those that Python itself shows, on random call graphs.
//!
//! The tracer is built with the feature `frame-oracle` and loaded by the script that compares, without any hook.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::subjects::complaints;
use crate::support::interpreter::Interpreter;
use crate::support::playground::tests_folder;
use crate::support::process::run;

const SEEDS: [&str; 2] = ["1", "2"];
const STACKS: &str = "8000";

#[test]
fn stacks_are_those_that_python_shows() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("frame-oracle");
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    build.args(["build", "-q", "-p", "heaphint-tracer", "--profile", "tracer"]);
    build.args(["--features", "frame-oracle", "--target-dir"]).arg(&target);
    let status = build.stdin(Stdio::null()).status().expect("cargo runs");
    assert!(status.success(), "the tracer does not build with the frame oracle");

    let interpreters = Interpreter::all();
    let runs: Vec<_> = interpreters.iter().flat_map(|it| SEEDS.map(|seed| (it, seed))).collect();
    let complaints = complaints(&runs, |(interpreter, seed)| {
        let mut fuzz = Command::new(&interpreter.path);
        fuzz.arg(tests_folder().join("programs/fuzz_stacks.py"));
        fuzz.arg(target.join("tracer/libheaphint_tracer.so")).args([seed, STACKS]);
        let outcome = run(&mut fuzz, "");
        let failed = outcome.code != 0;
        failed
            .then(|| format!("seed {seed} on {}: {}", interpreter.version, outcome.text()))
            .into_iter()
            .collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
