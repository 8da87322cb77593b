//! What each setting changes that has no test where its subject is: what runs record, and what is shown.

use std::fs;
use std::path::PathBuf;

use heaphint_format::{Header, Mode, Record};
use serde_json::{Value, json};

use super::client::Client;
use super::project::{APP, Project, labels};

/// The modes of a project's newest session.
fn recorded(client: &mut Client, project: &Project, uri: &str) -> Vec<&'static str> {
    let list = client.command("heaphint.sessions", json!({"uri": uri}));
    let session = list["sessions"][0]["session"].as_str().expect("a session").to_owned();
    let files = fs::read_dir(project.path(".heaphint")).expect("a folder").flatten().map(|it| it.path());
    let is_of_it = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&session) && name.ends_with(".heaphint")
    };
    let capture = files.into_iter().find(is_of_it).expect("a capture");
    let header = Header::decode(&fs::read(capture).expect("a file")).expect("a header");
    let modes = [
        ("record", header.has(Mode::Record)),
        ("native", header.has(Mode::Native)),
        ("allocators", header.has(Mode::PythonAllocators)),
        ("sample", header.sample_bytes == 65_536),
    ];
    modes.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect()
}

#[test]
fn settings_choose_what_is_recorded_where_the_run_does_not() {
    let toml = "[tool.heaphint.run.plain]\nscript = 'app.py'\n\n\
                [tool.heaphint.run.own]\nscript = 'app.py'\nrecord = false\nnative = true\nsample = '64 KiB'\n";
    let text = "kept = bytearray(8 << 20)\n";
    let project = Project::new(&[("app.py", text)]);
    project.write("pyproject.toml", toml);
    let (uri, toml_uri) = (project.uri("app.py"), project.uri("pyproject.toml"));
    let mut client = Client::initialized();
    client.open(&uri, text);
    let configuration = |name: &str| json!({"uri": toml_uri, "what": "configuration", "name": name});
    let file = json!({"uri": uri});
    let cases = [
        (json!({}), file.clone(), vec![]),
        (json!({"record": true}), file.clone(), vec!["record"]),
        (json!({"native": true}), configuration("plain"), vec!["native"]),
        (json!({"tracePythonAllocators": true}), file.clone(), vec!["allocators"]),
        (json!({"sample": "64 KiB"}), file, vec!["sample"]),
        // What the configuration says comes first, and the settings say the rest.
        (
            json!({"record": true, "tracePythonAllocators": true}),
            configuration("own"),
            vec!["native", "allocators", "sample"],
        ),
    ];
    for (settings, run, expected) in cases {
        let is_sampled = expected.contains(&"sample");
        client
            .notify("workspace/didChangeConfiguration", json!({"settings": {"heaphint": {"run": settings}}}));
        let finished = client.profile(run);
        assert_eq!(finished["outcome"], "finished", "{finished}");
        assert_eq!(recorded(&mut client, &project, &uri), expected, "{settings}");
        let hints = client.hints(&uri);
        assert_eq!(hints.len(), 1, "{hints:?}");
        assert_eq!(hints[0].2.starts_with('~'), is_sampled, "an estimate says so: {hints:?}");
    }
}

#[test]
fn own_figures_severity_and_the_number_of_sessions_are_settings() {
    let text = APP.replace("def load(size):", "def load(size):  # heaphint: limit 20 MiB");
    let project = Project::new(&[("app.py", &text)]);
    let uri = project.uri("app.py");
    let mut client = Client::start();
    client.initialize(json!({"initializationOptions": {"inlayHints": {"selfOnly": true}}}));
    client.open(&uri, &text);
    client.profile(json!({"uri": uri}));
    assert_eq!(labels(&client.hints(&uri)), [(3, "120 MiB peak self")]);
    client.diagnostics(&uri, |list| list.len() == 1 && list[0]["severity"] == 2);
    for (severity, number) in [("hint", 4), ("information", 3), ("error", 1), ("warning", 2)] {
        let settings = json!({"settings": {"heaphint": {"limits": {"severity": severity}}}});
        client.notify("workspace/didChangeConfiguration", settings);
        client.diagnostics(&uri, |list| list.len() == 1 && list[0]["severity"] == number);
    }
    assert_eq!(labels(&client.hints(&uri))[1], (7, "80.0 MiB peak"), "the default again");
}

#[test]
fn twenty_sessions_are_kept_unless_settings_say_otherwise() {
    let project = Project::new(&[("app.py", "")]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    let mut runs: Vec<Value> =
        (0..22).map(|_| client.profile(json!({"uri": uri}))["session"].clone()).collect();
    runs.reverse();
    let kept = |client: &mut Client| -> Vec<Value> {
        let list = client.command("heaphint.sessions", json!({"uri": uri}));
        list["sessions"].as_array().expect("sessions").iter().map(|it| it["session"].clone()).collect()
    };
    assert_eq!(kept(&mut client), runs[..20]);
    let settings = json!({"settings": {"heaphint": {"keepSessions": 2}}});
    client.notify("workspace/didChangeConfiguration", settings);
    let last = client.profile(json!({"uri": uri}))["session"].clone();
    assert_eq!(kept(&mut client), [last, runs[0].clone()]);
}
