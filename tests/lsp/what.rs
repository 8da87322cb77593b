//! What can be profiled: files, modules, imports, tests and what a project names.

use std::process::Command;

use serde_json::{Value, json};

use super::client::Client;
use super::project::{PYTEST, Project, labels};
use crate::support::packages::environment;
use crate::support::playground::tests_folder;
use crate::support::process::run;

#[test]
fn arguments_and_the_folder_reach_the_program() {
    let text = "import os, sys\nprint(sys.argv[1:], os.getcwd(), sys.stdin.read() == '')\n";
    let project = Project::new(&[("sub/app.py", text)]);
    let mut client = Client::initialized();
    client.profile(json!({"uri": project.uri("sub/app.py"), "args": ["a b", "--c"]}));
    let expected = format!("['a b', '--c'] {} True", project.path("sub").display());
    client.told("window/logMessage", |params| params["message"] == expected.as_str());
}

#[test]
fn a_unittest_is_run_alone() {
    let text = "import unittest\n\nclass TestA(unittest.TestCase):\n    def test_b(self):\n        self.kept = bytearray(6 * 1024 * 1024)\n\n    def test_c(self):\n        raise SystemExit(9)\n";
    let project = Project::new(&[("tests/test_app.py", text)]);
    let uri = project.uri("tests/test_app.py");
    let mut client = Client::initialized();
    client.open(&uri, text);
    let test = client.lenses(&uri)[2].3.clone();
    let finished = client.profile(test);
    assert_eq!(finished["outcome"], "finished", "{finished}");
    assert_eq!(labels(&client.hints(&uri)), [(4, "6.00 MiB peak")]);
}

