//! The timeline while a program does not allocate: its processes are looked at from outside.
//!
//! The tracer has no thread of its own in the program, so it takes samples only when the program allocates. Whoever
//! started the program fills the gaps, in slots of the capture that the tracer keeps for this. The file is written
//! with plain writes: it may shrink or go away at any moment.

use std::fs::{File, OpenOptions};
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use heaphint_format::{
    DIRECTORY_OFFSET, Extent, Header, PAGE, Record, Sample, Status, TIMELINE_SLOTS, TIMELINE_TICK_MS, Table,
    Thinning,
};

use super::output::Captures;

/// How many ticks pass between two looks for captures of new processes.
const TICKS_PER_SEARCH: u32 = 50;

/// Observes the processes of a run until it is dropped.
#[derive(Debug)]
pub struct Observer {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Observer {
    /// Starts to observe the processes whose captures are `captures`, the first of which is `pid`.
    pub fn start(captures: Captures, pid: u32) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ended);
        let observe = move || observe(&captures, pid, &flag);
        // Without a thread the timeline has gaps, and nothing else is lost.
        let thread = thread::Builder::new().name("observer".into()).spawn(observe).ok();
        Self { ended, thread }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread does not panic; if it did, its samples would end there.
            let _ = thread.join();
        }
    }
}

fn observe(captures: &Captures, pid: u32, ended: &AtomicBool) {
    let mut processes: Vec<Process> = Vec::new();
    let mut seen = Vec::new();
    let mut ticks_to_search = 0;
    while !ended.load(Ordering::Relaxed) {
        if ticks_to_search == 0 {
            // The first capture appears soon, and should be seen soon.
            ticks_to_search = if seen.is_empty() { 1 } else { TICKS_PER_SEARCH };
            for path in captures.find(pid) {
                if !seen.contains(&path)
                    && let Some(process) = Process::open(&path)
                {
                    processes.push(process);
                    seen.push(path);
                }
            }
        }
        ticks_to_search -= 1;
        processes.retain_mut(|process| process.sample().is_some());
        thread::park_timeout(Duration::from_millis(TIMELINE_TICK_MS.into()));
    }
}

/// A process that records, and the place in its capture where its samples go.
struct Process {
    file: File,
    /// `/proc/<pid>/statm`, which stays that process's even when its id is given to another one.
    statm: File,
    started_unix_ms: u64,
    /// Byte offset of the first slot.
    slots_at: u64,
    /// The `tick_plus_one` of each slot.
    ticks: Vec<u32>,
    thinning: Thinning,
}

impl Process {
    /// `None` when the capture is not complete yet, or has no slots.
    fn open(path: &Path) -> Option<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        let mut fixed = vec![0; 3 * PAGE];
        file.read_exact_at(&mut fixed, 0).ok()?;
        let header = Header::decode(&fixed)?;
        let extents = fixed.get(DIRECTORY_OFFSET..)?.chunks_exact(Extent::BYTES);
        let extent = extents
            .take(header.extents as usize)
            .filter_map(Extent::decode)
            .find(|extent| extent.table == Table::Observed as u32)?;
        let has_slots = header.lengths[Table::Observed as usize] as usize == TIMELINE_SLOTS
            && extent.pages as usize * PAGE >= TIMELINE_SLOTS * Sample::BYTES;
        has_slots.then_some(())?;
        Some(Self {
            file,
            statm: File::open(format!("/proc/{}/statm", header.pid)).ok()?,
            started_unix_ms: header.started_unix_ms,
            slots_at: extent.first_page * PAGE as u64,
            ticks: vec![0; TIMELINE_SLOTS],
            thinning: Thinning::new(),
        })
    }

    /// Takes a sample if it is time for one. `None` when there is nothing more to observe.
    fn sample(&mut self) -> Option<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis();
        let elapsed_ms = u32::try_from(now.saturating_sub(self.started_unix_ms.into())).ok()?;
        if !self.thinning.wants(elapsed_ms) {
            return Some(());
        }
        let mut header = [0; Header::BYTES];
        self.file.read_exact_at(&mut header, 0).ok()?;
        let header = Header::decode(&header).filter(|header| header.status == Status::Recording as u32)?;
        // The process has just taken one itself.
        if elapsed_ms.saturating_sub(header.elapsed_ms) < TIMELINE_TICK_MS {
            return Some(());
        }
        let rss_bytes = rss_bytes(&self.statm)?;
        let (slot, tick_plus_one) =
            self.thinning.place(elapsed_ms, |slot| self.ticks.get(slot).copied().unwrap_or(0));
        *self.ticks.get_mut(slot)? = tick_plus_one;
        let sample = Sample { tick_plus_one, elapsed_ms, rss_bytes, heap_bytes: header.current_bytes };
        let mut bytes = [0; Sample::BYTES];
        sample.encode(&mut bytes)?;
        let at = self.slots_at + (slot * Sample::BYTES) as u64;
        self.file.write_all_at(&bytes, at).ok()?;
        if header.observed_stride != self.thinning.stride {
            let stride = self.thinning.stride.to_le_bytes();
            self.file.write_all_at(&stride, offset_of!(Header, observed_stride) as u64).ok()?;
        }
        Some(())
    }
}

/// Resident set size of a process; `None` when it is gone.
fn rss_bytes(statm: &File) -> Option<u64> {
    let mut bytes = [0; 128];
    let length = statm.read_at(&mut bytes, 0).ok()?;
    let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    // SAFETY: takes a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * u64::try_from(page).unwrap_or(PAGE as u64))
}
