//! The log of a tracer's file, read and handed back from outside. See `heaphint_format`'s `log.rs` for the protocol.
//!
//! Plain calls, and no mapping: the file may shrink or go away at any moment.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use heaphint_format::{
    FIXED_BYTES, Header, LogRow, PAGE, Record, SEGMENT_BYTES, SEGMENT_ROWS, Segment, SegmentState, Table,
};

use crate::image::extents;

/// Where the segments are.
pub struct Log {
    file: File,
    extents: u32,
    positions: Vec<u64>,
    /// Room for a segment.
    buffer: Vec<u8>,
}

/// A segment that has been claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claimed {
    /// When.
    pub sequence: u64,
    /// Where it is in the file.
    pub position: u64,
    /// Whether all rows are there.
    pub is_full: bool,
}

impl Log {
    pub fn new(file: File) -> Self {
        Self { file, extents: u32::MAX, positions: Vec::new(), buffer: Vec::new() }
    }

    /// The capture's header, as it is now.
    pub fn header(&self) -> io::Result<Header> {
        let mut bytes = [0; Header::BYTES];
        self.file.read_exact_at(&mut bytes, 0)?;
        Header::decode(&bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Every claimed segment in the order of the sequence.
    pub fn claimed(&mut self) -> io::Result<Vec<Claimed>> {
        self.find_segments()?;
        let mut claimed = Vec::new();
        for position in &self.positions {
            let mut bytes = [0; Segment::BYTES];
            self.file.read_exact_at(&mut bytes, *position)?;
            let Some(Segment { state, sequence, .. }) = Segment::decode(&bytes) else { continue };
            let is_full = state == SegmentState::Full as u64;
            if is_full || state == SegmentState::Filling as u64 {
                claimed.push(Claimed { sequence, position: *position, is_full });
            }
        }
        claimed.sort_unstable();
        Ok(claimed)
    }

    fn find_segments(&mut self) -> io::Result<()> {
        let header = self.header()?;
        if header.extents == self.extents {
            return Ok(());
        }
        let mut fixed = vec![0; FIXED_BYTES];
        self.file.read_exact_at(&mut fixed, 0)?;
        let file_bytes = self.file.metadata()?.len();
        self.positions.clear();
        for extent in extents(&fixed).filter(|extent| extent.table == Table::Log as u32) {
            let segments = u64::from(extent.pages) * PAGE as u64 / SEGMENT_BYTES as u64;
            let first = extent.first_page.saturating_mul(PAGE as u64);
            let positions = (0..segments).map(|index| first.saturating_add(index * SEGMENT_BYTES as u64));
            let is_inside = |at: &u64| at.saturating_add(SEGMENT_BYTES as u64) <= file_bytes;
            self.positions.extend(positions.take_while(is_inside));
            // Segments do not overlap, so a hostile directory cannot name more than the file has room for.
            if self.positions.len() as u64 > file_bytes / SEGMENT_BYTES as u64 {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        self.extents = header.extents;
        Ok(())
    }

    /// Gives the rows of a segment, up to the first that is not there. Whether all were.
    pub fn rows(&mut self, segment: &Claimed, mut row: impl FnMut(LogRow)) -> io::Result<bool> {
        self.buffer.resize(SEGMENT_BYTES - Segment::BYTES, 0);
        self.file.read_exact_at(&mut self.buffer, segment.position + Segment::BYTES as u64)?;
        let rows = self.buffer.chunks_exact(LogRow::BYTES).filter_map(LogRow::decode);
        let mut count = 0;
        for whole in rows.take_while(|row| row.what != 0) {
            count += 1;
            row(whole);
        }
        Ok(count == SEGMENT_ROWS)
    }

    /// Hands a full segment back, whose rows are packed.
    pub fn release(&mut self, segment: &Claimed) -> io::Result<()> {
        self.buffer.resize(SEGMENT_BYTES - Segment::BYTES, 0);
        self.buffer.fill(0);
        self.file.write_all_at(&self.buffer, segment.position + Segment::BYTES as u64)?;
        self.file.write_all_at(&(SegmentState::Free as u64).to_le_bytes(), segment.position)
    }
}
