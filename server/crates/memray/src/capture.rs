//! From records to a capture: Memray's own numbers become functions, stacks and threads, and its events are counted.

use heaphint_analysis::records::{
    Aggregator, Allocation, Events, FunctionId, History, Program, StackId, Tables, ThreadId, Totals,
};
use heaphint_analysis::{Allocator, Capture};
use rustc_hash::FxHashMap;

use crate::line_table::line_at;
use crate::record::{MUNMAP, is_simple_free};
use crate::{Aggregated, Code, End, FileFormat, Header, Reader, Record};

/// Counts what a capture tells. Temporary are allocations that are freed before their thread makes
/// `temporary_window` further ones: Memray's threshold plus one. What is wrong behind the header is said in the result.
pub fn read_capture(reader: &mut Reader<'_>, temporary_window: usize) -> Capture {
    count(reader, Aggregator::new(temporary_window)).0
}

/// As [`read_capture`], with a history of about `most_entries` changes and lifetimes at most. An aggregated capture has
/// none.
pub fn read_history(
    reader: &mut Reader<'_>,
    temporary_window: usize,
    most_entries: usize,
) -> (Capture, History) {
    count(reader, Aggregator::new(temporary_window).with_history(most_entries))
}

fn count(reader: &mut Reader<'_>, aggregator: Aggregator) -> (Capture, History) {
    match reader.header().file_format {
        FileFormat::AllAllocations => {
            let (aggregator, program) = Replay::new(reader.header(), aggregator).run(reader);
            aggregator.finish_with_history(program)
        }
        FileFormat::Aggregated => (Sums::new(reader.header()).run(reader), History::default()),
    }
}

/// Tells a capture's events to somebody. An aggregated capture has none.
pub fn replay<E: Events>(reader: &mut Reader<'_>, events: E) -> E {
    match reader.header().file_format {
        FileFormat::AllAllocations => Replay::new(reader.header(), events).run(reader).0,
        FileFormat::Aggregated => events,
    }
}

/// What is common to both formats: functions by code object, lines by instruction.
struct Names {
    python_version: u32,
    libraries: Vec<String>,
    codes: FxHashMap<u64, (FunctionId, Code)>,
    /// Functions and lines of (code object, instruction).
    frames: FxHashMap<(u64, i64), (FunctionId, u32)>,
}

impl Names {
    fn new(header: &Header) -> Self {
        let libraries = header.site_packages.iter().chain([&header.libdest]);
        let libraries = libraries.filter(|path| !path.is_empty());
        Self {
            python_version: header.python_version,
            libraries: libraries.map(|path| format!("{}/", path.trim_end_matches('/'))).collect(),
            codes: FxHashMap::default(),
            frames: FxHashMap::default(),
        }
    }

    fn add(&mut self, tables: &mut Tables, code: Code) {
        let in_project = !self.is_library(&code.file);
        let first_line = u32::try_from(code.first_line).unwrap_or(0);
        let function = tables.function(&code.function, &code.file, first_line, in_project);
        self.codes.insert(code.id, (function, code));
    }

    /// Whether a file belongs to the interpreter or to an installed package, or is none.
    fn is_library(&self, file: &str) -> bool {
        file.is_empty()
            || (file.starts_with('<') && file.ends_with('>'))
            || self.libraries.iter().any(|folder| file.starts_with(folder.as_str()))
            || ["/site-packages/", "/dist-packages/"].iter().any(|folder| file.contains(folder))
    }

    fn frame(&mut self, tables: &mut Tables, code: u64, offset: i64) -> (FunctionId, u32) {
        if let Some(known) = self.frames.get(&(code, offset)) {
            return *known;
        }
        let frame = match self.codes.get(&code) {
            Some((function, code)) => {
                (*function, line_at(self.python_version, &code.line_table, code.first_line, offset))
            }
            None => (tables.function("<unknown>", "<unknown>", 0, false), 0),
        };
        self.frames.insert((code, offset), frame);
        frame
    }
}

