//! The runs that a limit is about: by test, by command, by run configuration.

use globset::{GlobBuilder, GlobMatcher};

use crate::Session;
use crate::path::below;

/// The runs that a limit is about. Every condition that is written down must hold; without any, all runs are meant.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Every test that the command names matches this pattern of node ids, and there is one.
    pub(super) test: Option<GlobMatcher>,
    /// The command line matches this pattern.
    pub(super) command: Option<GlobMatcher>,
    /// The name of a run configuration.
    pub(super) run: Option<String>,
}

impl Conditions {
    /// Whether a run is meant. `run` is the configuration that it was started by.
    #[must_use]
    pub fn hold(&self, session: &Session, run: Option<&str>) -> bool {
        let command = self
            .command
            .as_ref()
            .is_none_or(|pattern| command_lines(session).iter().any(|line| pattern.is_match(line.as_str())));
        let test = self.test.as_ref().is_none_or(|pattern| {
            let tests = named_tests(session);
            !tests.is_empty() && tests.iter().all(|test| pattern.is_match(test.as_str()))
        });
        command && test && (self.run.is_none() || self.run.as_deref() == run)
    }

    /// The run configuration that the limit names.
    #[must_use]
    pub fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }
}

/// A pattern in which `*` stands for anything.
pub(super) fn pattern(text: &str) -> Result<GlobMatcher, String> {
    // What stands in brackets behind a test's name are its parameters.
    let escaped = text.replace('[', "[[]");
    let glob = GlobBuilder::new(&escaped).literal_separator(false).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| format!("`{text}` is not a pattern: {}", error.kind()))
}

/// A run's command as people may write it: with the interpreter and without, files below the project relative to it,
/// and installed programs by their names.
fn command_lines(session: &Session) -> Vec<String> {
    let Some((program, arguments)) = session.command.split_first() else { return Vec::new() };
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let is_interpreter = name(program).starts_with("python");
    let mut words: Vec<String> = arguments.iter().map(|word| shown(word, session)).collect();
    if !is_interpreter {
        words.insert(0, name(program));
        return vec![words.join(" ")];
    }
    if let Some(script) = words.first_mut().filter(|script| script.starts_with('/')) {
        *script = name(script);
    }
    let without = words.join(" ");
    vec![format!("{} {without}", name(program)), format!("python {without}"), without]
}

/// The command by which runs are compared: without the interpreter.
#[must_use]
pub fn command_of(session: &Session) -> String {
    command_lines(session).pop().unwrap_or_default()
}

/// A word of a command, with its path relative to the project.
fn shown(word: &str, session: &Session) -> String {
    below(word, &session.project).unwrap_or(word).to_owned()
}

/// The tests that a command names: `tests/test_a.py::TestB::test_c`, relative to the project.
fn named_tests(session: &Session) -> Vec<String> {
    let words = session.command.iter().filter(|word| word.contains("::"));
    words
        .map(|word| {
            let absolute = crate::absolute(word, &session.directory);
            shown(&absolute, session)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(words: &[&str]) -> Session {
        Session {
            command: words.iter().map(ToString::to_string).collect(),
            directory: "/p/sub".to_owned(),
            project: "/p".to_owned(),
            ..Session::default()
        }
    }

    fn holds(words: &[&str], command: Option<&str>, test: Option<&str>) -> bool {
        let glob = |text: Option<&str>| text.map(|text| pattern(text).unwrap());
        Conditions { command: glob(command), test: glob(test), run: None }.hold(&session(words), None)
    }

    #[test]
    fn commands_are_named_as_people_type_them() {
        let script = ["/usr/bin/python3.11", "/p/app.py", "--big", "7"];
        for pattern in ["app.py --big 7", "app.py *", "python app.py*", "python3.11 app.py --big ?"] {
            assert!(holds(&script, Some(pattern), None), "{pattern}");
        }
        assert!(!holds(&script, Some("app.py"), None));
        let installed = ["/venv/bin/python", "/venv/bin/pytest", "-q", "tests"];
        assert!(holds(&installed, Some("pytest *"), None));
        assert!(holds(&["python", "-m", "pytest", "tests"], Some("python -m pytest *"), None));
        assert!(holds(&["python", "app.py"], None, None));
    }

    #[test]
    fn a_test_is_meant_when_nothing_else_was_run() {
        let one = ["python", "-m", "pytest", "/p/tests/test_a.py::test_big[1-x]"];
        assert!(holds(&one, None, Some("tests/test_a.py::test_big*")));
        assert!(holds(&one, None, Some("tests/test_a.py::test_big[1-x]")));
        assert!(!holds(&one, None, Some("tests/test_a.py::test_small")));
        let two = ["python", "-m", "pytest", "../tests/test_a.py::test_big", "../tests/test_b.py::test_c"];
        assert!(!holds(&two, None, Some("tests/test_a.py::*")));
        assert!(!holds(&["python", "-m", "pytest"], None, Some("*")));
    }

    #[test]
    fn run_configurations_are_told_by_name() {
        let named = Conditions { run: Some("nightly".to_owned()), ..Conditions::default() };
        assert!(named.hold(&session(&["python"]), Some("nightly")));
        assert!(!named.hold(&session(&["python"]), None));
    }
}
