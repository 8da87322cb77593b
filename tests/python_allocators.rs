//! `--trace-python-allocators`: CPython's domains are told apart from malloc, and nothing is counted twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::subjects::complaints;
use crate::support::interpreter::{Interpreter, announce};
use crate::support::playground::{Playground, Recorded, lines};
use crate::support::process::{Outcome, run};

const SCRIPT: &str = "python_allocators.py";

/// Runs a script in this mode, with further variables.
pub fn run_in_mode(
    playground: &Playground,
    interpreter: &Interpreter,
    script: &str,
    options: &[&str],
    variables: &[(&str, &str)],
) -> (Outcome, Recorded) {
    let recorded = playground.recorded(interpreter, script);
    let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
    command.current_dir(playground.folder()).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg("run").args(["-q", "-f", "-o"]).arg(&recorded.main).args(options);
    command.arg("--python").arg(&interpreter.path).arg(playground.path(script));
    command.envs(variables.iter().copied());
    (run(&mut command, ""), recorded)
}

/// A document of a capture.
pub fn document(recorded: &Recorded, command: &[&str]) -> Value {
    let outcome = run(Command::new(env!("CARGO_BIN_EXE_heaphint")).args(command).arg(&recorded.main), "");
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    serde_json::from_slice(&outcome.stdout).expect("a document is JSON")
}

/// Bytes and number of what each (function, allocator) of the script allocated.
fn by_allocator(recorded: &Recorded) -> BTreeMap<(String, String), (u64, u64)> {
    let table = document(recorded, &["table", "--json"]);
    let rows = table["rows"].as_array().expect("a table has rows");
    let mut found = BTreeMap::new();
    for row in rows {
        let is_ours = row["location"]["file"].as_str().is_some_and(|file| file.ends_with(SCRIPT));
        if is_ours {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let number = |name: &str| row[name].as_u64().unwrap_or_default();
            let sums: &mut (u64, u64) =
                found.entry((text(&row["location"]["function"]), text(&row["allocator"]))).or_default();
            sums.0 += number("allocated_bytes");
            sums.1 += number("allocated_count");
        }
    }
    found
}

fn wrong_figures(
    playground: &Playground,
    interpreter: &Interpreter,
    variables: &[(&str, &str)],
) -> Vec<String> {
    let mode = ["--trace-python-allocators"];
    let (outcome, recorded) = run_in_mode(playground, interpreter, SCRIPT, &mode, variables);
    if outcome.code != 0 {
        return vec![outcome.text()];
    }
    let found = by_allocator(&recorded);
    let of = |function: &str, allocator: &str| {
        found.get(&(function.to_owned(), allocator.to_owned())).copied().unwrap_or_default()
    };
    let mut wrong = Vec::new();
    let mut expect = |what: &str, holds: bool| {
        if !holds {
            wrong.push(format!("{what}: {found:#?}"));
        }
    };
    // Python allocates small objects on the same lines, from other domains and with other functions.
    for (function, domain, sizes) in [
        ("raw", "PYMEM_RAW", [100_001, 200_003, 300_009]),
        ("mem", "PYMEM", [110_017, 210_011, 330_069]),
        ("objects", "PYOBJECT", [120_011, 220_009, 360_051]),
    ] {
        for (call, size) in ["MALLOC", "REALLOC", "CALLOC"].into_iter().zip(sizes) {
            let (bytes, _) = of(function, &format!("{domain}_{call}"));
            expect(&format!("{domain}_{call}"), bytes >= size && bytes < size + 10_000);
        }
    }
    // Before 3.12 a comprehension is a function of its own.
    let [own, inner] = ["small", "<listcomp>"].map(|function| of(function, "PYOBJECT_MALLOC"));
    let (bytes, count) = (own.0 + inner.0, own.1 + inner.1);
    expect("small blocks count one by one", count >= 20_000 && bytes >= 20_000 * 333);
    // The arenas of the small ones, and the blocks that malloc gives for the large ones, are the domains' own affair.
    let below = |(function, allocator): &&(String, String)| {
        ["raw", "mem", "objects", "small", "<listcomp>", "nothing"].contains(&function.as_str())
            && ["MALLOC", "CALLOC", "REALLOC", "MMAP"].contains(&allocator.as_str())
    };
    // tracemalloc stands above ours, and has tables of its own from malloc.
    if variables.iter().any(|(name, _)| *name == "PYTHONTRACEMALLOC") {
        return wrong;
    }
    expect("nothing is counted twice", !found.keys().any(|key| below(&key)));
    // What was freed is gone: of the large blocks nothing is left.
    let document = lines(&recorded.main).expect("the capture is readable");
    let leaked = document["session"]["leaked_bytes"].as_u64().unwrap_or_default();
    let small_ones = 20_000 * 333;
    expect("large blocks were freed", leaked >= small_ones && leaked < small_ones + 8_000_000);
    wrong
}

