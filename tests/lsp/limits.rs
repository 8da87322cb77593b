//! Limits and the diagnostics where they are exceeded.

use serde_json::{Value, json};

use super::client::Client;
use super::project::{APP, PYTEST, Project};

/// Each diagnostic's line and message.
fn seen(diagnostics: &[Value]) -> Vec<(u64, &str)> {
    let line = |diagnostic: &Value| diagnostic["range"]["start"]["line"].as_u64().expect("a line");
    let mut seen: Vec<_> =
        diagnostics.iter().map(|d| (line(d), d["message"].as_str().expect("a message"))).collect();
    seen.sort_unstable();
    seen
}

#[test]
fn a_changed_limit_is_applied_without_another_run() {
    let project = Project::new(&[("app.py", APP)]);
    let (uri, toml) = (project.uri("app.py"), project.uri("pyproject.toml"));
    project.write("pyproject.toml", "[tool.heaphint]\npeak = \"100 MB\"\n");
    let mut client = Client::start();
    client.initialize(project.folders());
    client.open(&uri, APP);
    client.profile(json!({"uri": uri}));
    let at_file = client.diagnostics(&uri, |list| !list.is_empty());
    let at_limit = client.diagnostics(&toml, |list| !list.is_empty());
    assert_eq!(at_file.len(), 1);
    assert_eq!(at_file[0]["range"]["start"]["line"], 0);
    assert_eq!(at_limit[0]["range"]["start"]["line"], 1);
    assert_eq!(at_file[0]["severity"], 2);
    let message = at_file[0]["message"].as_str().expect("a message");
    assert!(
        message.starts_with("The program's memory peaked at 1") && message.contains("limit of 100 MiB"),
        "{message}"
    );
    let related = &at_file[0]["relatedInformation"];
    assert_eq!(related[0]["location"]["uri"], toml.as_str());
    assert_eq!(related[0]["location"]["range"]["start"]["line"], 1);
    assert!(related[1]["message"].as_str().is_some_and(|m| m.contains("load (app.py:4)")), "{related}");

    project.write(
        "pyproject.toml",
        "[tool.heaphint]\npeak = \"1 GB\"\n[[tool.heaphint.limits]]\nfiles = \"*.py\"\nfunction = \"load\"\nbytes = \"50 MB\"\n",
    );
    let at_file = client.diagnostics(&uri, |list| list.iter().any(|d| d["range"]["start"]["line"] == 2));
    assert_eq!(seen(&at_file), [(2, "`load` held up to 120 MiB, more than the limit of 50.0 MiB.")]);
    let related = &at_file[0]["relatedInformation"];
    assert_eq!(related[0]["location"]["range"]["start"]["line"], 5);
    assert!(related[1]["message"].as_str().is_some_and(|m| m.starts_with("80.0 MiB peak: ")), "{related}");
    client.diagnostics(&toml, <[Value]>::is_empty);

    project.write("pyproject.toml", "[[tool.heaphint.limits]]\nfiles = \"*.py\"\nbytes = \"100 MB\"\n");
    let at_file = client.diagnostics(&uri, |list| list.len() == 2);
    let message = "This line held up to 120 MiB, more than the limit of 100 MiB.";
    assert_eq!(seen(&at_file), [(3, message), (13, message)]);

    project.write("pyproject.toml", "");
    client.diagnostics(&uri, <[Value]>::is_empty);
    assert!(!client.has_unread("heaphint/runFinished"));
}

