//! What was live when: for any part of a recording, the peak inside it, and what it allocated and left behind.
//!
//! Time is cut into ticks. For each tick the live bytes of every site at the tick's own peak are known, as changes
//! from the tick before, and every block that outlives its tick is counted by the ticks in which it was allocated and
//! freed. When that grows beyond a bound, neighbouring ticks become one, so the size never depends on the length of the
//! recording; figures stay exact at the ticks' ends.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

/// Ticks are joined in pairs before there are more; a block's stamp has 16 bits for its tick.
const MOST_TICKS: usize = 1024;

/// Bytes and allocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Bytes.
    pub bytes: u64,
    /// Allocations.
    pub count: u64,
}

/// A part of the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// When it ended, milliseconds since recording began.
    pub end_ms: u32,
    /// The most that was live in it, its beginning and its end included.
    pub peak_bytes: u64,
}

/// What a site had live at a tick's peak, when that is not what it had at the peak of the tick before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Index of the tick.
    pub tick: u32,
    /// Index of the site, as in [`crate::Capture::sites`].
    pub site: u32,
    /// What it had live.
    pub live: Amount,
}

/// Blocks of a site that outlived the tick in which they were allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Index of the site, as in [`crate::Capture::sites`].
    pub site: u32,
    /// Index of the tick in which they were allocated.
    pub allocated: u32,
    /// Index of the later tick in which they were freed; `None` when they were live at the end.
    pub freed: Option<u32>,
    /// How much; a block that is freed in parts counts with its last one.
    pub amount: Amount,
}

/// A recording in ticks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// In the order of time.
    pub ticks: Vec<Tick>,
    /// By tick, then by site.
    pub changes: Vec<Change>,
    /// By site, then by tick.
    pub lifetimes: Vec<Lifetime>,
}

impl History {
    /// The tick in `first..=last` whose peak is the largest, of equal ones the last, and what each site had live then.
    #[must_use]
    pub fn peak_within(&self, first: usize, last: usize) -> Option<(usize, BTreeMap<u32, Amount>)> {
        let ticks = self.ticks.iter().enumerate().skip(first).take(last.checked_sub(first)? + 1);
        let (peak, _) = ticks.max_by_key(|(_, tick)| tick.peak_bytes)?;
        let mut live = BTreeMap::new();
        for change in self.changes.iter().take_while(|change| change.tick as usize <= peak) {
            live.insert(change.site, change.live);
        }
        live.retain(|_, amount| *amount != Amount::default());
        Some((peak, live))
    }

    /// What was allocated in the ticks `first..=last` and not freed by their end, by site.
    #[must_use]
    pub fn kept_within(&self, first: usize, last: usize) -> BTreeMap<u32, Amount> {
        let mut kept: BTreeMap<u32, Amount> = BTreeMap::new();
        for lifetime in &self.lifetimes {
            let is_inside = (first..=last).contains(&(lifetime.allocated as usize));
            if is_inside && lifetime.freed.is_none_or(|freed| freed as usize > last) {
                kept.entry(lifetime.site).or_default().add(lifetime.amount);
            }
        }
        kept
    }
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.count = self.count.saturating_add(other.count);
    }
}

/// What is known of a site while its ticks are recorded.
#[derive(Clone, Copy, Default)]
struct Recorded {
    live: Amount,
    /// What it had live at the tick's last closed peak, when `epoch` is that peak's.
    at_peak: Amount,
    epoch: u32,
    /// What the changes so far add up to.
    told: Amount,
    /// Whether it is in the list of sites that may have changed.
    is_listed: bool,
}

/// Records a history while events are counted.
pub(super) struct Recorder {
    most_entries: usize,
    /// Samples that make a tick, and those of the current one.
    stride: u32,
    samples: u32,
    sites: Vec<Recorded>,
    listed: Vec<u32>,
    live_bytes: u64,
    peak_bytes: u64,
    /// While the heap grows, what is live is the tick's peak; a free closes it.
    is_growing: bool,
    epoch: u32,
    ticks: Vec<Tick>,
    changes: Vec<Vec<(u32, Amount)>>,
    entries: usize,
    lifetimes: FxHashMap<(u32, u16, u16), Amount>,
}

