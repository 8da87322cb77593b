//! The finished form of a capture: its tables, and the events of a full record, compressed in one file.
//!
//! ```text
//! 256 bytes   the header, with `COMPACT` in its version, for those who look at nothing else
//! 16 bytes    the process, likewise
//! sections    32 bytes: kind, number, bytes, packed bytes, 8 each; then the packed bytes, a zstd frame
//!   kind 1    the fixed part of the tracer's file
//!   kind 2    a table, with its number; in columns, see `transposed`
//!   kind 3    events: blocks (see `block.rs`) up to the end of the file, as they are; `bytes` is how many of the
//!             tracer's segments could not be packed, 0 usually
//! ```
//!
//! A file of the tracer is replaced by its finished form at once: the new file is complete before it gets the name.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use heaphint_format::{
    Address, Area, COMPACT, COMPACT_PROCESS_OFFSET, Code, FIRST_WITH_SMALL_SITES, FIXED_BYTES, Fold, Header,
    Module, NativeFrame, PROCESS_OFFSET, Place, Process, Record, Sample, SetNode, Site, SmallSite, Stack,
    Status, Symbol, Table, Thread,
};

use crate::image::{Parts, TableBytes};
use crate::{Error, block, events_path, image, recording};

const FIXED: u64 = 1;
const TABLE: u64 = 2;
const EVENTS: u64 = 3;
/// Bytes before a section.
const SECTION: usize = 32;
/// How hard tables are compressed. Somebody waits for it: level 12 makes the capture of `import numpy` 7 % smaller and
/// takes five milliseconds longer.
const LEVEL: i32 = 3;
/// No table is larger.
const MOST_BYTES: u64 = 1 << 36;

#[derive(Clone, Copy, Debug)]
struct Section {
    kind: u64,
    number: u64,
    bytes: u64,
    packed: u64,
}

impl Section {
    fn write(self, out: &mut impl Write) -> io::Result<()> {
        for word in [self.kind, self.number, self.bytes, self.packed] {
            out.write_all(&word.to_le_bytes())?;
        }
        Ok(())
    }

    /// The section at an offset; `None` at the end of the file.
    fn read(file: &File, at: u64) -> Option<Self> {
        let mut bytes = [0; SECTION];
        file.read_exact_at(&mut bytes, at).ok()?;
        let word = |index: usize| u64::from_le_bytes(*bytes[index * 8..].first_chunk().unwrap_or(&[0; 8]));
        Some(Self { kind: word(0), number: word(1), bytes: word(2), packed: word(3) })
    }
}

/// Replaces a tracer's file by its finished form; the file with the events that were taken from its log goes into it. Nothing
/// happens when it has that form already. Only for a capture that nobody writes any more.
///
/// # Errors
/// When it cannot be read or written; then everything stays as it was.
pub fn compact(path: &Path) -> Result<(), Error> {
    let file = File::open(path)?;
    let mut start = [0; Header::BYTES];
    file.read_exact_at(&mut start, 0)?;
    let Some(mut header) = Header::decode(&start) else { return Ok(()) };
    if header.version & COMPACT != 0 {
        return Ok(());
    }
    let Some(parts) = image::parts(&file)? else { return Ok(()) };
    let sites = header.lengths[Table::Sites as usize] as usize;
    header.version |= COMPACT;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".heaphint-").tempfile_in(folder)?;
    let mut out = BufWriter::new(new.as_file_mut());
    let _ = header.encode(&mut start);
    out.write_all(&start)?;
    out.write_all(&parts.fixed[PROCESS_OFFSET..PROCESS_OFFSET + Process::BYTES])?;
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    let mut section = |out: &mut BufWriter<&mut File>, kind, number, bytes: &[u8]| {
        let packed = compressor.compress(bytes)?;
        Section { kind, number, bytes: bytes.len() as u64, packed: packed.len() as u64 }.write(out)?;
        out.write_all(&packed)
    };
    section(&mut out, FIXED, 0, &parts.fixed)?;
    for table in &parts.tables {
        let bytes = transposed(&table.bytes, stride(table.number, header.version));
        section(&mut out, TABLE, table.number.into(), &bytes)?;
    }
    if header.has(heaphint_format::Mode::Record) {
        let keeps_addresses = header.has(heaphint_format::Mode::Addresses);
        Section { kind: EVENTS, number: 0, bytes: 0, packed: 0 }.write(&mut out)?;
        let write = |header: &block::Header, body: &[u8]| {
            if keeps_addresses {
                out.write_all(&header.bytes())?;
                return out.write_all(body);
            }
            out.write_all(&block::without_addresses(header, body))
        };
        if header.status == Status::Finished as u32 {
            recording::pack(path, &file, sites, write)?;
        } else {
            recording::pack_anew(path, write)?;
        }
    }
    out.flush()?;
    drop(out);
    new.as_file().set_permissions(fs::metadata(path)?.permissions())?;
    new.persist(path).map_err(|error| error.error)?;
    let _ = fs::remove_file(events_path(path));
    Ok(())
}

