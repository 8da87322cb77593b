//! The recorder: from an event of a thread to the capture.
//!
//! An event takes the recorder's lock only when there is something new: a stack or site that its thread has not met
//! lately, a mapping, an area that is full, a sample that is due.

use core::ffi::CStr;
use core::mem::offset_of;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use heaphint_format::{
    AREA_EVENTS, Allocator, Area, Change, ENTERED, Header, Sampling, Site, Status, StopReason, Text,
};

use crate::area::OwnArea;
use crate::capture::{CaptureFile, Identity, Problem, text_word};
use crate::event_log::{self, EventLog};
use crate::intern::Interner;
use crate::live::{self, Block, MOST_BYTES, OTHER_OWNER};
use crate::lock::Lock;
use crate::mappings::{Mappings, Removed};
use crate::naming::NAME_BYTES;
use crate::native::{self, NativeIds, Registers};
use crate::order::{Round, Rounds};
use crate::ordered::{Ordered, Sources};
use crate::private::Array;
use crate::sampling::{self, Choice};
use crate::thread::{FreeThreads, MOST_THREADS, Thread};
use crate::timeline::{self, Timeline};
use crate::{aggregate, crash_points, numbers, order, python, start, sys, temporary, thread};

const NO_MEMORY: Problem =
    "there was no memory for the tracer's tables; what was recorded until then is kept";

/// Events of a thread between two looks at the clock, unless one is large.
const EVENTS_PER_TICK: u32 = 16;
const LARGE_BYTES: usize = 64 * 1024;

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

/// Set once it stands in the capture why frames are missing.
static REFUSAL_IS_NOTED: AtomicBool = AtomicBool::new(false);

/// Everything that threads have in common, apart from the live blocks.
pub struct Recorder {
    recording: bool,
    pid: u32,
    rounds: Rounds,
    sources: Sources,
    timeline: Timeline,
    log: EventLog,
    pub file: CaptureFile,
    pub free_threads: FreeThreads,
    /// Areas whose threads have ended.
    free_areas: Array<u32>,
    /// For threads without an area of their own.
    spare_area: OwnArea,
    mappings: Mappings,
    interner: Interner,
    native: NativeIds,
}

impl Recorder {
    const fn new() -> Self {
        Self {
            file: CaptureFile::new(),
            free_threads: FreeThreads::new(),
            free_areas: Array::new(),
            spare_area: OwnArea::NONE,
            interner: Interner::new(),
            native: NativeIds::new(),
            mappings: Mappings::new(),
            rounds: Rounds::new(),
            sources: Sources::new(),
            timeline: Timeline::new(),
            log: EventLog::new(),
            recording: false,
            pid: 0,
        }
    }

    /// Creates the capture and begins. On a failure there is no capture, and nothing is recorded.
    pub fn begin(&mut self, path: &CStr, identity: &Identity<'_>) -> Result<(), Problem> {
        self.file.create(path, identity)?;
        self.interner.set_project(&mut self.file, identity.project, identity.directory)?;
        let spare = self.file.add_area()?;
        self.spare_area = OwnArea::new(&self.file, spare);
        if !temporary::begin() {
            return Err(NO_MEMORY);
        }
        order::begin();
        native::begin();
        numbers::begin(identity.modes.record);
        REFUSAL_IS_NOTED.store(false, Ordering::Relaxed);
        self.timeline.start();
        self.log.begin(identity.modes.record);
        crash_points::begin();
        self.recording = true;
        self.pid = identity.pid;
        Ok(())
    }

    /// Starts over, in a forked child: the parent's capture and tables are the parent's.
    ///
    /// # Safety
    /// No thread of the process is inside a hook or enters one.
    pub unsafe fn abandon(&mut self) {
        // SAFETY: the same conditions.
        unsafe { live::forget_after_fork() };
        sampling::forget_all();
        self.file.detach();
        self.log.detach();
        *self = Self::new();
    }

    /// Forgets the recording that was stopped, so that another can begin. `false` while a thread is inside a hook: it may
    /// wait for this lock. Threads keep their records.
    pub fn forget_stopped(&mut self) -> bool {
        if !self.free_threads.make_stale() {
            return false;
        }
        let threads = core::mem::replace(&mut self.free_threads, FreeThreads::new());
        // SAFETY: no thread is inside a hook, and none enters one before there is another recording.
        unsafe { self.abandon() };
        self.free_threads = threads;
        true
    }

    /// Whether the process that calls is the one whose capture this is.
    pub fn is_of_this_process(&self) -> bool {
        self.pid == sys::process_id()
    }

