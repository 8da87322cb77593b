//! Records out of bytes.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use lz4_flex::frame::FrameDecoder;

use crate::input::{Decoded, Input, Stop};
use crate::record::is_simple_free;
use crate::{Aggregated, Code, FileFormat, Header, LZ4_MAGIC, MAGIC, Record, VERSION};

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file has no bytes, or nothing but zeros.
    #[error(
        "the file is empty: Memray writes an aggregated capture only when the program ends in an orderly way"
    )]
    Empty,
    /// The magic is missing.
    #[error("this is not a Memray capture")]
    NotMemray,
    /// Written by another version of Memray.
    #[error(
        "the capture has Memray's format version {version}, and heaphint reads version {VERSION} (Memray 1.20): \
         record it again with that version"
    )]
    OtherVersion {
        /// Version in the file.
        version: i32,
    },
    /// The header does not end, or makes no sense.
    #[error("the capture's header is broken: {why}")]
    Header {
        /// A short reason.
        why: String,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How the records ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With the record that says so.
    Trailer,
    /// Without it: the program was killed, or the file was cut.
    Cut,
    /// With bytes that make no sense.
    Broken {
        /// Where, in the uncompressed stream.
        position: u64,
        /// A short reason.
        why: String,
    },
}

/// Addresses that a record can name by their number among those seen last.
const ADDRESSES: u8 = 15;

/// The values that differences refer to, and the addresses seen last.
#[derive(Default)]
struct Last {
    data_pointer: u64,
    instruction_pointer: u64,
    native_frame: u64,
    first_line: i32,
    /// A ring: `newest` is the place of the last one.
    addresses: [u64; 16],
    newest: u8,
}

/// Reads a capture record by record.
pub struct Reader<'a> {
    header: Header,
    input: Input<'a>,
    last: Last,
    /// Segments that still belong to the last header.
    segments_left: u64,
    end: Option<End>,
}

