//! A full record, read from its beginning to its end, in whatever state its files are.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use heaphint_format::{
    COMPACT, Capture, Header, LogEvent, LogRow, MAGIC, Mode, Record, SEGMENT_ROWS, Status, Unlogged,
};

use crate::block::{self, Packer, Unpacker};
use crate::log_reader::Log;
use crate::packed_file::{self, next_block};
use crate::resolver::{Rebuild, Resolver};
use crate::{Error, Event, compact, events_path, image};

/// A capture with its events.
pub struct Recording {
    path: PathBuf,
    /// Its tables.
    pub capture: Capture,
    source: Source,
    watch: Watch,
}

/// Wraps the file with the blocks, to see how far it has been read.
type Watch = Box<dyn FnOnce(File) -> Box<dyn Read>>;

enum Source {
    /// A finished file: its blocks.
    Compact(File),
    /// A tracer's file.
    Raw(Box<Raw>),
}

struct Raw {
    file: File,
    header: Header,
    /// `None` when the process has stopped recording: then everything is in the log.
    unlogged: Option<Unlogged>,
}

/// How far a record could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// To its end.
    Whole,
    /// The process is still recording, or died without a word: to its last event.
    Unfinished,
    /// Parts are missing or contradict each other: what came before them was given.
    Damaged,
}

impl Recording {
    /// Opens a capture.
    ///
    /// # Errors
    /// When it cannot be read, or has no events.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path)?;
        let mut start = [0; Header::BYTES];
        let has_header = file.read_exact_at(&mut start, 0).is_ok();
        let header = Header::decode(&start).filter(|header| has_header && header.magic == MAGIC);
        let Some(header) = header else {
            Capture::read(image::read(path)?)?;
            return Err(Error::NoEvents);
        };
        if !header.has(Mode::Record) {
            return Err(Error::NoEvents);
        }
        // The events after the tables: then no event is of a site that the tables had not yet.
        let image = image::read(path)?;
        let capture = Capture::read(&image)?;
        let source = if header.version & COMPACT == 0 {
            let unlogged = if capture.is_finished() { None } else { Unlogged::read(&image) };
            Source::Raw(Box::new(Raw { file, header, unlogged }))
        } else {
            Source::Compact(compact::blocks(&file)?.ok_or(Error::NoEvents)?)
        };
        Ok(Self { path: path.to_owned(), capture, source, watch: Box::new(|file| Box::new(file)) })
    }

    /// Has somebody see how far the file has been read: it is read through what `watch` gives.
    #[must_use]
    pub fn watched(mut self, watch: impl FnOnce(File) -> Box<dyn Read> + 'static) -> Self {
        self.watch = Box::new(watch);
        self
    }

    /// Gives every event in its order.
    ///
    /// # Errors
    /// When a file cannot be read any more.
    pub fn events(self, mut event: impl FnMut(Event)) -> Result<Ending, Error> {
        let sites = self.capture.sites.len();
        let is_finished = self.capture.header.status == Status::Finished as u32;
        let keeps_addresses = self.capture.header.has(Mode::Addresses);
        // The log has addresses, because that is how its rows know each other. Nobody has asked to keep them.
        let mut event = |next: Event| event(if keeps_addresses { next } else { next.without_address() });
        let is_whole = match self.source {
            Source::Compact(file) => {
                let mut reader = BufReader::with_capacity(1 << 18, (self.watch)(file));
                packed_events(&mut reader, sites, &mut event)?.is_whole
            }
            Source::Raw(raw) => raw_events(&self.path, *raw, sites, &mut event)?,
        };
        Ok(match (is_whole, is_finished) {
            (false, _) => Ending::Damaged,
            (true, true) => Ending::Whole,
            (true, false) => Ending::Unfinished,
        })
    }
}

/// Where the blocks of a file ended.
struct Packed {
    is_whole: bool,
    /// Sequence of the last segment in them.
    last: u64,
}

/// Gives the events of blocks.
fn packed_events(
    reader: &mut impl Read,
    sites: usize,
    event: &mut dyn FnMut(Event),
) -> Result<Packed, Error> {
    let mut unpacker = Unpacker::new(sites)?;
    let mut packed = Packed { is_whole: true, last: 0 };
    let mut body = Vec::new();
    while let Some(header) = next_block(reader, &mut body, &mut packed.is_whole) {
        if header.sequences.0 != packed.last + 1 || !unpacker.events(&header, &body, &mut *event) {
            packed.is_whole = false;
            break;
        }
        packed.last = header.sequences.1;
    }
    Ok(packed)
}

/// Tells events, up to a number of them, and keeps track of what is at which address.
struct Teller<'a> {
    event: &'a mut dyn FnMut(Event),
    sites: u32,
    /// Events that are still to be told.
    left: u64,
    resolver: Resolver,
    /// False after an event of a site that is not known: while the process runs, it has sites that came after the tables
    /// were read.
    is_known: bool,
}

impl Teller<'_> {
    fn row(&mut self, row: LogRow) {
        let is_event = !matches!(row.event(), None | Some(LogEvent::Time { .. }));
        if !self.is_known || is_event && self.left == 0 {
            return;
        }
        self.left -= u64::from(is_event);
        let Some(event) = self.resolver.event(row) else { return };
        self.is_known = event.is_of(self.sites);
        if self.is_known {
            (self.event)(event);
        }
    }
}