    /// Adds a thread to the capture; its index, 0 when there are too many. A thread that allocates in its last
    /// moments, after its record was given up, has its old index.
    pub fn add_thread(&mut self, tid: u32, name: &[u8]) -> u32 {
        /// Thread ids are used again much later than this.
        const RECENT: u32 = 256;
        let count = self.file.threads.len();
        let mut recent = (count.saturating_sub(RECENT).max(1)..count).rev();
        if let Some(index) = recent.find(|index| self.file.threads.get(*index).tid == tid) {
            return index;
        }
        if !self.recording || count >= MOST_THREADS {
            return 0;
        }
        let added = self
            .interner
            .text(&mut self.file, name)
            .and_then(|name| self.file.push_thread(heaphint_format::Thread { tid, reserved: 0, name }));
        added.unwrap_or_else(|problem| {
            self.fail(problem);
            0
        })
    }

    /// An area for a thread that begins to have events. Without room for one more it has none.
    pub fn area(&mut self, thread: u32) -> OwnArea {
        if !self.recording {
            return OwnArea::NONE;
        }
        let free = self.free_areas.as_slice().last().copied();
        self.free_areas.truncate(self.free_areas.len().saturating_sub(1));
        match free.map_or_else(|| self.file.add_area(), Ok) {
            Ok(number) => {
                self.file.areas.word(number, offset_of!(Area, thread)).store(thread.into());
                OwnArea::new(&self.file, number)
            }
            Err(_) => OwnArea::NONE,
        }
    }

    /// A thread ends, and its area is for others.
    pub fn give_back(&mut self, area: &mut OwnArea) {
        if self.recording && area.exists() && self.is_of_this_process() {
            self.apply(area.number, timeline::now_ms());
            area.publish_heap_bytes();
            // Without memory the area is not used again.
            let _ = self.free_areas.push(area.number);
        }
        *area = OwnArea::NONE;
    }

