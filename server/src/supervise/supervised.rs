//! The server's side of a supervisor.

use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{COMMAND, ENDED, FAILED, STARTED};

/// A supervisor has this time to end everything, which is more than it takes for itself.
const PATIENCE: Duration = Duration::from_secs(12);
/// How often to look whether it has.
const PAUSE: Duration = Duration::from_millis(2);

/// A program below its supervisor. When this is dropped, the program ends, and so does everything that it started.
#[derive(Debug)]
pub struct Supervised {
    pid: u32,
    socket: UnixStream,
    supervisor: Mutex<Child>,
}

/// What the supervisor tells about the program, and what the program writes.
#[derive(Debug)]
pub struct Told {
    lines: BufReader<UnixStream>,
    /// The program's standard output.
    pub stdout: Option<ChildStdout>,
    /// Its standard error.
    pub stderr: Option<ChildStderr>,
}

/// Starts what `command` says: a program with arguments, environment and folder. Its output comes through pipes.
///
/// # Errors
/// When it, or its supervisor, cannot be started.
pub fn start(command: &Command, stdin: Stdio) -> io::Result<(Supervised, Told)> {
    let (socket, others) = UnixStream::pair()?;
    let left_open = others.as_raw_fd();
    // This very program, also after it was replaced on the disk.
    let mut supervisor = Command::new("/proc/self/exe");
    supervisor.arg0("heaphint").arg(COMMAND).arg(left_open.to_string()).arg("--");
    supervisor.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => supervisor.env(name, value),
            None => supervisor.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        supervisor.current_dir(folder);
    }
    // Not in the server's group: what ends that group must leave somebody who ends the program.
    supervisor.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    // SAFETY: between fork and exec only fcntl is called, which is async-signal-safe, and errno is read.
    unsafe {
        supervisor.pre_exec(move || match libc::fcntl(left_open, libc::F_SETFD, 0) {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
    let mut child = supervisor.spawn()?;
    drop(others);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut told = Told { lines: BufReader::new(socket.try_clone()?), stdout, stderr };
    let mut supervised = Supervised { pid: 0, socket, supervisor: Mutex::new(child) };
    match told.next()? {
        (what, pid) if what == STARTED => supervised.pid = pid.unsigned_abs(),
        (what, error) if what == FAILED => return Err(io::Error::from_raw_os_error(error)),
        (what, _) => return Err(unexpected(&what)),
    }
    Ok((supervised, told))
}

impl Supervised {
    /// The number of the program's process, which is that of its group.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to every process of the program's group. One that has ended gets none.
    pub fn signal(&self, signal: u8) {
        // A supervisor that is gone has nothing below it any more.
        let _ = (&self.socket).write_all(&[signal]);
    }

    /// Whether nothing is left of the program and of what it started.
    pub fn is_over(&self) -> bool {
        let mut supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(supervisor.try_wait(), Ok(None))
    }

    /// Lets everything end, without waiting for it.
    pub fn end(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Waits until everything has ended after [`Self::end`]. A supervisor that does not come to its own end, because
    /// somebody stopped it, is ended.
    pub fn wait(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_over() {
            if Instant::now() > deadline {
                let mut supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = supervisor.kill().and_then(|()| supervisor.wait());
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.end();
        self.wait();
    }
}

impl Told {
    /// Waits for the program's end.
    ///
    /// # Errors
    /// When the supervisor is gone.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        match self.next()? {
            (what, status) if what == ENDED => Ok(ExitStatus::from_raw(status)),
            (what, _) => Err(unexpected(&what)),
        }
    }

    fn next(&mut self) -> io::Result<(String, i32)> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        let (what, number) = line.trim_end().split_once(' ').ok_or_else(|| unexpected(&line))?;
        Ok((what.to_owned(), number.parse().map_err(|_| unexpected(&line))?))
    }
}

fn unexpected(line: &str) -> io::Error {
    io::Error::other(match line {
        "" => "the process that watches over it was ended".to_owned(),
        line => format!("the process that watches over it says `{}`", line.trim_end()),
    })
}
