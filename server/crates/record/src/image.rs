//! The tables of a capture as one image: what a tracer's file would be with one extent for each table and no log.
//!
//! [`heaphint_format::Capture`] reads an image as it reads a file of the tracer, so whatever a capture's file looks like,
//! there is one reader of tables.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use heaphint_format::{
    COMPACT, Capture, DIRECTORY_OFFSET, Extent, FIXED_BYTES, Header, JOURNAL_OFFSET, MAGIC, MAX_EXTENTS,
    PAGE, ReadError, Record, Table, VERSION,
};

use crate::{Error, compact};

/// A table's bytes, without the room behind its records.
pub struct TableBytes {
    /// Its number.
    pub number: u32,
    /// Its records.
    pub bytes: Vec<u8>,
}

/// The fixed part of a capture, and its tables.
pub struct Parts {
    /// Header, directory and journal.
    pub fixed: Vec<u8>,
    /// Tables by their number.
    pub tables: Vec<TableBytes>,
}

/// What a capture's file holds.
enum Content {
    /// A fixed part and tables.
    Parts(Parts),
    /// No capture, or one that is cut: whoever reads it says what is wrong.
    Bytes(Vec<u8>),
}

/// The image of a capture, whatever state its file is in. What is no capture, or is cut, comes as it is.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    Ok(match content(path)? {
        Content::Parts(parts) => parts.image(),
        Content::Bytes(bytes) => bytes,
    })
}

/// A capture, whatever state its file is in.
pub fn read_capture(path: &Path) -> Result<Capture, Error> {
    Ok(match content(path)? {
        Content::Parts(parts) => parts.capture()?,
        Content::Bytes(bytes) => Capture::read(bytes)?,
    })
}

fn content(path: &Path) -> Result<Content, Error> {
    let file = File::open(path)?;
    let mut start = [0; Header::BYTES];
    let has_header = file.read_exact_at(&mut start, 0).is_ok();
    let header = Header::decode(&start).filter(|header| has_header && header.magic == MAGIC);
    let parts = match header {
        Some(header) if header.version & COMPACT != 0 => compact::parts(&file, &header)?,
        Some(header) if header.version <= VERSION => parts(&file)?,
        _ => None,
    };
    Ok(match parts {
        Some(parts) => Content::Parts(parts),
        None => Content::Bytes(std::fs::read(path)?),
    })
}

/// The extents of a capture in the order of the directory.
pub fn extents(fixed: &[u8]) -> impl Iterator<Item = Extent> {
    let count = Header::decode(fixed).map_or(0, |header| header.extents as usize);
    let directory = fixed.get(DIRECTORY_OFFSET..JOURNAL_OFFSET).unwrap_or_default();
    directory.chunks_exact(Extent::BYTES).take(count.min(MAX_EXTENTS)).filter_map(Extent::decode)
}

/// The parts of a tracer's file; `None` when it is cut.
pub fn parts(file: &File) -> io::Result<Option<Parts>> {
    let file_bytes = file.metadata()?.len();
    if file_bytes < FIXED_BYTES as u64 {
        return Ok(None);
    }
    let mut fixed = vec![0; FIXED_BYTES];
    file.read_exact_at(&mut fixed, 0)?;
    let mut tables: Vec<TableBytes> = Vec::new();
    // Extents never overlap, so together they are no longer than the file: this bounds a hostile one.
    let mut bytes_left = file_bytes;
    for extent in extents(&fixed).filter(|extent| extent.table != Table::Log as u32) {
        let bytes = u64::from(extent.pages) * PAGE as u64;
        let Some(start) = extent.first_page.checked_mul(PAGE as u64) else { return Ok(None) };
        let is_inside = start.checked_add(bytes).is_some_and(|end| end <= file_bytes);
        if !is_inside || bytes > bytes_left {
            return Ok(None);
        }
        bytes_left -= bytes;
        let at = match tables.iter().position(|table| table.number == extent.table) {
            Some(at) => at,
            None => {
                tables.push(TableBytes { number: extent.table, bytes: Vec::new() });
                tables.len() - 1
            }
        };
        let table = &mut tables[at].bytes;
        let before = table.len();
        table.resize(before + bytes as usize, 0);
        file.read_exact_at(&mut table[before..], start)?;
    }
    let header = Header::decode(&fixed).unwrap_or_default();
    for table in &mut tables {
        // Of a table that a newer tracer has, nobody knows where its records end.
        if let (Some(bytes), Some(len)) =
            (compact::record_bytes(table.number, header.version), header.lengths.get(table.number as usize))
        {
            table.bytes.truncate(bytes * *len as usize);
        }
    }
    tables.sort_by_key(|table| table.number);
    Ok(Some(Parts { fixed, tables }))
}

impl Parts {
    /// What they say: what a reader of [`Self::image`] says, without one.
    fn capture(mut self) -> Result<Capture, ReadError> {
        self.settle_header();
        let tables = self.tables.into_iter().map(|TableBytes { number, mut bytes }| {
            // A journal may name what is behind the last record: a new one that never counted.
            bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
            (number, bytes)
        });
        Capture::of_tables(self.fixed, tables)
    }

    /// Makes the header that of an image: each table has one extent, and nothing is compressed.
    fn settle_header(&mut self) {
        if let Some(mut header) = Header::decode(&self.fixed) {
            header.version &= !COMPACT;
            header.extents = self.tables.len() as u32;
            let _ = header.encode(&mut self.fixed);
        }
    }

    /// One file of them.
    pub fn image(mut self) -> Vec<u8> {
        let mut directory = Vec::new();
        let mut page = (FIXED_BYTES / PAGE) as u64;
        for table in &self.tables {
            let pages = table.bytes.len().div_ceil(PAGE);
            let extent = Extent { table: table.number, pages: pages as u32, first_page: page };
            let mut entry = [0; Extent::BYTES];
            let _ = extent.encode(&mut entry);
            directory.extend_from_slice(&entry);
            page += pages as u64;
        }
        self.settle_header();
        if let Some(room) = self.fixed.get_mut(DIRECTORY_OFFSET..JOURNAL_OFFSET) {
            room.fill(0);
            let len = directory.len().min(room.len());
            room[..len].copy_from_slice(&directory[..len]);
        }
        let mut image = self.fixed;
        image.reserve((page as usize * PAGE).saturating_sub(image.len()));
        for table in self.tables {
            image.extend_from_slice(&table.bytes);
            image.resize(image.len().next_multiple_of(PAGE), 0);
        }
        image
    }
}
