//! From the events of a full record to figures, and to whoever is told events.

use heaphint_analysis::Capture;
use heaphint_analysis::records::{Added, Allocation, Events, History, Interval, Recount};
use heaphint_format::{PAGE, Sampling};
use rustc_hash::FxHashMap;

use crate::{Ending, Error, Event, Recording};

/// Counts a record anew. What is freed before its thread makes `temporary_window` further allocations is temporary; with
/// an interval, figures are those of that part.
///
/// # Errors
/// When its files cannot be read any more.
pub fn recount(
    recording: Recording,
    temporary_window: usize,
    interval: Option<Interval>,
) -> Result<Capture, Error> {
    let recount = Recount::new(&recording.capture, temporary_window);
    let recount = match interval {
        Some(interval) => recount.within(interval),
        None => recount,
    };
    run(recording, recount).map(|(capture, _)| capture)
}

/// The bytes that were requested, of an event's bytes: those of a sampled record say in a bit how their count is rounded.
#[must_use]
pub fn requested(capture: &Capture, site: u32, bytes: u64) -> u64 {
    let allocator = capture.sites.get(site as usize).and_then(heaphint_format::Site::allocator);
    Sampling::new(capture.header.sample_bytes).weigh(bytes, allocator).requested
}

/// A record and its history, with about `most_entries` changes and lifetimes at most.
///
/// # Errors
/// When its files cannot be read any more.
pub fn read_history(
    recording: Recording,
    temporary_window: usize,
    most_entries: usize,
) -> Result<(Capture, History), Error> {
    let recount = Recount::new(&recording.capture, temporary_window).with_history(most_entries);
    run(recording, recount)
}

fn run(recording: Recording, mut recount: Recount) -> Result<(Capture, History), Error> {
    let capture = recording.capture.clone();
    let ending = recording.events(|event| match event {
        Event::Allocated { site, bytes, .. } => recount.allocated(site, bytes),
        Event::Freed { serial, temporary, .. } => recount.freed(serial, temporary),
        Event::Unmapped { serial, bytes, last, temporary, .. } => {
            recount.unmapped(serial, bytes, last, temporary);
        }
        Event::Time { elapsed_ms } => recount.time(elapsed_ms),
    })?;
    let (mut counted, history) = recount.finish(&capture);
    counted.damaged |= ending == Ending::Damaged;
    Ok((counted, history))
}

/// Where blocks lie when addresses were not kept: no two that are live at the same place.
const DISTANCE: u64 = 16;
const FIRST_MAPPING: u64 = 1 << 46;

/// Tells a record's events to somebody. Addresses that were not kept are made up: each allocation has its own.
///
/// # Errors
/// When its files cannot be read any more.
pub fn replay<E: Events>(recording: Recording, mut events: E) -> Result<(E, Ending), Error> {
    let capture = recording.capture.clone();
    let Added { stacks, threads } = events.tables().add(&capture);
    let mut rss = capture.timeline.iter().peekable();
    let mut rss_bytes = 0;
    let mut places = Places::default();
    let ending = recording.events(|event| match event {
        Event::Allocated { site, bytes, address, mapped } => {
            let address = places.allocated(bytes, address, mapped);
            let bytes = requested(&capture, site, bytes);
            let Some(site) = capture.sites.get(site as usize) else { return };
            let Some(allocator) = site.allocator() else { return };
            let thread = threads.get(site.thread() as usize).copied().unwrap_or_default();
            let stack = stacks.get(site.stack as usize).copied().unwrap_or_default();
            events.allocated(Allocation { thread, stack, allocator, address, bytes });
        }
        Event::Freed { thread, serial, .. } => {
            let thread = threads.get(thread as usize).copied().unwrap_or_default();
            events.freed(thread, places.freed(serial));
        }
        Event::Unmapped { thread, serial, bytes, address, last, .. } => {
            let thread = threads.get(thread as usize).copied().unwrap_or_default();
            let address = places.unmapped(serial, bytes, address, last);
            events.freed_range(thread, address, bytes);
        }
        Event::Time { elapsed_ms } => {
            while let Some(sample) = rss.next_if(|sample| sample.elapsed_ms <= elapsed_ms) {
                rss_bytes = sample.rss_bytes;
            }
            events.sampled(elapsed_ms, rss_bytes);
        }
    })?;
    Ok((events, ending))
}

/// Addresses by serial.
#[derive(Default)]
struct Places {
    next_serial: u64,
    /// Of blocks, when they were kept.
    kept: FxHashMap<u64, u64>,
    /// Of mappings, when they were not: where the next part to go begins.
    mappings: FxHashMap<u64, u64>,
    mapped: u64,
}

impl Places {
    fn allocated(&mut self, bytes: u64, address: u64, mapped: bool) -> u64 {
        let serial = self.next_serial;
        self.next_serial += 1;
        match (address, mapped) {
            (0, true) => {
                let address = FIRST_MAPPING.wrapping_add(self.mapped);
                self.mapped =
                    self.mapped.wrapping_add(bytes.div_ceil(PAGE as u64).saturating_mul(PAGE as u64));
                self.mappings.insert(serial, address);
                address
            }
            (0, false) => made_up(serial),
            (address, mapped) => {
                if !mapped {
                    self.kept.insert(serial, address);
                }
                address
            }
        }
    }

    fn freed(&mut self, serial: u64) -> u64 {
        self.kept.remove(&serial).unwrap_or_else(|| made_up(serial))
    }

    fn unmapped(&mut self, serial: u64, bytes: u64, address: u64, last: bool) -> u64 {
        if address != 0 {
            return address;
        }
        let Some(next) = self.mappings.get_mut(&serial) else { return 0 };
        let address = *next;
        *next = next.wrapping_add(bytes);
        if last {
            self.mappings.remove(&serial);
        }
        address
    }
}

const fn made_up(serial: u64) -> u64 {
    (serial + 1).wrapping_mul(DISTANCE)
}
