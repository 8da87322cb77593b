//! From captures to a profile: names interned, stack trees joined, maxima put where they belong.

use std::collections::hash_map::Entry;

use heaphint_format::{Capture, PlaceKind, Text};
use rustc_hash::{FxHashMap, FxHashSet};

use super::lines::Maxima;
use super::{
    FileId, Function, FunctionId, LineId, Maximum, Node, NodeId, Process, Profile, Session, Site, ThreadId,
    ThreadName,
};
use crate::Figures;
use crate::path::absolute;

/// Names longer than this are cut: a hostile capture can name all of its strings as one, and do so often.
const LONGEST_NAME: usize = 1 << 16;
/// Bytes of names that are kept; later ones become `<unreadable>`. A real capture has a thousandth of it.
const MOST_NAME_BYTES: usize = 256 << 20;

#[derive(Default)]
struct Builder {
    file_names: Vec<String>,
    file_ids: FxHashMap<String, FileId>,
    in_project: Vec<bool>,
    functions: Vec<Function>,
    function_ids: FxHashMap<(FileId, String, u32), FunctionId>,
    lines: Vec<(FileId, u32)>,
    line_ids: FxHashMap<(FileId, u32), LineId>,
    nodes: Vec<Node>,
    sites: Vec<Site>,
    threads: Vec<ThreadName>,
    maxima: Vec<Maxima>,
    name_bytes: usize,
}

pub(super) fn profile(captures: &[Capture]) -> Profile {
    let mut session = Session::start(captures);
    let mut builder = Builder::default();
    builder.root();
    let mut whole = Figures::default();
    for (process, capture) in captures.iter().enumerate() {
        builder.capture(capture, process as u32);
    }
    for site in &builder.sites {
        whole.add(&site.figures);
    }
    session.allocated_bytes = whole.allocated_bytes;
    session.allocated_count = whole.allocated_count;
    session.leaked_bytes = whole.leaked_bytes;
    session.leaked_count = whole.leaked_count;

    let mut maxima = Maxima::sum(&builder.maxima);
    maxima.everywhere = session.inexact;
    let mut profile = Profile {
        session,
        file_names: builder.file_names,
        in_project: builder.in_project,
        functions: builder.functions,
        lines: builder.lines,
        nodes: builder.nodes,
        sites: builder.sites,
        threads: builder.threads,
        files: Vec::new(),
        outside_python: Figures::default(),
        processes: captures.iter().map(Process::of).collect(),
        maxima: builder.maxima,
    };
    profile.count_lines(&maxima);
    profile
}

/// What a capture calls its files, and which of them have two names there.
struct FileTexts {
    ids: FxHashMap<Text, FileId>,
    raw_names: FxHashMap<FileId, FxHashSet<String>>,
    directory: String,
}

impl Builder {
    /// The empty stack. Its function and line belong to no file that anybody sees.
    fn root(&mut self) {
        let file = self.file(String::new());
        let function = self.function(file, String::new(), 0);
        let line = self.line(file, 0);
        self.nodes.push(Node { parent: NodeId(0), function, line });
    }

    fn capture(&mut self, capture: &Capture, process: u32) {
        let mut texts = FileTexts {
            ids: FxHashMap::default(),
            raw_names: FxHashMap::default(),
            directory: capture.text(capture.header.directory).into_owned(),
        };
        let mut functions = Vec::with_capacity(capture.codes.len());
        for code in &capture.codes {
            let file = self.file_text(capture, &mut texts, code.file);
            if let Some(flag) = self.in_project.get_mut(file.index()) {
                *flag |= code.in_project != 0;
            }
            let name = self.name(capture, code.name);
            functions.push(self.function(file, name, code.first_line));
        }

        let first_node = self.nodes.len() as u32;
        let node_id = |stack: u32| if stack == 0 { NodeId(0) } else { NodeId(first_node + stack - 1) };
        // A code object without line numbers is shown at its first line, and that line then is more than one place.
        let mut merged_lines: FxHashSet<LineId> = FxHashSet::default();
        for (index, stack) in capture.stacks.iter().enumerate().skip(1) {
            // The reader has made every index valid; what a hand-made capture leaves wrong points to the root.
            let parent = if (stack.parent as usize) < index { stack.parent } else { 0 };
            let function = functions.get(stack.code as usize).copied().unwrap_or(FunctionId(0));
            let (file, first_line) =
                self.functions.get(function.index()).map_or((FileId(0), 0), |f| (f.file, f.first_line));
            let line = self.line(file, if stack.line == 0 { first_line.max(1) } else { stack.line });
            if stack.line == 0 {
                merged_lines.insert(line);
            }
            self.nodes.push(Node { parent: node_id(parent), function, line });
        }

        let first_thread = self.threads.len() as u32;
        for thread in &capture.threads {
            let name = self.name(capture, thread.name);
            self.threads.push(ThreadName { tid: thread.tid, process, name });
        }
        for site in &capture.sites {
            let stack = if (site.stack as usize) < capture.stacks.len() { site.stack } else { 0 };
            self.sites.push(Site {
                node: node_id(stack),
                thread: ThreadId(first_thread.saturating_add(site.thread())),
                allocator: site.allocator(),
                figures: Figures {
                    peak_bytes: site.peak_bytes,
                    peak_count: u64::from(site.peak_count),
                    max_bytes: 0,
                    allocated_bytes: site.allocated_bytes,
                    allocated_count: site.allocated_count,
                    leaked_bytes: site.live_bytes,
                    leaked_count: u64::from(site.live_count),
                    temporary_bytes: site.temporary_bytes,
                    temporary_count: site.temporary_count,
                    inexact: None,
                },
                sizes: site.sizes,
            });
        }
        self.places(capture, &mut texts, &merged_lines);
    }

