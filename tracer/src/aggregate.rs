//! What an event does to the capture's counters: all or nothing, whatever moment the process dies at.
//!
//! The peak costs nothing per stack: while the heap grows, what is live is the peak; the first free after growth
//! closes it, and from then on each site copies its live figures before they change for the first time. The
//! inclusive maxima cost two words per event: see [`heaphint_format::SetNode`].

use core::mem::offset_of;

use heaphint_format::{NO_PLACE, Place, SIZE_CLASSES, SetNode, Site, size_class};

use crate::capture::{CaptureFile, SharedWord, header_word};
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

const LIVE: usize = offset_of!(Site, live_bytes);
const PEAK: usize = offset_of!(Site, peak_bytes);
/// `live_count` low, `peak_count` high.
const COUNTS: usize = offset_of!(Site, live_count);
/// `epoch` low, `place` high.
const EPOCH: usize = offset_of!(Site, epoch);
const ALLOCATED: usize = offset_of!(Site, allocated_bytes);
const ALLOCATIONS: usize = offset_of!(Site, allocated_count);
const TEMPORARY: usize = offset_of!(Site, temporary_bytes);
const TEMPORARIES: usize = offset_of!(Site, temporary_count);
/// `stack` low, `set` high.
const STACK: usize = offset_of!(Site, stack);
const SIZES: usize = offset_of!(Site, sizes);

const LOW: u64 = 0xffff_ffff;

impl CaptureFile {
    /// Applies an event. `now_ms` is noted as the time of a peak that it closes.
    #[inline]
    pub fn apply(&self, site: u32, change: Change, now_ms: u32) {
        let set = (self.sites.word(site, STACK).load() >> 32) as u32;
        let current_set = header_word!(self, current_set).load() as u32;
        if set != current_set {
            self.move_to_set(current_set, set);
        }

        let live = self.sites.word(site, LIVE);
        let counts = self.sites.word(site, COUNTS);
        let epoch = self.sites.word(site, EPOCH);
        let peak = self.sites.word(site, PEAK);
        let current = header_word!(self, current_bytes);
        let process_peak = header_word!(self, peak_bytes);
        let state = header_word!(self, peak_state);
        let pending = self.sets.word(set, offset_of!(SetNode, pending));
        let pending_max = self.sets.word(set, offset_of!(SetNode, pending_max));

        let (live_before, counts_before, epoch_before) = (live.load(), counts.load(), epoch.load());
        let (current_before, state_before) = (current.load(), state.load());
        let place = (epoch_before >> 32) as u32;
        let (delta, count_delta) = match change {
            Change::Allocated { bytes } => (bytes, 1u64),
            Change::Freed { bytes, whole, .. } => (bytes.wrapping_neg(), if whole { LOW } else { 0 }),
        };
        let current_after = current_before.wrapping_add(delta);

        let was_growing = state_before & 1 == 0;
        let closes = was_growing && matches!(change, Change::Freed { .. });
        let mut state_after = state_before;
        if closes {
            state_after = u64::from((state_before as u32).wrapping_add(1)) | u64::from(now_ms) << 32;
        }
        let snapshot = state_after & 1 == 1 && (epoch_before ^ state_after) & LOW != 0;
        let grows_again = !was_growing
            && matches!(change, Change::Allocated { .. })
            && current_after >= process_peak.load();
        let epoch_after = (epoch_before & !LOW) | (state_after & LOW);
        if grows_again {
            state_after = (state_before & !LOW) | (state_before.wrapping_add(1) & LOW);
        }

        // First every old value, then the journal's length, then the new values.
        let mut transaction = self.transaction();
        transaction.save(live);
        transaction.save(counts);
        transaction.save(current);
        transaction.save(pending);
        transaction.save(pending_max);
        if snapshot {
            transaction.save(peak);
            transaction.save(epoch);
        }
        if state_after != state_before {
            transaction.save(state);
            transaction.save(process_peak);
        }
        let mut own = None;
        if place != NO_PLACE {
            let words = (
                self.places.word(place, offset_of!(Place, live_bytes)),
                self.places.word(place, offset_of!(Place, max_bytes)),
            );
            transaction.save(words.0);
            transaction.save(words.1);
            own = Some(words);
        }
        match change {
            Change::Allocated { bytes } => {
                let totals = (self.sites.word(site, ALLOCATED), self.sites.word(site, ALLOCATIONS));
                let (sizes, one, full) = self.size_counter(site, bytes);
                let (smallest, largest) =
                    (header_word!(self, smallest_bytes), header_word!(self, largest_bytes));
                transaction.save(totals.0);
                transaction.save(totals.1);
                transaction.save(sizes);
                if bytes < smallest.load() || bytes > largest.load() {
                    transaction.save(smallest);
                    transaction.save(largest);
                    transaction.publish();
                    smallest.store(bytes.min(smallest.load()));
                    largest.store(bytes.max(largest.load()));
                } else {
                    transaction.publish();
                }
                totals.0.add(bytes);
                totals.1.add(1);
                if sizes.load() & full != full {
                    sizes.add(one);
                }
            }
            Change::Freed { bytes, temporary: true, .. } => {
                let totals = (self.sites.word(site, TEMPORARY), self.sites.word(site, TEMPORARIES));
                transaction.save(totals.0);
                transaction.save(totals.1);
                transaction.publish();
                totals.0.add(bytes);
                totals.1.add(1);
            }
            Change::Freed { .. } => transaction.publish(),
        }
        let mut counts_after = (counts_before & !LOW) | (counts_before.wrapping_add(count_delta) & LOW);
        if snapshot {
            peak.store(live_before);
            counts_after = (counts_after & LOW) | counts_before << 32;
            epoch.store(epoch_after);
        }
        live.store(live_before.wrapping_add(delta));
        counts.store(counts_after);
        current.store(current_after);
        if state_after != state_before {
            if closes {
                process_peak.store(current_before);
            }
            state.store(state_after);
        }
        if let Some((live, max)) = own {
            let after = live.load().wrapping_add(delta);
            live.store(after);
            raise(max, after);
        }
        let after = pending.load().wrapping_add(delta);
        pending.store(after);
        raise(pending_max, after);
        transaction.commit();
    }

