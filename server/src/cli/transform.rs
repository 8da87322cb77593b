//! `heaphint transform`: a capture in the format of another tool.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use heaphint_analysis::Profile;
use heaphint_analysis::records::Events;
use heaphint_format::Mode;
use heaphint_memray::FileFormat;
use heaphint_record::Recording;
use heaphint_report::{EventTable, Format, MemrayEvents, TransformOptions, transform};

use super::Usage;
use super::figure::FigureArguments;
use super::input::{Input, open, recording};
use super::native::NativeArgument;
use super::part::PartArguments;

/// Turn a capture into a file for another tool
#[derive(Debug, Args)]
pub struct Arguments {
    /// The format
    #[arg(value_name = "FORMAT", value_parser = format())]
    format: Format,
    #[command(flatten)]
    part: PartArguments,
    #[command(flatten)]
    figure: FigureArguments,
    #[command(flatten)]
    native: NativeArgument,
    /// Parquet of a full record, or of a Memray capture: a row for each event instead of each stack
    #[arg(long, conflicts_with_all = ["figure", "leaks", "temporary", "process", "thread", "module", "from", "to"])]
    events: bool,
    /// Write here instead of to standard output; a file that is there is replaced
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn format() -> impl TypedValueParser<Value = Format> {
    let names = Format::ALL.map(|format| PossibleValue::new(format.name()).help(format.meaning()));
    PossibleValuesParser::new(names).try_map(|name| {
        Format::ALL.into_iter().find(|format| format.name() == name).ok_or("there is no such format")
    })
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    let format = arguments.format;
    if format.is_binary() && arguments.output.is_none() && io::stdout().is_terminal() {
        return Err(Usage(format!(
            "{} is no text for a terminal: name a file with `-o`, or send it into a pipe",
            format.name()
        ))
        .into());
    }
    if arguments.events {
        return events(arguments);
    }
    if let Some(recording) = whole_record(arguments)? {
        return written(arguments, |out| {
            let events = MemrayEvents::new(out, &recording.capture)?;
            replayed(recording, events)?.finish()
        });
    }
    let figure = arguments.figure.of_stacks()?;
    let (profile, part) = arguments.part.read_as(arguments.figure.window(), |captures| {
        // Memray has no way to write a native frame without the file that it is in.
        if format == Format::Memray {
            Profile::from_captures(captures)
        } else {
            arguments.native.profile(captures)
        }
    })?;
    let options = TransformOptions { figure, part, version: env!("CARGO_PKG_VERSION").to_owned() };
    written(arguments, |out| transform(out, &profile, format, &options))
}

/// Writes a row for each event of the one capture that is named.
fn events(arguments: &Arguments) -> anyhow::Result<u8> {
    if arguments.format != Format::Parquet {
        return Err(Usage("events have the format parquet: leave out `--events`".to_owned()).into());
    }
    let [path] = arguments.part.captures() else {
        return Err(Usage("the events of one capture make a table: name one capture".to_owned()).into());
    };
    match open(path)? {
        Input::Memray(mut reader) if reader.header().file_format == FileFormat::AllAllocations => {
            written(arguments, |out| heaphint_memray::replay(&mut reader, EventTable::new(out)?).finish())
        }
        Input::Heaphint(capture) if capture.header.has(Mode::Record) => {
            let recording = recording(path)?;
            written(arguments, |out| replayed(recording, EventTable::new(out)?)?.finish())
        }
        _ => Err(Usage(format!("{} has sums and no events: leave out `--events`", path.display())).into()),
    }
}

/// The full record that is to be written as a whole for Memray; anything else is made up from figures.
fn whole_record(arguments: &Arguments) -> anyhow::Result<Option<Recording>> {
    let [path] = arguments.part.captures() else { return Ok(None) };
    if arguments.format != Format::Memray || !arguments.part.is_whole() || path.is_dir() {
        return Ok(None);
    }
    match open(path)? {
        // Sampled events are not all there were; figures tell what they stand for.
        Input::Heaphint(capture) if capture.header.has(Mode::Record) && capture.header.sample_bytes == 0 => {
            Ok(Some(recording(path)?))
        }
        _ => Ok(None),
    }
}

/// Tells a record's events to a writer.
fn replayed<E: Events>(recording: Recording, events: E) -> io::Result<E> {
    heaphint_record::replay(recording, events).map(|(events, _)| events).map_err(io::Error::other)
}

/// Writes to where it was asked for.
fn written(
    arguments: &Arguments,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> anyhow::Result<u8> {
    match &arguments.output {
        Some(path) => {
            write_file(path, write).with_context(|| format!("cannot write {}", path.display()))?;
        }
        None => {
            let mut out = BufWriter::new(io::stdout());
            write(&mut out).and_then(|()| out.flush()).context("cannot write to standard output")?;
        }
    }
    Ok(0)
}

/// Writes a file as a whole: what was there stays until the new one is complete.
///
/// # Errors
/// When it cannot be written.
pub fn write_file(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<()> {
    let is_special = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
    if is_special {
        // A pipe or a device is written to, not replaced.
        let mut out = BufWriter::new(File::options().write(true).open(path)?);
        write(&mut out)?;
        return out.flush();
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".heaphint-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    let mut out = BufWriter::new(file.as_file_mut());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    file.persist(path)?;
    Ok(())
}