#[test]
fn domains_are_told_apart_on_every_interpreter() {
    let playground = Playground::new();
    let interpreters = Interpreter::all();
    announce("python allocators", &interpreters);
    let complaints = complaints(&interpreters, |interpreter| {
        let found = wrong_figures(&playground, interpreter, &[]);
        found.iter().map(|it| format!("{}: {it}", interpreter.version)).collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// However Python's allocators are set, requested sizes are what the program asked for: debug hooks add to them below.
#[test]
fn domains_are_told_apart_however_python_sets_its_allocators() {
    let playground = Playground::new();
    let settings = [
        ("PYTHONMALLOC", "malloc"),
        ("PYTHONMALLOC", "debug"),
        ("PYTHONMALLOC", "malloc_debug"),
        ("PYTHONMALLOC", "pymalloc_debug"),
        ("PYTHONDEVMODE", "1"),
        ("PYTHONTRACEMALLOC", "1"),
    ];
    let interpreters = Interpreter::all();
    let runs: Vec<_> = interpreters.iter().flat_map(|it| settings.map(|setting| (it, setting))).collect();
    let complaints = complaints(&runs, |(interpreter, setting)| {
        let found = wrong_figures(&playground, interpreter, &[*setting]);
        found.iter().map(|it| format!("{} with {setting:?}: {it}", interpreter.version)).collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn programs_behave_in_this_mode_as_without_heaphint() {
    let playground = Playground::new();
    let interpreters = Interpreter::all();
    let scripts = [
        "fork_child.py",
        "many_threads.py",
        "generators.py",
        "exec_loop.py",
        "finalizers.py",
        "daemon_threads.py",
        "errno_kept.py",
        "atexit_handlers.py",
    ];
    let runs: Vec<_> = interpreters.iter().flat_map(|it| scripts.map(|script| (it, script))).collect();
    let complaints = complaints(&runs, |(interpreter, script)| {
        let plain = playground.run_untraced(interpreter, script, "");
        let mode = ["--trace-python-allocators"];
        let (traced, _recorded) = run_in_mode(&playground, interpreter, script, &mode, &[]);
        let differs = format!("{script} on {}: {}\n{}", interpreter.version, plain.text(), traced.text());
        if plain == traced { Vec::new() } else { vec![differs] }
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn captures_say_so_and_memray_gets_its_own_kinds() {
    let playground = Playground::new();
    let interpreter = Interpreter::default();
    let (outcome, recorded) =
        run_in_mode(&playground, &interpreter, SCRIPT, &["--trace-python-allocators"], &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    let stats = document(&recorded, &["stats", "--json"]);
    assert_eq!(stats["metadata"]["trace_python_allocators"], true);
    let memray = playground.path("exported.bin");
    let mut transform = Command::new(env!("CARGO_BIN_EXE_heaphint"));
    transform.args(["transform", "memray", "-o"]).arg(&memray).arg(&recorded.main);
    let outcome = run(&mut transform, "");
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    let parsed = run(Command::new(env!("CARGO_BIN_EXE_heaphint")).arg("parse").arg(&memray), "");
    assert_eq!(parsed.code, 0, "{}", parsed.text());
    let text = String::from_utf8(parsed.stdout).expect("records are text");
    for kind in ["pymalloc_malloc", "pymalloc_calloc", "pymalloc_realloc", "pymalloc_free"] {
        assert!(text.contains(kind), "there is no {kind}");
    }
    assert!(text.contains("trace_python_allocators=true"), "{}", text.lines().next().unwrap_or_default());
}

/// How many events of so many bytes each allocator has, of those of all captures, and how many of these blocks were freed.
fn events_of(captures: &[PathBuf], bytes: u64) -> (BTreeMap<String, usize>, usize) {
    let (mut made, mut freed) = (BTreeMap::new(), 0);
    for capture in captures {
        let outcome = run(Command::new(env!("CARGO_BIN_EXE_heaphint")).arg("parse").arg(capture), "");
        assert_eq!(outcome.code, 0, "{}", outcome.text());
        let text = String::from_utf8(outcome.stdout).expect("records are text");
        let word = |line: &str, name: &str| {
            let mut words = line.split(' ').filter_map(|word| word.split_once('='));
            words.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let lines = || text.lines();
        let sites: Vec<_> =
            lines().filter(|it| it.starts_with("SITE ")).map(|it| word(it, "allocator")).collect();
        let mut serials = BTreeSet::new();
        for line in
            lines().filter(|it| it.starts_with("ALLOCATED ") && word(it, "bytes") == bytes.to_string())
        {
            let site: usize = word(line, "site").parse().expect("a number");
            *made.entry(sites[site].clone()).or_default() += 1;
            serials.insert(word(line, "serial"));
        }
        freed +=
            lines().filter(|it| it.starts_with("FREED ") && serials.contains(&word(it, "serial"))).count();
    }
    (made, freed)
}

#[test]
fn every_function_of_a_domain_is_an_event_in_this_mode_only() {
    let playground = Playground::new();
    let interpreters = Interpreter::all();
    let runs: Vec<_> =
        interpreters.iter().flat_map(|it| [true, false].map(|in_mode| (it, in_mode))).collect();
    let complaints = complaints(&runs, |&(interpreter, in_mode)| {
        let options: &[&str] =
            if in_mode { &["--record", "--trace-python-allocators"] } else { &["--record"] };
        let (outcome, recorded) = run_in_mode(&playground, interpreter, "python_domains.py", options, &[]);
        let mut found = Vec::new();
        let mut expect = |what: &str, found_it: String, expected: String| {
            if found_it != expected {
                found
                    .push(format!("{} {options:?}: {what}: {found_it}, not {expected}", interpreter.version));
            }
        };
        expect("exit code", outcome.code.to_string(), "0".to_owned());
        let of_parent = events_of(std::slice::from_ref(&recorded.main), 123_458);
        let domains = ["PYMEM", "PYMEM_RAW", "PYOBJECT"];
        let kinds = domains
            .iter()
            .flat_map(|domain| ["CALLOC", "MALLOC", "REALLOC"].map(|call| (format!("{domain}_{call}"), 1)));
        let kinds: BTreeMap<String, usize> = kinds.collect();
        if in_mode {
            expect("functions", format!("{of_parent:?}"), format!("{:?}", (kinds, 9)));
        } else {
            // Then the same blocks are malloc's, by whichever of its functions Python asks for them.
            let known = ["CALLOC", "MALLOC", "REALLOC"];
            let others = of_parent.0.keys().filter(|kind| !known.contains(&kind.as_str())).count();
            let sums = (others, of_parent.0.values().sum::<usize>(), of_parent.1);
            expect("blocks of malloc", format!("{sums:?}"), "(0, 9, 9)".to_owned());
        }
        let children = recorded.children();
        expect("children", children.len().to_string(), "3".to_owned());
        let kind = if in_mode { "PYOBJECT_CALLOC" } else { "CALLOC" };
        let expected: BTreeMap<String, usize> = [(kind.to_owned(), 10)].into();
        let of_children = events_of(&children, 123_459);
        expect("functions in children", format!("{of_children:?}"), format!("{:?}", (expected, 10)));
        found
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
