//! What must hold whatever the editor does: the process ends when it shall, answers everything, and keeps the order.

use serde_json::{Value, json};

use super::client::Client;

const URI: &str = "file:///nowhere/test_app.py";

#[test]
fn exit_ends_the_server_while_its_input_is_open() {
    let mut client = Client::initialized();
    assert_eq!(client.ask("shutdown", Value::Null), Value::Null);
    client.notify("exit", Value::Null);
    assert_eq!(client.wait().code(), Some(0));
}

#[test]
fn exit_without_shutdown_is_a_failure() {
    let mut client = Client::initialized();
    client.notify("exit", Value::Null);
    assert_eq!(client.wait().code(), Some(1));
    // Also before anything else was said.
    let mut client = Client::start();
    client.notify("exit", Value::Null);
    assert_eq!(client.wait().code(), Some(1));
}

#[test]
fn a_shutdown_right_before_exit_is_answered() {
    let mut client = Client::initialized();
    let id = client.request("shutdown", json!({}));
    client.notify("exit", Value::Null);
    assert_eq!(client.answer(id)["result"], Value::Null);
    assert_eq!(client.wait().code(), Some(0));
}

#[test]
fn a_closed_input_ends_the_server() {
    let mut client = Client::initialized();
    client.close_input();
    assert_eq!(client.wait().code(), Some(1));
    let mut client = Client::initialized();
    client.request("workspace/executeCommand", json!({"command": "heaphint.testWait", "arguments": []}));
    client.close_input();
    assert_eq!(client.wait().code(), Some(1));
}

#[test]
fn null_params_are_no_params() {
    let mut client = Client::start();
    client.ask("initialize", json!({"processId": null, "rootUri": null, "capabilities": {}}));
    client.notify("initialized", Value::Null);
    client.open(URI, "def test_a(): pass\n");
    assert!(!client.lenses(URI).is_empty());
    assert_eq!(client.ask("shutdown", Value::Null), Value::Null);
}

#[test]
fn a_panicking_handler_is_an_internal_error() {
    let mut client = Client::initialized();
    let panic = json!({"command": "heaphint.testPanic", "arguments": []});
    for _ in 0..3 {
        let id = client.request("workspace/executeCommand", panic.clone());
        assert_eq!(client.answer(id)["error"]["code"], -32603);
    }
    client.open(URI, "def test_a(): pass\n");
    assert_eq!(client.lenses(URI).len(), 2);
    client.ask("shutdown", Value::Null);
    client.notify("exit", Value::Null);
    assert_eq!(client.wait().code(), Some(0));
}

#[test]
fn four_hundred_changes_are_applied_in_order() {
    let mut client = Client::initialized();
    client.open(URI, "");
    let name: String = (0..386u32).map(|i| char::from(b'a' + (i * i % 26) as u8)).collect();
    let source = format!("def test_{name}(): 1");
    assert!(source.len() >= 400);
    for (i, c) in source.chars().enumerate() {
        let at = i as u32;
        client.change(URI, i as i32 + 2, Some([0, at, 0, at]), &c.to_string());
    }
    let lenses = client.lenses(URI);
    assert_eq!(lenses[1].3["test"], format!("test_{name}"));
    // A version that is not newer is dropped.
    client.change(URI, 5, None, "");
    assert_eq!(client.lenses(URI).len(), 2);
    client.change(URI, 1000, None, "");
    assert!(client.lenses(URI).iter().all(|lens| lens.3["test"].is_null()));
}

#[test]
fn three_hundred_messages_behind_waiting_handlers_are_answered() {
    let mut client = Client::start();
    client.answer_with(|_, _| None);
    client.initialize(json!({"capabilities": {"workspace": {"configuration": true}}}));
    client.open(URI, "def test_a(): pass\n");
    let wait = json!({"command": "heaphint.testWait", "arguments": []});
    let waiting: Vec<i64> =
        (0..20).map(|_| client.request("workspace/executeCommand", wait.clone())).collect();
    // Each of these runs wants an answer that does not come.
    let profile = json!({"command": "heaphint.profile", "arguments": [{"uri": "file:///nowhere/none.py"}]});
    for _ in 0..20 {
        let id = client.request("workspace/executeCommand", profile.clone());
        assert!(client.answer(id)["result"]["run"].is_string());
    }
    let asked: Vec<i64> = (0..300)
        .map(|_| client.request("textDocument/codeLens", json!({"textDocument": {"uri": URI}})))
        .collect();
    for id in asked {
        assert_eq!(client.answer(id)["result"].as_array().map(Vec::len), Some(2));
    }
    for id in waiting {
        client.notify("$/cancelRequest", json!({"id": id}));
        assert_eq!(client.answer(id)["error"]["code"], -32800);
    }
}

#[test]
fn garbage_is_an_error_and_nothing_else() {
    let mut client = Client::initialized();
    let framed = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
    for garbage in [
        framed("{\"jsonrpc\": \"2.0\", "),
        framed("[1, 2, 3]"),
        framed("\"text\""),
        b"GET / HTTP/1.1\r\nHost: nowhere\r\n\r\n".to_vec(),
        b"Content-Length: many\r\n\r\n".to_vec(),
        b"Content-Length: 4\r\n\r\n\xff\xfe\xfd\xfc".to_vec(),
    ] {
        client.send_raw(&garbage);
        let error = client.wait_for("an error", |message| message["error"]["code"] == -32700);
        assert_eq!(error["id"], Value::Null);
    }
    let id = client.request("textDocument/hover", json!({"textDocument": 5}));
    assert_eq!(client.answer(id)["error"]["code"], -32602);
    let id = client.request("no/such/request", json!({}));
    assert_eq!(client.answer(id)["error"]["code"], -32601);
    let id = client.request("workspace/executeCommand", json!({"command": "rm", "arguments": []}));
    assert_eq!(client.answer(id)["error"]["code"], -32602);
    client.notify(
        "textDocument/didChange",
        json!({"textDocument": {"uri": URI, "version": 1}, "contentChanges": [{"text": ""}]}),
    );
    client.notify("$/unknown", json!({}));
    // Positions outside of the text are moved into it.
    client.open(URI, "x");
    client.change(URI, 2, Some([7, 7, 3, 3]), "\ndef test_b(): pass");
    client.change(URI, 3, Some([1, 4_000_000_000, 0, 0]), "");
    assert_eq!(client.lenses(URI).len(), 2);
}
