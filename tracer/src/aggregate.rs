//! Applies pending events to the tables: all or nothing, whatever moment the process dies at.
//!
//! [`crate::ordered`] gives the events of all threads in their order. What an event does to a site, a place and the
//! totals is said in [`heaphint_format::Totals`]. Here stands in which order it is written: first the old value goes
//! into the journal, then the new one into the table. An application saves each record once, however many of its
//! events change it; when the journal is full, it commits what it has done so far and goes on.

use core::mem::offset_of;

use heaphint_format::{Area, NO_PLACE, Pending, Place, SetNode, Site, SmallSite, Totals};

use crate::capture::{CaptureFile, Transaction, header_pair};
use crate::crash_points::{self, crash_point};
use crate::event_log::EventLog;
use crate::ordered::Ordered;

const PENDING: usize = offset_of!(SetNode, pending);
const SITE_PAIRS: usize = size_of::<SmallSite>() / 16;
const LARGE_SITE_PAIRS: usize = size_of::<Site>() / 16;
/// Pairs that events of one site save at most: those of the site, of its innermost line, and of the area.
const SITE_SAVES: usize = LARGE_SITE_PAIRS + 2;
/// Pairs that leaving a set saves at most: its line and function, and what is pending at the set above.
const LEAVE_SAVES: usize = 3;

/// Applies all events of a round, and appends them to the log. `now_ms` is noted as the time of peaks that they close. There
/// is room for one more large site for each event; how many there are afterwards is returned.
#[inline(never)]
pub fn apply(file: &CaptureFile, events: &mut Ordered<'_>, log: &mut EventLog, now_ms: u32) -> u32 {
    let mut application = Application::begin(file);
    while application.apply_run(events, log, now_ms) {}
    application.commit(events);
    application.large_sites
}

/// One application of pending events.
struct Application<'a> {
    file: &'a CaptureFile,
    journal: Transaction,
    /// Sites, places and sets that are in the journal, at the place of their low bits; plus one.
    saved_sites: [u32; SAVED],
    saved_places: [u32; SAVED],
    saved_sets: [u32; SAVED],
    /// The current set; what is pending there stands in `totals`.
    set: u32,
    totals: Totals,
    /// How many large sites there are.
    large_sites: u32,
}

const SAVED: usize = 64;

impl<'a> Application<'a> {
    fn begin(file: &'a CaptureFile) -> Self {
        let header = file.header();
        let mut application = Self {
            file,
            journal: file.transaction(),
            saved_sites: [0; SAVED],
            saved_places: [0; SAVED],
            saved_sets: [0; SAVED],
            set: header.current_set,
            totals: Totals::new(&header, Pending::default()),
            large_sites: file.large_sites.len(),
        };
        application.save_totals();
        application
    }

    /// Saves what [`Self::commit`] changes, apart from the areas.
    fn save_totals(&mut self) {
        let file = self.file;
        self.journal.save(header_pair!(file, smallest_bytes));
        self.journal.save(header_pair!(file, current_bytes));
        self.journal.save(header_pair!(file, peak_state));
        self.enter(self.set);
    }

    /// Everything done so far counts from now on, and each area says how far that is.
    fn commit(&mut self, events: &mut Ordered<'_>) {
        let (file, totals) = (self.file, self.totals);
        self.put_pending();
        header_pair!(file, smallest_bytes).store([totals.smallest_bytes, totals.largest_bytes]);
        header_pair!(file, current_bytes).store([totals.current_bytes, totals.peak_bytes]);
        let state = u64::from(totals.peak_state) | u64::from(totals.peak_ms) << 32;
        header_pair!(file, peak_state).store([state, self.set.into()]);
        for (area, taken) in events.saved() {
            file.areas.pair(area, offset_of!(Area, state)).store([taken.applied, taken.stamp]);
        }
        self.journal.commit();
        crash_points::log_committed();
        events.committed(file);
    }

    /// Makes room in the journal for so many pairs.
    #[inline]
    fn make_room(&mut self, pairs: usize, events: &mut Ordered<'_>) {
        if self.journal.room() < pairs {
            self.commit(events);
            self.saved_sites = [0; SAVED];
            self.saved_places = [0; SAVED];
            self.saved_sets = [0; SAVED];
            self.save_totals();
        }
    }