#[test]
fn without_an_argument_the_last_run_is_run_again() {
    let text = "kept = bytearray(6 * 1024 * 1024)\n";
    let project = Project::new(&[("app.py", text)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, text);
    let again = |client: &mut Client| {
        let params = json!({"command": "heaphint.profile", "arguments": []});
        let run = client.ask("workspace/executeCommand", params)["run"].clone();
        client.told("heaphint/runFinished", |params| params["run"] == run)
    };
    let nothing = again(&mut client);
    assert!(nothing["message"].as_str().is_some_and(|m| m.contains("profile a file first")), "{nothing}");
    client.profile(json!({"uri": uri}));
    client.command("heaphint.clear", Value::Null);
    assert_eq!(again(&mut client)["outcome"], "finished");
    assert_eq!(labels(&client.hints(&uri)), [(0, "6.00 MiB peak")]);
}

#[test]
fn a_test_function_is_run_by_pytest() {
    let text =
        "def test_a():\n    kept = bytearray(6 * 1024 * 1024)\n\ndef test_b():\n    raise SystemExit(9)\n";
    let project = Project::new(&[("tests/test_app.py", text), ("pytest.py", PYTEST)]);
    let uri = project.uri("tests/test_app.py");
    let mut client = Client::initialized();
    client.open(&uri, text);
    let finished = client.profile(json!({"uri": uri, "test": "test_a"}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    assert_eq!(labels(&client.hints(&uri)), [(1, "6.00 MiB peak")]);
    // The runner's own frames are left out.
    let hover = client.hover(&uri, 1);
    assert!(!hover.contains("runpy"), "{hover}");
}

#[test]
fn a_module_is_run_as_one() {
    let main = "from . import make\nkept = make(6)\nprint(__name__, __package__)\n";
    let make = "def make(n):\n    return bytearray(n * 1024 * 1024)\n";
    let project = Project::new(&[("src/app/__init__.py", make), ("src/app/tool.py", main)]);
    let uri = project.uri("src/app/tool.py");
    let mut client = Client::initialized();
    client.open(&uri, main);
    let finished = client.profile(json!({"uri": uri, "what": "module"}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    client.told("window/logMessage", |params| params["message"] == "__main__ app");
    assert_eq!(labels(&client.hints(&uri)), [(1, "6.00 MiB peak")]);
    let message = finished["message"].as_str().expect("a message");
    assert!(message.contains("module app.tool peaked"), "{message}");
}

#[test]
fn an_import_shows_what_starting_up_costs() {
    let init = "table = bytearray(5 * 1024 * 1024)\nfrom . import db\n";
    let db = "pool = bytearray(7 * 1024 * 1024)\n";
    let project = Project::new(&[("app/__init__.py", init), ("app/db.py", db)]);
    let (init_uri, db_uri) = (project.uri("app/__init__.py"), project.uri("app/db.py"));
    let mut client = Client::initialized();
    client.open(&init_uri, init);
    client.open(&db_uri, db);
    let finished = client.profile(json!({"uri": db_uri, "what": "import"}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    assert!(finished["message"].as_str().is_some_and(|m| m.contains("the import of app.db")), "{finished}");
    assert_eq!(labels(&client.hints(&init_uri)), [(0, "5.00 MiB peak"), (1, "7.00 MiB peak")]);
    assert_eq!(labels(&client.hints(&db_uri)), [(0, "7.00 MiB peak")]);
    let finished = client.profile(json!({"uri": project.uri(""), "what": "import", "name": "app"}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    let finished =
        client.profile(json!({"uri": project.uri(""), "what": "import", "name": "app; import os"}));
    assert_eq!(finished["outcome"], "failed", "{finished}");
}

#[test]
fn test_files_classes_cases_and_all_tests_are_run_by_pytest() {
    let text = "def test_a(n=3):\n    kept = bytearray(n * 1024 * 1024)\n\ndef test_b():\n    kept = bytearray(4 * 1024 * 1024)\n";
    let project = Project::new(&[("tests/test_app.py", text), ("pytest.py", PYTEST)]);
    let uri = project.uri("tests/test_app.py");
    let mut client = Client::initialized();
    client.open(&uri, text);
    for (what, expected) in [
        (json!({"what": "testFile"}), vec![(1, "3.00 MiB max"), (4, "4.00 MiB max")]),
        (json!({"what": "allTests"}), vec![(1, "3.00 MiB max"), (4, "4.00 MiB max")]),
        (json!({"test": "test_a[9]"}), vec![(1, "9.00 MiB max")]),
        (json!({"what": "again"}), vec![(1, "9.00 MiB max")]),
    ] {
        let settings = json!({"inlayHints": {"figure": "max"}});
        client.notify("workspace/didChangeConfiguration", json!({"settings": {"heaphint": settings}}));
        let mut argument = what;
        argument["uri"] = json!(uri);
        let finished = client.profile(argument);
        assert_eq!(finished["outcome"], "finished", "{finished}");
        assert_eq!(labels(&client.hints(&uri)), expected);
    }
}

#[test]
fn cases_of_parametrized_tests_are_offered_by_the_names_that_pytest_gives() {
    let pytest = environment("pytest", &["pytest==8.3.4"]);
    let text = r#"import pytest

@pytest.mark.parametrize("n", [3, 0x7, pytest.param(5, id="five"), (2)], ids=[None, None, None, "two"])
def test_a(n):
    kept = bytearray(n * 1024 * 1024)

class TestB:
    @pytest.mark.parametrize("flag, name", [(True, "a b"), (None, "c::d")])
    @pytest.mark.parametrize("x", [1.5, -2, {"k": 1}])
    def test_c(self, x, flag, name):
        pass
"#;
    let project = Project::new(&[("test_app.py", text)]);
    let mut collect = std::process::Command::new(&pytest.path);
    collect
        .args(["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"])
        .current_dir(project.path(""));
    let collected = String::from_utf8(run(&mut collect, "").stdout).expect("text");
    let collected: Vec<_> = collected.lines().filter_map(|line| line.strip_prefix("test_app.py::")).collect();
    assert_eq!(collected.len(), 10, "{collected:?}");

    let uri = project.uri("test_app.py");
    let mut client = Client::start();
    let python = json!({"python": pytest.path, "inlayHints": {"figure": "max"}});
    client.initialize(json!({"initializationOptions": python}));
    client.open(&uri, text);
    let lenses = client.lenses(&uri);
    let cases: Vec<_> = lenses.iter().filter_map(|lens| lens.3["test"].as_str()).collect();
    let cases: Vec<_> = cases.into_iter().filter(|test| test.contains('[')).collect();
    assert_eq!(cases, collected);
    let lens = lenses.iter().find(|lens| lens.1 == "Profile [7]").expect("a lens");
    assert_eq!(lens.0, 3);
    let finished = client.profile(lens.3.clone());
    assert_eq!(finished["outcome"], "finished", "{finished}");
    assert_eq!(labels(&client.hints(&uri)), [(4, "7.00 MiB max")]);
    for lens in lenses.iter().filter(|lens| lens.3["test"].as_str().is_some_and(|test| test.contains("c::d")))
    {
        assert_eq!(client.profile(lens.3.clone())["outcome"], "finished", "{lens:?}");
    }
}

#[test]
fn without_pytest_all_tests_are_found_by_unittest() {
    let text = "import unittest\n\nclass TestA(unittest.TestCase):\n    def test_b(self):\n        TestA.kept = bytearray(6 * 1024 * 1024)\n\n    def test_c(self):\n        TestA.more = bytearray(2 * 1024 * 1024)\n";
    let project = Project::new(&[("tests/__init__.py", ""), ("tests/test_app.py", text)]);
    // An interpreter that has no pytest, whatever is installed here.
    project.write("pytest/__init__.py", "");
    let without = format!(
        "#!/bin/sh\ncase \"$*\" in *find_spec*) exit 1;; esac\nexec {} \"$@\"\n",
        super::project::python().display()
    );
    let python = project.program("python", &without);
    let uri = project.uri("tests/test_app.py");
    let mut client = Client::start();
    client.initialize(json!({"initializationOptions": {"python": python}}));
    client.open(&uri, text);
    for what in ["allTests", "testFile"] {
        let finished = client.profile(json!({"uri": uri, "what": what}));
        assert_eq!(finished["outcome"], "finished", "{finished}");
        assert_eq!(labels(&client.hints(&uri)), [(4, "6.00 MiB peak"), (7, "2.00 MiB peak")]);
    }
    let finished = client.profile(json!({"uri": uri, "test": "TestA"}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    let finished = client.profile(json!({"uri": uri, "test": "test_of_pytest"}));
    assert!(finished["message"].as_str().is_some_and(|m| m.contains("-m pip install pytest")), "{finished}");
}

#[test]
fn configurations_of_the_project_are_run_as_they_are_written() {
    let toml = r#"
[tool.heaphint.run.web]
script = "src/web.py"
args = ["--port", "0"]
cwd = "data"
env = {NAME = "value"}
stdin = "data/input.txt"

[tool.heaphint.run.shell]
command = ["sh", "-c", "python3 -c 'kept = bytearray(5 * 1024 * 1024)'; exit 7"]

[tool.heaphint.run.wrong]
scrip = "src/web.py"
"#;
    let web = "import os, sys\nkept = bytearray(8 * 1024 * 1024)\nprint(sys.argv[1:], os.getcwd(), os.environ['NAME'], sys.stdin.read())\n";
    let project = Project::new(&[("src/web.py", web), ("data/input.txt", "typed")]);
    project.write("pyproject.toml", toml);
    let uri = project.uri("src/web.py");
    let mut client = Client::initialized();
    client.open(&uri, web);
    let configuration =
        |name: &str| json!({"uri": project.uri("pyproject.toml"), "what": "configuration", "name": name});
    let finished = client.profile(configuration("web"));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    let expected = format!("['--port', '0'] {} value typed", project.path("data").display());
    client.told("window/logMessage", |params| params["message"] == expected.as_str());
    assert_eq!(labels(&client.hints(&uri)), [(1, "8.00 MiB peak")]);
    let finished = client.profile(configuration("shell"));
    assert_eq!(finished["exitCode"], 7, "{finished}");
    let message = |finished: &Value| finished["message"].as_str().expect("a message").to_owned();
    let said = message(&client.profile(configuration("wrong")));
    assert!(said.contains("`wrong`") && said.contains("scrip"), "{said}");
    let said = message(&client.profile(configuration("none")));
    assert!(said.contains("no run configuration `none`") && said.contains("`web`, `shell`"), "{said}");
}

#[test]
fn a_configuration_says_whether_children_are_recorded() {
    let toml = "[tool.heaphint.run.all]\nscript = 'app.py'\n\n[tool.heaphint.run.alone]\nscript = 'app.py'\nfollow = false\n";
    let text = "import subprocess, sys\nif sys.argv[1:]:\n    more = bytearray(3 * 1024 * 1024)\nelse:\n    kept = bytearray(8 * 1024 * 1024)\n    subprocess.run([sys.executable, __file__, 'child'], env={})\n";
    let project = Project::new(&[("app.py", text)]);
    project.write("pyproject.toml", toml);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, text);
    let shown = |client: &mut Client| {
        // What the imports of the first line hold is different from one Python to the next.
        let hints = client.hints(&uri).into_iter().filter(|(line, ..)| *line > 0);
        hints.map(|(line, _, label)| (line, label)).collect::<Vec<_>>()
    };
    let mut run = |name: &str| {
        let configuration =
            json!({"uri": project.uri("pyproject.toml"), "what": "configuration", "name": name});
        let finished = client.profile(configuration);
        assert_eq!(finished["outcome"], "finished", "{finished}");
        let choices = client.command("heaphint.choices", json!({"uri": uri}));
        let processes = choices["processes"].as_array().expect("processes").clone();
        let all = shown(&mut client);
        let each = processes.iter().map(|process| {
            client.command("heaphint.show", json!({"process": process["pid"]}));
            shown(&mut client)
        });
        let each: Vec<_> = each.collect();
        client.command("heaphint.show", json!({"process": null}));
        (all, each)
    };
    let hint = |line: u64, label: &str| vec![(line, label.to_owned())];
    let (kept, more) = (hint(4, "8.00 MiB peak"), hint(2, "3.00 MiB peak"));
    assert_eq!(run("alone"), (kept.clone(), vec![kept.clone()]));
    let (all, each) = run("all");
    assert_eq!(all, [hint(2, "~ 3.00 MiB peak"), hint(4, "~ 8.00 MiB peak")].concat());
    assert_eq!(each, [kept, more]);
}

#[test]
fn standard_input_is_closed_or_given() {
    let text = "import sys\nprint(repr(sys.stdin.read()))\n";
    let project = Project::new(&[("app.py", text)]);
    let mut client = Client::initialized();
    client.profile(json!({"uri": project.uri("app.py")}));
    client.told("window/logMessage", |params| params["message"] == "''");
    client.profile(json!({"uri": project.uri("app.py"), "stdin": "one\ntwo"}));
    client.told("window/logMessage", |params| params["message"] == "'one\\ntwo'");
}

#[test]
fn a_saved_file_is_run_where_the_settings_say_so() {
    let text = "kept = bytearray(4 * 1024 * 1024)\n";
    let project = Project::new(&[("app.py", text), ("lib.py", "")]);
    let (uri, lib) = (project.uri("app.py"), project.uri("lib.py"));
    let mut client = Client::initialized();
    client.open(&uri, text);
    client.open(&lib, "");
    let set = |client: &mut Client, on_save: &str| {
        let settings = json!({"settings": {"heaphint": {"profileOnSave": on_save}}});
        client.notify("workspace/didChangeConfiguration", settings);
    };
    let save = |client: &mut Client, uri: &str| {
        client.notify("textDocument/didSave", json!({"textDocument": {"uri": uri}}));
    };
    save(&mut client, &uri);
    set(&mut client, "again");
    // Nothing was run yet that could be run again.
    save(&mut client, &uri);
    client.profile(json!({"uri": uri}));
    assert!(!client.has_unread("heaphint/runFinished"));
    save(&mut client, &lib);
    let finished = client.told("heaphint/runFinished", |_| true);
    assert!(finished["message"].as_str().is_some_and(|m| m.contains("app.py")), "{finished}");
    set(&mut client, "file");
    save(&mut client, &lib);
    let finished = client.told("heaphint/runFinished", |_| true);
    assert!(finished["message"].as_str().is_some_and(|m| m.contains("lib.py")), "{finished}");
}

#[test]
fn settings_choose_what_runs_record() {
    let text = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'kept = bytearray(4 << 20)'], check=True)\n";
    let project = Project::new(&[("app.py", text)]);
    let uri = project.uri("app.py");
    let mut client = Client::initialized();
    client.open(&uri, text);
    let captures = || {
        let mut count = 0;
        let mut folders = vec![project.path(".heaphint")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "heaphint") {
                    count += 1;
                }
            }
        }
        count
    };
    client.profile(json!({"uri": uri}));
    assert_eq!(captures(), 2, "the program that it starts is recorded too");
    let settings = json!({"settings": {"heaphint": {"run": {"follow": false}}}});
    client.notify("workspace/didChangeConfiguration", settings);
    client.profile(json!({"uri": uri}));
    assert_eq!(captures(), 3, "one more, of the program alone");
}

#[test]
fn hovers_have_the_native_frames_that_were_recorded() {
    let text = "import ctypes, os\n\nlibrary = ctypes.CDLL(os.path.abspath(\"plugin.so\"))\nlibrary.enter.restype = ctypes.c_void_p\n\ndef load(size):\n    return library.enter(ctypes.c_size_t(size))\n\nload(48 << 20)\nload(32 << 20)\n";
    let project = Project::new(&[("app.py", text)]);
    let mut compile = Command::new("cc");
    compile.args(["-O2", "-g", "-shared", "-fPIC", "-DFUNCTION=first", "-o"]).arg(project.path("plugin.so"));
    let outcome = run(compile.arg(tests_folder().join("native/plugin.c")), "");
    assert_eq!(outcome.code, 0, "the tests need a C compiler named cc: {}", outcome.text());
    let uri = project.uri("app.py");
    let mut client = Client::start();
    client.initialize(json!({"initializationOptions": {"run": {"native": true}}}));
    client.open(&uri, text);
    let finished = client.profile(json!({"uri": uri}));
    assert_eq!(finished["outcome"], "finished", "{finished}");
    let hover = client.hover(&uri, 6);
    for part in [
        "1. 48.0 MiB in 1 allocation\n".to_owned(),
        format!("`load` [app.py:7]({uri}#L7)\n"),
        format!("`enter` [plugin.c:24](file://{}#L24)\n", tests_folder().join("native/plugin.c").display()),
        "`first` [plugin.c:18](".to_owned(),
    ] {
        assert!(hover.contains(&part), "{part} is missing in\n{hover}");
    }
    let order = ["`load`", "`enter`", "`first`", "2. 32.0 MiB"].map(|part| hover.find(part));
    assert!(order.is_sorted(), "outermost first:\n{hover}");
}
