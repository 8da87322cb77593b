//! Hostile surroundings: the program goes on as without heaphint, what was recorded until then can be read, and the
//! capture says in one sentence what happened.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::expectation::figure;
use crate::support::interpreter::{Interpreter, say};
use crate::support::playground::{Playground, lines};
use crate::support::process::{Outcome, run};

const SCRIPT: &str = "confined.py";
/// Pieces of code that let a capture outgrow its first extents, and so few that it does not.
const MANY: &str = "3000";
const FEW: &str = "3";

/// Runs the script in both ways; what it printed with heaphint, and the document of its capture.
fn confined(playground: &Playground, what: &str, pieces: &str) -> (Outcome, Value) {
    let interpreter = Interpreter::default();
    std::fs::create_dir_all(playground.path("empty")).expect("the playground is writable");
    let mut plain = Command::new(&interpreter.path);
    plain.arg(playground.path(SCRIPT)).args([what, pieces]).current_dir(playground.folder());
    let plain = run(&mut plain, "");
    let recorded = playground.recorded(&interpreter, SCRIPT);
    let traced = run(playground.traced(&interpreter, SCRIPT, &recorded).args([what, pieces]), "");
    assert_eq!(plain.code, 3, "{what}: {}", plain.text());
    assert_eq!(plain, traced, "{what}");
    let document = lines(&recorded.main).unwrap_or_else(|why| panic!("{what}: {why}"));
    // What is recorded when nothing is in the way yet.
    let path = playground.path(SCRIPT);
    let early =
        playground.source(SCRIPT).lines().position(|line| line.starts_with("kept = ")).expect("it is there");
    let path = path.to_str().expect("paths are text");
    let found = figure(&document, path, early as u64 + 1, "self.peak_bytes").as_u64().expect("a figure");
    assert!((7_000_000..7_000_200).contains(&found), "{what}: {found}");
    (traced, document)
}

fn notes(document: &Value) -> Vec<&str> {
    let notes = document["session"]["notes"].as_array().expect("`notes` is a list");
    notes.iter().map(|note| note.as_str().expect("a note is text")).collect()
}

fn is_root() -> bool {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

#[test]
fn programs_that_give_up_rights_go_on_and_the_capture_says_so() {
    let playground = Playground::new();
    for (what, needs_root, sentence) in [
        ("file_size", false, "the disk is full or the capture's file cannot grow (ulimit -f)"),
        ("descriptors", false, "the program had no free file descriptor"),
        ("system_calls", false, "the program gave up the right to open its capture"),
        ("user", true, "the program gave up the right to open its capture"),
        ("root", true, "the program changed its root folder"),
    ] {
        if needs_root && !is_root() {
            say(&format!("SKIPPED confined.py {what}: only root can do that"));
            continue;
        }
        let (_, document) = confined(&playground, what, MANY);
        let notes = notes(&document);
        assert!(
            notes.len() == 1
                && notes[0].contains(sentence)
                && notes[0].ends_with("what was recorded until then is kept"),
            "{what}: {notes:?}"
        );
        // Nothing that fits into what is reserved is lost.
        let (_, document) = confined(&playground, what, FEW);
        assert!(
            self::notes(&document).is_empty() && document["session"]["exit_code"] == 3,
            "{what}: {document}"
        );
    }
    let (_, document) = confined(&playground, "nothing", MANY);
    assert!(notes(&document).is_empty(), "{document}");
}

/// Runs a command of the shell in a mount namespace of its own, with `$heaphint`, `$python` and `$folder` in its
/// environment; `None` where that cannot be made.
fn in_namespace(script: &str, folder: &Path) -> Option<Outcome> {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-ec", script]).current_dir(folder);
        command.env("heaphint", env!("CARGO_BIN_EXE_heaphint")).env("python", Interpreter::default().path);
        command.env("folder", folder).env("PYTHONDONTWRITEBYTECODE", "1");
        run(&mut command, "")
    };
    let probe = "mount -t tmpfs none \"$folder/empty\"";
    if !is_root() || !Path::new("/usr/bin/unshare").exists() || unshare(probe).code != 0 {
        say("SKIPPED full disk and read-only folders: this machine lets nobody mount here");
        return None;
    }
    Some(unshare(script))
}

