//! The recorder: from an event of a thread to the capture.

use core::ffi::CStr;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, Ordering};

use heaphint_format::{Allocator, Change, Header, Site, Status, StopReason, Text};

use crate::aggregate::PendingEvents;
use crate::capture::{CaptureFile, Identity, Problem, text_word};
use crate::crash_points;
use crate::intern::Interner;
use crate::live::{self, Block, LiveBlocks, MOST_BYTES};
use crate::lock::Lock;
use crate::mappings::{Mappings, Removed};
use crate::naming::NAME_BYTES;
use crate::prefetch;
use crate::private::Array;
use crate::python;
use crate::sys;
use crate::thread::{FreeThreads, LastSite, Thread};
use crate::timeline::Timeline;

const NO_MEMORY: Problem =
    "there was no memory for the tracer's tables; what was recorded until then is kept";

/// Events of a thread between two looks at the clock, unless one is large.
const EVENTS_PER_TICK: u32 = 16;
const LARGE_BYTES: usize = 64 * 1024;

/// Stands in a block for a thread with this index or a higher one; its site knows which.
const OTHER_OWNER: u8 = 7;

/// The only one.
pub static RECORDER: Lock<Recorder> = Lock::new(Recorder::new());

/// What [`MODE`] says.
pub mod mode {
    /// Not decided: before the constructor has run, and in a forked child until its first event.
    pub const UNDECIDED: u32 = 0;
    /// Events are recorded.
    pub const RECORDING: u32 = 1;
    /// Hooks only call what they hook.
    pub const INERT: u32 = 2;
    /// Python is loaded, and recording begins when there is an interpreter.
    pub const WATCHING: u32 = 3;
}

/// A page that reads as zero in a forked child: that is how a child finds out that it is one, whatever way it was
/// forked.
#[repr(C, align(4096))]
pub struct ForkPage {
    pub mode: AtomicU32,
    /// Set by the first thread that starts over in a child.
    pub restarting: AtomicU32,
    rest: [u8; 4088],
}

/// See [`ForkPage`].
pub static MODE: ForkPage =
    ForkPage { mode: AtomicU32::new(mode::UNDECIDED), restarting: AtomicU32::new(0), rest: [0; 4088] };

/// Everything that the events of all threads change. What every event needs comes first, side by side.
#[repr(C)]
pub struct Recorder {
    recording: bool,
    refusal_noted: bool,
    pid: u32,
    pending: PendingEvents,
    live: LiveBlocks,
    /// Each thread's last allocation, by its index; what is freed while it stands here was temporary.
    last_allocation: Array<usize>,
    timeline: Timeline,
    pub file: CaptureFile,
    pub free_threads: FreeThreads,
    mappings: Mappings,
    interner: Interner,
}

impl Recorder {
    const fn new() -> Self {
        Self {
            file: CaptureFile::new(),
            free_threads: FreeThreads::new(),
            interner: Interner::new(),
            pending: PendingEvents::new(),
            live: LiveBlocks::new(),
            mappings: Mappings::new(),
            last_allocation: Array::new(),
            timeline: Timeline::new(),
            recording: false,
            refusal_noted: false,
            pid: 0,
        }
    }

    /// Creates the capture and begins. On a failure there is no capture, and nothing is recorded.
    pub fn begin(&mut self, path: &CStr, identity: &Identity<'_>) -> Result<(), Problem> {
        self.file.create(path, identity)?;
        self.interner.set_project(&mut self.file, identity.project, identity.directory)?;
        if !self.last_allocation.push(0) {
            return Err(NO_MEMORY);
        }
        self.timeline.start();
        crash_points::begin();
        self.recording = true;
        self.pid = identity.pid;
        Ok(())
    }

    /// Starts over in a forked child: the parent's capture and tables are the parent's.
    pub fn abandon(&mut self) {
        self.file.detach();
        *self = Self::new();
    }

    /// Whether the process that calls is the one whose capture this is.
    pub fn is_of_this_process(&self) -> bool {
        self.pid == sys::process_id()
    }

    /// Adds a thread to the capture; its index, 0 when there are too many. A thread that allocates in its last
    /// moments, after its record was given up, has its old index.
    pub fn add_thread(&mut self, tid: u32, name: &[u8], most: u32) -> u32 {
        /// Thread ids are used again much later than this.
        const RECENT: u32 = 256;
        let count = self.file.threads.len();
        let mut recent = (count.saturating_sub(RECENT).max(1)..count).rev();
        if let Some(index) = recent.find(|index| self.file.threads.get(*index).tid == tid) {
            return index;
        }
        if !self.recording || count >= most {
            return 0;
        }
        let added = self.interner.text(&mut self.file, name).and_then(|name| {
            let index = self.file.push_thread(heaphint_format::Thread { tid, reserved: 0, name })?;
            if self.last_allocation.push(0) { Ok(index) } else { Err(NO_MEMORY) }
        });
        added.unwrap_or_else(|problem| {
            self.fail(problem);
            0
        })
    }

