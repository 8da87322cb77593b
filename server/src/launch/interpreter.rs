//! Choosing the interpreter, and saying why one cannot be used.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::answers::{Answer, Subject};
use super::elf::{self, Kind};
use super::{LaunchError, shown};

/// Minor versions of CPython 3 that can be profiled.
const SUPPORTED: std::ops::RangeInclusive<u32> = 9..=15;

/// Prints the implementation's name and the version, on one line.
const QUESTION: &str = "import sys; print(sys.implementation.name, sys.version_info[0], sys.version_info[1])";

/// The interpreter: the one asked for, else that of the active virtual environment, else `.venv` of the project,
/// else `python3`.
pub fn choose(asked: Option<&Path>, project: &Path, directory: &Path) -> Result<PathBuf, LaunchError> {
    let program = match asked {
        Some(name) => find_program(name.as_os_str(), directory).ok_or_else(|| {
            LaunchError::Usage(format!(
                "there is no interpreter `{}`: `--python` takes a path or a name",
                name.display()
            ))
        })?,
        None => {
            let active =
                std::env::var_os("VIRTUAL_ENV").filter(|folder| !folder.is_empty()).map(PathBuf::from);
            let environments = active.into_iter().chain([project.join(".venv")]);
            let in_environment =
                environments.map(|folder| folder.join("bin/python")).find(|program| is_executable(program));
            in_environment.or_else(|| find_program(OsStr::new("python3"), directory)).ok_or_else(|| {
                LaunchError::Usage(
                    "there is no `python3` on the search path: install Python or name an interpreter with `--python`"
                        .to_owned(),
                )
            })?
        }
    };
    check(&program)?;
    Ok(program)
}

/// A program by its path, or by its name on the search path.
pub fn find_program(name: &OsStr, directory: &Path) -> Option<PathBuf> {
    if name.as_encoded_bytes().contains(&b'/') {
        return Some(directory.join(name)).filter(|path| is_executable(path));
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| directory.join(folder).join(name))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Whether the tracer can do its work there.
fn check(program: &Path) -> Result<(), LaunchError> {
    let subject = Subject::look(program);
    if let Some(answer) = subject.as_ref().and_then(Subject::recall) {
        return judge(program, &answer);
    }
    let name = shown(program);
    match elf::kind(program) {
        Kind::Static => {
            return Err(LaunchError::Usage(format!(
                "{name} is linked statically, so it cannot be traced: use another Python"
            )));
        }
        Kind::Dynamic { loader, .. } if loader.contains("musl") => {
            return Err(LaunchError::Usage(format!(
                "{name} is built for musl and heaphint needs glibc: use another Python"
            )));
        }
        Kind::Dynamic { .. } | Kind::Script | Kind::Unknown => {}
    }
    let answer = ask(program)?;
    if let Some(subject) = subject {
        subject.keep(&answer);
    }
    judge(program, &answer)
}

/// Starts the interpreter to ask what it is.
fn ask(program: &Path) -> Result<Answer, LaunchError> {
    let name = shown(program);
    // The variables of an outer session are not for this question.
    let answer = Command::new(program)
        .args(["-I", "-S", "-c", QUESTION])
        .env_remove("LD_PRELOAD")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| LaunchError::Usage(format!("{name} cannot be started: {error}")))?;
    Answer::parse(&String::from_utf8_lossy(&answer.stdout)).ok_or_else(|| {
        let complaint = String::from_utf8_lossy(&answer.stderr);
        let complaint = complaint.lines().rev().find(|line| !line.trim().is_empty());
        let complaint = complaint.map(|line| format!(" (it says: {})", line.trim())).unwrap_or_default();
        LaunchError::Usage(format!("{name} does not work as a Python interpreter{complaint}"))
    })
}

/// Whether this version can be profiled.
fn judge(program: &Path, answer: &Answer) -> Result<(), LaunchError> {
    let Answer { implementation, major, minor } = answer;
    if implementation == "cpython" && *major == 3 && SUPPORTED.contains(minor) {
        return Ok(());
    }
    let (first, last) = (SUPPORTED.start(), SUPPORTED.end());
    Err(LaunchError::Usage(format!(
        "heaphint needs CPython 3.{first} to 3.{last} and {} is {implementation} {major}.{minor}: \
         name another interpreter with `--python`",
        shown(program)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn an_interpreter_that_cannot_be_used_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        for (text, expected) in [
            ("#!/bin/sh\necho pypy 3 10\n", "is pypy 3.10"),
            ("#!/bin/sh\necho cpython 3 8\n", "is cpython 3.8"),
            ("#!/bin/sh\necho oops >&2\nexit 3\n", "(it says: oops)"),
        ] {
            let path = program(folder.path(), "python", text);
            let error = choose(Some(&path), folder.path(), folder.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let missing = choose(Some(Path::new("no-such-python")), folder.path(), folder.path()).unwrap_err();
        assert!(missing.to_string().contains("`no-such-python`"));
        let good = program(folder.path(), "python", "#!/bin/sh\necho cpython 3 12\n");
        assert_eq!(
            choose(Some(Path::new("./python")), folder.path(), folder.path()).unwrap(),
            folder.path().join("./python")
        );
        assert!(good.exists());
    }
}
