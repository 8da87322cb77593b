//! Captures written by hand, for tests: the bytes that a tracer would leave.

use heaphint_format::{
    Address, Allocator, Capture, Code, DIRECTORY_OFFSET, Extent, FIXED_BYTES, Header, MAGIC, Mode, Module,
    NATIVE_STACK, NO_PLACE, NativeFrame, PAGE, Place, PlaceKind, Record, SIZE_CLASSES, Sample, SetNode, Site,
    SmallSite, Stack, Status, StopReason, Table, Text, Thread, VERSION, size_class,
};

/// A capture in the making. Fields are open so that tests can make strange ones.
#[derive(Debug)]
pub struct HandMade {
    /// Page 0 without what `bytes` fills in.
    pub header: Header,
    /// The string table.
    pub strings: Vec<u8>,
    /// Functions.
    pub codes: Vec<Code>,
    /// Stack tree; the empty stack is there from the start.
    pub stacks: Vec<Stack>,
    /// Counters.
    pub sites: Vec<Site>,
    /// Maxima.
    pub places: Vec<Place>,
    /// Threads; `MainThread` is there from the start.
    pub threads: Vec<Thread>,
    /// Samples.
    pub timeline: Vec<Sample>,
    /// Loaded files.
    pub modules: Vec<Module>,
    /// Places in native stacks.
    pub addresses: Vec<Address>,
    /// Tree of native stacks; the empty stack is there from the start.
    pub native_frames: Vec<NativeFrame>,
}

impl Default for HandMade {
    fn default() -> Self {
        let mut made = Self {
            header: Header {
                magic: MAGIC,
                version: VERSION,
                pid: 4711,
                parent_pid: 1,
                python_version: 0x030b_07f0,
                started_unix_ms: 1_700_000_000_000,
                status: Status::Finished as u32,
                stop_reason: StopReason::InterpreterShutdown as u32,
                elapsed_ms: 1500,
                rss_peak_bytes: 50 << 20,
                peak_state: 1,
                timeline_stride: 1,
                main_tid: 4711,
                ..Header::default()
            },
            strings: Vec::new(),
            codes: Vec::new(),
            stacks: vec![Stack::default()],
            sites: Vec::new(),
            places: Vec::new(),
            threads: Vec::new(),
            timeline: Vec::new(),
            modules: Vec::new(),
            addresses: Vec::new(),
            native_frames: vec![NativeFrame::default()],
        };
        made.header.command = made.text("python\0app.py\0");
        made.header.directory = made.text("/p");
        made.header.project = made.text("/p");
        made.thread(4711, "MainThread");
        made
    }
}

impl HandMade {
    /// Adds a string.
    pub fn text(&mut self, text: &str) -> Text {
        let offset = self.strings.len() as u32;
        self.strings.extend_from_slice(text.as_bytes());
        Text { offset, len: text.len() as u32 }
    }

    /// Adds a thread.
    pub fn thread(&mut self, tid: u32, name: &str) -> u32 {
        let name = self.text(name);
        self.threads.push(Thread { tid, reserved: 0, name });
        self.threads.len() as u32 - 1
    }

    /// Adds a function. As in real captures, code without a file is not the project's.
    pub fn code(&mut self, name: &str, file_name: &str, first_line: u32) -> u32 {
        let (name, file) = (self.text(name), self.text(file_name));
        self.codes.push(Code { name, file, first_line, in_project: u32::from(!file_name.starts_with('<')) });
        self.codes.len() as u32 - 1
    }

    /// Adds a frame on top of a stack.
    pub fn stack(&mut self, parent: u32, code: u32, line: u32) -> u32 {
        self.stacks.push(Stack { parent, code, line, set: 0 });
        self.stacks.len() as u32 - 1
    }

    /// Adds a native frame on top of a native stack; `kind` is a sum of address kinds. Its file is the first module.
    pub fn native_frame(&mut self, parent: u32, kind: u32, offset: u64) -> u32 {
        if self.modules.is_empty() {
            let path = self.text("/lib/native.so");
            self.modules.push(Module { path, ..Module::default() });
        }
        self.addresses.push(Address { module: 0, kind, offset });
        self.native_frames.push(NativeFrame { parent, address: self.addresses.len() as u32 - 1 });
        self.native_frames.len() as u32 - 1
    }

