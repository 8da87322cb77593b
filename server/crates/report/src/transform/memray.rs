//! A capture of Memray, made up so that it replays to the same figures: everything allocated, the peak and the end.
//!
//! A profile has sums and Memray's captures have events, so events are invented: what was live neither at the peak
//! nor at the end is allocated and freed at once, then everything live at the peak is allocated, then what did not stay
//! is freed and what came later is allocated. The blocks of a stack share its bytes equally. So sums are exact, and
//! sizes of single blocks, their order and what was temporary are not.

use std::io::{self, Write};

use heaphint_analysis::{Figures, GraphSite, Profile};
use heaphint_memray::{Header, Position, Writer};

use super::samples::Samples;

/// More events than this are no file that anybody reads; only a damaged capture asks for them.
const MOST_ALLOCATIONS: u64 = 1 << 32;
/// Blocks lie this far apart, and mappings farther.
const DISTANCE: u64 = 16;

/// Some blocks of a stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Blocks {
    count: u64,
    bytes: u64,
}

impl Blocks {
    /// Sizes of the blocks, the larger ones first.
    fn sizes(self) -> impl Iterator<Item = u64> {
        let Self { count, bytes } = self;
        (0..count).map(move |index| bytes / count + u64::from(index < bytes % count))
    }
}

/// When the blocks of a stack were live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lifetimes {
    /// Neither at the peak nor at the end.
    passing: Blocks,
    /// At the peak only.
    peak: Blocks,
    /// At the peak and at the end.
    kept: Blocks,
    /// At the end only.
    late: Blocks,
}

impl Lifetimes {
    /// Finds out how many blocks must have been live at both moments, so that the sums are right.
    fn of(figures: &Figures) -> Self {
        let peak = Blocks { count: figures.peak_count, bytes: figures.peak_bytes };
        let end = Blocks { count: figures.leaked_count, bytes: figures.leaked_bytes };
        let all = Blocks { count: figures.allocated_count, bytes: figures.allocated_bytes };
        let most = peak.count.min(end.count);
        let least = peak.count.saturating_add(end.count).saturating_sub(all.count).min(most);
        // Everything in between is as good as these.
        let candidates = [most, most.saturating_sub(1).max(least), least.saturating_add(1).min(most), least];
        candidates.into_iter().find_map(|kept| Self::with_kept(peak, end, all, kept)).unwrap_or(Self {
            // Sums that contradict each other: what the peak and the end say is kept.
            peak,
            late: end,
            ..Self::default()
        })
    }

    fn with_kept(peak: Blocks, end: Blocks, all: Blocks, count: u64) -> Option<Self> {
        let passing_count = all.count.checked_sub(peak.count.checked_add(end.count)? - count)?;
        let live_bytes = peak.bytes.checked_add(end.bytes)?;
        let mut lowest = live_bytes.saturating_sub(all.bytes);
        let mut highest = if count == 0 { 0 } else { peak.bytes.min(end.bytes) };
        for (blocks, bytes) in [(peak.count, peak.bytes), (end.count, end.bytes)] {
            if blocks == count {
                lowest = lowest.max(bytes);
            }
        }
        if passing_count == 0 {
            highest = highest.min(live_bytes.checked_sub(all.bytes)?);
        }
        (lowest <= highest).then_some(())?;
        let kept = Blocks { count, bytes: highest };
        let without = |blocks: Blocks| Blocks { count: blocks.count - count, bytes: blocks.bytes - highest };
        let passing = Blocks { count: passing_count, bytes: all.bytes.checked_sub(live_bytes - highest)? };
        Some(Self { passing, peak: without(peak), kept, late: without(end) })
    }
}

/// A site on its way into the file.
struct Invented<'a> {
    site: &'a GraphSite<'a>,
    lifetimes: Lifetimes,
    /// Address of the first block that is live at the peak only.
    address: u64,
}