    /// Ends recording in an orderly way.
    pub fn stop(&mut self, reason: StopReason) {
        if !self.recording {
            return;
        }
        let _errno = sys::ErrnoGuard::new();
        self.recording = false;
        MODE.mode.store(mode::INERT, Ordering::Relaxed);
        self.apply_pending();
        self.timeline.finish(&self.file);
        self.file.set_header(offset_of!(Header, stop_reason), reason as u32);
        self.file.set_header(offset_of!(Header, status), Status::Finished as u32);
    }

    /// Ends recording because of a problem of ours. The program goes on.
    #[cold]
    fn fail(&mut self, problem: Problem) {
        if self.recording {
            self.note(offset_of!(Header, problem), problem);
            self.stop(StopReason::Problem);
        }
    }

    /// Notes the exit status, also after recording has ended.
    pub fn set_exit_status(&self, status: i32) {
        if self.file.exists() {
            self.file.set_header(offset_of!(Header, exit_status), status as u32);
        }
    }

    /// Why frames are missing is noted as soon as it is known: the process may be killed later.
    pub fn note_refusal(&mut self) {
        if self.recording
            && !self.refusal_noted
            && let Some(reason) = python::refusal()
        {
            self.refusal_noted = true;
            self.note(offset_of!(Header, frames_problem), reason);
        }
    }

    fn note(&mut self, field: usize, text: &str) {
        // Without room for the sentence the capture simply lacks it.
        let text = self.file.add_text(text.as_bytes()).unwrap_or_default();
        self.file.set_text(field, text);
    }

    fn allocate(
        &mut self,
        thread: &mut Thread,
        known_frames: usize,
        address: usize,
        bytes: u64,
        allocator: Allocator,
    ) -> Result<(), Problem> {
        let stack = self.stack_id(thread, known_frames)?;
        #[cfg(feature = "frame-oracle")]
        crate::walk_check::compare(thread.stack.frames(), |parent, frame| {
            self.interner.stack(&mut self.file, parent, frame)
        })?;
        let key = Site::key(thread.index, allocator);
        let mut last = thread.last_site;
        if last.stack != stack || last.key != key {
            let site = self.interner.site(&mut self.file, stack, key)?;
            last = LastSite { stack, key, site };
            thread.last_site = last;
        }
        let LastSite { site, .. } = last;
        let is_mapping = matches!(allocator, Allocator::Mmap | Allocator::Mremap);
        let bytes = if is_mapping { bytes } else { bytes.min(MOST_BYTES - 1) };
        if is_mapping {
            // Whatever was mapped there is gone, or the kernel would not have given the range.
            self.unmap(address, address.saturating_add(bytes as usize));
            if !self.mappings.insert(address, bytes as usize, site) {
                return Err(NO_MEMORY);
            }
        } else {
            let block = Block { site, bytes, owner: thread.index.min(OTHER_OWNER.into()) as u8 };
            match self.live.insert(address, block) {
                Ok(None) => {}
                Ok(Some(stale)) => self.free(address, stale),
                Err(()) => return Err(NO_MEMORY),
            }
        }
        self.change(site, address, Change::Allocated { bytes });
        if thread.index != 0
            && let Some(last) = self.last_allocation.as_mut_slice().get_mut(thread.index as usize)
        {
            *last = address;
        }
        self.tick(thread, bytes as usize);
        Ok(())
    }

    /// Looks at the clock now and then.
    #[inline]
    fn tick(&mut self, thread: &mut Thread, bytes: usize) {
        thread.unticked += 1;
        if thread.unticked >= EVENTS_PER_TICK || bytes >= LARGE_BYTES {
            thread.unticked = 0;
            let before_ms = self.timeline.now_ms;
            if self.timeline.look() {
                self.file.apply(&mut self.pending, before_ms);
                self.timeline.sample(&self.file);
            }
            thread.naming.tick(self.timeline.now_ms);
        }
    }

    /// The id of the thread's stack, whose outermost `known` frames have theirs.
    #[inline]
    fn stack_id(&mut self, thread: &mut Thread, known: usize) -> Result<u32, Problem> {
        let frames = thread.stack.frames();
        let stack = match self.interner.stacks(&mut self.file, frames, known) {
            Ok(stack) => stack,
            Err(problem) => {
                thread.stack.clear();
                return Err(problem);
            }
        };
        if thread.naming.is_due() {
            self.name_thread(thread)?;
        }
        Ok(stack)
    }

