//! `system`: the C library starts the shell from within, with the program's own environment, so it is done here when there
//! is something to pass on. What it does with signals is what POSIX asks for.

use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

use crate::lock::Lock;
use crate::real::call;
use crate::{environment, start};

/// How signals were handled before the first of the calls that go on at this moment.
struct Ignoring {
    calls: u32,
    before: [MaybeUninit<libc::sigaction>; 2],
}

// SAFETY: plain values; a handler is called by whoever is interrupted.
unsafe impl Send for Ignoring {}

/// A person at the terminal means the command, and not the program that waits for it.
const IGNORED: [c_int; 2] = [libc::SIGINT, libc::SIGQUIT];
static IGNORING: Lock<Ignoring> = Lock::new(Ignoring { calls: 0, before: [MaybeUninit::zeroed(); 2] });

#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C" fn system(command: *const c_char) -> c_int {
    if command.is_null() || environment::carried().is_none() || !start::passes_on() {
        // SAFETY: the argument is the program's own.
        return unsafe { call::system(command) };
    }
    // SAFETY: the argument is the program's own.
    unsafe { run(command) }
}

/// # Safety
///
/// `command` must be a string.
unsafe fn run(command: *const c_char) -> c_int {
    // SAFETY: all of these are filled before they are read, and zeros are valid in them.
    let (mut blocked, mut mask, mut usual, mut attributes) = unsafe {
        let sets: [libc::sigset_t; 3] = core::mem::zeroed();
        let [blocked, mask, usual] = sets;
        (blocked, mask, usual, core::mem::zeroed::<libc::posix_spawnattr_t>())
    };
    let arguments = [c"sh".as_ptr(), c"-c".as_ptr(), c"--".as_ptr(), command, null()];
    let (mut pid, mut status) = (0, -1);
    // SAFETY: every pointer is to a local of the right type, or null where that is allowed.
    let error = unsafe {
        libc::sigemptyset(&raw mut usual);
        ignore(&mut usual);
        libc::sigemptyset(&raw mut blocked);
        libc::sigaddset(&raw mut blocked, libc::SIGCHLD);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, &raw mut mask);
        libc::posix_spawnattr_init(&raw mut attributes);
        libc::posix_spawnattr_setsigmask(&raw mut attributes, &raw const mask);
        libc::posix_spawnattr_setsigdefault(&raw mut attributes, &raw const usual);
        let flags = libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
        libc::posix_spawnattr_setflags(&raw mut attributes, flags as libc::c_short);
        let error = super::exec::posix_spawn(
            &raw mut pid,
            c"/bin/sh".as_ptr(),
            null(),
            (&raw const attributes).cast(),
            arguments.as_ptr(),
            environment::of_program(),
        );
        libc::posix_spawnattr_destroy(&raw mut attributes);
        error
    };
    let errno = if error == 0 { wait(pid, &mut status) } else { error };
    if error != 0 {
        // As of a shell that could not be started.
        status = 127 << 8;
    }
    // SAFETY: as above; errno is the calling thread's.
    unsafe {
        put_back();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, null_mut());
        if errno != 0 {
            *libc::__errno_location() = errno;
        }
    }
    status
}

/// Waits for the shell; the error, or 0.
fn wait(pid: libc::pid_t, status: &mut c_int) -> c_int {
    loop {
        // SAFETY: the status is a local of the caller; errno is the calling thread's.
        unsafe {
            if libc::waitpid(pid, status, 0) == pid {
                return 0;
            }
            let errno = *libc::__errno_location();
            if errno != libc::EINTR {
                *status = -1;
                return errno;
            }
        }
    }
}

/// Ignores the signals. Those that had another effect before have it again in the shell.
fn ignore(usual: &mut libc::sigset_t) {
    let mut ignoring = IGNORING.lock();
    ignoring.calls += 1;
    let is_first = ignoring.calls == 1;
    for (signal, before) in IGNORED.into_iter().zip(&mut ignoring.before) {
        // SAFETY: zeros are a valid value, and the calls fill what they are given.
        unsafe {
            if is_first {
                let mut action: libc::sigaction = core::mem::zeroed();
                action.sa_sigaction = libc::SIG_IGN;
                libc::sigaction(signal, &raw const action, before.as_mut_ptr());
            }
            if before.assume_init_ref().sa_sigaction != libc::SIG_IGN {
                libc::sigaddset(usual, signal);
            }
        }
    }
}

/// The last of the calls that go on puts back how the signals were handled.
fn put_back() {
    let mut ignoring = IGNORING.lock();
    ignoring.calls -= 1;
    if ignoring.calls == 0 {
        for (signal, before) in IGNORED.into_iter().zip(&ignoring.before) {
            // SAFETY: filled by the first of the calls.
            unsafe { libc::sigaction(signal, before.as_ptr(), null_mut()) };
        }
    }
}
