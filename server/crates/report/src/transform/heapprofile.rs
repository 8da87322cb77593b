//! V8's sampling heap profile, which VS Code and Chrome's developer tools open.
//!
//! A node stands for a line that was executing in a function, so that VS Code shows figures beside lines: V8 itself
//! gives the function's first line there, and has no deeper knowledge.

use std::io::{self, Write};

use heaphint_analysis::Figure;
use serde::Serialize;

use super::samples::Samples;

#[derive(Serialize)]
struct CallFrame<'a> {
    #[serde(rename = "functionName")]
    function: &'a str,
    #[serde(rename = "scriptId")]
    script: String,
    url: String,
    /// 0-based.
    #[serde(rename = "lineNumber")]
    line: i64,
    #[serde(rename = "columnNumber")]
    column: i64,
}

#[derive(Serialize)]
struct Sample {
    size: u64,
    #[serde(rename = "nodeId")]
    node: u32,
    ordinal: usize,
}

pub fn write(out: &mut dyn Write, samples: &Samples<'_>, figure: Figure) -> io::Result<()> {
    let nodes = &samples.graph.nodes;
    let stacks = samples.stacks(figure);
    let mut own = vec![0u64; nodes.len()];
    let mut needed = vec![false; nodes.len()];
    for (node, bytes, _) in &stacks {
        own[*node as usize] = *bytes;
        needed[*node as usize] = true;
    }
    for index in (1..nodes.len()).rev() {
        needed[nodes[index].parent as usize] |= needed[index];
    }

    // Stacks may be deeper than any recursion should be, so the nesting is written by hand.
    write!(out, "{{\"head\":")?;
    open(out, samples, 0, own[0])?;
    let mut is_first = true;
    samples.walk(
        |index| needed[index],
        |node, entering| {
            if entering {
                if !is_first {
                    write!(out, ",")?;
                }
                open(out, samples, node, own[node as usize])?;
            } else {
                write!(out, "]}}")?;
            }
            is_first = entering;
            Ok::<(), io::Error>(())
        },
    )?;
    let list: Vec<Sample> = stacks
        .iter()
        .enumerate()
        .map(|(ordinal, (node, size, _))| Sample { size: *size, node: *node + 1, ordinal: ordinal + 1 })
        .collect();
    write!(out, "]}},\"samples\":")?;
    serde_json::to_writer(&mut *out, &list)?;
    writeln!(out, "}}")
}

/// Everything of a node up to its children.
fn open(out: &mut dyn Write, samples: &Samples<'_>, node: u32, own: u64) -> io::Result<()> {
    let frame = if node == 0 {
        CallFrame { function: "(root)", script: "0".to_owned(), url: String::new(), line: -1, column: -1 }
    } else {
        let frame = samples.frames[samples.frame(node) as usize];
        let file = samples.graph.functions[frame.function_index as usize].file;
        CallFrame {
            function: frame.function,
            script: file.to_string(),
            url: url(frame.file),
            line: i64::from(frame.line) - 1,
            column: 0,
        }
    };
    write!(out, "{{\"callFrame\":")?;
    serde_json::to_writer(&mut *out, &frame)?;
    write!(out, ",\"selfSize\":{own},\"id\":{},\"children\":[", node + 1)
}

/// A path as a URL; what is no path stays as it is.
fn url(file: &str) -> String {
    if !file.starts_with('/') {
        return file.to_owned();
    }
    let mut url = String::from("file://");
    for byte in file.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}
