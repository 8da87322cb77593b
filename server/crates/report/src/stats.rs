//! The run in numbers: sizes, allocators, and who allocated most.

use std::io::{self, Write};

use heaphint_analysis::{End, Frame, Inexact, LocationFigures, ModuleFigures, Process, Profile};
use serde::Serialize;

use crate::json::{JsonFrame, JsonSession, SCHEMA, write};
use crate::text::{Look, Role, printable};

/// What stands for allocations without any Python frame; Memray's words.
const NO_STACK: &str = "<stack trace unavailable>";
/// Columns of the largest bar.
const BAR: u64 = 25;

/// What the statistics have.
#[derive(Clone, Debug)]
pub struct StatsOptions {
    /// Locations and modules in each list.
    pub largest: usize,
    /// Version of the program that writes.
    pub version: String,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    heaphint_version: &'a str,
    total_num_allocations: u64,
    total_bytes_allocated: u64,
    allocation_size_histogram: Vec<Bin>,
    allocator_type_distribution: serde_json::Map<String, serde_json::Value>,
    top_allocations_by_size: Vec<TopBySize<'a>>,
    top_allocations_by_count: Vec<TopByCount<'a>>,
    top_modules_by_allocation_size: Vec<Module>,
    top_modules_by_allocation_count: Vec<Module>,
    metadata: Metadata<'a>,
    session: JsonSession<'a>,
    processes: Vec<JsonProcess<'a>>,
}

/// A recorded program. A process may have been several, one after the other.
#[derive(Serialize)]
struct JsonProcess<'a> {
    pid: u32,
    /// The recorded process that has forked or started it; the kernel's parent when there is none.
    parent_pid: u32,
    /// `first`, `forked`, `started`, or `replaced` when it took the place of another program in its process.
    beginning: &'static str,
    command: &'a [String],
    started_ms: u64,
    exit_code: Option<i32>,
    /// `closed`, `replaced` when another program took its place, or `open` when it was killed or still runs.
    end: &'static str,
    peak_bytes: u64,
}

impl<'a> From<&'a Process> for JsonProcess<'a> {
    fn from(process: &'a Process) -> Self {
        Self {
            pid: process.pid,
            parent_pid: process.parent_pid,
            beginning: process.beginning.name(),
            command: &process.command,
            started_ms: process.started_unix_ms,
            exit_code: process.exit_code,
            end: process.end.name(),
            peak_bytes: process.peak_bytes,
        }
    }
}

#[derive(Serialize)]
struct Bin {
    min_bytes: u64,
    /// `null` in the last one, which has no upper end.
    max_bytes: Option<u64>,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exact: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

/// `location` is Memray's joined string; the frame's parts stand beside it, for paths with colons.
#[derive(Serialize)]
struct TopBySize<'a> {
    location: String,
    #[serde(flatten)]
    frame: Option<JsonFrame<'a>>,
    size: u64,
}

#[derive(Serialize)]
struct TopByCount<'a> {
    location: String,
    #[serde(flatten)]
    frame: Option<JsonFrame<'a>>,
    count: u64,
}

#[derive(Serialize)]
struct Module {
    module: String,
    num_allocations: u64,
    total_bytes: u64,
}

/// Memray's keys, with what heaphint does not do answered plainly.
#[derive(Serialize)]
struct Metadata<'a> {
    start_time: String,
    end_time: String,
    total_allocations: u64,
    total_frames: u64,
    peak_memory: u64,
    command_line: String,
    pid: u32,
    main_thread_id: u32,
    python_allocator: &'a str,
    has_native_traces: bool,
    trace_python_allocators: bool,
    file_format: &'static str,
}

