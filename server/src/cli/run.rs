//! `heaphint run`: a program under the tracer, from its start to its end.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use heaphint_analysis::{Process, Units, format_size};
use heaphint_report::{Look, process_text};

use super::input::read_profile;
use super::{Usage, check, foreground, lines, modes};
use crate::launch::{Launch, MOST_CAPTURES, Output, Spec, Target, exit_code};

/// Processes that are named when a run has ended.
const MOST_NAMED: usize = 5;

/// Run a program and record where its memory goes
#[derive(Debug, Args)]
#[command(
    override_usage = "heaphint run [OPTIONS] SCRIPT [ARGS]...\n       \
                      heaphint run [OPTIONS] -m MODULE [ARGS]...\n       \
                      heaphint run [OPTIONS] -c TEXT [ARGS]...\n       \
                      heaphint run [OPTIONS] -- COMMAND [ARGS]...",
    after_help = "The program keeps its input, output, signals and exit code."
)]
pub struct Arguments {
    #[allow(rustdoc::invalid_html_tags, reason = "the text is shown as it is")]
    /// Write the capture to this file, and those of further processes beside it; `%p` in it stands for the process id. A
    /// folder, or a path that ends in a slash, takes all captures of the session [default: <SCRIPT>.<pid>.heaphint]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite an existing FILE
    #[arg(short, long)]
    force: bool,
    /// Print nothing besides what the program prints
    #[arg(short, long)]
    quiet: bool,
    /// Show the annotated source when the program has ended
    #[arg(long)]
    lines: bool,
    /// Compare the run with the limits of its project when the program has ended; the exit code then is 1 when the
    /// program succeeded and a limit was exceeded
    #[arg(long, value_name = "FORMAT", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    check: Option<check::Format>,
    /// The interpreter [default: the active virtual environment's, else that of the project's .venv, else python3]
    #[arg(long, value_name = "PYTHON")]
    python: Option<PathBuf>,
    /// Use this tracer library instead of the one inside heaphint
    #[arg(long, value_name = "PATH")]
    tracer_library: Option<PathBuf>,
    /// Run a module, as `python -m` does; everything after it belongs to the module
    #[arg(short, value_name = "MODULE", num_args = 1.., allow_hyphen_values = true, conflicts_with = "text")]
    module: Option<Vec<OsString>>,
    /// Run a program text, as `python -c` does; everything after it belongs to the program
    #[arg(short = 'c', value_name = "TEXT", num_args = 1.., allow_hyphen_values = true)]
    text: Option<Vec<OsString>>,
    /// The Python file and its arguments; after `--`, a command that starts Python and its arguments
    #[arg(value_name = "SCRIPT", trailing_var_arg = true, allow_hyphen_values = true)]
    script: Vec<OsString>,
    // The last: its heading would stand above whatever follows.
    #[command(flatten)]
    modes: modes::ModeOptions,
}

pub fn main(arguments: Arguments) -> anyhow::Result<u8> {
    let Arguments { output, force, quiet, lines, python, tracer_library, .. } = &arguments;
    let afterwards = Afterwards { quiet: *quiet, lines: *lines, check: arguments.check };
    let output = match output {
        Some(path) => Output::File { path: path.clone(), overwrite: *force },
        None => Output::Default,
    };
    let modes = arguments.modes.modes();
    let (python, tracer_library) = (python.clone(), tracer_library.clone());
    let (target, program_arguments) = target(arguments, &std::env::args_os().collect::<Vec<_>>())?;
    let directory = std::env::current_dir().context("the current folder cannot be used")?;
    let launch = Launch::prepare(Spec {
        target,
        arguments: program_arguments,
        python,
        tracer_library,
        directory,
        output,
        modes,
    })?;
    let (pid, status) = foreground::run(launch.command(), launch.observation())
        .with_context(|| format!("{} cannot be started", launch.program().display()))?;
    let code = exit_code(status) as u8;
    // The program has ended, so from here on its exit code is ours, whatever happens; only what it does not tell is
    // told by ours.
    match conclude(&launch, pid, status, &afterwards) {
        Ok(own) => Ok(if code == 0 { own } else { code }),
        Err(error) => match super::exit_code(&error) {
            0 => Ok(code),
            own => {
                anstream::eprintln!("heaphint: {error:#}");
                Ok(if code == 0 && afterwards.check.is_some() { own } else { code })
            }
        },
    }
}

/// What is done when the program has ended.
struct Afterwards {
    quiet: bool,
    lines: bool,
    check: Option<check::Format>,
}

/// What the arguments ask to run, and its arguments. `words` are the same arguments as they were typed.
fn target(arguments: Arguments, words: &[OsString]) -> Result<(Target, Vec<OsString>), Usage> {
    let is_escape = |word: &&OsString| *word == "--";
    let given = [arguments.module.iter().flatten(), arguments.text.iter().flatten()].into_iter().flatten();
    let kept = given.chain(&arguments.script).filter(is_escape).count();
    // The parser keeps a `--` among a program's arguments and drops the one before a command.
    let is_command = words.iter().filter(is_escape).count() > kept;
    let (mut words, kind): (_, fn(OsString) -> Target) = match (arguments.module, arguments.text) {
        (Some(words), _) => (words, |name| Target::Module(name.to_string_lossy().into_owned())),
        (None, Some(words)) => (words, |text| Target::Text(text.to_string_lossy().into_owned())),
        (None, None) if is_command => (Vec::new(), Target::Command),
        (None, None) => (Vec::new(), |path| Target::Script(path.into())),
    };
    words.extend(arguments.script);
    if words.is_empty() {
        return Err(Usage(
            "there is nothing to run: name a Python file, or `-m MODULE`, `-c TEXT`, or `-- COMMAND`"
                .to_owned(),
        ));
    }
    let first = words.remove(0);
    Ok((kind(first), words))
}

