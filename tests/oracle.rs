//! Each allocator function, called exactly once by a C extension, is recorded exactly once.

use std::process::Command;

use crate::subjects::{complaints, contradictions};
use crate::support::interpreter::Interpreter;
use crate::support::playground::{Playground, tests_folder};
use crate::support::process::run;

/// Compiles the extension into the playground; one build serves every interpreter.
pub fn build(playground: &Playground) {
    let mut compiler = Command::new("cc");
    compiler.args(["-O0", "-fno-builtin", "-shared", "-fPIC"]).arg(tests_folder().join("oracle/oracle.c"));
    compiler.arg("-o").arg(playground.path("oracle.abi3.so")).args(["-ldl", "-lpthread"]);
    let outcome = run(&mut compiler, "");
    assert_eq!(outcome.code, 0, "the tests need a C compiler named cc: {}", outcome.text());
}

#[test]
fn every_allocator_call_counts_once() {
    let playground = Playground::new();
    build(&playground);
    let interpreters = Interpreter::all();
    let runs: Vec<_> =
        interpreters.iter().flat_map(|it| ["calls.py", "threads.py"].map(|script| (it, script))).collect();
    let complaints = complaints(&runs, |(interpreter, script)| {
        let plain = playground.run_untraced(interpreter, script, "");
        let (traced, _recorded) = playground.run_traced(interpreter, script, "");
        let mut found = contradictions(&playground, interpreter, script);
        if plain != traced || plain.code != 0 {
            found.push(format!("{}\nunder heaphint {}", plain.text(), traced.text()));
        }
        found.iter().map(|it| format!("{script} on {}: {it}", interpreter.version)).collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
