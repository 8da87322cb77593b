//! From captures to a profile: names interned, stack trees joined, maxima put where they belong.

use std::collections::hash_map::Entry;

use heaphint_format::{Capture, Mode, NATIVE_STACK, PlaceKind, Text};
use rustc_hash::{FxHashMap, FxHashSet};

use super::lines::Maxima;
use super::native::{Addresses, Merger, Nodes, Symbols};
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
    file_ids: FxHashMap<(String, bool), FileId>,
    in_project: Vec<bool>,
    is_native: Vec<bool>,
    functions: Vec<Function>,
    function_ids: FxHashMap<(FileId, String, u32), FunctionId>,
    lines: Vec<(FileId, u32)>,
    line_ids: FxHashMap<(FileId, u32), LineId>,
    nodes: Vec<Node>,
    sites: Vec<Site>,
    keeps_sites: bool,
    /// What was allocated at each node by sites that are not kept.
    at_node: Vec<Figures>,
    threads: Vec<ThreadName>,
    maxima: Vec<Maxima>,
    name_bytes: usize,
}

/// A profile of captures; one that does not keep stacks has nothing of them but what was computed from them.
pub(super) fn profile(
    owner: impl AsRef<[Capture]>,
    mut symbols: Option<&mut dyn Symbols>,
    keeps_stacks: bool,
) -> Profile {
    let captures = owner.as_ref();
    let mut session = Session::start(captures);
    let mut builder = Builder { keeps_sites: keeps_stacks, ..Builder::default() };
    builder.root();
    for (process, capture) in captures.iter().enumerate() {
        // A reborrow of what an option holds needs its lifetime spelt out.
        let symbols: Option<&mut dyn Symbols> = match &mut symbols {
            Some(symbols) => Some(&mut **symbols),
            None => None,
        };
        builder.capture(capture, process as u32, symbols);
    }
    let mut whole = Figures::default();
    for figures in builder.sites.iter().map(|site| &site.figures).chain(&builder.at_node) {
        whole.add(figures);
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
        is_native: builder.is_native,
        functions: builder.functions,
        lines: builder.lines,
        nodes: builder.nodes,
        sites: builder.sites,
        threads: builder.threads,
        files: Vec::new(),
        outside_python: Figures::default(),
        processes: captures.iter().map(Process::of).collect(),
        maxima: builder.maxima,
        native_stacks: None,
        has_stacks: keeps_stacks,
    };
    // Counting takes as much memory again as the captures, when these are given away.
    drop(owner);
    let at_node = if keeps_stacks { profile.at_node(&profile.sites) } else { builder.at_node };
    profile.count_lines(&maxima, at_node);
    if !keeps_stacks {
        profile.nodes = profile.nodes.first().copied().into_iter().collect();
    }
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
        let file = self.file(String::new(), false);
        let function = self.function(file, String::new(), 0, false);
        let line = self.line(file, 0);
        self.nodes.push(Node { parent: NodeId(0), function, line });
    }

    fn capture(&mut self, capture: &Capture, process: u32, symbols: Option<&mut dyn Symbols>) {
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
            functions.push(self.function(file, name, code.first_line, false));
        }

        // A code object without line numbers is shown at its first line, and that line then is more than one place.
        let mut merged_lines: FxHashSet<LineId> = FxHashSet::default();
        let mut frames = Vec::with_capacity(capture.stacks.len());
        frames.push((FunctionId(0), LineId(0)));
        for stack in capture.stacks.iter().skip(1) {
            if stack.code == NATIVE_STACK {
                frames.push((FunctionId(0), LineId(0)));
                continue;
            }
            let function = functions.get(stack.code as usize).copied().unwrap_or(FunctionId(0));
            let (file, first_line) =
                self.functions.get(function.index()).map_or((FileId(0), 0), |f| (f.file, f.first_line));
            let own_line = stack.own_line();
            let line = self.line(file, if own_line == 0 { first_line.max(1) } else { own_line });
            if own_line == 0 {
                merged_lines.insert(line);
            }
            frames.push((function, line));
        }
        let node_ids = match symbols {
            Some(symbols) if capture.header.has(Mode::Native) => self.merged_nodes(capture, &frames, symbols),
            _ => self.python_nodes(capture, &frames),
        };
        let node_id = |stack: u32| node_ids.get(stack as usize).copied().unwrap_or(NodeId(0));

        let first_thread = self.threads.len() as u32;
        for thread in &capture.threads {
            let name = self.name(capture, thread.name);
            self.threads.push(ThreadName { tid: thread.tid, process, name });
        }
        if self.keeps_sites {
            self.sites.extend(capture.sites.iter().map(|site| Site {
                node: node_id(site.stack),
                stack: site.stack,
                thread: ThreadId(first_thread.saturating_add(site.thread())),
                allocator: site.allocator(),
                figures: figures(site),
                sizes: site.sizes,
            }));
        } else {
            self.at_node.resize(self.nodes.len(), Figures::default());
            for site in &capture.sites {
                if let Some(at_node) = self.at_node.get_mut(node_id(site.stack).index()) {
                    at_node.add(&figures(site));
                }
            }
        }
        self.places(capture, &mut texts, &merged_lines);
    }

    /// The node of each stack, without native frames.
    fn python_nodes(&mut self, capture: &Capture, frames: &[(FunctionId, LineId)]) -> Vec<NodeId> {
        let mut ids = Vec::with_capacity(frames.len());
        ids.push(NodeId(0));
        self.nodes.reserve(frames.len());
        for (stack, (function, line)) in capture.stacks.iter().zip(frames).skip(1) {
            // The reader has made every index valid; what a hand-made capture leaves wrong points to the root.
            let parent = ids.get(stack.parent as usize).copied().unwrap_or(NodeId(0));
            if stack.code == NATIVE_STACK {
                ids.push(parent);
                continue;
            }
            ids.push(NodeId(self.nodes.len() as u32));
            self.nodes.push(Node { parent, function: *function, line: *line });
        }
        ids
    }

    /// The node of each stack that a site has, with native frames.
    fn merged_nodes(
        &mut self,
        capture: &Capture,
        frames: &[(FunctionId, LineId)],
        symbols: &mut dyn Symbols,
    ) -> Vec<NodeId> {
        let mut ids = vec![NodeId(0); capture.stacks.len()];
        let mut merger = Merger::new(capture);
        let mut nodes = NewNodes {
            builder: self,
            frames,
            addresses: Addresses::new(capture, symbols),
            shown: FxHashMap::default(),
        };
        for site in &capture.sites {
            if let Some(id) = ids.get_mut(site.stack as usize)
                && *id == NodeId(0)
            {
                *id = merger.node(site.stack, &mut nodes);
            }
        }
        ids
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
        let id = self.file(path, false);
        texts.ids.insert(text, id);
        texts.raw_names.entry(id).or_default().insert(raw);
        id
    }

    fn file(&mut self, path: String, is_native: bool) -> FileId {
        let next = FileId(self.file_names.len() as u32);
        *self.file_ids.entry((path, is_native)).or_insert_with_key(|(path, _)| {
            self.file_names.push(path.clone());
            self.in_project.push(false);
            self.is_native.push(is_native);
            next
        })
    }

    fn function(&mut self, file: FileId, qualname: String, first_line: u32, is_native: bool) -> FunctionId {
        let next = FunctionId(self.functions.len() as u32);
        *self.function_ids.entry((file, qualname, first_line)).or_insert_with_key(|(_, qualname, _)| {
            self.functions.push(Function { qualname: qualname.clone(), file, first_line, is_native });
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

/// What a site of a capture allocated. Maxima are of places.
fn figures(site: &heaphint_format::Site) -> Figures {
    Figures {
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
    }
}

/// Adds merged stacks to a profile.
struct NewNodes<'b, 'a> {
    builder: &'b mut Builder,
    frames: &'b [(FunctionId, LineId)],
    addresses: Addresses<'a>,
    /// What addresses are shown as.
    shown: FxHashMap<u32, Vec<(FunctionId, LineId)>>,
}

impl NewNodes<'_, '_> {
    fn push(&mut self, parent: NodeId, (function, line): (FunctionId, LineId)) -> NodeId {
        let id = NodeId(self.builder.nodes.len() as u32);
        self.builder.nodes.push(Node { parent, function, line });
        id
    }
}

impl Nodes for NewNodes<'_, '_> {
    fn python(&mut self, parent: NodeId, stack: u32) -> NodeId {
        let frame = self.frames.get(stack as usize).copied().unwrap_or((FunctionId(0), LineId(0)));
        self.push(parent, frame)
    }

    fn native(&mut self, parent: NodeId, address: u32) -> NodeId {
        if !self.shown.contains_key(&address) {
            let shown = self.addresses.shown(address);
            let frames = shown.into_iter().map(|shown| {
                let file = self.builder.file(shown.file, true);
                let function = self.builder.function(file, shown.name, 0, true);
                (function, self.builder.line(file, shown.line))
            });
            let frames = frames.collect();
            self.shown.insert(address, frames);
        }
        let count = self.shown.get(&address).map_or(0, Vec::len);
        (0..count).fold(parent, |parent, at| self.push(parent, self.shown[&address][at]))
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
