//! The traced program as a process: in a group of its own, with its output apart from the server's, ended when the
//! server ends.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
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

    /// Whether other processes of the group are left after its leader has ended.
    pub fn has_rest(self) -> bool {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).any(|pid| {
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
            // Behind the name, which may hold anything: state, parent, group.
            let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
            let mut fields = rest.split(' ');
            fields.next() != Some("Z") && fields.nth(1).and_then(|group| group.parse().ok()) == Some(self.0)
        })
    }

    /// The process that leads the group.
    pub fn leader(self) -> u32 {
        self.0.unsigned_abs()
    }
}

/// The leader of a group that has ended. As long as it is kept, its number and the group's are given to nobody else, so
/// signals reach the group or nobody.
#[derive(Debug)]
pub struct Leader(Child);

impl Drop for Leader {
    fn drop(&mut self) {
        // It has ended, so this does not wait.
        let _ = self.0.wait();
    }
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// The process itself, to be kept while its group may be sent signals.
    pub leader: Leader,
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
    let status = wait(&child);
    drop(observer);
    program_ended.store(true, Ordering::Relaxed);
    // The reader drops its end when it has passed on what was written.
    let _ = is_written.recv_timeout(OUTPUT_PATIENCE);
    let last_error_line = last_error_line.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let leader = Leader(child);
    let _ = ended.send(status.map(|status| Ended { leader, status, last_error_line }));
}

/// Waits for a process's end, and leaves it where it is: its number stays its own.
fn wait(child: &Child) -> io::Result<ExitStatus> {
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the structure lives during the call, which fills it in.
        let waited = unsafe {
            libc::waitid(libc::P_PID, child.id(), info.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT)
        };
        if waited == 0 {
            // SAFETY: zeros are a valid value of this structure of numbers, and the call has filled it in.
            let info = unsafe { info.assume_init() };
            // SAFETY: after waitid the structure tells of a child, whatever its code.
            let status = unsafe { info.si_status() };
            let raw = if info.si_code == libc::CLD_EXITED { (status & 0xff) << 8 } else { status };
            return Ok(ExitStatus::from_raw(raw));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
