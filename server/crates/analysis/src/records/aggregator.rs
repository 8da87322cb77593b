//! Counts events as they come.

use heaphint_format::{Allocator, Capture, Change, Header, Sample, TIMELINE_SLOTS, Thinning};

use super::counters::Counters;
use super::history::{Amount, History, Recorder};
use super::live::{Block, LiveBlocks};
use super::ranges::Ranges;
use super::tables::{Program, StackId, Tables, ThreadId};
use super::temporary::RecentBlocks;

/// A successful request for memory.
#[derive(Clone, Copy, Debug)]
pub struct Allocation {
    /// Who asked.
    pub thread: ThreadId,
    /// Where.
    pub stack: StackId,
    /// How.
    pub allocator: Allocator,
    /// What it got.
    pub address: u64,
    /// How much it asked for.
    pub bytes: u64,
}

/// Whoever is told a recording's events, in their order.
pub trait Events {
    /// Names, functions, stacks and threads: told before the events that need them.
    fn tables(&mut self) -> &mut Tables;
    /// A block or a mapping was allocated. What was at its address is gone.
    fn allocated(&mut self, allocation: Allocation);
    /// A block was freed by a thread.
    fn freed(&mut self, thread: ThreadId, address: u64);
    /// A range of addresses was unmapped by a thread: parts of mappings, whole ones, or several.
    fn freed_range(&mut self, thread: ThreadId, address: u64, bytes: u64);
    /// The time, and what the kernel says about the process.
    fn sampled(&mut self, elapsed_ms: u32, rss_bytes: u64);
}

/// Counts a recording's events. They are told in their order; [`Self::finish`] gives what a tracer would have written.
pub struct Aggregator {
    tables: Tables,
    counters: Counters,
    blocks: LiveBlocks,
    ranges: Ranges,
    recent: RecentBlocks,
    now_ms: u32,
    samples: Samples,
    recorder: Option<Recorder>,
}

impl Aggregator {
    /// Temporary are allocations that are freed before their thread makes `temporary_window` further ones; reports
    /// mean 1 when nothing else is said.
    #[must_use]
    pub fn new(temporary_window: usize) -> Self {
        Self {
            tables: Tables::new(),
            counters: Counters::new(0),
            blocks: LiveBlocks::default(),
            ranges: Ranges::default(),
            recent: RecentBlocks::new(temporary_window),
            now_ms: 0,
            samples: Samples::default(),
            recorder: None,
        }
    }

    /// Records a history as well, with about `most_entries` changes and lifetimes at most. Told before the first event.
    #[must_use]
    pub fn with_history(mut self, most_entries: usize) -> Self {
        self.recorder = Some(Recorder::new(most_entries));
        self
    }

    /// `block` has the bytes that are gone.
    fn count_free(&mut self, block: Block, whole: bool, temporary: bool) {
        let Block { site, bytes, stamp } = block;
        let change = Change::Freed { bytes, whole, temporary };
        self.counters.apply(&mut self.tables, site, change, self.now_ms);
        if let Some(recorder) = &mut self.recorder {
            recorder.freed(site, bytes, whole, stamp);
        }
    }

    /// The capture that a tracer would have written.
    #[must_use]
    pub fn finish(self, program: Program) -> Capture {
        self.finish_with_history(program).0
    }

    /// The capture, and the history that [`Self::with_history`] has asked for; it is empty otherwise.
    #[must_use]
    pub fn finish_with_history(mut self, program: Program) -> (Capture, History) {
        let end_ms = program.elapsed_ms.max(self.now_ms);
        let amount = |bytes, whole| Amount { bytes, count: u64::from(whole) };
        let blocks = self.blocks.iter().map(|it| (it.site, it.stamp, amount(it.bytes, true)));
        let pieces = self.ranges.iter().map(|(it, is_first)| (it.site, it.stamp, amount(it.bytes, is_first)));
        let history = self.recorder.map(|recorder| recorder.finish(end_ms, blocks.chain(pieces)));
        let header = self.counters.finish(&mut self.tables);
        (self.tables.capture(program, header, self.samples.finish()), history.unwrap_or_default())
    }

    fn is_recent(&self, site: u32, address: u64) -> bool {
        let thread = self.tables.sites.get(site as usize).map_or(0, heaphint_format::Site::thread);
        self.recent.is_recent(ThreadId(thread), address)
    }
}

impl Events for Aggregator {
    fn tables(&mut self) -> &mut Tables {
        &mut self.tables
    }

    fn allocated(&mut self, allocation: Allocation) {
        let Allocation { thread, stack, allocator, address, bytes } = allocation;
        let site = self.tables.site(stack, thread, allocator);
        let stamp = self.recorder.as_ref().map_or(0, Recorder::stamp);
        let block = Block { site, bytes, stamp };
        if is_mapping(allocator) {
            self.freed_range(thread, address, bytes);
            self.ranges.insert(address, block);
        } else if let Some(replaced) = self.blocks.insert(address, block) {
            self.count_free(replaced, true, false);
        }
        self.counters.apply(&mut self.tables, site, Change::Allocated { bytes }, self.now_ms);
        if let Some(recorder) = &mut self.recorder {
            recorder.allocated(site, bytes);
        }
        self.recent.allocated(thread, address);
    }

