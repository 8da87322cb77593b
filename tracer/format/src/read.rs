//! The reader: any bytes in, a consistent capture or one sentence out.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{
    Address, Area, AreaState, Change, Code, DIRECTORY_OFFSET, ENTERED, Extent, FIRST_WITH_SMALL_SITES,
    FIXED_BYTES, Fold, Header, JOURNAL_ENTRIES, JOURNAL_ENTRIES_OFFSET, JOURNAL_OFFSET, JournalEntry,
    LogEvent, MAGIC, MAX_EXTENTS, MOST_AREAS, Module, NATIVE_STACK, NO_MODULE, NO_PLACE, NO_STAMP,
    NativeFrame, PAGE, PROCESS_OFFSET, Pending, PendingEvent, Place, Process, Record, Sample, SetNode, Site,
    SmallSite, Stack, Status, Symbol, Table, Text, Thinning, Thread, Totals, VERSION, Word, earliest,
    version_2,
};

/// Why bytes are no capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// The file has no bytes: the process was killed before its first event, or the disk was full.
    Empty,
    /// The magic is missing.
    NotACapture,
    /// Shorter than the fixed part.
    Cut {
        /// Length of the file.
        bytes: usize,
    },
    /// Written by a newer heaphint.
    Newer {
        /// Version in the file.
        version: u32,
    },
}

impl core::fmt::Display for ReadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Empty => write!(f, "the file is empty: nothing was recorded"),
            Self::NotACapture => write!(f, "this is not a heaphint capture"),
            Self::Cut { bytes } => {
                write!(f, "the capture is cut: {bytes} bytes are less than its fixed part of {FIXED_BYTES}")
            }
            Self::Newer { version } => write!(
                f,
                "the capture has format version {version} and this heaphint reads versions up to {VERSION}: \
                 update heaphint to read it"
            ),
        }
    }
}

impl core::error::Error for ReadError {}

/// A capture in memory, consistent as of the last event: the journal has been undone and the pending events
/// applied, the peak's figures stand in every site, and nothing is pending in the set tree. All indexes in the
/// records are valid.
#[derive(Debug, Clone)]
pub struct Capture {
    /// Page 0; `peak_bytes` is the peak, whatever the protocol's state was.
    pub header: Header,
    /// What it has to do with other processes.
    pub process: Process,
    /// Functions.
    pub codes: Vec<Code>,
    /// Stack tree; index 0 is the empty stack. Parents come before their children.
    pub stacks: Vec<Stack>,
    /// Counters.
    pub sites: Vec<Site>,
    /// Lines and functions with their maxima.
    pub places: Vec<Place>,
    /// Deep recursion that is not shown frame by frame.
    pub folds: Vec<Fold>,
    /// Threads.
    pub threads: Vec<Thread>,
    /// Loaded files that native frames are in.
    pub modules: Vec<Module>,
    /// Places in native stacks.
    pub addresses: Vec<Address>,
    /// What addresses are, if that was written into the capture; by address, outer functions first.
    pub symbols: Vec<Symbol>,
    /// Tree of native stacks; index 0 is the empty stack. Parents come before their children.
    pub native_frames: Vec<NativeFrame>,
    /// Samples in order of time.
    pub timeline: Vec<Sample>,
    /// True when parts of the file were missing or contradicted each other; what was readable is here.
    pub damaged: bool,
    /// True when the file had figures of the peak and of the end only: what it says about everything ever allocated
    /// and about maxima are lower bounds, and it says nothing about temporary allocations.
    pub bounds_only: bool,
    /// Sentences about what whoever recorded this did not record; empty for captures of our own.
    pub remarks: Vec<String>,
    /// UTF-8 text, referred to by [`Text`].
    pub strings: Vec<u8>,
}

impl Capture {
    /// Reads a capture from the bytes of a file. Bytes that are given away are freed as soon as they are not needed any
    /// more: that is before there are records.
    ///
    /// # Errors
    /// When the bytes are no capture, or one that cannot be read at all.
    pub fn read(file: impl AsRef<[u8]>) -> Result<Self, ReadError> {
        let tables = Tables::read(file.as_ref())?;
        drop(file);
        tables.capture()
    }