pub fn write(out: &mut dyn Write, profile: &Profile, samples: &Samples<'_>) -> io::Result<()> {
    let order = samples.preorder();
    let mut sites: Vec<Invented<'_>> = samples
        .graph
        .sites
        .iter()
        .map(|site| Invented { site, lifetimes: Lifetimes::of(site.figures), address: 0 })
        .collect();
    sites.sort_by_key(|invented| (invented.site.thread, order[invented.site.node as usize]));
    let counts = sites.iter().map(|invented| {
        let Lifetimes { passing, peak, kept, late } = invented.lifetimes;
        [passing.count, peak.count, kept.count, late.count]
    });
    let [mut allocations, mut frees] = [0u64; 2];
    for [passing, peak, kept, late] in counts {
        let freed = passing.saturating_add(peak);
        frees = frees.saturating_add(freed);
        allocations = allocations.saturating_add(freed).saturating_add(kept).saturating_add(late);
    }
    if allocations > MOST_ALLOCATIONS {
        let why = "there are too many allocations for a Memray capture, which has a record for each";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let header = header(profile, samples, allocations + frees);
    let mut invention = Invention {
        samples,
        positions: Vec::new(),
        writer: Writer::new(out, &header)?,
        free_address: 1 << 32,
    };
    invention.names()?;
    invention.threads()?;
    invention.events(profile, &mut sites)?;
    invention.writer.finish()?;
    Ok(())
}

pub(super) fn header(profile: &Profile, samples: &Samples<'_>, records: u64) -> Header {
    let session = profile.session();
    let start = i64::try_from(session.started_unix_ms).unwrap_or(i64::MAX);
    let files = &samples.graph.files;
    let main = samples.graph.threads.iter().position(|thread| thread.tid == session.main_thread);
    Header {
        n_allocations: records,
        start_time: start,
        end_time: start.saturating_add_unsigned(session.duration_ms),
        command_line: session.command.join(" "),
        pid: session.pid as i32,
        main_tid: tid(main.unwrap_or(0) as u32),
        python_allocator: match session.python_allocator.as_str() {
            "" | "pymalloc" | "default" => 1,
            "pymalloc_debug" | "debug" => 2,
            "malloc" | "malloc_debug" => 3,
            _ => 4,
        },
        libdest: files.iter().find_map(|file| standard_library(file.path)).unwrap_or_default().to_owned(),
        site_packages: {
            let mut folders: Vec<&str> = files.iter().filter_map(|file| packages(file.path)).collect();
            folders.sort_unstable();
            folders.dedup();
            folders.into_iter().map(str::to_owned).collect()
        },
        trace_python_allocators: session.python_allocators,
        ..Header::default()
    }
}

/// The folder of installed packages that a file lies in.
fn packages(file: &str) -> Option<&str> {
    let ends = ["/site-packages/", "/dist-packages/"].map(|folder| (file.find(folder), folder.len() - 1));
    ends.into_iter().find_map(|(start, len)| file.get(..start? + len))
}

/// The folder of the standard library that a file lies in.
fn standard_library(file: &str) -> Option<&str> {
    let start = file.find("/lib/python3.")? + "/lib/".len();
    let end = start + file[start..].find('/')?;
    if packages(file).is_some() { None } else { file.get(..end) }
}

/// Memray numbers threads from 1.
pub(super) fn tid(thread: u32) -> u64 {
    u64::from(thread) + 1
}

struct Invention<'a, W: Write> {
    samples: &'a Samples<'a>,
    /// Function and line of each frame.
    positions: Vec<Position>,
    writer: Writer<W>,
    free_address: u64,
}

