//! The traced program as a process: in a group of its own, with its output apart from the server's, ended when the
//! server ends.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use lsp_types::MessageType;
use tokio::sync::oneshot;

use crate::launch::Observer;
use crate::lsp::outbox::Outbox;

/// Lines of output that are shown in the editor's log; programs can write without end.
const MAX_LOGGED_LINES: usize = 2_000;
/// Bytes of a line that are looked at.
const MAX_LINE: u64 = 8 << 10;
/// Output that is still on its way when the program has ended is waited for so long; a background process may hold
/// the pipes open for ever.
const OUTPUT_GRACE: Duration = Duration::from_millis(500);

/// A process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Group(libc::pid_t);

impl Group {
    /// Sends a signal to every process of the group. A group without processes is no error.
    pub fn signal(self, signal: libc::c_int) {
        // SAFETY: kill takes numbers only; a negative one means the group that this server created.
        unsafe { libc::kill(-self.0, signal) };
    }

    /// The process that leads the group.
    pub fn leader(self) -> u32 {
        self.0.unsigned_abs()
    }
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// What the system said.
    pub status: ExitStatus,
    /// The last line of its standard error that was not empty.
    pub last_error_line: Option<String>,
}

/// Starts `command`, observed from its start on, and returns its group and its end.
///
/// # Errors
/// When it cannot be started.
pub async fn start(
    command: Command,
    observe: impl FnOnce(u32) -> Observer + Send + 'static,
    outbox: Outbox,
) -> io::Result<(Group, oneshot::Receiver<io::Result<Ended>>)> {
    let (started, is_started) = oneshot::channel();
    let (ended, is_ended) = oneshot::channel();
    // The kernel ends the program when the *thread* that started it ends (PR_SET_PDEATHSIG), so this thread waits.
    thread::Builder::new()
        .name("heaphint-run".into())
        .spawn(move || run(command, observe, outbox, started, ended))?;
    let group = is_started.await.map_err(|_| io::Error::other("the run's thread ended"))??;
    Ok((group, is_ended))
}

fn run(
    mut command: Command,
    observe: impl FnOnce(u32) -> Observer,
    outbox: Outbox,
    started: oneshot::Sender<io::Result<Group>>,
    ended: oneshot::Sender<io::Result<Ended>>,
) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let server = std::process::id();
    // SAFETY: between fork and exec only async-signal-safe calls are made: prctl, getppid, and reading errno.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The server may have died before prctl, and nobody would tell.
            if libc::getppid() as u32 != server {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    let last_error_line = Arc::new(Mutex::new(None));
    let (open_pipe, pipes) = mpsc::channel::<()>();
    if let Some(stdout) = child.stdout.take() {
        drain(stdout, outbox.clone(), None, open_pipe.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        drain(stderr, outbox, Some(last_error_line.clone()), open_pipe);
    }
    let _ = started.send(Ok(Group(child.id() as libc::pid_t)));
    let observer = observe(child.id());
    let status = child.wait();
    drop(observer);
    // Both readers drop their ends when the pipes are closed.
    let _ = pipes.recv_timeout(OUTPUT_GRACE);
    let last_error_line = last_error_line.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let _ = ended.send(status.map(|status| Ended { status, last_error_line }));
}

/// Reads a pipe to its end, so that the program never waits for a reader.
fn drain(
    pipe: impl Read + Send + 'static,
    outbox: Outbox,
    last_line: Option<Arc<Mutex<Option<String>>>>,
    open_pipe: mpsc::Sender<()>,
) {
    thread::spawn(move || {
        let _open_pipe = open_pipe;
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        let mut logged = 0;
        while (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            logged += 1;
            if logged <= MAX_LOGGED_LINES {
                outbox.log(MessageType::LOG, text.clone());
            } else if logged == MAX_LOGGED_LINES + 1 {
                outbox.log(MessageType::LOG, "The program writes more; it is not shown here.");
            }
            if let Some(last_line) = &last_line
                && !text.trim().is_empty()
            {
                *last_line.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
            }
        }
    });
}
