//! Finds the CPython interpreters of this machine that heaphint supports.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A CPython that can be traced.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// The program itself, not a shim.
    pub path: PathBuf,
    /// `3.11.7`.
    pub version: String,
}

const SUPPORTED_MINORS: std::ops::RangeInclusive<u32> = 9..=13;
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
            .expect("the tests need a python3 from 3.9 to 3.13: install one and put it first in PATH")
    }

    /// The default one, then one of every other version that pyenv, the system or PATH has.
    pub fn all() -> Vec<Self> {
        let mut candidates: Vec<PathBuf> = vec!["python3".into(), "/usr/bin/python3".into()];
        candidates.extend(SUPPORTED_MINORS.map(|minor| format!("python3.{minor}").into()));
        let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
        let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
        let versions = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
        let versions = versions.into_iter().flatten().flatten();
        candidates.extend(versions.map(|version| version.path().join("bin/python3")));
        let mut found: Vec<Self> = Vec::new();
        for interpreter in candidates.iter().filter_map(|program| Self::ask(program)) {
            if found.iter().all(|other| other.version != interpreter.version) {
                found.push(interpreter);
            }
        }
        found
    }
}
