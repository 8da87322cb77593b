//! pprof's profile, compressed: what Go's heap profiles have, so that every reader knows what the values mean.
//!
//! The layout is that of `profile.proto` in <https://github.com/google/pprof>; fields that are not written are left out.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use heaphint_analysis::{Figure, Profile};
use prost::Message;
use rustc_hash::FxHashMap;

use super::samples::{NO_FRAME, Samples, of};

#[derive(Clone, PartialEq, Message)]
struct Document {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
    #[prost(int64, repeated, tag = "13")]
    comment: Vec<i64>,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    r#type: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    /// The innermost first.
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    label: Vec<Label>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Label {
    #[prost(int64, tag = "1")]
    key: i64,
    #[prost(int64, tag = "2")]
    str: i64,
    #[prost(int64, tag = "3")]
    num: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
    #[prost(int64, tag = "5")]
    start_line: i64,
}

/// No name of the linker. If it was equal to the name, `go tool pprof` would take that for a mangled name, and cut the
/// angle brackets of `<module>` out of it.
const NOT_MANGLED: i64 = 0;

/// The string table: each string once, the empty one first.
struct Strings {
    list: Vec<String>,
    numbers: FxHashMap<String, i64>,
}

impl Strings {
    fn number(&mut self, text: &str) -> i64 {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let number = self.list.len() as i64;
        self.list.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

pub fn write(
    out: &mut dyn Write,
    profile: &Profile,
    samples: &Samples<'_>,
    figure: Figure,
) -> io::Result<()> {
    let session = profile.session();
    let in_use = if figure == Figure::Leaked { Figure::Leaked } else { Figure::Peak };
    let mut strings = Strings { list: vec![String::new()], numbers: FxHashMap::default() };
    strings.numbers.insert(String::new(), 0);
    // The order of Go's heap profiles.
    let types = [
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    ];
    let mut value_type =
        |(name, unit)| ValueType { r#type: strings.number(name), unit: strings.number(unit) };
    let sample_type: Vec<ValueType> = types.into_iter().map(&mut value_type).collect();
    let period_type = value_type(("space", "bytes"));

    let mut function: Vec<Function> = samples
        .graph
        .functions
        .iter()
        .enumerate()
        .skip(1)
        .map(|(number, function)| Function {
            id: number as u64,
            name: strings.number(function.qualname),
            system_name: NOT_MANGLED,
            filename: strings.number(samples.graph.files[function.file as usize].path),
            start_line: i64::from(function.first_line),
        })
        .collect();
    let at = |id, function_id, line| Location { id, line: vec![Line { function_id, line }] };
    let mut location: Vec<Location> = (1..)
        .zip(&samples.frames)
        .map(|(id, frame)| at(id, u64::from(frame.function_index), i64::from(frame.line)))
        .collect();
    // A sample without any location counts in readers' totals only.
    let nowhere = location.len() as u64 + 1;
    if samples.graph.sites.iter().any(|site| site.node == 0) {
        let id = samples.graph.functions.len().max(1) as u64;
        let name = strings.number(NO_FRAME);
        function.push(Function { id, name, system_name: NOT_MANGLED, filename: 0, start_line: 0 });
        location.push(at(nowhere, id, 0));
    }
    let [thread_key, allocator_key, pid_key] = ["thread", "allocator", "pid"].map(|key| strings.number(key));
    let processes = profile.processes();
    let sample = samples
        .graph
        .sites
        .iter()
        .map(|site| {
            let [allocated, live] = [Figure::Allocated, in_use].map(|figure| of(site.figures, figure));
            let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            let thread = samples.graph.threads.get(site.thread as usize);
            let process = thread.and_then(|thread| processes.get(thread.process as usize));
            let text = |key, text| Label { key, str: text, num: 0 };
            let frames = samples.stack(site.node).map(|frame| u64::from(frame) + 1);
            Sample {
                location_id: if site.node == 0 { vec![nowhere] } else { frames.collect() },
                value: [allocated.1, allocated.0, live.1, live.0].map(number).to_vec(),
                label: vec![
                    text(thread_key, strings.number(thread.map_or("", |thread| &thread.name))),
                    text(
                        allocator_key,
                        strings.number(site.allocator.map_or("UNKNOWN", |allocator| allocator.name())),
                    ),
                    Label { key: pid_key, str: 0, num: process.map_or(0, |process| i64::from(process.pid)) },
                ],
            }
        })
        .filter(|sample| sample.value.iter().any(|value| *value != 0))
        .collect();

    let nanos = |ms: u64| i64::try_from(ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    let document = Document {
        sample_type,
        sample,
        location,
        function,
        time_nanos: nanos(session.started_unix_ms),
        duration_nanos: nanos(session.duration_ms),
        period_type: Some(period_type),
        period: 1,
        comment: vec![strings.number(&session.command.join(" "))],
        default_sample_type: strings.number("inuse_space"),
        string_table: strings.list,
    };
    let mut compressed = GzEncoder::new(out, Compression::default());
    compressed.write_all(&document.encode_to_vec())?;
    compressed.finish()?;
    Ok(())
}
