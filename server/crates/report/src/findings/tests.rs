//! Findings of a hand-made capture in every format.

use std::io::{self, Write};

use heaphint_analysis::hand_made::HandMade;
use heaphint_analysis::limits::{
    Baseline, Bound, Conditions, Context, FilePattern, FindingKind, Growth, Limit, LimitSource, NamePattern,
    Problem, ProblemKind, Rules, Scope, evaluate,
};
use heaphint_analysis::{Profile, Units};
use heaphint_format::PlaceKind;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::text::Look;

const MIB: u64 = 1 << 20;

fn made() -> HandMade {
    let mut made = HandMade::default();
    let module = made.code("<module>", "app.py", 1);
    let load = made.code("load", "app.py", 4);
    let call = made.stack(0, module, 9);
    let line = made.stack(call, load, 5);
    made.site(line, 40 * MIB, 2, 2, 1);
    made.site(0, MIB, 1, 1, 1);
    made.header.rss_peak_bytes = 90 * MIB;
    let (total, function) = (PlaceKind::TotalLine, PlaceKind::TotalFunction);
    made.place(total, "app.py", 5, "", 80 * MIB as i64);
    made.place(total, "app.py", 9, "", 80 * MIB as i64);
    made.place(function, "app.py", 4, "load", 80 * MIB as i64);
    made
}

fn limit(scope: Scope, bound: Bound, line: usize) -> Limit {
    let text = "\n".repeat(line - 1) + "  x";
    let source = LimitSource::new("/p/pyproject.toml", &text, text.len() - 1..text.len());
    Limit { scope, bound, conditions: Conditions::default(), source }
}

fn line(line: u32) -> Scope {
    Scope::LineAt { file: "/p/app.py".to_owned(), line }
}

fn load() -> Scope {
    let files = FilePattern::new("*.py", "/p").unwrap();
    Scope::Functions { files, name: NamePattern::new("load").unwrap() }
}

