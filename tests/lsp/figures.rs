//! Which figures are shown: chosen without another run, of a part of it, or beside another one.

use serde_json::{Value, json};

use super::client::Client;
use super::project::{APP, Project, labels};

/// A server in which `app.py` with this text was run.
fn profiled(text: &str) -> (Client, Project, String) {
    let project = Project::new(&[("app.py", text)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, text);
    let finished = client.profile(json!({"uri": uri}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    (client, project, uri)
}

#[test]
fn figures_are_switched_without_another_run() {
    let (mut client, project, uri) = profiled(APP);
    // Nothing of it is read again.
    std::fs::remove_dir_all(project.path(".heaphint")).expect("a folder");
    let mut shown = |choice: Value| {
        client.command("heaphint.show", choice);
        client.hints(&uri)
    };
    let peak = [(3, "120 MiB peak"), (7, "80.0 MiB peak"), (8, "40.0 MiB peak"), (13, "120 MiB peak")];
    assert_eq!(labels(&shown(json!({"figure": "peak"}))), peak);
    assert_eq!(labels(&shown(json!({"figure": "leaked"}))), []);
    assert_eq!(labels(&shown(json!({"figure": "max"})))[1], (7, "80.0 MiB max"));
    assert_eq!(labels(&shown(json!({"figure": "peak", "selfOnly": true}))), [(3, "120 MiB peak self")]);
    assert_eq!(labels(&shown(json!({}))), peak);
    let choices = client.command("heaphint.choices", Value::Null);
    assert_eq!((&choices["figure"], &choices["selfOnly"]), (&json!("peak"), &json!(false)));
    assert_eq!(choices["processes"].as_array().map(Vec::len), Some(1));
    assert_eq!(choices["threads"], json!(["MainThread"]));
}

#[test]
fn a_person_is_asked_where_the_editor_cannot_choose() {
    let (mut client, _project, uri) = profiled(APP);
    client.answer_with(|method, params| match method {
        "window/showMessageRequest" => {
            let actions = params["actions"].as_array()?;
            actions.iter().find(|action| action["title"] == "Self").cloned()
        }
        _ => Some(Value::Null),
    });
    client.command("heaphint.show", Value::Null);
    client.told("window/showMessageRequest", |_| true);
    while labels(&client.hints(&uri)) != [(3, "120 MiB peak self")] {
        client.told("workspace/inlayHint/refresh", |_| true);
    }
}

#[test]
fn one_process_or_one_thread_is_shown() {
    let text = r#"import os, threading

def load(n):
    return bytearray(n * 1024 * 1024)

kept = load(9)

def work():
    global more
    more = load(5)

worker = threading.Thread(target=work, name="worker")
worker.start()
worker.join()
pid = os.fork()
if pid == 0:
    third = load(3)
    os._exit(0)
os.waitpid(pid, 0)
"#;
    let (mut client, _project, uri) = profiled(text);
    let all = client.hints(&uri);
    assert!(labels(&all).contains(&(5, "~ 9.00 MiB peak")), "{all:?}");
    assert!(labels(&all).contains(&(16, "~ 3.00 MiB peak")), "{all:?}");
    let choices = client.command("heaphint.choices", json!({"uri": uri}));
    let processes = choices["processes"].as_array().expect("processes");
    assert_eq!(processes.len(), 2, "{choices}");
    let threads: Vec<_> = choices["threads"].as_array().expect("threads").iter().collect();
    assert!(threads.iter().any(|name| *name == "worker"), "{choices}");
    client.command("heaphint.show", json!({"process": processes[1]["pid"]}));
    assert_eq!(labels(&client.hints(&uri)), [(3, "3.00 MiB peak"), (16, "3.00 MiB peak")]);
    client.command("heaphint.show", json!({"process": processes[0]["pid"], "figure": "max"}));
    let first = client.hints(&uri);
    assert_eq!(labels(&first), [(3, "14.0 MiB max"), (5, "9.00 MiB max"), (9, "5.00 MiB max")]);
    client.command("heaphint.show", json!({"thread": "worker"}));
    let worker = client.hints(&uri);
    assert!(labels(&worker).contains(&(9, "~ 5.00 MiB peak")), "{worker:?}");
    assert!(!labels(&worker).iter().any(|(line, _)| *line == 5), "{worker:?}");
    assert_eq!(client.command("heaphint.choices", Value::Null)["thread"], "worker");
}

#[test]
fn differences_to_another_run_stand_beside_the_figures() {
    let (mut client, project, uri) = profiled(APP);
    let first = client.command("heaphint.sessions", json!({"uri": uri}))["sessions"][0]["session"].clone();
    // A line above, one more MiB, one line less, and one that was not there.
    let dropped = "    dropped = load(40 * 1024 * 1024)\n    del dropped\n";
    let changed = APP
        .replace("import os\n", "import os\nSEVEN = 7 << 20\n")
        .replace("80 * 1024", "92 * 1024")
        .replace(dropped, "")
        .replace("    print(", "    global extra\n    extra = bytes(SEVEN)\n    print(");
    project.write("app.py", &changed);
    client.change(&uri, 2, None, &changed);
    client.command("heaphint.compare", json!({"uri": uri, "session": first}));
    assert!(labels(&client.hints(&uri)).iter().any(|(_, label)| label.starts_with("120 MiB = peak")));
    client.profile(json!({"uri": uri}));
    let hints = client.hints(&uri);
    let expected = [
        (4, "92.0 MiB ▼ −28.0 peak"),
        (8, "92.0 MiB ▲ +12.0 peak"),
        (10, "7.00 MiB ▲ new peak"),
        (14, "99.0 MiB ▼ −21.0 peak"),
    ];
    assert_eq!(labels(&hints), expected);
    let lens = client.lenses(&uri).into_iter().find(|lens| lens.0 == 3).expect("a lens");
    assert!(lens.1.starts_with("Peak 92.0 MiB ▼ −28.0 · max 92.0 MiB ▼ −28.0"), "{lens:?}");
    let hover = client.hover(&uri, 8);
    assert!(hover.contains("change\npeak") && hover.contains("▲ +12.0"), "{hover}");
    assert_eq!(client.command("heaphint.choices", Value::Null)["baseline"], first);
    client.command("heaphint.compare", json!({"uri": uri}));
    assert_eq!(labels(&client.hints(&uri))[1], (8, "92.0 MiB peak"));
}
