//! How to get from a return address to the frame outside of it: learnt once from the unwind information, then looked
//! up.
//!
//! Threads read the table without a lock. Only one thread at a time writes, with the recorder held: key 0 first, then
//! the rule, then the key.

use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::private::hash;
use crate::sys;

/// Where the caller's frame ends (the "canonical frame address").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base {
    /// Words above the stack pointer.
    Sp,
    /// Words above the frame pointer.
    Bp,
    /// What stands some words above the frame pointer: functions that align their stacks.
    AtBp,
    /// Nowhere: this is the outermost frame.
    End,
    /// Not known: there is no unwind information, or none that is understood.
    Unknown,
    /// The stack pointer is at what the kernel has saved for a signal's handler.
    Signal,
}

/// Where the caller's frame pointer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Saved {
    /// Still in its register.
    Same,
    /// Words from where the caller's frame ends.
    FromEnd(i32),
    /// Words from the frame pointer.
    FromBp(i32),
}

/// What a return address says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Where the caller's frame ends, with `words`.
    pub base: Base,
    /// See `base`.
    pub words: i32,
    /// The caller's frame pointer.
    pub saved: Saved,
    /// Whether the function is one of this library, which is not shown.
    pub is_own: bool,
    /// Index of the address in the capture.
    pub address: u32,
}

const ADDRESS_BITS: u32 = 24;
const WORDS_BITS: u32 = 20;
const SAVED_BITS: u32 = 14;

impl Rule {
    /// How many addresses a capture can have.
    pub const MOST_ADDRESSES: u32 = (1 << ADDRESS_BITS) - 1;

    /// A rule without a way outwards.
    pub const fn without_way(base: Base) -> Self {
        Self { base, words: 0, saved: Saved::Same, is_own: false, address: 0 }
    }

    /// As one word, never 0; `None` for numbers that no real function has.
    pub fn pack(self) -> Option<u64> {
        let base = match self.base {
            Base::Sp => 1,
            Base::Bp => 2,
            Base::AtBp => 3,
            Base::End => 4,
            Base::Unknown => 5,
            Base::Signal => 6,
        };
        let (saved, saved_words) = match self.saved {
            Saved::Same => (0, 0),
            Saved::FromEnd(words) => (1, words),
            Saved::FromBp(words) => (2, words),
        };
        let field = |value: i32, bits: u32| {
            let half = 1 << (bits - 1);
            (-half..half).contains(&value).then_some((value + half) as u64)
        };
        let mut packed: u64 = base;
        packed = packed << 2 | saved;
        packed = packed << 1 | u64::from(self.is_own);
        packed = packed << WORDS_BITS | field(self.words, WORDS_BITS)?;
        packed = packed << SAVED_BITS | field(saved_words, SAVED_BITS)?;
        Some(packed << ADDRESS_BITS | u64::from(self.address.min(Self::MOST_ADDRESSES)))
    }

    /// From [`Self::pack`].
    #[inline]
    pub fn unpack(packed: u64) -> Self {
        let field =
            |shift: u32, bits: u32| ((packed >> shift) & ((1 << bits) - 1)) as i32 - (1 << (bits - 1));
        const SAVED_AT: u32 = ADDRESS_BITS;
        const WORDS_AT: u32 = SAVED_AT + SAVED_BITS;
        const OWN_AT: u32 = WORDS_AT + WORDS_BITS;
        let saved_words = field(SAVED_AT, SAVED_BITS);
        Self {
            address: packed as u32 & Self::MOST_ADDRESSES,
            saved: match packed >> (OWN_AT + 1) & 3 {
                0 => Saved::Same,
                1 => Saved::FromEnd(saved_words),
                _ => Saved::FromBp(saved_words),
            },
            words: field(WORDS_AT, WORDS_BITS),
            is_own: packed >> OWN_AT & 1 != 0,
            base: match packed >> (OWN_AT + 3) {
                1 => Base::Sp,
                2 => Base::Bp,
                3 => Base::AtBp,
                4 => Base::End,
                6 => Base::Signal,
                _ => Base::Unknown,
            },
        }
    }
}

