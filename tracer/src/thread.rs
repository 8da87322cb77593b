//! What the tracer knows of a thread, and how the calling thread finds it.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::area::OwnArea;
use crate::naming::Naming;
use crate::native::NativeStack;
use crate::numbers::Numbers;
use crate::private::Array;
use crate::recorder::{MODE, RECORDER, Recorder, mode};
use crate::sampling::Sampler;
use crate::steps::Known;
use crate::walk::RememberedStack;
use crate::{sys, tls};

/// Threads that a capture tells apart; all others share entry 0.
pub const MOST_THREADS: u32 = 4096;

/// A thread's record. Its memory is used again after the thread has ended.
pub struct Thread {
    /// Not 0 while the thread is inside a hook: what happens then is the tracer's or the C library's own doing.
    pub inside: u32,
    /// Index in the capture.
    pub index: u32,
    pub stack: RememberedStack,
    pub native: NativeStack,
    /// Its pending events.
    pub area: OwnArea,
    /// Stacks and sites that it has met lately.
    pub known: Known,
    pub numbers: Numbers,
    /// Events since the clock was looked at.
    pub unticked: u32,
    /// The clock as it was then, milliseconds since recording began.
    pub now_ms: u32,
    pub naming: Naming,
    /// Which of its allocations are recorded. The next thread that gets the record goes on where it is.
    pub sampler: Sampler,
    destructor_rounds: u32,
    next_free: *mut Thread,
}

impl Thread {
    /// Forgets what is of an earlier recording.
    fn forget(&mut self) {
        self.inside = 1;
        self.stack.clear();
        self.native.forget();
        self.known = Known::new();
        self.numbers = Numbers::NONE;
        self.now_ms = 0;
    }

    /// The calling thread becomes one of the capture's.
    fn join(&mut self, recorder: &mut Recorder) {
        let mut name = [0; 16];
        let tid = sys::thread_id();
        let is_main = tid == sys::process_id();
        let name = self.naming.begin(&mut name, is_main);
        self.index = recorder.add_thread(tid, name);
        self.area = recorder.area(self.index);
        self.inside = 0;
    }

    const fn new() -> Self {
        Self {
            inside: 0,
            index: 0,
            stack: RememberedStack::new(),
            native: NativeStack::new(),
            area: OwnArea::NONE,
            known: Known::new(),
            numbers: Numbers::NONE,
            unticked: 0,
            now_ms: 0,
            naming: Naming::new(),
            sampler: Sampler::new(),
            destructor_rounds: 0,
            next_free: null_mut(),
        }
    }
}

/// [`Thread::inside`] of a thread whose record is of an earlier recording.
const STALE: u32 = 2;
const PER_PAGE: usize = 4096 / size_of::<Thread>();

/// Records of threads that have ended, for new ones.
pub struct FreeThreads {
    first: *mut Thread,
    /// All there are, also those that are in use.
    pages: Array<usize>,
}

// SAFETY: reached only under the recorder's lock.
unsafe impl Send for FreeThreads {}

impl FreeThreads {
    pub const fn new() -> Self {
        Self { first: null_mut(), pages: Array::new() }
    }

    fn take(&mut self) -> Option<*mut Thread> {
        if self.first.is_null() {
            let page = sys::map_private(4096)?.cast::<Thread>();
            if !self.pages.push(page as usize) {
                return None;
            }
            for i in 0..PER_PAGE {
                // SAFETY: the page has room for so many.
                unsafe {
                    let thread = page.add(i);
                    thread.write(Thread { next_free: self.first, ..Thread::new() });
                    self.first = thread;
                }
            }
        }
        let thread = self.first;
        // SAFETY: threads on the list belong to nobody.
        self.first = unsafe { (*thread).next_free };
        Some(thread)
    }

    fn put(&mut self, thread: *mut Thread) {
        // SAFETY: its thread has ended.
        unsafe {
            (*thread).stack.clear();
            (*thread).native.clear();
            (*thread).next_free = self.first;
        }
        self.first = thread;
    }

    /// Recording has stopped, and another one is about to begin: what threads remember is of no use there. `false` when one
    /// is still inside a hook.
    pub fn make_stale(&mut self) -> bool {
        let records = |page: &usize| {
            let page = *page as *mut Thread;
            (0..PER_PAGE).map(move |i| page.wrapping_add(i))
        };
        // SAFETY: the pages have so many records, whose threads change `inside` by plain stores of a word.
        let inside = |thread: *mut Thread| unsafe { AtomicU32::from_ptr(&raw mut (*thread).inside) };
        self.pages.as_slice().iter().flat_map(records).all(|thread| {
            let is_out =
                inside(thread).compare_exchange(0, STALE, Ordering::AcqRel, Ordering::Acquire) != Err(1);
            if is_out {
                // SAFETY: nobody uses the record before there is another recording, and areas are given back under this lock.
                unsafe { (*thread).area = OwnArea::NONE };
            }
            is_out
        })
    }
}

