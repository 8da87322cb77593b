//! Limits and the diagnostics where they are exceeded.

use serde_json::{Value, json};

use super::client::Client;
use super::project::{APP, Project};

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
