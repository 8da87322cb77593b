//! Running a program in the foreground, in place of this one: it has the terminal, and signals that are sent to
//! this process reach it.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};

use crate::launch::Observer;

/// The program while it runs; 0 before and after.
static CHILD: AtomicI32 = AtomicI32::new(0);
/// A signal that came before the program was there; 0 for none.
static EARLY: AtomicI32 = AtomicI32::new(0);

/// Signals by which people and supervisors talk to a program.
const FORWARDED: [libc::c_int; 6] =
    [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2];

/// Runs `command` to its end, observed from its start on. Returns its process id and how it ended.
///
/// # Errors
/// When it cannot be started.
pub fn run(mut command: Command, observe: impl FnOnce(u32) -> Observer) -> io::Result<(u32, ExitStatus)> {
    catch_signals()?;
    let mut child = command.spawn()?;
    CHILD.store(child.id() as i32, Ordering::SeqCst);
    match EARLY.swap(0, Ordering::SeqCst) {
        0 => {}
        // SAFETY: takes numbers only; the child has not been waited for, so the id is its own.
        signal => unsafe {
            libc::kill(child.id() as i32, signal);
        },
    }
    let observer = observe(child.id());
    wait_without_reaping(&child);
    drop(observer);
    CHILD.store(0, Ordering::SeqCst);
    Ok((child.id(), child.wait()?))
}

/// As long as the child is not reaped its id belongs to nobody else, and a signal cannot reach a stranger.
fn wait_without_reaping(child: &Child) {
    loop {
        // SAFETY: all-zero is a valid value of this structure of integers.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: the call fills the structure that it is given.
        let done =
            unsafe { libc::waitid(libc::P_PID, child.id(), &raw mut info, libc::WEXITED | libc::WNOWAIT) };
        if done == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

fn catch_signals() -> io::Result<()> {
    for signal in FORWARDED {
        // SAFETY: all-zero is a valid value: no flags, an empty mask, the default action.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: the handler has the signature that SA_SIGINFO asks for and calls async-signal-safe functions only.
        let done = unsafe {
            let mut previous: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, std::ptr::null(), &raw mut previous) == 0
                && previous.sa_sigaction == libc::SIG_IGN
            {
                // `nohup` and shells ignore signals for the program, which inherits that.
                continue;
            }
            action.sa_sigaction = forward as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut())
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn forward(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // What a terminal sends goes to the whole foreground group: the program has it already.
    // SAFETY: the kernel passes a valid structure to a handler with SA_SIGINFO.
    let from_a_process = unsafe { (*info).si_code } <= 0;
    if !from_a_process {
        return;
    }
    match CHILD.load(Ordering::SeqCst) {
        0 => EARLY.store(signal, Ordering::SeqCst),
        // SAFETY: both calls are async-signal-safe; errno is put back for the code that was interrupted.
        child => unsafe {
            let errno = *libc::__errno_location();
            libc::kill(child, signal);
            *libc::__errno_location() = errno;
        },
    }
}