    /// Reads a capture whose tables are apart already: the fixed part of its file, and the bytes of tables by their numbers.
    ///
    /// # Errors
    /// When they are no capture, or one that cannot be read at all.
    pub fn of_tables(
        fixed: Vec<u8>,
        tables: impl IntoIterator<Item = (u32, Vec<u8>)>,
    ) -> Result<Self, ReadError> {
        check_start(&fixed)?;
        let mut all = Tables { fixed, tables: Default::default(), damaged: false };
        for (number, bytes) in tables {
            match (number as usize).checked_sub(1).and_then(|at| all.tables.get_mut(at)) {
                Some(slot) => *slot = bytes,
                None => all.damaged = true,
            }
        }
        all.undo_journal();
        all.capture()
    }

    /// Makes tables that were filled by events consistent: every index valid, nothing pending in `sets`, the peak's
    /// figures in every site. For whoever has filled them without a file; it has happened to what [`Self::read`] gives.
    pub fn settle(&mut self, mut sets: Vec<SetNode>) {
        self.check_references();
        self.settle_set(&mut sets, 0);
        self.settle_peak();
    }

    /// Drops the samples that were thinned out, and puts those of the process and those from outside in order.
    fn merge_samples(&mut self, mut observed: Vec<Sample>) {
        let (stride, observed_stride) = (self.header.timeline_stride, self.header.observed_stride);
        self.timeline.retain(|sample| Thinning::is_kept(sample.tick_plus_one, stride));
        // Nobody observes before the slots are there, so a stride of 0 means empty slots.
        observed.retain(|sample| Thinning::is_kept(sample.tick_plus_one, observed_stride));
        self.timeline.append(&mut observed);
        self.timeline.sort_by_key(|sample| sample.elapsed_ms);
        self.timeline.dedup_by_key(|sample| sample.elapsed_ms);
    }

