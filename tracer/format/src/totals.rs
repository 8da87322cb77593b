//! What an event does to the counters: the one place that says so, for the tracer and for the reader.
//!
//! The peak costs nothing per stack: while the heap grows, what is live is the peak; the first free after growth
//! closes it, and from then on each site copies its live figures before they change for the first time. The
//! inclusive maxima cost two words per event: see [`crate::SetNode`].

use crate::{Change, Header, Place, SIZE_CLASSES, Sampling, SetNode, Site, Weighed, size_class};

/// The process's own counters while events are applied; the rest stands in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// See [`Header::current_bytes`].
    pub current_bytes: u64,
    /// See [`Header::peak_bytes`].
    pub peak_bytes: u64,
    /// See [`Header::peak_state`].
    pub peak_state: u32,
    /// See [`Header::peak_ms`].
    pub peak_ms: u32,
    /// See [`Header::smallest_bytes`].
    pub smallest_bytes: u64,
    /// See [`Header::largest_bytes`].
    pub largest_bytes: u64,
    /// What is pending at the set of the last event. See [`SetNode`].
    pub pending: Pending,
    /// What events stand for.
    pub sampling: Sampling,
}

impl Totals {
    /// As the header has them, with what is pending at its [`Header::current_set`].
    #[must_use]
    pub const fn new(header: &Header, pending: Pending) -> Self {
        Self {
            current_bytes: header.current_bytes,
            peak_bytes: header.peak_bytes,
            peak_state: header.peak_state,
            peak_ms: header.peak_ms,
            smallest_bytes: header.smallest_bytes,
            largest_bytes: header.largest_bytes,
            pending,
            sampling: Sampling::new(header.sample_bytes),
        }
    }

    /// Applies an event of `site`, whose set is the current one, and whose innermost line is `place`. `now_ms` is
    /// noted as the time of a peak that it closes. `between` is called between two stores into the tables.
    #[inline(always)]
    pub fn apply(
        &mut self,
        site: &mut Site,
        place: Option<&mut Place>,
        change: Change,
        now_ms: u32,
        between: impl Fn(),
    ) {
        let event_bytes = match change {
            Change::Allocated { bytes } | Change::Freed { bytes, .. } => bytes,
        };
        let Weighed { requested, bytes, count } = self.sampling.weigh(event_bytes, site.allocator());
        let delta = match change {
            Change::Allocated { .. } => bytes,
            Change::Freed { .. } => {
                if self.peak_state & 1 == 0 && bytes > 0 {
                    // The first free after growth closes the peak. A free of nothing leaves the heap at its peak, and
                    // the later moment counts.
                    self.peak_bytes = self.current_bytes;
                    self.peak_state = self.peak_state.wrapping_add(1);
                    self.peak_ms = now_ms;
                }
                bytes.wrapping_neg()
            }
        };
        if self.peak_state & 1 == 1 && site.epoch != self.peak_state {
            site.peak_bytes = site.live_bytes;
            between();
            site.peak_count = site.live_count;
            between();
            site.epoch = self.peak_state;
            between();
        }
        site.live_bytes = site.live_bytes.wrapping_add(delta);
        between();
        self.current_bytes = self.current_bytes.wrapping_add(delta);
        match change {
            Change::Allocated { .. } => {
                site.live_count = site.live_count.wrapping_add(count);
                between();
                self.count_allocation(site, Weighed { requested, bytes, count }, &between);
                if self.peak_state & 1 == 1 && self.current_bytes >= self.peak_bytes {
                    // The heap grows again; of equal peaks the last one counts.
                    self.peak_state = self.peak_state.wrapping_add(1);
                }
            }
            Change::Freed { whole, temporary, .. } => {
                site.live_count = site.live_count.wrapping_sub(if whole { count } else { 0 });
                if temporary {
                    between();
                    count_temporary(site, bytes, count, &between);
                }
            }
        }
        between();
        let delta = delta as i64;
        self.pending.add(delta, 0);
        if let Some(place) = place {
            place.live_bytes = place.live_bytes.wrapping_add(delta);
            between();
            place.max_bytes = place.max_bytes.max(place.live_bytes);
            between();
        }
    }

    /// Applies an allocation and the event after it as [`Self::apply`] does, both of `site`, if that one frees as much as the
    /// first has allocated. They leave what is live as it was, which is much less to do: below a peak that is closed, they
    /// only count. Elsewhere it is false, and nothing has changed.
    #[inline(always)]
    #[must_use]
    pub fn apply_pair(
        &mut self,
        site: &mut Site,
        place: Option<&mut Place>,
        changes: [Change; 2],
        between: impl Fn(),
    ) -> bool {
        let [
            Change::Allocated { bytes: event_bytes },
            Change::Freed { bytes: freed, whole: true, temporary },
        ] = changes
        else {
            return false;
        };
        if event_bytes != freed || self.peak_state & 1 == 0 || site.epoch != self.peak_state {
            return false;
        }
        let weighed = self.sampling.weigh(event_bytes, site.allocator());
        let Weighed { bytes, count, .. } = weighed;
        if self.current_bytes.wrapping_add(bytes) >= self.peak_bytes {
            return false;
        }
        self.count_allocation(site, weighed, &between);
        if temporary {
            between();
            count_temporary(site, bytes, count, &between);
        }
        between();
        self.pending.add(0, bytes as i64);
        if let Some(place) = place {
            place.max_bytes = place.max_bytes.max(place.live_bytes.wrapping_add(bytes as i64));
            between();
        }
        true
    }

