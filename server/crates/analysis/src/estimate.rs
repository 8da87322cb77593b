//! How far off the figures of a sampled recording may be.
//!
//! An allocation of `s` bytes was recorded with probability `p = 1 - exp(-s / R)` and then stands for `s / p` bytes, so
//! a sum over allocations has the variance `V = sum of s² (1 - p) / p`. With `x = s / R`, each part is
//! `R s x / (exp(x) - 1)`, and `x <= exp(x) - 1`: so `V <= R * sum of s`. The variance of a figure is never more than
//! `R` times the figure, whatever the sizes are, and no counter is needed for it. That is the variance of `R` times
//! a number that has a Poisson distribution, which for small sizes the estimate is; and the interval is the exact one of
//! such a number (Garwood's, by Wilson's and Hilferty's approximation of its quantiles). Large allocations are
//! recorded nearly always, and their figures lie much closer to the truth than the interval says.
//!
//! The same for counts: each part of the variance is `(1 - p) / p`, and rounding by chance adds less than it leaves to `1 / p`, so the
//! variance is at most `W` times the count, where `W` is the largest number of allocations that one stands for.

use heaphint_format::{Capture, Sampling};

/// How a recording was sampled, as far as its figures' intervals need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Estimate {
    /// Bytes for each of which an allocation was recorded, on average.
    pub sample_bytes: u32,
    /// The largest number of allocations that one stands for.
    pub heaviest: u32,
}

/// Where the true value is, in at least 95 % of all runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The least.
    pub low: u64,
    /// The most.
    pub high: u64,
}

impl Estimate {
    /// How the captures of a run were sampled; `None` when none was.
    pub(crate) fn of(captures: &[Capture]) -> Option<Self> {
        let sampled = captures.iter().map(|capture| &capture.header).filter(|header| header.sample_bytes > 0);
        sampled
            .map(|header| Self {
                sample_bytes: header.sample_bytes,
                heaviest: Sampling::new(header.sample_bytes).weight(header.smallest_bytes).ceil() as u32,
            })
            .reduce(|one, other| Self {
                sample_bytes: one.sample_bytes.max(other.sample_bytes),
                heaviest: one.heaviest.max(other.heaviest),
            })
    }

    /// The interval of a number of bytes.
    #[must_use]
    pub fn bytes(self, estimate: u64) -> Interval {
        interval(estimate, self.sample_bytes)
    }

    /// The interval of a number of allocations.
    #[must_use]
    pub fn count(self, estimate: u64) -> Interval {
        interval(estimate, self.heaviest)
    }
}

/// The interval of `unit` times a number with a Poisson distribution.
fn interval(estimate: u64, unit: u32) -> Interval {
    /// The quantile of the normal distribution that leaves 2.5 % above.
    const Z: f64 = 1.959_964;
    let unit = f64::from(unit.max(1));
    let seen = estimate as f64 / unit;
    let quantile = |n: f64, z: f64| {
        let base = 1.0 - 1.0 / (9.0 * n) + z / (3.0 * n.sqrt());
        n * base.max(0.0).powi(3)
    };
    let low = if seen > 0.0 { quantile(seen, -Z) } else { 0.0 };
    Interval { low: (low * unit) as u64, high: (quantile(seen + 1.0, Z) * unit).ceil() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    const EVERY: u32 = 512 * 1024;

    #[test]
    fn intervals_are_those_of_a_poisson_distribution() {
        let estimate = Estimate { sample_bytes: 1000, heaviest: 1 };
        // Garwood: 0 gives 0 to 3.69, 10 gives 4.80 to 18.39, 100 gives 81.4 to 121.6.
        for (seen, low, high) in [(0, 0, 3669), (10_000, 4790, 18_400), (100_000, 81_360, 121_630)] {
            let found = estimate.bytes(seen);
            assert!(found.low.abs_diff(low) <= 20 && found.high.abs_diff(high) <= 20, "{seen}: {found:?}");
        }
        assert_eq!(estimate.count(0).low, 0);
    }

    struct Chance(u64);

    impl Chance {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
        }
        fn unit(&mut self) -> f64 {
            (self.next() >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    /// In how many of 1000 runs the truth lies in the intervals of bytes and of counts, for a program with these
    /// (size, number of allocations).
    fn covered(program: &[(u64, u64)], chance: &mut Chance) -> [u32; 2] {
        let sampling = Sampling::new(EVERY);
        let heaviest = program.iter().map(|(size, _)| sampling.weight(*size).ceil() as u32).max().unwrap();
        let estimate = Estimate { sample_bytes: EVERY, heaviest };
        let bytes: u64 = program.iter().map(|(size, count)| size * count).sum();
        let count: u64 = program.iter().map(|(_, count)| count).sum();
        let mut covered = [0; 2];
        for _ in 0..1000 {
            let (mut seen_bytes, mut seen_count) = (0, 0);
            for (size, number) in program {
                // Jumps from one that is recorded to the next: geometric with its probability.
                let weight = sampling.weight(*size);
                let miss = (1.0 - 1.0 / weight).max(f64::MIN_POSITIVE).ln();
                let mut at = 0u64;
                loop {
                    at = at.saturating_add((chance.unit().max(f64::MIN_POSITIVE).ln() / miss) as u64);
                    if at >= *number {
                        break;
                    }
                    at += 1;
                    let weighed = sampling.weigh(sampling.event_bytes(*size, chance.next()), None);
                    seen_bytes += weighed.bytes;
                    seen_count += u64::from(weighed.count);
                }
            }
            let holds = |interval: Interval, truth| (interval.low..=interval.high).contains(&truth);
            covered[0] += u32::from(holds(estimate.bytes(seen_bytes), bytes));
            covered[1] += u32::from(holds(estimate.count(seen_count), count));
        }
        covered
    }

    #[test]
    fn the_truth_lies_in_the_interval_in_95_of_100_runs() {
        let mut chance = Chance(11);
        let sizes = [16, 56, 500, 4 * KIB, 64 * KIB, 300 * KIB, 512 * KIB, MIB, 2 * MIB, 10 * MIB, 100 * MIB];
        let mut programs = Vec::new();
        for size in sizes {
            for total in [MIB / 4, 2 * MIB, 20 * MIB, 500 * MIB] {
                programs.push(vec![(size, (total / size).max(1))]);
            }
        }
        // Everything together, from 16 B to 100 MiB.
        programs.push(sizes.iter().map(|size| (*size, (4 * MIB / size).max(1))).collect());
        programs.push(sizes.iter().map(|size| (*size, 3)).collect());
        for program in programs {
            let [bytes, count] = covered(&program, &mut chance);
            // With 95 of 100 it would be 929 or more in 998 of 1000 such tests.
            assert!(bytes >= 929 && count >= 929, "{program:?}: {bytes} and {count} of 1000");
        }
    }
}