    /// A string; what is not UTF-8 is replaced, what is out of range is empty.
    #[must_use]
    pub fn text(&self, text: Text) -> Cow<'_, str> {
        let start = text.offset as usize;
        let bytes = self.strings.get(start..start.saturating_add(text.len as usize)).unwrap_or_default();
        String::from_utf8_lossy(bytes)
    }

    /// A stack without its native frames.
    #[must_use]
    pub fn python_stack(&self, stack: u32) -> u32 {
        let native = self.stacks.get(stack as usize).filter(|it| it.code == NATIVE_STACK);
        native.map_or(stack, |it| it.parent)
    }

    /// The command line.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        let text = self.text(self.header.command);
        text.strip_suffix('\0').unwrap_or(&text).split('\0').map(String::from).collect()
    }

    /// True when recording ended in an orderly way; false while it goes on and after the process was killed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.header.status == Status::Finished as u32
    }

    /// Makes every index valid: what points nowhere points to the empty stack, and the capture is marked.
    fn check_references(&mut self) {
        let mut damaged = false;
        let mut check = |value: &mut u32, limit: usize, instead: u32| {
            if *value as usize >= limit && *value != instead {
                *value = instead;
                damaged = true;
            }
        };
        if self.stacks.is_empty() {
            self.stacks.push(Stack::default());
        }
        if self.codes.is_empty() {
            self.codes.push(Code::default());
        }
        if self.threads.is_empty() {
            self.threads.push(Thread::default());
        }
        for address in &mut self.addresses {
            check(&mut address.module, self.modules.len(), NO_MODULE);
        }
        if self.native_frames.is_empty() {
            self.native_frames.push(NativeFrame::default());
        }
        for (i, frame) in self.native_frames.iter_mut().enumerate().skip(1) {
            check(&mut frame.parent, i, 0);
            check(&mut frame.address, self.addresses.len(), u32::MAX);
        }
        let codes = self.codes.len();
        let mut is_native = Vec::with_capacity(self.stacks.len());
        for (i, stack) in self.stacks.iter_mut().enumerate() {
            check(&mut stack.parent, i, 0);
            // Nothing is on top of a stack that has its native frames.
            let below = stack.parent as usize;
            check(&mut stack.parent, if is_native.get(below) == Some(&true) { 0 } else { i }, 0);
            if stack.code == NATIVE_STACK {
                let mut native = stack.line & !ENTERED;
                check(&mut native, self.native_frames.len(), 0);
                stack.line = native | stack.line & ENTERED;
            } else {
                check(&mut stack.code, codes, 0);
            }
            is_native.push(stack.code == NATIVE_STACK);
        }
        for fold in &mut self.folds {
            check(&mut fold.stack, self.stacks.len(), 0);
        }
        for site in &mut self.sites {
            check(&mut site.stack, self.stacks.len(), 0);
            check(&mut site.place, self.places.len(), NO_PLACE);
            let mut thread = site.thread();
            check(&mut thread, self.threads.len(), 0);
            site.thread_and_allocator = (site.thread_and_allocator & 0xff00_0000) | thread;
        }
        self.damaged |= damaged;
    }

    /// Applies the events that do not stand in the tables yet, in their order.
    fn apply_pending(&mut self, sets: &mut [SetNode], areas: &[Area]) {
        pending_events(areas, |_, event| self.apply(sets, event.site(), event.change()));
    }

    /// Applies an event.
    fn apply(&mut self, sets: &mut [SetNode], site: u32, change: Change) {
        let Some(set) = self.sites.get(site as usize).map(|site| site.set) else {
            self.damaged = true;
            return;
        };
        if set != self.header.current_set {
            self.settle_set(sets, set);
        }
        let at = self.header.current_set as usize;
        let (Some(site), Some(set)) = (self.sites.get_mut(site as usize), sets.get_mut(at)) else {
            self.damaged = true;
            return;
        };
        let mut totals = Totals::new(&self.header, Pending::of(set));
        let place = self.places.get_mut(site.place as usize);
        totals.apply(site, place, change, self.header.elapsed_ms, || ());
        let Totals {
            current_bytes,
            peak_bytes,
            peak_state,
            peak_ms,
            smallest_bytes,
            largest_bytes,
            pending,
            sampling: _,
        } = totals;
        pending.store_in(set);
        self.header = Header {
            current_bytes,
            peak_bytes,
            peak_state,
            peak_ms,
            smallest_bytes,
            largest_bytes,
            ..self.header
        };
    }

    /// Makes `to` the current set: applies what is pending at each node that is left, up to the lowest common
    /// ancestor. With the root, index 0, nothing is pending anywhere afterwards.
    fn settle_set(&mut self, sets: &mut [SetNode], to: u32) {
        let (mut at, mut towards) = (self.header.current_set as usize, to as usize);
        while at != towards {
            let nodes = (sets.get(at).copied(), sets.get(towards).copied());
            let (Some(node), Some(towards_node)) = nodes else {
                self.damaged = true;
                break;
            };
            if at < towards {
                // Parents have lower indexes, so the other one is nearer to the root.
                if towards_node.parent as usize >= towards {
                    self.damaged = true;
                    break;
                }
                towards = towards_node.parent as usize;
                continue;
            }
            let parent = node.parent as usize;
            if parent >= at {
                self.damaged = true;
                break;
            }
            let pending = Pending::of(&node);
            for place in [node.line, node.function] {
                if let Some(place) = self.places.get_mut(place as usize) {
                    pending.apply_to(place);
                }
            }
            if let Some(above) = sets.get_mut(parent) {
                let mut pending_above = Pending::of(above);
                pending_above.add(pending.sum, pending.max);
                pending_above.store_in(above);
            }
            if let Some(node) = sets.get_mut(at) {
                Pending::default().store_in(node);
            }
            at = parent;
        }
        self.header.current_set = to;
    }

    /// Puts the figures at the peak into every site.
    fn settle_peak(&mut self) {
        let header = &mut self.header;
        let live = self.sites.iter().fold(0u64, |sum, site| sum.wrapping_add(site.live_bytes));
        let growing = header.peak_state.is_multiple_of(2) || live > header.peak_bytes;
        let mut peak = 0u64;
        for site in &mut self.sites {
            if growing || site.epoch != header.peak_state {
                site.peak_bytes = site.live_bytes;
                site.peak_count = site.live_count;
            }
            peak = peak.wrapping_add(site.peak_bytes);
        }
        if growing {
            header.peak_bytes = live;
            header.peak_ms = header.elapsed_ms;
        }
        // While the process runs, the file changes as it is read; then sums may be off by the events of that time.
        self.damaged |= header.status == Status::Finished as u32 && peak != header.peak_bytes;
    }
}

/// Gives the pending events of all areas in their order.
fn pending_events(areas: &[Area], mut tell: impl FnMut(&Area, PendingEvent)) {
    let mut taken: Vec<AreaState> = areas.iter().map(|area| area.state).collect();
    let next = |(area, taken): (&Area, &AreaState)| area.event(taken.applied, taken.stamp);
    let stamp_of = |pair: (&Area, &AreaState)| next(pair).map_or(NO_STAMP, |event| event.stamp);
    while let Some((at, until)) = earliest(areas.iter().zip(&taken).map(stamp_of)) {
        let (Some(area), Some(taken)) = (areas.get(at), taken.get_mut(at)) else { break };
        while let Some(event) = next((area, taken)).filter(|event| event.stamp <= until) {
            tell(area, event);
            *taken = AreaState { applied: taken.applied.wrapping_add(1), stamp: event.stamp };
        }
    }
}

