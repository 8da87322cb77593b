//! Every Python subject has the figures it states, on every interpreter, and behaves as without heaphint.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::expectation::{SMALL, Subject};
use crate::support::interpreter::{Interpreter, announce};
use crate::support::playground::{Playground, lines, tests_folder};
use crate::support::process::{run, run_interleaved};

/// Files in `programs/` that state a figure, by name.
pub fn names() -> Vec<String> {
    let entries = std::fs::read_dir(tests_folder().join("programs")).expect("the subjects are there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("a folder can be listed"))
        .filter(|entry| std::fs::read_to_string(entry.path()).is_ok_and(|text| text.contains("# expect")))
        .map(|entry| entry.file_name().into_string().expect("a subject's name is text"))
        .collect();
    names.sort();
    names
}

/// Whether the interpreter has the module that a subject asks for.
pub fn can_run(interpreter: &Interpreter, subject: &Subject) -> bool {
    subject.requires.as_ref().is_none_or(|module| {
        let mut command = std::process::Command::new(&interpreter.path);
        run(command.arg("-c").arg(format!("import {module}")), "").code == 0
    })
}

/// Runs a subject under heaphint and says what contradicts its statements.
pub fn contradictions(playground: &Playground, interpreter: &Interpreter, script: &str) -> Vec<String> {
    let subject = Subject::parse(&playground.source(script));
    let (outcome, recorded) = playground.run_traced(interpreter, script, "some input\n");
    let children = recorded.children();
    let documents: Result<Vec<_>, _> =
        std::iter::once(&recorded.main).chain(&children).map(|it| lines(it)).collect();
    let Ok(documents) = documents else { return vec![format!("{documents:?}\n{}", outcome.text())] };
    let path = playground.path(script);
    let path = path.to_str().expect("paths are text");
    let statements = subject.statements.iter();
    let contradictions = statements.filter_map(|statement| {
        let Some(document) = documents.get(usize::from(statement.in_child)) else {
            return Some("there is no child's capture".to_owned());
        };
        statement.contradiction(document, path, documents.len())
    });
    contradictions.chain(inexact(&documents[0], path)).collect()
}

/// Every figure of a project's file is exact.
fn inexact(document: &Value, path: &str) -> Option<String> {
    let files = document["files"].as_array().expect("`files` is a list");
    let lines = files.iter().filter(|it| it["path"] == path).flat_map(|it| it["lines"].as_array()).flatten();
    let mut figures = lines.flat_map(|line| [&line["self"], &line["total"]].map(|figures| (line, figures)));
    let (line, figures) = figures.find(|(_, figures)| figures["exact"] == false)?;
    Some(format!("line {} is not exact: {figures}", line["line"]))
}

/// Calls `check` for each of `items` on a few threads and returns all complaints.
pub fn complaints<T: Sync>(items: &[T], check: impl Fn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let complaints = check(item);
                    found.lock().expect("no check panics under the lock").extend(complaints);
                }
            });
        }
    });
    found.into_inner().expect("no check panics under the lock")
}

