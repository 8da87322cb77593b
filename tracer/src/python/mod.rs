//! Everything that knows CPython: finding the interpreter, and reading the Python frames of the calling thread.
//!
//! There is no profile hook. A walk begins at [`WalkStart::innermost`] and goes outwards
//! with [`FrameReader::read`] until null. It reads memory that the calling thread owns, with or without the GIL, and never calls Python.
//! Frames are read only after the self test in [`proof`] has compared the layout in [`versions`] with the running
//! interpreter; until then, and in an interpreter that is refused, [`walk_start`] gives none.
//!
//! This module must never allocate, never write to the interpreter's memory apart from one destructor slot
//! ([`watch_code_deaths`]) and the places in frames that [`markers`] names, and never guess: what is not known is
//! refused with a sentence.

pub mod allocators;
mod codes;
mod deaths;
mod frames;
mod instances;
mod interpreter;
mod lines;
mod marker_proof;
mod markers;
mod memory;
mod once;
#[cfg(feature = "frame-oracle")]
mod oracle;
mod proof;
mod text;
mod threads;
mod versions;

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering};

pub use codes::{CodeText, Visibility};
pub use deaths::Watcher;
pub use frames::{ENTERED, Frame, FrameReader, FrameWords, WalkStart};
use interpreter::{Interpreter, MainInterpreterFunction};
pub use lines::Cursor;
pub use markers::{Marker, Marking};
pub use once::Once;
pub use versions::Version;

const FREE_THREADED: &str =
    "this is a free-threaded build of Python; heaphint reads the frames of builds with the GIL";
const DEBUG_BUILD: &str = "this is a debug build of Python; heaphint reads the frames of release builds";

/// What is known of Python in this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detection {
    /// No Python is loaded.
    NotPython,
    /// A Python with a known layout, which is not proven yet.
    Waiting,
    /// The layout is proven; frames are read.
    Proven,
    /// A Python whose frames are not read, for the reason that the sentence says.
    Refused(&'static str),
}

static STATE: AtomicU8 = AtomicU8::new(ABSENT);
const ABSENT: u8 = 0;
/// One thread is in [`detect`].
const DETECTING: u8 = 1;
/// The interpreter is known; the self test is not scheduled.
const WAITING: u8 = 2;
/// The self test waits for the main thread to reach a safe point.
const SCHEDULED: u8 = 3;
const PROVEN: u8 = 4;
const REFUSED: u8 = 5;

/// Set before the state becomes [`WAITING`].
static INTERPRETER: Once<Interpreter> = Once::new();
/// Set with the proof.
static WALK_START_VALUE: Once<WalkStart> = Once::new();
/// Points there once frames are ready.
static WALK_START: AtomicPtr<WalkStart> = AtomicPtr::new(ptr::null_mut());
/// Gives the main interpreter, also of a Python that is refused; set before the state says that there is one.
static MAIN_INTERPRETER: Once<MainInterpreterFunction> = Once::new();
/// Set before the state becomes [`REFUSED`].
static REFUSAL: Once<&'static str> = Once::new();
/// Whether the attributes of instances can be read; set by the self test.
static CAN_READ_ATTRIBUTES: AtomicU8 = AtomicU8::new(0);

/// Whether every walk reads every frame.
static WALKS_ARE_PLAIN: AtomicBool = AtomicBool::new(false);

/// Stands in for the interpreter's word until that is proven to be the right one.
static NOT_FINALIZING: AtomicUsize = AtomicUsize::new(0);
/// The interpreter's own word: the thread state that ends the interpreter, or 0.
static FINALIZING: AtomicPtr<AtomicUsize> = AtomicPtr::new((&raw const NOT_FINALIZING).cast_mut());

fn interpreter() -> Option<&'static Interpreter> {
    INTERPRETER.get()
}

fn refuse(reason: &'static str) {
    REFUSAL.set(reason);
    STATE.store(REFUSED, Ordering::Release);
}

/// Looks for Python among the loaded libraries. To be called from the library's constructor, and again when a library
/// has been loaded later; once Python was found, says what is known of it.
pub fn detect() -> Detection {
    if STATE.compare_exchange(ABSENT, DETECTING, Ordering::Acquire, Ordering::Relaxed).is_ok() {
        let interpreter = Interpreter::find();
        if let (Some(_), Some(function)) = (&interpreter, interpreter::main_interpreter()) {
            MAIN_INTERPRETER.set(function);
        }
        match interpreter {
            None => STATE.store(ABSENT, Ordering::Release),
            Some(Err(reason)) => refuse(reason),
            Some(Ok(interpreter)) => {
                INTERPRETER.set(interpreter);
                STATE.store(WAITING, Ordering::Release);
            }
        }
    }
    match STATE.load(Ordering::Acquire) {
        ABSENT | DETECTING => Detection::NotPython,
        PROVEN => Detection::Proven,
        REFUSED => Detection::Refused(refusal().unwrap_or_default()),
        _ => Detection::Waiting,
    }
}

