//! What the fuzz targets share: a bound on memory, and bytes that are nearly a capture.

pub mod rows;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use arbitrary::Arbitrary;
use heaphint_analysis::hand_made::HandMade;
use heaphint_format::{Allocator, MAGIC, PlaceKind, Sample, Site, VERSION};

/// No input may need more.
const MOST_BYTES: usize = 64 << 20;

/// Counts what is allocated, and ends the process at more than [`MOST_BYTES`].
pub struct Bounded;

static LIVE: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size() > MOST_BYTES {
            std::process::abort();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

/// A small program as its capture says, with ids that may be wrong.
#[derive(Arbitrary, Debug)]
pub struct Program {
    codes: Vec<(u8, u8, u16)>,
    stacks: Vec<(u16, u8, u16)>,
    sites: Vec<SiteFacts>,
    places: Vec<(bool, u8, u16, i64)>,
    threads: Vec<(u32, u8)>,
    samples: Vec<(u32, u32, u64, u64)>,
    finished: bool,
    modes: u32,
    sample_bytes: u32,
}

#[derive(Arbitrary, Debug)]
struct SiteFacts {
    stack: u16,
    place: u16,
    thread: u8,
    kind: u8,
    bytes: u64,
    counts: [u32; 3],
    temporary: [u64; 2],
}

const NAMES: [&str; 6] = ["<module>", "main", "Loader.load", "<listcomp>", "", "\u{1b}[31m"];
const FILES: [&str; 6] = [
    "/p/app.py",
    "/p/./lib/../app.py",
    "<string>",
    "/usr/lib/python3.11/site-packages/lib/io.py",
    "",
    "rel.py",
];

impl Program {
    /// The bytes of its capture.
    pub fn bytes(&self) -> Vec<u8> {
        let pick = |texts: &[&'static str], at: u8| texts[at as usize % texts.len()];
        let mut made = HandMade::default();
        made.header.status = self.finished.into();
        made.header.modes = self.modes;
        made.header.sample_bytes = self.sample_bytes;
        for (name, file, line) in self.codes.iter().take(64) {
            made.code(pick(&NAMES, *name), pick(&FILES, *file), (*line).into());
        }
        for (parent, code, line) in self.stacks.iter().take(512) {
            made.stack(u32::from(*parent), u32::from(*code), (*line).into());
        }
        for (tid, name) in self.threads.iter().take(16) {
            made.thread(*tid, pick(&NAMES, *name));
        }
        for facts in self.sites.iter().take(128) {
            let [count, at_peak, at_end] = facts.counts.map(|count| count % 1000);
            let site = made.site(facts.stack.into(), facts.bytes % (1 << 40), count, at_peak, at_end);
            site.place = facts.place.into();
            [site.temporary_bytes, site.temporary_count] = facts.temporary;
            site.thread_and_allocator =
                Site::key(facts.thread.into(), Allocator::Malloc) & 0x00ff_ffff | u32::from(facts.kind) << 24;
        }
        for (is_line, file, line, max) in self.places.iter().take(64) {
            let kind = if *is_line { PlaceKind::TotalLine } else { PlaceKind::TotalFunction };
            made.place(kind, pick(&FILES, *file), (*line).into(), if *is_line { "" } else { "main" }, *max);
        }
        made.timeline = self
            .samples
            .iter()
            .take(64)
            .map(|&(tick_plus_one, elapsed_ms, rss_bytes, heap_bytes)| Sample {
                tick_plus_one,
                elapsed_ms,
                rss_bytes,
                heap_bytes,
            })
            .collect();
        made.bytes()
    }
}

/// Damage to a file: values that stand where others stood, and where it is cut.
#[derive(Arbitrary, Debug)]
pub struct Damage {
    patches: Vec<(u16, Value)>,
    cut: Option<u16>,
}

#[derive(Arbitrary, Debug)]
enum Value {
    Byte(u8),
    Word(u32),
    Long(u64),
    /// Takes the bytes of another place.
    Copy(u16),
}

impl Damage {
    /// Does it. Places are fractions of the length.
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |fraction: u16, length: usize| length * usize::from(fraction) / (1 << 16);
        for (at, value) in self.patches.iter().take(256) {
            let (length, at) = (bytes.len(), place(*at, bytes.len()));
            let (value, width) = match value {
                Value::Byte(value) => (u64::from(*value), 1),
                Value::Word(value) => (u64::from(*value), 4),
                Value::Long(value) => (*value, 8),
                Value::Copy(from) => {
                    let from = place(*from, length);
                    let until = (from + 16).min(length);
                    let room = (length - at).min(until - from);
                    bytes.copy_within(from..from + room, at);
                    continue;
                }
            };
            for (slot, byte) in bytes[at..].iter_mut().zip(value.to_le_bytes()).take(width) {
                *slot = byte;
            }
        }
        if let Some(cut) = self.cut {
            bytes.truncate(place(cut, bytes.len()));
        }
    }
}

/// Any bytes behind a capture's first ones.
pub fn with_head(rest: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(rest);
    bytes
}
