//! What editors, programs, captures and disks do that nobody wishes for.

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::process::Command;

use serde_json::{Value, json};

use super::client::Client;
use super::project::{APP, Project, labels};
use crate::support::interpreter::say;

#[test]
fn requests_out_of_order_are_answered() {
    let mut client = Client::start();
    let early = client.request("textDocument/hover", json!({}));
    assert_eq!(client.answer(early)["error"]["code"], -32002);
    client.initialize(json!({}));
    let item = json!({"name": "x", "kind": 12, "uri": "file:///x.py", "data": {"wrong": 1},
        "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}},
        "selectionRange": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}});
    assert_eq!(client.ask("callHierarchy/incomingCalls", json!({"item": item})), Value::Null);
    let range = json!({"start": {"line": 99, "character": 9}, "end": {"line": 99, "character": 9}});
    let lens = client.ask("codeLens/resolve", json!({"range": range, "data": "file:///not/open.py"}));
    assert_eq!(lens["command"]["title"], "");
    let hint = json!({"position": {"line": 9, "character": 9}, "label": "x", "data": [1, 2]});
    assert_eq!(client.ask("inlayHint/resolve", hint)["label"], "x");
    for command in ["heaphint.openSession", "heaphint.deleteSession", "heaphint.compare", "heaphint.report"] {
        let wrong =
            json!({"command": command, "arguments": [{"uri": "http://nowhere", "session": "../../etc"}]});
        let id = client.request("workspace/executeCommand", wrong);
        assert!(client.answer(id)["error"]["message"].is_string(), "{command}");
    }
    let again = client.profile(json!({"uri": "file:///nowhere", "what": "again"}));
    assert_eq!(again["outcome"], "failed", "{again}");
    client.ask("shutdown", Value::Null);
    let late = client.request("textDocument/codeLens", json!({"textDocument": {"uri": "file:///x.py"}}));
    assert_eq!(client.answer(late)["error"]["code"], -32600);
    client.notify("exit", Value::Null);
    assert_eq!(client.wait().code(), Some(0));
}

#[test]
fn huge_documents_are_edited_and_annotated() {
    let mut text = String::from("kept = bytearray(6 * 1024 * 1024)\n");
    text += &"value = 'é🐍' + str(1)  # a line as any other\n".repeat(100_000);
    let project = Project::new(&[("app.py", &text)]);
    let uri = project.uri("app.py");
    // At the peak, Python reads the source and no line runs.
    let mut client = Client::start();
    client.initialize(json!({"initializationOptions": {"inlayHints": {"figure": "max"}}}));
    client.open(&uri, &text);
    assert_eq!(client.profile(json!({"uri": uri}))["outcome"], "finished");
    for version in 2..50 {
        client.change(&uri, version, Some([0, 0, 0, 0]), "# a line above\n");
    }
    assert_eq!(labels(&client.hints_in(&uri, 0, 200_000)), [(48, "6.00 MiB max")]);
    client.change(&uri, 50, None, "");
    assert_eq!(client.hints(&uri), []);
    let line = "x".repeat(5_000_000);
    client.change(&uri, 51, None, &line);
    client.change(&uri, 52, Some([0, 4_999_999, 0, 5_000_000]), "\n");
    assert_eq!(client.lenses(&uri).len(), 2);
}

