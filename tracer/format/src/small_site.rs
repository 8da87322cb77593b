//! Most sites allocate little: their counters as a quarter of a [`Site`].

use crate::record::record;
use crate::{Allocator, SIZE_CLASSES, Site};

/// The first version of the layout whose sites are small ones.
pub const FIRST_WITH_SMALL_SITES: u32 = 4;
/// Classes of sizes that a small site can have: all below 64 KiB.
const SMALL_CLASSES: usize = 7;
/// What `thread_and_allocator` has for the thread.
const THREAD_BITS: u32 = 10;

record! {
    /// A [`Site`] whose figures are small; a few sites outgrow it, and are records of [`crate::Table::LargeSites`].
    ///
    /// Its `allocated_count` is the sum of `sizes`, and its set that of its stack.
    ///
    /// Example: `03 00 00 00  02 00 00 00  05 00 00 00  01 18  01 02  40 00 20 00 60 00 00 00  00  00 03 00 00 00 00 00` is
    /// of stack 3, place 2, thread 1 and `malloc`: three allocations with 96 bytes, of which two with 64 bytes are live; of
    /// peak 5 it had one with 32 bytes.
    SmallSite [32] {
        /// Index of a [`crate::Stack`].
        stack: u32,
        /// As in [`Site`].
        place: u32,
        /// As in [`Site`]; of one that is outgrown the index of its record.
        epoch: u32,
        /// Index of a thread in the low 10 bits, [`Allocator`] in the high 6; 0 when it is outgrown.
        thread_and_allocator: u16,
        /// As in [`Site`], like everything that follows.
        peak_count: u8,
        /// Allocations not yet freed.
        live_count: u8,
        /// Bytes not yet freed.
        live_bytes: u16,
        /// Live bytes at the peak.
        peak_bytes: u16,
        /// Bytes ever allocated.
        allocated_bytes: u16,
        /// Bytes of temporary allocations.
        temporary_bytes: u16,
        /// Temporary allocations.
        temporary_count: u8,
        /// Allocations by [`crate::size_class`].
        sizes: [u8; SMALL_CLASSES],
    }
}

impl SmallSite {
    /// One whose record is the `index`-th of [`crate::Table::LargeSites`].
    #[must_use]
    pub fn outgrown(stack: u32, place: u32, index: u32) -> Self {
        Self { stack, place, epoch: index, ..Self::default() }
    }

    /// The index of its record in [`crate::Table::LargeSites`], if it is outgrown.
    #[inline]
    #[must_use]
    pub const fn large(&self) -> Option<u32> {
        if self.thread_and_allocator == 0 { Some(self.epoch) } else { None }
    }

    /// Thread and allocator as [`Site::key`] packs them; 0 when it is outgrown.
    #[inline]
    #[must_use]
    pub const fn key(&self) -> u32 {
        let packed = self.thread_and_allocator as u32;
        packed & ((1 << THREAD_BITS) - 1) | packed >> THREAD_BITS << 24
    }

    /// The site; not of one that is outgrown. `set` is that of its stack.
    #[inline]
    #[must_use]
    pub fn site(&self, set: u32) -> Site {
        let mut sizes = [0; SIZE_CLASSES];
        let mut allocated_count = 0;
        for (size, small) in sizes.iter_mut().zip(self.sizes) {
            *size = small.into();
            allocated_count += u64::from(small);
        }
        Site {
            live_bytes: self.live_bytes.into(),
            peak_bytes: self.peak_bytes.into(),
            live_count: self.live_count.into(),
            peak_count: self.peak_count.into(),
            epoch: self.epoch,
            place: self.place,
            allocated_bytes: self.allocated_bytes.into(),
            allocated_count,
            temporary_bytes: self.temporary_bytes.into(),
            temporary_count: self.temporary_count.into(),
            stack: self.stack,
            set,
            thread_and_allocator: self.key(),
            sizes,
        }
    }

