//! Limits on the command line: every kind, every format, accepted runs, and what is said about limits that do nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::interpreter::Interpreter;
use crate::support::process::{Outcome, run};

/// Holds 3 MB after an import, 40 MB after a call.
const CLI: &str = "\
TABLE = bytearray(3_000_000)


def load(count):
    return [bytearray(1_000_000) for _ in range(count)]
";
const MAIN: &str = "\
import sys

import app.cli


def main(count):
    kept = app.cli.load(count)
    return kept


KEPT = main(int(sys.argv[1]) if sys.argv[1:] else 40)
";

/// What is called pytest here: marks that leave functions as they are.
const PYTEST: &str = "\
class mark:
    limit_memory = limit_leaks = staticmethod(lambda *_, **__: lambda f: f)
";

/// A project in a folder of its own.
pub struct Project(TempDir);

impl Project {
    /// With a program, and these limits.
    pub fn new(limits: &str) -> Self {
        let project = Self(tempfile::tempdir().expect("the temporary folder is writable"));
        project.write("app/cli.py", CLI);
        project.write("main.py", MAIN);
        project.write("pyproject.toml", limits);
        project
    }

    fn root(&self) -> PathBuf {
        self.0.path().canonicalize().expect("the folder exists")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    }

    fn heaphint(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
        let python = Interpreter::default().path;
        let search_path = std::env::var("PATH").unwrap_or_default();
        let folder = python.parent().expect("an interpreter is in a folder");
        command.current_dir(self.root()).args(arguments).env_remove("VIRTUAL_ENV");
        command.env("PATH", format!("{}:{search_path}", folder.display()));
        run(&mut command, "")
    }

    /// Runs the program, and returns the capture's name.
    fn run(&self, arguments: &[&str]) -> &'static str {
        let outcome = self.heaphint(&[&["run", "-qfo", "x.heaphint"], arguments].concat());
        assert_eq!(outcome.code, 0, "{}", outcome.text());
        "x.heaphint"
    }

    /// What `check` finds: codes, files, lines and sentences.
    fn findings(&self) -> Vec<(String, String, Option<u64>, String)> {
        let outcome = self.heaphint(&["check", "x.heaphint", "--format", "json"]);
        let document: Value =
            serde_json::from_slice(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.text()));
        let findings = document["findings"].as_array().expect("a list");
        assert_eq!(outcome.code, i32::from(!findings.is_empty()), "{}", outcome.text());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        findings
            .iter()
            .map(|finding| {
                let file = text(&finding["file"]).replace(&format!("{}/", self.root().display()), "");
                (text(&finding["code"]), file, finding["line"].as_u64(), text(&finding["message"]))
            })
            .collect()
    }

    /// The problems that `check` knows of: codes, lines and sentences.
    fn problems(&self) -> Vec<(String, u64, String)> {
        let outcome = self.heaphint(&["check", "x.heaphint", "--format", "json"]);
        let document: Value =
            serde_json::from_slice(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.text()));
        let problems = document["problems"].as_array().expect("a list").iter();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        problems
            .map(|it| (text(&it["code"]), it["line"].as_u64().expect("a line"), text(&it["message"])))
            .collect()
    }
}

fn stdout(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.stdout).into_owned()
}

#[test]
fn limits_decide_the_exit_code() {
    let limit = "[[tool.heaphint.limits]]\nfiles = \"app/*.py\"\nfunction = \"load\"\nbytes = \"50 MB\"\n";
    let project = Project::new(limit);
    project.run(&["main.py"]);
    let outcome = project.heaphint(&["check", "x.heaphint"]);
    assert_eq!((outcome.code, stdout(&outcome).as_str()), (0, "The limit holds.\n"));

    project.write("pyproject.toml", &limit.replace("50 MB", "5 MB"));
    let outcome = project.heaphint(&["check", "x.heaphint"]);
    assert_eq!(outcome.code, 1);
    let said = stdout(&outcome);
    let sentence =
        "app/cli.py:4: `load` held up to 38.1 MiB, more than the limit of 5.00 MiB. [function-limit]\n";
    assert!(said.starts_with(sentence) && said.contains("\n  limit: pyproject.toml:4\n"), "{said}");

    project.write("pyproject.toml", &limit.replace("50 MB", "5"));
    let outcome = project.heaphint(&["check", "x.heaphint"]);
    assert_eq!((outcome.code, outcome.stdout.len()), (3, 0));
    assert!(outcome.text().contains("pyproject.toml:4:9: `5` is not a size"), "{}", outcome.text());
}

