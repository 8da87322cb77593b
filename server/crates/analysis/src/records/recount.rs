//! Counts the events of one of our own full records: its tables are there already, and an event names its site.
//!
//! What comes out has the capture's own tables in their order, with figures that were counted anew: those of the whole
//! recording, with another window for what is temporary, or those of a part of it. An event costs no look-up by address
//! or stack, and memory grows with what is live only.

use heaphint_format::{Capture, Change, Header, NO_PLACE, PlaceKind, Sampling, Site, Text};

use super::counters::Counters;
use super::history::{Amount, History, Recorder};
use super::live::{Block, LiveBlocks};
use super::tables::{FunctionId, StackId, Tables, ThreadId};
use super::temporary::RecentBlocks;

/// Allocations that are looked up by their place; older ones stand in a table.
const YOUNG: usize = 1 << 16;

/// A part of a recording, in milliseconds since it began, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Its first millisecond.
    pub from_ms: u32,
    /// Its last one.
    pub to_ms: u32,
}

/// Where a recount is in its interval.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    Inside,
    After,
}

/// Counts the events that it is told, in their order.
pub struct Recount {
    tables: Tables,
    counters: Counters,
    live: Live,
    recent: RecentBlocks,
    window: usize,
    now_ms: u32,
    /// End of the last tick that the recorder was told.
    ticked_ms: u32,
    recorder: Option<Recorder>,
    interval: Option<Interval>,
    phase: Phase,
    /// Serial of the first allocation inside.
    first_inside: u64,
}

impl Recount {
    /// For the events of `capture`. Temporary are allocations that are freed before their thread makes `temporary_window`
    /// further ones.
    #[must_use]
    pub fn new(capture: &Capture, temporary_window: usize) -> Self {
        Self {
            tables: Tables::of(capture),
            counters: Counters::new(capture.header.sample_bytes),
            live: Live::default(),
            recent: RecentBlocks::new(temporary_window),
            window: temporary_window,
            now_ms: 0,
            ticked_ms: 0,
            recorder: None,
            interval: None,
            phase: Phase::Inside,
            first_inside: 0,
        }
    }

    /// Records a history as well, with about `most_entries` changes and lifetimes at most. Told before the first event.
    #[must_use]
    pub fn with_history(mut self, most_entries: usize) -> Self {
        self.recorder = Some(Recorder::new(most_entries));
        self
    }

    /// Counts a part only: what was allocated in it, its own peak, and as leaked what it allocated and had not freed at its
    /// end. Told before the first event.
    #[must_use]
    pub fn within(mut self, interval: Interval) -> Self {
        self.interval = Some(interval);
        self.phase = if interval.from_ms == 0 { Phase::Inside } else { Phase::Before };
        self
    }

    /// The next allocation. One of a site that the capture has not is left out.
    #[inline]
    pub fn allocated(&mut self, site: u32, bytes: u64) {
        let serial = self.live.next_serial;
        let Some(held) = self.tables.sites.get(site as usize).filter(|_| self.phase != Phase::After) else {
            self.live.next_serial += 1;
            return;
        };
        let thread = ThreadId(held.thread());
        let stamp = self.recorder.as_ref().map_or(0, Recorder::stamp);
        self.live.insert(Block { site, bytes, stamp });
        self.counters.apply(&mut self.tables, site, Change::Allocated { bytes }, self.now_ms);
        if let Some(recorder) = &mut self.recorder {
            recorder.allocated(site, bytes);
        }
        if self.window > 1 {
            self.recent.allocated(thread, serial);
        }
    }

    /// A block was freed; `temporary` is what the tracer found: whether its thread had made no allocation since.
    #[inline]
    pub fn freed(&mut self, serial: u64, temporary: bool) {
        if self.phase == Phase::After {
            return;
        }
        if let Some(block) = self.live.remove(serial) {
            let temporary = temporary || self.is_recent(block.site, serial);
            self.count_free(block, true, temporary);
        }
    }

    /// A part of a mapping was unmapped: perhaps the `last` that was left of it. `temporary` as in [`Self::freed`].
    pub fn unmapped(&mut self, serial: u64, bytes: u64, last: bool, temporary: bool) {
        if self.phase == Phase::After {
            return;
        }
        let Some(block) = self.live.remove(serial) else { return };
        let bytes = if last { block.bytes } else { bytes.min(block.bytes) };
        if !last {
            self.live.put_back(serial, Block { bytes: block.bytes - bytes, ..block });
        }
        let temporary = temporary || last && self.is_recent(block.site, serial);
        self.count_free(Block { bytes, ..block }, last, temporary);
    }

    /// What follows happened at this time or later.
    pub fn time(&mut self, elapsed_ms: u32) {
        if let Some(interval) = self.interval {
            if self.phase == Phase::Before && elapsed_ms >= interval.from_ms {
                self.begin();
            }
            if self.phase == Phase::Inside && elapsed_ms > interval.to_ms {
                self.phase = Phase::After;
            }
        }
        if self.phase == Phase::After {
            return;
        }
        // What has happened since the last call was in that millisecond; from its end until now nothing was.
        let event_end_ms = self.now_ms.saturating_add(1).min(elapsed_ms);
        for end_ms in [event_end_ms, elapsed_ms] {
            if end_ms > self.ticked_ms
                && let Some(recorder) = &mut self.recorder
            {
                self.ticked_ms = end_ms;
                if recorder.sampled(end_ms) {
                    self.live.halve_stamps();
                }
            }
        }
        self.now_ms = elapsed_ms;
    }

    /// Whether a wider window than the tracer's takes an allocation for temporary.
    fn is_recent(&self, site: u32, serial: u64) -> bool {
        if self.window <= 1 {
            return false;
        }
        let thread = self.tables.sites.get(site as usize).map_or(0, Site::thread);
        self.recent.is_recent(ThreadId(thread), serial)
    }

