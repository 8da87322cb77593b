//! The tables of a capture while events fill them: every name, function, stack, thread and site once.

use hashbrown::HashTable;
use heaphint_format::{
    Allocator, Capture, Code, EXIT_UNKNOWN, Header, NO_PLACE, Place, PlaceKind, Process, Sample, SetNode,
    Site, Stack, Status, Text, Thread,
};
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub(super) u32);
        impl $name {
            /// Its place in the capture's table.
            #[must_use]
            pub const fn number(self) -> u32 {
                self.0
            }
            pub(super) const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}
ids! {
    /// A function that was told to [`Tables::function`].
    FunctionId
    /// A stack that was told to [`Tables::stack`]; the default is the empty one.
    StackId
    /// A thread that was told to [`Tables::thread`].
    ThreadId
}

/// Threads beyond this share an entry: a site has 24 bits for its thread.
const MOST_THREADS: usize = 0xff_ffff;

/// What is known of a recorded program besides its allocations.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Process id.
    pub pid: u32,
    /// `PY_VERSION_HEX`, 0 when it is not known.
    pub python_version: u32,
    /// How Python's own allocator is set, empty for the default.
    pub python_allocator: String,
    /// The command line.
    pub command: Vec<String>,
    /// The working directory, empty when it is not known: relative names then stay as they are.
    pub directory: String,
    /// The project's root, empty when there is none.
    pub project: String,
    /// Start of recording, milliseconds since 1970-01-01 UTC.
    pub started_unix_ms: u64,
    /// Recorded time, milliseconds.
    pub elapsed_ms: u32,
    /// Id of the thread in which recording began.
    pub main_tid: u32,
    /// Whether the recording was closed in an orderly way.
    pub finished: bool,
    /// Whether parts of the recording could not be read.
    pub damaged: bool,
    /// Sentences about what was not recorded.
    pub remarks: Vec<String>,
}

/// What the stacks and threads of a capture are in other tables, in its order.
#[derive(Debug, Default)]
pub struct Added {
    /// Stacks, those with native frames without them.
    pub stacks: Vec<StackId>,
    /// Threads.
    pub threads: Vec<ThreadId>,
}

/// Names, functions, stacks, threads, sites and places, each once.
#[derive(Default)]
pub struct Tables {
    pub(super) strings: Vec<u8>,
    texts: FxHashMap<String, Text>,
    pub(super) codes: Vec<Code>,
    functions: FxHashMap<(Text, Text, u32), FunctionId>,
    pub(super) stacks: Vec<Stack>,
    stack_index: HashTable<u32>,
    pub(super) threads: Vec<Thread>,
    tids: FxHashMap<u64, ThreadId>,
    site_index: FxHashMap<(u32, u32), u32>,
    place_index: FxHashMap<(u32, Text, u32, Text), u32>,
    set_index: FxHashMap<(u32, u32, u32), u32>,
    pub(super) sites: Vec<Site>,
    pub(super) places: Vec<Place>,
    pub(super) sets: Vec<SetNode>,
}

impl Tables {
    /// The empty stack and the empty set, and nothing else.
    #[must_use]
    pub fn new() -> Self {
        let root = SetNode { line: NO_PLACE, function: NO_PLACE, ..SetNode::default() };
        Self { stacks: vec![Stack::default()], sets: vec![root], ..Self::default() }
    }

    fn text(&mut self, text: &str) -> Text {
        if let Some(known) = self.texts.get(text) {
            return *known;
        }
        // Offsets have 32 bits; what a hostile recording names beyond them has no name.
        let (Ok(offset), Ok(len)) = (u32::try_from(self.strings.len()), u32::try_from(text.len())) else {
            return Text::default();
        };
        self.strings.extend_from_slice(text.as_bytes());
        let new = Text { offset, len };
        self.texts.insert(text.to_owned(), new);
        new
    }

