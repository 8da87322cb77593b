//! Captures of every format version, kept for ever: each must still be read, with the figures it had.
//!
//! `version-N.heaphint` is the capture of a program with threads (from version 2 on, one that was killed; from version
//! 3 on, with pending events of several threads; in version 4 with small and large sites), and `version-N.json` what `heaphint lines --json` said
//! of its file when the version was new. Later programs may say more, and must say the same.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::process::run;

#[test]
fn every_version_is_still_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
    for version in 1..=heaphint_format::VERSION {
        let capture = folder.join(format!("version-{version}.heaphint"));
        let expected =
            std::fs::read_to_string(capture.with_extension("json")).expect("the figures are there");
        let expected: Value = serde_json::from_str(&expected).expect("the figures are JSON");
        let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
        command.args(["lines", "--json", "--file", "/srv/shop/app.py"]).arg(&capture);
        let outcome = run(&mut command, "");
        assert_eq!(outcome.code, 0, "{}", outcome.text());
        let found: Value = serde_json::from_slice(&outcome.stdout).expect("the output is JSON");
        assert!(contains(&found, &expected), "version {version}:\n{found:#}\nlacks parts of\n{expected:#}");
    }
}

/// Whether `found` has everything that `expected` has: objects may have more keys, nothing else may differ.
fn contains(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => expected
            .iter()
            .all(|(key, expected)| found.get(key).is_some_and(|found| contains(found, expected))),
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| contains(f, e))
        }
        _ => found == expected,
    }
}