/// What a full record has beside its log, while its process has not stopped recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unlogged {
    /// How many events were applied to the tables: so many of the log count.
    pub applied: u64,
    /// The pending events, which come after them.
    pub events: Vec<LogEvent>,
}

impl Unlogged {
    /// From the bytes of a file that [`Capture::read`] reads.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let fixed = bytes.get(..FIXED_BYTES)?;
        let mut tables = Tables::collect(bytes, fixed, Header::decode(fixed)?);
        tables.undo_journal();
        let header = Header::decode(&tables.fixed)?;
        let mut damaged = false;
        let areas: Vec<Area> = tables.records(Table::Areas, &header, &mut damaged);
        let sites = tables.sites(&[], &header, &mut damaged);
        let applied = areas.iter().fold(0u64, |sum, area| sum.wrapping_add(area.state.applied));
        let mut events = Vec::new();
        pending_events(&areas, |area, event| {
            let allocator = sites.get(event.site() as usize).and_then(Site::allocator);
            events.push(event.logged(allocator, area.thread as u32));
        });
        Some(Self { applied, events })
    }
}

/// The fixed part of a file and its header, if this version can read what begins so.
fn check_start(bytes: &[u8]) -> Result<(&[u8], Header), ReadError> {
    // The magic is written last, so zeros are a capture whose process died before it began.
    if bytes.iter().take(MAGIC.len()).all(|byte| *byte == 0) {
        return Err(ReadError::Empty);
    }
    if !bytes.starts_with(&MAGIC) {
        return Err(ReadError::NotACapture);
    }
    let cut = ReadError::Cut { bytes: bytes.len() };
    let version = bytes.get(8..).and_then(u32::decode).ok_or(cut.clone())?;
    if version > VERSION {
        return Err(ReadError::Newer { version });
    }
    let fixed = bytes.get(..FIXED_BYTES).ok_or(cut.clone())?;
    let header = Header::decode(fixed).ok_or(cut)?;
    Ok((fixed, header))
}

/// The highest number of a table.
const TABLES: usize = Table::LargeSites as usize;

/// The fixed part and the concatenated extents of each table, as far as the file has them.
struct Tables {
    fixed: Vec<u8>,
    tables: [Vec<u8>; TABLES],
    damaged: bool,
}