/// What a format makes of these limits.
fn shown(
    made: &HandMade,
    limits: Vec<Limit>,
    problems: &[Problem],
    write: impl FnOnce(&mut dyn Write, &FindingsReport<'_>) -> io::Result<()>,
) -> String {
    let profile = Profile::from_capture(&made.capture());
    let rules = Rules { limits, ignored: Vec::new() };
    let mut baseline = Baseline::default();
    baseline.accept(&profile);
    let less = baseline.text().unwrap().replace(&(80 * MIB).to_string(), "1048576");
    let baseline = Baseline::parse(&less).unwrap();
    let verdict = evaluate(&profile, &rules, Context { baseline: Some(&baseline), run: None });
    let held: Vec<&Limit> = verdict.held.iter().map(|index| &rules.limits[*index]).collect();
    let report = FindingsReport {
        findings: &verdict.findings,
        held: &held,
        problems,
        folder: "/p",
        project: "/p",
        units: Units::default(),
        version: "9.9",
    };
    let mut bytes = Vec::new();
    write(&mut bytes, &report).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn text(out: &mut dyn Write, report: &FindingsReport<'_>) -> io::Result<()> {
    findings_text(out, report, &Look::default())
}

fn wrong() -> Problem {
    let source = LimitSource::new("/p/pyproject.toml", "peak = \"5\"", 7..10);
    Problem { kind: ProblemKind::Wrong, source, message: "`5` is not a size.".to_owned() }
}

#[test]
fn every_kind_has_a_sentence_that_a_stranger_understands() {
    let growth = Bound::Growth(Growth::parse("5 % or 2 MiB").unwrap());
    let limits = vec![
        limit(Scope::Process, Bound::Held(50 * MIB), 1),
        limit(Scope::Process, Bound::Resident(50 * MIB), 2),
        limit(load(), Bound::Held(50 * MIB), 3),
        limit(line(9), Bound::Held(80 * MIB - 1), 4),
        limit(Scope::Process, Bound::Leaked(MIB), 5),
        limit(load(), Bound::Leaked(MIB), 6),
        limit(Scope::Process, Bound::Allocations(1), 7),
        limit(load(), Bound::Allocations(1), 8),
        limit(load(), growth, 9),
        limit(line(9), Bound::Held(81 * MIB), 10),
    ];
    let shown = shown(&made(), limits, &[], text);
    let sentences: Vec<&str> = shown.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(
        sentences,
        [
            "pyproject.toml:1: The program's memory peaked at 81.0 MiB, more than the limit of 50.0 MiB. [peak-limit]",
            "pyproject.toml:2: The program's resident memory (RSS) peaked at 90.0 MiB, more than the limit of 50.0 MiB. [rss-limit]",
            "app.py:4: `load` held up to 80.0 MiB, more than the limit of 50.0 MiB. [function-limit]",
            "app.py:9: This line held up to 80.0 MiB, 1 B more than the limit of 80.0 MiB. [line-limit]",
            "app.py:5: This line still held 40.0 MiB at the end, more than the limit of 1.00 MiB for one line. [leak-limit]",
            "app.py:5: This line still held 40.0 MiB from `load` at the end, more than the limit of 1.00 MiB for one line. [leak-limit]",
            "pyproject.toml:7: The program made 3 allocations, more than the limit of 1 allocation. [allocations-limit]",
            "app.py:4: `load` made 2 allocations, more than the limit of 1 allocation. [allocations-limit]",
            "app.py:4: `load` held up to 80.0 MiB, more than the 1.00 MiB of the accepted run and the 5 % or 2.00 MiB by which it may grow. [growth-limit]",
            "Limits were exceeded 9 times, 1 holds.",
        ]
    );
    assert!(
        shown.contains(
            "  limit: pyproject.toml:3\n  80.0 MiB (peak)\n    app.py:9 <module>\n    app.py:5 load\n"
        ),
        "{shown}"
    );
}

#[test]
fn json_has_whole_bytes_and_the_sentence() {
    let limits = vec![limit(line(5), Bound::Held(50 * MIB), 7), limit(load(), Bound::Allocations(1), 8)];
    let shown: Value = serde_json::from_str(&shown(&made(), limits, &[wrong()], findings_json)).unwrap();
    let (held, counted) = (&shown["findings"][0], &shown["findings"][1]);
    assert_eq!((&held["kind"], &held["code"]), (&json!("line"), &json!("line-limit")));
    assert_eq!((&held["measured_bytes"], &held["limit_bytes"]), (&json!(80 * MIB), &json!(50 * MIB)));
    assert_eq!(held["limit_source"], json!({"file": "/p/pyproject.toml", "line": 7, "column": 3}));
    assert_eq!(held["stacks"][0]["frames"][0]["line"], 9);
    assert_eq!(held["message"], "This line held up to 80.0 MiB, more than the limit of 50.0 MiB.");
    assert_eq!((&counted["measured_bytes"], &counted["measured_count"]), (&Value::Null, &json!(2)));
    assert_eq!(
        shown["problems"],
        json!([{"code": "wrong-limit", "message": "`5` is not a size.", "file": "/p/pyproject.toml", "line": 1, "column": 8}])
    );
}

#[test]
fn github_shows_a_finding_at_its_line() {
    let limits = vec![limit(Scope::Process, Bound::Held(50 * MIB), 2), limit(line(5), Bound::Held(1), 3)];
    let shown = shown(&made(), limits, &[wrong()], findings_github);
    let expected = "\
::error file=pyproject.toml,line=1,col=8,title=heaphint wrong-limit::`5` is not a size.
::error file=pyproject.toml,line=2,title=heaphint peak-limit::The program's memory peaked at 81.0 MiB, more than the limit of 50.0 MiB.
::error file=app.py,line=5,title=heaphint line-limit::This line held up to 80.0 MiB, more than the limit of 1 B.
";
    assert_eq!(shown, expected);
}

#[test]
fn markdown_is_a_table_with_stacks_below() {
    let limits = vec![limit(load(), Bound::Held(MIB), 2)];
    let shown = shown(&made(), limits, &[], findings_markdown);
    let expected = "\
### heaphint: 1 limit was exceeded

| where | what | limit |
| --- | --- | --- |
| app.py:4 | `load` held up to 80.0 MiB, more than the limit of 1.00 MiB. `function-limit` | pyproject.toml:2 |

<details><summary>Stacks of app.py:4</summary>

    80.0 MiB (peak)
      app.py:9 <module>
      app.py:5 load

</details>
";
    assert_eq!(shown, expected);
}

#[test]
fn sarif_names_rules_places_and_stacks() {
    let limits = vec![limit(load(), Bound::Held(MIB), 2)];
    let shown: Value = serde_json::from_str(&shown(&made(), limits, &[], findings_sarif)).unwrap();
    let run = &shown["runs"][0];
    let result = &run["results"][0];
    let index = result["ruleIndex"].as_u64().unwrap() as usize;
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    let location = &result["locations"][0]["physicalLocation"];
    assert_eq!(
        (&location["artifactLocation"]["uri"], &location["region"]["startLine"]),
        (&json!("app.py"), &json!(4))
    );
    assert_eq!(result["stacks"][0]["frames"][0]["location"]["logicalLocations"][0]["name"], "load");
    assert_eq!(result["properties"]["measuredBytes"], 80 * MIB);
}

#[test]
fn every_code_is_explained() {
    let kinds = FindingKind::ALL.map(FindingKind::code);
    let problems = ProblemKind::ALL.map(ProblemKind::code);
    let codes: Vec<&str> = kinds.into_iter().chain(problems).collect();
    assert_eq!(codes, CODES);
    assert!(codes.iter().all(|code| explanation(code).ends_with('.')));
}

#[test]
fn deep_stacks_and_small_ones_are_shortened() {
    let mut made = HandMade::default();
    let runner = made.code("main", "/v/lib/python3.11/site-packages/runner.py", 1);
    let (import, code) =
        (made.code("_load", "<frozen importlib._bootstrap>", 1), made.code("f", "app.py", 1));
    let mut stack = made.stack(0, runner, 3);
    for line in 1..=20 {
        stack = made.stack(stack, import, 5);
        stack = made.stack(stack, code, line);
    }
    made.site(stack, 40 * MIB, 1, 1, 1);
    made.site(0, 3 * MIB, 1, 1, 1);
    let small = made.stack(0, code, 99);
    made.site(small, MIB, 1, 1, 1);
    let shown = shown(&made, vec![limit(Scope::Process, Bound::Held(1), 1)], &[], text);
    let lines: Vec<&str> = shown.lines().skip(2).collect();
    assert_eq!(
        lines[..6],
        [
            "  40.0 MiB (peak)",
            "    app.py:1 f",
            "    app.py:2 f",
            "    app.py:3 f",
            "    app.py:4 f",
            "    … 8 frames",
        ]
    );
    assert_eq!(lines[13..16], ["    app.py:20 f", "  3.00 MiB (peak)", "    outside Python code"]);
}

proptest! {
    #[test]
    fn no_name_breaks_out_of_its_format(name: String, file: String) {
        let mut made = made();
        let code = made.code(&name, &file, 1);
        let stack = made.stack(0, code, 1);
        made.site(stack, 90 * MIB, 1, 1, 1);
        let limits = || {
            let mut limit = limit(Scope::Lines { files: FilePattern::new("**", "/p").unwrap() }, Bound::Held(0), 1);
            limit.source.file.clone_from(&file);
            vec![limit]
        };
        for write in [text, findings_github, findings_junit, findings_markdown] {
            let document = shown(&made, limits(), &[], write);
            prop_assert!(!document.chars().any(|c| c.is_control() && c != '\n'), "{document:?}");
        }
        let commands = shown(&made, limits(), &[], findings_github);
        prop_assert!(commands.lines().all(|line| line.starts_with("::error file=")), "{commands}");
        let sarif: Value = serde_json::from_str(&shown(&made, limits(), &[], findings_sarif)).unwrap();
        prop_assert!(!sarif["runs"][0]["results"].as_array().unwrap().is_empty());
    }
}
