//! What an event does to the counters. The protocols are those of the capture format, so that the same reader settles
//! them: see `peak_state` in [`heaphint_format::Header`] and [`heaphint_format::SetNode`].

use heaphint_format::{Header, NO_PLACE, SIZE_CLASSES, size_class};

use super::tables::Tables;

/// The counters of the process as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counters {
    pub live_bytes: u64,
    peak_bytes: u64,
    /// Even while the heap grows, odd after a free has closed the peak.
    peak_state: u32,
    peak_ms: u32,
    current_set: u32,
    smallest_bytes: u64,
    largest_bytes: u64,
}

impl Counters {
    pub fn new() -> Self {
        Self {
            live_bytes: 0,
            peak_bytes: 0,
            peak_state: 0,
            peak_ms: 0,
            current_set: 0,
            smallest_bytes: u64::MAX,
            largest_bytes: 0,
        }
    }

    /// A header with these counters.
    pub fn header(&self) -> Header {
        Header {
            current_bytes: self.live_bytes,
            peak_bytes: self.peak_bytes,
            peak_state: self.peak_state,
            peak_ms: self.peak_ms,
            current_set: self.current_set,
            smallest_bytes: self.smallest_bytes,
            largest_bytes: self.largest_bytes,
            ..Header::default()
        }
    }

    pub fn allocated(&mut self, tables: &mut Tables, site: u32, bytes: u64) {
        self.change(tables, site, bytes as i64);
        self.smallest_bytes = self.smallest_bytes.min(bytes);
        self.largest_bytes = self.largest_bytes.max(bytes);
        let site = &mut tables.sites[site as usize];
        site.live_count = site.live_count.saturating_add(1);
        site.allocated_bytes = site.allocated_bytes.saturating_add(bytes);
        site.allocated_count += 1;
        let class = &mut site.sizes[size_class(bytes).min(SIZE_CLASSES - 1)];
        *class = class.saturating_add(1);
        if !self.peak_state.is_multiple_of(2) && self.live_bytes >= self.peak_bytes {
            // The heap grows again; of equal peaks the last one counts.
            self.peak_state = self.peak_state.wrapping_add(1);
        }
    }

    /// All or part of a block is freed; `whole` when nothing of it is left.
    pub fn freed(
        &mut self,
        tables: &mut Tables,
        site: u32,
        bytes: u64,
        whole: bool,
        temporary: bool,
        now_ms: u32,
    ) {
        // A free of nothing leaves the heap at its peak, and the later moment counts.
        if self.peak_state.is_multiple_of(2) && bytes > 0 {
            self.peak_bytes = self.live_bytes;
            self.peak_state = self.peak_state.wrapping_add(1);
            self.peak_ms = now_ms;
        }
        self.change(tables, site, -(bytes as i64));
        let site = &mut tables.sites[site as usize];
        site.live_count = site.live_count.saturating_sub(u32::from(whole));
        if temporary {
            site.temporary_bytes = site.temporary_bytes.saturating_add(bytes);
            site.temporary_count += 1;
        }
    }

    /// Live bytes of the site, of its line, of everything on its stack and of the process.
    fn change(&mut self, tables: &mut Tables, site: u32, delta: i64) {
        let site = &mut tables.sites[site as usize];
        if !self.peak_state.is_multiple_of(2) && site.epoch != self.peak_state {
            site.peak_bytes = site.live_bytes;
            site.peak_count = site.live_count;
            site.epoch = self.peak_state;
        }
        site.live_bytes = site.live_bytes.wrapping_add_signed(delta);
        self.live_bytes = self.live_bytes.wrapping_add_signed(delta);
        let (place, set) = (site.place, site.set);
        if place != NO_PLACE {
            let place = &mut tables.places[place as usize];
            place.live_bytes = place.live_bytes.wrapping_add(delta);
            place.max_bytes = place.max_bytes.max(place.live_bytes);
        }
        if set != self.current_set {
            tables.move_to_set(self.current_set, set);
            self.current_set = set;
        }
        let node = &mut tables.sets[set as usize];
        node.pending = node.pending.wrapping_add(delta);
        node.pending_max = node.pending_max.max(node.pending);
    }
}

impl Tables {
    /// Applies what is pending from one set up to what it has in common with another, where events go on.
    fn move_to_set(&mut self, mut from: u32, mut to: u32) {
        while from != to {
            if self.sets[from as usize].depth >= self.sets[to as usize].depth {
                from = self.apply_pending(from);
            } else {
                to = self.sets[to as usize].parent;
            }
        }
    }

    /// Gives a node's pending bytes to its places and to its parent, which is returned.
    fn apply_pending(&mut self, set: u32) -> u32 {
        let node = &mut self.sets[set as usize];
        let (pending, pending_max) = (node.pending, node.pending_max);
        (node.pending, node.pending_max) = (0, 0);
        let (places, parent) = ([node.line, node.function], node.parent);
        for place in places.into_iter().filter(|place| *place != NO_PLACE) {
            let place = &mut self.places[place as usize];
            place.max_bytes = place.max_bytes.max(place.live_bytes.wrapping_add(pending_max));
            place.live_bytes = place.live_bytes.wrapping_add(pending);
        }
        let above = &mut self.sets[parent as usize];
        above.pending_max = above.pending_max.max(above.pending.wrapping_add(pending_max));
        above.pending = above.pending.wrapping_add(pending);
        parent
    }
}
