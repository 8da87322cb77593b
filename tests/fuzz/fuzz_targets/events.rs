//! Events of full records come through every state of their files, and no file harms its reader: logs of programs, logs of any
//! rows, and blocks of any columns.

#![no_main]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use heaphint_analysis::hand_made::HandMade;
use heaphint_analysis::records::{Aggregator, Interval};
use heaphint_format::{
    DIRECTORY_OFFSET, Extent, Header, LogRow, Mode, PAGE, Record, SEGMENT_BYTES, Segment, SegmentState,
    Status, Table,
};
use heaphint_fuzz::Damage;
use heaphint_fuzz::rows::{Step, program};
use heaphint_record::{
    Collector, Ending, Event, Recording, compact, events_path, read_capture, read_history, recount, replay,
};
use libfuzzer_sys::fuzz_target;

/// Sites of every capture here.
const SITES: u32 = 3;
/// Events of an input at most.
const MOST_EVENTS: usize = 4096;

#[derive(Arbitrary, Debug)]
enum Input {
    /// What a program did, of which the launcher takes a part.
    Program { steps: Vec<Step>, taken: u16, keeps_addresses: bool },
    /// Rows that no tracer would write, in a file that may be damaged, of a process that may have died.
    Rows { rows: Vec<(u64, u64)>, taken: u16, has_died: bool, head: Damage, finish: Finish },
    /// Blocks that no launcher would write.
    Blocks { blocks: Vec<Block>, finish: Finish },
}

/// What becomes of the files of a strange record, and who reads them.
#[derive(Arbitrary, Debug)]
struct Finish {
    packed: Option<Damage>,
    compacted: Option<Damage>,
    reader: Reader,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Reader {
    Tables,
    Events,
    Interval,
    History,
    Replay,
}

/// A block: the numbers of its header, and its columns before they are compressed.
#[derive(Arbitrary, Debug)]
struct Block {
    sequence_step: u8,
    first_serial: u64,
    start_ms: u32,
    events: u16,
    /// Added to what each number should be.
    lies: [i8; 8],
    columns: [Vec<u8>; 5],
    addresses: Option<Vec<u8>>,
}

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("heaphint-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the temporary folder is writable");
    folder
});

/// A capture with room for two segments of a log, and where they are.
fn capture(has_died: bool, keeps_addresses: bool) -> (Vec<u8>, u64) {
    let mut made = HandMade::default();
    let code = made.code("f", "app.py", 1);
    for line in 1..=SITES {
        let stack = made.stack(0, code, line);
        made.site(stack, 0, 0, 0, 0);
    }
    made.header.modes = Mode::Record as u32 | if keeps_addresses { Mode::Addresses as u32 } else { 0 };
    made.header.status = if has_died { Status::Recording } else { Status::Finished } as u32;
    let mut bytes = made.bytes();
    let first_segment = bytes.len() as u64;
    let mut header = Header::decode(&bytes).expect("it was written");
    let pages = (2 * SEGMENT_BYTES / PAGE) as u32;
    let extent = Extent { table: Table::Log as u32, pages, first_page: first_segment / PAGE as u64 };
    let at = DIRECTORY_OFFSET + header.extents as usize * Extent::BYTES;
    extent.encode(&mut bytes[at..]).expect("the directory has room");
    header.extents += 1;
    header.encode(&mut bytes).expect("the header has room");
    (bytes, first_segment)
}

/// Writes a segment that is not full. The rows behind are holes of the file.
fn fill(file: &File, first_segment: u64, index: u64, rows: &[LogRow]) {
    let mut bytes = vec![0; Segment::BYTES + rows.len() * LogRow::BYTES];
    let head = Segment { state: SegmentState::Filling as u64, sequence: index + 1, ..Segment::default() };
    head.encode(&mut bytes).expect("there is room");
    for (row, place) in rows.iter().zip(bytes[Segment::BYTES..].chunks_exact_mut(LogRow::BYTES)) {
        row.encode(place).expect("there is room");
    }
    file.write_all_at(&bytes, first_segment + index * SEGMENT_BYTES as u64).expect("there is room");
}

/// Writes the capture; the launcher has taken what comes first.
fn write(path: &Path, head: &[u8], first_segment: u64, rows: &[LogRow], taken: usize) {
    let _ = fs::remove_file(events_path(path));
    let mut file =
        File::options().read(true).write(true).create(true).truncate(true).open(path).expect("a file");
    file.write_all(head).expect("there is room");
    if (head.len() as u64) < first_segment {
        return;
    }
    file.set_len(first_segment + 2 * SEGMENT_BYTES as u64).expect("there is room");
    let (first, rest) = rows.split_at(taken.min(rows.len()));
    fill(&file, first_segment, 0, first);
    if let Ok(Some(mut collector)) = Collector::open(path, file.try_clone().expect("a file")) {
        let _ = collector.finish();
    }
    fill(&file, first_segment, 1, rest);
}

