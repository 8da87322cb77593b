//! What the protocol has beyond hints, lenses and hovers.

use serde_json::{Value, json};

use super::client::Client;
use super::project::{APP, Project, labels};

fn profiled(files: &[(&str, &str)], parts: Value) -> (Client, Project, String) {
    let project = Project::new(files);
    let uri = project.uri(files[0].0);
    let mut client = Client::start();
    client.initialize(parts);
    client.open(&uri, files[0].1);
    let finished = client.profile(json!({"uri": uri}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    (client, project, uri)
}

#[test]
fn call_hierarchy_tells_who_leads_to_an_allocation() {
    let (mut client, _project, uri) = profiled(&[("app.py", APP)], json!({}));
    let position = json!({"line": 3, "character": 4});
    let items = client.ask(
        "textDocument/prepareCallHierarchy",
        json!({"textDocument": {"uri": uri}, "position": position}),
    );
    assert_eq!((&items[0]["name"], &items[0]["detail"]), (&json!("load"), &json!("120 MiB peak")));
    assert_eq!(items[0]["selectionRange"]["start"]["line"], 2);
    // A line above moves what is told.
    client.change(&uri, 2, Some([0, 0, 0, 0]), "# a remark\n");
    let callers = client.ask("callHierarchy/incomingCalls", json!({"item": items[0]}));
    assert_eq!(callers.as_array().map(Vec::len), Some(1));
    let main = &callers[0]["from"];
    assert_eq!((&main["name"], &main["detail"]), (&json!("main"), &json!("120 MiB peak in 2 allocations")));
    let lines: Vec<_> =
        callers[0]["fromRanges"].as_array().expect("ranges").iter().map(|r| &r["start"]["line"]).collect();
    assert_eq!(lines, [8, 9]);
    let callers = client.ask("callHierarchy/incomingCalls", json!({"item": main}));
    assert_eq!(callers[0]["from"]["name"], "<module>");
    assert_eq!(client.ask("callHierarchy/incomingCalls", json!({"item": callers[0]["from"]})), json!([]));
    let callees = client.ask("callHierarchy/outgoingCalls", json!({"item": main}));
    assert_eq!(
        (&callees[0]["to"]["name"], &callees[0]["fromRanges"][1]["start"]["line"]),
        (&json!("load"), &json!(9))
    );
    let nowhere = json!({"textDocument": {"uri": uri}, "position": {"line": 1, "character": 0}});
    assert_eq!(client.ask("textDocument/prepareCallHierarchy", nowhere), Value::Null);
}

#[test]
fn tooltips_of_hints_come_when_they_are_asked_for() {
    let resolve = json!({"resolveSupport": {"properties": ["tooltip"]}});
    let parts = json!({"capabilities": {"textDocument": {"inlayHint": resolve}}});
    let (mut client, _project, uri) = profiled(&[("app.py", APP)], parts);
    let range = json!({"start": {"line": 3, "character": 0}, "end": {"line": 3, "character": 0}});
    let hints = client.ask("textDocument/inlayHint", json!({"textDocument": {"uri": uri}, "range": range}));
    assert_eq!(hints[0]["tooltip"], Value::Null);
    let hint = client.ask("inlayHint/resolve", hints[0].clone());
    assert_eq!(hint["label"], "120 MiB peak");
    let text = hint["tooltip"]["value"].as_str().expect("a text");
    assert!(text.contains("when the program's memory was at its peak") && text.contains("`load`"), "{text}");
    // An editor that cannot ask gets the sentence at once.
    let (mut client, _project, uri) = profiled(&[("app.py", APP)], json!({}));
    let hints = client.ask("textDocument/inlayHint", json!({"textDocument": {"uri": uri}, "range": range}));
    assert!(hints[0]["tooltip"].as_str().is_some_and(|tooltip| tooltip.contains("peak")), "{hints}");
    assert_eq!(hints[0]["data"], Value::Null);
}

#[test]
fn files_that_a_configuration_names_are_links() {
    let toml = "[tool.heaphint.run.'é']\nscript = 'src/app.py'\nstdin = 'none.txt'\n";
    let project = Project::new(&[("src/app.py", "")]);
    project.write("pyproject.toml", toml);
    let uri = project.uri("pyproject.toml");
    let mut client = Client::initialized();
    let item = json!({"uri": uri, "languageId": "toml", "version": 1, "text": toml});
    client.notify("textDocument/didOpen", json!({"textDocument": item}));
    let links = client.ask("textDocument/documentLink", json!({"textDocument": {"uri": uri}}));
    let range = json!({"start": {"line": 1, "character": 9}, "end": {"line": 1, "character": 21}});
    assert_eq!(links, json!([{"range": range, "target": project.uri("src/app.py")}]));
}

#[test]
fn renamed_files_keep_their_figures() {
    let lib = "def make(n):\n    return bytearray(n * 1024 * 1024)\n";
    let files = [("app.py", "import sub.lib\nkept = sub.lib.make(7)\n"), ("sub/lib.py", lib)];
    let (mut client, project, uri) = profiled(&files, json!({}));
    std::fs::rename(project.path("sub"), project.path("other")).expect("a folder");
    let renamed = json!([{"oldUri": project.uri("sub"), "newUri": project.uri("other")}]);
    client.notify("workspace/didRenameFiles", json!({"files": renamed}));
    let lib_uri = project.uri("other/lib.py");
    client.open(&lib_uri, lib);
    assert_eq!(labels(&client.hints(&lib_uri)), [(1, "7.00 MiB peak")]);
    // By an editor that does not tell of it.
    std::fs::rename(project.path("app.py"), project.path("main.py")).expect("a file");
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    client.open(&project.uri("main.py"), files[0].1);
    assert_eq!(labels(&client.hints(&project.uri("main.py"))), [(1, "7.00 MiB peak")]);
}

#[test]
fn a_file_that_changed_on_the_disk_is_told_once() {
    let watched =
        json!({"capabilities": {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": true}}}});
    let (mut client, project, uri) = profiled(&[("app.py", APP)], watched);
    client.told("client/registerCapability", |params| {
        params["registrations"][0]["method"] == "workspace/didChangeWatchedFiles"
    });
    let changed = |client: &mut Client| {
        let changes = json!([{"uri": uri, "type": 2}]);
        client.notify("workspace/didChangeWatchedFiles", json!({"changes": changes}));
    };
    let told = |params: &Value| {
        params["message"].as_str().is_some_and(|message| message.contains("app.py has changed on the disk"))
    };
    // Saved by who edits it, who knows.
    let edited = format!("# edited\n{APP}");
    client.change(&uri, 2, None, &edited);
    client.notify("textDocument/didSave", json!({"textDocument": {"uri": uri}}));
    project.write("app.py", &edited);
    changed(&mut client);
    // By another branch.
    let other = APP.replace("80 *", "81 *");
    project.write("app.py", &other);
    changed(&mut client);
    client.told("window/showMessage", told);
    client.change(&uri, 3, None, &other);
    assert_eq!(labels(&client.hints(&uri))[1], (7, "80.0 MiB peak (old)"));
    changed(&mut client);
    // And back, by a formatter.
    client.change(&uri, 4, None, &APP.replace("load(80 * 1024 * 1024)", "load( 80*1024*1024 )"));
    assert_eq!(labels(&client.hints(&uri))[1], (7, "80.0 MiB peak"));
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    client.open(&uri, &other);
    client.profile(json!({"uri": uri}));
    assert!(!client.has_unread("window/showMessage"));
}

#[test]
fn documents_that_were_never_saved_are_run() {
    let project = Project::new(&[]);
    let text = "kept = bytearray(5 * 1024 * 1024)\n";
    let mut client = Client::start();
    client.initialize(project.folders());
    let uri = "untitled:Untitled-1";
    client.open(uri, text);
    let lenses = client.lenses(uri);
    assert_eq!(lenses[0].3, json!({"uri": uri}));
    let finished = client.profile(lenses[0].3.clone());
    assert_eq!(finished["outcome"], "finished", "{finished}");
    assert_eq!(labels(&client.hints(uri)), [(0, "5.00 MiB peak")]);
    client.change(uri, 2, None, &text.replace('5', "9"));
    client.profile(json!({"uri": uri}));
    assert_eq!(labels(&client.hints(uri)), [(0, "9.00 MiB peak")]);
    assert!(!project.path(".heaphint").exists());
}

#[test]
fn cells_of_notebooks_and_old_versions_are_not_taken_for_their_files() {
    let (mut client, project, _) = profiled(&[("app.py", APP)], json!({}));
    let file = project.path("app.py");
    for uri in [format!("vscode-notebook-cell:{}#W0s", file.display()), format!("git:{}", file.display())] {
        client.open(&uri, APP);
        assert_eq!(client.lenses(&uri), []);
        assert_eq!(client.hints(&uri), []);
        let finished = client.profile(json!({"uri": uri}));
        assert!(
            finished["message"].as_str().is_some_and(|m| m.contains("only files on this machine")),
            "{finished}"
        );
    }
}

#[test]
fn hovers_say_which_text_they_are_about() {
    let (mut client, _project, uri) = profiled(&[("app.py", APP)], json!({}));
    let params = json!({"textDocument": {"uri": uri}, "position": {"line": 3, "character": 9}});
    let hover = client.ask("textDocument/hover", params);
    let range = json!({"start": {"line": 3, "character": 4}, "end": {"line": 3, "character": 26}});
    assert_eq!(hover["range"], range);
}

/// A notebook of these code cells as the editor tells of it.
fn notebook(uri: &str, cells: &[&str]) -> (Vec<String>, Value) {
    let names: Vec<String> = (0..cells.len()).map(|i| cell_of(uri, i)).collect();
    let texts = names.iter().zip(cells).map(|(name, text)| cell_text(name, text)).collect::<Vec<_>>();
    let cells: Vec<_> = names.iter().map(|name| json!({"kind": 2, "document": name})).collect();
    let document = json!({"uri": uri, "notebookType": "jupyter-notebook", "version": 1, "cells": cells});
    (names, json!({"notebookDocument": document, "cellTextDocuments": texts}))
}

fn cell_of(notebook: &str, number: usize) -> String {
    format!(
        "vscode-notebook-cell:{}#W{number}s",
        notebook.trim_start_matches("file://").replace("untitled:", "")
    )
}

fn cell_text(name: &str, text: &str) -> Value {
    json!({"uri": name, "languageId": "python", "version": 1, "text": text})
}

#[test]
fn cells_of_a_notebook_are_run_in_their_order() {
    let make = "def make(n):\n    return bytearray(n * 1024 * 1024)\n";
    let project = Project::new(&[("src/make.py", make), ("src/my work.ipynb", "{}")]);
    let uri = project.uri("src/my%20work.ipynb");
    let first = "%matplotlib inline\nimport make, sys\nkept = make.make(5)\nprint(__name__, sys.argv)\n";
    let second = "more = make.make(7)  # heaphint: limit 1 MiB";
    let (cells, opened) = notebook(&uri, &[first, second, "%%bash\nfail here"]);
    let mut client = Client::start();
    let answer = client.initialize(project.folders());
    let selector = &answer["capabilities"]["notebookDocumentSync"]["notebookSelector"];
    assert_eq!(selector, &json!([{"cells": [{"language": "python"}]}]));
    client.notify("notebookDocument/didOpen", opened);
    let make_uri = project.uri("src/make.py");
    client.open(&make_uri, make);
    for cell in &cells {
        let offered = client.lenses(cell);
        let params = json!({"uri": uri, "what": "notebook"});
        assert_eq!(
            offered,
            [(0, "Profile memory of this notebook".into(), "heaphint.profile".into(), params)]
        );
    }
    let finished = client.profile(json!({"uri": cells[1], "what": "notebook"}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    assert!(finished["message"].as_str().is_some_and(|m| m.contains("my work.ipynb peaked")), "{finished}");
    client.told("window/logMessage", |params| params["message"] == "__main__ ['-c']");
    assert_eq!(labels(&client.hints(&cells[0])), [(2, "5.00 MiB peak")]);
    assert_eq!(labels(&client.hints(&cells[1])), [(0, "7.00 MiB peak")]);
    // What cells import belongs to the project as ever.
    assert_eq!(labels(&client.hints(&make_uri)), [(1, "12.0 MiB peak")]);
    assert!(client.hover(&cells[1], 0).contains("`make`"));
    let found = client.diagnostics(&cells[1], |list| !list.is_empty());
    assert!(found[0]["message"].as_str().is_some_and(|message| message.contains("7.00 MiB")), "{found:?}");
    assert!(!client.has_unread("window/showMessage"));

    // A cell comes before the second one, whose text is edited; nothing has to be saved.
    let new = format!("{}new", cells[0]);
    let structure = json!({"array": {"start": 1, "deleteCount": 0, "cells": [{"kind": 2, "document": new}]},
        "didOpen": [cell_text(&new, "between = make.make(3)\n")]});
    let edit = json!({"range": {"start": {"line": 0, "character": 17}, "end": {"line": 0, "character": 18}}, "text": "9"});
    let text = json!({"document": {"uri": cells[1], "version": 2}, "changes": [edit]});
    let change = json!({"cells": {"structure": structure, "textContent": [text]}});
    let identifier = json!({"uri": uri, "version": 2});
    client.notify("notebookDocument/didChange", json!({"notebookDocument": identifier, "change": change}));
    assert_eq!(labels(&client.hints(&cells[1])), [(0, "7.00 MiB peak (old)")]);
    assert_eq!(client.profile(json!({"uri": uri, "what": "notebook"}))["outcome"], "finished");
    assert_eq!(labels(&client.hints(&cells[1])), [(0, "9.00 MiB peak")]);
    assert_eq!(labels(&client.hints(&new)), [(0, "3.00 MiB peak")]);
    assert_eq!(labels(&client.hints(&cells[0])), [(2, "5.00 MiB peak")]);
    client.notify("notebookDocument/didSave", json!({"notebookDocument": {"uri": uri}}));

    // Closed, it cannot be run.
    let texts: Vec<_> = cells.iter().chain([&new]).map(|cell| json!({"uri": cell})).collect();
    client.notify(
        "notebookDocument/didClose",
        json!({"notebookDocument": {"uri": uri}, "cellTextDocuments": texts}),
    );
    client.diagnostics(&cells[1], <[Value]>::is_empty);
    assert_eq!(client.lenses(&cells[0]), []);
    assert_eq!(client.profile(json!({"uri": cells[0], "what": "notebook"}))["outcome"], "failed");
}

#[test]
fn a_notebook_that_was_never_saved_is_run() {
    let (cells, opened) =
        notebook("untitled:Untitled-1.ipynb", &["kept = bytearray(5 << 20)", "def f(:", "1 / 0"]);
    let mut client = Client::initialized();
    client.notify("notebookDocument/didOpen", opened);
    let finished = client.profile(json!({"uri": cells[0], "what": "notebook"}));
    assert_eq!(finished["outcome"], "failed", "{finished}");
    assert!(finished["message"].as_str().is_some_and(|m| m.contains("SyntaxError")), "{finished}");
    assert_eq!(labels(&client.hints(&cells[0])), [(0, "5.00 MiB peak")]);
    // What makes no sense is no harm.
    client.notify(
        "notebookDocument/didChange",
        json!({"notebookDocument": {"uri": "x:y", "version": 2}, "change": {}}),
    );
    client.notify("notebookDocument/didOpen", json!({"wrong": 1}));
    assert_eq!(client.lenses(&cells[0]).len(), 1);
}

#[test]
fn a_report_is_opened_or_its_place_is_said() {
    let shows = json!({"capabilities": {"window": {"showDocument": {"support": true}}}});
    let (mut client, project, uri) = profiled(&[("app.py", APP)], shows);
    client.answer_with(|method, _| match method {
        "window/showDocument" => Some(json!({"success": true})),
        _ => Some(Value::Null),
    });
    let page = client.command("heaphint.report", json!({"uri": uri}))["uri"].clone();
    let shown = client.told("window/showDocument", |_| true);
    assert_eq!((&shown["uri"], &shown["external"]), (&page, &json!(true)));
    let name = page.as_str().and_then(|uri| uri.rsplit('/').next()).expect("a name");
    let text = std::fs::read_to_string(project.path(".heaphint").join(name)).expect("a page");
    assert!(text.contains("<html"), "{} bytes", text.len());

    let (mut client, _project, _) = profiled(&[("app.py", APP)], json!({}));
    let page = client.command("heaphint.report", Value::Null)["uri"].clone();
    client.told("window/showMessage", |params| {
        params["message"].as_str().is_some_and(|message| message.contains(page.as_str().unwrap_or_default()))
    });
}

#[test]
fn folders_come_and_go() {
    let project = Project::new(&[]);
    project.write("pyproject.toml", "[tool.heaphint]\npeak = \"a lot\"\n");
    let mut client = Client::initialized();
    let folder = json!([{"uri": project.uri(""), "name": "project"}]);
    client.notify("workspace/didChangeWorkspaceFolders", json!({"event": {"added": folder, "removed": []}}));
    let toml = project.uri("pyproject.toml");
    client.diagnostics(&toml, |list| !list.is_empty());
    client.notify("workspace/didChangeWorkspaceFolders", json!({"event": {"added": [], "removed": folder}}));
    client.diagnostics(&toml, <[Value]>::is_empty);
}

#[test]
fn editors_without_progress_are_told_in_messages() {
    let plain = json!({"capabilities": {"window": {"workDoneProgress": false}}});
    let (mut client, _project, _) = profiled(&[("app.py", APP)], plain);
    for part in ["Profiling memory of app.py", "app.py peaked at"] {
        client.told("window/showMessage", |params| {
            params["message"].as_str().is_some_and(|m| m.contains(part))
        });
    }
    assert!(!client.has_unread("window/workDoneProgress/create"));
}

/// An editor that asks for diagnostics and takes none that are sent.
fn pulling(project: &Project) -> Client {
    let mut parts = project.folders();
    parts["capabilities"] = json!({"textDocument": {"publishDiagnostics": null, "diagnostic": {}}});
    let mut client = Client::start();
    let provider = &client.initialize(parts)["capabilities"]["diagnosticProvider"];
    assert_eq!(
        (&provider["interFileDependencies"], &provider["workspaceDiagnostics"]),
        (&json!(true), &json!(true))
    );
    client
}

#[test]
fn diagnostics_are_asked_for_where_they_cannot_be_sent() {
    let text = "kept = bytearray(6 * 1024 * 1024)  # heaphint: limit 1 MiB\n";
    let project = Project::new(&[("app.py", text)]);
    let uri = project.uri("app.py");
    let mut client = pulling(&project);
    client.open(&uri, text);
    let pull = |client: &mut Client, known: &Value| {
        let params = json!({"textDocument": {"uri": uri}, "previousResultId": known});
        client.ask("textDocument/diagnostic", params)
    };
    let none = pull(&mut client, &Value::Null);
    assert_eq!((&none["kind"], &none["items"]), (&json!("full"), &json!([])));
    client.profile(json!({"uri": uri}));
    client.told("workspace/diagnostic/refresh", |_| true);
    let found = pull(&mut client, &none["resultId"]);
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
    let same = pull(&mut client, &found["resultId"]);
    assert_eq!(same, json!({"kind": "unchanged", "resultId": found["resultId"]}));
    // What was typed a moment ago counts, without waiting to be told.
    for version in 2..20 {
        let limit = if version % 2 == 0 { "9" } else { "1" };
        client.change(&uri, version, Some([0, 53, 0, 54]), limit);
        let report = pull(&mut client, &Value::Null);
        let count = usize::from(version % 2 != 0);
        assert_eq!(report["items"].as_array().map(Vec::len), Some(count), "{version}: {report}");
    }
    assert!(!client.has_unread("textDocument/publishDiagnostics"));
}

#[test]
fn diagnostics_of_all_files_are_asked_for_at_once() {
    let text = "kept = bytearray(6 * 1024 * 1024)  # heaphint: limit 1 MiB\n";
    let project = Project::new(&[("app.py", text)]);
    project.write("pyproject.toml", "[tool.heaphint]\npeak = \"a lot\"\n");
    let (app, toml) = (project.uri("app.py"), project.uri("pyproject.toml"));
    let mut client = pulling(&project);
    let pull = |client: &mut Client, known: Value| {
        client.ask("workspace/diagnostic", json!({"previousResultIds": known}))["items"].clone()
    };
    let first = pull(&mut client, json!([]));
    assert_eq!(
        (&first[0]["uri"], &first[0]["kind"], &first[0]["version"]),
        (&json!(toml), &json!("full"), &Value::Null)
    );
    assert!(
        first[0]["items"][0]["message"].as_str().is_some_and(|message| message.contains("a lot")),
        "{first}"
    );
    client.open(&app, text);
    client.profile(json!({"uri": app}));
    project.write("pyproject.toml", "");
    client.told("workspace/diagnostic/refresh", |_| true);
    let mut second = pull(&mut client, json!([{"uri": toml, "value": first[0]["resultId"]}]));
    // The watcher may be later than the run.
    while second[1]["items"] != json!([]) {
        client.told("workspace/diagnostic/refresh", |_| true);
        second = pull(&mut client, json!([{"uri": toml, "value": first[0]["resultId"]}]));
    }
    assert_eq!((&second[0]["uri"], &second[0]["version"]), (&json!(app), &json!(1)), "{second}");
    assert_eq!(second[0]["items"].as_array().map(Vec::len), Some(1), "{second}");
    let third = pull(&mut client, json!([{"uri": app, "value": second[0]["resultId"]}]));
    assert_eq!(
        third,
        json!([{"uri": app, "version": 1, "kind": "unchanged", "resultId": second[0]["resultId"]}])
    );
    assert!(!client.has_unread("textDocument/publishDiagnostics"));
}

#[test]
fn editors_that_ask_and_take_are_sent_diagnostics_once() {
    let text = "kept = bytearray(6 * 1024 * 1024)  # heaphint: limit 1 MiB\n";
    let project = Project::new(&[("app.py", text)]);
    let uri = project.uri("app.py");
    for (parts, pulls) in [(json!({"diagnostic": {}}), true), (json!({}), false)] {
        let mut client = Client::start();
        let answer = client.initialize(json!({"capabilities": {"textDocument": parts}}));
        assert_eq!(answer["capabilities"].get("diagnosticProvider"), None, "{pulls}");
        client.open(&uri, text);
        client.profile(json!({"uri": uri}));
        client.diagnostics(&uri, |list| list.len() == 1);
        assert!(!client.has_unread("workspace/diagnostic/refresh"));
    }
}