    /// The record of a site, `None` when its figures are not small.
    #[inline]
    #[must_use]
    pub fn of(site: &Site) -> Option<Self> {
        let (thread, allocator) = (site.thread(), site.thread_and_allocator >> 24);
        let mut sizes = [0; SMALL_CLASSES];
        let mut count = 0;
        for (small, size) in sizes.iter_mut().zip(site.sizes) {
            *small = u8::try_from(size).ok()?;
            count += u64::from(*small);
        }
        // The sum of all sizes is that of these then, so there are no others.
        let is_small = count == site.allocated_count
            && thread < 1 << THREAD_BITS
            && allocator != 0
            && allocator < 1 << (u16::BITS - THREAD_BITS);
        is_small.then_some(())?;
        Some(Self {
            stack: site.stack,
            place: site.place,
            epoch: site.epoch,
            thread_and_allocator: (thread | allocator << THREAD_BITS) as u16,
            peak_count: u8::try_from(site.peak_count).ok()?,
            live_count: u8::try_from(site.live_count).ok()?,
            live_bytes: u16::try_from(site.live_bytes).ok()?,
            peak_bytes: u16::try_from(site.peak_bytes).ok()?,
            allocated_bytes: u16::try_from(site.allocated_bytes).ok()?,
            temporary_bytes: u16::try_from(site.temporary_bytes).ok()?,
            temporary_count: u8::try_from(site.temporary_count).ok()?,
            sizes,
        })
    }
}

/// Every allocator has its place.
const _: () = assert!((Allocator::PyObjectRealloc as u32) < 1 << (u16::BITS - THREAD_BITS));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    fn example() -> Site {
        let mut sizes = [0; SIZE_CLASSES];
        sizes[1] = 3;
        Site {
            live_bytes: 64,
            peak_bytes: 32,
            live_count: 2,
            peak_count: 1,
            epoch: 5,
            place: 2,
            allocated_bytes: 96,
            allocated_count: 3,
            stack: 3,
            set: 7,
            thread_and_allocator: Site::key(1, Allocator::Malloc),
            sizes,
            ..Site::default()
        }
    }

    #[test]
    fn small_site_example_decodes() {
        let bytes = [
            3, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 1, 0x18, 1, 2, 0x40, 0, 0x20, 0, 0x60, 0, 0, 0, 0, 0, 3, 0,
            0, 0, 0, 0,
        ];
        let small = SmallSite::decode(&bytes).expect("there are enough bytes");
        assert_eq!(small.site(7), example());
        assert_eq!(SmallSite::of(&example()), Some(small));
        assert_eq!(small.large(), None);
    }

    #[test]
    fn what_is_not_small_is_outgrown() {
        type Change = fn(&mut Site);
        let changes: [Change; 10] = [
            |site| site.live_bytes = 1 << 16,
            |site| site.peak_bytes = 1 << 16,
            |site| site.allocated_bytes = 1 << 16,
            |site| site.temporary_bytes = 1 << 16,
            |site| site.live_count = 256,
            |site| site.peak_count = 256,
            |site| site.temporary_count = 256,
            |site| (site.sizes[1], site.allocated_count) = (256, 256),
            |site| (site.sizes[SMALL_CLASSES], site.allocated_count) = (1, 4),
            |site| site.thread_and_allocator = Site::key(1 << THREAD_BITS, Allocator::Malloc),
        ];
        for change in changes {
            let mut site = example();
            change(&mut site);
            assert_eq!(SmallSite::of(&site), None);
        }
        assert_eq!(SmallSite::outgrown(3, 2, 9).large(), Some(9));
    }

    #[test]
    fn the_largest_small_site_comes_back() {
        let mut site = example();
        for size in site.sizes.iter_mut().take(SMALL_CLASSES) {
            *size = 255;
        }
        site.allocated_count = 255 * SMALL_CLASSES as u64;
        for bytes in [&mut site.live_bytes, &mut site.peak_bytes, &mut site.allocated_bytes] {
            *bytes = 0xffff;
        }
        (site.live_count, site.peak_count, site.epoch) = (255, 255, u32::MAX);
        (site.temporary_bytes, site.temporary_count) = (0xffff, 255);
        for allocator in Allocator::ALL {
            site.thread_and_allocator = Site::key((1 << THREAD_BITS) - 1, allocator);
            assert_eq!(SmallSite::of(&site).map(|small| small.site(7)), Some(site));
        }
    }
}
