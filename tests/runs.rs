//! Figures of a run as a whole: over its processes, its threads, and what it says about itself.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::expectation::figure;
use crate::support::interpreter::Interpreter;
use crate::support::playground::{Playground, lines};
use crate::support::process::run;

/// The line, 1-based, that contains a text.
fn line_of(source: &str, text: &str) -> u64 {
    source.lines().position(|line| line.contains(text)).expect("it is there") as u64 + 1
}

fn report(arguments: &[&str], capture: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
    let outcome = run(command.args(arguments).arg(capture), "");
    assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.text());
    serde_json::from_slice(&outcome.stdout).expect("the report is JSON")
}

/// Three workers share the jobs as they like; nothing is lost and nothing is counted twice.
#[test]
fn workers_of_a_pool_are_counted_to_the_last_block() {
    let playground = Playground::new();
    let (script, interpreter) = ("pool_counts.py", Interpreter::default());
    let (outcome, recorded) = playground.run_traced(&interpreter, script, "");
    assert_eq!((outcome.code, outcome.stdout.as_slice()), (0, &b"15112\n"[..]), "{}", outcome.text());
    let line = line_of(&playground.source(script), "c.free(c.valloc(1_234))");
    let path = playground.path(script);
    let path = path.to_str().expect("paths are text");
    let facts = |capture: &Path| {
        let document = lines(capture).expect("the capture is readable");
        ["allocated_count", "allocated_bytes", "temporary_count", "leaked_count"]
            .map(|name| figure(&document, path, line, &format!("self.{name}")).as_u64().expect("a figure"))
    };
    let children = recorded.children();
    assert_eq!(children.len(), 3);
    let sum = children.iter().map(|child| facts(child)).fold([0; 4], |sum, child| {
        let [a, b, c, d] = child;
        [sum[0] + a, sum[1] + b, sum[2] + c, sum[3] + d]
    });
    assert_eq!(sum, [15_111, 15_111 * 1_234, 15_111, 0]);
    assert_eq!(facts(&recorded.main), [1, 1_234, 1, 0]);
}

/// Two threads that leak on one line: a row for each, or one for both.
#[test]
fn threads_on_one_line_are_told_apart_or_added_up() {
    let playground = Playground::new();
    let script = "leaks.py";
    let (outcome, recorded) = playground.run_traced(&Interpreter::default(), script, "");
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    let line = line_of(&playground.source(script), "c.posix_memalign(");
    let rows = |more: &[&str]| {
        let arguments = [&["table", "--leaks", "--json"], more].concat();
        let document = report(&arguments, &recorded.main);
        let rows = document["rows"].as_array().expect("`rows` is a list").clone();
        let here = rows.into_iter().filter(|row| row["location"]["line"] == line && row["leaked_count"] != 0);
        here.map(|row| {
            [row["leaked_bytes"].clone(), row["leaked_count"].clone()]
                .map(|it| it.as_u64().expect("a number"))
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(rows(&["--threads"]), [[409_600, 2], [409_600, 2]]);
    assert_eq!(rows(&[]), [[819_200, 4]]);
}

#[test]
fn a_capture_says_what_was_run() {
    let playground = Playground::new();
    let interpreter = Interpreter::default();
    let script = "leaks.py";
    for (setting, said) in [("", "pymalloc"), ("malloc", "malloc"), ("pymalloc_debug", "pymalloc_debug")] {
        let recorded = playground.recorded(&interpreter, script);
        let mut traced = playground.traced(&interpreter, script, &recorded);
        let outcome = run(traced.args(["one", "two words"]).env("PYTHONMALLOC", setting), "");
        assert_eq!(outcome.code, 0, "{}", outcome.text());
        let stats = report(&["stats", "--json"], &recorded.main);
        let (metadata, session) = (&stats["metadata"], &stats["session"]);
        assert_eq!(metadata["python_allocator"], said, "{setting}");
        assert_eq!(session["python"], interpreter.version);
        let command = session["command"].as_array().expect("`command` is a list");
        assert_eq!(command[2..], ["one", "two words"]);
        assert_eq!(metadata["pid"], session["pid"]);
        assert_eq!(metadata["main_thread_id"], session["pid"]);
        assert_eq!(metadata["total_allocations"], stats["total_num_allocations"]);
        // However Python itself allocates, the ten blocks of one line are the same.
        let document = lines(&recorded.main).expect("the capture is readable");
        let path = playground.path(script);
        let path = path.to_str().expect("paths are text");
        let line = line_of(&playground.source(script), "c.valloc(102_400)");
        assert_eq!(figure(&document, path, line, "self.leaked_bytes"), 1_024_000);
    }
}
