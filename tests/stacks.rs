//! The stacks that the tracer reads are those that Python itself shows, on random call graphs and in unusual programs.
//!
//! The tracer is built with the feature `frame-oracle` and loaded by the script that compares, without any hook. For
//! the second test it traces that script, and compares the stack of every allocation with one for which it has read
//! every frame.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::subjects::complaints;
use crate::support::expectation::figure;
use crate::support::interpreter::{Interpreter, say};
use crate::support::packages;
use crate::support::playground::{Playground, lines, tests_folder};
use crate::support::process::run;

const SEEDS: [&str; 2] = ["1", "2"];
const STACKS: &str = "8000";

/// Stacks of allocations that the second test compares at least, for each interpreter and seed.
const REMEMBERED: &str = "50000";

/// Functions of the second script.
const SCENES: [&str; 7] =
    ["subinterpreters", "foreign_threads", "asyncio_tasks", "greenlets", "traced", "covered", "debugged"];

/// Builds a tracer with a feature; the library.
pub fn build(feature: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(feature);
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    build.args(["build", "-q", "-p", "heaphint-tracer", "--profile", "tracer"]);
    build.args(["--features", feature, "--target-dir"]).arg(&target);
    let status = build.stdin(Stdio::null()).status().expect("cargo runs");
    assert!(status.success(), "the tracer does not build with the feature {feature}");
    target.join("tracer/libheaphint_tracer.so")
}

/// A comparison of an interpreter's stacks with the tracer's.
struct Comparison<'a> {
    interpreter: &'a Interpreter,
    library: &'a Path,
    script: &'a str,
    arguments: &'a [&'a str],
    /// Packages from PyPI that the script may import.
    packages: &'a Path,
    /// Where the tracer writes its capture, if it is to trace the script.
    capture: Option<PathBuf>,
}

/// What a script ends with when the interpreter lacks what it needs.
const SKIPPED: i32 = 77;

impl Comparison<'_> {
    /// Runs the script; what it said if it failed.
    fn complaint(&self) -> Option<String> {
        let mut script = Command::new(&self.interpreter.path);
        script.arg(tests_folder().join("programs").join(self.script)).arg(self.library).args(self.arguments);
        script.env("PYTHONPATH", self.packages).env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(capture) = &self.capture {
            // Every object is an allocation then.
            script
                .env("LD_PRELOAD", self.library)
                .env("HEAPHINT_CAPTURE", capture)
                .env("PYTHONMALLOC", "malloc");
        }
        let outcome = run(&mut script, "");
        let said = String::from_utf8_lossy(&outcome.stdout);
        match outcome.code {
            0 => say(said.trim()),
            SKIPPED => say(&format!("SKIPPED {}", said.trim())),
            _ => {
                let (arguments, version) = (self.arguments, &self.interpreter.version);
                return Some(format!("{} {arguments:?} on {version}: {}", self.script, outcome.text()));
            }
        }
        None
    }
}

/// The interpreters, each with the packages that make its stacks interesting.
fn interpreters() -> &'static [(Interpreter, PathBuf)] {
    static FOUND: OnceLock<Vec<(Interpreter, PathBuf)>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let pip = packages::environment("pip", &[]);
        let with_packages = |it| {
            let folder = packages::folder(&pip, &it, &["gevent", "coverage"]);
            (it, folder)
        };
        Interpreter::all().into_iter().map(with_packages).collect()
    })
}

/// Each interpreter with each of the items.
fn pairs<T>(items: &[T]) -> Vec<(&Interpreter, &Path, &T)> {
    let each = |(it, packages): &'static (Interpreter, PathBuf)| {
        items.iter().map(move |item| (it, packages.as_path(), item))
    };
    interpreters().iter().flat_map(each).collect()
}

