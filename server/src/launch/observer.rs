//! The processes of a run, looked at from outside: the timeline while they do not allocate, and the log of full records.
//!
//! The tracer has no thread of its own in the program, so it takes samples only when the program allocates. Whoever
//! started the program fills the gaps, in slots of the capture that the tracer keeps for this. The file is read and
//! written with plain calls: it may shrink or go away at any moment. The log that a full record is written to is emptied
//! while the program runs, so that it stays small.

use std::fs::{File, OpenOptions};
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use heaphint_format::{
    DIRECTORY_OFFSET, Extent, Header, PAGE, Record, Sample, Status, TIMELINE_SLOTS, TIMELINE_TICK_MS, Table,
    Thinning,
};

use heaphint_record::Collector;

use super::output::Captures;

/// How much time passes between two looks for captures of new processes.
const SEARCH_EVERY: Duration = Duration::from_millis(500);
/// A folder's time may be this coarse: a file that came later may not show in it.
const COARSEST_TIME: Duration = Duration::from_secs(2);
/// How many samples are written together: a write takes as long as the sample.
const SAMPLES_PER_WRITE: usize = 32;
/// How much time passes between two looks into the log of a full record, when there was something and when not.
const COLLECT_EVERY: Duration = Duration::from_millis(10);
const COLLECT_IDLE: Duration = Duration::from_millis(50);
/// How much time passes at least between two looks at a process that took its samples itself so many times in a row. Each
/// look costs the program more than a sample, where both have one processor; when it stops to allocate, so much of its
/// timeline is missing.
const LEAVE_ALONE_MS: u32 = 50;
const OFTEN: u32 = 5;
const TICK: Duration = Duration::from_millis(TIMELINE_TICK_MS as u64);

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
    let mut search = Search::new(captures, pid);
    while !ended.load(Ordering::Relaxed) {
        processes.extend(search.new_ones());
        let now = SystemTime::now();
        let is_over = |process: &mut Process| process.sample(process.elapsed_ms(now)).is_none();
        processes.extract_if(.., is_over).for_each(Process::end);
        let collected = processes.iter_mut().filter_map(Process::collect).min();
        // Whoever wakes up a hundred times a second for nothing takes more of the processor than the samples.
        let next = processes.iter().map(|process| process.until_next(process.elapsed_ms(now))).min();
        let at_most = if search.has_found() { SEARCH_EVERY } else { TICK };
        thread::park_timeout(next.into_iter().chain(collected).min().unwrap_or(at_most).min(at_most));
    }
    processes.into_iter().for_each(Process::end);
}

/// Finds the captures of new processes.
struct Search<'a> {
    captures: &'a Captures,
    pid: u32,
    seen: Vec<PathBuf>,
    /// When the folder was looked at last, and its time then.
    last: Option<(SystemTime, Option<SystemTime>)>,
}

impl<'a> Search<'a> {
    fn new(captures: &'a Captures, pid: u32) -> Self {
        Self { captures, pid, seen: Vec::new(), last: None }
    }

