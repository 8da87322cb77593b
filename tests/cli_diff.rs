//! `heaphint diff` on runs of a program that was edited in between.

use serde_json::{Value, json};

use crate::cli::{Folder, stderr, stdout};

const BEFORE: &str = "\
def read(size):
    return bytearray(size)


def load():
    first = read(3_000_000)
    second = bytearray(2_000_000)
    return first, second


kept = load()
";

const AFTER: &str = "\
# A comment that moves everything.
import sys


def read(size):
    return bytearray(size)


def load():
    first = read(5_000_000)
    third = bytearray(4_000_000)
    second = bytearray(2_000_000)
    return first, second, third


kept = load()
";

fn recorded() -> Folder {
    let folder = Folder::new();
    for (name, text) in [("a.heaphint", BEFORE), ("b.heaphint", AFTER)] {
        folder.write("edited.py", text);
        let outcome = folder.heaphint(&["run", "-q", "-o", name, "edited.py"]);
        assert_eq!(outcome.code, 0, "{}", stderr(&outcome));
    }
    std::fs::create_dir(folder.path().join("old")).expect("a folder can be made");
    folder.write("old/edited.py", BEFORE);
    folder
}

fn document(folder: &Folder, arguments: &[&str]) -> Value {
    let outcome = folder.heaphint(&[&["diff", "--json", "--threshold", "100 KB"], arguments].concat());
    assert_eq!(outcome.code, 0, "{}", stderr(&outcome));
    serde_json::from_slice(&outcome.stdout).expect("it is JSON")
}

/// Of the lines of the program itself: the change, the later and the earlier line, and how that was found.
fn lines(document: &Value) -> Vec<(String, Value, Value, Value)> {
    let all = document["lines"].as_array().expect("`lines` is a list");
    let own = all
        .iter()
        .filter(|line| line["location"]["file"].as_str().is_some_and(|file| file.ends_with("edited.py")));
    let of = |line: &Value| {
        let place = &line["location"];
        let change = format!("{} {}", line["change"].as_str().unwrap_or_default(), line["delta"]);
        (change, place["line"].clone(), place["before_line"].clone(), place["matched_by"].clone())
    };
    own.map(of).collect()
}

#[test]
fn lines_that_moved_are_found_by_their_text() {
    let folder = recorded();
    let shown = lines(&document(&folder, &["a.heaphint", "b.heaphint", "--before-source", "old"]));
    let find = |line: u64| shown.iter().find(|(_, after, ..)| *after == json!(line)).cloned();
    let change =
        |kind: &str, line: u64, before: Value, by: Value| Some((kind.to_owned(), json!(line), before, by));
    assert_eq!(find(6), change("grew 2000000", 6, json!(2), json!("content")));
    assert_eq!(find(11), change("appeared 4000001", 11, Value::Null, Value::Null), "{shown:?}");
    assert_eq!(find(16), change("grew 6000001", 16, json!(11), json!("content")), "{shown:?}");
    assert_eq!(find(12), None, "what only moved is no difference");

    let text = stdout(&folder.heaphint(&["diff", "a.heaphint", "b.heaphint", "--before-source", "old"]));
    assert!(text.contains("edited.py:6 (was 2)  return bytearray(size)"), "{text}");
    assert!(text.contains("appeared  edited.py:11  third = bytearray(4_000_000)"), "{text}");
}

#[test]
fn a_guess_says_so() {
    let folder = recorded();
    let document = document(&folder, &["a.heaphint", "b.heaphint"]);
    let all = document["lines"].as_array().expect("`lines` is a list");
    let read = all.iter().find(|line| line["location"]["line"] == 6).expect("`read` has more");
    assert_eq!((&read["location"]["before_line"], &read["location"]["guess"]), (&json!(2), &json!(true)));
    let text = stdout(&folder.heaphint(&["diff", "a.heaphint", "b.heaphint"]));
    assert!(text.contains("(was ~ 2)") && text.contains("~  a guess:"), "{text}");
}

#[test]
fn runs_are_captures_or_folders_of_them() {
    let folder = recorded();
    let whole = document(&folder, &["a.heaphint", "b.heaphint"])["whole"].clone();
    for (name, folder_name) in [("a.heaphint", "first"), ("b.heaphint", "second")] {
        let inside = folder.path().join(folder_name);
        std::fs::create_dir(&inside).expect("a folder can be made");
        std::fs::rename(folder.path().join(name), inside.join(name)).expect("a capture can be moved");
    }
    let document = document(&folder, &["first", "second"]);
    assert_eq!(document["whole"], whole);
    assert_eq!(document["before"]["peak_bytes"], whole["before"]["peak_bytes"]);

    let outcome = folder.heaphint(&["diff", "first", "first"]);
    let text = stdout(&outcome);
    for nothing in
        ["Lines (peak), with the libraries they call: no difference", "Stacks (peak): no difference"]
    {
        assert!(text.contains(nothing), "{text}");
    }
    for (arguments, code, expected) in [
        (&["diff", "first"][..], 2, "<AFTER>"),
        (&["diff", "old", "first"], 2, "there is no capture in old"),
        (&["diff", "first", "missing"], 3, "cannot read missing"),
        (&["diff", "first", "second", "-o", "two.html"], 2, "with `--html` only"),
        (&["diff", "first", "second", "--html", "--json"], 2, "cannot be used with"),
        (&["flamegraph", "second"], 0, "the page is in second/b.html"),
        (&["diff", "first", "second", "--html"], 0, "the page is in second.diff.html"),
        (&["diff", "first", "second", "--html", "-o", "two.html"], 0, "the page is in two.html"),
        (&["diff", "first", "second", "--html", "-o", "two.html"], 2, "exists already"),
        (&["diff", "first", "second", "--before-source", "none"], 2, "there is no folder `none`"),
    ] {
        let outcome = folder.heaphint(arguments);
        assert_eq!(outcome.code, code, "{arguments:?}: {}", stderr(&outcome));
        assert!(stderr(&outcome).contains(expected), "{arguments:?}: {}", stderr(&outcome));
    }
}