    /// A function. `in_project` says whether it belongs to the project, whose lines have exact maxima.
    pub fn function(&mut self, name: &str, file: &str, first_line: u32, in_project: bool) -> FunctionId {
        let (name, file) = (self.text(name), self.text(file));
        let next = FunctionId(self.codes.len() as u32);
        *self.functions.entry((name, file, first_line)).or_insert_with(|| {
            self.codes.push(Code { name, file, first_line, in_project: u32::from(in_project) });
            next
        })
    }

    /// The stack of a frame that was called from another stack. `line` is 0 when it is not known.
    pub fn stack(&mut self, caller: StackId, function: FunctionId, line: u32) -> StackId {
        let wanted = (caller.0, function.0, line);
        let key = |stack: &Stack| (stack.parent, stack.code, stack.line);
        let hash = FxBuildHasher.hash_one(wanted);
        let stacks = &self.stacks;
        if let Some(known) = self.stack_index.find(hash, |id| key(&stacks[*id as usize]) == wanted) {
            return StackId(*known);
        }
        let Ok(new) = u32::try_from(self.stacks.len()) else { return caller };
        let set = self.set(caller, function, line);
        self.stacks.push(Stack { parent: caller.0, code: function.0, line, set });
        let stacks = &self.stacks;
        self.stack_index.insert_unique(hash, new, |id| FxBuildHasher.hash_one(key(&stacks[*id as usize])));
        StackId(new)
    }

    /// The set of project lines and functions on a new stack.
    pub(super) fn set(&mut self, caller: StackId, function: FunctionId, line: u32) -> u32 {
        let outer = self.stacks.get(caller.index()).map_or(0, |stack| stack.set);
        let Some(code) = self.codes.get(function.index()).copied() else { return outer };
        if code.in_project == 0 {
            return outer;
        }
        let mut line = self.place(PlaceKind::TotalLine, code.file, line, Text::default());
        let mut function = self.place(PlaceKind::TotalFunction, code.file, code.first_line, code.name);
        let mut at = outer as usize;
        while at != 0 {
            let node = &self.sets[at];
            line = if node.line == line { NO_PLACE } else { line };
            function = if node.function == function { NO_PLACE } else { function };
            at = node.parent as usize;
        }
        if line == NO_PLACE && function == NO_PLACE {
            return outer;
        }
        let (next, depth) = (self.sets.len() as u32, self.sets[outer as usize].depth + 1);
        *self.set_index.entry((outer, line, function)).or_insert_with(|| {
            self.sets.push(SetNode { parent: outer, depth, line, function, pending: 0, pending_max: 0 });
            next
        })
    }

    pub(super) fn place(&mut self, kind: PlaceKind, file: Text, line: u32, name: Text) -> u32 {
        let next = self.places.len() as u32;
        *self.place_index.entry((kind as u32, file, line, name)).or_insert_with(|| {
            let kind = kind as u32;
            self.places.push(Place { kind, line, file, name, ..Place::default() });
            next
        })
    }

    /// A thread by its id.
    pub fn thread(&mut self, tid: u64) -> ThreadId {
        if let Some(known) = self.tids.get(&tid) {
            return *known;
        }
        if self.threads.len() >= MOST_THREADS {
            return ThreadId(0);
        }
        let new = ThreadId(self.threads.len() as u32);
        let tid_shown = u32::try_from(tid).unwrap_or(u32::MAX);
        self.threads.push(Thread { tid: tid_shown, reserved: 0, name: Text::default() });
        self.tids.insert(tid, new);
        new
    }

    /// Names a thread; the last name stays.
    pub fn name_thread(&mut self, thread: ThreadId, name: &str) {
        let name = self.text(name);
        if let Some(thread) = self.threads.get_mut(thread.index()) {
            thread.name = name;
        }
    }