/// Entries of a set stand in one cache line.
const WAYS: usize = 4;
const SETS: usize = 1 << 14;

#[repr(align(64))]
struct Set([[AtomicU64; 2]; WAYS]);

/// The table, from the first rule on.
static TABLE: AtomicPtr<Set> = AtomicPtr::new(core::ptr::null_mut());

fn set_of(pc: usize) -> Option<&'static Set> {
    let table = TABLE.load(Ordering::Acquire);
    if table.is_null() {
        return None;
    }
    // SAFETY: the table has so many sets, is never unmapped, and all zeros are a valid set.
    Some(unsafe { &*table.add(hash(pc as u64, 0) as usize % SETS) })
}

/// The rule of a return address, if it was learnt.
#[inline]
pub fn find(pc: usize) -> Option<Rule> {
    let set = set_of(pc)?;
    for [key, rule] in &set.0 {
        if key.load(Ordering::Acquire) == pc as u64 {
            let packed = rule.load(Ordering::Acquire);
            // Meanwhile it may have become another one's.
            if packed != 0 && key.load(Ordering::Relaxed) == pc as u64 {
                return Some(Rule::unpack(packed));
            }
        }
    }
    None
}

/// Keeps a rule; the recorder must be held. Without memory it is forgotten.
pub fn keep(pc: usize, packed: u64) {
    if TABLE.load(Ordering::Relaxed).is_null() {
        let Some(table) = sys::map_private(SETS * size_of::<Set>()) else { return };
        TABLE.store(table.cast(), Ordering::Release);
    }
    let Some(set) = set_of(pc) else { return };
    let is_free = |entry: &&[AtomicU64; 2]| {
        let [key, _] = entry;
        matches!(key.load(Ordering::Relaxed), 0) || key.load(Ordering::Relaxed) == pc as u64
    };
    let any = pc.rotate_right(4) % WAYS;
    let Some([key, rule]) = set.0.iter().find(is_free).or_else(|| set.0.get(any)) else { return };
    key.store(0, Ordering::Release);
    rule.store(packed, Ordering::Release);
    key.store(pc as u64, Ordering::Release);
}

/// Forgets all rules; the recorder must be held. Pages of zeros are empty sets.
pub fn forget_all() {
    let table = TABLE.load(Ordering::Relaxed);
    if !table.is_null() {
        // SAFETY: the table is such a mapping, and all its words may be 0 at any time.
        unsafe { sys::zero(table.cast(), SETS * size_of::<Set>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_survive_packing() {
        for base in [Base::Sp, Base::Bp, Base::AtBp, Base::End, Base::Unknown, Base::Signal] {
            for saved in [Saved::Same, Saved::FromEnd(-2), Saved::FromBp(0), Saved::FromEnd(-4000)] {
                for (words, is_own, address) in [(1, false, 0), (-3, true, 7), (500_000, false, 0x00ab_cdef)]
                {
                    let rule = Rule { base, words, saved, is_own, address };
                    assert_eq!(rule.pack().map(Rule::unpack), Some(rule));
                }
            }
        }
        assert_eq!(Rule { words: 1 << 19, ..Rule::without_way(Base::Sp) }.pack(), None);
    }

    #[test]
    fn what_is_kept_is_found_until_it_is_forgotten() {
        let rule = |words| Rule { words, ..Rule::without_way(Base::Sp) };
        for pc in 1..2000 {
            if let Some(packed) = rule(pc as i32).pack() {
                keep(pc, packed);
                assert_eq!(find(pc), Some(rule(pc as i32)));
            }
        }
        assert!((1..2000).all(|pc| find(pc).is_none_or(|found| found == rule(pc as i32))));
        forget_all();
        assert!((1..2000).all(|pc| find(pc).is_none()));
    }
}
