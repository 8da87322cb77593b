//! Native frames: what they are, that they change no figure, and that they are those that the C library sees.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::stacks::build;
use crate::subjects::complaints;
use crate::support::interpreter::{Interpreter, say};
use crate::support::playground::{Playground, Recorded, lines, tests_folder};
use crate::support::process::run;

/// Compiles the native functions into the playground; whether there is a C++ compiler.
fn compile(playground: &Playground) -> bool {
    let compiled = |compiler: &str, source: &str, arguments: &[&str], library: &str| {
        let mut command = Command::new(compiler);
        command.args(["-O2", "-g", "-fomit-frame-pointer", "-shared", "-fPIC"]).args(arguments);
        command.arg(tests_folder().join("native").join(source));
        command.arg("-o").arg(playground.path(library)).arg("-lpthread");
        run(&mut command, "")
    };
    for (source, arguments, library) in [
        ("native.c", &["-Wl,-rpath,$ORIGIN"][..], "native.so"),
        ("plugin.c", &["-DFUNCTION=first"][..], "plugin_a.so"),
        ("plugin.c", &["-DFUNCTION=second", "-DPADDING"][..], "plugin_b.so"),
        ("plugin.c", &["-DFUNCTION=third"][..], "plugin_c.so"),
    ] {
        let outcome = compiled("cc", source, arguments, library);
        assert_eq!(outcome.code, 0, "the tests need a C compiler named cc: {}", outcome.text());
    }
    let has_cpp = Command::new("c++").arg("--version").output().is_ok_and(|output| output.status.success());
    has_cpp && compiled("c++", "shapes.cpp", &[], "shapes.so").code == 0
}

/// Runs a script under `heaphint run --native`.
fn recorded(playground: &Playground, interpreter: &Interpreter, script: &str) -> Recorded {
    let recorded = playground.recorded(interpreter, script);
    let outcome = run(&mut playground.traced_with(interpreter, script, &recorded, &["--native"]), "");
    assert_eq!(outcome.code, 0, "{script}: {}", outcome.text());
    recorded
}

fn heaphint(arguments: &[&str], capture: &Path) -> Vec<u8> {
    let outcome = run(Command::new(env!("CARGO_BIN_EXE_heaphint")).args(arguments).arg(capture), "");
    assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.text());
    outcome.stdout
}

/// The nodes of `heaphint tree --json`, each with its path as `function` or `native function`, outermost first.
fn paths(capture: &Path, arguments: &[&str]) -> Vec<(Vec<String>, Value)> {
    let arguments: Vec<&str> =
        ["tree", "--json", "--figure", "allocated"].iter().chain(arguments).copied().collect();
    let document: Value = serde_json::from_slice(&heaphint(&arguments, capture)).expect("JSON");
    let nodes = document["nodes"].as_array().expect("`nodes` is a list");
    let mut paths: Vec<(Vec<String>, Value)> = Vec::new();
    for node in nodes {
        let parent = node["parent"].as_u64().map(|parent| paths[parent as usize].0.clone());
        let mut path = parent.unwrap_or_default();
        if let Some(function) = node["qualname"].as_str() {
            let kind = if node["native"] == true { "native " } else { "" };
            path.push(format!("{kind}{function}"));
        }
        paths.push((path, node.clone()));
    }
    paths
}