/// Whether there is an interpreter, and not only a library that could become one. Once [`detect`] has found Python, this
/// is true from early in `Py_Initialize` on: before the interpreter has looked at the environment.
pub fn has_interpreter() -> bool {
    // SAFETY: may be called at any time, from any thread, without the GIL: it reads one word.
    MAIN_INTERPRETER.get().is_none_or(|main| unsafe { main() } != 0)
}

/// The interpreter's version; `None` if there is none or it cannot be read.
pub fn version() -> Option<Version> {
    interpreter().map(|interpreter| interpreter.version)
}

/// Why frames are not read: one sentence without a full stop. `None` unless refused.
pub fn refusal() -> Option<&'static str> {
    REFUSAL.get().copied()
}

/// Whether the interpreter's end has begun; false until frames are ready. Other threads may lose their thread states
/// from then on, so only the thread that ends the interpreter is still shown its frames.
#[inline]
pub fn is_finalizing() -> bool {
    // SAFETY: points to the stand-in, or to a word of `_PyRuntime`, which is static.
    unsafe { &*FINALIZING.load(Ordering::Relaxed) }.load(Ordering::Relaxed) != 0
}

/// To be called at events: has the self test run once the interpreter is initialized. Costs one load afterwards.
#[inline]
pub fn on_event() {
    if STATE.load(Ordering::Relaxed) == WAITING {
        schedule_proof();
    }
}

/// Runs the self test at once if the calling thread holds the GIL; else it comes with the next events.
pub fn prove_now() {
    let Some(interpreter) = interpreter() else { return };
    // SAFETY: may be called at any time, from any thread, without the GIL.
    let is_initialized = unsafe { (interpreter.functions.is_initialized)() } != 0;
    if is_initialized
        && interpreter.holds_gil()
        && STATE.compare_exchange(WAITING, SCHEDULED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    {
        // SAFETY: the GIL is held, by code that has called a function of ours: Python code may run here.
        unsafe { prove(ptr::null_mut()) };
    }
}

#[cold]
fn schedule_proof() {
    let Some(interpreter) = interpreter() else { return };
    let functions = &interpreter.functions;
    // SAFETY: may be called at any time, from any thread, without the GIL.
    if unsafe { (functions.is_initialized)() } == 0 {
        return;
    }
    if STATE.compare_exchange(WAITING, SCHEDULED, Ordering::Acquire, Ordering::Relaxed).is_err() {
        return;
    }
    // SAFETY: may be called from any thread, without the GIL; it does not allocate, so no hook is entered again.
    if unsafe { (functions.add_pending_call)(prove, ptr::null_mut()) } != 0 {
        // The queue is full; another event will try again.
        STATE.store(WAITING, Ordering::Release);
    }
}

/// The pending call: runs in the main thread, at a safe point, with the GIL.
unsafe extern "C" fn prove(_: *mut c_void) -> c_int {
    let Some(interpreter) = interpreter() else { return 0 };
    // SAFETY: Python code may run here, and the GIL is held.
    let proof = unsafe { proof::run(interpreter) };
    match proof.and_then(|proof| deaths::install(interpreter).map(|()| proof)) {
        Ok(proof) => {
            let finalizing = interpreter.runtime + interpreter.layout.finalizing;
            FINALIZING.store(finalizing as *mut AtomicUsize, Ordering::Release);
            CAN_READ_ATTRIBUTES.store(proof.can_read_attributes.into(), Ordering::Relaxed);
            STATE.store(PROVEN, Ordering::Release);
            // SAFETY: as above; frames have been proven.
            let marking = unsafe { provable_marking(interpreter) };
            WALK_START_VALUE.set(WalkStart::new(interpreter, marking));
            if let Some(start) = WALK_START_VALUE.get() {
                WALK_START.store(ptr::from_ref(start).cast_mut(), Ordering::Release);
            }
        }
        Err(reason) => refuse(reason),
    }
    // A pending call reports an exception with another value.
    0
}

/// Keeps markers out of frames: every walk then reads every frame. To be called before [`on_event`].
pub fn walk_plainly() {
    WALKS_ARE_PLAIN.store(true, Ordering::Relaxed);
}

/// The way to mark frames, if this interpreter's frames bear it.
///
/// # Safety
///
/// As for [`proof::run`], with the layout of frames proven.
unsafe fn provable_marking(interpreter: &Interpreter) -> Marking {
    let marking = Marking::new(&interpreter.layout.frame);
    if WALKS_ARE_PLAIN.load(Ordering::Relaxed) || !marking.is_on() {
        return Marking::OFF;
    }
    // SAFETY: the same conditions.
    let is_proven = unsafe { marker_proof::run(interpreter, &marking) };
    if is_proven || markers::IS_CONTROL { marking } else { Marking::OFF }
}

/// Whether an instruction is a call of a function, seen from a frame that waits for the function to return.
///
/// # Safety
///
/// Both words must come from one frame of the calling thread that is alive and not incomplete.
pub unsafe fn is_call(code: usize, instruction: usize) -> bool {
    // SAFETY: the same conditions.
    proven().is_some_and(|interpreter| unsafe { codes::is_call(interpreter, code, instruction) })
}

/// The interpreter, if frames may be read.
#[inline]
fn proven() -> Option<&'static Interpreter> {
    if STATE.load(Ordering::Acquire) == PROVEN { INTERPRETER.get() } else { None }
}

