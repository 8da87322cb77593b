//! The traced program as a process: in a group of its own, with its output apart from the server's, ended when the
//! server ends.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::relay::Relay;
use crate::launch::Observer;

/// What the program wrote is waited for so long after its end when the editor does not take it.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(20);

/// A process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Group(libc::pid_t);

impl Group {
    /// Sends a signal to every process of the group. A group without processes is no error.
    pub fn signal(self, signal: libc::c_int) {
        // SAFETY: kill takes numbers only; a negative one means the group that this server created.
        unsafe { libc::kill(-self.0, signal) };
    }

    /// Kills what is left of the group after its leader has ended and its number may have been given to others:
    /// only processes of the server's own session, which nobody else's groups are in.
    pub fn kill_rest(self) {
        // SAFETY: getsid takes a number only; 0 means this process.
        let session = unsafe { libc::getsid(0) };
        for pid in self.members(session) {
            // SAFETY: kill takes numbers only.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    }

    /// Whether processes of the group are left after its leader has ended.
    pub fn has_rest(self) -> bool {
        // SAFETY: getsid takes a number only; 0 means this process.
        let session = unsafe { libc::getsid(0) };
        !self.members(session).is_empty()
    }

    /// The group's processes that belong to a session.
    fn members(self, session: libc::pid_t) -> BTreeSet<libc::pid_t> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<libc::pid_t>().ok());
        pids.filter(|pid| {
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
            // Behind the name, which may hold anything: state, parent, group, session.
            let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
            let mut fields = rest.split(' ');
            let is_dead = fields.next() == Some("Z");
            let mut number = || fields.next().and_then(|field| field.parse().ok());
            let (_, group, of) = (number(), number(), number());
            !is_dead && group == Some(self.0) && of == Some(session)
        })
        .collect()
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
    relay: Relay,
) -> io::Result<(Group, oneshot::Receiver<io::Result<Ended>>)> {
    let (started, is_started) = oneshot::channel();
    let (ended, is_ended) = oneshot::channel();
    // The kernel ends the program when the *thread* that started it ends (PR_SET_PDEATHSIG), so this thread waits.
    thread::Builder::new()
        .name("heaphint-run".into())
        .spawn(move || run(command, observe, relay, started, ended))?;
    let group = is_started.await.map_err(|_| io::Error::other("the run's thread ended"))??;
    Ok((group, is_ended))
}

fn run(
    mut command: Command,
    observe: impl FnOnce(u32) -> Observer,
    output: Relay,
    started: oneshot::Sender<io::Result<Group>>,
    ended: oneshot::Sender<io::Result<Ended>>,
) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
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
    let (written, is_written) = mpsc::channel::<()>();
    let last_error_line = output.last_error_line();
    let program_ended = output.program_ended();
    if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
        thread::spawn(move || output.relay(stdout.into(), stderr.into(), written));
    }
    let _ = started.send(Ok(Group(child.id() as libc::pid_t)));
    let observer = observe(child.id());
    let status = child.wait();
    drop(observer);
    program_ended.store(true, Ordering::Relaxed);
    // The reader drops its end when it has passed on what was written.
    let _ = is_written.recv_timeout(OUTPUT_PATIENCE);
    let last_error_line = last_error_line.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let _ = ended.send(status.map(|status| Ended { status, last_error_line }));
}
