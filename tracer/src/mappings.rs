//! Which address ranges are mapped: `munmap` may take part of one away, or parts of several.

use crate::private::Array;

/// A mapped range, or what is left of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mapping {
    start: usize,
    end: usize,
    site: u32,
    number: u64,
    /// The same in all pieces of one allocation.
    origin: u32,
    /// Whether there may be other pieces.
    split: bool,
}

/// A part of an allocation that was unmapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    pub site: u32,
    /// The allocation's number; 0 where they are not numbered.
    pub number: u64,
    pub start: usize,
    pub bytes: u64,
    /// True when nothing of the allocation is left.
    pub last: bool,
}

/// Disjoint ranges in order of their address.
pub struct Mappings {
    ranges: Array<Mapping>,
    origins: u32,
}

impl Mappings {
    pub const fn new() -> Self {
        Self { ranges: Array::new(), origins: 0 }
    }

    /// Adds a range that overlaps no other. `false` without memory.
    #[must_use]
    pub fn insert(&mut self, start: usize, bytes: usize, site: u32, number: u64) -> bool {
        self.origins = self.origins.wrapping_add(1);
        let mapping = Mapping {
            start,
            end: start.saturating_add(bytes),
            site,
            number,
            origin: self.origins,
            split: false,
        };
        self.add(mapping)
    }

    fn add(&mut self, mapping: Mapping) -> bool {
        let index = self.ranges.as_slice().partition_point(|other| other.start < mapping.start);
        self.ranges.insert(index, mapping)
    }

    /// Removes the first part of `start..end` that is mapped; call until it gives `None`.
    pub fn remove(&mut self, start: usize, end: usize) -> Option<Removed> {
        let index = self.ranges.as_slice().partition_point(|other| other.end <= start);
        let mapping = *self.ranges.as_slice().get(index).filter(|mapping| mapping.start < end)?;
        let from = mapping.start.max(start);
        let to = mapping.end.min(end);
        self.ranges.remove(index);
        let partial = from > mapping.start || to < mapping.end;
        let split = mapping.split || partial;
        // Without memory for a piece the piece is forgotten: it will never be reported as freed.
        let kept_before = from > mapping.start && self.add(Mapping { end: from, split, ..mapping });
        let kept_after = to < mapping.end && self.add(Mapping { start: to, split, ..mapping });
        let is_piece = |other: &Mapping| other.origin == mapping.origin;
        let others =
            kept_before || kept_after || mapping.split && self.ranges.as_slice().iter().any(is_piece);
        Some(Removed {
            site: mapping.site,
            number: mapping.number,
            start: from,
            bytes: (to - from) as u64,
            last: !others,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(mappings: &mut Mappings, start: usize, end: usize) -> (u64, u32) {
        let (mut bytes, mut count) = (0, 0);
        while let Some(part) = mappings.remove(start, end) {
            bytes += part.bytes;
            count += u32::from(part.last);
        }
        (bytes, count)
    }

    #[test]
    fn an_allocation_ends_with_its_last_piece() {
        let mut mappings = Mappings::new();
        assert!(mappings.insert(0x1000, 0x5000, 1, 7));
        assert_eq!(removed(&mut mappings, 0x2000, 0x3000), (0x1000, 0));
        assert_eq!(removed(&mut mappings, 0x4000, 0x5000), (0x1000, 0));
        assert_eq!(removed(&mut mappings, 0x1000, 0x2000), (0x1000, 0));
        assert_eq!(removed(&mut mappings, 0x3000, 0x6000), (0x2000, 1));
        assert_eq!(removed(&mut mappings, 0, usize::MAX), (0, 0));
    }

    #[test]
    fn one_call_may_end_several() {
        let mut mappings = Mappings::new();
        assert!(mappings.insert(0x5000, 0x1000, 1, 7) && mappings.insert(0x1000, 0x4000, 2, 8));
        assert_eq!(removed(&mut mappings, 0x3000, 0x5800), (0x2800, 0));
        assert_eq!(removed(&mut mappings, 0x1000, 0x6000), (0x2800, 2));
    }
}
