//! Writes captures of single events, compressed as Memray compresses them.

use std::collections::HashMap;
use std::io::{self, Write};

use heaphint_analysis::Allocator;
use lz4_flex::frame::FrameEncoder;

use crate::header::write_string;
use crate::record::{FREE, MUNMAP, PYMALLOC_FREE, is_simple_free};
use crate::{FileFormat, Header};

/// Python version whose line tables are written: they are the same in all later ones.
const LINE_TABLES_OF: u32 = 0x030b_00f0;

/// A function and the line that is executing in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Position {
    /// A function that was told to [`Writer::function`].
    pub function: u32,
    /// Index of the line among those the function was told with.
    pub line_index: u32,
}

/// Writes events in their order.
pub struct Writer<W: Write> {
    out: FrameEncoder<W>,
    tid: Option<u64>,
    data_pointer: u64,
    first_line: i64,
    addresses: [u64; 15],
    /// The position of each frame of each thread, outermost first.
    stacks: HashMap<u64, Vec<Position>>,
    functions: u32,
}

impl<W: Write> Writer<W> {
    /// Writes the header; its format and Python version are those of what follows.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(out: W, header: &Header) -> io::Result<Self> {
        let mut out = FrameEncoder::new(out);
        let header = Header {
            python_version: LINE_TABLES_OF,
            file_format: FileFormat::AllAllocations,
            native_traces: false,
            ..header.clone()
        };
        header.write(&mut out)?;
        Ok(Self {
            out,
            tid: None,
            data_pointer: 0,
            first_line: 0,
            addresses: [0; 15],
            stacks: HashMap::new(),
            functions: 0,
        })
    }

    /// Adds a function with every line of it that is on a stack. Functions are numbered from 0.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn function(&mut self, name: &str, file: &str, first_line: u32, lines: &[u32]) -> io::Result<()> {
        self.out.write_all(&[14])?;
        self.varint(u64::from(self.functions))?;
        self.functions += 1;
        write_string(&mut self.out, name)?;
        write_string(&mut self.out, file)?;
        let first_line = i64::from(first_line);
        self.signed(first_line - self.first_line)?;
        self.first_line = first_line;
        // One code unit for each line, without columns.
        let (mut table, mut line) = (Vec::new(), first_line);
        for next in lines.iter().map(|next| i64::from(*next)) {
            table.push(0x80 | 13 << 3);
            let change = next - line;
            let mut rest = change.unsigned_abs() << 1 | u64::from(change < 0);
            while rest >= 64 {
                table.push(64 | (rest & 63) as u8);
                rest >>= 6;
            }
            table.push(rest as u8);
            line = next;
        }
        self.varint(table.len() as u64)?;
        self.out.write_all(&table)
    }

    /// Names a thread.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn thread(&mut self, tid: u64, name: &str) -> io::Result<()> {
        self.switch_to(tid)?;
        self.out.write_all(&[10])?;
        write_string(&mut self.out, name)
    }

    /// Notes the resident set size.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn memory(&mut self, elapsed_ms: u64, rss_bytes: u64) -> io::Result<()> {
        self.out.write_all(&[2])?;
        self.varint(rss_bytes)?;
        self.varint(elapsed_ms)
    }

    /// Calls and returns until a thread's stack is this one, outermost frame first.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn enter(&mut self, tid: u64, stack: &[Position]) -> io::Result<()> {
        self.switch_to(tid)?;
        let held = self.stacks.entry(tid).or_default();
        let same = held.iter().zip(stack).take_while(|(held, wanted)| held == wanted).count();
        let mut to_pop = held.len() - same;
        held.truncate(same);
        held.extend(&stack[same..]);
        while to_pop > 0 {
            let now = to_pop.min(16);
            self.out.write_all(&[0x10 | (now - 1) as u8])?;
            to_pop -= now;
        }
        for position in &stack[same..] {
            self.out.write_all(&[0x40])?;
            self.varint(u64::from(position.function))?;
            self.signed(i64::from(position.line_index) * 2)?;
        }
        Ok(())
    }

    /// An allocation by the current thread. What Memray does not know is written as what is nearest to it.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn allocate(&mut self, allocator: Option<Allocator>, address: u64, bytes: u64) -> io::Result<()> {
        self.allocation(nearest(allocator) as u8, address, bytes)
    }

    /// Frees what [`Self::allocate`] has allocated in the same way.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn free(&mut self, allocator: Option<Allocator>, address: u64, bytes: u64) -> io::Result<()> {
        let number = match nearest(allocator) {
            Allocator::Mmap => MUNMAP,
            Allocator::PymallocMalloc | Allocator::PymallocCalloc | Allocator::PymallocRealloc => {
                PYMALLOC_FREE
            }
            _ => FREE,
        };
        self.allocation(number, address, bytes)
    }

    /// Ends the capture.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[1])?;
        self.out.finish().map_err(io::Error::other)
    }

    fn allocation(&mut self, number: u8, address: u64, bytes: u64) -> io::Result<()> {
        let known = self.addresses.iter().position(|held| *held == address);
        let index = known.map_or(15, |index| index as u8);
        let short = if number < 8 { number } else { 0 };
        self.out.write_all(&[0x80 | index << 3 | short])?;
        if known.is_none() {
            let pointer = address >> 3;
            self.signed(pointer.wrapping_sub(self.data_pointer) as i64)?;
            self.data_pointer = pointer;
            self.addresses.copy_within(..14, 1);
            self.addresses[0] = address;
        }
        if short == 0 {
            self.out.write_all(&[number])?;
        }
        if is_simple_free(number) { Ok(()) } else { self.varint(bytes) }
    }

    fn switch_to(&mut self, tid: u64) -> io::Result<()> {
        if self.tid != Some(tid) {
            self.tid = Some(tid);
            self.out.write_all(&[12])?;
            self.out.write_all(&tid.to_le_bytes())?;
        }
        Ok(())
    }

    fn varint(&mut self, mut value: u64) -> io::Result<()> {
        let mut bytes = [0; 10];
        let mut len = 0;
        loop {
            bytes[len] = (value & 0x7f) as u8 | if value > 0x7f { 0x80 } else { 0 };
            len += 1;
            value >>= 7;
            if value == 0 {
                return self.out.write_all(&bytes[..len]);
            }
        }
    }

    fn signed(&mut self, value: i64) -> io::Result<()> {
        self.varint((value << 1 ^ value >> 63) as u64)
    }
}

/// The allocator that Memray knows and that is nearest to this one. It does not tell CPython's domains apart.
fn nearest(allocator: Option<Allocator>) -> Allocator {
    match allocator {
        None => Allocator::Malloc,
        Some(Allocator::Mremap) => Allocator::Mmap,
        Some(Allocator::PyMemRawMalloc | Allocator::PyMemMalloc | Allocator::PyObjectMalloc) => {
            Allocator::PymallocMalloc
        }
        Some(Allocator::PyMemRawCalloc | Allocator::PyMemCalloc | Allocator::PyObjectCalloc) => {
            Allocator::PymallocCalloc
        }
        Some(Allocator::PyMemRawRealloc | Allocator::PyMemRealloc | Allocator::PyObjectRealloc) => {
            Allocator::PymallocRealloc
        }
        Some(known) => known,
    }
}
