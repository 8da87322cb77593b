//! Which allocations are recorded, when not all are: see [`heaphint_format::Sampling`] for what a recorded one stands for.
//!
//! A thread counts down the bytes to its next point, whose distance has an exponential distribution. The distribution
//! forgets how far it has come, so the count begins anew behind an allocation that was recorded. For nearly every
//! allocation that is one subtraction, and its free is one look into [`KNOWN`].

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use heaphint_format::{Allocator, Sampling};

use crate::private::hash;
use crate::sys;

/// Bytes between two points, on average; 0 when everything is recorded.
static EVERY: AtomicU32 = AtomicU32::new(0);
/// Where all threads' chance comes from; 0 for the clock.
static SEED: AtomicU64 = AtomicU64::new(0);

/// How many recorded blocks are live whose address has this hash. Where it says none, there is none. One that is full
/// stays so.
static KNOWN: [AtomicU8; PLACES] = [const { AtomicU8::new(0) }; PLACES];
const PLACES: usize = 1 << 14;

/// To be called before recording begins. A `seed` that is not 0 makes every run of a program choose alike.
pub fn set(sample_bytes: u32, seed: u64) {
    EVERY.store(sample_bytes, Ordering::Relaxed);
    SEED.store(seed, Ordering::Relaxed);
}

/// How allocations are sampled.
pub fn sampling() -> Sampling {
    Sampling::new(EVERY.load(Ordering::Relaxed))
}

#[inline]
fn place(address: usize) -> &'static AtomicU8 {
    let at =
        ((address as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES.ilog2())) as usize;
    // SAFETY: as many bits as there are places.
    unsafe { KNOWN.get_unchecked(at) }
}

/// Whether a block may have been recorded.
#[inline]
pub fn may_know(address: usize) -> bool {
    EVERY.load(Ordering::Relaxed) == 0 || place(address).load(Ordering::Relaxed) != 0
}

/// A block is recorded. Before the program has its address.
pub fn know(address: usize) {
    change(address, |count| count.saturating_add(1));
}

/// A recorded block is out of the table.
pub fn forget(address: usize) {
    change(address, |count| if count == u8::MAX { count } else { count.saturating_sub(1) });
}

fn change(address: usize, to: impl Fn(u8) -> u8) {
    if EVERY.load(Ordering::Relaxed) != 0 {
        // The closure always gives a number.
        let _ = place(address).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| Some(to(count)));
    }
}

/// Forgets all blocks, which are the parent's; in a forked child.
pub fn forget_all() {
    for place in &KNOWN {
        place.store(0, Ordering::Relaxed);
    }
}

/// What is to be done with an allocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// Record it, with these bytes.
    Record(u64),
    /// Do not record it.
    Skip,
    /// Do not record it; but the thread's last allocation was recorded, and is not its last any more.
    SkipAfterRecorded,
}

/// A thread's way to the next point.
pub struct Sampler {
    /// Bytes that the thread may still allocate before the next look at what follows; none while that is below 0.
    left: i64,
    /// Bytes to the next point while `left` does not say it.
    held: Option<i64>,
    /// Whether the thread's last allocation was recorded.
    was_recorded: bool,
    /// State of the generator; 0 before it is needed.
    state: u64,
}

impl Sampler {
    pub const fn new() -> Self {
        Self { left: -1, held: None, was_recorded: false, state: 0 }
    }

    /// Decides about an allocation of the thread.
    #[inline]
    pub fn choose(&mut self, bytes: usize, allocator: Allocator) -> Choice {
        let every = EVERY.load(Ordering::Relaxed);
        if every == 0 {
            return Choice::Record(bytes as u64);
        }
        if matches!(allocator, Allocator::Mmap | Allocator::Mremap) {
            return self.choose_mapping(bytes);
        }
        // Sizes are below half of the address space.
        self.left -= bytes.max(1) as i64;
        if self.left >= 0 { Choice::Skip } else { self.look(bytes, every) }
    }

    #[cold]
    fn choose_mapping(&mut self, bytes: usize) -> Choice {
        if self.held.is_none() && self.state != 0 {
            self.held = Some(self.left);
        }
        self.was_recorded = true;
        self.left = -1;
        Choice::Record(bytes as u64)
    }

    #[inline(never)]
    fn look(&mut self, bytes: usize, every: u32) -> Choice {
        if self.state == 0 {
            self.state = seed();
            self.held = Some(self.distance(every));
        }
        let to_next = self.held.take().map_or(self.left, |held| held - bytes.max(1) as i64);
        if to_next >= 0 {
            self.left = to_next;
            let after = core::mem::take(&mut self.was_recorded);
            return if after { Choice::SkipAfterRecorded } else { Choice::Skip };
        }
        // The next allocation, however small, is looked at: with it, this one is not the thread's last any more.
        self.left = -1;
        self.held = Some(self.distance(every));
        self.was_recorded = true;
        Choice::Record(Sampling::new(every).event_bytes(bytes as u64, self.chance()))
    }

    /// Bytes to the next point: exponential with this mean.
    fn distance(&mut self, every: u32) -> i64 {
        (minus_log(self.chance()) * f64::from(every)) as i64
    }

