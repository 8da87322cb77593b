//! The timeline: RSS and heap over time, in a fixed number of slots however long the run is.

use crate::record::record;

/// Slots of the timeline table.
pub const TIMELINE_SLOTS: usize = 4096;
/// Length of a tick, milliseconds.
pub const TIMELINE_TICK_MS: u32 = 10;

record! {
    /// One sample. A slot whose `tick` is no multiple of the current stride has been thinned out.
    Sample [24] {
        /// Number of the tick plus one, rounded down to the stride of its time; 0 for an empty slot.
        tick_plus_one: u32,
        /// Milliseconds since recording began.
        elapsed_ms: u32,
        /// Resident set size, bytes.
        rss_bytes: u64,
        /// Live tracked bytes.
        heap_bytes: u64,
    }
}

/// Chooses slots so that samples never move: when the slots are full the stride doubles, and from then on slots
/// of ticks that are no multiple of it are free again.
#[derive(Clone, Copy, Debug)]
pub struct Thinning {
    /// Distance of samples in ticks, a power of two.
    pub stride: u32,
    last_step: u32,
    next_slot: usize,
}

impl Thinning {
    /// Empty slots, a sample in every tick.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a constant expression is needed")]
    pub const fn new() -> Self {
        Self { stride: 1, last_step: u32::MAX, next_slot: 0 }
    }

    /// Whether a sample at `elapsed_ms` would be kept.
    #[must_use]
    pub fn wants(&self, elapsed_ms: u32) -> bool {
        elapsed_ms / TIMELINE_TICK_MS / self.stride != self.last_step
    }

    /// When the next sample would be kept, milliseconds since recording began; 0 before the first one.
    #[must_use]
    pub const fn next_ms(&self) -> u32 {
        self.last_step.wrapping_add(1).saturating_mul(self.stride).saturating_mul(TIMELINE_TICK_MS)
    }

    /// The slot for a sample at `elapsed_ms` and its `tick_plus_one`. `tick_in_slot` reads a slot's
    /// `tick_plus_one`. Call only after [`Self::wants`]; `stride` may have grown afterwards.
    pub fn place(&mut self, elapsed_ms: u32, tick_in_slot: impl Fn(usize) -> u32) -> (usize, u32) {
        loop {
            while self.next_slot < TIMELINE_SLOTS {
                let slot = self.next_slot;
                self.next_slot += 1;
                if !Self::is_kept(tick_in_slot(slot), self.stride) {
                    self.last_step = elapsed_ms / TIMELINE_TICK_MS / self.stride;
                    return (slot, self.last_step * self.stride + 1);
                }
            }
            self.stride = self.stride.saturating_mul(2);
            self.next_slot = 0;
        }
    }

    /// Whether a slot with this `tick_plus_one` holds a sample at this stride.
    #[must_use]
    pub fn is_kept(tick_plus_one: u32, stride: u32) -> bool {
        tick_plus_one != 0 && (tick_plus_one - 1).is_multiple_of(stride.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_fit_and_stay_evenly_spaced() {
        let mut slots = [Sample::default(); TIMELINE_SLOTS];
        let mut thinning = Thinning::new();
        let end_ms = 3 * 3_600_000;
        for elapsed_ms in (0..end_ms).step_by(10) {
            if thinning.wants(elapsed_ms) {
                let (slot, tick_plus_one) =
                    thinning.place(elapsed_ms, |slot| slots.get(slot).map_or(0, |s| s.tick_plus_one));
                if let Some(sample) = slots.get_mut(slot) {
                    *sample = Sample { tick_plus_one, elapsed_ms, ..Sample::default() };
                }
            }
        }
        let kept = |s: &&Sample| Thinning::is_kept(s.tick_plus_one, thinning.stride);
        let count = slots.iter().filter(kept).count();
        assert!(count > TIMELINE_SLOTS / 2 - 2, "{count}");
        let expected = end_ms / TIMELINE_TICK_MS / thinning.stride;
        assert!(count as u32 >= expected - 1 && count as u32 <= expected + 1, "{count} {expected}");
    }
}