    /// Adds a Python stack with native frames.
    pub fn native_stack(&mut self, python: u32, native: u32) -> u32 {
        self.header.modes |= Mode::Native as u32;
        self.stack(python, NATIVE_STACK, native)
    }

    /// Adds what a stack allocated in the main thread by `malloc`: `count` blocks of `bytes` each, live at the peak
    /// and at the end as told.
    pub fn site(&mut self, stack: u32, bytes: u64, count: u32, at_peak: u32, at_end: u32) -> &mut Site {
        let mut sizes = [0; SIZE_CLASSES];
        sizes[size_class(bytes)] = count;
        self.sites.push(Site {
            live_bytes: bytes * u64::from(at_end),
            peak_bytes: bytes * u64::from(at_peak),
            live_count: at_end,
            peak_count: at_peak,
            epoch: 1,
            place: NO_PLACE,
            allocated_bytes: bytes * u64::from(count),
            allocated_count: u64::from(count),
            stack,
            thread_and_allocator: Site::key(0, Allocator::Malloc),
            sizes,
            ..Site::default()
        });
        self.sites.last_mut().expect("one was pushed")
    }

    /// Adds a recorded maximum.
    pub fn place(&mut self, kind: PlaceKind, file: &str, line: u32, name: &str, max_bytes: i64) {
        let (file, name) = (self.text(file), self.text(name));
        self.places.push(Place {
            live_bytes: 0,
            max_bytes,
            kind: kind as u32,
            line,
            file,
            name,
            reserved: 0,
        });
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut header = self.header;
        header.peak_bytes = self.sites.iter().map(|site| site.peak_bytes).sum();
        let sets = [SetNode::default()];
        let mut large = Vec::new();
        let small = self.sites.iter().map(|site| {
            SmallSite::of(site).unwrap_or_else(|| {
                large.push(*site);
                SmallSite::outgrown(site.stack, site.place, large.len() as u32 - 1)
            })
        });
        let small: Vec<SmallSite> = small.collect();
        let tables = [
            (Table::Strings, self.strings.clone(), self.strings.len()),
            (Table::Codes, encode(&self.codes), self.codes.len()),
            (Table::Stacks, encode(&self.stacks), self.stacks.len()),
            (Table::Sites, encode(&small), small.len()),
            (Table::LargeSites, encode(&large), 0),
            (Table::Places, encode(&self.places), self.places.len()),
            (Table::Sets, encode(&sets), sets.len()),
            (Table::Threads, encode(&self.threads), self.threads.len()),
            (Table::Timeline, encode(&self.timeline), self.timeline.len()),
            (Table::Modules, encode(&self.modules), self.modules.len()),
            (Table::Addresses, encode(&self.addresses), self.addresses.len()),
            (Table::NativeFrames, encode(&self.native_frames), self.native_frames.len()),
        ];
        let mut file = vec![0; FIXED_BYTES];
        for (number, (table, bytes, len)) in tables.into_iter().enumerate() {
            let pages = bytes.len().div_ceil(PAGE);
            let extent =
                Extent { table: table as u32, pages: pages as u32, first_page: (file.len() / PAGE) as u64 };
            extent
                .encode(&mut file[DIRECTORY_OFFSET + number * Extent::BYTES..])
                .expect("the directory has room");
            if let Some(length) = header.lengths.get_mut(table as usize) {
                *length = len as u32;
            }
            header.extents += 1;
            file.extend_from_slice(&bytes);
            file.resize(file.len().next_multiple_of(PAGE), 0);
        }
        header.encode(&mut file).expect("the header has room");
        file
    }

    /// The capture as its reader sees it.
    ///
    /// # Panics
    /// When the reader refuses it.
    #[must_use]
    pub fn capture(&self) -> Capture {
        Capture::read(self.bytes()).expect("a capture")
    }
}

fn encode<R: Record>(records: &[R]) -> Vec<u8> {
    let mut bytes = vec![0; records.len() * R::BYTES];
    for (record, slot) in records.iter().zip(bytes.chunks_exact_mut(R::BYTES)) {
        record.encode(slot).expect("the slot has room");
    }
    bytes
}