#[test]
fn stacks_are_those_that_python_shows() {
    let library = build("frame-oracle");
    let complaints = complaints(&pairs(&SEEDS), |&(interpreter, packages, &seed)| {
        let arguments = &[seed, STACKS];
        let (library, script) = (library.as_path(), "fuzz_stacks.py");
        Comparison { interpreter, library, script, arguments, packages, capture: None }
            .complaint()
            .into_iter()
            .collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn remembered_stacks_are_those_that_are_read() {
    let library = build("frame-oracle");
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let complaints = complaints(&pairs(&SEEDS), |&(interpreter, packages, &seed)| {
        let arguments = &[seed, "3000", REMEMBERED];
        let (library, script) = (library.as_path(), "fuzz_stacks.py");
        let capture = Some(folder.path().join(format!("{}-{seed}.heaphint", interpreter.version)));
        Comparison { interpreter, library, script, arguments, packages, capture }
            .complaint()
            .into_iter()
            .collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Sub-interpreters, threads that were not made by Python, event loops, greenlets, tracers and debuggers.
#[test]
fn stacks_of_unusual_programs_are_those_that_python_shows() {
    let library = build("frame-oracle");
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let complaints = complaints(&pairs(&SCENES), |&(interpreter, packages, &scene)| {
        let (library, script) = (library.as_path(), "scene_stacks.py");
        let capture = folder.path().join(format!("{}-{scene}.heaphint", interpreter.version));
        let compare = |arguments: &[&str], capture| {
            Comparison { interpreter, library, script, arguments, packages, capture }.complaint()
        };
        let traced = compare(&[scene, "10000"], Some(capture));
        // A remembered stack does not see at once that a debugger has moved a frame to another line.
        let untraced = (scene == "debugged").then(|| compare(&[scene], None)).flatten();
        traced.into_iter().chain(untraced).collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Markers that prove nothing are believed, on purpose: the comparison has to notice, on every interpreter.
#[test]
fn wrong_markers_are_found() {
    let library = build("frame-oracle-control");
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let [seed, _] = SEEDS;
    let unnoticed = complaints(interpreters(), |(interpreter, packages)| {
        let arguments = &[seed, "3000", REMEMBERED];
        let (library, script) = (library.as_path(), "fuzz_stacks.py");
        let capture = Some(folder.path().join(format!("{}.heaphint", interpreter.version)));
        let said = Comparison { interpreter, library, script, arguments, packages, capture }.complaint();
        let is_noticed = said.as_ref().is_some_and(|text| text.contains("heaphint: a remembered stack"));
        let unnoticed = || format!("{}: {}", interpreter.version, said.as_deref().unwrap_or("no difference"));
        if is_noticed { Vec::new() } else { vec![unnoticed()] }
    });
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

/// A generator that has not been started stands at the same instruction as the call that makes it. Only the first is a
/// frame that Python shows, whichever of the two came before.
#[test]
fn a_generator_that_was_not_started_has_frames_of_its_own() {
    let playground = Playground::new();
    let script = "generators_thrown_into.py";
    for interpreter in Interpreter::all() {
        let recorded = playground.recorded(&interpreter, script);
        let mut traced = playground.traced(&interpreter, script, &recorded);
        // Every object is an allocation then.
        let outcome = run(traced.env("PYTHONMALLOC", "malloc"), "");
        assert_eq!(outcome.code, 0, "{}", outcome.text());
        let document = lines(&recorded.main).expect("the capture is readable");
        let path = playground.path(script);
        let path = path.to_str().expect("paths are text");
        let of = |line| figure(&document, path, line, "self.allocated_count").as_u64().expect("a figure");
        let source = playground.source(script);
        let line_of =
            |text| source.lines().position(|line| line.contains(text)).expect("it is there") as u64 + 1;
        let (thrown_into, made) = (of(line_of("def generator")), of(line_of("made = generator()")));
        let version = &interpreter.version;
        assert!(thrown_into >= 1000 && made >= 1000, "{version}: {thrown_into}, {made}");
    }
}