    fn freed(&mut self, _thread: ThreadId, address: u64) {
        // One that is not known was allocated before the recording began.
        if let Some(block) = self.blocks.remove(address) {
            let temporary = self.is_recent(block.site, address);
            self.count_free(block, true, temporary);
        }
    }

    fn freed_range(&mut self, _thread: ThreadId, address: u64, bytes: u64) {
        // `ranges` and the counters are parts of one value, so what is gone is noted first.
        let mut gone = Vec::new();
        self.ranges.remove(address, bytes, |part| gone.push(part));
        for part in gone {
            let temporary =
                part.whole && part.origin.is_some_and(|origin| self.is_recent(part.block.site, origin));
            self.count_free(part.block, part.whole, temporary);
        }
    }

    fn sampled(&mut self, elapsed_ms: u32, rss_bytes: u64) {
        self.now_ms = elapsed_ms;
        self.samples.add(elapsed_ms, rss_bytes, self.counters.live_bytes());
        if self.recorder.as_mut().is_some_and(|recorder| recorder.sampled(elapsed_ms)) {
            self.blocks.halve_stamps();
            self.ranges.halve_stamps();
        }
    }
}

/// What of a site is known when only sums were recorded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Bytes that were live at the peak.
    pub peak_bytes: u64,
    /// Allocations that were live at the peak.
    pub peak_count: u64,
    /// Bytes that were live at the end.
    pub leaked_bytes: u64,
    /// Allocations that were live at the end.
    pub leaked_count: u64,
}

impl Tables {
    /// Adds sums that somebody else has counted.
    pub fn add_totals(&mut self, stack: StackId, thread: ThreadId, allocator: Allocator, totals: &Totals) {
        let index = self.site(stack, thread, allocator);
        let site = &mut self.sites[index as usize];
        let count = |sum: u32, more: u64| sum.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        site.epoch = 1;
        site.peak_bytes = site.peak_bytes.saturating_add(totals.peak_bytes);
        site.peak_count = count(site.peak_count, totals.peak_count);
        site.live_bytes = site.live_bytes.saturating_add(totals.leaked_bytes);
        site.live_count = count(site.live_count, totals.leaked_count);
        // At least what was live at one of the two moments was allocated once.
        site.allocated_bytes = site.peak_bytes.max(site.live_bytes);
        site.allocated_count = u64::from(site.peak_count.max(site.live_count));
    }

    /// The capture of sums: it has the peak and the end, and says that everything else is a lower bound.
    #[must_use]
    pub fn finish(self, program: Program, timeline: impl IntoIterator<Item = (u32, u64, u64)>) -> Capture {
        let sum = |of: fn(&heaphint_format::Site) -> u64| {
            self.sites.iter().fold(0u64, |sum, site| sum.saturating_add(of(site)))
        };
        let (peak_bytes, current_bytes) = (sum(|site| site.peak_bytes), sum(|site| site.live_bytes));
        let mut samples = Samples::default();
        let mut peak_ms = (0, 0);
        for (elapsed_ms, rss_bytes, heap_bytes) in timeline {
            samples.add(elapsed_ms, rss_bytes, heap_bytes);
            peak_ms = if heap_bytes >= peak_ms.0 { (heap_bytes, elapsed_ms) } else { peak_ms };
        }
        let header = Header {
            current_bytes,
            peak_bytes,
            peak_state: 1,
            peak_ms: peak_ms.1,
            smallest_bytes: u64::MAX,
            ..Header::default()
        };
        let mut capture = self.capture(program, header, samples.finish());
        capture.bounds_only = true;
        capture.places.clear();
        capture
    }
}

/// The timeline, thinned as a tracer does it.
struct Samples {
    thinning: Thinning,
    slots: Vec<Sample>,
}

impl Default for Samples {
    fn default() -> Self {
        Self { thinning: Thinning::new(), slots: Vec::new() }
    }
}

impl Samples {
    fn add(&mut self, elapsed_ms: u32, rss_bytes: u64, heap_bytes: u64) {
        if !self.thinning.wants(elapsed_ms) {
            return;
        }
        let slots = &self.slots;
        let (slot, tick_plus_one) =
            self.thinning.place(elapsed_ms, |slot| slots.get(slot).map_or(0, |sample| sample.tick_plus_one));
        if self.slots.len() <= slot {
            self.slots.resize((slot + 1).min(TIMELINE_SLOTS), Sample::default());
        }
        if let Some(held) = self.slots.get_mut(slot) {
            *held = Sample { tick_plus_one, elapsed_ms, rss_bytes, heap_bytes };
        }
    }

    fn finish(mut self) -> Vec<Sample> {
        let stride = self.thinning.stride;
        self.slots.retain(|sample| Thinning::is_kept(sample.tick_plus_one, stride));
        self.slots.sort_by_key(|sample| sample.elapsed_ms);
        self.slots
    }
}

/// Whether memory of this kind is unmapped, in any parts, instead of freed.
const fn is_mapping(allocator: Allocator) -> bool {
    matches!(allocator, Allocator::Mmap | Allocator::Mremap)
}
