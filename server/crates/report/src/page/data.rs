//! What the page knows: names as JSON, everything that is many as columns of numbers.
//!
//! `assets/data.js` reads what is written here, in the same order. Sites are the stacks' counters; the page adds them
//! up for whatever somebody chooses, so each figure of a stack is shipped once. Lines and functions are shipped with
//! the figures that cannot be had by adding: their own maxima.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use heaphint_analysis::{
    Figures, FileFigures, Graph, GraphSite, Inexact, LineFigures, Origin, Process, Profile, Selection,
    Summary, SummaryBy,
};
use serde::Serialize;

use super::PageOptions;
use super::columns::Columns;
use super::document::Section;
use super::sources::texts;
use super::trim::{Trimmed, trim};
use crate::json::{JsonSession, SCHEMA};

/// Figures that add up.
const SUMS: usize = 8;
/// Why a figure is not exact, by the number that stands beside it.
const REASONS: [Option<Inexact>; 5] = [
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
struct Names<'a> {
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

    /// A function by what identifies it; one that no shown stack has gets a number, too.
    fn function_named(&mut self, qualname: &'a str, file: &'a str, first_line: u32) -> u32 {
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
    figures: [u64; SUMS],
    sizes: Vec<u64>,
}

impl Row {
    fn key(&self) -> [u32; 4] {
        [self.node, self.thread, self.allocator, self.module]
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
    let graph = profile.graph();
    let trimmed = trim(&graph, bounds.nodes);
    let summary = profile.summary(SummaryBy::Function, &Selection::default());
    let mut names =
        Names { graph: &graph, files: Numbers::new(), modules: Numbers::new(), functions: Numbers::new() };
    let mut allocators = Numbers::new();
    let outside = names.function_named("outside Python code", "", 0);
    let joined = names.function_named("smaller stacks", "", 0);

    let mut columns = Columns::default();
    let (nodes, frames, rows) =
        tree(&mut columns, &graph, &trimmed, &mut names, &mut allocators, [outside, joined]);
    let samples = timelines(&mut columns, profile.processes(), bounds.samples);
    let mut places = Columns::default();
    let (lines, lines_seen) = lines(&mut places, profile, &mut names, bounds.places);
    let (functions, functions_seen) = functions(&mut places, &summary, &mut names, bounds.places);

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
        processes: profile
            .processes()
            .iter()
            .zip(samples)
            .map(|(process, samples)| MetaProcess {
                pid: process.pid,
                started_ms: process.started_unix_ms,
                peak_bytes: process.peak_bytes,
                peak_ms: process.peak_ms,
                samples,
            })
            .collect(),
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
    };
    Ok(vec![
        Section::new("data-meta", &serde_json::to_vec(&meta)?)?,
        Section::new("data-graph", columns.bytes())?,
        Section::new("data-places", places.bytes())?,
        Section::new("data-source", &serde_json::to_vec(&source)?)?,
    ])
}

/// Writes frames, nodes and sites. Returns how many nodes, frames and sites there are.
fn tree<'a>(
    columns: &mut Columns,
    graph: &'a Graph<'a>,
    trimmed: &Trimmed,
    names: &mut Names<'a>,
    allocators: &mut Numbers<&'static str>,
    [outside, joined]: [u32; 2],
) -> (usize, usize, usize) {
    let mut frames = Numbers::new();
    let root = frames.of((outside, 0));
    // Of each node its parent and frame. What is no node of the graph comes after those that are.
    let mut nodes = vec![(0, root)];
    for index in trimmed.kept.iter().skip(1) {
        let node = &graph.nodes[*index as usize];
        let frame = frames.of((names.function(node.function), node.line));
        nodes.push((trimmed.shown_at[node.parent as usize], frame));
    }
    let mut stand_ins: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    let mut stand_in = |parent: u32, function: u32| {
        *stand_ins.entry((parent, function)).or_insert_with(|| {
            nodes.push((parent, frames.of((function, 0))));
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
    rows.sort_by_key(Row::key);
    rows.dedup_by(|later, held| {
        let is_same = later.key() == held.key();
        if is_same {
            held.add(later);
        }
        is_same
    });

    columns.add(frames.1.iter().map(|(function, _)| u64::from(*function)));
    columns.add(frames.1.iter().map(|(_, line)| u64::from(*line)));
    columns.add(nodes.iter().enumerate().map(|(index, (parent, _))| index as u64 - u64::from(*parent)));
    columns.add(nodes.iter().map(|(_, frame)| u64::from(*frame)));
    columns.add_rising(rows.iter().map(|row| row.node));
    columns.add(rows.iter().map(|row| u64::from(row.thread)));
    columns.add(rows.iter().map(|row| u64::from(row.allocator)));
    columns.add(rows.iter().map(|row| u64::from(row.module)));
    for figure in 0..SUMS {
        columns.add(rows.iter().map(|row| row.figures[figure]));
    }
    for class in 0..rows.first().map_or(0, |row| row.sizes.len()) {
        columns.add(rows.iter().map(|row| row.sizes[class]));
    }
    (nodes.len(), frames.1.len(), rows.len())
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
        figures: sums(site.figures),
        sizes: site.sizes.iter().map(|count| u64::from(*count)).collect(),
    }
}

/// The figures that add up, in the order of the columns.
const fn sums(figures: &Figures) -> [u64; SUMS] {
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

/// Writes elapsed time, RSS and heap of each process. Returns how many samples each has.
fn timelines(columns: &mut Columns, processes: &[Process], most: usize) -> Vec<usize> {
    let all: usize = processes.iter().map(|process| process.timeline.len()).sum();
    let stride = all.div_ceil(most.max(1)).max(1);
    let mut counts = Vec::with_capacity(processes.len());
    for process in processes {
        let samples: Vec<_> = process.timeline.iter().step_by(stride).collect();
        columns.add_rising(samples.iter().map(|sample| sample.elapsed_ms));
        columns.add(samples.iter().map(|sample| sample.rss_bytes));
        columns.add(samples.iter().map(|sample| sample.heap_bytes));
        counts.push(samples.len());
    }
    counts
}

/// Writes the lines with their total and own figures. Returns how many were written, and how many there are.
fn lines<'a>(
    columns: &mut Columns,
    profile: &'a Profile,
    names: &mut Names<'a>,
    most: usize,
) -> (usize, usize) {
    let files = profile.files().iter();
    let mut rows: Vec<(&FileFigures, &LineFigures)> =
        files.flat_map(|file| file.lines.iter().map(move |line| (file, line))).collect();
    let seen = rows.len();
    keep_largest(&mut rows, most, |(_, line)| &line.total_figures);
    columns.add(rows.iter().map(|(file, _)| u64::from(names.files.of(&file.path))));
    columns.add(rows.iter().map(|(_, line)| u64::from(line.line)));
    columns.add(rows.iter().map(|(file, line)| {
        // A line knows its function's name and not where that begins: of several the last that begins before it.
        let namesakes = file.functions.iter().filter(|function| function.qualname == line.qualname);
        let before = namesakes.clone().rfind(|function| function.first_line <= line.line);
        let first_line = before.or_else(|| namesakes.clone().next()).map_or(1, |it| it.first_line);
        u64::from(names.function_named(&line.qualname, &file.path, first_line))
    }));
    let (totals, owns): (Vec<_>, Vec<_>) =
        rows.iter().map(|(_, line)| (&line.total_figures, &line.self_figures)).unzip();
    add_sums(columns, &totals);
    add_maxima(columns, &totals);
    add_sums(columns, &owns);
    add_maxima(columns, &owns);
    (rows.len(), seen)
}

/// Writes the functions with their total and own figures; of own ones the maximum is not known. Returns how many were
/// written, and how many there are.
fn functions<'a>(
    columns: &mut Columns,
    summary: &'a Summary<'a>,
    names: &mut Names<'a>,
    most: usize,
) -> (usize, usize) {
    let rows = summary.rows.iter();
    let mut rows: Vec<_> = rows.filter_map(|row| Some((row.location?, row))).collect();
    let seen = rows.len();
    keep_largest(&mut rows, most, |(_, row)| &row.total);
    columns.add(
        rows.iter().map(|(frame, _)| u64::from(names.function_named(frame.qualname, frame.file, frame.line))),
    );
    let (totals, owns): (Vec<_>, Vec<_>) = rows.iter().map(|(_, row)| (&row.total, &row.own)).unzip();
    add_sums(columns, &totals);
    add_maxima(columns, &totals);
    add_sums(columns, &owns);
    (rows.len(), seen)
}

/// Keeps the `most` rows with most bytes, in the order in which they are.
fn keep_largest<T>(rows: &mut Vec<T>, most: usize, figures: impl Fn(&T) -> &Figures) {
    if rows.len() <= most {
        return;
    }
    let weight = |row: &T| {
        let figures = figures(row);
        (figures.peak_bytes.max(figures.max_bytes).max(figures.leaked_bytes), figures.allocated_bytes)
    };
    let mut weights: Vec<_> = rows.iter().map(weight).enumerate().map(|(at, it)| (Reverse(it), at)).collect();
    weights.sort_unstable();
    let mut is_kept = vec![false; rows.len()];
    for (_, at) in &weights[..most] {
        is_kept[*at] = true;
    }
    let mut is_kept = is_kept.into_iter();
    rows.retain(|_| is_kept.next().unwrap_or(false));
}

fn add_sums(columns: &mut Columns, rows: &[&Figures]) {
    for figure in 0..SUMS {
        columns.add(rows.iter().map(|figures| sums(figures)[figure]));
    }
}

fn add_maxima(columns: &mut Columns, rows: &[&Figures]) {
    columns.add(rows.iter().map(|figures| figures.max_bytes));
    columns.add(rows.iter().map(|figures| {
        let why = REASONS.iter().position(|reason| *reason == figures.inexact);
        why.unwrap_or(0) as u64
    }));
}