    /// Applies the next events, as far as they are of one site; whether there were any.
    fn apply_run(&mut self, events: &mut Ordered<'_>, log: &mut EventLog, now_ms: u32) -> bool {
        let file = self.file;
        let Some(mut event) = events.next(file) else { return false };
        let id = event.site();
        // SAFETY: the record exists, the recorder's lock makes this thread the only one here, and nothing changes it before it
        // is put back. Of one that is outgrown most is not even looked at.
        let record = unsafe { &*file.sites.at(id) };
        let large = record.large().map(|index| (index, file.large_sites.at(index)));
        let set = match large {
            // SAFETY: what a record refers to exists, and the recorder's lock makes this thread the only one here.
            Some((_, site)) => unsafe { (*site).set },
            None => file.stacks.get(record.stack).set,
        };
        if set != self.set {
            self.move_to(set, events);
        }
        self.make_room(SITE_SAVES, events);
        if is_first(&mut self.saved_sites, id) {
            match large {
                Some((index, _)) => {
                    (0..LARGE_SITE_PAIRS).for_each(|pair| {
                        self.journal.save(file.large_sites.pair(index, pair * 16));
                    });
                }
                None => (0..SITE_PAIRS).for_each(|pair| {
                    self.journal.save(file.sites.pair(id, pair * 16));
                }),
            }
        }
        if let Some(area) = events.unsaved() {
            self.journal.save(file.areas.pair(area, offset_of!(Area, state)));
        }
        let mut place = self.place(record.place);
        let mut small;
        let site = match large {
            // SAFETY: as above; nothing else refers to the record.
            Some((_, site)) => unsafe { &mut *site },
            None => {
                small = record.site(set);
                &mut small
            }
        };
        loop {
            log.append(|| event.logged(site.allocator(), events.thread(file)));
            events.take(&event);
            let mut next = events.next_of_area(file).filter(|next| next.site() == id);
            let pair = next.filter(|second| {
                let changes = [event.change(), second.change()];
                self.totals.apply_pair(site, place.as_deref_mut(), changes, crash_point)
            });
            if let Some(second) = pair {
                log.append(|| second.logged(site.allocator(), events.thread(file)));
                events.take(&second);
                next = events.next_of_area(file).filter(|next| next.site() == id);
            } else {
                self.totals.apply(site, place.as_deref_mut(), event.change(), now_ms, crash_point);
            }
            let Some(next) = next else { break };
            event = next;
        }
        if large.is_none() {
            self.put_site(id, site);
        }
        true
    }

    /// Puts back a small site, which is in the journal, or makes it a large one. The journal knows of no large site that was
    /// not there: when its small one is put back, nothing refers to it.
    #[inline]
    fn put_site(&mut self, id: u32, site: &Site) {
        let index = self.large_sites;
        let record = match SmallSite::of(site) {
            Some(record) => record,
            None if self.file.put_large_site(index, site) => {
                self.large_sites += 1;
                SmallSite::outgrown(site.stack, site.place, index)
            }
            // There is always room.
            None => return,
        };
        crash_point();
        // SAFETY: the record exists, and nothing else refers to it.
        unsafe { self.file.sites.at(id).write(record) };
        crash_point();
    }

    /// A place that is to be changed, and is in the journal now.
    #[inline]
    fn place(&mut self, id: u32) -> Option<&'a mut Place> {
        if id == NO_PLACE {
            return None;
        }
        if is_first(&mut self.saved_places, id) {
            self.journal.save(self.file.places.pair(id, 0));
        }
        // SAFETY: the record exists, and one reference to a place is used at a time.
        Some(unsafe { &mut *self.file.places.at(id) })
    }

    /// Makes `to` the current set: applies what is pending at each set that is left, up to the lowest common
    /// ancestor. Sets that are entered have nothing pending. Parents have lower indexes.
    #[inline(never)]
    fn move_to(&mut self, to: u32, events: &mut Ordered<'_>) {
        let mut towards = to;
        while self.set != towards {
            if self.set > towards {
                self.make_room(LEAVE_SAVES, events);
                self.leave();
            } else {
                towards = self.file.sets.get(towards).parent;
            }
        }
        self.make_room(1, events);
        self.put_pending();
        self.enter(to);
    }

    /// Applies what is pending at the current set to its places, and hands it on to the set above, which becomes
    /// the current one.
    fn leave(&mut self) {
        let SetNode { parent, line, function, .. } = self.file.sets.get(self.set);
        let left = self.totals.pending;
        for place in [line, function] {
            if let Some(place) = self.place(place) {
                left.apply_to(place);
                crash_point();
            }
        }
        self.totals.pending = Pending::default();
        self.put_pending();
        self.enter(parent);
        self.totals.pending.add(left.sum, left.max);
    }

    fn enter(&mut self, set: u32) {
        let pair = self.file.sets.pair(set, PENDING);
        let is_first = is_first(&mut self.saved_sets, set);
        let [sum, max] = if is_first { self.journal.save(pair) } else { pair.load() };
        self.totals.pending = Pending { sum: sum as i64, max: max as i64 };
        self.set = set;
    }

    fn put_pending(&self) {
        let Pending { sum, max } = self.totals.pending;
        self.file.sets.pair(self.set, PENDING).store([sum as u64, max as u64]);
    }
}

/// Whether an id has not been seen by this table, or was forgotten for another one.
#[inline]
fn is_first(seen: &mut [u32; SAVED], id: u32) -> bool {
    seen.get_mut(id as usize % SAVED)
        .is_none_or(|slot| core::mem::replace(slot, id.wrapping_add(1)) != id.wrapping_add(1))
}