impl Recorder {
    pub fn new(most_entries: usize) -> Self {
        Self {
            most_entries,
            stride: 1,
            samples: 0,
            sites: Vec::new(),
            listed: Vec::new(),
            live_bytes: 0,
            peak_bytes: 0,
            is_growing: true,
            epoch: 0,
            ticks: Vec::new(),
            changes: Vec::new(),
            entries: 0,
            lifetimes: FxHashMap::default(),
        }
    }

    /// The current tick, to be kept with what is allocated in it.
    pub fn stamp(&self) -> u16 {
        self.ticks.len() as u16
    }

    pub fn allocated(&mut self, site: u32, bytes: u64) {
        let recorded = self.change(site);
        recorded.live.add(Amount { bytes, count: 1 });
        self.live_bytes = self.live_bytes.saturating_add(bytes);
        if self.live_bytes >= self.peak_bytes {
            self.peak_bytes = self.live_bytes;
            self.is_growing = true;
        }
    }

    /// `stamp` is that of its allocation.
    pub fn freed(&mut self, site: u32, bytes: u64, whole: bool, stamp: u16) {
        // A free of nothing leaves the heap at its peak.
        if self.is_growing && bytes > 0 {
            self.is_growing = false;
            self.epoch = self.epoch.wrapping_add(1);
        }
        let now = self.stamp();
        let count = u64::from(whole);
        let recorded = self.change(site);
        recorded.live.bytes = recorded.live.bytes.saturating_sub(bytes);
        recorded.live.count = recorded.live.count.saturating_sub(count);
        self.live_bytes = self.live_bytes.saturating_sub(bytes);
        if stamp != now {
            self.lifetimes.entry((site, stamp, now)).or_default().add(Amount { bytes, count });
        }
    }

    /// The record of a site that is about to change.
    fn change(&mut self, site: u32) -> &mut Recorded {
        let index = site as usize;
        if self.sites.len() <= index {
            // An epoch that is never the current one before the first peak is closed again.
            let fresh = Recorded { epoch: self.epoch.wrapping_sub(1), ..Recorded::default() };
            self.sites.resize(index + 1, fresh);
        }
        let recorded = &mut self.sites[index];
        if !self.is_growing && recorded.epoch != self.epoch {
            recorded.at_peak = recorded.live;
            recorded.epoch = self.epoch;
        }
        if !recorded.is_listed {
            recorded.is_listed = true;
            self.listed.push(site);
        }
        recorded
    }

    /// Time has gone on. True when the stamps of everything live must be halved, because ticks were joined.
    #[must_use]
    pub fn sampled(&mut self, elapsed_ms: u32) -> bool {
        self.samples += 1;
        if self.samples < self.stride {
            return false;
        }
        self.samples = 0;
        self.end_tick(elapsed_ms);
        let is_full = self.entries + self.lifetimes.len() > self.most_entries;
        let may_join = self.ticks.len() >= 2 && self.ticks.len().is_multiple_of(2);
        if may_join && (is_full || self.ticks.len() >= MOST_TICKS) {
            self.join_ticks();
            return true;
        }
        false
    }

    fn end_tick(&mut self, end_ms: u32) {
        let mut changes = Vec::new();
        let (is_growing, epoch) = (self.is_growing, self.epoch);
        let sites = &mut self.sites;
        self.listed.retain(|site| {
            let recorded = &mut sites[*site as usize];
            let is_saved = !is_growing && recorded.epoch == epoch;
            let at_peak = if is_saved { recorded.at_peak } else { recorded.live };
            if at_peak != recorded.told {
                recorded.told = at_peak;
                changes.push((*site, at_peak));
            }
            // At the next peak it will have something else, even if nothing happens to it any more.
            recorded.is_listed = recorded.told != recorded.live;
            recorded.is_listed
        });
        changes.sort_unstable_by_key(|(site, _)| *site);
        self.entries += changes.len();
        self.changes.push(changes);
        self.ticks.push(Tick { end_ms, peak_bytes: self.peak_bytes });
        // What is live at the beginning of a tick belongs to it.
        self.peak_bytes = self.live_bytes;
        self.is_growing = true;
    }

