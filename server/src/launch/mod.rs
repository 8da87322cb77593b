//! Starting a Python program under the tracer: which interpreter, which environment, where the capture goes, and
//! what became of it. The command line and the language server both start programs through here.
//!
//! Nothing here waits for the program or writes to the terminal; who asks for a [`Launch`] runs its command.

mod answers;
pub mod cache;
pub mod configuration;
mod diagnose;
mod elf;
mod interpreter;
pub mod modes;
mod observer;
mod output;
mod project;
mod tracer_library;

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::mem::offset_of;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use heaphint_format::{Header, Mode, Status};

pub use modes::Modes;
pub use observer::Observer;
pub use output::{First, MOST_CAPTURES, Output, first_page, header};
pub use project::{CAPTURES_FOLDER, project_root};

/// Holds what `LD_PRELOAD` was, so that the tracer can put it back.
const PREVIOUS_PRELOAD: &str = "HEAPHINT_LD_PRELOAD";
/// Says which recorded process has started a program.
const PARENT: &str = "HEAPHINT_PARENT";

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A Python file, or a folder or archive that Python can run.
    Script(PathBuf),
    /// A module, as `python -m` takes it.
    Module(String),
    /// A program text, as `python -c` takes it.
    Text(String),
    /// Any command that starts Python.
    Command(OsString),
}

/// A program to start under the tracer.
#[derive(Debug, Clone)]
pub struct Spec {
    /// What to run.
    pub target: Target,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The interpreter that somebody asked for: a path, or a name to look for on the search path.
    pub python: Option<PathBuf>,
    /// A tracer library to use instead of the one inside this program.
    pub tracer_library: Option<PathBuf>,
    /// The working directory, absolute.
    pub directory: PathBuf,
    /// Where captures go.
    pub output: Output,
    /// What is recorded beside the usual figures; what is left open is as the project says.
    pub modes: Modes,
}

/// Why a program cannot be started under the tracer. Each is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// What was asked for does not make sense.
    #[error("{0}")]
    Usage(String),
    /// A file or folder is not as it must be.
    #[error("{0}")]
    Io(String),
}

/// A program that is ready to be started.
#[derive(Debug)]
pub struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    directory: PathBuf,
    captures: output::Captures,
}

impl Launch {
    /// Checks everything that can be checked before the program starts, and puts the tracer library into place.
    ///
    /// # Errors
    /// When the program could not run or its capture could not be written.
    pub fn prepare(spec: Spec) -> Result<Self, LaunchError> {
        let script = match &spec.target {
            Target::Script(path) => Some(spec.directory.join(path)),
            Target::Module(_) | Target::Text(_) | Target::Command(_) => None,
        };
        if let (Target::Script(given), Some(path)) = (&spec.target, &script)
            && !path.exists()
        {
            return Err(LaunchError::Usage(format!("there is no file `{}`", given.display())));
        }
        if let Target::Text(text) = &spec.target
            && !text.contains('\n')
            && spec.directory.join(text).is_file()
        {
            return Err(LaunchError::Usage(format!(
                "`-c` takes a program text and `{text}` is a file: leave out `-c` to run it"
            )));
        }
        let project = project_root(script.as_deref(), &spec.directory);
        let program = match &spec.target {
            Target::Command(name) => interpreter::find_program(name, &spec.directory)
                .ok_or_else(|| LaunchError::Usage(format!("there is no command `{}`", name.display())))?,
            _ => interpreter::choose(spec.python.as_deref(), &project, &spec.directory)?,
        };
        let captures = output::Captures::prepare(&spec.output, &spec.target, &spec.directory)?;
        let library = match spec.tracer_library {
            Some(path) => tracer_library::given(&spec.directory.join(path))?,
            None => tracer_library::install()?,
        };

        let mut arguments = match spec.target {
            Target::Script(path) => vec![path.into_os_string()],
            Target::Module(name) => vec!["-m".into(), name.into()],
            Target::Text(text) => vec!["-c".into(), text.into()],
            Target::Command(_) => Vec::new(),
        };
        if let Some(first) = arguments.first_mut()
            && first.as_encoded_bytes().starts_with(b"-")
            && script.is_some()
        {
            // A script whose name looks like an option of the interpreter.
            *first = Path::new(".").join(&*first).into_os_string();
        }
        arguments.extend(spec.arguments);
        let mut environment =
            environment(&library, captures.pattern(), &project, std::env::var_os("LD_PRELOAD"));
        let modes = spec.modes.or(configuration::modes_of_project(&project));
        if modes.native == Some(true) && cfg!(not(target_arch = "x86_64")) {
            return Err(LaunchError::Usage(
                "native stacks are recorded on x86-64 only: leave out `--native`".to_owned(),
            ));
        }
        environment.push(("HEAPHINT_MODES", modes.words()));
        environment.push(("HEAPHINT_SESSION", captures.session().to_string().into()));
        Ok(Self { program, arguments, environment, directory: spec.directory, captures })
    }