/// Writes the statistics as one object with Memray's keys.
///
/// # Errors
/// When `out` cannot be written.
pub fn stats_json(out: &mut dyn Write, profile: &Profile, options: &StatsOptions) -> io::Result<()> {
    let session = profile.session();
    let everywhere = session.inexact.filter(|why| why.estimate().is_some());
    let document = Document {
        schema: SCHEMA,
        heaphint_version: &options.version,
        total_num_allocations: session.allocated_count,
        total_bytes_allocated: session.allocated_bytes,
        allocation_size_histogram: profile
            .sizes()
            .into_iter()
            .map(|class| Bin {
                min_bytes: class.min_bytes,
                max_bytes: (class.max_bytes != u64::MAX).then_some(class.max_bytes),
                count: class.count,
                exact: (!class.exact || everywhere.is_some()).then_some(false),
                why: match (class.exact, everywhere) {
                    (false, _) => Some("a counter ran full, so there were more"),
                    (true, why) => why.map(Inexact::why),
                },
            })
            .collect(),
        allocator_type_distribution: profile
            .allocators()
            .into_iter()
            .map(|kind| (kind.allocator.map_or("UNKNOWN", |it| it.name()).to_owned(), kind.count.into()))
            .collect(),
        top_allocations_by_size: profile
            .locations(false, options.largest)
            .into_iter()
            .map(|top| TopBySize {
                location: joined(&top),
                frame: top.location.as_ref().map(JsonFrame::from),
                size: top.bytes,
            })
            .collect(),
        top_allocations_by_count: profile
            .locations(true, options.largest)
            .into_iter()
            .map(|top| TopByCount {
                location: joined(&top),
                frame: top.location.as_ref().map(JsonFrame::from),
                count: top.count,
            })
            .collect(),
        top_modules_by_allocation_size: modules(profile.modules(false, options.largest)),
        top_modules_by_allocation_count: modules(profile.modules(true, options.largest)),
        metadata: Metadata {
            start_time: utc(session.started_unix_ms),
            end_time: utc(session.started_unix_ms.saturating_add(session.duration_ms)),
            total_allocations: session.allocated_count,
            total_frames: profile.files().iter().map(|file| file.lines.len() as u64).sum(),
            peak_memory: session.peak_bytes,
            command_line: session.command.join(" "),
            pid: session.pid,
            main_thread_id: session.main_thread,
            python_allocator: match session.python_allocator.as_str() {
                "" => "pymalloc",
                other => other,
            },
            has_native_traces: false,
            trace_python_allocators: session.python_allocators,
            file_format: "HEAPHINT",
        },
        session: session.into(),
        processes: profile.processes().iter().map(JsonProcess::from).collect(),
    };
    write(out, &document)
}

fn modules(modules: Vec<ModuleFigures>) -> Vec<Module> {
    modules
        .into_iter()
        .map(|module| Module {
            module: module.module,
            num_allocations: module.count,
            total_bytes: module.bytes,
        })
        .collect()
}

fn joined(top: &LocationFigures<'_>) -> String {
    top.location.as_ref().map_or_else(|| NO_STACK.to_owned(), place)
}

fn place(frame: &Frame<'_>) -> String {
    format!("{}:{}:{}", frame.function, frame.file, frame.line)
}

/// A moment as `2026-11-23 18:47:22.123000+00:00`, like Python's `str(datetime)`, which leaves a fraction of zero out.
fn utc(unix_ms: u64) -> String {
    let (seconds, ms) = (unix_ms / 1000, unix_ms % 1000);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_date(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = if ms == 0 { String::new() } else { format!(".{ms:03}000") };
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}+00:00")
}

