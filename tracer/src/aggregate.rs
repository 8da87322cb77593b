//! What an event does to the capture's counters: all or nothing, whatever moment the process dies at.
//!
//! The peak costs nothing per stack: while the heap grows, what is live is the peak; the first free after growth
//! closes it, and from then on each site copies its live figures before they change for the first time. The
//! inclusive maxima cost two words per event: see [`heaphint_format::SetNode`].

use core::mem::offset_of;

use heaphint_format::{NO_PLACE, Place, SIZE_CLASSES, SetNode, Site, size_class};

use crate::capture::{CaptureFile, SharedPair, Transaction, header_pair, header_word};
use crate::crash_points;

/// An event at a site.
#[derive(Clone, Copy)]
pub enum Change {
    /// An allocation was made.
    Allocated { bytes: u64 },
    /// All or part of one was freed.
    Freed {
        bytes: u64,
        /// Whether nothing of it is left.
        whole: bool,
        /// Whether its thread has made no allocation since.
        temporary: bool,
    },
}

/// The pairs of a site: (live bytes, bytes at the peak)…
const BYTES: usize = offset_of!(Site, live_bytes);
/// …(live count low and count at the peak high, epoch low and place high)…
const COUNTS: usize = offset_of!(Site, live_count);
/// …(bytes, allocations)…
const TOTALS: usize = offset_of!(Site, allocated_bytes);
/// …(bytes, allocations).
const TEMPORARY: usize = offset_of!(Site, temporary_bytes);
/// The word with the stack low and the set high.
const STACK: usize = offset_of!(Site, stack);
const SIZES: usize = offset_of!(Site, sizes);
const PLACE: usize = offset_of!(Place, live_bytes);
const PENDING: usize = offset_of!(SetNode, pending);

const LOW: u64 = 0xffff_ffff;

/// What every event changes: the pairs, and their values before it.
struct Event<'a> {
    file: &'a CaptureFile,
    bytes: (SharedPair, [u64; 2]),
    counts: (SharedPair, [u64; 2]),
    process: (SharedPair, [u64; 2]),
    state: (SharedPair, [u64; 2]),
    pending: (SharedPair, [u64; 2]),
    place: Option<(SharedPair, [u64; 2])>,
}

impl<'a> Event<'a> {
    /// Saves the pairs that stand at fixed places of the journal; [`Self::save_place`] follows the caller's own.
    #[inline(always)]
    fn begin(file: &'a CaptureFile, site: u32, transaction: &mut Transaction) -> Self {
        let set = (file.sites.word(site, STACK).load() >> 32) as u32;
        // (peak state low and time high, current set low)
        let state = header_pair!(file, peak_state);
        let current_set = state.load()[1] as u32;
        if set != current_set {
            file.move_to_set(current_set, set);
        }
        let mut save = |pair: SharedPair| (pair, transaction.save(pair));
        Self {
            file,
            bytes: save(file.sites.pair(site, BYTES)),
            counts: save(file.sites.pair(site, COUNTS)),
            process: save(header_pair!(file, current_bytes)),
            state: save(state),
            pending: save(file.sets.pair(set, PENDING)),
            place: None,
        }
    }

    /// Saves the pair of the innermost line, which a site without Python frames does not have.
    #[inline(always)]
    fn save_place(&mut self, transaction: &mut Transaction) {
        let place = (self.counts.1[1] >> 32) as u32;
        if place != NO_PLACE {
            let pair = self.file.places.pair(place, PLACE);
            self.place = Some((pair, transaction.save(pair)));
        }
    }

    /// Stores everything, `delta` bytes and `count_delta` allocations further. `state` and `process_peak` are those
    /// from before the event, or of the peak that it closes.
    #[inline(always)]
    fn finish<const ALLOCATED: bool>(self, delta: u64, count_delta: u64, mut state: u64, process_peak: u64) {
        let [live, mut at_peak] = self.bytes.1;
        let [mut counts, mut epoch_and_place] = self.counts.1;
        if state & 1 == 1 && (epoch_and_place ^ state) & LOW != 0 {
            at_peak = live;
            counts = counts << 32 | counts & LOW;
            epoch_and_place = (epoch_and_place & !LOW) | (state & LOW);
        }
        counts = (counts & !LOW) | (counts.wrapping_add(count_delta) & LOW);
        let current = self.process.1[0].wrapping_add(delta);
        if ALLOCATED && state & 1 == 1 && current >= process_peak {
            // The heap grows again; of equal peaks the last one counts.
            state = (state & !LOW) | (state.wrapping_add(1) & LOW);
        }
        self.bytes.0.store([live.wrapping_add(delta), at_peak]);
        self.counts.0.store([counts, epoch_and_place]);
        self.process.0.store([current, process_peak]);
        self.state.0.store([state, self.state.1[1]]);
        let [pending, pending_max] = self.pending.1;
        self.pending.0.store(raised(pending.wrapping_add(delta), pending_max));
        if let Some((pair, [live, max])) = self.place {
            pair.store(raised(live.wrapping_add(delta), max));
        }
    }
}

impl CaptureFile {
    /// Applies an event. `now_ms` is noted as the time of a peak that it closes.
    #[inline]
    pub fn apply(&self, site: u32, change: Change, now_ms: u32) {
        match change {
            Change::Allocated { bytes } => self.apply_allocation(site, bytes),
            Change::Freed { bytes, whole, temporary } => {
                self.apply_free(site, bytes, whole, temporary, now_ms);
            }
        }
    }

