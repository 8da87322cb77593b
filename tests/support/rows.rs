//! What a file says about stacks, in one shape whatever its format: for comparing tools with each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::packages::{environment, node_modules};
use super::playground::tests_folder;
use super::process::run;

/// A frame: function, file and line.
pub type Frame = (String, String, u64);
/// Bytes and allocations by thread and stack, outermost frame first.
pub type Rows = BTreeMap<(Option<String>, Vec<Frame>), (u64, Option<u64>)>;

/// What Python tools that others have written read in files; each file with its format.
///
/// # Panics
/// When a tool does not read a file.
pub fn read(files: &[(&str, &Path)]) -> Vec<Value> {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    let packages = ["memray==1.20.*", "numpy", "duckdb==1.*", "gprof2dot"];
    let mut command = Command::new(PYTHON.get_or_init(|| environment("readers", &packages).path));
    command.arg(tests_folder().join("transform/readers.py"));
    for (format, file) in files {
        command.arg(format).arg(file);
    }
    match printed(&mut command) {
        Value::Array(read) => read,
        other => panic!("{other} is no list"),
    }
}

/// What a Node tool that others have written reads in a file.
///
/// # Panics
/// When the tool does not read the file.
pub fn read_with_node(format: &str, file: &Path) -> Value {
    static MODULES: OnceLock<PathBuf> = OnceLock::new();
    let packages = ["pprof-format@2", "speedscope@1", "ajv@8", "devtools-protocol"];
    let mut command = Command::new("node");
    command.arg(tests_folder().join("transform/readers.mjs"));
    command.arg(MODULES.get_or_init(|| node_modules("readers", &packages)));
    printed(command.arg(format).arg(file))
}

fn printed(command: &mut Command) -> Value {
    let outcome = run(command, "");
    assert_eq!(outcome.code, 0, "{command:?}: {}", outcome.text());
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.text()))
}

/// The rows of [`read`], with those of equal stacks added up; threads are told apart when asked for.
///
/// # Panics
/// When they have another shape.
pub fn rows(read: &Value, by_thread: bool) -> Rows {
    let mut rows = Rows::new();
    for row in read.as_array().expect("rows are a list") {
        let frames = row["frames"].as_array().expect("frames are a list").iter().map(|frame| {
            let text = |at: usize| frame[at].as_str().expect("a name").to_owned();
            (text(0), text(1), frame[2].as_u64().expect("a line"))
        });
        let thread = by_thread.then(|| row["thread"].to_string());
        let sum = rows.entry((thread, frames.collect())).or_insert((0, Some(0)));
        sum.0 += row["bytes"].as_u64().expect("bytes are a number");
        sum.1 = sum.1.zip(row["count"].as_u64()).map(|(sum, count)| sum + count);
    }
    rows
}

/// The first few differences, for a message.
pub fn differences(ours: &Rows, theirs: &Rows) -> Vec<String> {
    let keys: std::collections::BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let different = keys.into_iter().filter(|key| ours.get(*key) != theirs.get(*key));
    different.take(5).map(|key| format!("{key:?}: {:?}, but {:?}", ours.get(key), theirs.get(key))).collect()
}