    /// Index of the counters of what a thread allocates on a stack in one way.
    pub(super) fn site(&mut self, stack: StackId, thread: ThreadId, allocator: Allocator) -> u32 {
        let key = Site::key(thread.0, allocator);
        if let Some(known) = self.site_index.get(&(stack.0, key)) {
            return *known;
        }
        let node = self.stacks.get(stack.index()).copied().unwrap_or_default();
        let place = if stack == StackId::default() {
            NO_PLACE
        } else {
            let file = self.codes.get(node.code as usize).map_or(Text::default(), |code| code.file);
            self.place(PlaceKind::SelfLine, file, node.line, Text::default())
        };
        let new = self.sites.len() as u32;
        self.sites.push(Site {
            stack: stack.0,
            set: node.set,
            thread_and_allocator: key,
            place,
            ..Site::default()
        });
        self.site_index.insert((stack.0, key), new);
        new
    }

    /// Adds the functions, stacks and threads of a capture.
    pub fn add(&mut self, capture: &Capture) -> Added {
        let text = |text| capture.text(text);
        let functions: Vec<_> = capture
            .codes
            .iter()
            .map(|code| {
                self.function(&text(code.name), &text(code.file), code.first_line, code.in_project != 0)
            })
            .collect();
        let mut added = Added { stacks: vec![StackId::default()], threads: Vec::new() };
        for (number, stack) in (0..).zip(&capture.stacks).skip(1) {
            let caller = added.stacks.get(stack.parent as usize).copied().unwrap_or_default();
            if capture.python_stack(number) != number {
                added.stacks.push(caller);
                continue;
            }
            let function = functions.get(stack.code as usize).copied().unwrap_or_default();
            added.stacks.push(self.stack(caller, function, stack.own_line()));
        }
        for thread in &capture.threads {
            let id = self.thread(thread.tid.into());
            self.name_thread(id, &text(thread.name));
            added.threads.push(id);
        }
        added
    }

    /// The innermost frame of a stack: function, file and line. `None` for the empty one.
    #[must_use]
    pub fn frame(&self, stack: StackId) -> Option<(&str, &str, u32)> {
        let held = self.stacks.get(stack.index()).filter(|_| stack != StackId::default())?;
        let code = self.codes.get(held.code as usize)?;
        Some((self.read(code.name), self.read(code.file), held.line))
    }

    /// The number of a thread.
    #[must_use]
    pub fn tid(&self, thread: ThreadId) -> u32 {
        self.threads.get(thread.index()).map_or(0, |thread| thread.tid)
    }

    fn read(&self, text: Text) -> &str {
        let start = text.offset as usize;
        let bytes = self.strings.get(start..start + text.len as usize).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The finished capture. `header` has what was counted of the process as a whole.
    pub(super) fn capture(mut self, program: Program, mut header: Header, timeline: Vec<Sample>) -> Capture {
        let mut command = String::new();
        for argument in &program.command {
            command.push_str(argument);
            command.push('\0');
        }
        header.magic = heaphint_format::MAGIC;
        header.version = heaphint_format::VERSION;
        header.pid = program.pid;
        header.python_version = program.python_version;
        header.started_unix_ms = program.started_unix_ms;
        header.command = self.text(&command);
        header.directory = self.text(&program.directory);
        header.project = self.text(&program.project);
        header.python_allocator = self.text(&program.python_allocator);
        header.status = if program.finished { Status::Finished } else { Status::Recording } as u32;
        header.elapsed_ms = program.elapsed_ms;
        header.exit_status = EXIT_UNKNOWN;
        header.main_tid = program.main_tid;
        header.rss_peak_bytes = timeline.iter().map(|sample| sample.rss_bytes).max().unwrap_or(0);
        let mut capture = Capture {
            header,
            process: Process::default(),
            codes: self.codes,
            stacks: self.stacks,
            sites: self.sites,
            places: self.places,
            folds: Vec::new(),
            modules: Vec::new(),
            addresses: Vec::new(),
            symbols: Vec::new(),
            native_frames: Vec::new(),
            threads: self.threads,
            timeline,
            damaged: program.damaged,
            bounds_only: false,
            remarks: program.remarks,
            strings: self.strings,
        };
        capture.settle(self.sets);
        capture
    }
}