    fn apply_allocation(&self, site: u32, bytes: u64) {
        let counter = SIZES + 4 * size_class(bytes).min(SIZE_CLASSES - 1);
        let allocated_pair = self.sites.pair(site, TOTALS);
        let sizes_pair = self.sites.pair(site, counter & !15);
        let extremes_pair = header_pair!(self, smallest_bytes);

        // First every old value, then the journal's length, then the new values.
        let mut transaction = self.transaction();
        let mut event = Event::begin(self, site, &mut transaction);
        let allocated = transaction.save(allocated_pair);
        let mut sizes = transaction.save(sizes_pair);
        event.save_place(&mut transaction);
        let extremes = extremes_pair.load();
        let is_extreme = bytes < extremes[0] || bytes > extremes[1];
        if is_extreme {
            transaction.save(extremes_pair);
        }
        transaction.publish();
        if is_extreme {
            extremes_pair.store([bytes.min(extremes[0]), bytes.max(extremes[1])]);
        }
        allocated_pair.store([allocated[0].wrapping_add(bytes), allocated[1].wrapping_add(1)]);
        let shift = (counter & 4) * 8;
        if let Some(word) = sizes.get_mut(counter >> 3 & 1)
            && *word >> shift & LOW != LOW
        {
            *word += 1 << shift;
        }
        sizes_pair.store(sizes);
        let (state, process_peak) = (event.state.1[0], event.process.1[1]);
        event.finish::<true>(bytes, 1, state, process_peak);
        transaction.commit();
    }

    fn apply_free(&self, site: u32, bytes: u64, whole: bool, temporary: bool, now_ms: u32) {
        let temporary_pair = self.sites.pair(site, TEMPORARY);
        let mut transaction = self.transaction();
        let mut event = Event::begin(self, site, &mut transaction);
        event.save_place(&mut transaction);
        let before = if temporary { transaction.save(temporary_pair) } else { [0, 0] };
        transaction.publish();
        if temporary {
            temporary_pair.store([before[0].wrapping_add(bytes), before[1].wrapping_add(1)]);
        }
        let (mut state, [current, mut process_peak]) = (event.state.1[0], event.process.1);
        if state & 1 == 0 {
            // The first free after growth closes the peak.
            process_peak = current;
            state = u64::from((state as u32).wrapping_add(1)) | u64::from(now_ms) << 32;
        }
        event.finish::<false>(bytes.wrapping_neg(), if whole { LOW } else { 0 }, state, process_peak);
        transaction.commit();
    }

    /// Makes `to` the set that may have something pending: applies every node that is left on the way, up to the
    /// lowest common ancestor. Nodes that are entered have nothing pending.
    #[inline(never)]
    fn move_to_set(&self, from: u32, to: u32) {
        let (mut at, mut towards) = (from, to);
        let (mut at_node, mut towards_node) = (self.sets.get(at), self.sets.get(towards));
        while at != towards {
            if at_node.depth >= towards_node.depth {
                if at_node.pending != 0 || at_node.pending_max != 0 {
                    self.leave(at, at_node);
                }
                at = at_node.parent;
                at_node = self.sets.get(at);
            } else {
                towards = towards_node.parent;
                towards_node = self.sets.get(towards);
            }
        }
        header_word!(self, current_set).store(u64::from(to));
    }

    /// Applies a node's pending pair to its places and folds it into its parent's.
    fn leave(&self, id: u32, node: SetNode) {
        let SetNode { pending: moved, pending_max: moved_max, parent, .. } = node;
        let fold = |[sum, max]: [u64; 2]| {
            let highest = raised(sum.wrapping_add_signed(moved_max), max)[1];
            [sum.wrapping_add_signed(moved), highest]
        };
        let own_pair = self.sets.pair(id, PENDING);
        let parent_pair = self.sets.pair(parent, PENDING);
        let state_pair = header_pair!(self, peak_state);
        let place_pairs = [node.line, node.function]
            .map(|place| (place != NO_PLACE).then(|| self.places.pair(place, PLACE)));
        let mut transaction = self.transaction();
        transaction.save(own_pair);
        let above = transaction.save(parent_pair);
        let [state, _] = transaction.save(state_pair);
        for pair in place_pairs.into_iter().flatten() {
            transaction.save(pair);
        }
        transaction.publish();
        for pair in place_pairs.into_iter().flatten() {
            pair.store(fold(pair.load()));
        }
        parent_pair.store(fold(above));
        own_pair.store([0, 0]);
        state_pair.store([state, u64::from(parent)]);
        transaction.commit();
    }
}

/// A signed value, and the largest it has had so far.
#[inline]
fn raised(value: u64, max: u64) -> [u64; 2] {
    [value, if value as i64 > max as i64 { value } else { max }]
}

/// Writes an event to the kill tests' log.
#[inline]
pub fn log(site: u32, address: usize, change: Change) {
    match change {
        Change::Allocated { bytes } => crash_points::log_event(0, site, address, bytes, 1),
        Change::Freed { bytes, whole, .. } => {
            crash_points::log_event(1, site, address, bytes, u32::from(whole));
        }
    }
}
