//! The beginning: in the process that becomes a Python interpreter, and in each child that it forks.

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{AtomicBool, Ordering};

use crate::capture::{Identity, PATH_BYTES, Problem};
use crate::hooks::register_exit_hook;
use crate::modes::Modes;
use crate::private::Array;
use crate::python::{self, Detection};
use crate::recorder::{self, MODE, RECORDER, mode};
use crate::{intern, native, real, sys, thread};

const CAPTURE: &CStr = c"HEAPHINT_CAPTURE";
const PROJECT: &CStr = c"HEAPHINT_PROJECT";
const MODES: &CStr = c"HEAPHINT_MODES";
/// Holds what `LD_PRELOAD` was. Without the first part it is the entry that is to be put back.
const PREVIOUS_PRELOAD: &CStr = c"HEAPHINT_LD_PRELOAD";
const PREFIX: &str = "HEAPHINT_";
/// `plain` reads every frame at every walk and writes nothing into frames.
const WALK: &CStr = c"HEAPHINT_WALK";
/// Variables that the launcher, or a test, has set.
const OURS: [&CStr; 7] =
    [c"LD_PRELOAD", CAPTURE, PROJECT, MODES, WALK, c"HEAPHINT_CRASH_AT", c"HEAPHINT_EVENT_LOG"];
const LONGEST_COMMAND: usize = 64 * 1024;

unsafe extern "C" {
    static environ: *mut *mut c_char;
}

/// Whether a recording was begun in this process or in the one it was forked from.
static BEGAN: AtomicBool = AtomicBool::new(false);

/// What the environment said, kept for forked children.
struct Settings {
    capture: Array<u8>,
    project: Array<u8>,
    python_allocator: Array<u8>,
    modes: Modes,
}

static SETTINGS: crate::lock::Lock<Settings> = crate::lock::Lock::new(Settings {
    capture: Array::new(),
    project: Array::new(),
    python_allocator: Array::new(),
    modes: Modes::NONE,
});

#[cfg(not(test))]
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = constructor;

extern "C" fn constructor(_: c_int, _: *const *const c_char, _: *const *const c_char) {
    let _errno = sys::ErrnoGuard::new();
    if !real::find_all() || python::detect() == Detection::NotPython {
        // Not for us, but perhaps the programs that it starts: the environment stays as it is.
        MODE.mode.store(mode::INERT, Ordering::Relaxed);
        return;
    }
    {
        let mut settings = SETTINGS.lock();
        copy_variable(CAPTURE, &mut settings.capture);
        copy_variable(PROJECT, &mut settings.project);
        copy_variable(c"PYTHONMALLOC", &mut settings.python_allocator);
        let mut words = Array::new();
        copy_variable(MODES, &mut words);
        settings.modes = Modes::parse(words.as_slice());
        words.release();
        if settings.modes.native {
            native::turn_on();
        }
    }
    if is_variable(WALK, c"plain") {
        python::walk_plainly();
    }
    python::watch_code_deaths(intern::code_died);
    thread::create_key();
    register_exit_hook();
    MODE.mode.store(mode::WATCHING, Ordering::Relaxed);
}

/// Called at events of a process that has Python loaded: begins as soon as there is an interpreter. Until then it may be
/// a program that only can run Python, as perf and gdb can, or one that starts another program, which is then for us.
/// Whether recording has begun.
pub fn begin_with_interpreter() -> bool {
    let (watching, inert) = (mode::WATCHING, mode::INERT);
    if !python::has_interpreter()
        || MODE.mode.compare_exchange(watching, inert, Ordering::Relaxed, Ordering::Relaxed).is_err()
    {
        return false;
    }
    let _errno = sys::ErrnoGuard::new();
    let page = (&raw const MODE).cast_mut().cast();
    let begun = sys::wipe_on_fork(page, size_of_val(&MODE)) && begin(false).is_ok();
    // The kill tests read their variables in `begin`.
    restore_environment();
    if begun {
        recorder::note_refusal();
        BEGAN.store(true, Ordering::Relaxed);
        MODE.mode.store(mode::RECORDING, Ordering::Relaxed);
    }
    begun
}

