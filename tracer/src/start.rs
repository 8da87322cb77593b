//! The beginning: in the process that becomes a Python interpreter, and in each child that it forks.

use core::ffi::{c_char, c_int};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use heaphint_format::{Origin, Process, StopReason};

use crate::capture::{Identity, NAME_TAKEN, PATH_BYTES, Problem};
use crate::environment::{self, CAPTURE, MODES, PARENT, PROJECT, SAMPLE_SEED, SESSION, WALK};
use crate::hooks::{install_python_allocators, register_exit_hook};
use crate::modes::Modes;
use crate::place::{MOST_IMAGES, Pattern};
use crate::private::Array;
use crate::python::{self, Detection};
use crate::recorder::{self, MODE, RECORDER, mode};
use crate::{intern, lock, native, real, sampling, sys, thread};

const LONGEST_COMMAND: usize = 64 * 1024;
/// Bits of a session's number behind the time at which it began.
const SESSION_BITS: u32 = 22;

/// Whether a recording was begun in this process or in the one it was forked from.
static BEGAN: AtomicBool = AtomicBool::new(false);
/// Whether the program itself has stopped it; then children that it forks are not recorded either.
static STOPPED: AtomicBool = AtomicBool::new(false);
/// Whether what a recorded process forks or starts is recorded, too.
static FOLLOWS: AtomicBool = AtomicBool::new(true);
/// The process that has the capture in this memory, which may be another one: its forked child has not begun its own, and a
/// child made by `vfork` never will.
static RECORDED: AtomicU32 = AtomicU32::new(0);

/// What the environment said, kept for forked children.
struct Settings {
    capture: Array<u8>,
    project: Array<u8>,
    python_allocator: Array<u8>,
    modes: Modes,
    session: u64,
    /// The recorded process that started this one, 0 when there is none.
    parent_pid: u32,
}

static SETTINGS: crate::lock::Lock<Settings> = crate::lock::Lock::new(Settings {
    capture: Array::new(),
    project: Array::new(),
    python_allocator: Array::new(),
    modes: Modes::NONE,
    session: 0,
    parent_pid: 0,
});

#[cfg(not(test))]
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = constructor;

extern "C" fn constructor(_: c_int, _: *const *const c_char, _: *const *const c_char) {
    let _errno = sys::ErrnoGuard::new();
    let is_python = real::find_all() && python::detect() != Detection::NotPython;
    read_settings(is_python);
    if !is_python {
        // Not for us, but perhaps the programs that it starts.
        MODE.mode.store(mode::INERT, Ordering::Relaxed);
        return;
    }
    python::watch_code_deaths(intern::code_died);
    lock::find_out_about_threads();
    thread::create_key();
    register_exit_hook();
    MODE.mode.store(mode::WATCHING, Ordering::Relaxed);
}

/// Reads our variables, and takes them out of the environment.
fn read_settings(is_python: bool) {
    if is_python {
        let mut settings = SETTINGS.lock();
        copy(environment::value(CAPTURE), &mut settings.capture);
        copy(environment::value(PROJECT), &mut settings.project);
        copy(environment::value(c"PYTHONMALLOC"), &mut settings.python_allocator);
        let number = |name| environment::value(name).and_then(environment::number).unwrap_or(0);
        settings.session = number(SESSION);
        settings.parent_pid = number(PARENT) as u32;
        settings.modes = environment::value(MODES).map_or(Modes::NONE, Modes::parse);
        FOLLOWS.store(settings.modes.follow, Ordering::Relaxed);
        sampling::set(settings.modes.sample_bytes, number(SAMPLE_SEED));
        if settings.modes.python_allocators {
            python::allocators::find();
        }
        native::turn(settings.modes.native);
        if environment::value(WALK) == Some(b"plain") {
            python::walk_plainly();
        }
    }
    environment::take();
}

fn copy(from: Option<&[u8]>, to: &mut Array<u8>) {
    for byte in from.unwrap_or_default() {
        if !to.push(*byte) {
            break;
        }
    }
}

/// Whether programs that are started are to be told what this one was told. What is not recorded itself passes on what may
/// be for a program that it starts.
pub fn passes_on() -> bool {
    FOLLOWS.load(Ordering::Relaxed) || !BEGAN.load(Ordering::Relaxed)
}

/// The process whose capture is in this memory; 0 when there is none.
pub fn recorded_process() -> u32 {
    RECORDED.load(Ordering::Relaxed)
}

/// Notes in the capture of a child of this process how it ended, as [`heaphint_format::Header::exit_status`] has it. Without
/// room for that, and while another thread does the same, it stays unknown.
pub fn note_end(pid: u32, status: i32) {
    if let Some(settings) = SETTINGS.try_lock()
        && settings.session != 0
    {
        Pattern(settings.capture.as_slice()).note_end(pid, settings.session, status);
    }
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
    let begun = sys::wipe_on_fork(page, size_of_val(&MODE)) && begin(None, MOST_IMAGES).is_ok();
    // The kill tests read their variables in `begin`.
    environment::forget_tests();
    if begun {
        if SETTINGS.lock().modes.python_allocators {
            install_python_allocators();
        }
        recorder::note_refusal();
        BEGAN.store(true, Ordering::Relaxed);
        MODE.mode.store(mode::RECORDING, Ordering::Relaxed);
    }
    begun
}