impl Tables {
    /// The tables of a file, the journal undone.
    fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        let (fixed, header) = check_start(bytes)?;
        let mut tables = Self::collect(bytes, fixed, header);
        tables.undo_journal();
        Ok(tables)
    }

    /// What the tables say. Each is freed when it has become records.
    fn capture(mut self) -> Result<Capture, ReadError> {
        let cut = ReadError::Cut { bytes: self.fixed.len() };
        let header = Header::decode(&self.fixed).ok_or(cut)?;

        let mut damaged = self.damaged;
        let stacks: Vec<Stack> = self.records(Table::Stacks, &header, &mut damaged);
        let mut capture = Capture {
            codes: self.records(Table::Codes, &header, &mut damaged),
            sites: self.sites(&stacks, &header, &mut damaged),
            stacks,
            places: self.records(Table::Places, &header, &mut damaged),
            folds: self.records(Table::Folds, &header, &mut damaged),
            threads: self.records(Table::Threads, &header, &mut damaged),
            modules: self.records(Table::Modules, &header, &mut damaged),
            addresses: self.records(Table::Addresses, &header, &mut damaged),
            symbols: self.records(Table::Symbols, &header, &mut damaged),
            native_frames: self.records(Table::NativeFrames, &header, &mut damaged),
            timeline: self.records(Table::Timeline, &header, &mut damaged),
            strings: self.records(Table::Strings, &header, &mut damaged),
            damaged,
            bounds_only: false,
            remarks: Vec::new(),
            process: self.fixed.get(PROCESS_OFFSET..).and_then(Process::decode).unwrap_or_default(),
            header,
        };
        let mut sets = self.records(Table::Sets, &header, &mut capture.damaged);
        capture.check_references();
        for (site, change) in version_2::pending(&self.fixed, header.applied) {
            capture.apply(&mut sets, site, change);
        }
        let areas: Vec<Area> = self.records(Table::Areas, &header, &mut capture.damaged);
        capture.damaged |= areas.len() > MOST_AREAS;
        capture.apply_pending(&mut sets, areas.get(..MOST_AREAS).unwrap_or(&areas));
        capture.settle(sets);
        let observed = self.records(Table::Observed, &header, &mut capture.damaged);
        capture.merge_samples(observed);
        Ok(capture)
    }

    fn collect(bytes: &[u8], fixed: &[u8], header: Header) -> Self {
        let mut collected = Self { fixed: fixed.to_vec(), tables: Default::default(), damaged: false };
        let extents = (header.extents as usize).min(MAX_EXTENTS);
        let directory = fixed.get(DIRECTORY_OFFSET..JOURNAL_OFFSET).unwrap_or_default();
        let mut pages_left = bytes.len() / PAGE + 1;
        for entry in directory.chunks_exact(Extent::BYTES).take(extents) {
            let Some(extent) = Extent::decode(entry) else { break };
            if extent.table == Table::Log as u32 {
                continue;
            }
            // Extents never overlap, so together they are no longer than the file: this bounds a hostile one.
            let pages = (extent.pages as usize).min(pages_left);
            pages_left -= pages;
            let start = (extent.first_page as usize).saturating_mul(PAGE).min(bytes.len());
            let end = start.saturating_add(pages * PAGE).min(bytes.len());
            if let (Some(slot), Some(part)) =
                (collected.table_mut(extent.table as usize), bytes.get(start..end))
            {
                slot.extend_from_slice(part);
            } else {
                collected.damaged = true;
            }
        }
        collected
    }

    fn table_mut(&mut self, number: usize) -> Option<&mut Vec<u8>> {
        if number == 0 { Some(&mut self.fixed) } else { self.tables.get_mut(number - 1) }
    }

    fn undo_journal(&mut self) {
        let journal = self.fixed.get(JOURNAL_OFFSET..).unwrap_or_default();
        let used = u64::decode(journal).unwrap_or(0).min(JOURNAL_ENTRIES as u64) as usize;
        let entries: Vec<JournalEntry> = journal
            .get(JOURNAL_ENTRIES_OFFSET..)
            .unwrap_or_default()
            .chunks_exact(JournalEntry::BYTES)
            .take(used)
            .filter_map(JournalEntry::decode)
            .collect();
        for entry in entries.iter().rev() {
            let offset = (entry.target & ((1 << 56) - 1)) as usize;
            let restored = self
                .table_mut((entry.target >> 56) as usize)
                .and_then(|table| table.get_mut(offset..))
                .and_then(|place| entry.old.encode(place));
            self.damaged |= restored.is_none();
        }
    }

    /// The sites; of small ones, each has the set of its stack.
    fn sites(&mut self, stacks: &[Stack], header: &Header, damaged: &mut bool) -> Vec<Site> {
        if header.version < FIRST_WITH_SMALL_SITES {
            return self.records(Table::Sites, header, damaged);
        }
        let bytes = self.table_mut(Table::Sites as usize).map(core::mem::take).unwrap_or_default();
        let large = self.table_mut(Table::LargeSites as usize).map(core::mem::take).unwrap_or_default();
        let mut is_missing = false;
        let sites: Vec<Site> = decoded(&bytes, Table::Sites, header, damaged)
            .map(|small: SmallSite| match small.large() {
                None => small.site(stacks.get(small.stack as usize).map_or(0, |stack| stack.set)),
                Some(index) => {
                    let at = (index as usize).saturating_mul(Site::BYTES);
                    large.get(at..).and_then(Site::decode).unwrap_or_else(|| {
                        is_missing = true;
                        Site { stack: small.stack, place: small.place, ..Site::default() }
                    })
                }
            })
            .collect();
        *damaged |= is_missing;
        sites
    }

    fn records<R: Record>(&mut self, table: Table, header: &Header, damaged: &mut bool) -> Vec<R> {
        let bytes = self.table_mut(table as usize).map(core::mem::take).unwrap_or_default();
        decoded(&bytes, table, header, damaged).collect()
    }
}

/// The records of a table, as many as the header says; it is damaged when there are fewer.
fn decoded<'a, R: Record>(
    bytes: &'a [u8],
    table: Table,
    header: &Header,
    damaged: &mut bool,
) -> impl Iterator<Item = R> + use<'a, R> {
    let expected = header.lengths.get(table as usize).map_or(0, |len| *len as usize);
    let records = bytes.chunks_exact(R::BYTES).take(expected);
    *damaged |= records.len() < expected;
    // Each chunk is as long as a record, so there is always one.
    records.map(|chunk| R::decode(chunk).unwrap_or_default())
}