#[test]
fn every_kind_of_limit_is_compared() {
    let project = Project::new("");
    project.write(
        "heaphint.toml",
        "peak = \"30 MB\"\nrss = \"20 MB\"\nleaks = \"1 MB\"\nallocations = 50\n\
         [[limits]]\nfunction = \"main\"\nfiles = \"*.py\"\nbytes = \"5 MB\"\nallocations = 10\n\
         [[limits]]\nimport = \"app.cli\"\nbytes = \"1 MiB\"\n\
         [[limits]]\nfiles = \"app/*.py\"\nbytes = \"10 MB\"\n",
    );
    project.run(&["main.py"]);
    let seen: Vec<_> =
        project.findings().into_iter().map(|(code, file, line, _)| (code, file, line)).collect();
    let at = |code: &str, file: &str, line| (code.to_owned(), file.to_owned(), line);
    assert_eq!(
        seen,
        [
            at("peak-limit", "", None),
            at("rss-limit", "", None),
            at("leak-limit", "app/cli.py", Some(5)),
            at("leak-limit", "app/cli.py", Some(1)),
            at("allocations-limit", "", None),
            at("function-limit", "main.py", Some(6)),
            at("allocations-limit", "main.py", Some(6)),
            at("import-limit", "main.py", Some(3)),
            at("line-limit", "app/cli.py", Some(5)),
        ]
    );
}

#[test]
fn comments_and_marks_limit_what_they_stand_on() {
    let project = Project::new("");
    project.write("pytest.py", PYTEST);
    project.write(
        "test_app.py",
        "import pytest\nfrom app.cli import load\n\nKEPT = []\nLIMIT = '1 MB'\n\n\
         @pytest.mark.limit_memory(\"2 MB\")\ndef test_load():\n    assert load(5)\n\n\
         @pytest.mark.limit_leaks(\"1 MB\")\nclass TestLeaks:\n    def test_leak(self):\n        KEPT.append(load(3))\n\n\
         @pytest.mark.limit_memory(LIMIT)\ndef test_unread():\n    pass\n\n\
         test_load()\nTestLeaks().test_leak()\n\
         a = load(2)  # heaphint: limit 1 MB\n\
         b = load(2)  # heaphint: limit 1 allocations\n\
         c = load(2)  # heaphint: ignore\n\
         d = load(2)  # heaphint: limit leaks 9 MB\n",
    );
    project.write("heaphint.toml", "[[limits]]\nfiles = \"test_app.py\"\nbytes = \"1500 KB\"\n");
    project.run(&["test_app.py"]);
    let found = project.findings();
    let from_python: Vec<_> = found
        .iter()
        .filter(|(code, ..)| code != "line-limit")
        .map(|(code, file, line, said)| (code.as_str(), file.as_str(), *line, said.as_str()))
        .collect();
    assert_eq!(
        from_python,
        [
            ("allocations-limit", "test_app.py", Some(23), from_python[0].3),
            (
                "function-limit",
                "test_app.py",
                Some(7),
                "`test_load` held up to 4.77 MiB, more than the limit of 2.00 MiB."
            ),
            (
                "leak-limit",
                "app/cli.py",
                Some(5),
                "This line still held 2.86 MiB from `test_leak` at the end, more than the limit of 1.00 MiB for one line."
            ),
        ]
    );
    let lines: Vec<u64> =
        found.iter().filter(|(code, ..)| code == "line-limit").filter_map(|found| found.2).collect();
    assert!(lines.contains(&22) && lines.contains(&25) && !lines.contains(&24), "{found:?}");
    let problems = project.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].0.as_str(), problems[0].1), ("unread-limit", 16));
}

