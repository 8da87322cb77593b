//! The pending events of all threads, one after the other: the seam between what threads write and what is made of it.
//!
//! A round of application makes an [`Ordered`] and takes every event out of it once. Whatever else is to know of each
//! event in its order (site, change, address, number of the allocation) can be given it at that moment.

use core::mem::offset_of;

use heaphint_format::{AREA_EVENTS, Area, AreaState, NO_STAMP, PendingEvent, earliest};

use crate::capture::CaptureFile;
use crate::crash_points;
use crate::order::Round;
use crate::private::Array;

/// An area of a round.
#[derive(Clone, Copy)]
struct Source {
    area: u32,
    /// What was taken of its events.
    taken: AreaState,
    /// The stamp of the next one.
    next: u64,
    /// Whether `taken` is to be written when the application commits; its old value is in the journal then.
    saved: bool,
}

/// Memory for the areas of a round, kept for the next.
pub struct Sources(Array<Source>);

impl Sources {
    pub const fn new() -> Self {
        Self(Array::new())
    }
}

/// Events of a round that have not been taken.
pub struct Ordered<'a> {
    sources: &'a mut [Source],
    /// The one whose events come next, up to the stamp `until`.
    current: usize,
    until: u64,
    cut: u64,
    /// How often the order went from one area to another.
    pub changes: u32,
}

impl<'a> Ordered<'a> {
    /// The events of a round. An area for which there is no memory waits for the next one.
    pub fn new(file: &CaptureFile, round: &Round, sources: &'a mut Sources) -> Self {
        crash_points::log_round();
        sources.0.truncate(0);
        for area in (0..file.areas.len()).filter(|area| round.has(*area)) {
            let [applied, stamp] = file.areas.pair(area, offset_of!(Area, state)).load();
            let taken = AreaState { applied, stamp };
            let next = stamp_within(file, area, taken, round.cut);
            if next != NO_STAMP && !sources.0.push(Source { area, taken, next, saved: false }) {
                break;
            }
        }
        let (current, until) = (usize::MAX, 0);
        Self { sources: sources.0.as_mut_slice(), current, until, cut: round.cut, changes: 0 }
    }

    /// The next event of all.
    #[inline]
    pub fn next(&mut self, file: &CaptureFile) -> Option<PendingEvent> {
        self.next_of_area(file).or_else(|| {
            if let Some(source) = self.sources.get_mut(self.current) {
                source.next = stamp_within(file, source.area, source.taken, self.cut);
            }
            let (next, until) = earliest(self.sources.iter().map(|source| source.next))?;
            (self.current, self.until) = (next, until.min(self.cut));
            self.changes += 1;
            self.next_of_area(file)
        })
    }

    /// The next event of all, if it is of the same area as the last one.
    #[inline]
    pub fn next_of_area(&self, file: &CaptureFile) -> Option<PendingEvent> {
        let source = self.sources.get(self.current)?;
        file.event(source.area, source.taken).filter(|event| event.stamp <= self.until)
    }

    /// Takes an event, which was the next one.
    #[inline]
    pub fn take(&mut self, event: &PendingEvent) {
        if let Some(source) = self.sources.get_mut(self.current) {
            crash_points::log_applied(source.area, event.stamp);
            source.taken = AreaState { applied: source.taken.applied + 1, stamp: event.stamp };
        }
    }

    /// Index of the thread whose event is the next one.
    #[inline]
    pub fn thread(&self, file: &CaptureFile) -> u32 {
        let area = self.sources.get(self.current).map(|source| source.area);
        area.map_or(0, |area| file.areas.word(area, offset_of!(Area, thread)).load() as u32)
    }

    /// The area of the next event, if its state is to go into the journal first.
    #[inline]
    pub fn unsaved(&mut self) -> Option<u32> {
        let source = self.sources.get_mut(self.current)?;
        (!core::mem::replace(&mut source.saved, true)).then_some(source.area)
    }

    /// The areas that [`Self::unsaved`] gave since the last commit, and what has been taken of each.
    pub fn saved(&self) -> impl Iterator<Item = (u32, AreaState)> {
        self.sources.iter().filter(|source| source.saved).map(|source| (source.area, source.taken))
    }

    /// What was taken is in the tables for good, so threads may use its places again.
    pub fn committed(&mut self, file: &CaptureFile) {
        for source in self.sources.iter_mut().filter(|source| source.saved) {
            source.saved = false;
            let room = source.taken.applied + AREA_EVENTS as u64;
            file.areas.word(source.area, offset_of!(Area, room)).store(room);
        }
    }
}

/// The stamp of an area's next event, [`NO_STAMP`] if that is not there, or behind the cut.
fn stamp_within(file: &CaptureFile, area: u32, taken: AreaState, cut: u64) -> u64 {
    file.event(area, taken).map(|event| event.stamp).filter(|stamp| *stamp <= cut).unwrap_or(NO_STAMP)
}
