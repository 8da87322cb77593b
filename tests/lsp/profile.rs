//! A run from the command to what the editor shows.

use std::io::Read;
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use super::client::Client;
use super::project::{APP, Project, labels};

const MIB: u64 = 1 << 20;

/// A server with `app.py` open and profiled.
fn profiled(text: &str, parts: Value) -> (Client, Project, String, Value) {
    let project = Project::new(&[("app.py", text)]);
    let uri = project.uri("app.py");
    let mut client = Client::start();
    client.initialize(parts);
    client.open(&uri, text);
    let finished = client.profile(json!({"uri": uri}));
    (client, project, uri, finished)
}

#[test]
fn a_run_ends_in_hints_lenses_and_hovers() {
    let (mut client, _project, uri, finished) = profiled(APP, json!({}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    assert_eq!(finished["exitCode"], 0);
    let peak = finished["peakBytes"].as_u64().expect("a peak");
    assert!((120 * MIB..140 * MIB).contains(&peak), "{peak}");
    assert!(finished["message"].as_str().is_some_and(|m| m.contains("app.py peaked at 1")), "{finished}");
    client.told("workspace/inlayHint/refresh", |_| true);
    client.told("workspace/codeLens/refresh", |_| true);
    client.told("window/logMessage", |params| params["message"] == "kept 83886080");

    let hints = client.hints(&uri);
    let peaks = [(3, "120 MiB peak"), (7, "80.0 MiB peak"), (8, "40.0 MiB peak"), (13, "120 MiB peak")];
    assert_eq!(labels(&hints), peaks);
    assert_eq!(hints[0].1, "    data = bytearray(size)".len() as u64);
    assert_eq!(labels(&client.hints_in(&uri, 7, 7)), peaks[1..2]);
    assert_eq!(labels(&client.hints_in(&uri, 4, 8)), peaks[1..3]);

    let lenses = client.lenses(&uri);
    let figures: Vec<_> =
        lenses.iter().filter(|lens| lens.2.is_empty()).map(|l| (l.0, l.1.as_str())).collect();
    let text = "Peak 120 MiB · max 120 MiB · allocated 120 MiB";
    assert_eq!(figures, [(2, text), (6, text)]);

    let hover = client.hover(&uri, 3);
    for part in [
        "`load`",
        "```text",
        "              total  count      self  count\npeak        120 MiB      2   120 MiB      2\n",
        "1. 80.0 MiB in 1 allocation",
        "2. 40.0 MiB in 1 allocation",
        &format!("`main` [app.py:8]({uri}#L8)"),
        &format!("`load` [app.py:4]({uri}#L4)"),
    ] {
        assert!(hover.contains(part), "{part} is missing in\n{hover}");
    }
    let order: Vec<_> = ["app.py:14", "app.py:8", "app.py:4"].map(|frame| hover.find(frame)).into();
    assert!(order.is_sorted(), "outermost first:\n{hover}");
    let hover = client.hover(&uri, 2);
    assert!(hover.contains("Function `load`"), "{hover}");
    assert_eq!(client.hover(&uri, 1), "");

    client.command("heaphint.clear", Value::Null);
    assert_eq!(client.hints(&uri), []);
    assert_eq!(client.hover(&uri, 3), "");
}

#[test]
fn hovers_are_plain_where_the_editor_wants_that() {
    let plain = json!({"capabilities": {"textDocument": {"hover": {"contentFormat": ["plaintext"]}}}});
    let (mut client, project, uri, _) = profiled(APP, plain);
    let hover = client.hover(&uri, 3);
    assert!(!hover.contains('`') && !hover.contains("]("), "{hover}");
    assert!(hover.contains(&format!("load {}:4", project.path("app.py").display())), "{hover}");
}

#[test]
fn a_function_that_calls_itself_is_one_frame() {
    let text = "def deep(n):\n    kept = bytearray(3 * 1024 * 1024) if n == 0 else deep(n - 1)\n    return kept\n\nx = deep(50)\n";
    let (mut client, _project, uri, _) = profiled(text, json!({}));
    assert_eq!(labels(&client.hints(&uri)), [(1, "3.00 MiB peak"), (4, "3.00 MiB peak")]);
    let hover = client.hover(&uri, 1);
    assert!(hover.contains(&format!("`deep` [app.py:2]({uri}#L2) ×51")), "{hover}");
}

#[test]
fn edits_keep_figures_on_their_lines() {
    let (mut client, _project, uri, _) = profiled(APP, json!({}));
    client.change(&uri, 2, Some([0, 0, 0, 0]), "# one\n# two\n");
    let moved = [(5, "120 MiB peak"), (9, "80.0 MiB peak"), (10, "40.0 MiB peak"), (15, "120 MiB peak")];
    assert_eq!(labels(&client.hints(&uri)), moved);
    client.change(&uri, 3, Some([9, 16, 9, 18]), "8");
    let edited = client.hints(&uri);
    assert_eq!(labels(&edited)[1], (9, "80.0 MiB peak (old)"));
    let lenses = client.lenses(&uri);
    let main = lenses.iter().find(|lens| lens.0 == 8).expect("a lens");
    assert!(main.1.ends_with("(old)"), "{main:?}");
    client.change(&uri, 4, Some([10, 0, 11, 0]), "");
    assert_eq!(labels(&client.hints(&uri)), [moved[0], (9, "80.0 MiB peak (old)"), (14, "120 MiB peak")]);
    client.change(&uri, 5, None, APP);
    let back = [(3, "120 MiB peak"), (7, "80.0 MiB peak"), (8, "40.0 MiB peak"), (13, "120 MiB peak")];
    assert_eq!(labels(&client.hints(&uri)), back);
}

#[test]
fn hints_stand_behind_the_last_character_in_the_agreed_unit() {
    let text = "snakes = '🐍🐍'; kept = bytearray(5 * 1024 * 1024)\n";
    for (encoding, length) in [("utf-16", 50), ("utf-8", 54), ("utf-32", 48)] {
        let wish = json!({"capabilities": {"general": {"positionEncodings": [encoding]}}});
        let (mut client, _project, uri, _) = profiled(text, wish);
        assert_eq!(client.hints(&uri), [(0, length, "5.00 MiB peak".to_owned())]);
    }
}

#[test]
fn files_opened_later_have_figures_too() {
    let app = "import lib\nkept = lib.make(7)\n";
    let lib = "def make(n):\n    return bytearray(n * 1024 * 1024)\n";
    let project = Project::new(&[("app.py", app), ("lib.py", lib)]);
    let mut client = Client::initialized();
    // Not even the profiled file is open.
    client.profile(json!({"uri": project.uri("app.py")}));
    client.open(&project.uri("lib.py"), lib);
    assert_eq!(labels(&client.hints(&project.uri("lib.py"))), [(1, "7.00 MiB peak")]);
    // Changed on disk since the run, and opened as it is now.
    let changed = "import lib\n\nkept = lib.make(8)\n";
    project.write("app.py", changed);
    client.open(&project.uri("app.py"), changed);
    assert_eq!(labels(&client.hints(&project.uri("app.py"))), [(2, "7.00 MiB peak (old)")]);
}

#[test]
fn what_is_on_disk_is_profiled() {
    let project = Project::new(&[("app.py", APP)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, &format!("# unsaved\n{APP}"));
    let finished = client.profile(json!({"uri": uri}));
    assert_eq!(finished["outcome"], "finished");
    client.told("window/showMessage", |params| {
        params["message"].as_str().is_some_and(|message| message.contains("app.py has unsaved changes"))
    });
    assert_eq!(labels(&client.hints(&uri))[0], (4, "120 MiB peak"));
}

#[test]
fn settings_choose_what_is_shown_and_may_change() {
    let options =
        json!({"initializationOptions": {"inlayHints": {"figure": "max", "minimumBytes": 62_914_560}}});
    let (mut client, _project, uri, _) = profiled(APP, options);
    assert_eq!(labels(&client.hints(&uri)), [(3, "120 MiB max"), (7, "80.0 MiB max"), (13, "120 MiB max")]);
    let mut set = |settings: Value| {
        client.notify("workspace/didChangeConfiguration", json!({"settings": {"heaphint": settings}}));
        client.hints(&uri)
    };
    let shown = set(json!({"units": "si", "inlayHints": {"figure": "allocated"}}));
    assert_eq!(labels(&shown)[1], (7, "83.9 MB allocated"));
    assert_eq!(labels(&set(json!({"inlayHints": {"figure": "leaked"}}))), []);
    assert_eq!(labels(&set(json!({"inlayHints": {"enabled": false}}))), []);
    assert_eq!(set(json!({"inlayHints": {"figure": "tallest"}})).len(), 4);
    client.told("window/showMessage", |params| {
        params["message"].as_str().is_some_and(|message| message.contains("heaphint.inlayHints.figure"))
    });
}

#[test]
fn settings_are_asked_for_where_the_editor_can_answer() {
    let mut client = Client::start();
    client.answer_with(|method, params| match method {
        "workspace/configuration" => {
            assert_eq!(params["items"][0]["section"], "heaphint");
            Some(json!([{"units": "si"}]))
        }
        _ => Some(Value::Null),
    });
    let workspace = json!({"configuration": true, "didChangeConfiguration": {"dynamicRegistration": true}});
    client.initialize(json!({"capabilities": {"workspace": workspace}}));
    client.told("client/registerCapability", |params| {
        params["registrations"][0]["method"] == "workspace/didChangeConfiguration"
    });
    // Changed settings are shown at once.
    client.told("workspace/inlayHint/refresh", |_| true);
    let project = Project::new(&[("app.py", APP)]);
    let uri = project.uri("app.py");
    client.open(&uri, APP);
    client.profile(json!({"uri": uri}));
    assert_eq!(labels(&client.hints(&uri))[1], (7, "83.9 MB peak"));
}

#[test]
fn progress_goes_to_the_editors_token() {
    let project = Project::new(&[("app.py", APP)]);
    let mut client = Client::initialized();
    let argument = json!({"uri": project.uri("app.py")});
    let params = json!({"command": "heaphint.profile", "arguments": [argument], "workDoneToken": "mine"});
    assert!(client.ask("workspace/executeCommand", params)["run"].is_string());
    let begin = client.told("$/progress", |params| params["token"] == "mine");
    assert_eq!(begin["value"]["kind"], "begin");
    assert_eq!(begin["value"]["cancellable"], true);
    let report = client.told("$/progress", |params| params["value"]["kind"] == "report");
    assert!(
        report["value"]["message"].as_str().is_some_and(|m| m.starts_with("0 s · ") && m.ends_with(" live")),
        "{report}"
    );
    let end = client.told("$/progress", |params| params["value"]["kind"] == "end");
    assert!(end["value"]["message"].as_str().is_some_and(|m| m.contains("peaked")), "{end}");
    assert!(!client.has_unread("window/workDoneProgress/create"));
}

#[test]
fn progress_ends_when_its_request_is_cancelled() {
    let project = Project::new(&[("app.py", APP)]);
    let mut client = Client::initialized();
    let argument = json!({"uri": project.uri("app.py")});
    let params = json!({"command": "heaphint.profile", "arguments": [argument], "workDoneToken": "mine"});
    let id = client.request("workspace/executeCommand", params);
    client.notify("$/cancelRequest", json!({"id": id}));
    client.answer(id);
    for kind in ["begin", "end"] {
        client.told("$/progress", |params| params["value"]["kind"] == kind);
    }
}

#[test]
fn a_cancelled_run_shows_what_was_recorded() {
    let text = "import time\nkept = bytearray(50 * 1024 * 1024)\nprint('ready', flush=True)\nwhile True:\n    time.sleep(0.01)\n";
    let project = Project::new(&[("app.py", text)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, text);
    client.command("heaphint.profile", json!({"uri": uri}));
    let created = client.told("window/workDoneProgress/create", |_| true);
    client.told("window/logMessage", |params| params["message"] == "ready");
    client.told("$/progress", |params| {
        params["value"]["message"].as_str().is_some_and(|message| message.contains(" s · 5"))
    });
    client.notify("window/workDoneProgress/cancel", json!({"token": created["token"]}));
    let finished = client.told("heaphint/runFinished", |_| true);
    assert_eq!(finished["outcome"], "cancelled", "{finished}");
    assert_eq!(finished["exitCode"], Value::Null);
    client.told("$/progress", |params| params["value"]["kind"] == "end");
    assert_eq!(labels(&client.hints(&uri)), [(1, "50.0 MiB peak")]);
}

#[test]
fn a_cancelled_program_is_asked_before_it_is_killed() {
    // The program and its child each say what comes; both end at the second signal.
    let text = r#"import os, signal, sys, time
name = "parent" if os.fork() else "child"
def say(word):
    os.write(1, f"{name} {word}\n".encode())
def tell(number, frame):
    say(signal.Signals(number).name)
    if number == signal.SIGTERM:
        sys.exit(0)
signal.signal(signal.SIGINT, tell)
signal.signal(signal.SIGTERM, tell)
kept = bytearray(50 << 20)
say("ready")
while True:
    time.sleep(0.01)
"#;
    let project = Project::new(&[("app.py", text)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, text);
    client.command("heaphint.profile", json!({"uri": uri}));
    let both_say = |client: &mut Client, word: &str| {
        for name in ["parent", "child"] {
            let line = format!("{name} {word}");
            client.told("window/logMessage", |params| params["message"] == line.as_str());
        }
    };
    both_say(&mut client, "ready");
    client.command("heaphint.cancel", Value::Null);
    both_say(&mut client, "SIGINT");
    assert!(!client.has_unread("heaphint/runFinished"));
    both_say(&mut client, "SIGTERM");
    let finished = client.told("heaphint/runFinished", |_| true);
    assert_eq!(finished["outcome"], "cancelled", "{finished}");
    assert_eq!(labels(&client.hints(&uri)), [(10, "~ 100 MiB peak")]);
}

#[test]
fn a_file_outside_of_any_project_is_profiled() {
    // Beside an open folder, and without anything around it that marks a project.
    let open = Project::new(&[]);
    let project = Project::new(&[("sub/app.py", APP)]);
    std::fs::remove_file(project.path("pyproject.toml")).expect("a file");
    let uri = project.uri("sub/app.py");
    let text =
        APP.replace("    data = bytearray(size)", "    data = bytearray(size)  # heaphint: limit 1 MiB");
    project.write("sub/app.py", &text);
    let mut client = Client::start();
    client.initialize(open.folders());
    client.open(&uri, &text);
    assert_eq!(client.lenses(&uri)[0].1, "Profile memory");
    let finished = client.profile(json!({"uri": uri}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    assert_eq!(labels(&client.hints(&uri))[0], (3, "120 MiB peak"));
    client.diagnostics(&uri, |list| list.len() == 1 && list[0]["code"] == "line-limit");
    let list = client.command("heaphint.sessions", json!({"uri": uri}));
    assert_eq!(list["root"], project.path("sub").display().to_string());
    assert_eq!(list["sessions"][0]["session"], finished["session"]);
    assert!(project.path("sub/.heaphint").exists() && !open.path(".heaphint").exists());
}

#[test]
fn a_program_that_will_not_end_is_killed() {
    let text = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n\
                signal.signal(signal.SIGTERM, signal.SIG_IGN)\nkept = bytearray(50 * 1024 * 1024)\n\
                print('ready', flush=True)\nwhile True:\n    time.sleep(0.01)\n";
    let project = Project::new(&[("app.py", text)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, text);
    let params = json!({"command": "heaphint.profile", "arguments": [{"uri": uri}], "workDoneToken": 7});
    client.ask("workspace/executeCommand", params);
    client.told("window/logMessage", |params| params["message"] == "ready");
    client.notify("window/workDoneProgress/cancel", json!({"token": 7}));
    assert_eq!(client.told("heaphint/runFinished", |_| true)["outcome"], "cancelled");
    assert_eq!(labels(&client.hints(&uri)), [(3, "50.0 MiB peak")]);
}

#[test]
fn no_program_survives_the_server() {
    for orderly in [true, false] {
        let project = Project::new(&[]);
        let listener = UnixListener::bind(project.path("socket")).expect("a socket");
        // Only the ends of both processes close the connection.
        let text = format!(
            "import os, socket, time\ns = socket.socket(socket.AF_UNIX)\ns.connect({:?})\n{}while True: time.sleep(1)\n",
            project.path("socket"),
            if orderly {
                "os.set_inheritable(s.fileno(), True)\nif os.fork() == 0: s.send(b'x')\n"
            } else {
                "s.send(b'x')\n"
            }
        );
        project.write("app.py", &text);
        let mut client = Client::initialized();
        client.command("heaphint.profile", json!({"uri": project.uri("app.py")}));
        let (mut connection, _) = listener.accept().expect("the program connects");
        connection.read_exact(&mut [0]).expect("the program writes");
        if orderly {
            client.ask("shutdown", Value::Null);
            client.notify("exit", Value::Null);
            client.wait();
        } else {
            client.kill();
        }
        // An error means that the connection broke, which is an end as well.
        let _ = connection.read_to_end(&mut Vec::new());
    }
}

#[test]
fn a_failing_program_is_shown_with_its_reason() {
    let text = "kept = bytearray(9 * 1024 * 1024)\nraise ValueError('boom')\n";
    let (mut client, _project, uri, finished) = profiled(text, json!({}));
    assert_eq!(finished["outcome"], "failed");
    assert_eq!(finished["exitCode"], 1);
    let message = finished["message"].as_str().expect("a message");
    assert!(message.contains("exit code 1: ValueError: boom. The memory"), "{message}");
    assert_eq!(labels(&client.hints(&uri)), [(0, "9.00 MiB peak")]);
}

#[test]
fn what_cannot_run_is_said_in_a_sentence() {
    let project = Project::new(&[("app.py", APP)]);
    let mut client = Client::initialized();
    let finished = client.profile(json!({"uri": project.uri("none.py")}));
    assert_eq!(finished["outcome"], "failed");
    assert!(finished["message"].as_str().is_some_and(|m| m.contains("none.py")), "{finished}");
    let settings = json!({"settings": {"heaphint": {"python": "/no/such/python"}}});
    client.notify("workspace/didChangeConfiguration", settings);
    let finished = client.profile(json!({"uri": project.uri("app.py")}));
    assert_eq!(finished["outcome"], "failed");
    assert_eq!(finished["peakBytes"], Value::Null);
    assert!(finished["message"].as_str().is_some_and(|m| m.contains("/no/such/python")), "{finished}");
    // Every progress that began has ended.
    for _ in 0..2 {
        client.told("$/progress", |params| params["value"]["kind"] == "end");
    }
    let id =
        client.request("workspace/executeCommand", json!({"command": "heaphint.profile", "arguments": [{}]}));
    assert_eq!(client.answer(id)["error"]["code"], -32602);
}

#[test]
fn captures_of_others_are_shown_when_they_appear() {
    let (mut client, project, uri, _) = profiled(APP, json!({}));
    client.command("heaphint.clear", Value::Null);
    assert_eq!(client.hints(&uri), []);
    while client.has_unread("workspace/inlayHint/refresh") {
        client.told("workspace/inlayHint/refresh", |_| true);
    }
    let folder = std::fs::read_dir(project.path(".heaphint")).expect("a folder");
    let captures = folder.map(|entry| entry.expect("an entry").path());
    let capture = captures.into_iter().find(|path| path.extension().is_some_and(|e| e == "heaphint"));
    std::fs::copy(capture.expect("a capture"), project.path(".heaphint/other.heaphint")).expect("a copy");
    client.told("window/logMessage", |params| {
        params["message"].as_str().is_some_and(|message| message.contains("other.heaphint"))
    });
    assert_eq!(labels(&client.hints(&uri))[0], (3, "120 MiB peak"));
    let ignored = std::fs::read_to_string(project.path(".heaphint/.gitignore")).expect("a file");
    assert_eq!(ignored, "*\n");
}