#[test]
fn a_limit_about_nothing_is_told_at_its_line() {
    let project = Project::new(
        "[[tool.heaphint.limits]]\nfiles = \"src/*.py\"\nbytes = \"1 MB\"\n\
         [[tool.heaphint.limits]]\nfiles = \"app/*.py\"\nfunction = \"lod\"\nbytes = \"1 GB\"\n\
         [[tool.heaphint.limits]]\nimport = \"app.clii\"\nbytes = \"1 GB\"\n\
         [[tool.heaphint.limits]]\nfunction = \"load\"\nrun = \"nightly\"\nbytes = \"1 GB\"\n\
         [tool.heaphint]\ngrowth = \"5 %\"\n",
    );
    project.write("app/other.py", "def unused(): pass  # heaphint: limit 1 MB\n");
    project.run(&["main.py"]);
    // A table may be defined after its parts.
    let problems = project.problems();
    let lines: Vec<_> = problems.iter().map(|(code, line, _)| (code.as_str(), *line)).collect();
    let expected = |line: u64| if line == 16 { "no-accepted-run" } else { "unused-limit" };
    assert!(lines.iter().all(|(code, line)| *code == expected(*line)), "{problems:?}");
    let mut numbers: Vec<u64> = lines.iter().map(|(_, line)| *line).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [3, 7, 10, 14, 16], "{problems:?}");
    for name in ["`src/*.py`", "`lod`", "`app.clii`", "`nightly`", "`main.py`"] {
        assert!(problems.iter().any(|(.., said)| said.contains(name)), "{name}: {problems:?}");
    }
    assert_eq!(project.heaphint(&["check", "x.heaphint"]).code, 0);
}

#[test]
fn growth_is_measured_from_the_accepted_run() {
    let project = Project::new("[tool.heaphint]\ngrowth = \"5 % or 2 MiB\"\n");
    project.run(&["main.py", "40"]);
    let outcome = project.heaphint(&["baseline", "show"]);
    assert!(outcome.code == 3 && outcome.text().contains("no run is accepted yet"), "{}", outcome.text());
    let outcome = project.heaphint(&["baseline", "save"]);
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    assert_eq!(project.findings(), []);
    let shown = stdout(&project.heaphint(&["baseline", "show"]));
    assert!(shown.starts_with("main.py 40 (Python 3.") && shown.contains("peak 4"), "{shown}");

    // The same command costs more.
    project.write("app/cli.py", &CLI.replace("range(count)", "range(count + 3)"));
    project.run(&["main.py", "40"]);
    let found = project.findings();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].0 == "growth-limit" && found[0].3.contains("of the accepted run and the 5 % or 2.00 MiB"),
        "{found:?}"
    );
    // Another place for what is accepted.
    let outcome = project.heaphint(&["baseline", "save", "--baseline", "other.json"]);
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    assert_eq!(project.heaphint(&["check", "--baseline", "other.json"]).code, 0);
    let outcome = project.heaphint(&["check", "--baseline", "missing.json"]);
    assert!(outcome.code == 3 && outcome.text().contains("no file missing.json"), "{}", outcome.text());
    project.write("other.json", "{}");
    let outcome = project.heaphint(&["check", "--baseline", "other.json"]);
    assert!(
        outcome.code == 3 && outcome.text().contains("not a file of accepted runs"),
        "{}",
        outcome.text()
    );
}

#[test]
fn a_limit_may_name_the_runs_that_it_is_about() {
    let limits = "[[tool.heaphint.limits]]\ncommand = \"main.py 4?\"\npeak = \"1 MB\"\n\
                  [[tool.heaphint.limits]]\nrun = \"big\"\npeak = \"2 MB\"\n\
                  [tool.heaphint.run.big]\nscript = \"main.py\"\nargs = [\"45\"]\n";
    let project = Project::new(limits);
    project.run(&["main.py", "40"]);
    assert_eq!(project.findings().len(), 1);
    project.run(&["main.py", "45"]);
    assert_eq!(project.findings().len(), 2, "that is the command of the run configuration");
    project.run(&["main.py", "50"]);
    assert_eq!(project.findings(), []);
    let outcome = project.heaphint(&["check", "--run", "big"]);
    assert!(outcome.code == 1 && outcome.text().contains("limit of 2.00 MiB"), "{}", outcome.text());
}

