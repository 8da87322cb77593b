//! What the page knows: names as JSON, everything that is many as columns of numbers.
//!
//! `assets/data.js` reads what is written here, in the same order. Sites are the stacks' counters; the page adds them
//! up for whatever somebody chooses, so each figure of a stack is shipped once. Lines and functions are shipped with
//! the figures that cannot be had by adding: their own maxima.

use std::collections::BTreeMap;
use std::io;

use heaphint_analysis::{Figures, Graph, GraphSite, Inexact, Origin, Process, Profile, Run};
use serde::Serialize;

use super::PageOptions;
use super::columns::Columns;
use super::document::Section;
use super::history::{self, HistoryCounts};
use super::places::{Place, functions, lines};
use super::sources::texts;
use super::trim::{Trimmed, trim};
use crate::json::{JsonSession, SCHEMA};

/// Figures that add up.
pub(super) const SUMS: usize = 8;
/// Why a figure is not exact, by the number that stands beside it.
pub(super) const REASONS: [Option<Inexact>; 5] = [
    None,
    Some(Inexact::MaxIsLowerBound),
    Some(Inexact::SeveralProcesses),
    Some(Inexact::Damaged),
    Some(Inexact::SumsOnly),
];

/// How much of a profile is shown one by one.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Frames of the stack tree.
    nodes: usize,
    /// Lines, and functions.
    places: usize,
    /// Moments of all timelines together.
    samples: usize,
    /// Bytes of whole source files.
    source: usize,
}

impl Bounds {
    /// What nearly every capture stays below.
    pub const fn usual() -> Self {
        Self { nodes: 400_000, places: 60_000, samples: 200_000, source: 8 << 20 }
    }

    /// Half of everything.
    pub const fn halved(self) -> Self {
        Self {
            nodes: self.nodes / 2,
            places: self.places / 2,
            samples: self.samples / 2,
            source: self.source / 2,
        }
    }

    /// Whether there is next to nothing left to halve.
    pub const fn is_least(self) -> bool {
        self.nodes <= 16
    }
}

