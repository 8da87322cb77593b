//! `heaphint parse`: everything that a capture holds, one line for each record.

use std::path::{Path, PathBuf};

use clap::Args;
use heaphint_format::Mode;
use heaphint_record::{Ending, Event, requested};
use heaphint_report::records_text;

use super::input::{Input, open, recording};
use super::output;

/// Print every record of a capture, one line each
///
/// The lines of Memray's captures are those of `memray parse`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The capture, of heaphint or of Memray
    #[arg(value_name = "CAPTURE")]
    capture: PathBuf,
}

/// Prints the events of a full record.
fn events(path: &Path) -> anyhow::Result<()> {
    let recording = recording(path)?;
    let capture = recording.capture.clone();
    let keeps_addresses = capture.header.has(Mode::Addresses);
    let mut ending = None;
    output::write(|out| {
        let (mut serial, mut failure) = (0u64, Ok(()));
        let place =
            |address: u64| if keeps_addresses { format!(" address={address:#x}") } else { String::new() };
        let read = recording.events(|event| {
            if failure.is_err() {
                return;
            }
            failure = match event {
                Event::Allocated { site, bytes, address, .. } => {
                    serial += 1;
                    let bytes = requested(&capture, site, bytes);
                    writeln!(
                        out,
                        "ALLOCATED serial={} site={site} bytes={bytes}{}",
                        serial - 1,
                        place(address)
                    )
                }
                Event::Freed { thread, serial, temporary } => {
                    writeln!(out, "FREED serial={serial} thread={thread} temporary={temporary}")
                }
                Event::Unmapped { thread, serial, bytes, address, last, .. } => {
                    let place = place(address);
                    writeln!(out, "UNMAPPED serial={serial} thread={thread} bytes={bytes} last={last}{place}")
                }
                Event::Time { elapsed_ms } => writeln!(out, "TIME elapsed_ms={elapsed_ms}"),
            };
        });
        ending = Some(read);
        failure
    })?;
    if let Some(read) = ending
        && read? == Ending::Damaged
    {
        anyhow::bail!("{} is damaged: its events can be read up to here only", path.display());
    }
    Ok(())
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    match open(&arguments.capture)? {
        Input::Heaphint(capture) => {
            output::write(|out| records_text(out, &capture))?;
            if capture.header.has(Mode::Record) {
                events(&arguments.capture)?;
            }
        }
        Input::Memray(mut reader) => {
            output::write(|out| {
                writeln!(out, "{}", reader.header().line())?;
                while let Some(record) = reader.next_record() {
                    writeln!(out, "{}", record.line(reader.header()))?;
                }
                Ok(())
            })?;
            if let Some(heaphint_memray::End::Broken { position, why }) = reader.end() {
                anyhow::bail!(
                    "{} can be read up to byte {position} only: {why}",
                    arguments.capture.display()
                );
            }
        }
    }
    Ok(0)
}
