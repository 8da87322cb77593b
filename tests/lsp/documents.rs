//! Lenses on documents, before anything ran.

use serde_json::json;

use super::client::Client;

#[test]
fn runs_are_offered_where_they_begin() {
    let uri = "file:///nowhere/test_app.py";
    let mut client = Client::initialized();
    client.open(uri, "import x\n\nclass TestA:\n    def test_b(self):\n        pass\n\nif __name__ == '__main__':\n    x.main()\n");
    let lenses = client.lenses(uri);
    let seen: Vec<_> =
        lenses.iter().map(|(line, title, command, _)| (*line, title.as_str(), command.as_str())).collect();
    let profile = |line| (line, "Profile memory", "heaphint.profile");
    assert_eq!(seen, [profile(0), profile(6), profile(3)]);
    assert_eq!(lenses[0].3, json!({"uri": uri}));
    assert_eq!(lenses[2].3, json!({"uri": uri, "test": "TestA::test_b"}));
    assert_eq!(client.hints(uri), []);
    let mut actions = |line: u32, only: serde_json::Value| {
        let at = json!({"line": line, "character": 0});
        let context = json!({"diagnostics": [], "only": only});
        let params =
            json!({"textDocument": {"uri": uri}, "range": {"start": at, "end": at}, "context": context});
        let actions = client.ask("textDocument/codeAction", params);
        let actions = actions.as_array().cloned().unwrap_or_default();
        actions.iter().map(|action| action["command"]["arguments"][0].clone()).collect::<Vec<_>>()
    };
    let file = json!({"uri": uri});
    assert_eq!(actions(0, json!(null)), std::slice::from_ref(&file));
    assert_eq!(actions(4, json!(["source"])), [json!({"uri": uri, "test": "TestA::test_b"}), file]);
    assert_eq!(actions(4, json!(["quickfix"])), [json!(null); 0]);
    assert_eq!(client.hover(uri, 0), "");
}

#[test]
fn positions_are_in_the_unit_that_was_agreed() {
    for (wishes, chosen, width) in [
        (json!(["utf-8", "utf-16"]), "utf-8", 4),
        (json!(["utf-32", "utf-16"]), "utf-16", 2),
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
    client.open("untitled:Untitled-1", "x = 1\n");
    assert_eq!(client.lenses("untitled:Untitled-1"), []);
}