fn check_figures(interpreters: &[Interpreter]) {
    let playground = Playground::new();
    let names = names();
    assert!(names.len() >= 25, "only {} subjects", names.len());
    let runs: Vec<_> = interpreters.iter().flat_map(|it| names.iter().map(move |name| (it, name))).collect();
    let complaints = complaints(&runs, |(interpreter, name)| {
        let subject = Subject::parse(&playground.source(name));
        if !can_run(interpreter, &subject) {
            return Vec::new();
        }
        let found = subject.attempt(|| contradictions(&playground, interpreter, name));
        found.iter().map(|it| format!("{name} on {}: {it}", interpreter.version)).collect()
    });
    assert!(complaints.is_empty(), "{} figures are wrong:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn figures_on_the_default_interpreter() {
    check_figures(&[Interpreter::default()]);
}

#[test]
fn figures_on_every_other_interpreter() {
    let interpreters = Interpreter::all();
    let least = if std::env::var_os("CI").is_some_and(|value| !value.is_empty()) { 3 } else { 1 };
    assert!(
        interpreters.len() >= least,
        "CI checks at least {least} interpreters, this has {interpreters:?}"
    );
    announce("figures", &interpreters);
    check_figures(&interpreters[1..]);
}

#[test]
fn programs_behave_as_without_heaphint() {
    let playground = Playground::new();
    let interpreter = Interpreter::default();
    let complaints = complaints(&names(), |name| {
        let subject = Subject::parse(&playground.source(name));
        if !can_run(&interpreter, &subject) {
            return Vec::new();
        }
        subject.attempt(|| {
            let plain = playground.run_untraced(&interpreter, name, "some input\n");
            let (traced, _recorded) = playground.run_traced(&interpreter, name, "some input\n");
            let differs = format!("{name}: {}\nunder heaphint {}", plain.text(), traced.text());
            if plain == traced { Vec::new() } else { vec![differs] }
        })
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn stdout_and_stderr_keep_their_order() {
    let playground = Playground::new();
    let interpreter = Interpreter::default();
    let mut plain = std::process::Command::new(&interpreter.path);
    let plain = run_interleaved(plain.arg(playground.path("output.py")), "typed\n");
    let recorded = playground.recorded(&interpreter, "output.py");
    let traced = run_interleaved(&mut playground.traced(&interpreter, "output.py", &recorded), "typed\n");
    assert_eq!(plain, traced);
    assert!(plain.ends_with(b"typed\n\n"), "the script reads its standard input");
}

#[test]
fn dead_code_objects_lend_their_names_to_nobody() {
    let playground = Playground::new();
    let interpreter = Interpreter::default();
    let (outcome, recorded) = playground.run_traced(&interpreter, "exec_loop.py", "");
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    let document = lines(&recorded.main).expect("the capture is readable");
    for number in 0..200u64 {
        let file = format!("<template {number}>");
        let files = document["files"].as_array().expect("`files` is a list");
        let lines = files.iter().find(|it| it["path"] == *file).map(|it| &it["lines"]);
        let entries = lines.and_then(|it| it.as_array()).unwrap_or_else(|| panic!("{file} is missing"));
        for entry in entries {
            let line = entry["line"].as_u64().expect("a line has a number");
            let expected = if line == 2 { format!("make_{number}") } else { "<module>".to_owned() };
            assert_eq!(entry["function"], *expected, "{file} line {line}");
            // The list that keeps the blocks grows on this line as well.
            let own = if line == 2 { 20_001 + number } else { 0 };
            let found = entry["self"]["peak_bytes"].as_u64().expect("a figure");
            assert!((own..own + SMALL).contains(&found), "{file} line {line}: {entry}");
        }
    }
}

#[test]
fn deep_recursion_is_folded_and_reports_say_so() {
    let playground = Playground::new();
    let interpreters = Interpreter::all();
    let complaints = complaints(&interpreters, |interpreter| {
        let (outcome, recorded) = playground.run_traced(interpreter, "deep_recursion.py", "");
        assert_eq!(outcome.code, 0, "{}", outcome.text());
        let size = std::fs::metadata(&recorded.main).expect("the capture is there").len();
        let text = |report: &str| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_heaphint"));
            run(command.arg(report).arg(&recorded.main), "").text()
        };
        let (lines, stats) = (text("lines"), text("stats"));
        // 100 000 calls, of which 1024 are shown together with the few frames that started the thread.
        let says_so = |text: &str| text.contains(" 9898") && text.contains(" frames of `descend` (");
        let is_right = size < 2 << 20 && says_so(&lines) && says_so(&stats);
        let complaint = || format!("{}: {size} bytes, {lines}\n{stats}", interpreter.version);
        if is_right { Vec::new() } else { vec![complaint()] }
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn output_file_names_and_overwriting() {
    let playground = Playground::new();
    let interpreter = Interpreter::default();
    let recorded = playground.recorded(&interpreter, "recursion.py");
    let first = run(&mut playground.traced(&interpreter, "recursion.py", &recorded), "");
    assert_eq!(first.code, 0, "{}", first.text());
    // Without -f an existing capture is nobody's to overwrite.
    let before = std::fs::read(&recorded.main).expect("the capture is there");
    let second = run(&mut playground.traced(&interpreter, "recursion.py", &recorded), "");
    assert_ne!(second.code, 0);
    assert_eq!(second.stdout, b"", "the script did not run");
    assert_eq!(std::fs::read(&recorded.main).expect("the capture is there"), before);
}