#[test]
fn comments_limit_their_line_or_function() {
    let text = APP.replace("def load(size):", "@staticmethod\ndef load(size):  # heaphint: limit 20 MiB");
    let text = text.replace(
        "dropped = load(40 * 1024 * 1024)",
        "dropped = load(40 * 1024 * 1024)  # heaphint: limit 30 MiB",
    );
    let project = Project::new(&[("app.py", &text)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, &text);
    client.profile(json!({"uri": uri}));
    let diagnostics = client.diagnostics(&uri, |list| list.len() == 2);
    assert_eq!(
        seen(&diagnostics),
        [
            (3, "`load` held up to 120 MiB, more than the limit of 20.0 MiB."),
            (9, "This line held up to 40.0 MiB, more than the limit of 30.0 MiB.")
        ]
    );
    // The warnings move with their lines, and the limit is the one that is written now.
    client.change(&uri, 2, Some([0, 0, 0, 0]), "\n");
    let diagnostics = client.diagnostics(&uri, |list| list.len() == 2);
    assert_eq!(seen(&diagnostics).iter().map(|d| d.0).collect::<Vec<_>>(), [4, 10]);
    let end = text.lines().nth(9).expect("a line").len() as u32;
    client.change(&uri, 3, Some([10, end - 6, 10, end]), "41 MiB");
    let diagnostics = client.diagnostics(&uri, |list| list.len() == 1);
    assert_eq!(seen(&diagnostics)[0].0, 4);
    // A limit that is new since the run.
    client.change(&uri, 4, Some([9, 33, 9, 33]), "  # heaphint: limit 1 KB");
    let diagnostics = client.diagnostics(&uri, |list| list.len() == 2);
    assert_eq!(
        seen(&diagnostics)[1],
        (9, "This line held up to 80.0 MiB, more than the limit of 1.00 KiB. It has been edited since.")
    );
    client.command("heaphint.clear", Value::Null);
    client.diagnostics(&uri, <[Value]>::is_empty);
}

#[test]
fn limits_of_files_that_are_not_open_hold() {
    let lib = "def make(n):\n    return bytearray(n * 1024 * 1024)  # heaphint: limit 5 MiB\n";
    let project = Project::new(&[("app.py", "import lib\nkept = lib.make(7)\n"), ("lib.py", lib)]);
    let mut client = Client::initialized();
    client.profile(json!({"uri": project.uri("app.py")}));
    let diagnostics = client.diagnostics(&project.uri("lib.py"), |list| !list.is_empty());
    assert_eq!(seen(&diagnostics), [(1, "This line held up to 7.00 MiB, more than the limit of 5.00 MiB.")]);
}

#[test]
fn wrong_limits_are_shown_where_they_are_written() {
    let project = Project::new(&[]);
    project.write("pyproject.toml", "[tool.heaphint]\npeak = \"plenty\"\n");
    let mut client = Client::start();
    client.initialize(project.folders());
    let diagnostics = client.diagnostics(&project.uri("pyproject.toml"), |list| !list.is_empty());
    let (line, message) = seen(&diagnostics)[0];
    assert!(line == 1 && message.contains("`plenty`"), "{diagnostics:?}");
    project.write("pyproject.toml", "[tool.heaphint]\npeak = \"5 MB\"\n");
    client.diagnostics(&project.uri("pyproject.toml"), <[Value]>::is_empty);

    let uri = project.uri("app.py");
    let text = "x = 1  # heaphint: limit plenty\n# heaphint: limit 5 MiB\ny = '# heaphint: limit z'\nz = 1  # heaphint: lmit 5 MiB\n";
    client.open(&uri, text);
    let diagnostics = client.diagnostics(&uri, |list| !list.is_empty());
    let lines: Vec<u64> = seen(&diagnostics).iter().map(|d| d.0).collect();
    assert_eq!(lines, [0, 1, 3], "{diagnostics:?}");
    assert_eq!(diagnostics[0]["range"]["start"]["character"], 7);
}

#[test]
fn editors_without_related_information_read_it_in_the_message() {
    let project = Project::new(&[("app.py", APP)]);
    project.write("pyproject.toml", "[tool.heaphint]\npeak = \"100 MB\"\n");
    let uri = project.uri("app.py");
    let mut client = Client::start();
    let none =
        json!({"capabilities": {"textDocument": {"publishDiagnostics": {"relatedInformation": false}}}});
    client.initialize(none);
    client.open(&uri, APP);
    client.profile(json!({"uri": uri}));
    let diagnostics = client.diagnostics(&uri, |list| !list.is_empty());
    assert_eq!(diagnostics[0].get("relatedInformation"), None);
    assert!(seen(&diagnostics)[0].1.contains("load (app.py:4)"), "{diagnostics:?}");
}

/// A project that exceeds a limit of each kind.
fn exceeding() -> Project {
    let cli = "TABLE = bytearray(3_000_000)\n\n\ndef load(count):\n    return [bytearray(1_000_000) for _ in range(count)]\n";
    let main = "import app.cli\n\n\ndef main():\n    kept = app.cli.load(40)  # heaphint: limit 1 MB\n    return kept\n\n\nKEPT = main()\n";
    let project = Project::new(&[("app/cli.py", cli), ("main.py", main)]);
    project.write(
        "pyproject.toml",
        "[tool.heaphint]\npeak = \"30 MB\"\nrss = \"20 MB\"\nleaks = \"1 MB\"\nallocations = 50\ngrowth = \"5 %\"\n\
         [[tool.heaphint.limits]]\nfunction = \"load\"\nbytes = \"5 MB\"\n\
         [[tool.heaphint.limits]]\nimport = \"app.cli\"\nbytes = \"1 MiB\"\n\
         [[tool.heaphint.limits]]\nfiles = \"src/*.py\"\nbytes = \"1 MB\"\n",
    );
    project
}

/// What one format says: codes, files relative to the project, 1-based lines and sentences, in order.
type Said = Vec<(String, String, u64, String)>;

fn sorted(mut said: Said) -> Said {
    said.sort();
    said
}

fn said_by_json(document: &Value, root: &str) -> Said {
    let text = |value: &Value| value.as_str().unwrap_or_default().replace(&format!("{root}/"), "");
    let findings = document["findings"].as_array().expect("a list").iter().map(|it| {
        // What is about the whole process is shown where the limit is written.
        let at = if it["file"].is_null() { &it["limit_source"] } else { it };
        (text(&it["code"]), text(&at["file"]), at["line"].as_u64().expect("a line"), text(&it["message"]))
    });
    let problems = document["problems"].as_array().expect("a list").iter();
    let problems = problems.map(|it| {
        (text(&it["code"]), text(&it["file"]), it["line"].as_u64().expect("a line"), text(&it["message"]))
    });
    sorted(findings.chain(problems).collect())
}

fn said_by_github(text: &str) -> Said {
    let commands = text.lines().map(|line| {
        let (properties, message) =
            line.split_once(' ').and_then(|(_, rest)| rest.split_once("::")).expect("a command");
        let property = |name: &str| {
            let found = properties.split(',').find_map(|part| part.strip_prefix(&format!("{name}=")));
            found.unwrap_or_else(|| panic!("{name} in {line}")).to_owned()
        };
        let code = property("title").replace("heaphint ", "");
        (code, property("file"), property("line").parse().expect("a number"), message.replace("%25", "%"))
    });
    sorted(commands.collect())
}

fn said_by_sarif(document: &Value) -> Said {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let results = document["runs"][0]["results"].as_array().expect("a list").iter().map(|it| {
        let place = &it["locations"][0]["physicalLocation"];
        let line = place["region"]["startLine"].as_u64().expect("a line");
        (text(&it["ruleId"]), text(&place["artifactLocation"]["uri"]), line, text(&it["message"]["text"]))
    });
    sorted(results.collect())
}

fn said_by_junit(text: &str) -> Said {
    let report = junit_parser::from_reader(text.as_bytes()).expect("it is a JUnit report");
    let cases = report.suites.iter().flat_map(|suite| &suite.cases);
    let cases = cases.filter_map(|case| {
        let (kind, message) = match &case.status {
            junit_parser::TestStatus::Success => return None,
            junit_parser::TestStatus::Failure(failure) => (&failure.failure_type, &failure.message),
            junit_parser::TestStatus::Error(error) => (&error.error_type, &error.message),
            junit_parser::TestStatus::Skipped(skipped) => (&skipped.skipped_type, &skipped.message),
        };
        let line = case.line.expect("a line");
        Some((kind.clone(), case.file.clone().expect("a file"), line, message.clone()))
    });
    sorted(cases.collect())
}

fn check(project: &Project, format: &str) -> String {
    let capture = std::fs::read_dir(project.path(".heaphint")).expect("a folder").flatten();
    assert!(capture.count() > 0, "the run was kept");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_heaphint"));
    command.args(["check", ".heaphint", "--format", format]).current_dir(project.path(""));
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a text")
}

#[test]
fn every_report_and_the_editor_say_the_same() {
    let project = exceeding();
    let root = project.path("").display().to_string();
    let root = root.trim_end_matches('/');
    let mut client = Client::start();
    client.initialize(project.folders());
    let uri = project.uri("main.py");
    client.profile(json!({"uri": uri}));
    let mut diagnostics: Said = Vec::new();
    for (file, count) in [("main.py", 1), ("app/cli.py", 2), ("pyproject.toml", 5)] {
        let list = client.diagnostics(&project.uri(file), |list| list.len() >= count);
        diagnostics.extend(list.iter().map(|it| {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let line = it["range"]["start"]["line"].as_u64().expect("a line") + 1;
            (text(&it["code"]), file.to_owned(), line, text(&it["message"]))
        }));
    }
    // What is about the whole process is shown at the beginning of the program, too.
    diagnostics.retain(|(code, file, line, _)| {
        !(file == "main.py"
            && *line == 1
            && ["peak-limit", "rss-limit", "allocations-limit"].contains(&code.as_str()))
    });
    let diagnostics = sorted(diagnostics);
    let codes: Vec<&str> = diagnostics.iter().map(|(code, ..)| code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "allocations-limit",
            "function-limit",
            "import-limit",
            "leak-limit",
            "leak-limit",
            "line-limit",
            "no-accepted-run",
            "peak-limit",
            "rss-limit",
            "unused-limit"
        ]
    );
    let document =
        |format: &str| serde_json::from_str::<Value>(&check(&project, format)).expect("it is JSON");
    assert_eq!(said_by_json(&document("json"), root), diagnostics);
    assert_eq!(said_by_github(&check(&project, "github")), diagnostics);
    assert_eq!(said_by_sarif(&document("sarif")), diagnostics);
    assert_eq!(said_by_junit(&check(&project, "junit")), diagnostics);
    let text = check(&project, "text");
    for (code, file, line, message) in &diagnostics {
        let said = text.lines().any(|it| {
            it.starts_with(&format!("{file}:{line}:")) && it.ends_with(&format!(" {message} [{code}]"))
        });
        assert!(said, "{file}:{line} {message} in {text}");
    }
}