#[test]
fn a_run_is_checked_in_one_go() {
    let project = Project::new("[tool.heaphint]\npeak = \"30 MB\"\n");
    let outcome = project.heaphint(&["run", "-q", "--check", "main.py", "5"]);
    assert_eq!((outcome.code, stdout(&outcome).as_str()), (0, "The limit holds.\n"), "{}", outcome.text());
    let outcome = project.heaphint(&["run", "-q", "--check=github", "--", "python3", "main.py", "40"]);
    assert_eq!(outcome.code, 1, "{}", outcome.text());
    assert!(stdout(&outcome).starts_with("::error file=pyproject.toml,line=2,"), "{}", outcome.text());
    // What the program says about itself comes first.
    project.write("fails.py", "import app.cli\nkept = app.cli.load(40)\nraise SystemExit(7)\n");
    let outcome = project.heaphint(&["run", "-q", "--check", "fails.py"]);
    assert!(outcome.code == 7 && stdout(&outcome).contains("[peak-limit]"), "{}", outcome.text());
    project.write("pyproject.toml", "[tool.heaphint]\npeak = \"30\"\n");
    assert_eq!(project.heaphint(&["run", "-q", "--check", "main.py"]).code, 3);
}

#[test]
fn the_newest_run_is_meant_when_nothing_is_named() {
    let project = Project::new("[tool.heaphint]\npeak = \"30 MB\"\n");
    let outcome = project.heaphint(&["check"]);
    assert!(outcome.code == 2 && outcome.text().contains("no run was recorded below"), "{}", outcome.text());
    fs::create_dir(project.root().join(".heaphint")).expect("a folder can be made");
    let run = |name: &str, count: &str| {
        let name = format!(".heaphint/{name}.heaphint");
        assert_eq!(project.heaphint(&["run", "-qo", &name, "main.py", count]).code, 0);
    };
    run("b", "40");
    assert_eq!(project.heaphint(&["check"]).code, 1);
    run("a", "5");
    assert_eq!(project.heaphint(&["check"]).code, 0);
    assert_eq!(project.heaphint(&["check", ".heaphint"]).code, 0);
    assert_eq!(project.heaphint(&["check", ".heaphint/b.heaphint"]).code, 1);
    let outcome = project.heaphint(&["check", "app"]);
    assert!(outcome.code == 2 && outcome.text().contains("no capture in app"), "{}", outcome.text());
}

/// The schema of SARIF.
pub fn sarif_schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/schemas/sarif-2.1.0.json");
    let text = fs::read_to_string(path).expect("the schema is there");
    let mut schema: Value = serde_json::from_str(&text).expect("it is JSON");
    // The pattern of languages has a bracket too many; no report here names one.
    for place in ["run", "toolComponent"] {
        let language = schema.pointer_mut(&format!("/definitions/{place}/properties/language"));
        language.and_then(Value::as_object_mut).expect("it has a language").remove("pattern");
    }
    schema
}

#[test]
fn reports_are_what_their_readers_expect() {
    let limits = "[tool.heaphint]\npeak = \"30 MB\"\nleaks = \"1 MB\"\nrss = \"1 TB\"\nspeed = 1\n\
                  [[tool.heaphint.limits]]\nimport = \"app.cli\"\nbytes = \"1 MB\"\n\
                  [[tool.heaphint.limits]]\nfiles = \"lib/*.py\"\nbytes = \"1 MB\"\n";
    let project = Project::new(limits);
    project.run(&["main.py"]);
    let report = |format: &str| {
        let outcome = project.heaphint(&["check", "x.heaphint", "--format", format]);
        assert_eq!(outcome.code, 3, "a limit is wrong: {}", outcome.text());
        stdout(&outcome)
    };
    let sarif: Value = serde_json::from_str(&report("sarif")).expect("it is JSON");
    let validator = jsonschema::validator_for(&sarif_schema()).expect("the schema is one");
    let errors: Vec<String> = validator.iter_errors(&sarif).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{sarif:#}");
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(6));

    let junit = junit_parser::from_reader(report("junit").as_bytes()).expect("it is a JUnit report");
    assert_eq!((junit.tests, junit.failures, junit.errors), (7, 4, 1));
    let suite = &junit.suites[0];
    assert_eq!(suite.cases.iter().filter(|case| case.status.is_success()).count(), 1);
    assert_eq!(suite.cases.iter().filter(|case| case.status.is_failure()).count(), 4);
    assert_eq!(suite.cases.iter().filter(|case| case.status.is_error()).count(), 1);
    assert_eq!(suite.cases.iter().filter(|case| case.status.is_skipped()).count(), 1);

    let markdown = report("markdown");
    assert!(markdown.starts_with("### heaphint: limits were exceeded 4 times\n"), "{markdown}");
}
