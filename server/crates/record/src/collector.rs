//! Takes full segments from the log of a running process, packs them into a file beside the capture, and hands them back.
//!
//! It belongs to whoever started the process. It may die at any moment, and so may the process; see the protocol in
//! `heaphint_format`'s `log.rs`.

use std::fs::File;
use std::io;
use std::path::Path;

use heaphint_format::{Mode, Table};

use crate::block::Packer;
use crate::events_path;
use crate::log_reader::{Claimed, Log};
use crate::packed_file::PackedFile;
use crate::resolver::Resolver;

/// Segments that become one block at most.
const SEGMENTS_PER_BLOCK: usize = 4;

/// What is taken from one process.
pub struct Collector {
    log: Log,
    packed: PackedFile,
    resolver: Resolver,
    packer: Packer,
    /// Sequence of the last segment that was taken.
    last: u64,
}

impl Collector {
    /// For the process that writes this capture; `None` when it is no full record.
    ///
    /// # Errors
    /// When its files cannot be read or written.
    pub fn open(capture: &Path, file: File) -> io::Result<Option<Self>> {
        let log = Log::new(file);
        let header = log.header()?;
        if !header.has(Mode::Record) {
            return Ok(None);
        }
        let packed = PackedFile::create(&events_path(capture), &header)?;
        let (resolver, packer) = (Resolver::default(), Packer::new(0, 0)?);
        Ok(Some(Self { log, packed, resolver, packer, last: 0 }))
    }

    /// Takes what is full; how many segments that were. After an error it takes nothing more, and what it has not
    /// taken stays in the log.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn collect(&mut self) -> io::Result<usize> {
        let claimed = self.log.claimed()?;
        let full = claimed.iter().filter(|segment| segment.is_full && segment.sequence > self.last);
        let full: Vec<Claimed> = full.copied().collect();
        for segments in full.chunks(SEGMENTS_PER_BLOCK) {
            self.take(segments)?;
            for segment in segments {
                self.log.release(segment)?;
            }
        }
        Ok(full.len())
    }

    /// Takes everything, to be called when the process has ended.
    ///
    /// # Errors
    /// As [`Self::collect`].
    pub fn finish(&mut self) -> io::Result<()> {
        self.collect()?;
        let claimed = self.log.claimed()?;
        let rest: Vec<Claimed> = claimed.into_iter().filter(|segment| segment.sequence > self.last).collect();
        rest.chunks(SEGMENTS_PER_BLOCK).try_for_each(|segments| self.take(segments))
    }

    fn take(&mut self, segments: &[Claimed]) -> io::Result<()> {
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return Ok(()) };
        let sites = self.log.header()?.lengths[Table::Sites as usize];
        for segment in segments {
            // A gap would be an error of ours: the segments before it are lost, and the reader will say so.
            if segment.sequence != self.last + 1 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.log.rows(segment, |row| {
                if let Some(event) = self.resolver.event(row).filter(|event| event.is_of(sites)) {
                    self.packer.add(&event);
                }
            })?;
            self.last = segment.sequence;
        }
        let block = self.packer.finish((first.sequence, last.sequence))?;
        self.packed.append(&block)
    }
}
