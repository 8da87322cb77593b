//! Sampling by bytes: what a sampled allocation stands for.
//!
//! Points fall on the bytes that a program allocates as a Poisson process with one in `R` bytes
//! ([`crate::Header::sample_bytes`]); an allocation is recorded when one falls into it. So one of `s` bytes is recorded
//! with probability `p(s) = 1 - exp(-s / R)`, whatever was before it, and when it is, it stands for `1 / p(s)`
//! allocations of `s` bytes. Sums over what was recorded are then right on average (Horvitz and Thompson's
//! estimator). An allocation of no bytes is taken for one of a byte, so that it can be recorded at all.
//!
//! Counters are whole numbers. The bytes that an allocation stands for, at least `R`, are rounded to the nearest. Its
//! count is rounded up as often as its fraction says, by chance; [`ROUNDED_UP`] in the event's bytes says that it was, and the
//! event that frees it says the same, so that both take back what they have added.
//!
//! `mmap` and `mremap` are always recorded, and stand for themselves: they are few, and parts of them can be freed.

use crate::Allocator;

/// Stands in the bytes of an event of a sampled capture, above the size that was requested.
pub const ROUNDED_UP: u64 = 1 << 44;

/// What the counters get for an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// Bytes that were requested.
    pub requested: u64,
    /// Bytes that it stands for.
    pub bytes: u64,
    /// Allocations that it stands for.
    pub count: u32,
}

/// How allocations are sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// As in the header; 0 when everything is recorded.
    sample_bytes: u32,
}

impl Sampling {
    /// Everything is recorded.
    pub const OFF: Self = Self { sample_bytes: 0 };

    /// As [`crate::Header::sample_bytes`] says.
    #[must_use]
    pub const fn new(sample_bytes: u32) -> Self {
        Self { sample_bytes }
    }

    /// Whether allocations of this kind are recorded by chance.
    #[must_use]
    #[inline]
    pub const fn applies_to(self, allocator: Option<Allocator>) -> bool {
        self.sample_bytes != 0 && !matches!(allocator, Some(Allocator::Mmap | Allocator::Mremap))
    }

    /// What an event's bytes stand for.
    #[must_use]
    #[inline]
    pub fn weigh(self, bytes: u64, allocator: Option<Allocator>) -> Weighed {
        if self.applies_to(allocator) {
            self.weigh_sampled(bytes)
        } else {
            Weighed { requested: bytes, bytes, count: 1 }
        }
    }

    #[cold]
    fn weigh_sampled(self, bytes: u64) -> Weighed {
        let requested = bytes & !ROUNDED_UP;
        let weight = self.weight(requested);
        let rounded_up = u32::from(bytes & ROUNDED_UP != 0);
        Weighed {
            requested,
            bytes: (requested as f64 * weight + 0.5) as u64,
            count: (weight as u32).saturating_add(rounded_up),
        }
    }

    /// The bytes of the event in which an allocation was recorded. `chance` is any number with all 64 bits by chance.
    #[must_use]
    pub fn event_bytes(self, requested: u64, chance: u64) -> u64 {
        let requested = requested.min(ROUNDED_UP - 1);
        let weight = self.weight(requested);
        let fraction = weight - (weight as u32) as f64;
        let rounds_up = ((chance >> 11) as f64) < fraction * (1u64 << 53) as f64;
        requested | if rounds_up { ROUNDED_UP } else { 0 }
    }

    /// Allocations that one of `requested` bytes stands for: `1 / p`, at least 1.
    #[must_use]
    pub fn weight(self, requested: u64) -> f64 {
        let share = if requested == 0 { 1.0 } else { requested as f64 } / f64::from(self.sample_bytes.max(1));
        1.0 / one_minus_exp(share)
    }
}

/// `1 - exp(-x)` for positive `x`, to 12 digits.
#[expect(clippy::many_single_char_names, reason = "as in a formula")]
fn one_minus_exp(x: f64) -> f64 {
    // exp(-x) = exp(-y) ** (2 ** n) with y below 1/8, where the series ends soon; squaring 1 - q gives 1 - (2q - q*q).
    if x > 40.0 {
        return 1.0;
    }
    let (mut y, mut n) = (x, 0);
    while y > 0.125 {
        y *= 0.5;
        n += 1;
    }
    let mut q = 0.0;
    let mut k = 10.0;
    while k >= 1.0 {
        // Horner: q = y/1 * (1 - y/2 * (1 - y/3 * ...)).
        q = y / k * (1.0 - q);
        k -= 1.0;
    }
    while n > 0 {
        q = q * (2.0 - q);
        n -= 1;
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Sampling = Sampling::new(512 * 1024);

    #[test]
    fn probabilities_are_those_of_an_exponential() {
        for x in [1e-9, 1e-6, 0.001, 0.1, 0.125, 0.126, 0.5, 1.0, 3.0, 20.0, 39.0, 41.0, 1e9] {
            let expected = -f64::exp_m1(-x);
            let found = one_minus_exp(x);
            assert!((found - expected).abs() < 1e-12 * expected, "{x}: {found} is not {expected}");
        }
    }

    #[test]
    fn an_allocation_stands_for_what_its_probability_says() {
        // 1 / (1 - exp(-1)) = 1.5819767...
        let bytes = EVERY.event_bytes(512 * 1024, u64::MAX);
        assert_eq!(EVERY.weigh(bytes, None), Weighed { requested: 524_288, bytes: 829_411, count: 1 });
        let bytes = EVERY.event_bytes(512 * 1024, 0);
        assert_eq!(EVERY.weigh(bytes, None), Weighed { requested: 524_288, bytes: 829_411, count: 2 });
        // For small ones about 524288 bytes, and half their own size.
        assert_eq!(EVERY.weigh(16, None), Weighed { requested: 16, bytes: 524_296, count: 32_768 });
        assert_eq!(EVERY.weigh(0, None), Weighed { requested: 0, bytes: 0, count: 524_288 });
        // 100 MiB for themselves.
        assert_eq!(
            EVERY.weigh(100 << 20, None),
            Weighed { requested: 100 << 20, bytes: 100 << 20, count: 1 }
        );
        assert_eq!(EVERY.weigh(16, Some(Allocator::Mmap)), Weighed { requested: 16, bytes: 16, count: 1 });
        assert_eq!(Sampling::OFF.weigh(16, None), Weighed { requested: 16, bytes: 16, count: 1 });
    }
}