impl<'a> Reader<'a> {
    /// Reads the header of a file that is compressed or not.
    ///
    /// # Errors
    /// When this is no capture of version 13 of Memray's format.
    pub fn open<R: Read + Seek + 'a>(mut file: R) -> Result<Self, ReadError> {
        let mut start = Vec::new();
        file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start)?;
        if start.starts_with(LZ4_MAGIC) {
            file.rewind()?;
            return Self::new(FrameDecoder::new(BufReader::new(file)));
        }
        // The file grows ahead of what is written; after a crash zeros are left at its end.
        let written = bytes_without_zeros(&mut file)?;
        if written == 0 {
            return Err(ReadError::Empty);
        }
        // A header ends in zeros of its own, which count when nothing follows it.
        let header_len = header_len(&mut file)?;
        file.rewind()?;
        Self::new(file.take(written.max(header_len)))
    }

    /// Reads the header of a stream that is not compressed.
    ///
    /// # Errors
    /// When this is no capture of version 13 of Memray's format.
    pub fn new(source: impl Read + 'a) -> Result<Self, ReadError> {
        let mut input = Input::new(source);
        let header = |stop| match stop {
            Stop::End => ReadError::Header { why: "the file ends there".to_owned() },
            Stop::Broken(why) => ReadError::Header { why },
        };
        if input.array().ok().as_ref() != Some(MAGIC) {
            return Err(ReadError::NotMemray);
        }
        let version = input.i32().map_err(header)?;
        if version != VERSION {
            return Err(ReadError::OtherVersion { version });
        }
        let header = Header::decode(&mut input).map_err(header)?;
        Ok(Self { header, input, last: Last::default(), segments_left: 0, end: None })
    }

    /// What stands before the records.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How the records ended; `None` before that.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The next record, the trailer included; `None` at the end, about which [`Self::end`] tells more.
    #[inline]
    pub fn next_record(&mut self) -> Option<Record> {
        if self.end.is_some() {
            return None;
        }
        let position = self.input.position();
        let decoded = match self.header.file_format {
            FileFormat::AllAllocations => self.event(),
            FileFormat::Aggregated => self.aggregated(),
        };
        match decoded {
            Ok(record) => {
                if matches!(record, Record::Trailer) {
                    self.end = Some(End::Trailer);
                }
                Some(record)
            }
            Err(stop) => {
                self.end = Some(match stop {
                    Stop::End => End::Cut,
                    Stop::Broken(why) => End::Broken { position, why },
                });
                None
            }
        }
    }

    /// A record of a file of events. The first byte has the type, and for frequent ones a part of the content.
    #[inline]
    fn event(&mut self) -> Decoded<Record> {
        if self.segments_left > 0 {
            return self.segment();
        }
        let token = self.input.byte()?;
        if token & 0x80 != 0 {
            return self.allocation(token);
        }
        if token & 0x40 != 0 {
            let (code, offset) = (self.input.varint()?, self.input.signed_varint()?);
            return Ok(Record::FramePush { code, offset, is_entry: token & 1 != 0 });
        }
        if token & 0x20 != 0 {
            let created = token & 1 != 0;
            let address = self.address((token >> 1) & 15)?;
            let traced = self.header.native_traces && created;
            let native_frame = if traced { self.native_frame()? } else { 0 };
            return Ok(Record::Object { address, created, native_frame });
        }
        if token & 0x10 != 0 {
            return Ok(Record::FramePop { count: (token & 15) + 1 });
        }
        match token {
            0 => self.padding(),
            1 => Ok(Record::Trailer),
            2 => Ok(Record::Memory { rss: self.input.varint()?, elapsed_ms: self.input.varint()? }),
            _ => self.rare(token),
        }
    }

    /// A record that both formats have.
    fn rare(&mut self, token: u8) -> Decoded<Record> {
        Ok(match token {
            5 => {
                let ip = self.last.instruction_pointer.wrapping_add_signed(self.input.signed_varint()?);
                self.last.instruction_pointer = ip;
                Record::NativeFrame { ip, parent: self.native_frame()? }
            }
            6 => Record::MemoryMapStart,
            7 => {
                let file = self.input.string()?;
                let (count, address) = (self.input.varint()?, self.input.u64()?);
                self.segments_left = count;
                Record::SegmentHeader { file, count, address }
            }
            10 => Record::Thread { name: self.input.string()? },
            12 => Record::ContextSwitch { tid: self.input.u64()? },
            14 => {
                let id = self.input.varint()?;
                let (function, file) = (self.input.string()?, self.input.string()?);
                let first_line = self.last.first_line.wrapping_add(self.input.signed_varint()? as i32);
                self.last.first_line = first_line;
                let len = self.input.varint()?;
                let line_table = self.input.bytes(len)?;
                Record::Code(Box::new(Code { id, function, file, first_line, line_table }))
            }
            other => return Err(Stop::Broken(format!("there is no record of type {other}"))),
        })
    }

    #[inline]
    fn allocation(&mut self, token: u8) -> Decoded<Record> {
        let address = self.address((token >> 3) & 15)?;
        let allocator = match token & 7 {
            0 => self.input.byte()?,
            common => common,
        };
        if is_simple_free(allocator) {
            return Ok(Record::Allocation { address, allocator, native_frame: 0, bytes: 0 });
        }
        let native_frame = if self.header.native_traces { self.native_frame()? } else { 0 };
        Ok(Record::Allocation { address, allocator, native_frame, bytes: self.input.varint()? })
    }

    /// An address: one of those seen last, or the distance from the last one that was not.
    #[inline]
    fn address(&mut self, index: u8) -> Decoded<u64> {
        if index < ADDRESSES {
            return Ok(self.last.addresses[usize::from((self.last.newest + index) % 16)]);
        }
        let pointer = self.last.data_pointer.wrapping_add_signed(self.input.signed_varint()?);
        self.last.data_pointer = pointer;
        self.last.newest = (self.last.newest + 15) % 16;
        self.last.addresses[usize::from(self.last.newest)] = pointer << 3;
        Ok(pointer << 3)
    }

    fn native_frame(&mut self) -> Decoded<u64> {
        let frame = self.last.native_frame.wrapping_add_signed(self.input.signed_varint()?);
        self.last.native_frame = frame;
        Ok(frame)
    }

    fn segment(&mut self) -> Decoded<Record> {
        self.segments_left -= 1;
        match self.input.byte()? {
            8 => Ok(Record::Segment { address: self.input.u64()?, bytes: self.input.varint()? }),
            other => Err(Stop::Broken(format!("a record of type {other} stands between segments"))),
        }
    }

    /// What follows is no record: zeros up to the end of a file whose program was killed.
    fn padding(&mut self) -> Decoded<Record> {
        while self.input.byte()? == 0 {}
        Err(Stop::Broken("there is no record of type 0".to_owned()))
    }

    fn aggregated(&mut self) -> Decoded<Record> {
        if self.segments_left > 0 {
            return self.segment();
        }
        Ok(match self.input.byte()? {
            0 => return self.padding(),
            1 => Record::Snapshot {
                unix_ms: self.input.u64()?,
                rss: self.input.u64()?,
                heap: self.input.u64()?,
            },
            2 => {
                let tid = self.input.u64()?;
                let [allocator, ..] = self.input.array::<8>()?;
                Record::Aggregated(Box::new(Aggregated {
                    tid,
                    allocator,
                    native_frame: self.input.u64()?,
                    stack: self.input.u64()?,
                    native_segment_generation: self.input.u64()?,
                    peak_count: self.input.u64()?,
                    leaked_count: self.input.u64()?,
                    peak_bytes: self.input.u64()?,
                    leaked_bytes: self.input.u64()?,
                }))
            }
            3 => Record::Stack { frame: self.input.varint()?, parent: self.input.varint()? },
            4 => Record::Frame {
                id: self.input.varint()?,
                code: self.input.varint()?,
                offset: self.input.signed_varint()?,
                is_entry: self.input.flag()?,
            },
            13 => {
                let address = self.input.varint()? << 3;
                let traced = self.header.native_traces;
                let native_frame = if traced { self.input.varint()? } else { 0 };
                Record::SurvivingObject { address, native_frame }
            }
            15 => Record::Trailer,
            token => self.rare(token)?,
        })
    }
}

/// Length of the magic, the version and the header, if they are whole.
fn header_len(file: &mut (impl Read + Seek)) -> io::Result<u64> {
    file.rewind()?;
    let mut input = Input::new(file);
    let is_whole =
        input.array::<{ MAGIC.len() + size_of::<i32>() }>().is_ok() && Header::decode(&mut input).is_ok();
    Ok(if is_whole { input.position() } else { 0 })
}

/// Length of a file without the zeros at its end.
fn bytes_without_zeros(file: &mut (impl Read + Seek)) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut block = vec![0; 1 << 16];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(last) = part.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
