//! A row for each event of a recording, in their order.

use std::io::{self, Write};

use heaphint_analysis::records::{Allocation, Events, StackId, Tables, ThreadId};
use parquet::data_type::ByteArray;
use rustc_hash::FxHashMap;

use super::{ROWS, Table, Values};

/// `kind` is `allocate`, `free` or `unmap`. A free has the thread and the address only, an unmapping its length as well.
/// `stack` is that of the table of stacks, `function`, `file` and `line` are those of its innermost frame.
const SCHEMA: &str = "
message heaphint_events {
  required int64 event;
  required int64 elapsed_ms;
  required binary kind (UTF8);
  required int64 tid;
  required binary allocator (UTF8);
  required int64 address;
  required int64 bytes;
  required int64 stack;
  required binary function (UTF8);
  required binary file (UTF8);
  required int64 line;
}";

/// One event.
struct Row {
    event: u64,
    elapsed_ms: u32,
    kind: &'static str,
    tid: u32,
    allocator: &'static str,
    address: u64,
    bytes: u64,
    stack: StackId,
}

/// Writes the events that it is told.
pub struct EventTable<'a> {
    table: Table<'a>,
    tables: Tables,
    rows: Vec<Row>,
    events: u64,
    elapsed_ms: u32,
    failure: io::Result<()>,
    /// Function, file and line of stacks, as their columns have them.
    frames: FxHashMap<StackId, (ByteArray, ByteArray, i64)>,
}

impl<'a> EventTable<'a> {
    /// A table that nothing has been told.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(out: &'a mut (dyn Write + Send)) -> io::Result<Self> {
        Ok(Self {
            table: Table::new(out, SCHEMA)?,
            tables: Tables::new(),
            rows: Vec::new(),
            events: 0,
            elapsed_ms: 0,
            failure: Ok(()),
            frames: FxHashMap::default(),
        })
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// When the output could not be written, now or before.
    pub fn finish(mut self) -> io::Result<()> {
        self.write_rows();
        self.failure?;
        self.table.finish()
    }

    fn add(&mut self, kind: &'static str, thread: ThreadId, address: u64, bytes: u64) -> &mut Row {
        if self.rows.len() == ROWS {
            self.write_rows();
        }
        let index = self.rows.len();
        self.rows.push(Row {
            event: self.events,
            elapsed_ms: self.elapsed_ms,
            kind,
            tid: self.tables.tid(thread),
            allocator: "",
            address,
            bytes,
            stack: StackId::default(),
        });
        self.events += 1;
        &mut self.rows[index]
    }

    fn write_rows(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        // After a failure nothing more is written; the first one is told at the end.
        if self.failure.is_err() || rows.is_empty() {
            return;
        }
        let tables = &self.tables;
        for row in &rows {
            self.frames.entry(row.stack).or_insert_with(|| {
                let (function, file, line) = tables.frame(row.stack).unwrap_or_default();
                (function.into(), file.into(), i64::from(line))
            });
        }
        let number = |of: fn(&Row) -> u64| Values::Number(rows.iter().map(|row| of(row) as i64).collect());
        let name = |of: fn(&Row) -> &'static str| {
            let mut arrays: FxHashMap<&str, ByteArray> = FxHashMap::default();
            let mut array = |name| arrays.entry(name).or_insert_with(|| ByteArray::from(name)).clone();
            Values::Text(rows.iter().map(|row| array(of(row))).collect())
        };
        let frame = |row: &Row| &self.frames[&row.stack];
        let columns = [
            number(|row| row.event),
            number(|row| row.elapsed_ms.into()),
            name(|row| row.kind),
            number(|row| row.tid.into()),
            name(|row| row.allocator),
            number(|row| row.address),
            number(|row| row.bytes),
            number(|row| row.stack.number().into()),
            Values::Text(rows.iter().map(|row| frame(row).0.clone()).collect()),
            Values::Text(rows.iter().map(|row| frame(row).1.clone()).collect()),
            Values::Number(rows.iter().map(|row| frame(row).2).collect()),
        ];
        self.failure = self.table.add(columns.map(Into::into).into());
    }
}

impl Events for EventTable<'_> {
    fn tables(&mut self) -> &mut Tables {
        &mut self.tables
    }

    fn allocated(&mut self, allocation: Allocation) {
        let Allocation { thread, stack, allocator, address, bytes } = allocation;
        let row = self.add("allocate", thread, address, bytes);
        (row.allocator, row.stack) = (allocator.name(), stack);
    }

    fn freed(&mut self, thread: ThreadId, address: u64) {
        self.add("free", thread, address, 0);
    }

    fn freed_range(&mut self, thread: ThreadId, address: u64, bytes: u64) {
        self.add("unmap", thread, address, bytes);
    }

    fn sampled(&mut self, elapsed_ms: u32, _rss_bytes: u64) {
        self.elapsed_ms = elapsed_ms;
    }
}