/// The date so many days after 1970-01-01, by the 400-year cycle of 146,097 days that begins on a 1st of March
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil_date(days: u64) -> (u64, u64, u64) {
    let since_march_0 = days.saturating_add(719_468);
    let (era, of_era) = (since_march_0 / 146_097, since_march_0 % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Writes the statistics for a person.
///
/// # Errors
/// When `out` cannot be written.
pub fn stats_text(
    out: &mut dyn Write,
    profile: &Profile,
    options: &StatsOptions,
    look: &Look,
) -> io::Result<()> {
    let session = profile.session();
    let look = &look.of(profile);
    let heading = |text: String| look.paint(Role::Heading, text);
    let most = options.largest;
    for (name, value) in [
        ("Total allocations", look.count(session.allocated_count)),
        ("Total memory allocated", look.size(session.allocated_bytes)),
        ("Peak memory usage", look.size(session.peak_bytes)),
        ("Memory left at the end", look.size(session.leaked_bytes)),
        ("Largest RSS", look.exact_size(session.rss_peak_bytes)),
    ] {
        writeln!(out, "{}\n  {value}\n", heading(format!("{name}:")))?;
    }
    for note in &session.notes {
        writeln!(out, "{} {}\n", look.paint(Role::Warning, "note:"), printable(note))?;
    }
    if profile.processes().len() > 1 {
        writeln!(out, "{}", heading("Processes:".to_owned()))?;
        for process in profile.processes() {
            writeln!(out, "  {}", process_text(process, look))?;
        }
        writeln!(out)?;
    }

    writeln!(out, "{}", heading("Histogram of allocation sizes:".to_owned()))?;
    let sizes = profile.sizes();
    let largest = sizes.iter().map(|class| class.count).max().unwrap_or(0).max(1);
    for class in sizes {
        let range = if class.max_bytes == u64::MAX {
            format!("from {}", look.exact_size(class.min_bytes))
        } else {
            format!("below {}", look.exact_size(class.max_bytes + 1))
        };
        // Any allocation at all is a bar.
        let bar = (class.count as u128 * u128::from(BAR)).div_ceil(u128::from(largest)) as usize;
        let mark = if class.exact { "" } else { " or more" };
        let row = format!("  {range:<17} {:>13}{mark}  {}", look.count(class.count), "▇".repeat(bar));
        writeln!(out, "{}", row.trim_end())?;
    }

    writeln!(out, "\n{}", heading("Allocator type distribution:".to_owned()))?;
    for kind in profile.allocators() {
        let name = kind.allocator.map_or("UNKNOWN", |allocator| allocator.name());
        writeln!(out, "  {name:<17} {:>13}  {:>10}", look.count(kind.count), look.size(kind.bytes))?;
    }

    writeln!(out, "\n{}", heading(format!("Top {most} largest allocating locations (by size):")))?;
    for top in profile.locations(false, most) {
        writeln!(out, "  {:>10}  {}", look.size(top.bytes), printable(&joined(&top)))?;
    }
    writeln!(
        out,
        "\n{}",
        heading(format!("Top {most} largest allocating locations (by number of allocations):"))
    )?;
    for top in profile.locations(true, most) {
        writeln!(out, "  {:>13}  {}", look.count(top.count), printable(&joined(&top)))?;
    }
    writeln!(out, "\n{}", heading(format!("Top {most} allocating modules (by size):")))?;
    for module in profile.modules(false, most) {
        writeln!(out, "  {:>10}  {}", look.size(module.bytes), printable(&module.module))?;
    }
    writeln!(out, "\n{}", heading(format!("Top {most} allocating modules (by number of allocations):")))?;
    for module in profile.modules(true, most) {
        writeln!(out, "  {:>13}  {}", look.count(module.count), printable(&module.module))?;
    }
    Ok(())
}

/// One process, as a line for a person: its number, peak, end and command.
#[must_use]
pub fn process_text(process: &Process, look: &Look) -> String {
    let end = match (process.end, process.exit_code) {
        (End::Replaced, _) => ", replaced by another program".to_owned(),
        (_, Some(code)) if code != 0 => format!(", exit code {code}"),
        (End::Open, _) => ", ended without closing its capture".to_owned(),
        _ => String::new(),
    };
    let (pid, peak) = (process.pid, look.size(process.peak_bytes));
    printable(&format!("{pid}: peak {peak}{end}: {}", process.command.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_python_does() {
        assert_eq!(utc(0), "1970-01-01 00:00:00+00:00");
        assert_eq!(utc(951_782_400_123), "2000-02-29 00:00:00.123000+00:00");
        assert_eq!(utc(1_700_000_000_000), "2023-11-14 22:13:20+00:00");
    }
}
