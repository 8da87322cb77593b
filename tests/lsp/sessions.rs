//! Sessions: kept, listed, named, shown again, deleted; and captures that others made.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::client::Client;
use super::project::{Project, labels};

const HOLDS: &str = "kept = bytearray(6 * 1024 * 1024)\n";

fn captures(project: &Project) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(project.path(".heaphint")).expect("a folder");
    let paths = folder.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "heaphint")).collect()
}

fn sessions(client: &mut Client, uri: &str) -> Vec<Value> {
    let list = client.command("heaphint.sessions", json!({"uri": uri}));
    list["sessions"].as_array().expect("sessions").clone()
}

/// Runs a file from the command line, with its capture at `output`.
fn run_elsewhere(file: &Path, output: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
    let done =
        command.args(["run", "-q", "-f", "-o"]).arg(output).arg(file).status().expect("heaphint starts");
    assert!(done.success());
}

#[test]
fn sessions_are_listed_named_shown_and_deleted() {
    let project = Project::new(&[("app.py", HOLDS)]);
    let uri = project.uri("app.py");
    let mut client = Client::start();
    client.initialize(json!({"initializationOptions": {"keepSessions": 3}}));
    client.open(&uri, HOLDS);
    assert_eq!(sessions(&mut client, &uri), Vec::<Value>::new());
    let first = client.profile(json!({"uri": uri}))["session"].clone();
    let named = json!({"uri": uri, "session": first, "name": "before"});
    client.command("heaphint.nameSession", named);
    let text = HOLDS.replace('6', "8");
    project.write("app.py", &text);
    client.change(&uri, 2, None, &text);
    let later: Vec<Value> = (0..5).map(|_| client.profile(json!({"uri": uri}))["session"].clone()).collect();
    let list = sessions(&mut client, &uri);
    let seen: Vec<_> = list.iter().map(|item| item["session"].clone()).collect();
    assert_eq!(seen, [later[4].clone(), later[3].clone(), later[2].clone(), first.clone()]);
    assert_eq!(captures(&project).len(), 4);
    assert_eq!(list[0]["title"], "app.py");
    assert_eq!((&list[0]["shown"], &list[3]["shown"]), (&json!(true), &json!(false)));
    assert_eq!((&list[3]["name"], &list[3]["exitCode"]), (&json!("before"), &json!(0)));
    assert!(list[3]["peak"].as_str().is_some_and(|peak| peak.ends_with(" MiB")), "{}", list[3]);

    // Shown with the text that ran then: the line has been edited since.
    client.command("heaphint.openSession", json!({"uri": uri, "session": first}));
    assert_eq!(labels(&client.hints(&uri)), [(0, "6.00 MiB peak (old)")]);
    assert_eq!(sessions(&mut client, &uri)[3]["shown"], true);
    client.command("heaphint.deleteSession", json!({"uri": uri, "session": first}));
    assert_eq!(sessions(&mut client, &uri).len(), 3);
    assert_eq!(captures(&project).len(), 3);

    let command = json!({"command": "heaphint.openSession", "arguments": [{"uri": uri, "session": first}]});
    let id = client.request("workspace/executeCommand", command);
    let answer = client.answer(id);
    assert_eq!(answer["error"]["code"], -32803);
    assert!(answer["error"]["message"].as_str().is_some_and(|m| m.contains("no session")), "{answer}");
}

