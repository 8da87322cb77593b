//! Applies events to the tables, with the rules of the capture format: see [`heaphint_format::Totals`] and
//! [`heaphint_format::SetNode`].

use heaphint_format::{Change, Header, NO_PLACE, Pending, Site, Totals};

use super::tables::Tables;

/// The counters of the process as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counters {
    totals: Totals,
    current_set: u32,
}

impl Counters {
    /// With `sample_bytes` as in a capture's header: what an event stands for is counted.
    pub fn new(sample_bytes: u32) -> Self {
        let header = Header { smallest_bytes: u64::MAX, sample_bytes, ..Header::default() };
        Self { totals: Totals::new(&header, Pending::default()), current_set: 0 }
    }

    /// Bytes that are live.
    pub const fn live_bytes(&self) -> u64 {
        self.totals.current_bytes
    }

    /// The header of tables that all events were applied to. What is pending at the current set is left there, and the
    /// reader of captures settles it.
    pub fn finish(self, tables: &mut Tables) -> Header {
        let Self { totals, current_set } = self;
        totals.pending.store_in(&mut tables.sets[current_set as usize]);
        Header {
            current_bytes: totals.current_bytes,
            peak_bytes: totals.peak_bytes,
            peak_state: totals.peak_state,
            peak_ms: totals.peak_ms,
            current_set,
            smallest_bytes: totals.smallest_bytes,
            largest_bytes: totals.largest_bytes,
            ..Header::default()
        }
    }

    /// Applies an event of a site.
    #[inline]
    pub fn apply(&mut self, tables: &mut Tables, site: u32, change: Change, now_ms: u32) {
        let set = tables.sites[site as usize].set;
        if set != self.current_set {
            self.move_to(tables, set);
        }
        let site = &mut tables.sites[site as usize];
        let place = tables.places.get_mut(site.place as usize);
        self.totals.apply(site, place, change, now_ms, || {});
    }

    /// Forgets everything but what is live, from which a part of the recording begins: its peak, maxima and sums.
    pub fn begin_anew(&mut self, tables: &mut Tables) {
        self.move_to(tables, 0);
        tables.places.iter_mut().for_each(|place| place.max_bytes = place.live_bytes);
        for site in &mut tables.sites {
            *site = Site {
                live_bytes: site.live_bytes,
                live_count: site.live_count,
                stack: site.stack,
                set: site.set,
                thread_and_allocator: site.thread_and_allocator,
                place: site.place,
                ..Site::default()
            };
        }
        // The root has no places, so what is pending there belongs to nobody.
        let header =
            Header { current_bytes: self.live_bytes(), smallest_bytes: u64::MAX, ..Header::default() };
        let sampling = self.totals.sampling;
        self.totals = Totals { sampling, ..Totals::new(&header, Pending::default()) };
    }

    /// Puts what every site had at the peak into it, so that what is live may be changed.
    pub fn close_peak(&mut self, tables: &mut Tables, now_ms: u32) {
        let totals = &mut self.totals;
        if totals.peak_state.is_multiple_of(2) {
            totals.peak_bytes = totals.current_bytes;
            totals.peak_state = totals.peak_state.wrapping_add(1);
            totals.peak_ms = now_ms;
        }
        for site in tables.sites.iter_mut().filter(|site| site.epoch != totals.peak_state) {
            site.peak_bytes = site.live_bytes;
            site.peak_count = site.live_count;
            site.epoch = totals.peak_state;
        }
    }

    /// Makes `to` the current set: applies what is pending at each set that is left, up to the lowest common ancestor.
    /// Parents have lower indexes.
    fn move_to(&mut self, tables: &mut Tables, to: u32) {
        let mut towards = to;
        while self.current_set != towards {
            if self.current_set > towards {
                self.leave(tables);
            } else {
                towards = tables.sets[towards as usize].parent;
            }
        }
        self.totals.pending.store_in(&mut tables.sets[self.current_set as usize]);
        self.totals.pending = Pending::of(&tables.sets[to as usize]);
        self.current_set = to;
    }

    /// Gives what is pending at the current set to its places and to the set above, which becomes the current one.
    fn leave(&mut self, tables: &mut Tables) {
        let node = &mut tables.sets[self.current_set as usize];
        Pending::default().store_in(node);
        let left = self.totals.pending;
        for place in [node.line, node.function].into_iter().filter(|place| *place != NO_PLACE) {
            left.apply_to(&mut tables.places[place as usize]);
        }
        self.current_set = node.parent;
        self.totals.pending = Pending::of(&tables.sets[self.current_set as usize]);
        self.totals.pending.add(left.sum, left.max);
    }
}