    /// Whether there was a capture already: the first one appears soon, and should be seen soon.
    fn has_found(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Looks for them if it is time to.
    fn new_ones(&mut self) -> Vec<Process> {
        let mut found = Vec::new();
        if !self.may_find() {
            return found;
        }
        for path in self.captures.find(self.pid) {
            if !self.seen.contains(&path)
                && let Some(process) = Process::open(&path)
            {
                found.push(process);
                self.seen.push(path);
            }
        }
        found
    }

    /// Whether it is time to look, and something has changed in the folder: it may have many files.
    fn may_find(&mut self) -> bool {
        let now = SystemTime::now();
        let modified = || std::fs::metadata(self.captures.folder()).and_then(|it| it.modified()).ok();
        let (may_find, modified) = match self.last {
            None => (true, modified()),
            Some((last, _)) if self.has_found() && now < last + SEARCH_EVERY => return false,
            Some((last, before)) => {
                let modified = modified();
                let was_settled = before.is_some_and(|before| before + COARSEST_TIME < last);
                (!was_settled || modified != before, modified)
            }
        };
        self.last = Some((now, modified));
        may_find
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
    /// The stride that stands in the capture.
    written_stride: u32,
    /// Samples that are not in the capture yet, with their slots.
    pending: Vec<(usize, Sample)>,
    /// How many times in a row it had just taken a sample itself when it was looked at.
    samples_itself: u32,
    /// Takes its events, while it is a full record and that works.
    collector: Option<Collector>,
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
            // Without it, the events stay where the process has put them.
            collector: file.try_clone().and_then(|file| Collector::open(path, file)).ok().flatten(),
            file,
            statm: File::open(format!("/proc/{}/statm", header.pid)).ok()?,
            started_unix_ms: header.started_unix_ms,
            slots_at: extent.first_page * PAGE as u64,
            ticks: vec![0; TIMELINE_SLOTS],
            thinning: Thinning::new(),
            written_stride: header.observed_stride,
            pending: Vec::with_capacity(SAMPLES_PER_WRITE),
            samples_itself: 0,
        })
    }

    /// Milliseconds from when the process began to record until `now`.
    fn elapsed_ms(&self, now: SystemTime) -> u32 {
        let now_ms = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        u32::try_from(now_ms.saturating_sub(self.started_unix_ms.into())).unwrap_or(u32::MAX)
    }

    /// How long it is until a sample is wanted again.
    fn until_next(&self, elapsed_ms: u32) -> Duration {
        let step_ms = TIMELINE_TICK_MS.saturating_mul(self.thinning.stride);
        let step_ms = if self.samples_itself >= OFTEN { step_ms.max(LEAVE_ALONE_MS) } else { step_ms };
        Duration::from_millis((step_ms - elapsed_ms % step_ms).into())
    }

    /// Takes a sample if it is time for one. `None` when there is nothing more to observe.
    fn sample(&mut self, elapsed_ms: u32) -> Option<()> {
        if !self.thinning.wants(elapsed_ms) {
            return Some(());
        }
        let mut header = [0; Header::BYTES];
        self.file.read_exact_at(&mut header, 0).ok()?;
        let header = Header::decode(&header).filter(|header| header.status == Status::Recording as u32)?;
        if elapsed_ms.saturating_sub(header.elapsed_ms) < TIMELINE_TICK_MS {
            self.samples_itself += 1;
            return Some(());
        }
        self.samples_itself = 0;
        let rss_bytes = rss_bytes(&self.statm)?;
        let (slot, tick_plus_one) =
            self.thinning.place(elapsed_ms, |slot| self.ticks.get(slot).copied().unwrap_or(0));
        *self.ticks.get_mut(slot)? = tick_plus_one;
        let sample = Sample { tick_plus_one, elapsed_ms, rss_bytes, heap_bytes: header.heap_bytes };
        self.pending.push((slot, sample));
        if self.pending.len() == SAMPLES_PER_WRITE || self.written_stride != self.thinning.stride {
            self.write()?;
        }
        Some(())
    }

    /// Takes the events that are ready; how long it is until there may be others. `None` when there are never any.
    fn collect(&mut self) -> Option<Duration> {
        match self.collector.as_mut()?.collect() {
            Ok(0) => Some(COLLECT_IDLE),
            Ok(_) => Some(COLLECT_EVERY),
            Err(_) => {
                self.collector = None;
                None
            }
        }
    }

    /// Nobody observes it any more. If it has ended, its last events are taken.
    fn end(mut self) {
        let has_ended = || {
            let mut header = [0; Header::BYTES];
            self.file.read_exact_at(&mut header, 0).ok()?;
            let is_recording = Header::decode(&header)?.status == Status::Recording as u32;
            // What has ended and nobody has waited for has a size of nothing.
            Some(!is_recording || rss_bytes(&self.statm).unwrap_or(0) == 0)
        };
        if has_ended() == Some(true)
            && let Some(collector) = &mut self.collector
        {
            // What cannot be taken stays in the log.
            let _ = collector.finish();
        }
    }

    /// Puts the samples into the capture: as many at once as are side by side.
    fn write(&mut self) -> Option<()> {
        let mut bytes = [0; SAMPLES_PER_WRITE * Sample::BYTES];
        for neighbours in self.pending.chunk_by(|(slot, _), (next, _)| slot + 1 == *next) {
            let (first, _) = neighbours.first()?;
            let bytes = bytes.get_mut(..neighbours.len() * Sample::BYTES)?;
            for ((_, sample), bytes) in neighbours.iter().zip(bytes.chunks_exact_mut(Sample::BYTES)) {
                sample.encode(bytes)?;
            }
            self.file.write_all_at(bytes, self.slots_at + (first * Sample::BYTES) as u64).ok()?;
        }
        self.pending.clear();
        if self.written_stride != self.thinning.stride {
            let stride = self.thinning.stride.to_le_bytes();
            self.file.write_all_at(&stride, offset_of!(Header, observed_stride) as u64).ok()?;
            self.written_stride = self.thinning.stride;
        }
        Some(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whatever keeps them from being written, it has kept the timeline from going on already.
        let _ = self.write();
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

#[cfg(test)]
mod tests {
    use super::*;
    use heaphint_format::MAGIC;

    /// A capture of this very process that has nothing but a header and slots.
    fn capture() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut header = Header { magic: MAGIC, pid: std::process::id(), extents: 1, ..Header::default() };
        header.lengths[Table::Observed as usize] = TIMELINE_SLOTS as u32;
        header.heap_bytes = 4711;
        let pages = (TIMELINE_SLOTS * Sample::BYTES).div_ceil(PAGE) as u32;
        let extent = Extent { table: Table::Observed as u32, pages, first_page: 3 };
        let mut bytes = vec![0; (3 + pages as usize) * PAGE];
        header.encode(&mut bytes).unwrap();
        extent.encode(&mut bytes[DIRECTORY_OFFSET..]).unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    fn written(file: &Path) -> (u32, Vec<Sample>) {
        let bytes = std::fs::read(file).unwrap();
        let stride = Header::decode(&bytes).unwrap().observed_stride;
        let slots = bytes[3 * PAGE..].chunks_exact(Sample::BYTES).take(TIMELINE_SLOTS);
        let samples = slots.map(|slot| Sample::decode(slot).unwrap());
        let mut samples: Vec<_> =
            samples.filter(|sample| Thinning::is_kept(sample.tick_plus_one, stride)).collect();
        samples.sort_by_key(|sample| sample.elapsed_ms);
        (stride, samples)
    }

    #[test]
    fn every_tick_has_a_sample_in_the_end() {
        let file = capture();
        let mut process = Process::open(file.path()).unwrap();
        process.sample(10).unwrap();
        assert_eq!(written(file.path()).1.len(), 1, "the first one is there at once");
        for tick in 2..100 {
            process.sample(tick * TIMELINE_TICK_MS).unwrap();
            process.sample(tick * TIMELINE_TICK_MS + 9).unwrap();
        }
        drop(process);
        let (stride, samples) = written(file.path());
        assert_eq!(stride, 1);
        let elapsed: Vec<_> = samples.iter().map(|sample| sample.elapsed_ms).collect();
        assert_eq!(elapsed, (1..100).map(|tick| tick * TIMELINE_TICK_MS).collect::<Vec<_>>());
        assert!(samples.iter().all(|sample| sample.heap_bytes == 4711 && sample.rss_bytes > 0));
    }

    #[test]
    fn a_long_run_is_thinned_out_and_sampled_less_often() {
        let file = capture();
        let mut process = Process::open(file.path()).unwrap();
        assert_eq!(process.until_next(1234), Duration::from_millis(6));
        let ticks = 5 * TIMELINE_SLOTS as u32;
        for tick in 1..ticks {
            process.sample(tick * TIMELINE_TICK_MS).unwrap();
        }
        assert_eq!(process.thinning.stride, 8);
        assert_eq!(process.until_next(1234), Duration::from_millis(46));
        drop(process);
        let (stride, samples) = written(file.path());
        assert_eq!(stride, 8);
        let mut steps: Vec<_> = samples.iter().map(|sample| sample.tick_plus_one - 1).collect();
        // The samples on both sides of a doubling may be in one step.
        steps.dedup();
        assert!(steps.iter().copied().eq((8..ticks).step_by(8)), "{} steps", steps.len());
    }

    #[test]
    fn a_folder_in_which_nothing_happens_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let output = crate::launch::Output::File { path: folder.path().join("x"), overwrite: false };
        let target = crate::launch::Target::Module("m".into());
        let captures = Captures::prepare(&output, &target, folder.path()).unwrap();
        let mut search = Search::new(&captures, 1);
        assert!(search.may_find());
        assert!(search.may_find(), "it was changed a moment ago");
        let old = SystemTime::now() - Duration::from_secs(60);
        File::open(folder.path()).unwrap().set_modified(old).unwrap();
        assert!(search.may_find(), "its time is another one");
        assert!(!search.may_find());
        std::fs::write(folder.path().join("x"), "").unwrap();
        assert!(search.may_find());
    }
}
