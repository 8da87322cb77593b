//! A table in the columns of `memray transform csv`, with a row for each stack, thread and allocator.
//!
//! `stack_trace` has the innermost frame first: `function;file;line`, joined by `|`. A backslash before `;`, `|` or a
//! backslash says that it belongs to a name.

use std::io::{self, Write};

use heaphint_analysis::Figure;

use super::samples::{Samples, of};

pub fn write(out: &mut dyn Write, samples: &Samples<'_>, figure: Figure) -> io::Result<()> {
    let frames: Vec<String> = samples
        .frames
        .iter()
        .map(|frame| format!("{};{};{}", escaped(frame.function), escaped(frame.file), frame.line))
        .collect();
    let mut table = csv::Writer::from_writer(out);
    table.write_record(["allocator", "num_allocations", "size", "tid", "thread_name", "stack_trace"])?;
    for site in samples.sites(figure) {
        let (bytes, count) = of(site.figures, figure);
        let stack: Vec<&str> =
            samples.stack(site.node).map(|frame| frames[frame as usize].as_str()).collect();
        let thread = samples.graph.threads.get(site.thread as usize);
        table.write_record([
            site.allocator.map_or("UNKNOWN", |allocator| allocator.name()),
            &count.to_string(),
            &bytes.to_string(),
            &thread.map_or(0, |thread| thread.tid).to_string(),
            thread.map_or("", |thread| &thread.name),
            &stack.join("|"),
        ])?;
    }
    table.flush()
}

fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, ';' | '|' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
