//! Mappings that are live: ranges of addresses, of which any part may be unmapped.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::live::Block;

/// A piece of a mapping.
#[derive(Clone, Copy, Debug)]
struct Piece {
    end: u64,
    site: u32,
    stamp: u16,
    mapping: u32,
    /// Where the mapping began.
    origin: u64,
}

/// What was unmapped of one mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unmapped {
    /// The mapping's site and stamp; `bytes` are those that are gone.
    pub block: Block,
    /// Whether nothing of the mapping is left.
    pub whole: bool,
    /// Where the mapping began, when that is gone.
    pub origin: Option<u64>,
}

/// Live mappings by address. No two overlap.
#[derive(Default)]
pub(super) struct Ranges {
    pieces: BTreeMap<u64, Piece>,
    /// Pieces of each mapping that has more than one.
    split: FxHashMap<u32, u32>,
    next_mapping: u32,
}

impl Ranges {
    /// Adds a mapping. The caller has removed what was there.
    pub fn insert(&mut self, start: u64, block: Block) {
        let Some(end) = start.checked_add(block.bytes).filter(|end| *end > start) else { return };
        let mapping = self.next_mapping;
        self.next_mapping = mapping.wrapping_add(1);
        self.pieces
            .insert(start, Piece { end, site: block.site, stamp: block.stamp, mapping, origin: start });
    }

    /// Removes every part of a mapping in `start..start + bytes`, and tells of each.
    pub fn remove(&mut self, start: u64, bytes: u64, mut unmapped: impl FnMut(Unmapped)) {
        let end = start.saturating_add(bytes);
        if end <= start {
            return;
        }
        let mut at = self.pieces.range(..=start).next_back().map_or(start, |(first, _)| *first);
        while at < end
            && let Some((first, piece)) = self.pieces.range(at..end).next().map(|(at, piece)| (*at, *piece))
        {
            at = piece.end;
            if piece.end <= start {
                continue;
            }
            self.pieces.remove(&first);
            let mut added = -1i32;
            if first < start {
                self.pieces.insert(first, Piece { end: start, ..piece });
                added += 1;
            }
            if piece.end > end {
                self.pieces.insert(end, piece);
                added += 1;
            }
            let (gone_from, gone_to) = (first.max(start), piece.end.min(end));
            let block = Block { site: piece.site, bytes: gone_to - gone_from, stamp: piece.stamp };
            let whole = self.count_pieces(piece.mapping, added);
            unmapped(Unmapped { block, whole, origin: (gone_from == piece.origin).then_some(gone_from) });
        }
    }

    /// Every piece, and whether it is the one that counts as its mapping: the last.
    pub fn iter(&self) -> impl Iterator<Item = (Block, bool)> {
        let mut seen = rustc_hash::FxHashSet::default();
        self.pieces.iter().rev().map(move |(start, piece)| {
            let block = Block { site: piece.site, bytes: piece.end - start, stamp: piece.stamp };
            (block, seen.insert(piece.mapping))
        })
    }

    /// Halves every stamp.
    pub fn halve_stamps(&mut self) {
        self.pieces.values_mut().for_each(|piece| piece.stamp /= 2);
    }

    /// Whether the mapping has no piece left.
    fn count_pieces(&mut self, mapping: u32, added: i32) -> bool {
        let pieces = self.split.remove(&mapping).unwrap_or(1).saturating_add_signed(added);
        if pieces > 1 {
            self.split.insert(mapping, pieces);
        }
        pieces == 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a table of single bytes.
        #[test]
        fn parts_go_as_byte_by_byte(steps in prop::collection::vec((any::<bool>(), 0u64..40, 0u64..20), 0..60)) {
            let mut ranges = Ranges::default();
            let mut bytes: BTreeMap<u64, u32> = BTreeMap::new();
            for (number, (add, start, length)) in steps.into_iter().enumerate() {
                let mut gone: BTreeMap<u32, (u64, bool)> = BTreeMap::new();
                ranges.remove(start, length, |part| {
                    let entry = gone.entry(part.block.site).or_default();
                    entry.0 += part.block.bytes;
                    entry.1 |= part.whole;
                });
                let mut expected: BTreeMap<u32, (u64, bool)> = BTreeMap::new();
                for at in start..start + length {
                    if let Some(owner) = bytes.remove(&at) {
                        expected.entry(owner).or_default().0 += 1;
                    }
                }
                let left: BTreeSet<u32> = bytes.values().copied().collect();
                for (owner, entry) in &mut expected {
                    entry.1 = !left.contains(owner);
                }
                prop_assert_eq!(gone, expected);
                if add {
                    ranges.insert(start, Block { site: number as u32, bytes: length, stamp: 0 });
                    bytes.extend((start..start + length).map(|at| (at, number as u32)));
                }
            }
            let left: u64 = ranges.pieces.iter().map(|(start, piece)| piece.end - start).sum();
            prop_assert_eq!(left, bytes.len() as u64);
        }
    }
}