#[test]
fn sessions_outlive_the_server() {
    let project = Project::new(&[("app.py", HOLDS)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    let session = client.profile(json!({"uri": uri}))["session"].clone();
    drop(client);
    // What ran is remembered, though the file is another one by now.
    let text = format!("import os\n{HOLDS}");
    project.write("app.py", &text);
    let mut client = Client::initialized();
    client.open(&uri, &text);
    assert_eq!(client.hints(&uri), []);
    client.command("heaphint.openSession", json!({"uri": uri, "session": session}));
    assert_eq!(labels(&client.hints(&uri)), [(1, "6.00 MiB peak")]);
}

#[test]
fn captures_from_elsewhere_are_shown_where_the_files_are_here() {
    let there = Project::new(&[("src/app.py", HOLDS)]);
    let here = Project::new(&[("src/app.py", HOLDS), ("lib/app.py", HOLDS)]);
    let capture = there.path("ci.heaphint");
    run_elsewhere(&there.path("src/app.py"), &capture);
    // The other machine's files are not here.
    std::fs::remove_file(there.path("src/app.py")).expect("a file");
    let (uri, lib) = (here.uri("src/app.py"), here.uri("lib/app.py"));
    let mut client = Client::start();
    client.initialize(here.folders());
    client.open(&uri, HOLDS);
    client.open(&lib, HOLDS);
    let captures = json!([there.uri("ci.heaphint")]);
    let open = json!({"uri": here.uri(""), "captures": captures});
    client.command("heaphint.openSession", open.clone());
    assert_eq!(labels(&client.hints(&uri)), [(0, "6.00 MiB peak")]);
    let mapping = json!([{"from": there.path("src"), "to": here.path("lib")}]);
    client.notify(
        "workspace/didChangeConfiguration",
        json!({"settings": {"heaphint": {"pathMappings": mapping}}}),
    );
    client.command("heaphint.openSession", open);
    assert_eq!(labels(&client.hints(&lib)), [(0, "6.00 MiB peak")]);
    assert_eq!(client.hints(&uri), []);
}

#[test]
fn a_capture_that_is_replaced_is_shown_again() {
    let project = Project::new(&[("app.py", HOLDS)]);
    let uri = project.uri("app.py");
    let mut client = Client::start();
    client.initialize(project.folders());
    client.open(&uri, HOLDS);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let opened = elsewhere.path().canonicalize().expect("a folder").join("x.heaphint");
    run_elsewhere(&project.path("app.py"), &opened);
    client.command(
        "heaphint.openSession",
        json!({"uri": uri, "captures": [format!("file://{}", opened.display())]}),
    );
    assert_eq!(labels(&client.hints(&uri)), [(0, "6.00 MiB peak")]);
    let text = HOLDS.replace('6', "7");
    project.write("app.py", &text);
    client.change(&uri, 2, None, &text);
    let new = elsewhere.path().join("new");
    run_elsewhere(&project.path("app.py"), &new);
    std::fs::rename(&new, &opened).expect("a file");
    while labels(&client.hints(&uri)) != [(0, "7.00 MiB peak")] {
        client.told("workspace/inlayHint/refresh", |_| true);
    }
}

#[test]
fn a_run_in_a_terminal_is_followed_as_it_grows() {
    let text = "import os, time\nkept = bytearray(6 * 1024 * 1024)\nwhile not os.path.exists('end'): time.sleep(0.01)\nmore = bytearray(2 * 1024 * 1024)\n";
    let project = Project::new(&[("app.py", text), (".heaphint/.gitignore", "*\n")]);
    let uri = project.uri("app.py");
    let mut client = Client::start();
    client.initialize(project.folders());
    client.open(&uri, text);
    // Answered when the folder is watched.
    client.command("heaphint.sessions", json!({"uri": uri}));
    let mut run = Command::new(env!("CARGO_BIN_EXE_heaphint"))
        .args(["run", "-q", "-o", ".heaphint/terminal.%p.heaphint", "app.py"])
        .current_dir(project.path(""))
        .spawn()
        .expect("heaphint starts");
    while labels(&client.hints(&uri)) != [(1, "6.00 MiB peak")] {
        client.told("workspace/inlayHint/refresh", |_| true);
    }
    assert_eq!(sessions(&mut client, &uri)[0]["running"], true);
    project.write("end", "");
    assert!(run.wait().expect("a child").success());
    while labels(&client.hints(&uri)) != [(1, "6.00 MiB peak"), (3, "2.00 MiB peak")] {
        client.told("workspace/inlayHint/refresh", |_| true);
    }
}

#[test]
fn a_capture_of_many_stacks_leaves_little_in_memory() {
    // 10 branches on each of 5 levels: 111,111 nodes, of which 100,000 allocate.
    let calls = "    f(n - 1)\n".repeat(10);
    let text = format!(
        "kept = []\ndef f(n):\n    if n == 0:\n        kept.append(bytearray(2000))\n        return\n{calls}f(5)\n"
    );
    let project = Project::new(&[("app.py", &text)]);
    let uri = project.uri("app.py");
    let capture = project.path("many.heaphint");
    run_elsewhere(&project.path("app.py"), &capture);
    let mut client = Client::initialized();
    client.open(&uri, &text);
    client.hints(&uri);
    let before = client.own_memory();
    client.command("heaphint.openSession", json!({"uri": uri, "captures": [project.uri("many.heaphint")]}));
    let hints = client.hints(&uri);
    let held = labels(&hints);
    assert!(held[0].0 == 3 && held[0].1.starts_with("19"), "200 MB in blocks and a list: {hints:?}");
    // Its stacks alone would be 20 MiB.
    let grown = client.own_memory().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes");
    // They are there when somebody asks.
    let hover = client.hover(&uri, 3);
    assert!(
        hover.contains("Largest stacks through this line") && hover.contains("`f` [app.py:4]"),
        "{hover}"
    );
}