    /// The word that counts a size, one in its place, and all ones in its place.
    #[inline]
    fn size_counter(&self, site: u32, bytes: u64) -> (SharedWord, u64, u64) {
        let offset = SIZES + 4 * size_class(bytes).min(SIZE_CLASSES - 1);
        let shift = (offset & 4) * 8;
        (self.sites.word(site, offset & !7), 1 << shift, LOW << shift)
    }

    /// Makes `to` the set that may have something pending: applies every node that is left on the way, up to the
    /// lowest common ancestor. Nodes that are entered have nothing pending.
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
        let pending = self.sets.word(id, offset_of!(SetNode, pending));
        let pending_max = self.sets.word(id, offset_of!(SetNode, pending_max));
        let above = self.sets.word(parent, offset_of!(SetNode, pending));
        let above_max = self.sets.word(parent, offset_of!(SetNode, pending_max));
        let current_set = header_word!(self, current_set);
        let places = [node.line, node.function].map(|place| {
            (place != NO_PLACE).then(|| {
                (
                    self.places.word(place, offset_of!(Place, live_bytes)),
                    self.places.word(place, offset_of!(Place, max_bytes)),
                )
            })
        });
        let mut transaction = self.transaction();
        for word in [pending, pending_max, above, above_max, current_set] {
            transaction.save(word);
        }
        for (live, max) in places.into_iter().flatten() {
            transaction.save(live);
            transaction.save(max);
        }
        transaction.publish();
        for (live, max) in places.into_iter().flatten() {
            let before = live.load();
            raise(max, before.wrapping_add_signed(moved_max));
            live.store(before.wrapping_add_signed(moved));
        }
        let before = above.load();
        raise(above_max, before.wrapping_add_signed(moved_max));
        above.store(before.wrapping_add_signed(moved));
        pending.store(0);
        pending_max.store(0);
        current_set.store(u64::from(parent));
        transaction.commit();
    }
}

/// Raises a signed word to a value.
#[inline]
fn raise(word: SharedWord, value: u64) {
    if value as i64 > word.load() as i64 {
        word.store(value);
    }
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
