//! The JSON that `gprof2dot -f json` reads, as Memray writes it: functions, and call chains with their bytes.

use std::io::{self, Write};

use heaphint_analysis::Figure;
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::samples::Samples;
use crate::json;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    costs: [Cost; 1],
    events: Vec<Event>,
    functions: Vec<Function<'a>>,
}

#[derive(Serialize)]
struct Cost {
    description: &'static str,
    unit: &'static str,
}

#[derive(Serialize)]
struct Event {
    /// Indices of functions, the innermost first.
    callchain: Vec<usize>,
    cost: [u64; 1],
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    module: &'a str,
}

pub fn write(out: &mut dyn Write, samples: &Samples<'_>, figure: Figure) -> io::Result<()> {
    let mut numbers: FxHashMap<(&str, &str), usize> = FxHashMap::default();
    let mut functions = Vec::new();
    let of_frame: Vec<usize> = samples
        .frames
        .iter()
        .map(|frame| {
            *numbers.entry((frame.function, frame.file)).or_insert_with(|| {
                functions.push(Function { name: frame.function, module: frame.file });
                functions.len() - 1
            })
        })
        .collect();
    let events = samples
        .stacks(figure)
        .into_iter()
        // The format has no place for what no function has called.
        .filter(|(node, ..)| *node != 0)
        .map(|(node, bytes, _)| Event {
            callchain: samples.stack(node).map(|frame| of_frame[frame as usize]).collect(),
            cost: [bytes],
        })
        .collect();
    let costs = [Cost { description: "Memory", unit: "bytes" }];
    json::write(out, &Document { version: 0, costs, events, functions })
}