/// One thread while its calls are replayed.
#[derive(Default)]
struct Thread {
    id: ThreadId,
    /// The stack after each call, outermost first. Memray's own frames leave it empty.
    stacks: Vec<StackId>,
    /// Outermost frames that are Memray's own.
    skipped: u64,
}

/// Follows the calls in a file of events, and tells the events.
struct Replay<E> {
    names: Names,
    events: E,
    threads: Vec<Thread>,
    numbers: FxHashMap<u64, usize>,
    current: usize,
    main_tid: u64,
    skipped_frames: u64,
    last_ms: u64,
}

impl<E: Events> Replay<E> {
    fn new(header: &Header, events: E) -> Self {
        let mut replay = Self {
            names: Names::new(header),
            events,
            threads: Vec::new(),
            numbers: FxHashMap::default(),
            current: 0,
            main_tid: header.main_tid,
            skipped_frames: header.skipped_frames_on_main_tid,
            last_ms: 0,
        };
        replay.switch_to(header.main_tid);
        replay
    }

    fn run(mut self, reader: &mut Reader<'_>) -> (E, Program) {
        while let Some(record) = reader.next_record() {
            self.record(record);
        }
        (self.events, program(reader, self.last_ms))
    }

    #[inline]
    fn record(&mut self, record: Record) {
        let thread = &mut self.threads[self.current];
        match record {
            Record::Allocation { address, allocator, bytes, .. } => {
                if is_simple_free(allocator) {
                    self.events.freed(thread.id, address);
                } else if allocator == MUNMAP {
                    self.events.freed_range(thread.id, address, bytes);
                } else if let Some(allocator) = Allocator::from_number(allocator) {
                    let stack = thread.stacks.last().copied().unwrap_or_default();
                    let thread = thread.id;
                    self.events.allocated(Allocation { thread, stack, allocator, address, bytes });
                }
            }
            Record::FramePush { code, offset, .. } => {
                let stack = if (thread.stacks.len() as u64) < thread.skipped {
                    StackId::default()
                } else {
                    let caller = thread.stacks.last().copied().unwrap_or_default();
                    let tables = self.events.tables();
                    let (function, line) = self.names.frame(tables, code, offset);
                    tables.stack(caller, function, line)
                };
                thread.stacks.push(stack);
            }
            Record::FramePop { count } => {
                thread.stacks.truncate(thread.stacks.len().saturating_sub(usize::from(count)));
            }
            Record::ContextSwitch { tid } => self.switch_to(tid),
            Record::Thread { name } => self.events.tables().name_thread(thread.id, &name),
            Record::Memory { rss, elapsed_ms } => {
                self.last_ms = elapsed_ms;
                self.events.sampled(u32::try_from(elapsed_ms).unwrap_or(u32::MAX), rss);
            }
            Record::Code(code) => self.names.add(self.events.tables(), *code),
            // Native stacks and objects have no part in the figures; the rest belongs to aggregated files.
            _ => {}
        }
    }

    fn switch_to(&mut self, tid: u64) {
        self.current = *self.numbers.entry(tid).or_insert_with(|| {
            let id = self.events.tables().thread(tid);
            let skipped = if tid == self.main_tid { self.skipped_frames } else { 0 };
            self.threads.push(Thread { id, stacks: Vec::new(), skipped });
            self.threads.len() - 1
        });
    }
}

/// Adds up a file of sums.
struct Sums {
    names: Names,
    tables: Tables,
    frames: FxHashMap<u64, (u64, i64)>,
    /// Frame and parent of each node; node 0 has neither.
    nodes: Vec<(u64, u64)>,
    sums: Vec<Aggregated>,
    timeline: Vec<(u32, u64, u64)>,
    thread: ThreadId,
    main_tid: u64,
    skipped_frames: u64,
    start_time: u64,
}

impl Sums {
    fn new(header: &Header) -> Self {
        Self {
            names: Names::new(header),
            tables: Tables::new(),
            frames: FxHashMap::default(),
            nodes: vec![(0, 0)],
            sums: Vec::new(),
            timeline: Vec::new(),
            thread: ThreadId::default(),
            main_tid: header.main_tid,
            skipped_frames: header.skipped_frames_on_main_tid,
            start_time: header.start_time as u64,
        }
    }

