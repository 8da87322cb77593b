//! A row for each stack, thread and allocator, with all figures, and the run's own columns in each row, so that the
//! tables of many captures can be queried as one.

use std::io::{self, Write};

use heaphint_analysis::{Figures, GraphSite, Profile};
use parquet::data_type::ByteArray;

use super::{Column, ROWS, Table, Values};
use crate::transform::samples::{SampleFrame, Samples};

/// The columns, in the order in which they are written. `stack` tells the stacks of one table apart; `function`, `file` and `line` are those of the innermost
/// frame, empty and 0 without one; `frames` has the outermost one first.
const SCHEMA: &str = "
message heaphint {
  required binary command (UTF8);
  required int64 started_unix_ms;
  required int64 pid;
  required int64 tid;
  required binary thread (UTF8);
  required binary allocator (UTF8);
  required int64 stack;
  required binary function (UTF8);
  required binary file (UTF8);
  required int64 line;
  required group frames (LIST) {
    repeated group list {
      required group element {
        required binary function (UTF8);
        required binary file (UTF8);
        required int64 line;
      }
    }
  }
  required int64 peak_bytes;
  required int64 peak_count;
  required int64 allocated_bytes;
  required int64 allocated_count;
  required int64 leaked_bytes;
  required int64 leaked_count;
  required int64 temporary_bytes;
  required int64 temporary_count;
}";

/// The figures, as the last columns have them.
const FIGURES: [fn(&Figures) -> u64; 8] = [
    |it| it.peak_bytes,
    |it| it.peak_count,
    |it| it.allocated_bytes,
    |it| it.allocated_count,
    |it| it.leaked_bytes,
    |it| it.leaked_count,
    |it| it.temporary_bytes,
    |it| it.temporary_count,
];

pub fn write(out: &mut (dyn Write + Send), profile: &Profile, samples: &Samples<'_>) -> io::Result<()> {
    let mut table = Table::new(out, SCHEMA)?;
    for sites in samples.graph.sites.chunks(ROWS) {
        table.add(columns(profile, samples, sites))?;
    }
    table.finish()
}

/// The columns of some sites, in the schema's order.
fn columns(profile: &Profile, samples: &Samples<'_>, sites: &[GraphSite<'_>]) -> Vec<Column> {
    let command = ByteArray::from(profile.session().command.join(" ").into_bytes());
    let processes = profile.processes();
    let thread = |site: &GraphSite<'_>| samples.graph.threads.get(site.thread as usize);
    let process =
        |site: &GraphSite<'_>| thread(site).and_then(|thread| processes.get(thread.process as usize));
    let top =
        |site: &GraphSite<'_>| (site.node != 0).then(|| samples.frames[samples.frame(site.node) as usize]);
    let text = |of: &dyn Fn(&GraphSite<'_>) -> ByteArray| Column {
        values: Values::Text(sites.iter().map(of).collect()),
        levels: None,
    };
    let number = |of: &dyn Fn(&GraphSite<'_>) -> u64| Column {
        values: Values::Number(sites.iter().map(|site| of(site) as i64).collect()),
        levels: None,
    };
    let mut columns = vec![
        text(&|_| command.clone()),
        number(&|site| process(site).map_or(0, |process| process.started_unix_ms)),
        number(&|site| process(site).map_or(0, |process| u64::from(process.pid))),
        number(&|site| thread(site).map_or(0, |thread| u64::from(thread.tid))),
        text(&|site| thread(site).map_or("", |thread| &thread.name).into()),
        text(&|site| site.allocator.map_or("UNKNOWN", |allocator| allocator.name()).into()),
        number(&|site| site.node.into()),
        text(&|site| top(site).map_or("", |frame| frame.function).into()),
        text(&|site| top(site).map_or("", |frame| frame.file).into()),
        number(&|site| top(site).map_or(0, |frame| u64::from(frame.line))),
    ];
    columns.extend(frame_columns(samples, sites));
    columns.extend(FIGURES.map(|figure| number(&|site| figure(site.figures))));
    columns
}

/// The three columns of the list of frames.
fn frame_columns(samples: &Samples<'_>, sites: &[GraphSite<'_>]) -> [Column; 3] {
    let (mut frames, mut definitions, mut repetitions): (Vec<SampleFrame<'_>>, Vec<i16>, Vec<i16>) =
        Default::default();
    for site in sites {
        let start = frames.len();
        frames.extend(samples.stack(site.node).map(|frame| samples.frames[frame as usize]));
        frames[start..].reverse();
        let len = frames.len() - start;
        // An empty list has one entry that says so.
        definitions.extend(std::iter::repeat_n(i16::from(len > 0), len.max(1)));
        repetitions.extend((0..len.max(1)).map(|index| i16::from(index > 0)));
    }
    // Equal names share one array.
    let mut arrays: rustc_hash::FxHashMap<&str, ByteArray> = rustc_hash::FxHashMap::default();
    let mut text = |name| arrays.entry(name).or_insert_with(|| ByteArray::from(name)).clone();
    let functions = frames.iter().map(|frame| text(frame.function)).collect();
    let files = frames.iter().map(|frame| text(frame.file)).collect();
    let lines = frames.iter().map(|frame| i64::from(frame.line)).collect();
    [Values::Text(functions), Values::Text(files), Values::Number(lines)]
        .map(|values| Column { values, levels: Some((definitions.clone(), repetitions.clone())) })
}