    /// Counts an allocation as one that was ever made.
    #[inline(always)]
    fn count_allocation(&mut self, site: &mut Site, weighed: Weighed, between: &impl Fn()) {
        let Weighed { requested, bytes, count } = weighed;
        site.allocated_bytes = site.allocated_bytes.wrapping_add(bytes);
        between();
        site.allocated_count = site.allocated_count.wrapping_add(count.into());
        between();
        if let Some(of_class) = site.sizes.get_mut(size_class(requested).min(SIZE_CLASSES - 1)) {
            *of_class = of_class.saturating_add(count);
        }
        self.smallest_bytes = self.smallest_bytes.min(requested);
        self.largest_bytes = self.largest_bytes.max(requested);
    }
}

#[inline(always)]
fn count_temporary(site: &mut Site, bytes: u64, count: u32, between: &impl Fn()) {
    site.temporary_bytes = site.temporary_bytes.wrapping_add(bytes);
    between();
    site.temporary_count = site.temporary_count.wrapping_add(count.into());
}

/// What was allocated and freed since it was last applied: the sum, and the highest value the sum had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pending {
    /// Bytes, signed.
    pub sum: i64,
    /// Bytes, never negative.
    pub max: i64,
}

impl Pending {
    /// What is pending at a node.
    #[must_use]
    pub const fn of(node: &SetNode) -> Self {
        Self { sum: node.pending, max: node.pending_max }
    }

    /// Makes it what is pending at a node.
    pub const fn store_in(self, node: &mut SetNode) {
        (node.pending, node.pending_max) = (self.sum, self.max);
    }

    /// Adds what happened afterwards: `sum` bytes in all, at most `max` in between.
    #[inline]
    pub const fn add(&mut self, sum: i64, max: i64) {
        let highest = self.sum.wrapping_add(max);
        self.sum = self.sum.wrapping_add(sum);
        let highest = if highest > self.sum { highest } else { self.sum };
        if highest > self.max {
            self.max = highest;
        }
    }

    /// Applies it to a place of its set.
    #[inline]
    pub const fn apply_to(self, place: &mut Place) {
        let mut live = Self { sum: place.live_bytes, max: place.max_bytes };
        live.add(self.sum, self.max);
        (place.live_bytes, place.max_bytes) = (live.sum, live.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Allocator;
    use alloc::vec::Vec;

    /// Events of one site by chance: blocks of few sizes, so that many are freed by the event after another one like them.
    fn events(seed: u64) -> Vec<Change> {
        let mut state = seed | 1;
        let mut chance = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut live = Vec::new();
        let mut changes = Vec::new();
        for _ in 0..400 {
            if live.is_empty() || chance(9) < 5 {
                let bytes = chance(4) * 100;
                live.push(bytes);
                changes.push(Change::Allocated { bytes });
            } else {
                let bytes = live.swap_remove(chance(live.len() as u64) as usize);
                changes.push(Change::Freed { bytes, whole: true, temporary: chance(2) == 0 });
            }
        }
        changes
    }

    #[test]
    fn pairs_leave_what_their_events_leave() {
        let mut pairs = 0;
        for (seed, sample_bytes) in (0..200).flat_map(|seed| [(seed, 0), (seed, 256)]) {
            let header = Header { sample_bytes, smallest_bytes: u64::MAX, ..Header::default() };
            let thread_and_allocator = Site::key(1, Allocator::Malloc);
            let site = Site { thread_and_allocator, ..Site::default() };
            let start = (Totals::new(&header, Pending::default()), site, Place::default());
            let (mut singly, mut paired) = (start, start);
            let changes = events(seed);
            for change in &changes {
                let (totals, site, place) = &mut singly;
                totals.apply(site, Some(place), *change, 7, || ());
            }
            let mut rest = &changes[..];
            while let [first, further @ ..] = rest {
                let (totals, site, place) = &mut paired;
                let is_pair = further
                    .first()
                    .is_some_and(|second| totals.apply_pair(site, Some(place), [*first, *second], || ()));
                if !is_pair {
                    totals.apply(site, Some(place), *first, 7, || ());
                }
                pairs += u32::from(is_pair);
                rest = &further[usize::from(is_pair)..];
            }
            assert_eq!(paired, singly, "seed {seed}");
        }
        assert!(pairs > 1000, "{pairs}");
    }
}