    fn run(mut self, reader: &mut Reader<'_>) -> Capture {
        self.tables.thread(self.main_tid);
        while let Some(record) = reader.next_record() {
            match record {
                Record::Snapshot { unix_ms, rss, heap } => {
                    let elapsed_ms =
                        u32::try_from(unix_ms.saturating_sub(self.start_time)).unwrap_or(u32::MAX);
                    self.timeline.push((elapsed_ms, rss, heap));
                }
                Record::Code(code) => self.names.add(&mut self.tables, *code),
                Record::Frame { id, code, offset, .. } => {
                    self.frames.insert(id, (code, offset));
                }
                Record::Stack { frame, parent } => self.nodes.push((frame, parent)),
                Record::ContextSwitch { tid } => self.thread = self.tables.thread(tid),
                Record::Thread { name } => self.tables.name_thread(self.thread, &name),
                Record::Aggregated(sums) => self.sums.push(*sums),
                _ => {}
            }
        }
        for sums in std::mem::take(&mut self.sums) {
            let Some(allocator) = Allocator::from_number(sums.allocator) else { continue };
            let stack = self.stack(&sums);
            let thread = self.tables.thread(sums.tid);
            let totals = Totals {
                peak_bytes: sums.peak_bytes,
                peak_count: sums.peak_count,
                leaked_bytes: sums.leaked_bytes,
                leaked_count: sums.leaked_count,
            };
            self.tables.add_totals(stack, thread, allocator, &totals);
        }
        let last_ms = self.timeline.last().map_or(0, |sample| u64::from(sample.0));
        let program = program(reader, last_ms);
        self.tables.finish(program, self.timeline)
    }

    /// The stack of a node, without Memray's own frames at its outer end.
    fn stack(&mut self, sums: &Aggregated) -> StackId {
        let mut frames = Vec::new();
        let mut at = sums.stack;
        // A parent has a lower number; what points elsewhere ends the stack.
        while let Some((frame, parent)) = self.nodes.get(at as usize).filter(|_| at != 0) {
            frames.push(*frame);
            at = if *parent < at { *parent } else { 0 };
        }
        let skipped = if sums.tid == self.main_tid { self.skipped_frames } else { 0 };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let mut stack = StackId::default();
        for frame in frames.iter().rev().skip(skipped) {
            let (code, offset) = self.frames.get(frame).copied().unwrap_or((u64::MAX, 0));
            let (function, line) = self.names.frame(&mut self.tables, code, offset);
            stack = self.tables.stack(stack, function, line);
        }
        stack
    }
}

/// What a header says, and how the records ended.
fn program(reader: &Reader<'_>, last_ms: u64) -> Program {
    let header = reader.header();
    let mut remarks = Vec::new();
    if let Some(End::Broken { position, why }) = reader.end() {
        remarks.push(format!("the capture can be read up to byte {position} only: {why}"));
    }
    if header.native_traces {
        remarks.push("the native frames of this Memray capture are left out".to_owned());
    }
    let finished = reader.end() == Some(&End::Trailer);
    let written = u64::try_from(header.end_time.saturating_sub(header.start_time)).unwrap_or(0);
    let elapsed_ms = if finished { written } else { written.max(last_ms) };
    Program {
        pid: u32::try_from(header.pid).unwrap_or(0),
        python_version: header.python_version,
        python_allocator: match header.python_allocator_name() {
            "pymalloc" => String::new(),
            other => other.to_owned(),
        },
        command: vec![header.command_line.clone()],
        started_unix_ms: u64::try_from(header.start_time).unwrap_or(0),
        elapsed_ms: u32::try_from(elapsed_ms).unwrap_or(u32::MAX),
        main_tid: u32::try_from(header.main_tid).unwrap_or(u32::MAX),
        finished,
        damaged: matches!(reader.end(), Some(End::Broken { .. })),
        remarks,
        ..Program::default()
    }
}