/// Ends the recording because the program itself asks for it.
pub fn stop_from_inside() {
    STOPPED.store(true, Ordering::Relaxed);
    RECORDER.lock().stop(StopReason::Stopped);
}

/// Begins a recording because the program itself asks for it. `None` when the path is of no use.
pub fn begin_from_inside(path: &[u8], modes: Modes) -> Option<Result<(), Problem>> {
    let mut directory = [0; PATH_BYTES];
    let directory = working_directory(&mut directory);
    {
        let mut settings = SETTINGS.lock();
        settings.capture.truncate(0);
        if path.first()? != &b'/' {
            copy(Some(directory), &mut settings.capture);
            copy(Some(b"/"), &mut settings.capture);
        }
        copy(Some(path), &mut settings.capture);
        if settings.capture.len() + 32 > PATH_BYTES {
            return None;
        }
        if settings.project.len() == 0 {
            copy(environment::value(PROJECT).or(Some(directory)), &mut settings.project);
        }
        settings.modes = modes;
    }
    FOLLOWS.store(modes.follow, Ordering::Relaxed);
    sampling::set(modes.sample_bytes, 0);
    let mut round = 0;
    while BEGAN.load(Ordering::Relaxed) && !RECORDER.lock().forget_stopped() {
        sys::pause(round);
        round += 1;
    }
    let page = (&raw const MODE).cast_mut().cast();
    if !sys::wipe_on_fork(page, size_of_val(&MODE)) {
        return Some(Err(""));
    }
    native::turn(modes.native);
    // Addresses have other numbers in another capture.
    native::forget_rules();
    let begun = begin(None, 0);
    if begun.is_ok() {
        if modes.python_allocators {
            python::allocators::find();
            install_python_allocators();
        }
        recorder::note_refusal();
        BEGAN.store(true, Ordering::Relaxed);
        STOPPED.store(false, Ordering::Relaxed);
        MODE.mode.store(mode::RECORDING, Ordering::Relaxed);
    }
    Some(begun)
}

/// Called at the first event of a forked child: gives it a capture of its own. Whether to record.
pub fn start_over_after_fork() -> bool {
    if STOPPED.load(Ordering::Relaxed) {
        MODE.mode.store(mode::INERT, Ordering::Relaxed);
        return false;
    }
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
    let parent = RECORDED.swap(0, Ordering::Relaxed);
    let begun = FOLLOWS.load(Ordering::Relaxed) && begin(Some(parent), MOST_IMAGES).is_ok();
    let next = if begun { mode::RECORDING } else { mode::INERT };
    MODE.mode.store(next, Ordering::Relaxed);
    begun
}

/// The working directory, as the kernel names it; empty when it cannot be named.
fn working_directory(buffer: &mut [u8; PATH_BYTES]) -> &[u8] {
    // SAFETY: the buffer has that length.
    let length = unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) };
    buffer.get(..(length.max(1) as usize) - 1).unwrap_or_default()
}

/// Creates the capture of this process, which was forked from the recorded process `forked_from` if that is given. When its
/// name is taken, names up to that of the image `most_images` are tried.
fn begin(forked_from: Option<u32>, most_images: u32) -> Result<(), Problem> {
    let settings = SETTINGS.lock();
    let pattern = Pattern(settings.capture.as_slice());
    let pid = sys::process_id();
    let (origin, parent_pid) = match (forked_from, settings.parent_pid) {
        (Some(parent), _) => (Origin::Forked, parent),
        (None, parent) if parent == pid => (Origin::Replaced, 0),
        (None, 0) => (Origin::First, 0),
        (None, parent) => (Origin::Started, parent),
    };
    if settings.session != 0 && pattern.is_full(settings.session >> SESSION_BITS) {
        return Err("");
    }
    let mut command = Array::new();
    read_command(&mut command);
    let mut directory = [0u8; PATH_BYTES];
    let directory = working_directory(&mut directory);
    let identity = Identity {
        pid,
        // SAFETY: takes nothing and cannot fail.
        parent_pid: if parent_pid == 0 { unsafe { libc::getppid() as u32 } } else { parent_pid },
        python_version: python::version().map_or(0, |version| version.0),
        main_tid: sys::thread_id(),
        started_unix_ms: sys::clock_ms(libc::CLOCK_REALTIME),
        command: command.as_slice(),
        directory,
        project: settings.project.as_slice(),
        python_allocator: settings.python_allocator.as_slice(),
        modes: settings.modes,
        process: Process { session: settings.session, origin: origin as u32, reserved: 0 },
    };
    let mut path = [0u8; PATH_BYTES];
    let mut result = Err("");
    // The plain name is for the first process, and any name may be taken: by an earlier program of this process, or by an
    // older process with the same id.
    let first_image = u32::from(origin != Origin::First).min(most_images);
    for image in first_image..=most_images {
        let Some(path) = pattern.path(pid, image, &mut path) else { break };
        result = RECORDER.lock().begin(path, &identity);
        if result != Err(NAME_TAKEN) {
            break;
        }
    }
    command.release();
    if result.is_ok() {
        RECORDED.store(pid, Ordering::Relaxed);
        environment::name_parent(pid);
    }
    result
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
