//! A replay of the tracer's event log, in the plainest way: what a capture has to say, counted again.
//!
//! `tracer/src/crash_points.rs` describes the log. Nothing here is clever; it must only be right.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use heaphint_format::{Capture, PlaceKind, Text};

/// One entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The area of pending events that it was written to.
    pub area: u64,
    stamp: u64,
    freed: bool,
    site: usize,
    address: u64,
    bytes: u64,
    count: u64,
}

/// Everything that a capture counts.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Figures {
    current_bytes: u64,
    peak_bytes: u64,
    sites: BTreeMap<usize, SiteFigures>,
    /// Largest live bytes of each line and function.
    maxima: BTreeMap<PlaceKey, i64>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct SiteFigures {
    live: [u64; 2],
    peak: [u64; 2],
    allocated: [u64; 2],
    temporary: [u64; 2],
}

/// A place's kind, file, line and name.
type PlaceKey = (u32, (u32, u32), u32, (u32, u32));

fn key(kind: PlaceKind, file: Text, line: u32, name: Text) -> PlaceKey {
    (kind as u32, (file.offset, file.len), line, (name.offset, name.len))
}

/// What a log says, in the order in which its entries were begun.
#[derive(Clone, Copy)]
enum Entry {
    Event(Event),
    Round,
    Applied { area: u64, stamp: u64 },
    Committed,
}

/// Reads the complete entries of a log; there are none when the process died before the first.
fn entries(path: &Path) -> Vec<Entry> {
    let Ok(mut file) = File::open(path) else { return Vec::new() };
    let mut word = [0; 8];
    if file.read_exact(&mut word).is_err() {
        return Vec::new();
    }
    let mut bytes = vec![0; u64::from_le_bytes(word) as usize * 40];
    file.read_exact(&mut bytes).expect("the log has all its entries");
    let words: Vec<u64> =
        bytes.chunks_exact(8).map(|it| u64::from_le_bytes(it.try_into().expect("eight bytes"))).collect();
    let entry = |entry: &[u64]| match entry[0] & 0xffff_ffff {
        2 => Entry::Round,
        3 => Entry::Applied { area: entry[3] >> 32, stamp: entry[4] },
        4 => Entry::Committed,
        operation => Entry::Event(Event {
            area: entry[3] >> 32,
            stamp: entry[4],
            freed: operation == 1,
            site: (entry[0] >> 32) as usize,
            address: entry[1],
            bytes: entry[2],
            count: entry[3] & 0xffff_ffff,
        }),
    };
    words.chunks_exact(5).filter(|words| words[4] != 0).map(entry).collect()
}

/// The events of one area, as the log is read.
#[derive(Default)]
struct AreaLog {
    /// Their stamps.
    begun: Vec<u64>,
    applied: usize,
    /// How many had begun when the current round did.
    at_round: usize,
}

impl AreaLog {
    /// Whether the current round should have applied an event of this area before one with `stamp`. The last event
    /// that had begun may not have been there as a whole when the round looked.
    fn missed(&self, stamp: u64) -> bool {
        self.at_round > self.applied + 1 && self.begun.get(self.applied).is_some_and(|next| *next < stamp)
    }
}

/// All events in an order in which they may count.
pub struct Order {
    pub events: Vec<Event>,
    /// So many were applied to the tables; the others were pending, and come by their stamps.
    pub applied: usize,
}

/// Reads a log: the orders in which its events may count, of which there are two when the process died while it applied
/// events. Fails where an event was applied before another one that had ended when it began.
pub fn orders(path: &Path) -> Result<[Order; 2], String> {
    let entries = entries(path);
    let events = entries.iter().filter_map(|entry| match entry {
        Entry::Event(event) => Some(((event.area, event.stamp), *event)),
        _ => None,
    });
    let events: HashMap<(u64, u64), Event> = events.collect();
    let mut areas: BTreeMap<u64, AreaLog> = BTreeMap::new();
    let (mut applied, mut committed) = (Vec::new(), 0);
    for entry in &entries {
        match *entry {
            Entry::Event(event) => areas.entry(event.area).or_default().begun.push(event.stamp),
            Entry::Round => areas.values_mut().for_each(|area| area.at_round = area.begun.len()),
            Entry::Applied { area, stamp } => {
                let own = areas.entry(area).or_default();
                if own.begun.get(own.applied) != Some(&stamp) {
                    return Err(format!("event {stamp} of area {area} was applied out of turn"));
                }
                own.applied += 1;
                applied.push((area, stamp));
                if let Some((other, _)) = areas.iter().find(|(_, other)| other.missed(stamp)) {
                    return Err(format!(
                        "event {stamp} of area {area} was applied before one of area {other}"
                    ));
                }
            }
            Entry::Committed => committed = applied.len(),
        }
    }
    Ok([committed, applied.len()].map(|applied_count| {
        let applied = &applied[..applied_count];
        let done: HashSet<_> = applied.iter().collect();
        let mut pending: Vec<_> = events.keys().filter(|event| !done.contains(event)).collect();
        pending.sort_by_key(|(area, stamp)| (*stamp, *area));
        let events = applied.iter().chain(pending).map(|event| events[event]).collect();
        Order { events, applied: applied_count }
    }))
}

