//! Whole files, in every state, from a log that is written here as the tracer writes it.

use std::fs;
use std::path::PathBuf;

use heaphint_format::{
    Capture, DIRECTORY_OFFSET, Extent, Header, LogEvent, LogRow, Mode, PAGE, Record, SEGMENT_BYTES,
    SEGMENT_ROWS, Segment, SegmentState, Status, Table,
};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const SITES: u32 = 3;

/// A capture of a full record, with so many segments of a log.
struct Made {
    folder: TempDir,
    bytes: Vec<u8>,
    first_segment: usize,
    segments: usize,
}

impl Made {
    fn new(segments: usize) -> Self {
        let mut made = heaphint_analysis::hand_made::HandMade::default();
        let code = made.code("f", "app.py", 1);
        for line in 1..=SITES {
            let stack = made.stack(0, code, line);
            made.site(stack, 0, 0, 0, 0);
        }
        made.header.modes = Mode::Record as u32;
        made.header.status = Status::Finished as u32;
        let mut bytes = made.bytes();
        let first_segment = bytes.len();
        let mut header = Header::decode(&bytes).unwrap();
        let pages = (segments * SEGMENT_BYTES / PAGE) as u32;
        let extent = Extent { table: Table::Log as u32, pages, first_page: (first_segment / PAGE) as u64 };
        extent.encode(&mut bytes[DIRECTORY_OFFSET + header.extents as usize * Extent::BYTES..]).unwrap();
        header.extents += 1;
        header.encode(&mut bytes).unwrap();
        bytes.resize(first_segment + segments * SEGMENT_BYTES, 0);
        Self { folder: TempDir::new().unwrap(), bytes, first_segment, segments }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("made.heaphint")
    }

    /// Writes rows into the n-th segment, as the `sequence`-th one.
    fn fill(&mut self, segment: usize, sequence: u64, rows: &[LogRow]) {
        assert!(segment < self.segments);
        let state = if rows.len() == SEGMENT_ROWS { SegmentState::Full } else { SegmentState::Filling };
        let at = self.first_segment + segment * SEGMENT_BYTES;
        let head = Segment { state: state as u64, sequence, ..Segment::default() };
        let place = &mut self.bytes[at..at + SEGMENT_BYTES];
        head.encode(place).unwrap();
        place[Segment::BYTES..].fill(0);
        for (row, place) in rows.iter().zip(place[Segment::BYTES..].chunks_exact_mut(LogRow::BYTES)) {
            row.encode(place).unwrap();
        }
    }

    fn write(&self) {
        fs::write(self.path(), &self.bytes).unwrap();
    }

    fn reread(&mut self) {
        self.bytes = fs::read(self.path()).unwrap();
    }

    fn events(&self) -> (Vec<Event>, Ending) {
        let mut events = Vec::new();
        let ending = Recording::open(&self.path()).unwrap().events(|event| events.push(event)).unwrap();
        (events, ending)
    }
}

/// Rows of a program that allocates, frees, maps and unmaps, and the events that they are.
fn program(rows: usize, seed: u64) -> (Vec<LogRow>, Vec<Event>) {
    let (mut log, mut live, mut serial, mut number) = (Vec::new(), Vec::new(), 0, seed);
    let mut random = |below: u64| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 33) % below
    };
    let mut events = Vec::new();
    while log.len() < rows {
        let kind = random(10);
        let (row, event) = if kind == 0 {
            let elapsed_ms = log.len() as u32 / 10;
            (LogEvent::Time { elapsed_ms }, Event::Time { elapsed_ms })
        } else if kind < 6 || live.is_empty() {
            let (site, bytes) = (random(SITES.into()) as u32, random(5000) + 1);
            let mapped = kind == 5;
            let address = (if mapped { 1 << 40 } else { 4096 }) + serial * 8192;
            live.push((serial, address, bytes, mapped));
            serial += 1;
            let row = match mapped {
                true => LogEvent::Mapped { site, address, bytes },
                false => LogEvent::Allocated { site, address, bytes },
            };
            (row, Event::Allocated { site, bytes, address: 0, mapped })
        } else {
            let (serial, address, bytes, mapped) = live.swap_remove(random(live.len() as u64) as usize);
            let (thread, temporary) = (random(3) as u32, random(2) == 0);
            if mapped {
                let event = Event::Unmapped { thread, serial, bytes, address: 0, last: true, temporary };
                (LogEvent::Unmapped { thread, address, bytes, last: true, temporary }, event)
            } else {
                (
                    LogEvent::Freed { thread, address, bytes, temporary },
                    Event::Freed { thread, serial, temporary },
                )
            }
        };
        log.push(LogRow::new(row));
        events.push(event);
    }
    (log, events)
}