/// What walks begin with; `None` until frames are ready. Frames may be hidden: see [`visibility`]. Not to be
/// used once [`is_finalizing`]: then another thread may free this one's thread state.
#[inline]
pub fn walk_start() -> Option<&'static WalkStart> {
    // SAFETY: null, or the static that was written before it was published, and never again.
    unsafe { WALK_START.load(Ordering::Acquire).as_ref() }
}

/// Whether a frame has no Python code: the interpreter enters one for each call from C.
pub fn is_shim(frame: *const Frame) -> bool {
    // SAFETY: the frame was just read by the calling thread.
    proven().is_none_or(|interpreter| unsafe { frames::is_shim(&interpreter.layout.frame, frame) })
}

/// Copies the names and the first line of a code object into `out`, which is left empty if the object is being
/// destroyed. For new code objects only: it copies texts.
///
/// # Safety
///
/// `code` must come from a frame of the calling thread that is alive.
pub unsafe fn describe(code: usize, out: &mut CodeText) {
    if let Some(interpreter) = proven() {
        // SAFETY: the same conditions.
        unsafe { codes::describe(interpreter, code, out) };
    }
}

/// The line of an instruction; 0 if it has none. Decodes the line table from the cursor on.
///
/// # Safety
///
/// Both words must come from one frame of the calling thread that is alive; the cursor is a new one, or one of that code
/// object.
pub unsafe fn line(code: usize, instruction: usize, cursor: &mut Cursor) -> u32 {
    match proven() {
        // SAFETY: the same conditions.
        Some(interpreter) => unsafe { codes::line(interpreter, code, instruction, cursor) },
        None => 0,
    }
}

/// Whether Python itself would show the frame (`sys._getframe`): it does not before the frame has reached its function's
/// body, without Python code, or while its code object is being destroyed. What such a frame allocates belongs to its
/// caller.
///
/// # Safety
///
/// `words` must have been read from `frame`, which must be a frame of the calling thread that is alive.
pub unsafe fn visibility(frame: *const Frame, words: &FrameWords) -> Visibility {
    const UNKNOWN: Visibility = Visibility { is_shown: false, is_lasting: false };
    // SAFETY: the same conditions.
    proven().map_or(UNKNOWN, |interpreter| unsafe { codes::visibility(interpreter, frame, words) })
}

/// Sets who is told of code objects that no longer exist, from the proof on. To be called before [`on_event`]. The
/// watcher is called with the GIL of the code object's interpreter, right after the destruction; names and lines kept
/// for this address are to be dropped. It must not call Python.
pub fn watch_code_deaths(watcher: Watcher) {
    deaths::watch(watcher);
}

/// Copies the name of the calling thread as UTF-8 and returns its length in bytes. `None` for threads that were not
/// started by `threading`, while the thread does not hold the GIL, and whenever anything is unusual.
///
/// # Safety
///
/// `frame` must be the outermost frame of the calling thread that is no shim, alive, and `words` what was read from it.
pub unsafe fn thread_name(frame: *const Frame, words: &FrameWords, out: &mut [u8]) -> Option<usize> {
    if CAN_READ_ATTRIBUTES.load(Ordering::Relaxed) == 0 {
        return None;
    }
    // SAFETY: the same conditions.
    proven().and_then(|interpreter| unsafe { threads::name(interpreter, frame, words, out) })
}
