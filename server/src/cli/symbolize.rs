//! `heaphint symbolize`: a capture that can be read on another machine.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use heaphint_analysis::{Capture, NativeFunction, NativeModule, Symbols};
use heaphint_format::{Mode, NewSymbol, with_symbols};
use heaphint_symbols::{Folders, SymbolFiles};

use super::Usage;
use super::transform::write_file;

/// Write the names of native functions into a capture, so that another machine can show them
#[derive(Debug, Args)]
pub struct Arguments {
    /// A capture that was recorded with `--native`
    #[arg(value_name = "CAPTURE")]
    capture: PathBuf,
    #[allow(rustdoc::invalid_html_tags, reason = "the text is shown as it is")]
    /// Write to this file [default: CAPTURE itself]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let shown = arguments.capture.display();
    let bytes =
        heaphint_record::read_image(&arguments.capture).with_context(|| format!("cannot read {shown}"))?;
    let capture = Capture::read(&bytes).with_context(|| format!("cannot read {shown}"))?;
    if !capture.header.has(Mode::Native) {
        let what = format!("{shown} has no native frames: record it with `heaphint run --native`");
        return Err(Usage(what).into());
    }
    if capture.header.has(Mode::Record) {
        // What is written here has tables and no events.
        let what =
            format!("{shown} is a full record, which cannot take symbols yet: record it without `--record`");
        return Err(Usage(what).into());
    }
    if !capture.symbols.is_empty() {
        return Err(Usage(format!("{shown} has its symbols already")).into());
    }
    let found = found(&capture);
    let symbols: Vec<NewSymbol<'_>> = found
        .iter()
        .map(|(address, function)| NewSymbol {
            address: *address,
            name: &function.name,
            file: function.file.as_deref().unwrap_or_default(),
            line: function.line,
        })
        .collect();
    let complete = with_symbols(&bytes, &symbols)
        .with_context(|| format!("{shown} has no room for symbols: it was written by another version"))?;
    let output = arguments.output.as_ref().unwrap_or(&arguments.capture);
    write_file(output, |out| out.write_all(&complete))
        .with_context(|| format!("cannot write {}", output.display()))?;
    let named = found.iter().map(|(address, _)| address).collect::<std::collections::BTreeSet<_>>().len();
    anstream::eprintln!(
        "heaphint: {} of {} native addresses have names in {}",
        named,
        capture.addresses.len(),
        output.display()
    );
    Ok(0)
}

/// The functions at each address, outer ones first.
fn found(capture: &Capture) -> Vec<(u32, NativeFunction)> {
    let mut files = SymbolFiles::new(Folders::usual());
    let mut found = Vec::new();
    for (id, address) in (0..).zip(&capture.addresses) {
        let Some(module) = capture.modules.get(address.module as usize) else { continue };
        let (path, build_id) = (capture.text(module.path), capture.text(module.build_id));
        let module = NativeModule { path: &path, build_id: &build_id };
        let functions = files.functions(&module, address.offset);
        found.extend(functions.into_iter().map(|function| (id, function)));
    }
    found
}