    /// The recorded maxima of one process.
    fn places(&mut self, capture: &Capture, texts: &mut FileTexts, merged_lines: &FxHashSet<LineId>) {
        let mut own = Maxima::default();
        for place in &capture.places {
            let file = self.file_text(capture, texts, place.file);
            let bytes = u64::try_from(place.max_bytes).unwrap_or(0);
            let one_name = texts.raw_names.get(&file).is_none_or(|names| names.len() == 1);
            if place.kind == PlaceKind::TotalFunction as u32 {
                let name = self.name(capture, place.name);
                if let Some(function) = self.function_ids.get(&(file, name, place.line)) {
                    record(own.function_totals.entry(*function), bytes, one_name);
                }
            } else if let Some(line) = self.line_ids.get(&(file, place.line)) {
                let exact = one_name && !merged_lines.contains(line);
                if place.kind == PlaceKind::SelfLine as u32 {
                    record(own.line_selfs.entry(*line), bytes, exact);
                } else if place.kind == PlaceKind::TotalLine as u32 {
                    record(own.line_totals.entry(*line), bytes, exact);
                }
            }
        }
        self.maxima.push(own);
    }

    /// A name out of a capture, within bounds that only a hostile one reaches.
    fn name(&mut self, capture: &Capture, text: Text) -> String {
        let len = text.len.min(LONGEST_NAME as u32);
        self.name_bytes = self.name_bytes.saturating_add(len as usize);
        if self.name_bytes > MOST_NAME_BYTES {
            return "<unreadable>".to_owned();
        }
        capture.text(Text { offset: text.offset, len }).into_owned()
    }

    fn file_text(&mut self, capture: &Capture, texts: &mut FileTexts, text: Text) -> FileId {
        if let Some(id) = texts.ids.get(&text) {
            return *id;
        }
        let raw = self.name(capture, text);
        let path = if raw.is_empty() { "<unknown>".to_owned() } else { absolute(&raw, &texts.directory) };
        self.name_bytes = self.name_bytes.saturating_add(path.len() - raw.len().min(path.len()));
        let id = self.file(path);
        texts.ids.insert(text, id);
        texts.raw_names.entry(id).or_default().insert(raw);
        id
    }

    fn file(&mut self, path: String) -> FileId {
        let next = FileId(self.file_names.len() as u32);
        *self.file_ids.entry(path).or_insert_with_key(|path| {
            self.file_names.push(path.clone());
            self.in_project.push(false);
            next
        })
    }

    fn function(&mut self, file: FileId, qualname: String, first_line: u32) -> FunctionId {
        let next = FunctionId(self.functions.len() as u32);
        *self.function_ids.entry((file, qualname, first_line)).or_insert_with_key(|(_, qualname, _)| {
            self.functions.push(Function { qualname: qualname.clone(), file, first_line });
            next
        })
    }

    fn line(&mut self, file: FileId, line: u32) -> LineId {
        let next = LineId(self.lines.len() as u32);
        *self.line_ids.entry((file, line)).or_insert_with(|| {
            self.lines.push((file, line));
            next
        })
    }
}

/// Notes a place's maximum. When a place has two names in a capture, neither maximum is the whole truth.
fn record<K>(entry: Entry<'_, K, Maximum>, bytes: u64, exact: bool) {
    match entry {
        Entry::Occupied(mut held) => {
            let held = held.get_mut();
            *held = Maximum { bytes: held.bytes.max(bytes), exact: false };
        }
        Entry::Vacant(free) => {
            free.insert(Maximum { bytes, exact });
        }
    }
}
