//! Threads stand in a capture with the kernel's id and the last of their names.

use std::collections::BTreeMap;

use crate::subjects::complaints;
use crate::support::interpreter::Interpreter;
use crate::support::playground::Playground;

#[test]
fn renamed_threads_have_their_last_names() {
    let playground = Playground::new();
    let complaints = complaints(&Interpreter::all(), |interpreter| {
        let (outcome, recorded) = playground.run_traced(interpreter, "thread_renames.py", "");
        assert_eq!(outcome.code, 0, "{}", outcome.text());
        let stdout = String::from_utf8(outcome.stdout).expect("the names are UTF-8");
        let expected: BTreeMap<u32, String> = stdout
            .lines()
            .map(|line| line.split_once(' ').expect("an id and a name"))
            .map(|(id, name)| (id.parse().expect("a number"), name.to_owned()))
            .collect();
        assert_eq!(expected.len(), 7, "{stdout}");
        let capture = heaphint_record::read_capture(&recorded.main).expect("the capture is readable");
        let threads = capture.threads.iter().filter(|thread| expected.contains_key(&thread.tid));
        let found: BTreeMap<_, _> =
            threads.map(|thread| (thread.tid, capture.text(thread.name).into_owned())).collect();
        let differ = || format!("{}: {found:?} instead of {expected:?}", interpreter.version);
        if found == expected { Vec::new() } else { vec![differ()] }
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