#[test]
fn programs_that_die_are_shown_as_far_as_they_came() {
    let text = "import os\nkept = bytearray(9 * 1024 * 1024)\nos.kill(os.getpid(), 9)\n";
    let project = Project::new(&[("app.py", text)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, text);
    let finished = client.profile(json!({"uri": uri}));
    assert_eq!((&finished["outcome"], &finished["exitCode"]), (&json!("failed"), &json!(137)));
    assert_eq!(labels(&client.hints(&uri)), [(1, "9.00 MiB peak")]);
}

#[test]
fn a_program_that_forks_on_and_on_does_not_stop_the_server() {
    let text = "import os\nkept = bytearray(5 * 1024 * 1024)\nfor i in range(150):\n    if os.fork() == 0:\n        more = bytearray(2 * 1024 * 1024)\n        os._exit(0)\n    os.wait()\nprint('forked', flush=True)\nimport time\nwhile not os.path.exists('end'): time.sleep(0.01)\n";
    let project = Project::new(&[("app.py", text)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, text);
    client.command("heaphint.profile", json!({"uri": uri}));
    client.told("window/logMessage", |params| params["message"] == "forked");
    while client.hints(&uri).is_empty() {
        client.told("workspace/inlayHint/refresh", |_| true);
    }
    project.write("end", "");
    let finished = client.told("heaphint/runFinished", |_| true);
    assert_eq!(finished["outcome"], "finished", "{finished}");
    let hints = client.hints(&uri);
    assert!(labels(&hints).contains(&(4, "~ 300 MiB peak")), "{hints:?}");
}

#[test]
fn an_editor_that_vanishes_takes_the_program_with_it() {
    let project = Project::new(&[]);
    let listener = UnixListener::bind(project.path("socket")).expect("a socket");
    // Writes without end, to an editor that does not read.
    let text = format!(
        "import os, socket\ns = socket.socket(socket.AF_UNIX)\ns.connect({:?})\ns.send(b'x')\nwhile True: os.write(1, b'line\\n' * 1000)\n",
        project.path("socket")
    );
    project.write("app.py", &text);
    let mut client = Client::initialized();
    client.command("heaphint.profile", json!({"uri": project.uri("app.py")}));
    let (mut connection, _) = listener.accept().expect("the program connects");
    connection.read_exact(&mut [0]).expect("the program writes");
    client.close_input();
    assert_eq!(client.wait().code(), Some(1));
    // An error means that the connection broke, which is an end as well.
    let _ = connection.read_to_end(&mut Vec::new());
}

#[test]
fn what_a_run_leaves_behind_ends_with_the_server() {
    let project = Project::new(&[]);
    let listener = UnixListener::bind(project.path("socket")).expect("a socket");
    let text = format!(
        "import os, socket, time\nif os.fork() == 0:\n    s = socket.socket(socket.AF_UNIX)\n    s.connect({:?})\n    s.send(b'x')\n    while True: time.sleep(1)\ntime.sleep(0.5)\n",
        project.path("socket")
    );
    project.write("app.py", &text);
    let mut client = Client::initialized();
    client.command("heaphint.profile", json!({"uri": project.uri("app.py")}));
    let (mut connection, _) = listener.accept().expect("the child connects");
    connection.read_exact(&mut [0]).expect("the child writes");
    assert_eq!(client.told("heaphint/runFinished", |_| true)["outcome"], "finished");
    client.ask("shutdown", Value::Null);
    let _ = connection.read_to_end(&mut Vec::new());
    client.notify("exit", Value::Null);
    assert_eq!(client.wait().code(), Some(0));
}

#[test]
fn what_left_its_group_and_session_ends_with_the_server_too() {
    // Each link of the first chain is a session of its own and gone in a moment; the last process is a plain daemon.
    let text = |socket: &std::path::Path| {
        format!(
            r#"import os, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect({socket:?})
s.set_inheritable(True)
if os.fork() == 0:
    while True:
        os.setsid()
        if os.fork():
            os._exit(0)
elif os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execv(sys.executable, [sys.executable, "-c", f"import os, time; os.write({{s.fileno()}}, b'x'); time.sleep(1000)"])
time.sleep(1000 if sys.argv[1:] else 0.5)
"#
        )
    };
    for (args, end) in [(json!(["stay"]), "kill"), (json!(["stay"]), "cancel"), (json!([]), "exit")] {
        let project = Project::new(&[]);
        let listener = UnixListener::bind(project.path("socket")).expect("a socket");
        project.write("app.py", &text(&project.path("socket")));
        let mut client = Client::initialized();
        client.command("heaphint.profile", json!({"uri": project.uri("app.py"), "args": args}));
        let (mut connection, _) = listener.accept().expect("the program connects");
        connection.read_exact(&mut [0]).expect("the daemon writes");
        match end {
            "kill" => client.kill(),
            "cancel" => drop(client.command("heaphint.cancel", Value::Null)),
            _ => {
                client.told("heaphint/runFinished", |_| true);
                client.ask("shutdown", Value::Null);
            }
        }
        // Closed when the last of them is gone. An error means that the connection broke, which is an end as well.
        let _ = connection.read_to_end(&mut Vec::new());
    }
}

#[test]
fn captures_that_are_cut_hostile_or_newer_are_refused_or_shown() {
    let project = Project::new(&[("app.py", APP)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, APP);
    client.profile(json!({"uri": uri}));
    let folder = std::fs::read_dir(project.path(".heaphint")).expect("a folder");
    let mut paths = folder.map(|entry| entry.expect("an entry").path());
    let good = paths.find(|path| path.extension().is_some_and(|end| end == "heaphint")).expect("a capture");
    let good = std::fs::read(good).expect("a capture");
    let mut open = |name: &str, bytes: &[u8]| {
        std::fs::write(project.path(name), bytes).expect("a file");
        let captures = json!({"uri": uri, "captures": [project.uri(name)]});
        let id = client.request(
            "workspace/executeCommand",
            json!({"command": "heaphint.openSession", "arguments": [captures]}),
        );
        client.answer(id)["error"]["message"].as_str().map(str::to_owned)
    };
    assert!(open("empty.heaphint", b"").is_some_and(|why| why.contains("empty")));
    assert!(open("text.heaphint", b"this is text").is_some_and(|why| why.contains("not a heaphint capture")));
    assert!(open("cut.heaphint", &good[..200]).is_some_and(|why| why.contains("cut")));
    let mut newer = good.clone();
    newer[8..12].copy_from_slice(&9999u32.to_le_bytes());
    assert!(open("newer.heaphint", &newer).is_some_and(|why| why.contains("update heaphint")));
    // Whatever a damaged one says, the server goes on.
    for at in (16..good.len()).step_by(good.len() / 40) {
        let mut damaged = good.clone();
        let end = (at + 64).min(good.len());
        damaged[at..end].fill(0xff);
        let _ = open("damaged.heaphint", &damaged);
    }
    assert_eq!(open("good.heaphint", &good), None);
    assert_eq!(labels(&client.hints(&uri))[0], (3, "120 MiB peak"));
}

#[test]
fn a_disk_that_does_not_answer_holds_up_nobody_else() {
    // Who reads a pipe that nobody writes waits, as on a network disk that is gone.
    let text = "kept = bytearray(6 * 1024 * 1024)\n";
    let (gone, here) = (Project::new(&[("app.py", text)]), Project::new(&[("app.py", text)]));
    std::fs::remove_file(gone.path("pyproject.toml")).expect("a file");
    for name in ["pyproject.toml", "slow.py"] {
        let made = std::process::Command::new("mkfifo").arg(gone.path(name)).status().expect("mkfifo");
        assert!(made.success());
    }
    let mut client = Client::start();
    let folders = [&gone, &here].map(|project| json!({"uri": project.uri(""), "name": "project"}));
    client.initialize(json!({"workspaceFolders": folders}));
    for uri in [gone.uri("app.py"), gone.uri("slow.py"), here.uri("app.py")] {
        client.open(&uri, text);
        assert!(!client.lenses(&uri).is_empty(), "{uri}");
    }
    client.command("heaphint.profile", json!({"uri": gone.uri("app.py")}));
    client.command("heaphint.profile", json!({"uri": gone.uri("slow.py")}));
    let finished = client.profile(json!({"uri": here.uri("app.py")}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    assert_eq!(labels(&client.hints(&here.uri("app.py"))), [(0, "6.00 MiB peak")]);
    client.change(&gone.uri("slow.py"), 2, Some([0, 0, 0, 0]), "def f(): pass\n");
    assert_eq!(client.hover(&gone.uri("slow.py"), 0), "");
    client.ask("shutdown", Value::Null);
    client.notify("exit", Value::Null);
    assert_eq!(client.wait().code(), Some(0));
}

#[test]
fn a_project_on_a_read_only_disk_is_profiled() {
    let project = Project::new(&[("app.py", APP)]);
    let uri = project.uri("app.py");
    // In a mount namespace of the server's own, where whoever runs the tests may make one.
    let mount = format!("mount --bind {0} {0} && mount -o remount,ro,bind {0}", project.path("").display());
    let may = Command::new("unshare").args(["-rm", "sh", "-c", &mount]).status();
    if !may.is_ok_and(|status| status.success()) {
        say("not run here: a read-only disk, for want of mount namespaces");
        return;
    }
    let mut server = Command::new("unshare");
    server.args(["-rm", "sh", "-c", &format!("{mount} && exec \"$@\""), "sh"]);
    let mut client = Client::start_by(server.arg(env!("CARGO_BIN_EXE_heaphint")));
    client.initialize(project.folders());
    client.open(&uri, APP);
    let finished = client.profile(json!({"uri": uri}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    assert_eq!(labels(&client.hints(&uri))[0], (3, "120 MiB peak"));
    assert!(client.hover(&uri, 3).contains("`load`"));
    let list = client.command("heaphint.sessions", json!({"uri": uri}));
    assert_eq!(list["sessions"][0]["session"], finished["session"]);
    // What cannot be kept is said, and nothing else happens.
    let accept = json!({"command": "heaphint.acceptRun", "arguments": [{"uri": project.uri("")}]});
    let id = client.request("workspace/executeCommand", accept);
    let answer = client.answer(id);
    assert!(
        answer["error"]["message"].as_str().is_some_and(|m| m.contains("heaphint-baseline.json")),
        "{answer}"
    );
    client.command("heaphint.deleteSession", json!({"uri": uri, "session": finished["session"]}));
    assert!(!project.path(".heaphint").exists());
}

#[test]
fn a_project_that_cannot_be_written_is_profiled() {
    let project = Project::new(&[("app.py", APP)]);
    // Nothing can be made below a file, whoever asks.
    project.write(".heaphint", "in the way");
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, APP);
    let finished = client.profile(json!({"uri": uri}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    assert_eq!(labels(&client.hints(&uri))[0], (3, "120 MiB peak"));
    let list = client.command("heaphint.sessions", json!({"uri": uri}));
    assert_eq!(list["sessions"][0]["session"], finished["session"]);
    client.command("heaphint.deleteSession", json!({"uri": uri, "session": finished["session"]}));
}