    /// The command, with everything but its standard streams set.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.directory);
        // Those of a run around this one, if there is one.
        command.env_remove(PREVIOUS_PRELOAD).env_remove(PARENT).envs(self.environment.iter().cloned());
        command
    }

    /// The program that is started.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The captures of this run that exist by now: that of the process `pid` first, then the others in the order of
    /// their start.
    #[must_use]
    pub fn captures(&self, pid: u32) -> Vec<PathBuf> {
        self.captures.find(pid)
    }

    /// Fills the captures' timelines while the program does not allocate, from when the process `pid` has been
    /// started with [`Self::command`] until the observer is dropped. What is returned may go to another thread.
    pub fn observation(&self) -> impl FnOnce(u32) -> Observer + Send + use<> {
        let captures = self.captures.clone();
        move |pid| Observer::start(captures, pid)
    }

    /// To be called when the process `pid`, which was started with [`Self::command`], has ended: notes in its
    /// captures how. Returns the run's captures, the process's own first.
    ///
    /// # Errors
    /// When there is no capture (the sentence says why), or it cannot be written.
    pub fn finish(&self, pid: u32, status: ExitStatus) -> Result<Vec<PathBuf>, LaunchError> {
        let captures = self.captures(pid);
        if captures.is_empty() {
            return Err(LaunchError::Io(diagnose::no_capture(&self.program, self.captures.folder())));
        }
        // It may have been several programs, one after the other.
        let own =
            captures.iter().take_while(|path| output::header(path).is_some_and(|header| header.pid == pid));
        for capture in own {
            record_exit(capture, status)
                .map_err(|error| LaunchError::Io(format!("cannot write {}: {error}", capture.display())))?;
        }
        for capture in captures.iter().filter(|capture| is_complete(capture, pid)) {
            // A full disk, say: then it stays as it is, which is as good to read.
            let _ = heaphint_record::compact(capture);
        }
        Ok(captures)
    }
}

/// Whether nobody writes a capture any more. `ended` is a process that has ended for certain; what another one has recorded is
/// complete when it says so and is gone.
fn is_complete(capture: &Path, ended: u32) -> bool {
    output::header(capture).is_some_and(|header| {
        let is_finished = header.status == Status::Finished as u32;
        let is_gone = header.pid == ended || !Path::new(&format!("/proc/{}", header.pid)).exists();
        is_gone && (is_finished || header.has(Mode::Record))
    })
}

/// The exit code, as a shell would say it: 128 + N for signal N.
#[must_use]
pub fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// Writes into a capture how its process ended.
fn record_exit(capture: &Path, status: ExitStatus) -> io::Result<()> {
    let value = status.code().unwrap_or_else(|| -status.signal().unwrap_or_default());
    let mut file = OpenOptions::new().write(true).open(capture)?;
    file.write_all_at(&value.to_le_bytes(), offset_of!(Header, exit_status) as u64)?;
    file.flush()
}

/// What the tracer is told, by variables that it takes out of the environment of each program that it is loaded into.
fn environment(
    library: &Path,
    pattern: &Path,
    project: &Path,
    previous: Option<OsString>,
) -> Vec<(&'static str, OsString)> {
    // In a run around this one the library is preloaded already.
    let previous = previous.map(|value| {
        let names = value.as_bytes().split(|byte| b": ".contains(byte));
        let others: Vec<&[u8]> = names.filter(|name| *name != library.as_os_str().as_bytes()).collect();
        OsString::from_vec(others.join(&b':'))
    });
    let previous = previous.filter(|value| !value.is_empty());
    let mut preload = library.as_os_str().to_owned();
    if let Some(previous) = &previous {
        preload.push(":");
        preload.push(previous);
    }
    let mut variables = vec![
        ("LD_PRELOAD", preload),
        ("HEAPHINT_CAPTURE", pattern.as_os_str().to_owned()),
        ("HEAPHINT_PROJECT", project.as_os_str().to_owned()),
    ];
    if let Some(previous) = previous {
        variables.push((PREVIOUS_PRELOAD, previous));
    }
    variables
}

/// A path as people read it.
fn shown(path: impl AsRef<OsStr>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_was_preloaded_stays_so() {
        let variables = |previous: Option<&str>| {
            environment(Path::new("/l.so"), Path::new("/c"), Path::new("/p"), previous.map(OsString::from))
        };
        assert_eq!(variables(None)[0].1, "/l.so");
        assert_eq!(variables(Some("")).len(), 3);
        let with = variables(Some("/a.so /b.so"));
        assert_eq!(with[0].1, "/l.so:/a.so:/b.so");
        assert_eq!(with[3], ("HEAPHINT_LD_PRELOAD", "/a.so:/b.so".into()));
        assert_eq!(variables(Some("/l.so:/a.so"))[0].1, "/l.so:/a.so");
        assert_eq!(variables(Some("/l.so")).len(), 3);
    }

    #[test]
    fn a_signal_is_written_as_its_negative_number() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [0xff; 300]).unwrap();
        for (raw, written, code) in [(7 << 8, 7, 7), (9, -9, 137)] {
            let status = ExitStatus::from_raw(raw);
            record_exit(file.path(), status).unwrap();
            let bytes = std::fs::read(file.path()).unwrap();
            let at = offset_of!(Header, exit_status);
            assert_eq!(bytes[at..at + 4], i32::to_le_bytes(written));
            assert_eq!(bytes.len(), 300);
            assert_eq!(exit_code(status), code);
        }
    }
}
