//! Finds the CPython interpreters of this machine that heaphint supports.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::playground::tests_folder;

/// A CPython that can be traced.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// The program itself, not a shim.
    pub path: PathBuf,
    /// `3.11.7`.
    pub version: String,
}

const SUPPORTED_MINORS: std::ops::RangeInclusive<u32> = 9..=15;
const QUESTION: &str = "import platform, sys
print(sys.executable, platform.python_version(), platform.python_implementation(), sep='\\n')";

impl Interpreter {
    /// Asks the program what it is; `None` when it is no CPython of a supported version.
    pub fn ask(program: &Path) -> Option<Self> {
        let answer = Command::new(program).arg("-c").arg(QUESTION).output().ok()?;
        let text = String::from_utf8(answer.stdout).ok()?;
        let mut lines = text.lines();
        let (path, version, implementation) = (lines.next()?, lines.next()?, lines.next()?);
        let minor: u32 = version.strip_prefix("3.")?.split('.').next()?.parse().ok()?;
        (implementation == "CPython" && SUPPORTED_MINORS.contains(&minor))
            .then(|| Self { path: path.into(), version: version.to_owned() })
    }

    /// The `python3` of the search path.
    pub fn default() -> Self {
        Self::ask(Path::new("python3"))
            .expect("the tests need a python3 from 3.9 to 3.15: install one and put it first in PATH")
    }

    /// The default one, then one of every other version that pyenv, the system, PATH or `setup/pythons.sh` has.
    pub fn all() -> Vec<Self> {
        let mut candidates: Vec<PathBuf> = vec!["python3".into(), "/usr/bin/python3".into()];
        candidates.extend(SUPPORTED_MINORS.map(|minor| format!("python3.{minor}").into()));
        let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
        let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
        let versions = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
        let versions = versions.into_iter().flatten().flatten();
        candidates.extend(versions.map(|version| version.path().join("bin/python3")));
        let fetched = tests_folder().join(".cache/pythons");
        candidates
            .extend(SUPPORTED_MINORS.map(|minor| fetched.join(format!("3.{minor}/usr/bin/python3.{minor}"))));
        let mut found: Vec<Self> = Vec::new();
        for interpreter in candidates.iter().filter_map(|program| Self::ask(program)) {
            if found.iter().all(|other| other.version != interpreter.version) {
                found.push(interpreter);
            }
        }
        found
    }
}

/// Says on which interpreters a test runs, whether it passes or not.
pub fn announce(test: &str, interpreters: &[Interpreter]) {
    let versions: Vec<_> = interpreters.iter().map(|it| it.version.as_str()).collect();
    say(&format!("{test}: CPython {}", versions.join(", ")));
}

/// Writes a line that is shown although its test passes.
pub fn say(line: &str) {
    // Unlike `eprintln`, this is not kept for failures.
    let _ = writeln!(std::io::stderr(), "{line}");
}