#[test]
fn every_state_tells_the_same_events() {
    let (rows, expected) = program(SEGMENT_ROWS * 4 + 1000, 7);
    let mut made = Made::new(3);
    let part = |index: usize| {
        let end = ((index + 1) * SEGMENT_ROWS).min(rows.len());
        &rows[index * SEGMENT_ROWS..end]
    };
    // Nothing was taken yet.
    made.fill(2, 1, part(0));
    made.fill(0, 2, part(1));
    made.write();
    let (events, ending) = made.events();
    assert_eq!(ending, Ending::Whole);
    assert_eq!(events, expected[..SEGMENT_ROWS * 2]);

    // The launcher takes both; the process goes on in their places.
    let file = || fs::File::options().read(true).write(true).open(made.path()).unwrap();
    let mut collector = Collector::open(&made.path(), file()).unwrap().unwrap();
    assert_eq!(collector.collect().unwrap(), 2);
    assert_eq!(collector.collect().unwrap(), 0);
    made.reread();
    let at = made.first_segment;
    assert!(
        made.bytes[at + 8 + 8..at + SEGMENT_BYTES].iter().all(|byte| *byte == 0),
        "it was handed back empty"
    );
    made.fill(0, 3, part(2));
    made.fill(1, 4, part(3));
    made.fill(2, 5, part(4));
    made.write();
    let (events, ending) = made.events();
    assert_eq!(ending, Ending::Whole);
    assert_eq!(events, expected);

    // It dies after it has packed a segment and before it has handed that back: nothing counts twice.
    let before = made.bytes.clone();
    assert_eq!(collector.collect().unwrap(), 2);
    fs::write(made.path(), &before).unwrap();
    assert_eq!(made.events().0, expected);
    // Or in the middle of a block: that block has not happened.
    let packed = fs::read(events_path(&made.path())).unwrap();
    fs::write(events_path(&made.path()), &packed[..packed.len() - 5]).unwrap();
    assert_eq!(made.events().0, expected);

    // Finished: one file, with the rest of the log, and without addresses.
    compact(&made.path()).unwrap();
    assert!(!events_path(&made.path()).exists());
    let (events, ending) = made.events();
    assert_eq!((ending, events.len()), (Ending::Whole, expected.len()));
    assert_eq!(events, expected);
    let bytes = fs::read(made.path()).unwrap();
    compact(&made.path()).unwrap();
    assert_eq!(fs::read(made.path()).unwrap(), bytes, "it is finished already");
    // What is cut is read as far as it goes.
    fs::write(made.path(), &bytes[..bytes.len() - 100]).unwrap();
    let (events, ending) = made.events();
    assert_eq!(ending, Ending::Damaged);
    assert!(!events.is_empty() && events.len() < expected.len() && expected.starts_with(&events));
}

#[test]
fn a_finished_capture_has_the_tables_of_the_tracers_file() {
    let made = Made::new(1);
    made.write();
    let raw = Capture::read(&made.bytes).unwrap();
    compact(&made.path()).unwrap();
    let finished = read_capture(&made.path()).unwrap();
    assert!(fs::metadata(made.path()).unwrap().len() < 2000);
    assert!(!finished.damaged);
    let Capture { header, codes, stacks, sites, places, threads, timeline, strings, .. } = finished;
    assert_eq!(Header { extents: 0, ..header }, Header { extents: 0, ..raw.header });
    assert_eq!((codes, stacks, sites, places), (raw.codes, raw.stacks, raw.sites, raw.places));
    assert_eq!((threads, timeline, strings), (raw.threads, raw.timeline, raw.strings));
}

#[test]
fn what_cannot_be_replaced_stays() {
    let made = Made::new(1);
    made.write();
    let folder = made.folder.path();
    let set_mode = |mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(folder, permissions).unwrap();
    };
    set_mode(0o555);
    let result = compact(&made.path());
    set_mode(0o755);
    // The super-user may write anywhere.
    if result.is_err() {
        assert_eq!(fs::read(made.path()).unwrap(), made.bytes);
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "nothing is left behind");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever the bytes are, they are read or refused, in every state.
    #[test]
    fn any_damage_is_read_or_refused(
        state in 0usize..3,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
        in_packed in any::<bool>(),
    ) {
        let (rows, _) = program(2000, 11);
        let mut made = Made::new(2);
        made.fill(0, 1, &rows[..1000]);
        made.write();
        if state > 0 {
            let file = fs::File::options().read(true).write(true).open(made.path()).unwrap();
            Collector::open(&made.path(), file).unwrap().unwrap().finish().unwrap();
            made.fill(1, 2, &rows[1000..]);
            made.write();
        }
        if state > 1 {
            compact(&made.path()).unwrap();
        }
        let packed = events_path(&made.path());
        let path = if in_packed && packed.exists() { packed } else { made.path() };
        let mut bytes = fs::read(&path).unwrap();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(&path, bytes).unwrap();
        let _ = read_capture(&made.path());
        if let Ok(recording) = Recording::open(&made.path()) {
            let _ = recount(recording, 2, None);
        }
        let _ = compact(&made.path());
        let _ = read_capture(&made.path());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tables_are_read_as_their_image_is(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        is_finished in any::<bool>(),
    ) {
        let mut made = Made::new(1);
        made.write();
        if is_finished {
            compact(&made.path()).unwrap();
            made.reread();
        }
        for (at, byte) in damage {
            let at = at.index(made.bytes.len());
            made.bytes[at] = byte;
        }
        made.write();
        let path = made.path();
        let of_image = read_image(&path).and_then(|image| Ok(Capture::read(image)?));
        prop_assert_eq!(format!("{:?}", read_capture(&path)), format!("{of_image:?}"));
    }
}