#[test]
fn diagnostics_carry_what_quick_fixes_need() {
    let project = exceeding();
    let uri = project.uri("main.py");
    let text = std::fs::read_to_string(project.path("main.py")).expect("a file");
    let mut client = Client::start();
    let mut parts = project.folders();
    parts["capabilities"] = json!({"window": {"showDocument": {"support": true}}});
    parts["initializationOptions"] = json!({"limits": {"severity": "error"}});
    client.initialize(parts);
    client.open(&uri, &text);
    client.profile(json!({"uri": uri}));
    let list = client.diagnostics(&uri, |list| list.iter().any(|it| it["code"] == "line-limit"));
    let line = list.iter().find(|it| it["code"] == "line-limit").expect("a finding");
    assert_eq!(line["severity"], 1);
    let href = line["codeDescription"]["href"].as_str().expect("a link");
    let (page, anchor) =
        href.strip_prefix("file://").and_then(|path| path.split_once("#L")).expect("a line of a file");
    let page = std::fs::read_to_string(page).expect("the explanation is there");
    let heading = page.lines().nth(anchor.parse::<usize>().expect("a number") - 1);
    assert_eq!(heading, Some("### line-limit"));
    assert_eq!(line["data"]["raise"]["new"], "38.2 MiB");
    let toml = client.diagnostics(&project.uri("pyproject.toml"), |list| !list.is_empty());
    let unused = toml.iter().find(|it| it["code"] == "unused-limit").expect("a limit about nothing");
    assert_eq!((&unused["severity"], &unused["tags"]), (&json!(2), &json!([1])));

    let actions = client.actions(&uri, 4, Some("quickfix"));
    assert_eq!(titles(&actions), ["Raise the limit to 38.2 MiB", "Open the stacks that contributed most"]);
    assert_eq!(actions[0]["diagnostics"][0]["code"], "line-limit");
    let edit = &actions[0]["edit"]["changes"][uri.as_str()][0];
    assert_eq!(edit["newText"], "38.2 MiB");
    let range = &edit["range"];
    let column = |end: &str| range[end]["character"].as_u64().expect("a number") as usize;
    let row = text.lines().nth(4).expect("a line");
    assert_eq!(&row[column("start")..column("end")], "1 MB");

    // The stacks are a text that the editor opens.
    client.ask("workspace/executeCommand", actions[1]["command"].clone());
    let shown = client.told("window/showDocument", |_| true);
    let path = shown["uri"].as_str().and_then(|uri| uri.strip_prefix("file://")).expect("a file");
    let stacks = std::fs::read_to_string(path).expect("a text");
    assert!(
        stacks.starts_with("main.py:5: This line held up to 38.1 MiB")
            && stacks.contains("app/cli.py:5 load"),
        "{stacks}"
    );

    // With the limit raised there is no finding any more.
    let start = column("start") as u32;
    client.change(&uri, 2, Some([4, start, 4, start + 4]), "38.2 MiB");
    client.diagnostics(&uri, |list| list.iter().all(|it| it["code"] != "line-limit"));
    assert_eq!(client.actions(&uri, 4, Some("quickfix")), Vec::<Value>::new());
    // A function without a limit can have one.
    let actions = client.actions(&uri, 4, Some("refactor"));
    assert_eq!(titles(&actions), ["Limit the memory of main to 38.2 MiB"]);
    let edit = &actions[0]["edit"]["changes"][uri.as_str()][0];
    assert_eq!(
        (&edit["newText"], &edit["range"]["start"]),
        (&json!("  # heaphint: limit 38.2 MiB"), &json!({"line": 3, "character": 11}))
    );

    // What is not wanted here is ignored, and said no more.
    let actions = client.actions(&uri, 0, Some("quickfix"));
    let ignore =
        actions.iter().find(|it| it["title"] == "Ignore findings of this line").expect("it can be ignored");
    let edit = &ignore["edit"]["changes"][uri.as_str()][0];
    assert_eq!(edit["newText"], "  # heaphint: ignore");
    client.change(&uri, 3, Some([0, 14, 0, 14]), "  # heaphint: ignore");
    client.diagnostics(&uri, |list| list.iter().all(|it| it["code"] != "import-limit"));

    // An accepted run is what the next one is compared with.
    let toml = project.uri("pyproject.toml");
    let actions = client.actions(&toml, 5, Some("quickfix"));
    assert_eq!(titles(&actions), ["Accept this run as what later ones are compared with"]);
    client.ask("workspace/executeCommand", actions[0]["command"].clone());
    client.diagnostics(&toml, |list| list.iter().all(|it| it["code"] != "no-accepted-run"));
    assert!(project.path("heaphint-baseline.json").exists());
}