/// Gives the events of a tracer's file: those that were taken from its log, then those that are still there, and what is
/// pending. Whether all were there.
fn raw_events(path: &Path, raw: Raw, sites: usize, event: &mut dyn FnMut(Event)) -> Result<bool, Error> {
    let Raw { file, header, unlogged } = raw;
    let mut log = Log::new(file);
    // What is in the log is read before the blocks are: a segment that is taken meanwhile is in one of them, or in both.
    let claimed = log.claimed()?;
    let is_running = header.status == Status::Recording as u32;
    let mut held: Vec<Vec<LogRow>> = Vec::new();
    if is_running && claimed.len() <= MOST_SEGMENTS_AT_ONCE {
        for segment in &claimed {
            let mut rows = Vec::new();
            log.rows(segment, |row| rows.push(row))?;
            held.push(rows);
        }
    }
    let mut left = unlogged.as_ref().map_or(u64::MAX, |unlogged| unlogged.applied);
    let (mut rebuild, mut last) = (Rebuild::default(), 0);
    if let Some(mut reader) = packed_file::open(&events_path(path), &header) {
        // A block that is cut at the end is still in the log.
        last = packed_events(&mut reader, sites, &mut |next| {
            if !matches!(next, Event::Time { .. }) {
                if left == 0 {
                    return;
                }
                left -= 1;
            }
            rebuild.observe(&next);
            event(next);
        })?
        .last;
    }
    let resolver = rebuild.finish();
    let mut teller = Teller { event, sites: sites as u32, left, resolver, is_known: true };
    for (index, segment) in claimed.iter().enumerate() {
        if segment.sequence <= last {
            continue;
        }
        if segment.sequence != last + 1 {
            return Ok(false);
        }
        let mut count = 0;
        match held.get(index) {
            Some(rows) => {
                count = rows.len();
                rows.iter().for_each(|row| teller.row(*row));
            }
            None => {
                log.rows(segment, |row| {
                    count += 1;
                    teller.row(row);
                })?;
            }
        }
        if segment.is_full && count < SEGMENT_ROWS {
            return Ok(false);
        }
        last = segment.sequence;
    }
    let is_whole = teller.left == 0 || unlogged.is_none() || is_running && !teller.is_known;
    teller.left = u64::MAX;
    for pending in unlogged.iter().flat_map(|unlogged| &unlogged.events) {
        teller.row(LogRow::new(*pending));
    }
    Ok(is_whole)
}

/// Segments whose rows are held while a process runs: it may take them back at any moment.
const MOST_SEGMENTS_AT_ONCE: usize = 128;

/// Events of a block that is made anew.
const EVENTS_PER_BLOCK: u64 = 100_000;

/// Makes blocks of everything that a tracer's file tells, when its process died without a word: what of the log counts is
/// known then, and what was pending is one of the events.
pub fn pack_anew(
    path: &Path,
    mut block: impl FnMut(&block::Header, &[u8]) -> io::Result<()>,
) -> Result<(), Error> {
    let mut packer = Packer::new(0, 0)?;
    let (mut sequence, mut failure) = (1, Ok(()));
    let mut finish = |packer: &mut Packer| {
        let bytes = packer.finish((sequence, sequence))?;
        sequence += 1;
        let (start, body) = bytes.split_at(block::Header::BYTES.min(bytes.len()));
        block::Header::decode(start).map_or(Ok(()), |header| block(&header, body))
    };
    Recording::open(path)?.events(|event| {
        packer.add(&event);
        if packer.len() >= EVENTS_PER_BLOCK && failure.is_ok() {
            failure = finish(&mut packer);
        }
    })?;
    failure?;
    Ok(finish(&mut packer)?)
}

/// Gives the blocks of a tracer's file that nobody writes any more: those that were made, and new ones of what is still in
/// the log.
pub fn pack(
    path: &Path,
    file: &File,
    sites: usize,
    mut block: impl FnMut(&block::Header, &[u8]) -> io::Result<()>,
) -> Result<(), Error> {
    let mut log = Log::new(file.try_clone()?);
    let header = log.header()?;
    let (mut last, mut is_whole) = (0, true);
    let mut body = Vec::new();
    if let Some(mut reader) = packed_file::open(&events_path(path), &header) {
        while let Some(next) = next_block(&mut reader, &mut body, &mut is_whole) {
            if next.sequences.0 != last + 1 {
                break;
            }
            block(&next, &body)?;
            last = next.sequences.1;
        }
    }
    let claimed = log.claimed()?;
    if !claimed.iter().any(|segment| segment.sequence > last) {
        return Ok(());
    }
    // Whose addresses the rest speaks of is known from the blocks.
    let mut rebuild = Rebuild::default();
    let mut now_ms = 0;
    if let Some(mut reader) = packed_file::open(&events_path(path), &header) {
        packed_events(&mut reader, sites, &mut |event| {
            if let Event::Time { elapsed_ms } = event {
                now_ms = u64::from(elapsed_ms);
            }
            rebuild.observe(&event);
        })?;
    }
    let mut resolver = rebuild.finish();
    let mut packer = Packer::new(resolver.next_serial(), now_ms)?;
    for segment in claimed.iter().filter(|segment| segment.sequence > last) {
        log.rows(segment, |row| {
            if let Some(event) = resolver.event(row).filter(|event| event.is_of(sites as u32)) {
                packer.add(&event);
            }
        })?;
        let bytes = packer.finish((segment.sequence, segment.sequence))?;
        let (start, body) = bytes.split_at(block::Header::BYTES.min(bytes.len()));
        if let Some(header) = block::Header::decode(start) {
            block(&header, body)?;
        }
    }
    Ok(())
}

impl Event {
    fn without_address(mut self) -> Self {
        if let Self::Allocated { address, .. } | Self::Unmapped { address, .. } = &mut self {
            *address = 0;
        }
        self
    }

    /// Whether it is of one of so many sites.
    pub(crate) fn is_of(&self, sites: u32) -> bool {
        !matches!(self, Self::Allocated { site, .. } if *site >= sites)
    }
}
