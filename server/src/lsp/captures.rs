//! Captures as files: what they hold, and whether somebody still writes them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use heaphint_analysis::Profile;
use heaphint_format::{Capture, Status};

use super::recorded::MOST_STACKS;
use crate::launch::header;

/// The end of a capture's name.
pub const EXTENSION: &str = "heaphint";

/// Live bytes of all processes of a run at this moment.
pub fn live_bytes(captures: &[PathBuf]) -> u64 {
    let headers = captures.iter().filter_map(|path| header(path));
    headers.filter(|header| header.status != Status::Finished as u32).map(|header| header.heap_bytes).sum()
}

/// Reads captures and merges them. Those that cannot be read are left out, unless there is no other.
///
/// # Errors
/// When none can be read.
pub fn read(paths: &[PathBuf]) -> anyhow::Result<Profile> {
    Ok(Profile::with_native_stacks(read_all(paths)?))
}

/// The same, without stacks when there are many.
///
/// # Errors
/// When none can be read.
pub fn read_figures(paths: &[PathBuf]) -> anyhow::Result<Profile> {
    let captures = read_all(paths)?;
    let stacks: usize = captures.iter().map(|capture| capture.sites.len()).sum();
    Ok(if stacks > MOST_STACKS {
        Profile::without_stacks_of(captures)
    } else {
        Profile::with_native_stacks(captures)
    })
}

fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Capture>> {
    let mut captures = Vec::new();
    let mut problem = None;
    for path in paths {
        let capture = heaphint_record::read_capture(path);
        match capture.with_context(|| format!("cannot read {}", path.display())) {
            Ok(capture) => captures.push(capture),
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    match problem {
        Some(error) if captures.is_empty() => Err(error),
        _ if captures.is_empty() => anyhow::bail!("nothing was recorded: the program did not start Python"),
        _ => Ok(captures),
    }
}

/// Whether the process of a capture still records.
pub fn is_being_recorded(path: &Path) -> bool {
    // A process that has ended and was not waited for writes no more.
    let is_alive = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
    };
    header(path).is_some_and(|header| header.status != Status::Finished as u32 && is_alive(header.pid))
}
