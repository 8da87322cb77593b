//! The supervisor's own side: starts the program, tells how it ends, and goes when nothing is left below it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::{c_int, pid_t};

use super::descendants::end_all;
use super::{ENDED, FAILED, STARTED};

/// Runs a program. `socket` is the descriptor that the server left open.
///
/// # Errors
/// When the system refuses what a supervisor needs.
pub fn main(socket: RawFd, program: &[OsString]) -> anyhow::Result<u8> {
    // SAFETY: the server leaves this descriptor to this process, which takes it once.
    let server = unsafe { UnixStream::from_raw_fd(socket) };
    close_on_exec(socket)?;
    // SAFETY: prctl takes numbers only. What loses its parent below this process becomes its child.
    if unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) } != 0 {
        return Err(io::Error::last_os_error().into());
    }
    let ends = child_signals()?;
    let Some((name, arguments)) = program.split_first() else { anyhow::bail!("there is no program to run") };
    let child = match start(name, arguments) {
        Ok(child) => child,
        Err(error) => {
            tell(&server, FAILED, error.raw_os_error().unwrap_or(libc::EIO));
            return Ok(0);
        }
    };
    tell(&server, STARTED, child);
    leave_streams();
    watch(server, &ends, child);
    end_all();
    Ok(0)
}

/// Starts the program in a group of its own, as its own program would be started.
fn start(name: &OsString, arguments: &[OsString]) -> io::Result<pid_t> {
    let mut command = Command::new(name);
    command.args(arguments).process_group(0);
    let supervisor = std::process::id();
    // SAFETY: between fork and exec only async-signal-safe calls are made: prctl, getppid, and reading errno.
    unsafe {
        command.pre_exec(move || {
            // This process may be ended by somebody, too. It has no other thread, whose end would count.
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            if libc::getppid() as u32 != supervisor {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
    // Waited for with all others.
    Ok(command.spawn()?.id() as pid_t)
}

/// Passes on signals and tells the program's end, until the server is gone or nothing is left to end.
fn watch(mut server: UnixStream, ends: &OwnedFd, child: pid_t) {
    let mut running = true;
    loop {
        match reap(child) {
            Reaped::Nothing => return,
            Reaped::Others => {}
            Reaped::Program(status) => {
                running = false;
                tell(&server, ENDED, status);
                continue;
            }
        }
        let mut polled = [server.as_raw_fd(), ends.as_raw_fd()].map(|fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        });
        // SAFETY: the array lives during the call and its length is given.
        unsafe { libc::poll(polled.as_mut_ptr(), 2, -1) };
        if polled[1].revents != 0 {
            forget(ends);
        }
        if polled[0].revents != 0 {
            let mut signal = [0];
            match server.read(&mut signal) {
                Ok(1) if running => {
                    // SAFETY: kill takes numbers only; a negative one means the group of the program, which has not
                    // been waited for, so nobody else has its number.
                    unsafe { libc::kill(-child, c_int::from(signal[0])) };
                }
                Ok(1) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}

enum Reaped {
    /// No process is left below this one.
    Nothing,
    /// Some are, and the program is not among those that have ended.
    Others,
    /// The program has ended with this status.
    Program(c_int),
}

/// Waits for processes that have ended.
fn reap(child: pid_t) -> Reaped {
    loop {
        let mut status = 0;
        // SAFETY: the status lives during the call, which fills it in.
        let ended = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        match ended {
            0 => return Reaped::Others,
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            -1 => return Reaped::Nothing,
            pid if pid == child => return Reaped::Program(status),
            _ => {}
        }
    }
}

/// A descriptor that can be read when a child has ended. Programs start without what is blocked here.
fn child_signals() -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set lives during the calls, and the first one fills it in.
    let fd = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
        libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Reads what has been signalled: how many have ended is asked otherwise.
fn forget(ends: &OwnedFd) {
    let mut buffer = [0u8; size_of::<libc::signalfd_siginfo>()];
    // SAFETY: the buffer lives during the call and its length is given.
    while unsafe { libc::read(ends.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) } > 0 {}
}

/// The program's pipes shall end with the program, and not with its supervisor.
fn leave_streams() {
    let Ok(null) = std::fs::File::options().read(true).write(true).open("/dev/null") else { return };
    for stream in 0..=2 {
        // SAFETY: dup2 takes numbers only. Nothing in this process holds these descriptors in another way.
        unsafe { libc::dup2(null.as_raw_fd(), stream) };
    }
}

fn close_on_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: fcntl takes numbers only here.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Tells the server. One that is gone is noticed where it is listened to.
fn tell(mut server: &UnixStream, what: &str, number: c_int) {
    let _ = writeln!(server, "{what} {number}");
}