#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    let playground = Playground::new();
    std::fs::create_dir_all(playground.path("empty")).expect("the playground is writable");
    let capture = playground.path("kept.heaphint");
    let script = "
        mount -t tmpfs -o size=700k none empty
        status=0
        \"$heaphint\" run -o empty/x.heaphint --python \"$python\" confined.py nothing 3000 || status=$?
        cp empty/x.heaphint kept.heaphint
        exit $status";
    let Some(outcome) = in_namespace(script, &playground.folder()) else { return };
    assert_eq!(outcome.code, 3, "{}", outcome.text());
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "nothing 3001 14498500 opened\n");
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(said.contains("stopped early: the disk is full"), "{said}");
    let document = lines(&capture).expect("the capture is readable");
    assert!(notes(&document)[0].contains("the disk is full"), "{document}");
    assert!(document["session"]["peak_bytes"].as_u64() > Some(7_000_000), "{document}");
}

#[test]
fn a_disk_without_any_room_leaves_the_program_alone() {
    let playground = Playground::new();
    std::fs::create_dir_all(playground.path("empty")).expect("the playground is writable");
    let script = "
        mount -t tmpfs -o size=16k none empty
        \"$heaphint\" run -o empty/x.heaphint --python \"$python\" confined.py nothing 3";
    let Some(outcome) = in_namespace(script, &playground.folder()) else { return };
    assert_eq!(outcome.code, 3, "{}", outcome.text());
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "nothing 4 7003003 opened\n");
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(said.contains("nothing was recorded") && said.contains("could not create a file in"), "{said}");
}

/// With a read-only root nothing can be kept in a cache; the capture goes where something can be written.
#[test]
fn a_read_only_root_needs_only_a_place_for_the_capture() {
    let playground = Playground::new();
    std::fs::create_dir_all(playground.path("empty")).expect("the playground is writable");
    let script = "
        mount -t tmpfs none empty
        cp confined.py empty
        mount -o remount,bind,ro / 2>/dev/null || { mount --bind / / && mount -o remount,bind,ro /; }
        mount -t tmpfs none /dev/shm
        cd empty
        if \"$heaphint\" run -o \"$folder/x.heaphint\" --python \"$python\" confined.py nothing 3; then exit 99; else :; fi
        status=0
        \"$heaphint\" run -q -o x.heaphint --python \"$python\" confined.py nothing 3 || status=$?
        \"$heaphint\" lines x.heaphint | grep -q 'kept = '
        exit $status";
    let Some(outcome) = in_namespace(script, &playground.folder()) else { return };
    assert_eq!(outcome.code, 3, "{}", outcome.text());
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "nothing 4 7003003 opened\n");
}

#[test]
fn nothing_of_the_tracer_comes_into_a_gap_that_the_program_has_made() {
    let playground = Playground::new();
    for interpreter in Interpreter::all() {
        let mut plain = Command::new(&interpreter.path);
        let plain = run(plain.arg(playground.path("gaps.py")).current_dir(playground.folder()), "");
        assert_eq!(plain.code, 0, "{}", plain.text());
        let recorded = playground.recorded(&interpreter, "gaps.py");
        let traced = run(&mut playground.traced(&interpreter, "gaps.py", &recorded), "");
        assert_eq!(plain, traced, "{}", interpreter.version);
        assert!(traced.text().contains("0 mappings in gaps\n"), "{}", traced.text());
        let document = lines(&recorded.main).expect("the capture is readable");
        assert!(document["session"]["allocated_count"].as_u64().is_some_and(|count| count > 3000));
    }
}
