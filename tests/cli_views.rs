//! `heaphint tree`, `summary` and `table` as people and scripts meet them: their figures agree with each other's, with
//! those of `lines` and `stats`, and with what the program did.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::{Folder, lines, stderr, stdout};

const PROGRAM: &str = "\
import json
import os
import threading


def hold(size):
    kept.append(bytearray(size))


def work():
    hold(3_000_000)
    hold(1_000_000)
    for _ in range(50):
        bytes(100_000)


kept = []
thread = threading.Thread(target=work, name='worker')
thread.start()
thread.join()
hold(2_000_000)
text = json.dumps(['x' * 200_000] * 3)
if os.fork() == 0:
    hold(7_000_000)
    os._exit(0)
os.wait()
del kept[0]
";

/// The captures of the program: the process that was started, then its child.
fn recorded(folder: &Folder) -> Vec<String> {
    folder.write("views.py", PROGRAM);
    let outcome = folder.heaphint(&["run", "-q", "-o", "a.heaphint", "views.py"]);
    assert_eq!(outcome.code, 0, "{}", stderr(&outcome));
    let entries = std::fs::read_dir(folder.path()).expect("a folder can be listed");
    let names = entries.map(|entry| entry.expect("it can").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".heaphint")).collect();
    names.sort_by_key(|name| (name != "a.heaphint", name.clone()));
    assert_eq!(names.len(), 2, "{names:?}");
    names
}

fn document(folder: &Folder, arguments: &[&str], captures: &[&str]) -> Value {
    let outcome = folder.heaphint(&[arguments, captures].concat());
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(&outcome)))
}

/// Adds up one figure of rows.
fn sum<'a>(rows: impl IntoIterator<Item = &'a Value>, figure: &str) -> u64 {
    rows.into_iter().map(|row| row[figure].as_u64().unwrap_or_else(|| panic!("no {figure}: {row}"))).sum()
}

fn rows(document: &Value, name: &str) -> Vec<Value> {
    document[name].as_array().unwrap_or_else(|| panic!("no {name}: {document}")).clone()
}

#[test]
fn reports_of_one_session_agree() {
    let folder = Folder::new();
    let names = recorded(&folder);
    for captures in [&names[..1], &names[1..], &names[..]] {
        let captures: Vec<&str> = captures.iter().map(String::as_str).collect();
        let of = |arguments: &[&str]| document(&folder, arguments, &captures);
        let lines = lines(&folder, &captures);
        let (stats, tree) = (of(&["stats", "--json"]), of(&["tree", "--json"]));
        let (table, by_line) =
            (of(&["table", "--json", "--threads"]), of(&["summary", "--json", "--by", "line"]));
        let session = &lines["session"];
        for document in [&stats, &tree, &table, &by_line] {
            assert_eq!(&document["session"], session);
        }
        let figures = ["peak_bytes", "allocated_bytes", "allocated_count", "leaked_bytes", "leaked_count"];
        for figure in figures {
            let whole = session[figure].as_u64().expect("a figure");
            let nodes = rows(&tree, "nodes");
            assert_eq!(nodes[0]["total"][figure], whole, "{figure} of the tree's root");
            assert_eq!(sum(nodes.iter().map(|node| &node["self"]), figure), whole, "{figure} of the tree");
            assert_eq!(sum(&rows(&table, "rows"), figure), whole, "{figure} of the table");
            let selfs = rows(&by_line, "rows");
            assert_eq!(sum(selfs.iter().map(|row| &row["self"]), figure), whole, "{figure} of lines");
        }

        // Lines are the same whoever tells of them.
        let mut of_lines: BTreeMap<(String, u64), Value> = BTreeMap::new();
        for file in rows(&lines, "files") {
            for line in rows(&file, "lines") {
                let key = (
                    file["path"].as_str().expect("a path").to_owned(),
                    line["line"].as_u64().expect("a line"),
                );
                of_lines.insert(key, line);
            }
        }
        let mut seen = 0;
        for row in rows(&by_line, "rows").iter().filter(|row| row["location"] != Value::Null) {
            let place = &row["location"];
            let key =
                (place["file"].as_str().expect("a path").to_owned(), place["line"].as_u64().expect("a line"));
            let line = &of_lines[&key];
            assert_eq!(row["total"], line["total"], "{key:?}");
            assert_eq!(row["self"]["peak_bytes"], line["self"]["peak_bytes"], "{key:?}");
            seen += 1;
        }
        let allocating = of_lines.values().filter(|line| line["total"]["allocated_count"] != 0).count();
        assert_eq!(seen, allocating);

        // The largest location of `stats` is a row of the table, over threads and allocators.
        let top = &stats["top_allocations_by_size"][0];
        let same =
            |row: &&Value| ["function", "file", "line"].iter().all(|key| row["location"][key] == top[key]);
        let table_rows = rows(&table, "rows");
        assert_eq!(
            sum(table_rows.iter().filter(same), "allocated_bytes"),
            top["size"].as_u64().expect("a size")
        );

        let by_function = of(&["summary", "--json"]);
        for file in rows(&lines, "files") {
            for function in rows(&file, "functions") {
                let summaries = rows(&by_function, "rows");
                let row = summaries.iter().find(|row| {
                    let place = &row["location"];
                    place["file"] == file["path"]
                        && place["line"] == function["line"]
                        && place["qualname"] == function["qualname"]
                });
                match row {
                    Some(row) => assert_eq!(row["total"], function["total"]),
                    // It only is there because its line is named, and has nothing.
                    None => assert_eq!(function["total"]["allocated_count"], 0, "{function}"),
                }
            }
        }
    }
}

