//! Synthetic captures with every record, whole, cut and damaged.

use std::io::{Cursor, Write};

use heaphint_analysis::{Profile, Through};
use lz4_flex::frame::{BlockMode, FrameEncoder, FrameInfo};
use proptest::prelude::*;

use crate::*;

fn header(file_format: FileFormat, native_traces: bool) -> Header {
    Header {
        python_version: 0x030b_07f0,
        native_traces,
        file_format,
        n_allocations: 7,
        start_time: 1_700_000_000_000,
        end_time: 1_700_000_000_500,
        command_line: "memray run app.py".to_owned(),
        pid: 4711,
        main_tid: 1,
        skipped_frames_on_main_tid: 1,
        python_allocator: 1,
        libdest: "/usr/lib/python3.11".to_owned(),
        site_packages: vec!["/usr/lib/python3.11/site-packages".to_owned()],
        sys_path: vec!["/home/me".to_owned(), "/usr/lib/python3.11".to_owned()],
        ..Header::default()
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn signed(value: i64) -> Vec<u8> {
    varint((value << 1 ^ value >> 63) as u64)
}

fn code(id: u64, name: &str, file: &str, line_delta: i64) -> Vec<u8> {
    // One entry: 8 code units, one line further, two columns.
    let table = [0x80 | 11 << 3 | 7, 0, 9];
    [&[14][..], &varint(id), name.as_bytes(), &[0], file.as_bytes(), &[0], &signed(line_delta), &[3], &table]
        .concat()
}

/// A thread calls, allocates, frees, maps and unmaps; with native frames if told so.
fn events(native: bool) -> Vec<u8> {
    let mut file = Vec::new();
    header(FileFormat::AllAllocations, native).write(&mut file).unwrap();
    let traced = |bytes: &[u8]| if native { [&signed(1), bytes].concat() } else { bytes.to_vec() };
    let parts: Vec<Vec<u8>> = vec![
        code(0, "<module>", "/site-packages/memray/run.py", 10),
        code(1, "main", "/home/me/app.py", -5),
        if native { [&[5][..], &signed(0x1000), &signed(1)].concat() } else { Vec::new() },
        vec![6],
        [&[7][..], b"libc.so\0", &varint(1), &[0; 8], &[8], &[0; 8], &varint(760)].concat(),
        [&[12][..], &1u64.to_le_bytes()].concat(),
        [&[10][..], b"MainThread\0"].concat(),
        // Memray's own frame, then `main` with the instruction at offset 4.
        [&[0x41][..], &[0], &signed(0)].concat(),
        [&[0x40][..], &[1], &signed(4)].concat(),
        // malloc(1000) at a new address.
        [&[0x80 | 15 << 3 | 6][..], &signed(0x100), &traced(&varint(1000))].concat(),
        [&[2][..], &varint(50_000), &varint(10)].concat(),
        // free of the address seen last.
        vec![0x80 | 5],
        // valloc(77) there, by the long form.
        [&[0x80][..], &[12], &traced(&varint(77))].concat(),
        // mmap(8192), and munmap of its first half.
        [&[0x80 | 15 << 3][..], &signed(0x1000), &[14], &traced(&varint(8192))].concat(),
        [&[0x80][..], &[15], &traced(&varint(4096))].concat(),
        vec![0x21],
        if native { signed(0) } else { Vec::new() },
        vec![0x20],
        vec![0x10],
        vec![1],
    ];
    file.extend(parts.concat());
    file
}

fn aggregated() -> Vec<u8> {
    let mut file = Vec::new();
    header(FileFormat::Aggregated, false).write(&mut file).unwrap();
    let sums = |tid: u64, allocator: u8, stack: u64, sums: [u64; 4]| {
        let mut bytes = vec![2];
        for number in [tid, u64::from(allocator), 0, stack, 0].into_iter().chain(sums) {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    };
    let parts = [
        [&[1][..], &1_700_000_000_010u64.to_le_bytes(), &70_000u64.to_le_bytes(), &300u64.to_le_bytes()]
            .concat(),
        [&[12][..], &2u64.to_le_bytes()].concat(),
        [&[10][..], b"worker\0"].concat(),
        code(0, "<module>", "/site-packages/memray/run.py", 10),
        code(1, "main", "/home/me/app.py", -5),
        [&[4][..], &[0, 0], &signed(0), &[1]].concat(),
        [&[4][..], &[1, 1], &signed(4), &[0]].concat(),
        vec![3, 0, 0],
        vec![3, 1, 1],
        vec![13, 2],
        sums(1, 6, 2, [2, 1, 300, 100]),
        sums(2, 14, 2, [1, 1, 4096, 4096]),
        vec![15],
    ];
    file.extend(parts.concat());
    file
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let mut reader = Reader::open(Cursor::new(bytes)).unwrap();
    let mut lines = vec![reader.header().line()];
    while let Some(record) = reader.next_record() {
        lines.push(record.line(reader.header()));
    }
    lines
}

fn counted(bytes: &[u8]) -> Result<heaphint_analysis::Capture, ReadError> {
    Ok(read_capture(&mut Reader::open(Cursor::new(bytes))?, 1))
}

#[test]
fn every_event_is_one_line() {
    assert_eq!(
        lines(&events(true))[3..],
        [
            "NATIVE_FRAME_ID ip=0x1000 index=1",
            "MEMORY_MAP_START",
            "SEGMENT_HEADER filename=libc.so num_segments=1 addr=(nil)",
            "SEGMENT (nil) 2f8",
            "CONTEXT_SWITCH tid=1",
            "THREAD MainThread",
            "FRAME_PUSH code_object_id=0 instruction_offset=0 is_entry_frame=1",
            "FRAME_PUSH code_object_id=1 instruction_offset=4 is_entry_frame=0",
            "ALLOCATION address=0x800 size=1000 allocator=malloc native_frame_id=2",
            "MEMORY_RECORD time=1700000000010 memory=50000",
            "ALLOCATION address=0x800 size=0 allocator=free native_frame_id=0",
            "ALLOCATION address=0x800 size=77 allocator=valloc native_frame_id=3",
            "ALLOCATION address=0x8800 size=8192 allocator=mmap native_frame_id=4",
            "ALLOCATION address=0x8800 size=4096 allocator=munmap native_frame_id=5",
            "OBJECT_RECORD address=0x8800 native_frame_id=5 created=1",
            "OBJECT_RECORD address=0x8800 native_frame_id=0 created=0",
            "FRAME_POP count=1",
            "TRAILER",
        ]
    );
    assert_eq!(lines(&events(false)).len(), lines(&events(true)).len() - 1);
    assert_eq!(lines(&aggregated()).last().unwrap(), "AGGREGATED_TRAILER");
}

#[test]
fn events_are_counted() {
    let capture = counted(&events(true)).unwrap();
    assert_eq!(capture.remarks.len(), 1, "native frames are left out");
    let profile = Profile::from_capture(&capture);
    let session = profile.session();
    assert!(session.complete && session.inexact.is_none());
    assert_eq!((session.peak_bytes, session.leaked_bytes, session.allocated_count), (8269, 4173, 3));
    assert_eq!((session.python.as_deref(), session.duration_ms), (Some("3.11.7"), 500));
    let list = profile.stacks_through(Through::Anything, heaphint_analysis::Figure::Allocated, 9);
    let frames = &list.stacks[0].frames;
    assert_eq!(frames.len(), 1, "Memray's own frame is left out");
    assert_eq!((frames[0].function, frames[0].file, frames[0].line), ("main", "/home/me/app.py", 6));
    let line = profile.file("/home/me/app.py").unwrap().line(6).unwrap();
    assert_eq!((line.self_figures.max_bytes, line.self_figures.temporary_bytes), (8269, 1000));
    assert_eq!(line.self_figures.inexact, None);
    assert!(profile.file("/home/me/app.py").unwrap().in_project);
}

#[test]
fn a_history_tells_what_was_live_when() {
    let file = events(false);
    let mut reader = Reader::open(Cursor::new(&file)).unwrap();
    let (_, history) = read_history(&mut reader, 1, 100);
    // The one sample stands after malloc(1000); what is freed behind it belongs to the second tick.
    assert_eq!(history.ticks.len(), 2);
    let (tick, live) = history.peak_within(0, 0).unwrap();
    assert_eq!((tick, live.values().map(|amount| amount.bytes).sum::<u64>()), (0, 1000));
    let (tick, live) = history.peak_within(0, 1).unwrap();
    assert_eq!((tick, live.values().map(|amount| amount.bytes).sum::<u64>()), (1, 8269));
    let kept = |first, last| history.kept_within(first, last).values().map(|it| it.bytes).sum::<u64>();
    assert_eq!((kept(0, 0), kept(0, 1), kept(1, 1)), (1000, 4173, 4173));
    let mut reader = Reader::open(Cursor::new(aggregated())).unwrap();
    assert!(read_history(&mut reader, 1, 100).1.ticks.is_empty());
}

#[test]
fn sums_are_taken_over() {
    let profile = Profile::from_capture(&counted(&aggregated()).unwrap());
    let session = profile.session();
    assert_eq!((session.peak_bytes, session.leaked_bytes), (4396, 4196));
    assert_eq!(session.inexact, Some(heaphint_analysis::Inexact::SumsOnly));
    assert_eq!(profile.threads()[0].name, "worker");
    let list = profile.stacks_through(Through::Anything, heaphint_analysis::Figure::Peak, 9);
    // The worker's stack has no frame of Memray's, so nothing of it is left out.
    let mut depths: Vec<_> = list.stacks.iter().map(|stack| stack.frames.len()).collect();
    depths.sort_unstable();
    assert_eq!(depths, [1, 2]);
}

#[test]
fn files_that_are_none_are_refused_in_a_sentence() {
    let refused = |bytes: &[u8]| Reader::open(Cursor::new(bytes)).err().expect("an error").to_string();
    let mut old = events(false);
    old[7] = 11;
    assert!(refused(&old).contains("format version 11"), "{}", refused(&old));
    assert!(refused(b"").contains("empty"));
    assert!(refused(&[0; 5000]).contains("empty"));
    assert!(refused(b"MZ and so on").contains("not a Memray capture"));
    assert!(refused(&events(false)[..60]).contains("header is broken"));
    assert!(refused(LZ4_MAGIC).contains("not a Memray capture"));
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let info = FrameInfo::new().block_mode(BlockMode::Linked);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_and_padded_files_are_the_same() {
    for file in [events(false), events(true), aggregated()] {
        let expected = lines(&file);
        assert_eq!(lines(&compressed(&file)), expected);
        let padded = [&file[..], &[0; 100_000]].concat();
        assert_eq!(lines(&padded), expected);
    }
}

#[test]
fn a_header_alone_is_a_capture() {
    let mut file = Vec::new();
    header(FileFormat::AllAllocations, false).write(&mut file).unwrap();
    for padding in [0, 3, 5000] {
        let capture = counted(&[&file[..], &vec![0; padding]].concat()).unwrap();
        assert!(!capture.is_finished() && !capture.damaged && capture.sites.is_empty());
    }
}

#[test]
fn a_killed_program_leaves_what_it_wrote() {
    let file = events(false);
    for padding in [0, 5000] {
        let cut = [&file[..file.len() - 3], &vec![0; padding]].concat();
        let capture = counted(&cut).unwrap();
        assert!(!capture.is_finished() && !capture.damaged);
        assert_eq!(capture.header.peak_bytes, 8269);
    }
}

proptest! {
    #[test]
    fn any_damage_gives_figures_or_a_sentence(
        which in 0usize..3,
        compress: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = vec![events(false), events(true), aggregated()].swap_remove(which);
        if compress {
            bytes = compressed(&bytes);
        }
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(mut reader) = Reader::open(Cursor::new(&bytes)) {
            while reader.next_record().is_some() {}
            prop_assert!(reader.end().is_some());
        }
        match counted(&bytes) {
            Ok(capture) => {
                let profile = Profile::from_capture(&capture);
                let bytes: u64 = profile.threads().iter().map(|thread| thread.figures.leaked_bytes).sum();
                prop_assert_eq!(bytes, profile.session().leaked_bytes);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn any_records_give_figures(body: Vec<u8>, aggregated: bool, native: bool) {
        let format = if aggregated { FileFormat::Aggregated } else { FileFormat::AllAllocations };
        let mut file = Vec::new();
        header(format, native).write(&mut file).unwrap();
        file.extend(body);
        let capture = counted(&file).unwrap();
        prop_assert_eq!(Profile::from_capture(&capture).session().processes, 1);
    }
}