/// What a capture says, in the replay's words.
pub fn recorded(capture: &Capture) -> Figures {
    let sites = capture.sites.iter().map(|site| SiteFigures {
        live: [site.live_bytes, site.live_count.into()],
        peak: [site.peak_bytes, site.peak_count.into()],
        allocated: [site.allocated_bytes, site.allocated_count],
        temporary: [site.temporary_bytes, site.temporary_count],
    });
    let places = capture.places.iter().map(|place| {
        (
            (
                place.kind,
                (place.file.offset, place.file.len),
                place.line,
                (place.name.offset, place.name.len),
            ),
            place.max_bytes,
        )
    });
    Figures {
        current_bytes: capture.header.current_bytes,
        peak_bytes: capture.header.peak_bytes,
        // Sites and lines are written before the event that needs them, which may not have happened.
        sites: sites.enumerate().filter(|(_, site)| *site != SiteFigures::default()).collect(),
        maxima: places.filter(|(_, max)| *max != 0).collect(),
    }
}

/// Counts `events` again; the capture only tells which stack a site stands for.
pub fn replay(events: &[Event], capture: &Capture) -> Figures {
    let places: Vec<BTreeSet<PlaceKey>> =
        (0..capture.sites.len()).map(|site| places_of(capture, site)).collect();

    // The peak is the last of the moments at which most was live.
    let (mut current, mut peak, mut peak_at) = (0u64, 0u64, 0);
    for (number, event) in events.iter().enumerate() {
        current = if event.freed { current - event.bytes } else { current + event.bytes };
        if current >= peak {
            (peak, peak_at) = (current, number + 1);
        }
    }

    let mut figures = Figures { current_bytes: current, peak_bytes: peak, ..Figures::default() };
    let mut live_of_place: BTreeMap<PlaceKey, i64> = BTreeMap::new();
    let mut last_of_thread: BTreeMap<u32, u64> = BTreeMap::new();
    for (number, event) in events.iter().enumerate() {
        let thread = capture.sites[event.site].thread();
        let site = figures.sites.entry(event.site).or_default();
        if event.freed {
            site.live[0] -= event.bytes;
            site.live[1] -= event.count;
            if event.count == 1 && last_of_thread.get(&thread) == Some(&event.address) {
                site.temporary[0] += event.bytes;
                site.temporary[1] += 1;
            }
        } else {
            site.live[0] += event.bytes;
            site.live[1] += event.count;
            site.allocated[0] += event.bytes;
            site.allocated[1] += event.count;
            last_of_thread.insert(thread, event.address);
        }
        let delta = if event.freed { -(event.bytes as i64) } else { event.bytes as i64 };
        for place in &places[event.site] {
            let live = live_of_place.entry(*place).or_default();
            *live += delta;
            let max = figures.maxima.entry(*place).or_default();
            *max = (*max).max(*live);
        }
        if number + 1 == peak_at {
            for site in figures.sites.values_mut() {
                site.peak = site.live;
            }
        }
    }
    figures.sites.retain(|_, site| *site != SiteFigures::default());
    figures.maxima.retain(|_, max| *max != 0);
    figures
}

/// The lines and functions that a site's bytes belong to: its innermost line, and every line and function of the
/// project that is anywhere on its stack, once each.
fn places_of(capture: &Capture, site: usize) -> BTreeSet<PlaceKey> {
    let mut places = BTreeSet::new();
    let innermost = capture.sites[site].stack;
    let mut at = innermost;
    while at != 0 {
        let stack = capture.stacks[at as usize];
        let code = capture.codes[stack.code as usize];
        if at == innermost {
            places.insert(key(PlaceKind::SelfLine, code.file, stack.line, Text::default()));
        }
        if code.in_project == 1 {
            places.insert(key(PlaceKind::TotalLine, code.file, stack.line, Text::default()));
            places.insert(key(PlaceKind::TotalFunction, code.file, code.first_line, code.name));
        }
        at = stack.parent;
    }
    places
}

impl Figures {
    /// The first few differences, for a message.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if (self.current_bytes, self.peak_bytes) != (other.current_bytes, other.peak_bytes) {
            found.push(format!(
                "live {} peak {}, but live {} peak {}",
                self.current_bytes, self.peak_bytes, other.current_bytes, other.peak_bytes
            ));
        }
        let sites: BTreeSet<_> = self.sites.keys().chain(other.sites.keys()).collect();
        for site in sites {
            let (ours, theirs) = (self.sites.get(site), other.sites.get(site));
            if ours != theirs {
                found.push(format!("site {site}: {ours:?}, but {theirs:?}"));
            }
        }
        let places: BTreeSet<_> = self.maxima.keys().chain(other.maxima.keys()).collect();
        for place in places {
            let (ours, theirs) = (self.maxima.get(place), other.maxima.get(place));
            if ours != theirs {
                found.push(format!("place {place:?}: largest {ours:?}, but {theirs:?}"));
            }
        }
        found
    }
}