/// The parts of a finished capture. `None` when it is cut before they end.
pub fn parts(file: &File, header: &Header) -> Result<Option<Parts>, Error> {
    if header.version & !COMPACT > heaphint_format::VERSION {
        return Err(heaphint_format::ReadError::Newer { version: header.version & !COMPACT }.into());
    }
    let mut parts = Parts { fixed: Vec::new(), tables: Vec::new() };
    for (section, at) in sections(file).take_while(|(section, _)| section.kind != EVENTS) {
        let file_bytes = file.metadata()?.len();
        if section.bytes > MOST_BYTES || at.saturating_add(section.packed) > file_bytes {
            break;
        }
        let mut packed = vec![0; section.packed as usize];
        file.read_exact_at(&mut packed, at)?;
        // A frame that says less than it holds is cut off; how much memory one takes grows with what it really holds.
        let mut bytes = Vec::new();
        let frame = zstd::stream::read::Decoder::new(packed.as_slice())?;
        if frame.take(section.bytes).read_to_end(&mut bytes).is_err() {
            bytes.clear();
        }
        match section.kind {
            FIXED => parts.fixed = bytes,
            TABLE => {
                let number = section.number as u32;
                parts
                    .tables
                    .push(TableBytes { number, bytes: restored(&bytes, stride(number, header.version)) });
            }
            _ => {}
        }
    }
    parts.fixed.resize(FIXED_BYTES, 0);
    // What could not be unpacked still has its header.
    if !parts.fixed.starts_with(&heaphint_format::MAGIC) {
        let _ = header.encode(&mut parts.fixed);
    }
    Ok(Some(parts))
}

/// Every section, and where its bytes begin.
fn sections(file: &File) -> impl Iterator<Item = (Section, u64)> {
    let mut at = (COMPACT_PROCESS_OFFSET + Process::BYTES) as u64;
    std::iter::from_fn(move || {
        let section = Section::read(file, at)?;
        let begin = at + SECTION as u64;
        at = begin.checked_add(section.packed)?;
        Some((section, begin))
    })
}

/// A finished capture, at the beginning of its blocks; `None` when it has none.
pub fn blocks(file: &File) -> io::Result<Option<File>> {
    let Some((_, begin)) = sections(file).find(|(section, _)| section.kind == EVENTS) else {
        return Ok(None);
    };
    let mut file = file.try_clone()?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(begin))?;
    Ok(Some(file))
}