/// Stands for a thread that is being registered: inside, so nothing of it is recorded.
struct Busy(Thread);
// SAFETY: its only field that is ever read is never written.
unsafe impl Sync for Busy {}
static BUSY: Busy = Busy(Thread { inside: 1, ..Thread::new() });

/// The key whose destructor tells that a thread ends; plus one, 0 while there is none.
static KEY: AtomicU32 = AtomicU32::new(0);

/// Creates the key; from the constructor.
pub fn create_key() {
    let mut key: libc::pthread_key_t = 0;
    // SAFETY: the destructor has the right type.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(thread_ends)) } == 0 {
        KEY.store(key + 1, Ordering::Relaxed);
    }
}

/// The calling thread's record, which is not in use by an outer frame of this thread; `None` when it is.
#[inline]
pub fn current() -> Option<&'static mut Thread> {
    let thread = tls::get();
    if thread.is_null() {
        return register();
    }
    // SAFETY: a thread's record is reached by that thread only, and `inside` keeps it to one reference.
    match unsafe { (*thread).inside } {
        // SAFETY: as above.
        0 => Some(unsafe { &mut *thread }),
        STALE => join_again(thread),
        _ => None,
    }
}

/// Whether the calling thread was interrupted, by a signal's handler, while it was inside a hook and may hold the
/// recorder's lock.
pub fn is_inside_hook() -> bool {
    let thread = tls::get();
    // SAFETY: as in `current`.
    !thread.is_null() && unsafe { (*thread).inside == 1 }
}

/// Gives a thread whose record is of an earlier recording a place in this one.
#[cold]
fn join_again(thread: *mut Thread) -> Option<&'static mut Thread> {
    let _errno = sys::ErrnoGuard::new();
    // SAFETY: the calling thread's own record, which is not in use.
    let thread = unsafe { &mut *thread };
    thread.forget();
    thread.join(&mut RECORDER.lock());
    Some(thread)
}

#[cold]
fn register() -> Option<&'static mut Thread> {
    let _errno = sys::ErrnoGuard::new();
    // What follows may allocate, and would come back here.
    tls::set((&raw const BUSY.0).cast_mut());
    let thread = {
        let mut recorder = RECORDER.lock();
        let Some(thread) = recorder.free_threads.take() else {
            drop(recorder);
            tls::set(null_mut());
            return None;
        };
        // SAFETY: the record belongs to this thread now.
        unsafe {
            (*thread).destructor_rounds = 0;
            if (*thread).inside == STALE {
                (*thread).forget();
            }
            (*thread).join(&mut recorder);
        }
        thread
    };
    if let Some(key) = KEY.load(Ordering::Relaxed).checked_sub(1) {
        // SAFETY: the key exists.
        unsafe { libc::pthread_setspecific(key, thread.cast()) };
    }
    tls::set(thread);
    // SAFETY: as in `current`.
    Some(unsafe { &mut *thread })
}

/// The key's destructor. Other keys' destructors may still allocate and free, so it comes back for the last round.
extern "C" fn thread_ends(record: *mut c_void) {
    const LAST_ROUND: u32 = 3;
    let thread = record.cast::<Thread>();
    // SAFETY: the key's value is this thread's record.
    let rounds = unsafe {
        (*thread).destructor_rounds += 1;
        (*thread).destructor_rounds
    };
    if rounds < LAST_ROUND
        && let Some(key) = KEY.load(Ordering::Relaxed).checked_sub(1)
    {
        // SAFETY: the key exists.
        let again: c_int = unsafe { libc::pthread_setspecific(key, record) };
        if again == 0 {
            return;
        }
    }
    tls::set(null_mut());
    if MODE.mode.load(Ordering::Relaxed) == mode::UNDECIDED {
        // A forked child without a capture: the record is its parent's, and so may be whoever holds the lock.
        return;
    }
    let mut recorder = RECORDER.lock();
    // SAFETY: the record is this thread's until it is put back.
    recorder.give_back(unsafe { &mut (*thread).area });
    recorder.free_threads.put(thread);
}

/// Forgets the calling thread's record, which belongs to the parent process.
pub fn forget_after_fork() {
    if let Some(key) = KEY.load(Ordering::Relaxed).checked_sub(1) {
        // SAFETY: the key exists; a null value has no destructor call.
        unsafe { libc::pthread_setspecific(key, core::ptr::null()) };
    }
    tls::set(null_mut());
}
