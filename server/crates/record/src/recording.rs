//! A full record, read from its beginning to its end, in whatever state its files are.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use heaphint_format::{COMPACT, Capture, Header, MAGIC, Mode, Record, SEGMENT_ROWS, Status};

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
    Raw(File, Box<Header>),
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
        // The events after the tables: then no event is of a site that the tables had not yet.
        let source = match header {
            Some(header) if !header.has(Mode::Record) => return Err(Error::NoEvents),
            Some(header) if header.version & COMPACT == 0 => Source::Raw(file, Box::new(header)),
            Some(_) => Source::Compact(compact::blocks(&file)?.ok_or(Error::NoEvents)?),
            None => {
                Capture::read(&image::read(path)?)?;
                return Err(Error::NoEvents);
            }
        };
        let capture = Capture::read(&image::read(path)?)?;
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
        let is_whole = match self.source {
            Source::Compact(file) => {
                let mut reader = BufReader::with_capacity(1 << 18, (self.watch)(file));
                packed_events(&mut reader, sites, &mut event)?.is_whole
            }
            Source::Raw(file, header) => {
                let mut log = Log::new(file);
                raw_events(&self.path, &mut log, &header, sites, &mut event)?
            }
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
    event: &mut impl FnMut(Event),
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

/// Gives the events of a tracer's file: those that were taken from its log, then those that are still there. Whether all
/// were there.
fn raw_events(
    path: &Path,
    log: &mut Log,
    header: &Header,
    sites: usize,
    event: &mut impl FnMut(Event),
) -> Result<bool, Error> {
    let mut rest = Rest::default();
    // What is in the log is read before the blocks are: a segment that is taken meanwhile is in one of them, or in both.
    let claimed = log.claimed()?;
    let mut rows = Vec::new();
    let is_running = header.status == Status::Recording as u32;
    if is_running && claimed.len() <= MOST_SEGMENTS_AT_ONCE {
        for segment in &claimed {
            let mut held = Vec::new();
            log.rows(segment, |row| held.push(row))?;
            rows.push(held);
        }
    }
    if let Some(mut reader) = packed_file::open(&events_path(path), header) {
        let mut rebuild = Rebuild::default();
        let packed = packed_events(&mut reader, sites, &mut |next| {
            rebuild.observe(&next);
            event(next);
        })?;
        // A block that is cut at the end is still in the log.
        rest = Rest { resolver: rebuild.finish(), last: packed.last };
    }
    for (index, segment) in claimed.iter().enumerate() {
        if segment.sequence <= rest.last {
            continue;
        }
        if segment.sequence != rest.last + 1 {
            return Ok(false);
        }
        let mut is_known = true;
        let mut tell = |row| {
            let Some(next) = rest.resolver.event(row) else { return };
            // While the process runs, it has sites that came after the tables were read.
            is_known &= next.is_of(sites as u32);
            if is_known {
                event(next);
            }
        };
        let count = match rows.get(index) {
            Some(held) => {
                held.iter().for_each(|row| tell(*row));
                held.len()
            }
            None => {
                let mut count = 0;
                log.rows(segment, |row| {
                    count += 1;
                    tell(row);
                })?;
                count
            }
        };
        if !is_known {
            return Ok(is_running);
        }
        if segment.is_full && count < SEGMENT_ROWS {
            return Ok(false);
        }
        rest.last = segment.sequence;
    }
    Ok(true)
}

/// Segments whose rows are held while a process runs: it may take them back at any moment.
const MOST_SEGMENTS_AT_ONCE: usize = 128;

/// What comes after the blocks.
#[derive(Default)]
struct Rest {
    resolver: Resolver,
    last: u64,
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
    /// Whether it is of one of so many sites.
    pub(crate) fn is_of(&self, sites: u32) -> bool {
        !matches!(self, Self::Allocated { site, .. } if *site >= sites)
    }
}