fn events(path: &Path) -> Option<(Vec<Event>, Ending)> {
    let recording = Recording::open(path).ok()?;
    let sites = recording.capture.sites.len();
    let mut events = Vec::new();
    let ending = recording.events(|event| {
        if let Event::Allocated { site, .. } = event {
            assert!((site as usize) < sites);
        }
        events.push(event);
    });
    Some((events, ending.ok()?))
}

/// Reads a record.
fn look(path: &Path, reader: Reader) {
    if let Reader::Tables = reader {
        let _ = read_capture(path);
        return;
    }
    if let Reader::Events = reader {
        events(path);
        return;
    }
    let Ok(recording) = Recording::open(path) else { return };
    match reader {
        Reader::Interval => drop(recount(recording, 2, Some(Interval { from_ms: 3, to_ms: 1000 }))),
        Reader::History => drop(read_history(recording, 1, 50)),
        _ => drop(replay(recording, Aggregator::new(1))),
    }
}

fn damage(path: &Path, damage: &Damage) {
    if let Ok(mut bytes) = fs::read(path) {
        damage.apply(&mut bytes);
        fs::write(path, bytes).expect("there is room");
    }
}

/// Damages the files of a record in each of its states, and reads them.
fn finish(path: &Path, finish: &Finish) {
    if let Some(it) = &finish.packed {
        damage(&events_path(path), it);
    }
    look(path, finish.reader);
    if compact(path).is_ok()
        && let Some(it) = &finish.compacted
    {
        damage(path, it);
    }
    look(path, finish.reader);
}

/// A block as it stands in a file. The frames are as whoever compresses such columns writes them.
fn block(block: &Block, sequence: &mut u64) -> Vec<u8> {
    let columns = block.columns.concat();
    let compress = |bytes: &[u8]| zstd::bulk::compress(bytes, 1).expect("there is memory");
    let (packed, addresses) = (compress(&columns), block.addresses.as_deref().unwrap_or_default());
    let packed_addresses = block.addresses.as_deref().map(compress).unwrap_or_default();
    let lengths = block.columns.each_ref().map(|column| column.len() as u64);
    let first = *sequence + 1;
    *sequence += u64::from(block.sequence_step % 4);
    let mut numbers = vec![u64::from_le_bytes(*b"EVENTS\x01\0"), first, *sequence];
    numbers.extend([block.first_serial, block.start_ms.into(), block.events.into()]);
    let sizes = lengths
        .into_iter()
        .chain([packed.len(), addresses.len(), packed_addresses.len()].map(|it| it as u64));
    numbers.extend(sizes.zip(block.lies).map(|(size, lie)| size.wrapping_add_signed(lie.into())));
    let mut bytes: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
    bytes.extend([packed, packed_addresses].concat());
    bytes
}

fuzz_target!(|input: Input| {
    let path = FOLDER.join("made.heaphint");
    match input {
        Input::Program { steps, taken, keeps_addresses } => {
            let (rows, expected) = program(steps.iter().take(MOST_EVENTS), SITES);
            let (head, first_segment) = capture(false, keeps_addresses);
            write(&path, &head, first_segment, &rows, taken.into());
            let kept: Vec<_> = expected
                .into_iter()
                .map(|event| if keeps_addresses { event } else { without_address(event) })
                .collect();
            assert_eq!(events(&path), Some((kept.clone(), Ending::Whole)));
            compact(&path).expect("it is a capture");
            assert_eq!(events(&path), Some((kept, Ending::Whole)));
        }
        Input::Rows { rows, taken, has_died, head: head_damage, finish: then } => {
            let rows: Vec<_> =
                rows.iter().take(MOST_EVENTS).map(|&(place, what)| LogRow { place, what }).collect();
            let (mut head, first_segment) = capture(has_died, false);
            head_damage.apply(&mut head);
            write(&path, &head, first_segment, &rows, taken.into());
            finish(&path, &then);
        }
        Input::Blocks { blocks, finish: then } => {
            let (head, first_segment) = capture(false, true);
            write(&path, &head, first_segment, &[], 0);
            let mut file = File::options().append(true).open(events_path(&path)).expect("it was made");
            let mut sequence = 0;
            for it in blocks.iter().take(16) {
                file.write_all(&block(it, &mut sequence)).expect("there is room");
            }
            finish(&path, &then);
        }
    }
});

fn without_address(mut event: Event) -> Event {
    if let Event::Allocated { address, .. } | Event::Unmapped { address, .. } = &mut event {
        *address = 0;
    }
    event
}
