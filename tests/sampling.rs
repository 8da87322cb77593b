//! `--sample`: figures are estimates, say so everywhere, and the truth lies in their intervals.

use std::process::Command;

use serde_json::Value;

use crate::python_allocators::{document, run_in_mode};
use crate::support::interpreter::{Interpreter, announce};
use crate::support::playground::{Playground, Recorded};
use crate::support::process::run;

const SCRIPT: &str = "sampled.py";
const SEEDED: [(&str, &str); 2] = [("HEAPHINT_SAMPLE_SEED", "7"), ("PYTHONHASHSEED", "0")];
const FIGURES: [&str; 9] = [
    "peak_bytes",
    "peak_count",
    "max_bytes",
    "allocated_bytes",
    "allocated_count",
    "leaked_bytes",
    "leaked_count",
    "temporary_bytes",
    "temporary_count",
];

fn run_sampled(playground: &Playground, interpreter: &Interpreter, options: &[&str]) -> Recorded {
    let (outcome, recorded) = run_in_mode(playground, interpreter, SCRIPT, options, &SEEDED);
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    recorded
}

/// The totals of the script's lines that have figures, by line.
fn of_lines(document: &Value) -> Vec<(u64, &Value)> {
    let files = document["files"].as_array().expect("`files` is a list");
    let file = files.iter().find(|it| it["path"].as_str().is_some_and(|path| path.ends_with(SCRIPT)));
    let lines = file.and_then(|file| file["lines"].as_array()).expect("the script has lines");
    lines.iter().map(|line| (line["line"].as_u64().unwrap_or_default(), &line["total"])).collect()
}

/// Every interval that the sampled figures state, against the exact figures: how many hold, of how many.
fn compare(exact: &Value, sampled: &Value) -> (u32, u32) {
    let (mut held, mut all) = (0, 0);
    let mut check = |exact: &Value, sampled: &Value| {
        assert_eq!(sampled["exact"], false, "{sampled}");
        assert!(sampled["why"].as_str().is_some_and(|why| why.contains("95 % interval")), "{sampled}");
        for name in FIGURES {
            let interval = &sampled["interval"][name];
            if let (Some(truth), Some(low), Some(high), Some(value)) =
                (exact[name].as_u64(), interval[0].as_u64(), interval[1].as_u64(), sampled[name].as_u64())
            {
                assert!(low <= value && value <= high, "{name} of {sampled}");
                held += u32::from(low <= truth && truth <= high);
                all += 1;
            }
        }
    };
    check(&exact["session"], &sampled["session"]);
    let exact_lines = of_lines(exact);
    for (line, figures) in of_lines(sampled) {
        let found = exact_lines.iter().find(|(number, _)| *number == line);
        check(found.expect("a sampled line is one that allocates").1, figures);
    }
    (held, all)
}

#[test]
fn the_exact_figures_lie_in_the_intervals() {
    let playground = Playground::new();
    let interpreters = Interpreter::all();
    announce("sampling", &interpreters);
    let lines = ["lines", "--json", "--all", "--min", "0"];
    for interpreter in &interpreters {
        for mode in [&[][..], &["--trace-python-allocators"]] {
            let exact = document(&run_sampled(&playground, interpreter, mode), &lines);
            let options = [&["--sample", "512KiB"][..], mode].concat();
            let recorded = run_sampled(&playground, interpreter, &options);
            let (held, all) = compare(&exact, &document(&recorded, &lines));
            // The figures of a run depend on each other, so a few more than one in twenty may be off together.
            let version = &interpreter.version;
            assert!(all >= 40 && held * 10 >= all * 9, "{version} {mode:?}: {held} of {all} intervals hold");
        }
    }
}

#[test]
fn a_seed_makes_runs_alike() {
    let playground = Playground::new();
    let interpreter = Interpreter::default();
    let figures = || {
        let recorded = run_sampled(&playground, &interpreter, &["--sample", "512KiB"]);
        let stats = document(&recorded, &["stats", "--json"]);
        stats["allocation_size_histogram"].clone()
    };
    // The first run may have to compile modules.
    figures();
    assert_eq!(figures(), figures());
}

#[test]
fn every_report_says_that_figures_are_estimates() {
    let playground = Playground::new();
    let interpreter = Interpreter::default();
    let recorded = run_sampled(&playground, &interpreter, &["--sample", "512KiB"]);
    for command in ["lines", "stats", "summary", "table", "tree", "imports"] {
        let mut report = Command::new(env!("CARGO_BIN_EXE_heaphint"));
        let outcome = run(report.arg(command).arg(&recorded.main), "");
        let text = outcome.text();
        assert_eq!(outcome.code, 0, "{text}");
        assert!(text.contains("one allocation for each 512 KiB, by chance"), "{command}: {text}");
        assert!(text.matches("~ ").count() > 3, "{command}: {text}");
    }
    let mut check = Command::new(env!("CARGO_BIN_EXE_heaphint"));
    std::fs::write(playground.path("pyproject.toml"), "[[tool.heaphint.limits]]\npeak = '10 MiB'\n")
        .expect("the playground is writable");
    let outcome = run(check.arg("check").arg(&recorded.main), "");
    let text = outcome.text();
    assert!(text.contains("(an estimate; 95 % interval "), "{text}");
}

/// A sampled record, counted again from its events, has the figures that the tables have.
#[test]
fn a_sampled_record_agrees_with_its_tables() {
    let playground = Playground::new();
    let options = ["--record", "--sample", "16KiB"];
    let recorded = run_sampled(&playground, &Interpreter::default(), &options);
    let summary = |part: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
        let outcome = run(command.args(["summary", "--json"]).args(part).arg(&recorded.main), "");
        assert_eq!(outcome.code, 0, "{}", outcome.text());
        serde_json::from_slice::<Value>(&outcome.stdout).expect("JSON")["rows"].clone()
    };
    let rows = summary(&[]);
    assert!(rows.as_array().is_some_and(|rows| rows.len() > 3), "{rows}");
    assert_eq!(rows, summary(&["--from", "0s"]));
}