#[test]
fn parts_of_a_session_are_its_threads_processes_and_modules() {
    let folder = Folder::new();
    let names = recorded(&folder);
    let captures: Vec<&str> = names.iter().map(String::as_str).collect();
    let held = |arguments: &[&str]| {
        let document =
            document(&folder, &[&["summary", "--json", "--by", "line"], arguments].concat(), &captures);
        let all = rows(&document, "rows");
        let line = all.iter().find(|row| row["location"]["line"] == 7).expect("`hold` allocates").clone();
        line["self"]["allocated_bytes"].as_u64().expect("a figure") / 1_000_000
    };
    assert_eq!(held(&[]), 13);
    assert_eq!(held(&["--thread", "worker"]), 4);
    assert_eq!(held(&["--module", "views"]), 13);
    let first = lines(&folder, &captures[..1])["session"]["pid"].to_string();
    let child = lines(&folder, &captures[1..])["session"]["pid"].to_string();
    assert_eq!(held(&["--process", &first]), 6);
    assert_eq!(held(&["--process", &child]), 7);
    assert_eq!(held(&["--process", &child, "--process", &first]), 13);

    // `lines` has the same parts.
    let annotated = |arguments: &[&str]| {
        let document = document(&folder, &[&["lines", "--json"], arguments].concat(), &captures);
        let files = rows(&document, "files");
        let file =
            files.iter().find(|file| file["path"].as_str().is_some_and(|path| path.ends_with("/views.py")));
        let all = rows(file.expect("the program allocates"), "lines");
        let line = all.iter().find(|line| line["line"] == 7).expect("`hold` allocates").clone();
        line["self"]["allocated_bytes"].as_u64().expect("a figure") / 1_000_000
    };
    for part in [&["--thread", "worker"][..], &["--module", "views"], &["--process", &child], &[]] {
        assert_eq!(annotated(part), held(part), "{part:?}");
    }

    let tree = document(&folder, &["tree", "--json", "--threads"], &captures[..1]);
    let nodes = rows(&tree, "nodes");
    let worker = nodes.iter().find(|node| node["thread"]["name"] == "worker").expect("the thread allocated");
    assert_eq!((&worker["kind"], &worker["parent"]), (&json!("thread"), &json!(0)));
    assert_eq!(worker["total"]["temporary_count"], 50);

    let outcome = folder.heaphint(&["table", "--temporary", "-n", "1", "a.heaphint"]);
    let shown = stdout(&outcome);
    assert!(shown.contains("   4.77 MiB           50  CALLOC         work at views.py:14\n… "), "{shown}");
    let outcome = folder.heaphint(&["tree", "--leaks", "--min", "1 MB", "a.heaphint"]);
    let shown = stdout(&outcome);
    assert!(shown.contains("   1.91 MiB"), "{shown}");
    assert!(!shown.contains("   2.86 MiB") && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn what_cannot_be_shown_is_said() {
    let folder = Folder::new();
    folder.heaphint(&["run", "-q", "-o", "x.heaphint", "app.py"]);
    for (arguments, expected) in [
        (
            &["tree", "--thread", "nobody", "x.heaphint"][..],
            "there is no thread `nobody` in this session: choose one of",
        ),
        (&["tree", "--process", "1", "x.heaphint"], "there is no process `1`"),
        (&["table", "--module", "numpy", "x.heaphint"], "there is no module `numpy`"),
        (&["tree", "--temporary=3", "x.heaphint"], "run the program with `--record`"),
        (&["tree", "--figure", "max", "x.heaphint"], "a single stack has no `max`"),
        (&["summary", "--figure", "max", "--thread", "MainThread", "x.heaphint"], "leave out `--thread`"),
        (&["summary", "--figure", "max", "--counts", "x.heaphint"], "has no count"),
        (
            &["table", "--figure", "most", "x.heaphint"],
            "possible values: peak, max, allocated, leaked, temporary",
        ),
        (&["table", "--leaks", "--temporary", "x.heaphint"], "cannot be used with"),
    ] {
        let outcome = folder.heaphint(arguments);
        assert_eq!((outcome.code, outcome.stdout.len()), (2, 0), "{arguments:?}: {}", stderr(&outcome));
        assert!(stderr(&outcome).contains(expected), "{arguments:?}: {}", stderr(&outcome));
    }
}
