//! Which run configuration a program was started by: the one whose command it has.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use heaphint_analysis::{Session, absolute};

use crate::launch::Target;
use crate::launch::configuration::{Configuration, of_project};

/// The run configuration of the project that has the command of a run. Variables and folders are not compared.
pub fn run_of(session: &Session) -> Option<String> {
    let root = Path::new(&session.project);
    let (all, _) = of_project(root);
    all.into_iter().find(|configuration| has_command(configuration, session)).map(|found| found.name)
}

fn has_command(configuration: &Configuration, session: &Session) -> bool {
    let Some((program, words)) = session.command.split_first() else { return false };
    let (first, rest) = match (&configuration.target, words) {
        (Target::Module(module), [option, name, rest @ ..]) => (option == "-m" && name == module, rest),
        (Target::Text(text), [option, given, rest @ ..]) => (option == "-c" && given == text, rest),
        (Target::Script(script), [given, rest @ ..]) => {
            let meant = absolute(&script.to_string_lossy(), &session.project);
            (absolute(given, &session.directory) == meant, rest)
        }
        // An installed program is a script that the interpreter is given.
        (Target::Command(command), [given, rest @ ..]) if name(&command.to_string_lossy()) == name(given) => {
            (true, rest)
        }
        (Target::Command(command), rest) => (name(&command.to_string_lossy()) == name(program), rest),
        _ => return false,
    };
    first && configuration.arguments.iter().map(OsString::as_os_str).eq(rest.iter().map(OsStr::new))
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_the_command_of_its_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[run.web]\nscript = \"src/web.py\"\nargs = [\"--port\", \"80\"]\n\
                    [run.tests]\nmodule = \"pytest\"\n[run.installed]\ncommand = [\"pytest\", \"-q\"]\n";
        std::fs::write(folder.path().join("heaphint.toml"), text).unwrap();
        let root = folder.path().to_string_lossy().into_owned();
        let run = |words: &[&str]| {
            let command = words.iter().map(ToString::to_string).collect();
            run_of(&Session {
                command,
                directory: format!("{root}/src"),
                project: root.clone(),
                ..Session::default()
            })
        };
        let web = Some("web".to_owned());
        assert_eq!(run(&["python", "web.py", "--port", "80"]), web);
        assert_eq!(run(&["python", &format!("{root}/src/web.py"), "--port", "80"]), web);
        assert_eq!(run(&["python", "web.py", "--port", "81"]), None);
        assert_eq!(run(&["python3.12", "-m", "pytest"]), Some("tests".to_owned()));
        assert_eq!(run(&["python3", "/v/bin/pytest", "-q"]), Some("installed".to_owned()));
        assert_eq!(run(&["python"]), None);
    }
}
