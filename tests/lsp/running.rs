//! What an editor sees while programs run: growing figures, their output, and several runs side by side.

use serde_json::{Value, json};

use super::client::Client;
use super::project::{Project, labels};

/// Holds 20 MiB, and 20 MiB more each time a file appears; ends when it is told to.
const GROWS: &str = r#"import os, sys, time

def grow():
    return bytearray(20 * 1024 * 1024)

kept = [grow()]
print("holding", len(kept), flush=True)
while True:
    time.sleep(0.01)
    if os.path.exists(f"grow{len(kept)}"):
        kept.append(grow())
        print("holding", len(kept), flush=True)
    if os.path.exists("end"):
        break
"#;

/// Waits until the hints of a document are these.
fn until_hints(client: &mut Client, uri: &str, wanted: &[(u64, &str)]) {
    while labels(&client.hints(uri)) != wanted {
        client.told("workspace/inlayHint/refresh", |_| true);
    }
}

#[test]
fn figures_grow_while_the_program_runs() {
    let project = Project::new(&[("app.py", GROWS)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, GROWS);
    client.command("heaphint.profile", json!({"uri": uri}));
    until_hints(&mut client, &uri, &[(3, "20.0 MiB peak"), (5, "20.0 MiB peak")]);
    project.write("grow1", "");
    let grown = [(3, "40.0 MiB peak"), (5, "20.0 MiB peak"), (10, "20.0 MiB peak")];
    until_hints(&mut client, &uri, &grown);
    assert!(client.hover(&uri, 3).contains("`grow`"));
    assert!(!client.has_unread("heaphint/runFinished"));
    // Figures follow edits while they grow.
    client.change(&uri, 2, Some([0, 0, 0, 0]), "# one\n");
    project.write("grow2", "");
    until_hints(&mut client, &uri, &[(4, "60.0 MiB peak"), (6, "20.0 MiB peak"), (11, "40.0 MiB peak")]);
    project.write("end", "");
    let finished = client.told("heaphint/runFinished", |_| true);
    assert_eq!(finished["outcome"], "finished", "{finished}");
    assert_eq!(labels(&client.hints(&uri))[0], (4, "60.0 MiB peak"));
}

#[test]
fn the_newest_run_of_a_project_is_shown_and_others_go_on() {
    let project = Project::new(&[("a/app.py", GROWS), ("b/app.py", GROWS)]);
    let (a, b) = (project.uri("a/app.py"), project.uri("b/app.py"));
    let mut client = Client::initialized();
    client.open(&a, GROWS);
    client.open(&b, GROWS);
    let start = |client: &mut Client, uri: &str, token: &str| {
        let params =
            json!({"command": "heaphint.profile", "arguments": [{"uri": uri}], "workDoneToken": token});
        client.ask("workspace/executeCommand", params)["run"].clone()
    };
    let shown = [(3, "20.0 MiB peak"), (5, "20.0 MiB peak")];
    let first = start(&mut client, &a, "first");
    until_hints(&mut client, &a, &shown);
    let second = start(&mut client, &b, "second");
    until_hints(&mut client, &b, &shown);
    assert_eq!(client.hints(&a), []);
    for token in ["first", "second"] {
        let is_report = |params: &Value| params["token"] == token && params["value"]["kind"] == "report";
        client.told("$/progress", is_report);
    }
    // The older one ends first: it is told, and the newer one's figures stay.
    client.command("heaphint.cancel", json!({"run": first}));
    let finished = client.told("heaphint/runFinished", |_| true);
    assert_eq!((&finished["run"], &finished["outcome"]), (&first, &json!("cancelled")));
    assert_eq!(labels(&client.hints(&b)), shown);
    client.command("heaphint.cancel", Value::Null);
    assert_eq!(client.told("heaphint/runFinished", |_| true)["run"], second);
    assert_eq!(labels(&client.hints(&b)), shown);
}

#[test]
fn runs_of_several_projects_are_shown_beside_each_other() {
    let text = "kept = bytearray(6 * 1024 * 1024)\n";
    let (one, two) = (Project::new(&[("app.py", text)]), Project::new(&[("app.py", text)]));
    let mut client = Client::initialized();
    for project in [&one, &two] {
        client.open(&project.uri("app.py"), text);
        client.profile(json!({"uri": project.uri("app.py")}));
    }
    for project in [&one, &two] {
        assert_eq!(labels(&client.hints(&project.uri("app.py"))), [(0, "6.00 MiB peak")]);
    }
}

#[test]
fn output_arrives_whole_and_in_order() {
    let text = r#"import sys
for i in range(100_000):
    sys.stdout.write(f"{i} é🐍\n")
sys.stdout.write("no end")
sys.stdout.flush()
sys.stderr.write("problem\n")
sys.stdout.buffer.write(b"\xff")
"#;
    let mut expected: String = (0..100_000).map(|i| format!("{i} é🐍\n")).collect();
    expected += "no end\u{fffd}";
    let project = Project::new(&[("app.py", text)]);
    let mut client = Client::start();
    client.initialize(json!({"capabilities": {"experimental": {"heaphintOutput": true}}}));
    let run = client.command("heaphint.profile", json!({"uri": project.uri("app.py")}))["run"].clone();
    let (mut out, mut err) = (String::new(), String::new());
    while out.len() < expected.len() || err.is_empty() {
        let params = client.told("heaphint/output", |_| true);
        assert_eq!(params["run"], run);
        let text = params["text"].as_str().expect("a text");
        match params["stream"].as_str() {
            Some("stdout") => out += text,
            _ => err += text,
        }
    }
    assert_eq!(out, expected);
    assert_eq!(err, "problem\n");
    client.told("heaphint/runFinished", |_| true);
    assert!(!client.has_unread("heaphint/output"));
    assert!(
        !client.has_unread("window/logMessage") || {
            let params = client.told("window/logMessage", |_| true);
            params["message"].as_str().is_some_and(|message| message.contains("peaked"))
        }
    );
}

#[test]
fn output_comes_as_lines_of_the_log_to_other_editors() {
    let text = "import sys\nfor i in range(5000): print(i)\nprint('x' * 20_000)\nprint('the end', end='')\n";
    let project = Project::new(&[("app.py", text)]);
    let mut client = Client::initialized();
    client.profile(json!({"uri": project.uri("app.py")}));
    let mut line = || {
        let params = client.told("window/logMessage", |params| params["type"] == 4);
        params["message"].as_str().expect("a line").to_owned()
    };
    for i in 0..5000 {
        assert_eq!(line(), i.to_string());
    }
    assert_eq!([line(), line(), line()].map(|piece| piece.len()).iter().sum::<usize>(), 20_000);
    assert_eq!(line(), "the end");
}

#[test]
fn a_flood_of_output_does_not_fill_the_server() {
    let text =
        "import os\npiece = b'x' * 99 + b'\\n'\npiece *= 1000\nfor i in range(10_000): os.write(1, piece)\n";
    let project = Project::new(&[("app.py", text)]);
    let mut client = Client::start();
    client.initialize(json!({"capabilities": {"experimental": {"heaphintOutput": true}}}));
    client.command("heaphint.profile", json!({"uri": project.uri("app.py")}));
    let mut bytes = 0;
    while bytes < 1_000_000_000 {
        let params = client.told("heaphint/output", |_| true);
        bytes += params["text"].as_str().expect("a text").len();
    }
    assert_eq!(bytes, 1_000_000_000);
    client.told("heaphint/runFinished", |_| true);
    let most = client.peak_memory();
    assert!(most < 100 << 20, "{most} bytes");
}