/// Bytes of a table's records in a capture of a version, with or without [`COMPACT`]; `None` for a table that is not known.
pub fn record_bytes(table: u32, version: u32) -> Option<usize> {
    let known = Table::ALL.into_iter().find(|known| *known as u32 == table)?;
    Some(match known {
        Table::Codes => Code::BYTES,
        Table::Stacks => Stack::BYTES,
        Table::Sites if version & !COMPACT < FIRST_WITH_SMALL_SITES => Site::BYTES,
        Table::Sites => SmallSite::BYTES,
        Table::LargeSites => Site::BYTES,
        Table::Places => Place::BYTES,
        Table::Sets => SetNode::BYTES,
        Table::Threads => Thread::BYTES,
        Table::Timeline | Table::Observed => Sample::BYTES,
        Table::Folds => Fold::BYTES,
        Table::Areas => Area::BYTES,
        Table::Modules => Module::BYTES,
        Table::Addresses => Address::BYTES,
        Table::NativeFrames => NativeFrame::BYTES,
        Table::Symbols => Symbol::BYTES,
        Table::Strings | Table::Fixed | Table::Log => 1,
    })
}

fn stride(table: u32, version: u32) -> usize {
    record_bytes(table, version).unwrap_or(1)
}

/// Records as columns: of each word of four bytes the step from the record before, then the first bytes of all steps,
/// their second bytes and so on. Neighbours are alike in most words, so most bytes are zero. What is left behind the last
/// whole record stays as it is.
fn transposed(bytes: &[u8], stride: usize) -> Vec<u8> {
    if stride < 4 {
        return bytes.to_vec();
    }
    let rows = bytes.len() / stride;
    let mut out = vec![0; bytes.len()];
    for word in 0..stride / 4 {
        let mut before = 0u32;
        let planes = &mut out[word * 4 * rows..(word + 1) * 4 * rows];
        for row in 0..rows {
            let at = row * stride + word * 4;
            let value = u32::from_le_bytes(*bytes[at..].first_chunk().unwrap_or(&[0; 4]));
            let step = zigzag(value.wrapping_sub(before)).to_le_bytes();
            before = value;
            for (plane, byte) in step.into_iter().enumerate() {
                planes[plane * rows + row] = byte;
            }
        }
    }
    out[rows * stride..].copy_from_slice(&bytes[rows * stride..]);
    out
}

/// The other way round. All words of a few rows, then of the next ones: so records are written while they are in the
/// cache.
fn restored(bytes: &[u8], stride: usize) -> Vec<u8> {
    const ROWS: usize = 256;
    if stride < 4 {
        return bytes.to_vec();
    }
    let rows = bytes.len() / stride;
    let mut out = vec![0; bytes.len()];
    let mut before = vec![0u32; stride / 4];
    for first in (0..rows).step_by(ROWS) {
        let block = first..rows.min(first + ROWS);
        let records = &mut out[block.start * stride..block.end * stride];
        for (word, before) in before.iter_mut().enumerate() {
            let planes = [0, 1, 2, 3].map(|plane| {
                let begin = (word * 4 + plane) * rows;
                &bytes[begin + block.start..begin + block.end]
            });
            for (row, record) in records.chunks_exact_mut(stride).enumerate() {
                let step = planes.map(|plane| plane[row]);
                *before = before.wrapping_add(unzigzag(u32::from_le_bytes(step)));
                record[word * 4..word * 4 + 4].copy_from_slice(&before.to_le_bytes());
            }
        }
    }
    out[rows * stride..].copy_from_slice(&bytes[rows * stride..]);
    out
}

const fn zigzag(step: u32) -> u32 {
    step << 1 ^ (step as i32 >> 31) as u32
}

const fn unzigzag(step: u32) -> u32 {
    step >> 1 ^ (step & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn columns_are_restored(bytes in prop::collection::vec(any::<u8>(), 0..3000), stride in 1usize..40) {
            let stride = if stride > 3 { stride / 4 * 4 } else { stride };
            prop_assert_eq!(restored(&transposed(&bytes, stride), stride), bytes);
        }
    }

    #[test]
    fn alike_records_become_zeros() {
        let records: Vec<u8> =
            (0..100u32).flat_map(|row| [row * 3, 7].map(u32::to_le_bytes)).flatten().collect();
        let columns = transposed(&records, 8);
        assert_eq!(columns.iter().filter(|byte| **byte != 0).count(), 99 + 1);
    }
}
