//! Runs a program to its end, with its output in files and a limit on its time.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// After this time a program hangs, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(900);

/// What a program left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Its exit code; 128+N for signal N, as a shell says it.
    pub code: i32,
}

impl Outcome {
    /// Both outputs, for a message.
    pub fn text(&self) -> String {
        let [stdout, stderr] = [&self.stdout, &self.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        format!("exit code {}\nstdout: {stdout}\nstderr: {stderr}", self.code)
    }
}

/// Runs `command` with `input` on its standard input.
///
/// # Panics
/// When it cannot be started or hangs.
pub fn run(command: &mut Command, input: &str) -> Outcome {
    let (mut stdout, mut stderr) = (temporary(), temporary());
    let code = wait(command.stdout(clone(&stdout)).stderr(clone(&stderr)), input);
    Outcome { stdout: contents(&mut stdout), stderr: contents(&mut stderr), code }
}

/// Runs `command` with both outputs in one file: their bytes in the order in which they were written.
pub fn run_interleaved(command: &mut Command, input: &str) -> Vec<u8> {
    let mut output = temporary();
    wait(command.stdout(clone(&output)).stderr(clone(&output)), input);
    contents(&mut output)
}

fn wait(command: &mut Command, input: &str) -> i32 {
    let mut stdin = temporary();
    stdin.write_all(input.as_bytes()).and_then(|()| stdin.rewind()).expect("a temporary file is writable");
    let mut child = command
        .stdin(Stdio::from(stdin))
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status.code().unwrap_or_else(|| 128 + status.signal().expect("it ended somehow"));
        }
        if start.elapsed() > LIMIT {
            child.kill().expect("a child can be killed");
            panic!("{command:?} did not end within {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn temporary() -> File {
    tempfile::tempfile().expect("the temporary folder is writable")
}

fn clone(file: &File) -> Stdio {
    // The copy shares its offset with the original, so two of them append to each other.
    file.try_clone().expect("a file can be duplicated").into()
}

fn contents(file: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a temporary file is readable");
    bytes
}