#[derive(Serialize)]
struct Meta<'a> {
    schema: u32,
    heaphint_version: &'a str,
    session: JsonSession<'a>,
    /// What the run is compared with, in a page of two runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier: Option<MetaEarlier<'a>>,
    /// The figure that is shown first.
    figure: &'static str,
    python_allocator: &'a str,
    main_thread: u32,
    files: Vec<MetaFile<'a>>,
    origins: [&'static str; Origin::ALL.len()],
    /// Packages, for files and for sites.
    modules: Vec<&'a str>,
    /// Qualified name, file, first line.
    functions: Vec<(&'a str, u32, u32)>,
    /// Index of the function that stands for what was allocated without any Python frame.
    outside: u32,
    /// Index of the function that stands for stacks that are too small to be shown one by one.
    joined: u32,
    /// Name and process.
    threads: Vec<(&'a str, u32)>,
    processes: Vec<MetaProcess>,
    allocators: Vec<&'static str>,
    /// Smallest and largest size of each class; the last has no upper end.
    sizes: Vec<(u64, Option<u64>)>,
    /// Why figures are not exact, by the number that stands beside them.
    inexact: [Option<&'static str>; REASONS.len()],
    counts: Counts,
    /// Only of a full record.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<HistoryCounts>,
}

/// The earlier of two runs.
#[derive(Serialize)]
struct MetaEarlier<'a> {
    session: JsonSession<'a>,
    processes: Vec<MetaProcess>,
}

#[derive(Serialize)]
struct MetaFile<'a> {
    path: &'a str,
    /// Index into the origins.
    origin: usize,
    /// Index into the modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<u32>,
}

#[derive(Serialize)]
struct MetaProcess {
    pid: u32,
    started_ms: u64,
    peak_bytes: u64,
    peak_ms: u64,
    samples: usize,
}

/// Rows of the columns, and what was left out of them.
#[derive(Serialize)]
struct Counts {
    frames: usize,
    nodes: usize,
    sites: usize,
    lines: usize,
    functions: usize,
    nodes_left_out: usize,
    lines_left_out: usize,
    functions_left_out: usize,
    /// All lines that were on a stack, shown or not.
    lines_seen: usize,
}

/// Numbers given to things in the order in which they are first asked for.
struct Numbers<K>(BTreeMap<K, u32>, Vec<K>);

impl<K: Ord + Clone> Numbers<K> {
    const fn new() -> Self {
        Self(BTreeMap::new(), Vec::new())
    }

    fn of(&mut self, key: K) -> u32 {
        let next = self.1.len() as u32;
        *self.0.entry(key).or_insert_with_key(|key| {
            self.1.push(key.clone());
            next
        })
    }
}

/// Names that the page uses, numbered.
pub(super) struct Names<'a> {
    graph: &'a Graph<'a>,
    files: Numbers<&'a str>,
    modules: Numbers<&'a str>,
    /// Qualified name, file, first line.
    functions: Numbers<(&'a str, u32, u32)>,
}

impl<'a> Names<'a> {
    /// A function of the graph.
    fn function(&mut self, index: u32) -> u32 {
        let function = &self.graph.functions[index as usize];
        let file = self.files.of(self.graph.files[function.file as usize].path);
        self.functions.of((function.qualname, file, function.first_line.max(1)))
    }

    /// A file by its path.
    pub(super) fn file(&mut self, path: &'a str) -> u32 {
        self.files.of(path)
    }

    /// A function by what identifies it; one that no shown stack has gets a number, too.
    pub(super) fn function_named(&mut self, qualname: &'a str, file: &'a str, first_line: u32) -> u32 {
        let file = self.files.of(file);
        self.functions.of((qualname, file, first_line.max(1)))
    }
}

/// Counters of one row of the columns.
struct Row {
    node: u32,
    thread: u32,
    allocator: u32,
    module: u32,
    run: Run,
    figures: [u64; SUMS],
    sizes: Vec<u64>,
}

impl Row {
    fn key(&self) -> ([u32; 4], Run) {
        ([self.node, self.thread, self.allocator, self.module], self.run)
    }

    fn add(&mut self, other: &Self) {
        let sums = self.figures.iter_mut().chain(&mut self.sizes);
        for (sum, part) in sums.zip(other.figures.iter().chain(&other.sizes)) {
            *sum = sum.saturating_add(*part);
        }
    }
}

/// All parts of the page's data.
///
/// # Errors
/// None that a buffer in memory could give.
pub fn sections(profile: &Profile, options: &PageOptions<'_>, bounds: &Bounds) -> io::Result<Vec<Section>> {
    let graph = options.earlier.map_or_else(|| profile.graph(), |earlier| earlier.graph());
    let trimmed = trim(&graph, bounds.nodes);
    let mut names =
        Names { graph: &graph, files: Numbers::new(), modules: Numbers::new(), functions: Numbers::new() };
    let mut allocators = Numbers::new();
    let outside = names.function_named("outside Python code", "", 0);
    let joined = names.function_named("smaller stacks", "", 0);

    let mut columns = Columns::default();
    let (nodes, frames, rows, row_of) =
        tree(&mut columns, &graph, &trimmed, &mut names, &mut allocators, [outside, joined]);
    let processes = timelines(&mut columns, profile.processes(), bounds.samples);
    let earlier = options.earlier.map(|earlier| {
        let earlier = earlier.before();
        MetaEarlier {
            session: earlier.session().into(),
            processes: timelines(&mut columns, earlier.processes(), bounds.samples),
        }
    });
    let mut places = Columns::default();
    let of_both = options.earlier.is_some();
    let (lines, lines_seen) =
        Place::write(&mut places, lines(profile, options.earlier), &mut names, bounds.places, of_both);
    let (functions, functions_seen) =
        Place::write(&mut places, functions(profile, options.earlier), &mut names, bounds.places, of_both);

    let mut history = Columns::default();
    let history_counts = options.history.map(|it| history::write(&mut history, it, &row_of));

    let source = options.source.map_or_else(Vec::new, |source| {
        texts(profile, source, &|path| names.files.0.get(path).copied(), bounds.source)
    });
    let of_path: BTreeMap<&str, usize> =
        graph.files.iter().enumerate().map(|(index, file)| (file.path, index)).collect();
    let files = names
        .files
        .1
        .iter()
        .map(|path| {
            let file = of_path.get(path).map(|index| &graph.files[*index]);
            let origin = file.map_or(Origin::NoFile, |file| file.origin);
            MetaFile {
                path,
                origin: Origin::ALL.iter().position(|it| *it == origin).unwrap_or(0),
                module: file.and_then(|file| file.module).map(|module| names.modules.of(module)),
            }
        })
        .collect();
    let session = profile.session();
    let meta = Meta {
        schema: SCHEMA,
        heaphint_version: &options.version,
        session: session.into(),
        earlier,
        figure: options.figure.name(),
        python_allocator: match session.python_allocator.as_str() {
            "" => "pymalloc",
            other => other,
        },
        main_thread: session.main_thread,
        files,
        origins: Origin::ALL.map(Origin::name),
        modules: names.modules.1,
        functions: names.functions.1,
        outside,
        joined,
        threads: graph.threads.iter().map(|thread| (thread.name.as_str(), thread.process)).collect(),
        processes,
        allocators: allocators.1,
        sizes: profile
            .sizes()
            .iter()
            .map(|class| (class.min_bytes, (class.max_bytes != u64::MAX).then_some(class.max_bytes)))
            .collect(),
        inexact: REASONS.map(|reason| reason.map(Inexact::why)),
        counts: Counts {
            frames,
            nodes,
            sites: rows,
            lines,
            functions,
            nodes_left_out: trimmed.left_out,
            lines_left_out: lines_seen - lines,
            functions_left_out: functions_seen - functions,
            lines_seen,
        },
        history: history_counts,
    };
    Ok(vec![
        Section::new("data-meta", &serde_json::to_vec(&meta)?)?,
        Section::new("data-graph", columns.bytes())?,
        Section::new("data-places", places.bytes())?,
        Section::new("data-history", history.bytes())?,
        Section::new("data-source", &serde_json::to_vec(&source)?)?,
    ])
}

/// Writes frames, nodes and sites. Returns how many nodes, frames and sites there are, and which of these each site of
/// the graph became a part of.
fn tree<'a>(
    columns: &mut Columns,
    graph: &'a Graph<'a>,
    trimmed: &Trimmed,
    names: &mut Names<'a>,
    allocators: &mut Numbers<&'static str>,
    [outside, joined]: [u32; 2],
) -> (usize, usize, usize, Vec<u32>) {
    let mut frames = Numbers::new();
    let root = frames.of((outside, 0, Run::Later));
    // Of each node its parent and frame. What is no node of the graph comes after those that are.
    let mut nodes = vec![(0, root)];
    for index in trimmed.kept.iter().skip(1) {
        let node = &graph.nodes[*index as usize];
        let frame = frames.of((names.function(node.function), node.line, node.run));
        nodes.push((trimmed.shown_at[node.parent as usize], frame));
    }
    let mut stand_ins: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    let mut stand_in = |parent: u32, function: u32| {
        *stand_ins.entry((parent, function)).or_insert_with(|| {
            nodes.push((parent, frames.of((function, 0, Run::Later))));
            nodes.len() as u32 - 1
        })
    };
    let mut rows: Vec<Row> = graph
        .sites
        .iter()
        .map(|site| {
            let at = trimmed.shown_at[site.node as usize];
            let node = if site.node == 0 {
                stand_in(0, outside)
            } else if trimmed.is_kept(site.node) {
                at
            } else {
                stand_in(at, joined)
            };
            row(site, node, names, allocators)
        })
        .collect();
    let keys: Vec<_> = rows.iter().map(Row::key).collect();
    rows.sort_by_key(Row::key);
    rows.dedup_by(|later, held| {
        let is_same = later.key() == held.key();
        if is_same {
            held.add(later);
        }
        is_same
    });

    columns.add(frames.1.iter().map(|(function, ..)| u64::from(*function)));
    columns.add(frames.1.iter().map(|(_, line, _)| u64::from(*line)));
    columns.add(frames.1.iter().map(|(.., run)| *run as u64));
    columns.add(nodes.iter().enumerate().map(|(index, (parent, _))| index as u64 - u64::from(*parent)));
    columns.add(nodes.iter().map(|(_, frame)| u64::from(*frame)));
    columns.add_rising(rows.iter().map(|row| row.node));
    columns.add(rows.iter().map(|row| u64::from(row.thread)));
    columns.add(rows.iter().map(|row| u64::from(row.allocator)));
    columns.add(rows.iter().map(|row| u64::from(row.module)));
    columns.add(rows.iter().map(|row| row.run as u64));
    for figure in 0..SUMS {
        columns.add(rows.iter().map(|row| row.figures[figure]));
    }
    for class in 0..rows.first().map_or(0, |row| row.sizes.len()) {
        columns.add(rows.iter().map(|row| row.sizes[class]));
    }
    let row_of =
        keys.iter().map(|key| rows.binary_search_by_key(key, Row::key).unwrap_or(0) as u32).collect();
    (nodes.len(), frames.1.len(), rows.len(), row_of)
}

