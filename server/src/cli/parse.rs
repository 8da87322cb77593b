//! `heaphint parse`: everything that a capture holds, one line for each record.

use std::path::PathBuf;

use clap::Args;
use heaphint_report::records_text;

use super::input::{Input, open};
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

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    match open(&arguments.capture)? {
        Input::Heaphint(capture) => output::write(|out| records_text(out, &capture))?,
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