/// Called at the first event of a forked child: gives it a capture of its own. Whether to record.
pub fn start_over_after_fork() -> bool {
    if !BEGAN.load(Ordering::Relaxed) || MODE.restarting.swap(1, Ordering::Relaxed) != 0 {
        return false;
    }
    let _errno = sys::ErrnoGuard::new();
    // SAFETY: a forked child begins with one thread, which is this one, and it holds no lock of ours: fork is not
    // called from inside a hook.
    unsafe {
        RECORDER.reset_after_fork();
        SETTINGS.reset_after_fork();
    }
    thread::forget_after_fork();
    // SAFETY: as above.
    unsafe {
        RECORDER.lock().abandon();
        native::start_over_after_fork();
    }
    let begun = begin(true).is_ok();
    let next = if begun { mode::RECORDING } else { mode::INERT };
    MODE.mode.store(next, Ordering::Relaxed);
    begun
}

/// Creates the capture. A forked child's name always has the process id in it.
fn begin(forked: bool) -> Result<(), Problem> {
    let settings = SETTINGS.lock();
    let mut command = Array::new();
    read_command(&mut command);
    let mut directory = [0u8; PATH_BYTES];
    // SAFETY: the buffer has that length.
    let length = unsafe { libc::syscall(libc::SYS_getcwd, directory.as_mut_ptr(), directory.len()) };
    let directory = directory.get(..(length.max(1) as usize) - 1).unwrap_or_default();
    let identity = Identity {
        pid: sys::process_id(),
        // SAFETY: takes nothing and cannot fail.
        parent_pid: unsafe { libc::getppid() } as u32,
        python_version: python::version().map_or(0, |version| version.0),
        main_tid: sys::thread_id(),
        started_unix_ms: sys::clock_ms(libc::CLOCK_REALTIME),
        command: command.as_slice(),
        directory,
        project: settings.project.as_slice(),
        python_allocator: settings.python_allocator.as_slice(),
        modes: settings.modes,
    };
    let mut path = [0u8; PATH_BYTES];
    let mut result = Err("");
    // The plain name first; it may be taken, by an earlier process of the same run.
    for with_pid in [forked, true] {
        let Some(path) = capture_path(settings.capture.as_slice(), identity.pid, with_pid, &mut path) else {
            break;
        };
        result = RECORDER.lock().begin(path, &identity);
        if result.is_ok() {
            break;
        }
    }
    command.release();
    result
}

/// The capture's path: `%p` stands for the process id; without it the id goes before the extension if asked for.
fn capture_path<'a>(pattern: &[u8], pid: u32, with_pid: bool, path: &'a mut [u8]) -> Option<&'a CStr> {
    let mut digits = [0; 10];
    let digits = decimal(pid, &mut digits);
    let mut out = Writer { buffer: path, used: 0 };
    let place = pattern.windows(2).rposition(|pair| pair == b"%p");
    if let Some(at) = place {
        out.write(pattern.get(..at)?)?;
        out.write(digits)?;
        out.write(pattern.get(at + 2..)?)?;
    } else if with_pid {
        let name = pattern.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let dot = pattern
            .get(name..)?
            .iter()
            .rposition(|byte| *byte == b'.')
            .map_or(pattern.len(), |dot| name + dot);
        out.write(pattern.get(..dot)?)?;
        out.write(b".")?;
        out.write(digits)?;
        out.write(pattern.get(dot..)?)?;
    } else {
        out.write(pattern)?;
    }
    out.write(b"\0")?;
    let used = out.used;
    if pattern.is_empty() {
        return None;
    }
    CStr::from_bytes_with_nul(path.get(..used)?).ok()
}

struct Writer<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

impl Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> Option<()> {
        self.buffer.get_mut(self.used..self.used + bytes.len())?.copy_from_slice(bytes);
        self.used += bytes.len();
        Some(())
    }
}

fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut first = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        first = at;
        if number == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}

/// The command line, as the kernel keeps it: arguments that each end in NUL.
fn read_command(command: &mut Array<u8>) {
    let Ok(file) = sys::File::open(c"/proc/self/cmdline", libc::O_RDONLY) else { return };
    let mut buffer = [0; 4096];
    while command.len() < LONGEST_COMMAND {
        let read = file.read(&mut buffer);
        let complete = buffer.iter().take(read).all(|byte| command.push(*byte));
        if read == 0 || !complete {
            break;
        }
    }
}