fn row<'a>(
    site: &GraphSite<'a>,
    node: u32,
    names: &mut Names<'a>,
    allocators: &mut Numbers<&'static str>,
) -> Row {
    Row {
        node,
        thread: site.thread,
        allocator: allocators.of(site.allocator.map_or("UNKNOWN", |allocator| allocator.name())),
        module: names.modules.of(site.module),
        run: site.run,
        figures: sums(site.figures),
        sizes: site.sizes.iter().map(|count| u64::from(*count)).collect(),
    }
}

/// The figures that add up, in the order of the columns.
pub(super) const fn sums(figures: &Figures) -> [u64; SUMS] {
    [
        figures.peak_bytes,
        figures.peak_count,
        figures.allocated_bytes,
        figures.allocated_count,
        figures.leaked_bytes,
        figures.leaked_count,
        figures.temporary_bytes,
        figures.temporary_count,
    ]
}

/// Writes elapsed time, RSS and heap of each process.
fn timelines(columns: &mut Columns, processes: &[Process], most: usize) -> Vec<MetaProcess> {
    let all: usize = processes.iter().map(|process| process.timeline.len()).sum();
    let stride = all.div_ceil(most.max(1)).max(1);
    let mut written = Vec::with_capacity(processes.len());
    for process in processes {
        let samples: Vec<_> = process.timeline.iter().step_by(stride).collect();
        columns.add_rising(samples.iter().map(|sample| sample.elapsed_ms));
        columns.add(samples.iter().map(|sample| sample.rss_bytes));
        columns.add(samples.iter().map(|sample| sample.heap_bytes));
        written.push(MetaProcess {
            pid: process.pid,
            started_ms: process.started_unix_ms,
            peak_bytes: process.peak_bytes,
            peak_ms: process.peak_ms,
            samples: samples.len(),
        });
    }
    written
}