    fn count_free(&mut self, block: Block, whole: bool, temporary: bool) {
        let Block { site, bytes, stamp } = block;
        let change = Change::Freed { bytes, whole, temporary };
        self.counters.apply(&mut self.tables, site, change, self.now_ms);
        if let Some(recorder) = &mut self.recorder {
            recorder.freed(site, bytes, whole, stamp);
        }
    }

    /// The part begins: what is live counts for its peak, and nothing was allocated yet.
    fn begin(&mut self) {
        self.phase = Phase::Inside;
        self.first_inside = self.live.next_serial;
        self.counters.begin_anew(&mut self.tables);
    }

    /// The capture with what was counted, and the history that [`Self::with_history`] has asked for; it is empty otherwise.
    #[must_use]
    pub fn finish(mut self, capture: &Capture) -> (Capture, History) {
        if self.phase == Phase::Before {
            self.begin();
        }
        let end_ms = capture.header.elapsed_ms.max(self.now_ms);
        let amount = |block: Block| Amount { bytes: block.bytes, count: 1 };
        let live = self.live.iter().map(|(_, block)| (block.site, block.stamp, amount(block)));
        let history = self.recorder.take().map(|recorder| recorder.finish(end_ms, live));
        if self.interval.is_some() {
            self.counters.close_peak(&mut self.tables, self.now_ms);
            let sampling = Sampling::new(capture.header.sample_bytes);
            let mut kept = vec![Amount::default(); self.tables.sites.len()];
            for (_, block) in self.live.iter().filter(|(serial, _)| *serial >= self.first_inside) {
                let allocator = self.tables.sites.get(block.site as usize).and_then(Site::allocator);
                let weighed = sampling.weigh(block.bytes, allocator);
                if let Some(kept) = kept.get_mut(block.site as usize) {
                    kept.bytes = kept.bytes.saturating_add(weighed.bytes);
                    kept.count += u64::from(weighed.count);
                }
            }
            for (site, kept) in self.tables.sites.iter_mut().zip(kept) {
                site.live_bytes = kept.bytes;
                site.live_count = u32::try_from(kept.count).unwrap_or(u32::MAX);
            }
        }
        let counted = self.counters.finish(&mut self.tables);
        let header = Header {
            current_bytes: counted.current_bytes,
            peak_bytes: counted.peak_bytes,
            peak_state: counted.peak_state,
            peak_ms: counted.peak_ms,
            current_set: counted.current_set,
            smallest_bytes: counted.smallest_bytes,
            largest_bytes: counted.largest_bytes,
            ..capture.header
        };
        let Tables { sites, places, sets, .. } = self.tables;
        let mut counted = Capture { header, sites, places, ..capture.clone() };
        counted.settle(sets);
        (counted, history.unwrap_or_default())
    }
}

impl Tables {
    /// Those of a capture, with sites that have counted nothing yet. Its texts, functions, stacks, threads and sites keep
    /// their numbers.
    fn of(capture: &Capture) -> Self {
        let mut tables = Self::new();
        tables.strings.clone_from(&capture.strings);
        tables.codes.clone_from(&capture.codes);
        tables.threads.clone_from(&capture.threads);
        for stack in capture.stacks.iter().skip(1) {
            let set = tables.set(StackId(stack.parent), FunctionId(stack.code), stack.own_line());
            tables.stacks.push(heaphint_format::Stack { set, ..*stack });
        }
        for site in &capture.sites {
            let python = capture.python_stack(site.stack);
            let stack = tables.stacks.get(python as usize).copied().unwrap_or_default();
            let file = tables.codes.get(stack.code as usize).map_or(Text::default(), |code| code.file);
            let place = match python {
                0 => NO_PLACE,
                _ => tables.place(PlaceKind::SelfLine, file, stack.own_line(), Text::default()),
            };
            tables.sites.push(Site {
                stack: site.stack,
                set: stack.set,
                thread_and_allocator: site.thread_and_allocator,
                place,
                ..Site::default()
            });
        }
        tables
    }
}

/// The live allocations by their serial.
struct Live {
    next_serial: u64,
    /// The last [`YOUNG`] allocations, at the place of their serial's low bits; `None` when they are freed, or old.
    young: Vec<Option<(u64, Block)>>,
    old: LiveBlocks,
}

impl Default for Live {
    fn default() -> Self {
        Self { next_serial: 0, young: vec![None; YOUNG], old: LiveBlocks::default() }
    }
}

const fn place(serial: u64) -> usize {
    serial as usize % YOUNG
}

impl Live {
    #[inline]
    fn insert(&mut self, block: Block) {
        let serial = self.next_serial;
        if let Some((old, held)) = self.young[place(serial)].replace((serial, block)) {
            self.old.insert(old, held);
        }
        self.next_serial = serial + 1;
    }

    #[inline]
    fn remove(&mut self, serial: u64) -> Option<Block> {
        let young = &mut self.young[place(serial)];
        if young.is_some_and(|(held, _)| held == serial) {
            return young.take().map(|(_, block)| block);
        }
        self.old.remove(serial)
    }

    /// Puts back what was taken a moment ago.
    fn put_back(&mut self, serial: u64, block: Block) {
        let young = &mut self.young[place(serial)];
        if young.is_none() && self.next_serial - serial <= YOUNG as u64 {
            *young = Some((serial, block));
        } else {
            self.old.insert(serial, block);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (u64, Block)> {
        self.young.iter().flatten().copied().chain(self.old.iter_with_addresses())
    }

    fn halve_stamps(&mut self) {
        self.young.iter_mut().flatten().for_each(|(_, block)| block.stamp /= 2);
        self.old.halve_stamps();
    }
}