    /// Ends recording in an orderly way.
    pub fn stop(&mut self, reason: StopReason) {
        if !self.recording {
            return;
        }
        let _errno = sys::ErrnoGuard::new();
        self.recording = false;
        MODE.mode.store(mode::INERT, Ordering::Relaxed);
        self.apply_round(&Round::of_all(), timeline::now_ms());
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

    /// Notes that another program is about to take this one's place, or that it did not after all: then recording goes on.
    /// Events that are pending are pending still.
    fn note_replaced(&mut self, replaced: bool) {
        let _errno = sys::ErrnoGuard::new();
        let (reason, status) = if replaced {
            self.timeline.finish(&self.file);
            (StopReason::Replaced as u32, Status::Finished)
        } else {
            (0, Status::Recording)
        };
        self.file.set_header(offset_of!(Header, stop_reason), reason);
        self.file.set_header(offset_of!(Header, status), status as u32);
    }

    /// Notes the exit status, also after recording has ended.
    pub fn set_exit_status(&self, status: i32) {
        if self.file.exists() {
            self.file.set_header(offset_of!(Header, exit_status), status as u32);
        }
    }

    fn note(&mut self, field: usize, text: &str) {
        // Without room for the sentence the capture simply lacks it.
        let text = self.file.add_text(text.as_bytes()).unwrap_or_default();
        self.file.set_text(field, text);
    }

    /// Applies the events of the threads that have some, in a thread that has this area.
    fn apply(&mut self, own: u32, now_ms: u32) {
        let round = self.rounds.begin(own, self.file.areas.len());
        let changes = self.apply_round(&round, now_ms);
        self.rounds.end(changes);
    }

    /// Applies events; how often their order went from one thread to another.
    fn apply_round(&mut self, round: &Round, now_ms: u32) -> u32 {
        let most = self.file.areas.len() as usize * AREA_EVENTS;
        if let Err(problem) = self.log.make_room(&mut self.file, most) {
            self.log.end();
            self.fail(problem);
        }
        // Without room, the events stay pending, and the reader applies them.
        if let Err(problem) = self.file.make_room_for_large_sites(most) {
            self.fail(problem);
            return 0;
        }
        let mut events = Ordered::new(&self.file, round, &mut self.sources);
        let large_sites = aggregate::apply(&self.file, &mut events, &mut self.log, now_ms);
        self.file.keep_large_sites(large_sites);
        events.changes
    }

    /// A new millisecond of a full record begins: what was before it is applied as that.
    #[cold]
    fn begin_millisecond(&mut self, thread: &Thread) {
        if self.recording && event_log::is_time_due() {
            self.apply(thread.area.number, thread.now_ms);
            self.log.look_at_clock();
        }
    }

    /// Takes a sample.
    fn sample(&mut self, area: u32, before_ms: u32, now_ms: u32) {
        if self.recording && timeline::is_due(now_ms) {
            self.apply(area, before_ms);
            self.timeline.sample(&self.file, now_ms);
        }
    }

    /// An event of a thread whose area had no room for it.
    #[cold]
    #[inline(never)]
    fn append(&mut self, thread: &mut Thread, event: &Event) {
        if !self.recording {
            return;
        }
        if !thread.area.exists() {
            if !event.append_to(&mut self.spare_area) {
                self.apply(self.spare_area.number, thread.now_ms);
                let _ = event.append_to(&mut self.spare_area);
            }
            return;
        }
        self.apply(thread.area.number, thread.now_ms);
        if !event.append_to(&mut thread.area) {
            // Only a later round takes it if its stamp was read before another one's cut; there is none left.
            self.apply_round(&Round::of_all(), thread.now_ms);
            let _ = event.append_to(&mut thread.area);
        }
    }

    /// The stack of the thread's frames, of which the first `known` have theirs.
    fn stack(&mut self, thread: &mut Thread, known: usize) -> Result<u32, Problem> {
        let frames = thread.stack.frames();
        let outer = known.checked_sub(1).and_then(|i| frames.get(i));
        let mut parent = outer.map_or(0, |raw| raw.as_parent());
        let innermost = match self.interner.stacks(&mut self.file, frames, known) {
            Ok(stack) => stack,
            Err(problem) => {
                thread.stack.clear();
                return Err(problem);
            }
        };
        let generation = thread.stack.generation();
        for raw in thread.stack.frames().iter().skip(known) {
            if raw.is_lasting {
                thread.known.keep_step(parent, raw, generation);
            }
            parent = raw.as_parent();
        }
        Ok(innermost)
    }

    fn site(&mut self, thread: &mut Thread, stack: u32, key: u32) -> Result<u32, Problem> {
        let site = self.interner.site(&mut self.file, stack, key)?;
        thread.known.keep_site(stack, key, site);
        Ok(site)
    }

    /// The id of a Python stack with its native frames.
    fn native_stack(&mut self, python: u32, native: u32) -> Result<u32, Problem> {
        self.interner.native_stack(&mut self.file, python, native)
    }

    /// The id of a return address in a module; `None` when recording has ended.
    pub fn native_address(&mut self, module: Option<&native::Module>, pc: usize, kind: u32) -> Option<u32> {
        let Self { native, file, interner, .. } = self;
        let id = if self.recording { native.address(file, interner, module, pc, kind) } else { Err("") };
        self.or_fail(id)
    }

    /// The id of a native frame below its caller's; `None` when recording has ended.
    pub fn native_frame(&mut self, parent: u32, address: u32) -> Option<u32> {
        let id = if self.recording { self.native.frame(&mut self.file, parent, address) } else { Err("") };
        self.or_fail(id)
    }

    /// The id of the frame that stands for native frames that cannot be read.
    pub fn native_unknown(&mut self) -> Option<u32> {
        let Self { native, file, interner, .. } = self;
        let address = if self.recording { native.unknown(file, interner) } else { Err("") };
        let address = self.or_fail(address)?;
        self.native_frame(0, address)
    }

    fn or_fail<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.fail(problem)).ok()
    }

    /// Notes the thread's name, if it has another one now.
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

    /// A range has been mapped.
    fn map(&mut self, thread: &mut Thread, site: u32, address: usize, bytes: u64) -> Result<(), Problem> {
        // Whatever was mapped there is gone, or the kernel would not have given the range.
        self.unmap(thread, address, address.saturating_add(bytes as usize));
        let number = thread.numbers.next();
        if !self.mappings.insert(address, bytes as usize, site, number) {
            return Err(NO_MEMORY);
        }
        let change = Change::Allocated { bytes };
        self.happened(thread, &Event { site, address, number, change, sampling: Sampling::OFF });
        Ok(())
    }

    /// A range is not mapped any more.
    fn unmap(&mut self, thread: &mut Thread, start: usize, end: usize) {
        while let Some(Removed { site, number, start, bytes, last }) = self.mappings.remove(start, end) {
            let temporary = last && temporary::is_last(self.thread_of(site), start);
            let change = Change::Freed { bytes, whole: last, temporary };
            self.happened(thread, &Event { site, address: start, number, change, sampling: Sampling::OFF });
        }
    }

    fn happened(&mut self, thread: &mut Thread, event: &Event) {
        if !event.append_to(&mut thread.area) {
            self.append(thread, event);
        }
    }

    fn thread_of(&self, site: u32) -> u32 {
        Site::thread_of(self.file.site_key(site))
    }
}