#[test]
fn native_frames_stand_between_python_frames() {
    let playground = Playground::new();
    let has_cpp = compile(&playground);
    for interpreter in Interpreter::all() {
        let recorded = recorded(&playground, &interpreter, "native_calls.py");
        let capture = &recorded.main;
        let all = paths(capture, &[]);
        let ends = |end: &[&str]| {
            all.iter().find(|(path, _)| {
                path.iter().map(String::as_str).rev().take(end.len()).eq(end.iter().rev().copied())
            })
        };
        let version = &interpreter.version;

        // Threads and handlers end in the same functions, without Python. Python frames stay in their order.
        let end = ["native outer", "native middle", "native inlined_leaf"];
        let python = |path: &[String]| {
            let frames = path.iter().map(String::as_str).filter(|name| !name.starts_with("native "));
            frames.eq(["<module>", "main", "chain"])
        };
        let (path, leaf) = all
            .iter()
            .find(|(path, _)| path.ends_with(&end.map(str::to_owned)) && python(path))
            .unwrap_or_else(|| panic!("the chain is not there on {version}"));
        assert!(leaf["file"].as_str().is_some_and(|file| file.ends_with("native.c")), "{leaf}");
        let source =
            std::fs::read_to_string(tests_folder().join("native/native.c")).expect("the source is there");
        let line =
            source.lines().position(|line| line.contains("line of the allocation")).expect("it has the line")
                + 1;
        assert_eq!(leaf["line"], line);
        // Functions that were made a part of another one are told apart, too.
        assert!(
            ends(&["native has_inlined", "native foo_inlined", "native bar_inlined", "native baz_inlined"])
                .is_some(),
            "on {version}"
        );
        assert!(!all.iter().any(|(path, _)| path.contains(&"native allocates_nothing".to_owned())));
        // Two places of one line of Python are two rows, and one without native frames.
        let places = |paths: &[(Vec<String>, Value)]| {
            let inside = paths.iter().filter(|(path, _)| path.contains(&"two_places".to_owned()));
            let leaves = inside.filter(|(_, node)| node["self"]["allocated_bytes"] != 0);
            let mut counts: Vec<_> =
                leaves.map(|(_, node)| node["self"]["allocated_count"].as_u64()).collect();
            counts.sort_unstable();
            counts
        };
        assert_eq!(places(&all), [Some(1), Some(1)], "on {version}");
        assert_eq!(places(&paths(capture, &["--no-native"])), [Some(2)], "on {version}");
        // What calls from one Python frame to the next stands between them.
        let at = path.iter().position(|name| name == "chain").expect("it was found");
        assert!(
            path[at + 1].starts_with("native ") && path.contains(&"native Py_BytesMain".to_owned()),
            "{path:?}"
        );
        assert!(!path.iter().any(|name| name.contains("_PyEval_EvalFrameDefault")), "{path:?}");

        let deepest = all.iter().filter(|(path, _)| path.ends_with(&["native inlined_leaf".to_owned()]));
        let most_turns =
            deepest.map(|(path, _)| path.iter().filter(|name| **name == "native calls_back").count()).max();
        assert_eq!(most_turns, Some(5), "on {version}");
        // Python and C in turns, in the order in which they called each other.
        let turns = |path: &[String]| {
            let known = ["main", "back_and_forth", "native calls_back", "<lambda>", "chain"];
            let frames = path.iter().map(|name| name.rsplit('.').next().unwrap_or(name));
            let frames: Vec<_> = frames.filter(|name| known.contains(name)).collect();
            frames.starts_with(&["main", "back_and_forth", "native calls_back", "<lambda>", "back_and_forth"])
                && frames.ends_with(&["<lambda>", "back_and_forth", "native calls_back", "chain"])
                && frames.len() == 2 + 4 * 3 + 2
        };
        let mut deepest = all.iter().filter(|(path, _)| path.ends_with(&end.map(str::to_owned)));
        assert!(deepest.clone().any(|(path, _)| turns(path)), "on {version}: {:?}", deepest.next_back());
        assert!(ends(&["native handler", "native outer", "native middle", "native inlined_leaf"]).is_some());
        assert!(ends(&["native thread", "native aligned", "native with_array", "native outer"]).is_some());
        assert!(
            ends(&["native enter", "native first"]).is_some()
                && ends(&["native enter", "native second"]).is_some()
        );
        // A library that only the search path of another one leads to, loaded while the interpreter's lock is free.
        assert!(ends(&["native loads", "native enter", "native third"]).is_some(), "on {version}");
        let deep =
            all.iter().map(|(path, _)| path.iter().filter(|name| **name == "native recursive").count()).max();
        assert_eq!(deep, Some(3001));
        // Nobody knows who called code that was made at run time, but Python frames are still there.
        let (made, _) = ends(&["native allocates", "native outer", "native middle"]).expect("it is there");
        assert!(
            made.contains(&"native frames that could not be read".to_owned())
                && made.contains(&"main".to_owned())
        );
        if has_cpp {
            assert!(ends(&["native measure", "native geo::Shape<double>::area(double, int)"]).is_some());
        }

        let without = paths(capture, &["--no-native"]);
        assert!(without.iter().all(|(path, _)| path.iter().all(|name| !name.starts_with("native "))));
        assert_eq!(without[0].1["total"], all[0].1["total"]);
    }
}

