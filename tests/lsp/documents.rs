//! Lenses on documents, before anything ran.

use serde_json::{Value, json};

use super::client::Client;
use super::project::Project;

#[test]
fn runs_are_offered_where_they_begin() {
    let uri = "file:///nowhere/test_app.py";
    let mut client = Client::initialized();
    client.open(uri, "import x\n\nclass TestA:\n    def test_b(self):\n        pass\n\nif __name__ == '__main__':\n    x.main()\n");
    let lenses = client.lenses(uri);
    let seen: Vec<_> =
        lenses.iter().map(|(line, title, command, _)| (*line, title.as_str(), command.as_str())).collect();
    let command = "heaphint.profile";
    let profile = |line| (line, "Profile memory", command);
    let all = (0, "Profile memory of all tests", command);
    assert_eq!(seen, [all, profile(6), profile(2), profile(3)]);
    assert_eq!(lenses[0].3, json!({"uri": uri, "what": "testFile"}));
    assert_eq!(lenses[1].3, json!({"uri": uri}));
    assert_eq!(lenses[2].3, json!({"uri": uri, "test": "TestA"}));
    assert_eq!(lenses[3].3, json!({"uri": uri, "test": "TestA::test_b"}));
    assert_eq!(client.hints(uri), []);
    let (all, file) = (json!({"uri": uri, "what": "testFile"}), json!({"uri": uri}));
    assert_eq!(actions(&mut client, uri, 0, json!(null)), [all.clone(), file.clone()]);
    let test = json!({"uri": uri, "test": "TestA::test_b"});
    assert_eq!(actions(&mut client, uri, 4, json!(["source"])), [test, all, file]);
    assert_eq!(actions(&mut client, uri, 4, json!(["quickfix"])), [json!(null); 0]);
    assert_eq!(client.hover(uri, 0), "");
}

/// The first argument of each action on a line.
fn actions(client: &mut Client, uri: &str, line: u32, only: Value) -> Vec<Value> {
    let at = json!({"line": line, "character": 0});
    let context = json!({"diagnostics": [], "only": only});
    let params = json!({"textDocument": {"uri": uri}, "range": {"start": at, "end": at}, "context": context});
    let actions = client.ask("textDocument/codeAction", params);
    let actions = actions.as_array().cloned().unwrap_or_default();
    actions.iter().map(|action| action["command"]["arguments"][0].clone()).collect()
}

#[test]
fn modules_imports_and_configurations_are_offered() {
    let toml = "[project]\n\n[tool.heaphint.run.web]\nmodule = 'app.core'\n\n[tool.heaphint.run.'the tool']\ncommand = ['tool']\n";
    let core = "import os\n\nif __name__ == '__main__':\n    pass\n";
    let project = Project::new(&[("app/__init__.py", ""), ("app/core.py", core)]);
    let (uri, toml_uri) = (project.uri("app/core.py"), project.uri("pyproject.toml"));
    let mut client = Client::initialized();
    client.open(&uri, core);
    let lenses = client.lenses(&uri);
    let seen: Vec<_> = lenses.iter().map(|lens| (lens.0, lens.1.as_str())).collect();
    let expected =
        [(0, "Profile memory"), (0, "Profile import"), (2, "Profile memory"), (2, "Profile as module")];
    assert_eq!(seen, expected);
    assert_eq!(lenses[1].3, json!({"uri": uri, "what": "import"}));
    assert_eq!(lenses[3].3, json!({"uri": uri, "what": "module"}));
    let item = json!({"uri": toml_uri, "languageId": "toml", "version": 1, "text": toml});
    client.notify("textDocument/didOpen", json!({"textDocument": item}));
    let lenses = client.lenses(&toml_uri);
    assert_eq!(lenses.iter().map(|lens| lens.0).collect::<Vec<_>>(), [2, 5]);
    let web = json!({"uri": toml_uri, "what": "configuration", "name": "web"});
    assert_eq!(lenses[0].3, web);
    assert_eq!(actions(&mut client, &toml_uri, 2, json!(null)), [web]);
}

#[test]
fn positions_are_in_the_unit_that_was_agreed() {
    for (wishes, chosen, width) in [
        (json!(["utf-8", "utf-16"]), "utf-8", 4),
        (json!(["utf-32", "utf-16"]), "utf-32", 1),
        (json!(null), "utf-16", 2),
    ] {
        let uri = "file:///nowhere/test_app.py";
        let mut client = Client::start();
        let answer = client.initialize(json!({"capabilities": {"general": {"positionEncodings": wishes}}}));
        assert_eq!(answer["capabilities"]["positionEncoding"], chosen);
        client.open(uri, "x = '🐍'; y = 1\n");
        // Everything behind the snake is replaced.
        let at = 5 + width;
        client.change(uri, 2, Some([0, at, 0, 99]), "'\ndef test_snake(): pass\n");
        let lenses = client.lenses(uri);
        assert_eq!(lenses.len(), 2, "{lenses:?}");
        assert_eq!((lenses[1].0, &lenses[1].3["test"]), (1, &json!("test_snake")));
        client.change(uri, 3, Some([0, 0, 0, at + 1]), "def test_other(): '🐍'");
        assert_eq!(client.lenses(uri).len(), 3);
    }
}

#[test]
fn only_python_can_be_profiled() {
    let uri = "file:///nowhere/pyproject.toml";
    let mut client = Client::initialized();
    let item = json!({"uri": uri, "languageId": "toml", "version": 1, "text": "[tool.heaphint]\n"});
    client.notify("textDocument/didOpen", json!({"textDocument": item}));
    assert_eq!(client.lenses(uri), []);
}
