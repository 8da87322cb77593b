//! What the tracer knows of a thread, and how the calling thread finds it.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::area::OwnArea;
use crate::naming::Naming;
use crate::native::NativeStack;
use crate::numbers::Numbers;
use crate::recorder::{MODE, RECORDER, mode};
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
    destructor_rounds: u32,
    next_free: *mut Thread,
}

impl Thread {
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
            destructor_rounds: 0,
            next_free: null_mut(),
        }
    }
}

/// Records of threads that have ended, for new ones.
pub struct FreeThreads(*mut Thread);

// SAFETY: reached only under the recorder's lock.
unsafe impl Send for FreeThreads {}

impl FreeThreads {
    pub const fn new() -> Self {
        Self(null_mut())
    }

    fn take(&mut self) -> Option<*mut Thread> {
        if self.0.is_null() {
            const PER_PAGE: usize = 4096 / size_of::<Thread>();
            let page = sys::map_private(4096)?.cast::<Thread>();
            for i in 0..PER_PAGE {
                // SAFETY: the page has room for so many.
                unsafe {
                    let thread = page.add(i);
                    thread.write(Thread { next_free: self.0, ..Thread::new() });
                    self.0 = thread;
                }
            }
        }
        let thread = self.0;
        // SAFETY: threads on the list belong to nobody.
        self.0 = unsafe { (*thread).next_free };
        Some(thread)
    }

    fn put(&mut self, thread: *mut Thread) {
        // SAFETY: its thread has ended.
        unsafe {
            (*thread).stack.clear();
            (*thread).native.clear();
            (*thread).next_free = self.0;
        }
        self.0 = thread;
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
    unsafe { if (*thread).inside == 0 { Some(&mut *thread) } else { None } }
}

/// Whether the calling thread was interrupted, by a signal's handler, while it was inside a hook and may hold the
/// recorder's lock.
pub fn is_inside_hook() -> bool {
    let thread = tls::get();
    // SAFETY: as in `current`.
    !thread.is_null() && unsafe { (*thread).inside != 0 }
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
        let mut name = [0; 16];
        let tid = sys::thread_id();
        let is_main = tid == sys::process_id();
        // SAFETY: the record belongs to this thread now.
        let name = unsafe { (*thread).naming.begin(&mut name, is_main) };
        let index = recorder.add_thread(tid, name);
        let area = recorder.area();
        // SAFETY: the same.
        unsafe {
            (*thread).index = index;
            (*thread).area = area;
            (*thread).inside = 0;
            (*thread).destructor_rounds = 0;
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