#[test]
fn native_frames_change_no_figure() {
    let scripts = [
        "recursion.py",
        "mutual_recursion.py",
        "generators.py",
        "temporaries.py",
        "realloc.py",
        "decorators.py",
        "peak_and_max.py",
    ];
    let playground = Playground::new();
    let interpreters = Interpreter::all();
    let runs: Vec<_> = interpreters.iter().flat_map(|it| scripts.map(|script| (it, script))).collect();
    let complaints = complaints(&runs, |&(interpreter, script)| {
        let path = playground.path(script).to_string_lossy().into_owned();
        let of_script = |capture: &Path| {
            let document = lines(capture).expect("the capture is read");
            let files = document["files"].as_array().expect("`files` is a list");
            let file = files.iter().find(|file| file["path"] == path.as_str()).expect("the file is there");
            // What an import allocates is not always the same.
            let lines = file["lines"].as_array().expect("`lines` is a list").iter().cloned();
            lines.filter(|line| line["function"] != "<module>").collect::<Vec<Value>>()
        };
        let (outcome, plain) = playground.run_traced(interpreter, script, "");
        assert_eq!(outcome.code, 0, "{}", outcome.text());
        let native = recorded(&playground, interpreter, script);
        let (plain, native) = (of_script(&plain.main), of_script(&native.main));
        let differ = plain.is_empty() || plain != native;
        differ
            .then(|| format!("{script} on {}: {plain:?}\n{native:?}", interpreter.version))
            .into_iter()
            .collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn native_stacks_are_those_of_the_c_library() {
    let library = build("frame-oracle");
    let playground = Playground::new();
    compile(&playground);
    for interpreter in Interpreter::all() {
        let mut command = Command::new(&interpreter.path);
        command.arg(playground.path("native_calls.py")).arg(&library);
        command.env("LD_PRELOAD", &library).env("HEAPHINT_CAPTURE", playground.path("oracle.%p.heaphint"));
        command.env("HEAPHINT_MODES", "native").env("PYTHONMALLOC", "malloc");
        let outcome = run(&mut command, "");
        assert_eq!(outcome.code, 0, "{}: {}", interpreter.version, outcome.text());
        let text = String::from_utf8_lossy(&outcome.stdout);
        let counts: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert!(counts.first().is_some_and(|stacks| *stacks > 20_000), "{}: {text}", interpreter.version);
        say(&format!("{}: {} native stacks with {} frames", interpreter.version, counts[0], counts[1]));
    }
}

#[test]
fn a_capture_with_symbols_is_read_without_the_files() {
    let playground = Playground::new();
    compile(&playground);
    let recorded = recorded(&playground, &Interpreter::default(), "native_calls.py");
    let capture = &recorded.main;
    let complete = playground.path("complete.heaphint");
    heaphint(&["symbolize", "-o", complete.to_str().expect("paths are text")], capture);
    let shown = |capture: &Path| {
        let names: Vec<Vec<String>> = paths(capture, &[]).into_iter().map(|(path, _)| path).collect();
        names
    };
    let before = shown(capture);
    for library in ["native.so", "plugin_a.so", "plugin_b.so"] {
        std::fs::remove_file(playground.path(library)).expect("the library is there");
    }
    assert_eq!(shown(&complete), before);
    assert_ne!(shown(capture), before, "without symbols the names come from the files");
    assert_eq!(lines(&complete), lines(capture));
    let again = run(Command::new(env!("CARGO_BIN_EXE_heaphint")).arg("symbolize").arg(&complete), "");
    assert_eq!(again.code, 2, "{}", again.text());
}