fn copy_variable(name: &CStr, to: &mut Array<u8>) {
    // SAFETY: the name ends in NUL; no other thread changes the environment while constructors run.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if !value.is_null() {
        // SAFETY: values end in NUL.
        for byte in unsafe { CStr::from_ptr(value) }.to_bytes() {
            if !to.push(*byte) {
                break;
            }
        }
    }
}

fn is_variable(name: &CStr, value: &CStr) -> bool {
    // SAFETY: the name ends in NUL; no other thread changes the environment while constructors run.
    let found = unsafe { libc::getenv(name.as_ptr()) };
    // SAFETY: values end in NUL.
    !found.is_null() && unsafe { CStr::from_ptr(found) } == value
}

/// The program and the processes it starts see the environment that they would see without us.
///
/// The entries are changed where they stand: `unsetenv` takes a lock, and this may be an event inside of `setenv`.
fn restore_environment() {
    // SAFETY: the C library's own variable. The interpreter has only begun, and nobody else changes the environment.
    unsafe { keep_entries(environ, restored) };
}

/// What an entry of the environment, `name=value`, becomes; `None` when it goes.
fn restored(entry: &CStr) -> Option<&CStr> {
    let is_of = |name: &CStr| {
        let rest = entry.to_bytes().strip_prefix(name.to_bytes());
        rest.is_some_and(|rest| rest.first() == Some(&b'='))
    };
    if is_of(PREVIOUS_PRELOAD) {
        let previous = entry.to_bytes_with_nul().get(PREFIX.len()..)?;
        return CStr::from_bytes_with_nul(previous).ok();
    }
    (!OURS.into_iter().any(is_of)).then_some(entry)
}

/// Replaces each entry by what `kept` says, and closes the gaps.
///
/// # Safety
///
/// `entries` must be null or point to strings up to a null pointer, and nobody else may change them.
unsafe fn keep_entries(entries: *mut *mut c_char, kept: impl for<'a> Fn(&'a CStr) -> Option<&'a CStr>) {
    let (mut from, mut to) = (entries, entries);
    // SAFETY: neither goes further than the null pointer at the end, and `to` is never ahead.
    unsafe {
        while !from.is_null() && !(*from).is_null() {
            if let Some(entry) = kept(CStr::from_ptr(*from)) {
                *to = entry.as_ptr().cast_mut();
                to = to.add(1);
            }
            from = from.add(1);
        }
        if !to.is_null() {
            *to = core::ptr::null_mut();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(pattern: &str, with_pid: bool) -> String {
        let mut buffer = [0; 64];
        capture_path(pattern.as_bytes(), 4711, with_pid, &mut buffer)
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    #[test]
    fn a_capture_has_the_process_id_where_it_is_asked_for() {
        assert_eq!(path("/tmp/app.py.%p.heaphint", false), "/tmp/app.py.4711.heaphint");
        assert_eq!(path("/tmp/app.heaphint", false), "/tmp/app.heaphint");
        assert_eq!(path("/tmp/app.heaphint", true), "/tmp/app.4711.heaphint");
        assert_eq!(path("/t.mp/app", true), "/t.mp/app.4711");
    }

    #[test]
    fn the_environment_is_as_before() {
        let mut texts = [
            c"A=1".to_owned(),
            c"LD_PRELOAD=/tracer.so:/other.so".to_owned(),
            c"HEAPHINT_CAPTURE=/x".to_owned(),
            c"HEAPHINT_CAPTURES=mine".to_owned(),
            c"HEAPHINT_LD_PRELOAD=/other.so".to_owned(),
            c"strange".to_owned(),
        ];
        let mut entries: Vec<_> = texts.iter_mut().map(|text| text.as_ptr().cast_mut()).collect();
        entries.push(core::ptr::null_mut());
        // SAFETY: the entries end in a null pointer.
        unsafe { keep_entries(entries.as_mut_ptr(), restored) };
        // SAFETY: as above.
        let kept = entries
            .iter()
            .take_while(|entry| !entry.is_null())
            .map(|entry| unsafe { CStr::from_ptr(*entry) });
        let expected = [c"A=1", c"HEAPHINT_CAPTURES=mine", c"LD_PRELOAD=/other.so", c"strange"];
        assert!(kept.eq(expected));
        // SAFETY: there is nothing to change.
        unsafe { keep_entries(core::ptr::null_mut(), restored) };
    }
}