#[test]
fn growth_is_told_in_the_editor_until_it_is_accepted() {
    let text = "def load(n):\n    return bytearray(n << 20)\n\nkept = load(30)\n";
    let project = Project::new(&[("app.py", text)]);
    project.write(
        "pyproject.toml",
        "[tool.heaphint]\ngrowth = \"5 % or 2 MiB\"\n[[tool.heaphint.limits]]\nfunction = \"load\"\ngrowth = \"1 MiB\"\n",
    );
    let (uri, toml) = (project.uri("app.py"), project.uri("pyproject.toml"));
    let root = json!({"uri": project.uri("")});
    let mut client = Client::start();
    client.initialize(project.folders());
    client.open(&uri, text);
    client.profile(json!({"uri": uri}));
    client
        .diagnostics(&toml, |list| list.iter().all(|it| it["code"] == "no-accepted-run") && !list.is_empty());
    client.command("heaphint.acceptRun", root);
    client.diagnostics(&toml, <[Value]>::is_empty);

    let larger = text.replace("30", "40");
    project.write("app.py", &larger);
    client.change(&uri, 2, None, &larger);
    client.profile(json!({"uri": uri}));
    let at_function =
        client.diagnostics(&uri, |list| list.iter().any(|it| it["range"]["start"]["line"] == 0));
    let of_function =
        "`load` held up to 40.0 MiB, more than the 30.0 MiB of the accepted run and the 1.00 MiB";
    assert!(
        at_function.iter().all(|it| it["code"] == "growth-limit")
            && at_function
                .iter()
                .any(|it| it["message"].as_str().is_some_and(|m| m.starts_with(of_function))),
        "{at_function:?}"
    );
    let actions = client.actions(&uri, 0, Some("quickfix"));
    let accept =
        actions.iter().find(|it| it["title"].as_str().is_some_and(|title| title.starts_with("Accept")));
    let accept = accept.unwrap_or_else(|| panic!("{actions:?}"))["command"].clone();
    client.ask("workspace/executeCommand", accept);
    client.diagnostics(&uri, <[Value]>::is_empty);
}