/// What has happened at an address.
struct Event {
    site: u32,
    address: usize,
    number: u64,
    change: Change,
    /// What its bytes stand for.
    sampling: Sampling,
}

impl Event {
    #[inline(always)]
    fn append_to(&self, area: &mut OwnArea) -> bool {
        area.append(self.site, self.address, self.number, self.change, self.sampling)
    }

    #[inline(always)]
    fn happened(self, thread: &mut Thread) {
        if event_log::is_time_due() {
            RECORDER.lock().begin_millisecond(thread);
        }
        if !self.append_to(&mut thread.area) {
            RECORDER.lock().append(thread, &self);
        }
    }
}

/// Whether the next event counts. (Hooks have seen that recording goes on.)
#[inline]
fn may_record() -> bool {
    if python::is_finalizing() {
        RECORDER.lock().stop(StopReason::InterpreterShutdown);
        return false;
    }
    true
}

/// An allocation has succeeded.
#[inline]
pub fn allocated(thread: &mut Thread, address: usize, bytes: usize, allocator: Allocator) {
    match thread.sampler.choose(bytes, allocator) {
        Choice::Record(bytes) => record(thread, address, bytes, allocator),
        Choice::Skip => look_for_frames(),
        Choice::SkipAfterRecorded => temporary::allocated(thread.index, 0),
    }
}

/// Has frames made ready, if they are not yet.
#[inline]
fn look_for_frames() {
    if python::walk_start().is_none() {
        python::on_event();
        note_refusal();
    }
}

/// An allocation is recorded, with the bytes of its event.
#[inline]
fn record(thread: &mut Thread, address: usize, bytes: u64, allocator: Allocator) {
    if !may_record() {
        return;
    }
    // While the stack is read, the memory for the rest is on its way.
    live::prefetch(address);
    let walk_start = python::walk_start();
    let known = if let Some(start) = walk_start {
        thread.stack.walk(start)
    } else {
        look_for_frames();
        thread.stack.clear();
        0
    };
    if let Err(problem) = allocate(thread, known, address, bytes, allocator) {
        RECORDER.lock().fail(problem);
    }
    if let Some(start) = walk_start {
        thread.stack.mark(start.marking());
    }
}

#[inline]
fn allocate(
    thread: &mut Thread,
    known: usize,
    address: usize,
    bytes: u64,
    allocator: Allocator,
) -> Result<(), Problem> {
    let mut stack = stack_id(thread, known)?;
    if native::is_on() {
        stack = with_native(thread, stack)?;
    }
    let key = Site::key(thread.index, allocator);
    let site = match thread.known.site(stack, key) {
        Some(site) => site,
        None => RECORDER.lock().site(thread, stack, key)?,
    };
    if matches!(allocator, Allocator::Mmap | Allocator::Mremap) {
        RECORDER.lock().map(thread, site, address, bytes)?;
    } else {
        let bytes = bytes.min(MOST_BYTES - 1);
        let owner = thread.index.min(OTHER_OWNER);
        let number = thread.numbers.next();
        sampling::know(address);
        match live::insert(address, &Block { site, bytes, owner, number }) {
            Ok(None) => {}
            Ok(Some(stale)) => {
                sampling::forget(address);
                free_stale(thread, address, &stale);
            }
            Err(()) => return Err(NO_MEMORY),
        }
        let change = Change::Allocated { bytes };
        Event { site, address, number, change, sampling: sampling::sampling() }.happened(thread);
    }
    temporary::allocated(thread.index, address);
    tick(thread, bytes as usize);
    Ok(())
}

/// The thread's stack; the outermost `known` of its frames have theirs.
#[inline]
fn stack_id(thread: &mut Thread, known: usize) -> Result<u32, Problem> {
    let generation = thread.stack.generation();
    let frames = thread.stack.frames();
    let found = thread.known.stacks(frames, known, generation);
    let stack = if found < frames.len() {
        RECORDER.lock().stack(thread, found)?
    } else {
        frames.last().map_or(0, |innermost| innermost.as_parent())
    };
    if thread.naming.is_due() {
        RECORDER.lock().name_thread(thread)?;
    }
    #[cfg(feature = "frame-oracle")]
    {
        let mut recorder = RECORDER.lock();
        let Recorder { interner, file, .. } = &mut *recorder;
        crate::walk_check::compare(thread.stack.frames(), |parent, frame| {
            interner.stack(file, parent, frame)
        })?;
    }
    Ok(stack)
}

