//! The file format of speedscope: one profile of bytes, one of allocations.

use std::io::{self, Write};

use heaphint_analysis::{Figure, Profile};
use serde::Serialize;

use super::samples::{NO_FRAME, Samples};
use crate::json;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    shared: Shared<'a>,
    profiles: [Sampled; 2],
    name: String,
    #[serde(rename = "activeProfileIndex")]
    active: usize,
    exporter: String,
}

#[derive(Serialize)]
struct Shared<'a> {
    frames: Vec<Frame<'a>>,
}

#[derive(Serialize)]
struct Frame<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Serialize)]
struct Sampled {
    r#type: &'static str,
    name: String,
    unit: &'static str,
    #[serde(rename = "startValue")]
    start: u64,
    #[serde(rename = "endValue")]
    end: u64,
    /// Indices of frames, the outermost first.
    samples: Vec<Vec<u32>>,
    weights: Vec<u64>,
}

pub fn write(
    out: &mut dyn Write,
    profile: &Profile,
    samples: &Samples<'_>,
    figure: Figure,
    version: &str,
) -> io::Result<()> {
    let frame = |name, file, line| Frame { name, file, line };
    let mut frames: Vec<Frame<'_>> = samples
        .frames
        .iter()
        .map(|at| frame(at.function, Some(at.file), (at.line > 0).then_some(at.line)))
        .collect();
    let stacks = samples.stacks(figure);
    let nowhere = frames.len() as u32;
    if stacks.first().is_some_and(|(node, ..)| *node == 0) {
        frames.push(frame(NO_FRAME, None, None));
    }
    let sampled = |what: &str, unit, weight: fn(&(u32, u64, u64)) -> u64| {
        let chosen = || stacks.iter().filter(|stack| weight(stack) > 0);
        let weights: Vec<u64> = chosen().map(weight).collect();
        let samples = chosen().map(|(node, ..)| {
            let mut frames: Vec<u32> = samples.stack(*node).collect();
            frames.reverse();
            if frames.is_empty() { vec![nowhere] } else { frames }
        });
        Sampled {
            r#type: "sampled",
            name: format!("{what} ({})", figure.name()),
            unit,
            start: 0,
            end: weights.iter().fold(0, |sum, weight| sum.saturating_add(*weight)),
            samples: samples.collect(),
            weights,
        }
    };
    let profiles =
        [sampled("Memory", "bytes", |stack| stack.1), sampled("Allocations", "none", |stack| stack.2)];
    json::write(
        out,
        &Document {
            schema: "https://www.speedscope.app/file-format-schema.json",
            shared: Shared { frames },
            profiles,
            name: profile.session().command.join(" "),
            active: 0,
            exporter: format!("heaphint@{version}"),
        },
    )
}
