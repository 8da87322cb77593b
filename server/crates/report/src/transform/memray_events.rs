//! A capture of Memray with every event of a full record.

use std::io::{self, Write};

use heaphint_analysis::records::{Allocation, Events, StackId, Tables, ThreadId};
use heaphint_analysis::{Allocator, Capture, Profile, Selection};
use heaphint_memray::{Position, Writer};

use super::memray;
use super::samples::Samples;

/// Milliseconds between two notes of the time, as Memray itself takes them.
const SAMPLE_MS: u32 = 10;

/// Writes the events that it is told. They are those of the capture whose names it has.
pub struct MemrayEvents<'a> {
    writer: Writer<&'a mut (dyn Write + Send)>,
    tables: Tables,
    /// Caller, and function and line, of each stack.
    stacks: Vec<(u32, Position)>,
    /// Where the thread that is written is.
    current: Option<(ThreadId, StackId)>,
    sampled_ms: Option<u32>,
    failure: io::Result<()>,
}

impl<'a> MemrayEvents<'a> {
    /// A file with the names of a capture, and no event.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(out: &'a mut (dyn Write + Send), capture: &Capture) -> io::Result<Self> {
        let profile = Profile::from_capture(capture);
        let allocations: u64 = profile.session().allocated_count;
        let records = allocations.saturating_mul(2).saturating_sub(profile.session().leaked_count);
        let header = memray::header(&profile, &Samples::new(&profile, &Selection::default()), records);
        let mut writer = Writer::new(out, &header)?;
        let mut lines: Vec<Vec<u32>> = vec![Vec::new(); capture.codes.len()];
        // Whoever tells the events of the capture adds the same, and comes to the same numbers.
        let mut tables = Tables::new();
        let added = tables.add(capture);
        let mut stacks = vec![(0, Position::default()); capture.stacks.len().max(1)];
        for (number, stack) in (0..).zip(&capture.stacks).skip(1) {
            // Memray has no way to write a native frame without the file that it is in.
            if capture.python_stack(number) != number {
                continue;
            }
            let lines = &mut lines[stack.code as usize];
            let own_line = stack.own_line();
            let line_index = lines.iter().position(|line| *line == own_line).unwrap_or_else(|| {
                lines.push(own_line);
                lines.len() - 1
            });
            let position = Position { function: stack.code, line_index: line_index as u32 };
            let place = |stack: u32| added.stacks.get(stack as usize).map_or(0, |id| id.number());
            if let Some(entry) = stacks.get_mut(place(number) as usize) {
                *entry = (place(stack.parent), position);
            }
        }
        for (code, lines) in capture.codes.iter().zip(&lines) {
            let (name, file) = (capture.text(code.name), capture.text(code.file));
            writer.function(&name, &file, code.first_line, lines)?;
        }
        for (id, thread) in added.threads.iter().zip(&capture.threads) {
            writer.thread(memray::tid(id.number()), &capture.text(thread.name))?;
        }
        Ok(Self { writer, tables, stacks, current: None, sampled_ms: None, failure: Ok(()) })
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When the output could not be written, now or before.
    pub fn finish(self) -> io::Result<()> {
        self.failure?;
        self.writer.finish().map(|_| ())
    }

    fn enter(&mut self, thread: ThreadId, stack: StackId) -> io::Result<()> {
        if self.current == Some((thread, stack)) {
            return Ok(());
        }
        self.current = Some((thread, stack));
        let mut frames = Vec::new();
        let mut at = stack.number();
        while let Some((parent, position)) = self.stacks.get(at as usize).filter(|_| at != 0) {
            frames.push(*position);
            at = *parent;
        }
        frames.reverse();
        self.writer.enter(memray::tid(thread.number()), &frames)
    }

    /// After a failure nothing more is written; the first one is told at the end.
    fn write(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.failure.is_ok() {
            self.failure = write(self);
        }
    }
}

impl Events for MemrayEvents<'_> {
    fn tables(&mut self) -> &mut Tables {
        &mut self.tables
    }

    fn allocated(&mut self, allocation: Allocation) {
        let Allocation { thread, stack, allocator, address, bytes } = allocation;
        self.write(|it| {
            it.enter(thread, stack)?;
            it.writer.allocate(Some(allocator), address, bytes)
        });
    }

    fn freed(&mut self, _thread: ThreadId, address: u64) {
        self.write(|it| it.writer.free(Some(Allocator::Malloc), address, 0));
    }

    fn freed_range(&mut self, _thread: ThreadId, address: u64, bytes: u64) {
        self.write(|it| it.writer.free(Some(Allocator::Mmap), address, bytes));
    }

    fn sampled(&mut self, elapsed_ms: u32, rss_bytes: u64) {
        if self.sampled_ms.is_none_or(|before| elapsed_ms >= before.saturating_add(SAMPLE_MS)) {
            self.sampled_ms = Some(elapsed_ms);
            self.write(|it| it.writer.memory(elapsed_ms.into(), rss_bytes));
        }
    }
}