    /// 64 bits by chance (Marsaglia's xorshift, with Vigna's multiplication).
    fn chance(&mut self) -> u64 {
        let mut x = self.state;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.state = x;
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Where a thread's chance begins; never 0.
fn seed() -> u64 {
    static THREADS: AtomicU64 = AtomicU64::new(0);
    let number = THREADS.fetch_add(1, Ordering::Relaxed);
    let seed = match SEED.load(Ordering::Relaxed) {
        0 => {
            let _errno = sys::ErrnoGuard::new();
            // The second is where the kernel has put the library, by chance.
            let place = (&raw const KNOWN).addr() as u64;
            hash(sys::clock_ms(libc::CLOCK_MONOTONIC) ^ place << 16, u64::from(sys::process_id()))
        }
        seed => seed,
    };
    hash(seed, number) | 1
}

/// `-ln(u)` for a `u` between 0 and 1 of which these are the first 64 bits, to 9 digits.
fn minus_log(bits: u64) -> f64 {
    const LN_2: f64 = core::f64::consts::LN_2;
    // The middle of the interval that the bits stand for, as m * 2 ** (-zeros - 1) with m in [1, 2).
    let zeros = bits.leading_zeros().min(62);
    let m = ((bits << zeros) >> 11 | 1) as f64 / (1u64 << 52) as f64;
    // ln(m) = 2 * artanh(z), and z is below 1/3.
    let z = (m - 1.0) / (m + 1.0);
    let square = z * z;
    let mut sum = 0.0;
    let mut k = 19.0;
    while k >= 1.0 {
        sum = sum * square + 1.0 / k;
        k -= 2.0;
    }
    f64::from(zeros + 1) * LN_2 - 2.0 * z * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_one() {
        for bits in [1, 2, 3, 1 << 20, 1 << 62, 1 << 63, u64::MAX / 3, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            let expected = -(bits as f64 / 2f64.powi(64)).ln();
            let found = minus_log(bits);
            assert!(
                (found - expected).abs() < 1e-9 * (1.0 + expected),
                "{bits:x}: {found} is not {expected}"
            );
        }
    }

    #[test]
    fn distances_have_an_exponential_distribution() {
        const DRAWS: usize = 400_000;
        let mut sampler = Sampler { state: 1, ..Sampler::new() };
        let mut found: Vec<f64> = (0..DRAWS).map(|_| minus_log(sampler.chance())).collect();
        found.sort_by(f64::total_cmp);
        // Kolmogorov and Smirnov: beyond 1.95 / sqrt(n) it would be by chance once in a thousand.
        let distance = |(i, x): (usize, &f64)| {
            let expected = -(-x).exp_m1();
            (expected - i as f64 / DRAWS as f64).abs().max((expected - (i + 1) as f64 / DRAWS as f64).abs())
        };
        let largest = found.iter().enumerate().map(distance).fold(0.0, f64::max);
        assert!(largest < 1.95 / (DRAWS as f64).sqrt(), "{largest}");
    }

    /// Calls `with` while sampling is on, which the whole process shares.
    fn sampled(every: u32, with: impl FnOnce()) {
        static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        set(every, 7);
        with();
        set(0, 0);
    }

    #[test]
    fn estimates_are_right_on_average() {
        const EVERY_BYTES: u32 = 4096;
        sampled(EVERY_BYTES, || {
            for bytes in [1usize, 16, 500, 4096, 20_000, 1 << 20] {
                let mut sampler = Sampler { state: bytes as u64 + 1, ..Sampler::new() };
                sampler.held = Some(sampler.distance(EVERY_BYTES));
                let allocations = (40_000_000 / bytes).clamp(20_000, 4_000_000);
                let (mut estimate, mut count, mut recorded) = (0u64, 0u64, 0u64);
                for _ in 0..allocations {
                    if let Choice::Record(event) = sampler.choose(bytes, Allocator::Malloc) {
                        let weighed = sampling().weigh(event, Some(Allocator::Malloc));
                        assert_eq!(weighed.requested, bytes as u64);
                        estimate += weighed.bytes;
                        count += u64::from(weighed.count);
                        recorded += 1;
                    }
                }
                let share = bytes as f64 / f64::from(EVERY_BYTES);
                let probability = -(-share).exp_m1();
                let spread = (probability * (1.0 - probability) * allocations as f64).sqrt();
                let expected = probability * allocations as f64;
                // Four standard deviations, with a fixed seed.
                assert!(
                    (recorded as f64 - expected).abs() <= 4.0 * spread + 1.0,
                    "{bytes}: {recorded}, {expected}"
                );
                let relative = 4.0 * spread / expected + 0.001;
                let (total, allocations) = ((bytes * allocations) as f64, allocations as f64);
                assert!((estimate as f64 - total).abs() <= relative * total, "{bytes}: {estimate}, {total}");
                // Rounding by chance adds at most a quarter to the variance of each.
                let relative = relative + 4.0 * (0.25 * expected).sqrt() / allocations;
                assert!((count as f64 - allocations).abs() <= relative * allocations, "{bytes}: {count}");
            }
        });
    }

    #[test]
    fn a_recorded_allocation_is_its_threads_last_until_the_next_one() {
        sampled(1000, || {
            let mut sampler = Sampler::new();
            assert!(matches!(sampler.choose(1 << 30, Allocator::Malloc), Choice::Record(_)));
            // The next point is near, but hardly within a byte.
            assert_eq!(sampler.choose(0, Allocator::Malloc), Choice::SkipAfterRecorded);
            assert_eq!(sampler.choose(0, Allocator::Malloc), Choice::Skip);
            assert_eq!(sampler.choose(8192, Allocator::Mmap), Choice::Record(8192));
            assert_eq!(sampler.choose(0, Allocator::Malloc), Choice::SkipAfterRecorded);
        });
    }

    #[test]
    fn what_is_recorded_may_be_known() {
        sampled(1000, || {
            let address = 0x7f00_1234_5670;
            assert!(!may_know(address));
            know(address);
            know(address);
            forget(address);
            assert!(may_know(address));
            forget(address);
            assert!(!may_know(address));
            for _ in 0..300 {
                know(address);
            }
            for _ in 0..300 {
                forget(address);
            }
            assert!(may_know(address));
            forget_all();
            assert!(!may_know(address));
        });
        assert!(may_know(1), "without sampling everything is recorded");
    }
}