/// A Python stack, as [`stack_id`] gives it, with the thread's native frames.
#[inline(always)]
fn with_native(thread: &mut Thread, python: u32) -> Result<u32, Problem> {
    let native = native::walk(&mut thread.native, Registers::here());
    if native == 0 {
        return Ok(python & !ENTERED);
    }
    if let Some(stack) = thread.native.pair(python, native) {
        return Ok(stack);
    }
    let stack = RECORDER.lock().native_stack(python, native)?;
    thread.native.keep_pair(python, native, stack);
    Ok(stack)
}

/// Looks at the clock now and then.
#[inline]
fn tick(thread: &mut Thread, bytes: usize) {
    thread.unticked += 1;
    if thread.unticked >= EVENTS_PER_TICK || bytes >= LARGE_BYTES {
        thread.unticked = 0;
        let now_ms = timeline::now_ms();
        let before_ms = core::mem::replace(&mut thread.now_ms, now_ms);
        if timeline::is_due(now_ms) {
            RECORDER.lock().sample(thread.area.number, before_ms, now_ms);
        }
        thread.naming.tick(now_ms);
    }
}

/// Why frames are missing is noted as soon as it is known: the process may be killed later.
#[cold]
pub fn note_refusal() {
    if let Some(reason) = python::refusal()
        && !REFUSAL_IS_NOTED.load(Ordering::Relaxed)
    {
        let mut recorder = RECORDER.lock();
        if recorder.recording && !REFUSAL_IS_NOTED.swap(true, Ordering::Relaxed) {
            recorder.note(offset_of!(Header, frames_problem), reason);
        }
    }
}

/// A block was freed whose end was not seen.
#[cold]
#[inline(never)]
fn free_stale(thread: &mut Thread, address: usize, block: &Block) {
    free(thread, address, block);
}

/// A block was freed, and is out of the table already.
#[inline(always)]
fn free(thread: &mut Thread, address: usize, block: &Block) {
    let Block { site, bytes, owner, number } = *block;
    let owner = if owner == OTHER_OWNER { RECORDER.lock().thread_of(site) } else { owner };
    let temporary = temporary::is_last(owner, address);
    let change = Change::Freed { bytes, whole: true, temporary };
    Event { site, address, number, change, sampling: sampling::sampling() }.happened(thread);
}

/// Takes a block out of the table before it is really freed: afterwards its address may be another thread's.
#[inline]
pub fn take(address: usize) -> Option<Block> {
    if !sampling::may_know(address) {
        return None;
    }
    let taken = live::take(address);
    if taken.is_some() {
        sampling::forget(address);
    }
    taken
}

/// A block that was taken has been freed.
#[inline]
pub fn freed(thread: &mut Thread, address: usize, block: &Block) {
    if may_record() {
        free(thread, address, block);
    }
}

/// Takes a block and frees it in one step.
#[inline]
pub fn take_and_free(thread: &mut Thread, address: usize) {
    if sampling::may_know(address)
        && may_record()
        && let Some(block) = take(address)
    {
        free(thread, address, &block);
    }
}

/// To be called before `exec`: whether this process is recorded, and its capture closed. Threads that go on until they are
/// ended are still recorded.
pub fn is_replaced() -> bool {
    // A child made by vfork has its parent's memory, and its parent goes on. Inside a hook the lock may be held.
    let may_look = MODE.mode.load(Ordering::Relaxed) == mode::RECORDING && !thread::is_inside_hook();
    if !may_look || start::recorded_process() != sys::process_id() {
        return false;
    }
    let mut recorder = RECORDER.lock();
    if recorder.recording {
        recorder.note_replaced(true);
    }
    recorder.recording
}

/// To be called after an `exec` that failed, if [`is_replaced`] has closed the capture.
pub fn is_not_replaced() {
    let mut recorder = RECORDER.lock();
    if recorder.recording {
        recorder.note_replaced(false);
    }
}

/// Puts back a block that was taken and is not freed after all.
pub fn put_back(address: usize, block: &Block) {
    sampling::know(address);
    if live::insert(address, block).is_err() {
        RECORDER.lock().fail(NO_MEMORY);
    }
}

/// Calls `unmap`, which unmaps a range, with the mappings held: between the kernel's step and ours no other thread
/// may map the same addresses. `unmap` says whether the kernel did it.
pub fn unmapping(thread: &mut Thread, start: usize, end: usize, unmap: impl FnOnce() -> bool) {
    let mut recorder = RECORDER.lock();
    if python::is_finalizing() {
        recorder.stop(StopReason::InterpreterShutdown);
    }
    if unmap() && recorder.recording {
        recorder.unmap(thread, start, end);
    }
}
