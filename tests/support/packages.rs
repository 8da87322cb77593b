//! Packages from PyPI and npm, for tests that need them: made once and kept below `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::interpreter::{Interpreter, say};
use super::process::run;

/// A virtual environment of the default interpreter with packages.
///
/// # Panics
/// When it cannot be made.
pub fn environment(name: &str, packages: &[&str]) -> Interpreter {
    let base = Interpreter::default();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", base.version));
    let python = folder.join("bin/python");
    let ready = folder.join("ready");
    if !ready.exists() {
        let step = |command: &mut Command, need: &str| {
            let outcome = run(command, "");
            assert_eq!(outcome.code, 0, "the tests need {need}: {}", outcome.text());
        };
        step(Command::new(&base.path).args(["-m", "venv", "--clear"]).arg(&folder), "python3's venv module");
        if !packages.is_empty() {
            let mut install = Command::new(&python);
            install.args(["-m", "pip", "install", "-q"]).args(packages);
            step(&mut install, &format!("{} from PyPI", packages.join(", ")));
        }
        std::fs::write(&ready, "").expect("the virtual environment is writable");
    }
    Interpreter::ask(&python).expect("the virtual environment has an interpreter")
}

/// A folder with packages for an interpreter, which needs no pip of its own: to be named in `PYTHONPATH`. Says so when
/// PyPI has none for it; the folder is empty then.
pub fn folder(pip: &Interpreter, interpreter: &Interpreter, packages: &[&str]) -> PathBuf {
    let (series, _) = interpreter.version.rsplit_once('.').expect("a version has three numbers");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{series}", packages.join("-")));
    let ready = folder.join("ready");
    if !ready.exists() {
        let mut install = Command::new(&pip.path);
        install.args([
            "-m",
            "pip",
            "install",
            "-q",
            "--upgrade",
            "--only-binary=:all:",
            "--implementation=cp",
        ]);
        install.args(["--python-version", series, "--target"]).arg(&folder).args(packages);
        let outcome = run(&mut install, "");
        if outcome.code != 0 {
            say(&format!(
                "SKIPPED {} on CPython {series}: {}",
                packages.join(", "),
                outcome.text().lines().last().unwrap_or_default()
            ));
            return folder;
        }
        std::fs::write(&ready, "").expect("the folder is writable");
    }
    folder
}

/// A folder whose `node_modules` have packages from npm.
///
/// # Panics
/// When it cannot be made.
pub fn node_modules(name: &str, packages: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("node-{name}"));
    let ready = folder.join("ready");
    if !ready.exists() {
        std::fs::create_dir_all(&folder).expect("the folder of the build is writable");
        std::fs::write(folder.join("package.json"), "{\"private\": true}").expect("the folder is writable");
        let mut install = Command::new("npm");
        install
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .args(packages);
        let outcome = run(&mut install, "");
        assert_eq!(outcome.code, 0, "the tests need {} from npm: {}", packages.join(", "), outcome.text());
        std::fs::write(&ready, "").expect("the folder is writable");
    }
    folder
}