#[test]
fn a_limit_of_one_test_holds_when_it_runs_alone() {
    let text =
        "def test_a():\n    kept = bytearray(6 << 20)\n\ndef test_b():\n    kept = bytearray(7 << 20)\n";
    let project = Project::new(&[("tests/test_app.py", text), ("pytest.py", PYTEST)]);
    let toml = "[[limits]]\ntest = \"tests/test_app.py::test_a\"\nbytes = \"5 MB\"\n\
                [[limits]]\ntest = \"tests/test_app.py::test_b\"\npeak = \"1 MB\"\n";
    project.write("heaphint.toml", toml);
    let (uri, toml) = (project.uri("tests/test_app.py"), project.uri("heaphint.toml"));
    let mut client = Client::start();
    client.initialize(project.folders());
    client.open(&uri, text);
    let finished = client.profile(json!({"uri": uri, "test": "test_a"}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    let list = client.diagnostics(&uri, |list| !list.is_empty());
    assert_eq!(seen(&list), [(0, "`test_a` held up to 6.00 MiB, more than the limit of 5.00 MiB.")]);
    assert!(!client.has_unread_diagnostics(&toml));
    client.profile(json!({"uri": uri, "test": "test_b"}));
    let list = client.diagnostics(&toml, |list| !list.is_empty());
    assert_eq!((list.len(), &list[0]["code"]), (1, &json!("peak-limit")), "{list:?}");
}

#[test]
fn each_project_has_its_own_limits() {
    let text = "kept = bytearray(7 * 1024 * 1024)\n";
    let (one, two) = (Project::new(&[("a.py", text)]), Project::new(&[("b.py", text)]));
    one.write("heaphint.toml", "[[limits]]\nfiles = \"a.py\"\nbytes = \"5 MB\"\n");
    two.write("pyproject.toml", "[tool.heaphint]\npeak = \"1 GB\"\n");
    let mut client = Client::start();
    let folder = |project: &Project| json!({"uri": project.uri(""), "name": "project"});
    client.initialize(json!({"workspaceFolders": [folder(&one), folder(&two)]}));
    for (project, file) in [(&one, "a.py"), (&two, "b.py")] {
        client.profile(json!({"uri": project.uri(file)}));
    }
    let list = client.diagnostics(&one.uri("a.py"), |list| !list.is_empty());
    assert_eq!(seen(&list), [(0, "This line held up to 7.00 MiB, more than the limit of 5.00 MiB.")]);
    assert!(!client.has_unread_diagnostics(&two.uri("b.py")));

    // What stands in the editor counts, saved or not: here a limit of another project, and one about nothing.
    let toml = two.uri("pyproject.toml");
    client.open(&toml, "[[tool.heaphint.limits]]\nfiles = \"b.py\"\nbytes = \"6 MB\"\n[[tool.heaphint.limits]]\nfiles = \"a.py\"\nbytes = \"1 MB\"\n");
    let list = client.diagnostics(&two.uri("b.py"), |list| !list.is_empty());
    assert_eq!(seen(&list), [(0, "This line held up to 7.00 MiB, more than the limit of 6.00 MiB.")]);
    let list = client.diagnostics(&toml, |list| !list.is_empty());
    assert_eq!((seen(&list)[0].0, &list[0]["code"]), (5, &json!("unused-limit")));
    let start = &list[0]["range"]["start"];
    assert_eq!(start["character"], 8, "the amount is marked");

    // A document of no project says what is wrong with its comments.
    client.open("untitled:new", "x = 1  # heaphint: limit plenty\n");
    let list = client.diagnostics("untitled:new", |list| !list.is_empty());
    assert_eq!(list[0]["code"], "wrong-limit");
}

#[test]
fn a_limit_about_nothing_is_shown_before_any_run() {
    let project = Project::new(&[("app.py", "def load(): pass\n")]);
    project.write(
        "pyproject.toml",
        "[[tool.heaphint.limits]]\nfunction = \"lod\"\nbytes = \"5 MB\"\n[[tool.heaphint.limits]]\nfunction = \"load\"\nbytes = \"5 MB\"\n",
    );
    let mut client = Client::start();
    client.initialize(project.folders());
    let list = client.diagnostics(&project.uri("pyproject.toml"), |list| !list.is_empty());
    assert_eq!(list.len(), 1, "{list:?}");
    assert!(seen(&list)[0].1.contains("`lod`"), "{list:?}");
}

fn titles(actions: &[Value]) -> Vec<&str> {
    actions.iter().filter_map(|action| action["title"].as_str()).collect()
}
