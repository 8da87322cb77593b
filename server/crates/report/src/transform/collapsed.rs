//! Collapsed stacks: `outer (file:1);inner (file:2) bytes`, one line each, as flame graph scripts read them.

use std::io::{self, Write};

use heaphint_analysis::Figure;

use super::samples::{NO_FRAME, Samples};

pub fn write(out: &mut dyn Write, samples: &Samples<'_>, figure: Figure) -> io::Result<()> {
    let frames: Vec<String> = samples
        .frames
        .iter()
        .map(|frame| plain(&format!("{} ({}:{})", frame.function, frame.file, frame.line)))
        .collect();
    let mut stack = Vec::new();
    for (node, bytes, _) in samples.stacks(figure).into_iter().filter(|(_, bytes, _)| *bytes > 0) {
        stack.clear();
        stack.extend(samples.stack(node).map(|frame| frames[frame as usize].as_str()));
        stack.reverse();
        let line = if stack.is_empty() { NO_FRAME.to_owned() } else { stack.join(";") };
        writeln!(out, "{line} {bytes}")?;
    }
    Ok(())
}

/// The format has no escapes: what separates frames or lines becomes something that looks like it.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            ';' => '\u{ff1b}',
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => '\u{fffd}',
            c => c,
        })
        .collect()
}