    /// Notes the thread's name, if it has another one now.
    #[cold]
    fn name_thread(&mut self, thread: &mut Thread) -> Result<(), Problem> {
        let mut buffer = [0; NAME_BYTES];
        let name = thread.naming.ask(thread.stack.frames(), &mut buffer);
        if let Some(name) = name
            && thread.index != 0
        {
            let text: Text = self.interner.text(&mut self.file, name)?;
            let offset = offset_of!(heaphint_format::Thread, name);
            self.file.threads.word(thread.index, offset).store(text_word(text));
        }
        Ok(())
    }

    /// A block was freed, and is out of the table already.
    fn free(&mut self, address: usize, block: Block) {
        let Block { site, bytes, owner } = block;
        let thread = if owner == OTHER_OWNER { self.thread_of(site) } else { owner.into() };
        let temporary = self.is_last_allocation(thread, address);
        self.change(site, address, Change::Freed { bytes, whole: true, temporary });
    }

    /// A range is not mapped any more.
    fn unmap(&mut self, start: usize, end: usize) {
        while let Some(removed) = self.mappings.remove(start, end) {
            self.unmapped(removed);
        }
    }

    fn unmapped(&mut self, Removed { site, start, bytes, last }: Removed) {
        let temporary = last && self.is_last_allocation(self.thread_of(site), start);
        self.change(site, start, Change::Freed { bytes, whole: last, temporary });
    }

    fn thread_of(&self, site: u32) -> usize {
        self.file.sites.get(site).thread() as usize
    }

    #[inline]
    fn is_last_allocation(&self, thread: usize, address: usize) -> bool {
        self.last_allocation.as_slice().get(thread) == Some(&address)
    }

    #[inline]
    fn change(&mut self, site: u32, address: usize, change: Change) {
        if !self.pending.append(&self.file, site, address, change) {
            self.apply_pending();
        }
    }

    fn apply_pending(&mut self) {
        self.file.apply(&mut self.pending, self.timeline.now_ms);
    }
}

/// An allocation has succeeded.
#[inline]
pub fn allocated(thread: &mut Thread, address: usize, bytes: usize, allocator: Allocator) {
    if python::is_finalizing() {
        RECORDER.lock().stop(StopReason::InterpreterShutdown);
        return;
    }
    // While the stack is read, the memory for the rest is on its way.
    live::prefetch(address);
    prefetch::lines::<2>((&raw const RECORDER).cast());
    let walk_start = python::walk_start();
    let known_frames = if let Some(start) = walk_start {
        thread.stack.walk(start)
    } else {
        python::on_event();
        thread.stack.clear();
        0
    };
    let mut recorder = RECORDER.lock();
    if walk_start.is_none() {
        recorder.note_refusal();
    }
    if !recorder.recording {
        return;
    }
    if let Err(problem) = recorder.allocate(thread, known_frames, address, bytes as u64, allocator) {
        recorder.fail(problem);
    }
    drop(recorder);
    if let Some(start) = walk_start {
        thread.stack.mark(start.marking());
    }
}

/// Takes a block out of the table before it is really freed: afterwards its address may be another thread's.
#[inline]
pub fn take(address: usize) -> Option<Block> {
    RECORDER.lock().live.remove(address)
}

/// A block that was taken has been freed.
#[inline]
pub fn freed(address: usize, block: Block) {
    let mut recorder = RECORDER.lock();
    if recorder.may_record() {
        recorder.free(address, block);
    }
}

/// Takes a block and frees it in one step.
#[inline]
pub fn take_and_free(address: usize) {
    live::prefetch(address);
    let mut recorder = RECORDER.lock();
    if recorder.may_record()
        && let Some(block) = recorder.live.remove(address)
    {
        recorder.free(address, block);
    }
}

/// Puts back a block that was taken and is not freed after all.
pub fn put_back(address: usize, block: Block) {
    let mut recorder = RECORDER.lock();
    if recorder.live.insert(address, block).is_err() {
        recorder.fail(NO_MEMORY);
    }
}

impl Recorder {
    /// Whether the next event counts.
    #[inline]
    fn may_record(&mut self) -> bool {
        if python::is_finalizing() {
            self.stop(StopReason::InterpreterShutdown);
        }
        self.recording
    }
}

/// Calls `unmap`, which unmaps a range, with the tables held: between the kernel's step and ours no other thread
/// may map the same addresses. `unmap` says whether the kernel did it.
pub fn unmapping(start: usize, end: usize, unmap: impl FnOnce() -> bool) {
    let mut recorder = RECORDER.lock();
    if unmap() && recorder.may_record() {
        recorder.unmap(start, end);
    }
}