/// Says what was recorded and what to do with it. Returns the exit code of a program that succeeded.
fn conclude(
    launch: &Launch,
    pid: u32,
    status: std::process::ExitStatus,
    afterwards: &Afterwards,
) -> anyhow::Result<u8> {
    let Afterwards { quiet, lines, check } = *afterwards;
    let captures = launch.finish(pid, status)?;
    if quiet && !lines && check.is_none() {
        return Ok(0);
    }
    let Some((first, others)) = captures.split_first() else { return Ok(0) };
    let profile = read_profile(std::slice::from_ref(first))?;
    if !quiet {
        let session = profile.session();
        let capture = quoted(first);
        let whole = if others.is_empty() { "" } else { "--session " };
        anstream::eprintln!(
            "heaphint: peak {}, recorded in {capture}",
            format_size(session.peak_bytes, Units::default())
        );
        tell_of_others(others);
        for note in &session.notes {
            anstream::eprintln!("heaphint: {note}");
        }
        if !lines && check.is_none() {
            anstream::eprintln!(
                "heaphint: next, try `heaphint lines {whole}{capture}` or `heaphint stats {whole}{capture}`"
            );
        }
    }
    if lines {
        lines::show_usual(&profile)?;
    }
    let Some(format) = check else { return Ok(0) };
    // Limits are about all processes of the run.
    let profile = if others.is_empty() { profile } else { read_profile(&captures)? };
    check::check(&profile, &check::Options::default(), format)
}

/// Says which other processes were recorded; those that became largest by name.
fn tell_of_others(captures: &[PathBuf]) {
    let count = match captures.len() {
        0 => return,
        1 => "1 more process is".to_owned(),
        count => format!("{count} more processes are"),
    };
    let mut processes: Vec<Process> = Vec::new();
    for capture in captures {
        // One that cannot be read is told of by the report that needs it. A thousand are not kept at once.
        if let Ok(profile) = read_profile(std::slice::from_ref(capture)) {
            processes.extend(
                profile.processes().iter().map(|process| Process { timeline: Vec::new(), ..process.clone() }),
            );
        }
    }
    processes.sort_by_key(|process| std::cmp::Reverse(process.peak_bytes));
    anstream::eprintln!("heaphint: {count} recorded beside it:");
    for process in processes.iter().take(MOST_NAMED) {
        anstream::eprintln!("heaphint:   {}", process_text(process, &Look::default()));
    }
    if captures.len() > MOST_NAMED {
        anstream::eprintln!("heaphint:   … and {} smaller ones", captures.len() - MOST_NAMED);
    }
    if captures.len() + 1 >= MOST_CAPTURES {
        anstream::eprintln!(
            "heaphint: a session has at most {MOST_CAPTURES} captures: further processes were not recorded"
        );
    }
}

/// A path as one would type it in a shell: relative to the current folder where that is shorter, quoted where needed.
fn quoted(path: &Path) -> String {
    let directory = std::env::current_dir().unwrap_or_default();
    let text = path.strip_prefix(&directory).unwrap_or(path).to_string_lossy().into_owned();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if text.chars().all(is_plain) && !text.starts_with('-') {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Wrapper {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parsed(words: &[&str]) -> (Target, Vec<String>) {
        let words: Vec<OsString> = [&["run"], words].concat().iter().map(OsString::from).collect();
        let wrapper = Wrapper::try_parse_from(&words).unwrap();
        let (target, rest) = target(wrapper.arguments, &words).unwrap();
        (target, rest.into_iter().map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn everything_after_the_program_is_the_programs() {
        let script = || Target::Script("app.py".into());
        assert_eq!(parsed(&["app.py"]), (script(), vec![]));
        assert_eq!(
            parsed(&["-q", "app.py", "-q", "--lines", "x"]),
            (script(), vec!["-q".into(), "--lines".into(), "x".into()])
        );
        assert_eq!(
            parsed(&["app.py", "a", "--", "b"]),
            (script(), vec!["a".into(), "--".into(), "b".into()])
        );
        let module = Target::Module("pkg.mod".into());
        assert_eq!(parsed(&["-m", "pkg.mod", "-o", "x"]), (module.clone(), vec!["-o".into(), "x".into()]));
        assert_eq!(
            parsed(&["-m", "pkg.mod", "a", "--", "-q"]),
            (module, vec!["a".into(), "--".into(), "-q".into()])
        );
        let text = Target::Text("print(1)".into());
        assert_eq!(parsed(&["-f", "-c", "print(1)", "--help"]), (text, vec!["--help".into()]));
        let command = Target::Command("make".into());
        assert_eq!(parsed(&["-q", "--", "make", "-j", "2"]), (command, vec!["-j".into(), "2".into()]));
    }

    #[test]
    fn nothing_to_run_is_wrong_usage() {
        let wrapper = Wrapper::try_parse_from(["run", "-q"]).unwrap();
        assert!(target(wrapper.arguments, &[]).unwrap_err().to_string().contains("nothing to run"));
    }

    #[test]
    fn paths_can_be_pasted_into_a_shell() {
        assert_eq!(quoted(Path::new("/t/app.py.1.heaphint")), "/t/app.py.1.heaphint");
        assert_eq!(quoted(Path::new("/t/it's here")), "'/t/it'\\''s here'");
    }
}