    /// Makes one tick of every two.
    fn join_ticks(&mut self) {
        self.stride = self.stride.saturating_mul(2);
        let mut told: FxHashMap<u32, Amount> = FxHashMap::default();
        let mut pending: BTreeMap<u32, Amount> = BTreeMap::new();
        let (mut ticks, mut joined) = (Vec::new(), Vec::new());
        let changes = std::mem::take(&mut self.changes);
        for (pair, mut both) in self.ticks.chunks(2).zip(Pairs(changes.into_iter())) {
            let [first, second] = [pair[0], pair[pair.len() - 1]];
            pending.extend(std::mem::take(&mut both.0));
            // Of equal peaks the last one counts.
            let is_second = second.peak_bytes >= first.peak_bytes;
            if is_second {
                pending.extend(std::mem::take(&mut both.1));
            }
            let mut changes = Vec::new();
            for (site, live) in std::mem::take(&mut pending) {
                if told.insert(site, live).unwrap_or_default() != live {
                    changes.push((site, live));
                }
            }
            pending.extend(both.1);
            let peak_bytes = first.peak_bytes.max(second.peak_bytes);
            ticks.push(Tick { end_ms: second.end_ms, peak_bytes });
            joined.push(changes);
        }
        // What the last tick had and its pair's peak had not is still to be told.
        for site in pending.into_keys() {
            let recorded = &mut self.sites[site as usize];
            recorded.told = told.get(&site).copied().unwrap_or_default();
            if !recorded.is_listed && recorded.told != recorded.live {
                recorded.is_listed = true;
                self.listed.push(site);
            }
        }
        self.entries = joined.iter().map(Vec::len).sum();
        (self.ticks, self.changes) = (ticks, joined);
        for ((site, allocated, freed), amount) in std::mem::take(&mut self.lifetimes) {
            if allocated / 2 != freed / 2 {
                self.lifetimes.entry((site, allocated / 2, freed / 2)).or_default().add(amount);
            }
        }
    }

    /// Ends the last tick. `live` are the blocks that are left: site, stamp and amount.
    pub fn finish(mut self, end_ms: u32, live: impl Iterator<Item = (u32, u16, Amount)>) -> History {
        self.end_tick(end_ms);
        let mut kept: BTreeMap<(u32, u16), Amount> = BTreeMap::new();
        for (site, stamp, amount) in live {
            kept.entry((site, stamp)).or_default().add(amount);
        }
        let tick = u32::from;
        let freed = self.lifetimes.into_iter().map(|((site, allocated, freed), amount)| Lifetime {
            site,
            allocated: tick(allocated),
            freed: Some(tick(freed)),
            amount,
        });
        let kept = kept.into_iter().map(|((site, allocated), amount)| Lifetime {
            site,
            allocated: tick(allocated),
            freed: None,
            amount,
        });
        let mut lifetimes: Vec<Lifetime> = freed.chain(kept).collect();
        lifetimes.sort_unstable_by_key(|it| (it.site, it.allocated, it.freed));
        let changes = (0..).zip(&self.changes).flat_map(|(tick, changes)| {
            changes.iter().map(move |(site, live)| Change { tick, site: *site, live: *live })
        });
        History { changes: changes.collect(), ticks: self.ticks, lifetimes }
    }
}

/// Every two lists of an iterator; the second is empty when their number is odd.
struct Pairs<I>(I);

impl<T, I: Iterator<Item = Vec<T>>> Iterator for Pairs<I> {
    type Item = (Vec<T>, Vec<T>);
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next().unwrap_or_default()))
    }
}