impl<W: Write> Invention<'_, W> {
    /// Functions with the lines that are on stacks.
    fn names(&mut self) -> io::Result<()> {
        let graph = &self.samples.graph;
        let mut lines: Vec<Vec<u32>> = vec![Vec::new(); graph.functions.len()];
        for frame in &self.samples.frames {
            let lines = &mut lines[frame.function_index as usize];
            self.positions.push(Position { function: frame.function_index, line_index: lines.len() as u32 });
            lines.push(frame.line);
        }
        for (function, lines) in graph.functions.iter().zip(&lines) {
            let file = graph.files[function.file as usize].path;
            self.writer.function(function.qualname, file, function.first_line, lines)?;
        }
        Ok(())
    }

    fn threads(&mut self) -> io::Result<()> {
        for (number, thread) in (0..).zip(&self.samples.graph.threads) {
            self.writer.thread(tid(number), &thread.name)?;
        }
        Ok(())
    }

    fn events(&mut self, profile: &Profile, sites: &mut [Invented<'_>]) -> io::Result<()> {
        for invented in sites.iter().filter(|it| it.lifetimes.passing.count > 0) {
            self.enter(invented.site)?;
            for bytes in invented.lifetimes.passing.sizes() {
                let address = self.free_address;
                self.writer.allocate(invented.site.allocator, address, bytes)?;
                self.writer.free(invented.site.allocator, address, bytes)?;
            }
        }
        // Times are those of the recording; between them the heap grows as it did there, as far as this order can.
        let peak_ms = profile.session().peak_ms;
        let mut samples = profile.timeline().iter().peekable();
        let mut live = 0u64;
        for invented in sites.iter_mut().filter(|it| it.lifetimes.peak.count + it.lifetimes.kept.count > 0) {
            while let Some(sample) =
                samples.next_if(|sample| u64::from(sample.elapsed_ms) < peak_ms && sample.heap_bytes <= live)
            {
                self.writer.memory(u64::from(sample.elapsed_ms), sample.rss_bytes)?;
            }
            let Lifetimes { peak, kept, .. } = invented.lifetimes;
            self.enter(invented.site)?;
            invented.address = self.allocate(invented.site, peak)?;
            self.allocate(invented.site, kept)?;
            live = live.saturating_add(peak.bytes).saturating_add(kept.bytes);
        }
        while let Some(sample) = samples.next_if(|sample| u64::from(sample.elapsed_ms) <= peak_ms) {
            self.writer.memory(u64::from(sample.elapsed_ms), sample.rss_bytes)?;
        }
        // To Memray the peak ends with the first byte that is freed, and a block without bytes freed before that
        // would not have been there.
        sites.sort_by_key(|invented| invented.lifetimes.peak.bytes == 0);
        for invented in sites.iter().filter(|it| it.lifetimes.peak.count > 0) {
            self.enter(invented.site)?;
            let mut address = invented.address;
            for bytes in invented.lifetimes.peak.sizes() {
                self.writer.free(invented.site.allocator, address, bytes)?;
                address = after(address, bytes);
            }
        }
        for invented in sites.iter().filter(|it| it.lifetimes.late.count > 0) {
            self.enter(invented.site)?;
            self.allocate(invented.site, invented.lifetimes.late)?;
        }
        for sample in samples {
            self.writer.memory(u64::from(sample.elapsed_ms), sample.rss_bytes)?;
        }
        Ok(())
    }

    fn enter(&mut self, site: &GraphSite<'_>) -> io::Result<()> {
        let mut stack: Vec<Position> =
            self.samples.stack(site.node).map(|frame| self.positions[frame as usize]).collect();
        stack.reverse();
        self.writer.enter(tid(site.thread), &stack)
    }

    /// Allocates blocks side by side; gives the address of the first.
    fn allocate(&mut self, site: &GraphSite<'_>, blocks: Blocks) -> io::Result<u64> {
        let first = self.free_address;
        for bytes in blocks.sizes() {
            self.writer.allocate(site.allocator, self.free_address, bytes)?;
            self.free_address = after(self.free_address, bytes);
        }
        Ok(first)
    }
}

/// Where the next block lies. Addresses beyond the end of the numbers begin anew; only a damaged capture gets there.
fn after(address: u64, bytes: u64) -> u64 {
    address.wrapping_add((bytes / DISTANCE).wrapping_mul(DISTANCE)).wrapping_add(DISTANCE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Blocks with sizes and lifetimes of their own have sums; lifetimes are found that have the same.
        #[test]
        fn sums_of_real_blocks_are_kept(
            blocks in prop::collection::vec((0u64..50, any::<bool>(), any::<bool>()), 0..12),
        ) {
            let sum = |chosen: &dyn Fn(&(u64, bool, bool)) -> bool| {
                let chosen = blocks.iter().filter(|block| chosen(block));
                (chosen.clone().map(|block| block.0).sum::<u64>(), chosen.count() as u64)
            };
            let (peak, leaked, all) = (sum(&|it| it.1), sum(&|it| it.2), sum(&|_| true));
            let figures = Figures {
                peak_bytes: peak.0,
                peak_count: peak.1,
                leaked_bytes: leaked.0,
                leaked_count: leaked.1,
                allocated_bytes: all.0,
                allocated_count: all.1,
                ..Figures::default()
            };
            let found = Lifetimes::of(&figures);
            let add = |parts: &[Blocks]| {
                (parts.iter().map(|it| it.bytes).sum::<u64>(), parts.iter().map(|it| it.count).sum::<u64>())
            };
            let Lifetimes { passing, peak: at_peak, kept, late } = found;
            prop_assert_eq!(add(&[at_peak, kept]), peak);
            prop_assert_eq!(add(&[late, kept]), leaked);
            prop_assert_eq!(add(&[passing, at_peak, kept, late]), all);
            for part in [passing, at_peak, kept, late] {
                prop_assert_eq!(part.sizes().sum::<u64>(), part.bytes, "{:?}", found);
            }
        }
    }
}
