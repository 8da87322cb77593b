//! A project on disk whose files cost what their text says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::interpreter::Interpreter;

/// Runs what is called pytest here as pytest would: the files, or the functions behind `::`, of its arguments.
pub const PYTEST: &str = r#"import inspect, runpy, sys
for word in sys.argv[1:] or ["tests/test_app.py"]:
    path, _, name = word.partition("::")
    name, _, case = name.partition("[")
    found = runpy.run_path(path)
    for key, test in found.items():
        if key.startswith("test_") and name in ("", key):
            test(int(case.rstrip("]"))) if case else test()
"#;

/// Keeps 80 MiB and drops 40 MiB: its peak is 120 MiB.
pub const APP: &str = r#"import os

def load(size):
    data = bytearray(size)
    return data

def main():
    kept = load(80 * 1024 * 1024)
    dropped = load(40 * 1024 * 1024)
    del dropped
    print("kept", len(kept))

if __name__ == "__main__":
    main()
"#;

/// A folder that is deleted at the end of the test.
pub struct Project {
    folder: TempDir,
}

impl Project {
    /// A project of these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { folder: tempfile::tempdir().expect("a folder") };
        project.write("pyproject.toml", "");
        for (name, text) in files {
            project.write(name, text);
        }
        project
    }

    /// A file's path, as the kernel names it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().expect("a folder").join(name)
    }

    /// A file's URI.
    pub fn uri(&self, name: &str) -> String {
        format!("file://{}", self.path(name).display())
    }

    /// Writes a file as editors do: a new one in place of the old one.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let new = path.with_extension("new");
        fs::write(&new, text).expect("a file");
        fs::rename(new, path).expect("a file");
    }

    /// Writes a program, and returns its path.
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        self.write(name, text);
        let path = self.path(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a file");
        path
    }

    /// `initialize` parts of an editor that has this folder open.
    pub fn folders(&self) -> Value {
        json!({"workspaceFolders": [{"uri": self.uri(""), "name": "project"}]})
    }
}

/// The interpreter that programs run with.
pub fn python() -> PathBuf {
    Interpreter::default().path
}

/// Lines and labels of hints.
pub fn labels(hints: &[(u64, u64, String)]) -> Vec<(u64, &str)> {
    hints.iter().map(|(line, _, label)| (*line, label.as_str())).collect()
}
