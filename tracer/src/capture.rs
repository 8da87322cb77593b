//! The capture file as the tracer sees it: tables in shared mappings, growing together with the file.
//!
//! Disk space is always reserved before it is mapped: a store into a hole of a full disk would kill the program.
//! The file is opened anew for each growth, by its name and only if it is still the same file: a descriptor kept
//! open could be closed, and its number reused, by the program.

use core::ffi::CStr;
use core::marker::PhantomData;
use core::mem::offset_of;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence};

use heaphint_format::{
    AREA_EVENTS, Address, Area, AreaState, Code, DIRECTORY_OFFSET, EXIT_UNKNOWN, Extent, FIXED_BYTES, Fold,
    Header, JOURNAL_ENTRIES, JOURNAL_OFFSET, Journal, JournalEntry, MAGIC, MAX_EXTENTS, MOST_AREAS, Module,
    NativeFrame, PAGE, PROCESS_OFFSET, PendingEvent, Place, Process, Record, Sample, SetNode, Site,
    SmallSite, Stack, TIMELINE_SLOTS, Table, Text, Thread, VERSION,
};

use crate::crash_points::crash_point;
use crate::modes::Modes;
use crate::sys;

/// Longest path of a capture, with its NUL.
pub const PATH_BYTES: usize = 4096;
/// Largest single extent.
const MAX_EXTENT_PAGES: usize = 8192;
/// Extents that the log leaves to the tables.
const TABLE_EXTENTS: usize = 128;
/// Bytes of addresses for the areas; an extent may go beyond the last one.
const AREAS_RESERVED: usize = 2 * MOST_AREAS * Area::BYTES;

/// Why recording stops: the sentence that goes into the capture.
pub type Problem = &'static str;

const NO_SPACE: Problem = "the disk is full or the capture's file cannot grow (ulimit -f): make room and run again; what was recorded until then is kept";
const FILE_GONE: Problem = "the capture's file was moved or deleted while it was written, or the program changed its root folder; what was recorded until then is kept";
const NOT_ALLOWED: Problem = "the program gave up the right to open its capture (it became another user, or its system calls are filtered); what was recorded until then is kept";
const NO_DESCRIPTOR: Problem = "the program had no free file descriptor when its capture had to grow: raise the limit (ulimit -n); what was recorded until then is kept";
/// There is a file of this name already.
pub const NAME_TAKEN: Problem = "there is a file of this name already";
const NO_MAP: Problem = "the capture's file cannot be mapped: choose a folder on a local disk with -o";

/// What an `errno` of opening the capture again means.
fn why_not_opened(errno: libc::c_int) -> Problem {
    match errno {
        libc::EMFILE | libc::ENFILE => NO_DESCRIPTOR,
        libc::EACCES | libc::EPERM | libc::ENOSYS => NOT_ALLOWED,
        _ => FILE_GONE,
    }
}

/// One table: a contiguous mapping of its extents.
pub struct TableMap<R> {
    at: *mut u8,
    bytes: usize,
    len: u32,
    number: Table,
    records: PhantomData<R>,
}

impl<R: Record> TableMap<R> {
    const fn new(number: Table) -> Self {
        Self { at: null_mut(), bytes: 0, len: 0, number, records: PhantomData }
    }

    pub fn len(&self) -> u32 {
        self.len
    }

    /// A record that exists, else one of zeros in the wrong place would be read: callers pass valid ids.
    #[inline]
    pub fn get(&self, id: u32) -> R {
        debug_assert!(id < self.len);
        // SAFETY: ids are handed out by `push` only, so the record lies inside the mapping.
        unsafe { self.at.cast::<R>().add(id as usize).read() }
    }

    /// Where a record is now.
    #[inline]
    pub fn at(&self, id: u32) -> *mut R {
        self.at.cast::<R>().wrapping_add(id as usize)
    }

    /// The word at a byte offset inside a record.
    #[inline]
    pub fn word(&self, id: u32, offset: usize) -> SharedWord {
        // SAFETY: the record exists, and `offset` is the offset of one of its fields.
        SharedWord(unsafe { self.at.add(id as usize * R::BYTES + offset) }.cast())
    }

    /// The pair at a byte offset inside a record, which is a multiple of 16.
    #[inline]
    pub fn pair(&self, id: u32, offset: usize) -> SharedPair {
        const { assert!(R::BYTES.is_multiple_of(16)) };
        let byte = id as usize * R::BYTES + offset;
        SharedPair {
            // SAFETY: the record exists, and `offset` is the offset of one of its fields.
            at: unsafe { self.at.add(byte) }.cast(),
            target: JournalEntry::target(self.number, byte as u64),
        }
    }
}

/// An aligned 8-byte word of the capture that changes alone.
#[derive(Clone, Copy)]
pub struct SharedWord(*mut u64);

impl SharedWord {
    /// A word of a mapping that lives as long as recording.
    #[inline]
    pub const fn new(at: *mut u64) -> Self {
        Self(at)
    }

    pub const fn pointer(self) -> *mut u64 {
        self.0
    }

    /// Loads; never after a later load of this thread.
    #[inline]
    pub fn acquire(self) -> u64 {
        // SAFETY: as for `load`.
        unsafe { AtomicU64::from_ptr(self.0) }.load(Ordering::Acquire)
    }

    #[inline]
    pub fn load(self) -> u64 {
        // SAFETY: the word lies in a mapping that lives as long as recording, and is aligned.
        unsafe { AtomicU64::from_ptr(self.0) }.load(Ordering::Relaxed)
    }

    /// Stores; never before an earlier store of this thread.
    #[inline]
    pub fn store(self, value: u64) {
        crash_point();
        // SAFETY: as for `load`.
        unsafe { AtomicU64::from_ptr(self.0) }.store(value, Ordering::Release);
    }
}

/// Two aligned words of the capture that a [`Transaction`] can save.
#[derive(Clone, Copy)]
pub struct SharedPair {
    at: *mut [u64; 2],
    target: u64,
}

impl SharedPair {
    #[inline]
    pub fn load(self) -> [u64; 2] {
        // SAFETY: the pair lies in a mapping that lives as long as recording, and is aligned.
        unsafe { self.at.read() }
    }

    /// Stores; the pair was saved in the transaction. In which order does not matter there.
    #[inline]
    pub fn store(self, value: [u64; 2]) {
        crash_point();
        // SAFETY: as for `load`.
        unsafe { self.at.write(value) }
    }
}

/// The journal's writing side. See [`heaphint_format::Journal`].
pub struct Transaction {
    journal: *mut Journal,
    used: usize,
}

impl Transaction {
    /// Notes the present value of a pair, and gives it. From here to [`Self::commit`] the reader puts it back.
    #[inline]
    pub fn save(&mut self, pair: SharedPair) -> [u64; 2] {
        debug_assert!(self.used < JOURNAL_ENTRIES);
        crash_point();
        let old = pair.load();
        // SAFETY: callers ask for room first.
        unsafe {
            let entry = (&raw mut (*self.journal).entries).cast::<JournalEntry>().add(self.used);
            (*entry).target = pair.target;
            (*entry).old = old;
        }
        self.set_used(self.used + 1);
        old
    }

    /// How many pairs can be saved before the next commit.
    #[inline]
    pub fn room(&self) -> usize {
        JOURNAL_ENTRIES - self.used
    }

    /// What was changed stays so.
    pub fn commit(&mut self) {
        self.set_used(0);
    }

    /// The compiler moves no store across this one, and a processor retires a thread's stores in order: that is
    /// enough, since a reader that needs the journal reads after the process has died.
    #[inline]
    fn set_used(&mut self, used: usize) {
        self.used = used;
        crash_point();
        compiler_fence(Ordering::SeqCst);
        // SAFETY: the journal is mapped as long as recording.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.journal).used) }.store(used as u64, Ordering::Release);
        compiler_fence(Ordering::SeqCst);
    }
}

/// The capture of this process. What every event needs comes first, side by side.
#[repr(C)]
pub struct CaptureFile {
    fixed: *mut u8,
    pub sites: TableMap<SmallSite>,
    pub large_sites: TableMap<Site>,
    pub places: TableMap<Place>,
    pub sets: TableMap<SetNode>,
    pub strings: TableMap<u8>,
    pub codes: TableMap<Code>,
    pub stacks: TableMap<Stack>,
    pub threads: TableMap<Thread>,
    pub timeline: TableMap<Sample>,
    observed: TableMap<Sample>,
    pub folds: TableMap<Fold>,
    pub areas: TableMap<Area>,
    pub modules: TableMap<Module>,
    pub addresses: TableMap<Address>,
    pub native_frames: TableMap<NativeFrame>,
    file_pages: u64,
    identity: (u64, u64),
    path: [u8; PATH_BYTES],
}

// SAFETY: its mappings are reached only through it.
unsafe impl Send for CaptureFile {}

/// The word of a header field whose offset is a multiple of eight.
macro_rules! header_word {
    ($file:expr, $field:ident) => {{
        const OFFSET: usize = core::mem::offset_of!(heaphint_format::Header, $field);
        const { assert!(OFFSET % 8 == 0) };
        $file.fixed_word(OFFSET)
    }};
}
/// The pair of header fields that begins with this one.
macro_rules! header_pair {
    ($file:expr, $field:ident) => {{
        const OFFSET: usize = core::mem::offset_of!(heaphint_format::Header, $field);
        const { assert!(OFFSET % 16 == 0) };
        $file.fixed_pair(OFFSET)
    }};
}
pub(crate) use {header_pair, header_word};

/// The fields that are written before recording begins.
pub struct Identity<'a> {
    pub pid: u32,
    pub parent_pid: u32,
    pub python_version: u32,
    pub main_tid: u32,
    pub started_unix_ms: u64,
    pub command: &'a [u8],
    pub directory: &'a [u8],
    pub project: &'a [u8],
    pub python_allocator: &'a [u8],
    pub modes: Modes,
    pub process: Process,
}

impl CaptureFile {
    /// No file yet.
    pub const fn new() -> Self {
        Self {
            fixed: null_mut(),
            file_pages: 0,
            identity: (0, 0),
            path: [0; PATH_BYTES],
            strings: TableMap::new(Table::Strings),
            codes: TableMap::new(Table::Codes),
            stacks: TableMap::new(Table::Stacks),
            sites: TableMap::new(Table::Sites),
            large_sites: TableMap::new(Table::LargeSites),
            places: TableMap::new(Table::Places),
            sets: TableMap::new(Table::Sets),
            threads: TableMap::new(Table::Threads),
            timeline: TableMap::new(Table::Timeline),
            observed: TableMap::new(Table::Observed),
            folds: TableMap::new(Table::Folds),
            areas: TableMap::new(Table::Areas),
            modules: TableMap::new(Table::Modules),
            addresses: TableMap::new(Table::Addresses),
            native_frames: TableMap::new(Table::NativeFrames),
        }
    }

    /// Creates the file and its first records: the empty stack, the empty set, the code and thread that stand
    /// for "none".
    pub fn create(&mut self, path: &CStr, identity: &Identity<'_>) -> Result<(), Problem> {
        let bytes = path.to_bytes_with_nul();
        self.path.get_mut(..bytes.len()).ok_or(FILE_GONE)?.copy_from_slice(bytes);
        let file = sys::File::open(path, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL)
            .map_err(|errno| if errno == libc::EEXIST { NAME_TAKEN } else { FILE_GONE })?;
        self.identity = file.identity().ok_or(FILE_GONE)?;
        if !file.reserve(0, FIXED_BYTES as u64) {
            return Err(NO_SPACE);
        }
        self.fixed = map_shared(null_mut(), FIXED_BYTES, &file, 0).ok_or(NO_MAP)?;
        self.file_pages = (FIXED_BYTES / PAGE) as u64;
        // The lengths count from here on, so the header comes before the first record. The magic comes last: a
        // file without it was never a capture.
        let header = Header {
            version: VERSION,
            pid: identity.pid,
            parent_pid: identity.parent_pid,
            python_version: identity.python_version,
            started_unix_ms: identity.started_unix_ms,
            exit_status: EXIT_UNKNOWN,
            smallest_bytes: u64::MAX,
            main_tid: identity.main_tid,
            timeline_stride: 1,
            modes: identity.modes.bits(),
            sample_bytes: identity.modes.sample_bytes,
            ..Header::default()
        };
        // SAFETY: the mapping has room for a header and nobody else sees it yet.
        unsafe { self.fixed.cast::<Header>().write(header) };
        // SAFETY: as above; the place is in the fixed part.
        unsafe { self.fixed.add(PROCESS_OFFSET).cast::<Process>().write(identity.process) };
        for (field, text) in [
            (offset_of!(Header, command), identity.command),
            (offset_of!(Header, directory), identity.directory),
            (offset_of!(Header, project), identity.project),
            (offset_of!(Header, python_allocator), identity.python_allocator),
        ] {
            let text = self.add_text(text)?;
            self.set_text(field, text);
        }
        self.push_stack(Stack::default())?;
        self.push_code(Code::default())?;
        self.push_set(SetNode {
            line: heaphint_format::NO_PLACE,
            function: heaphint_format::NO_PLACE,
            ..SetNode::default()
        })?;
        self.push_thread(Thread::default())?;
        for _ in 0..TIMELINE_SLOTS {
            self.push_slot(Sample::default())?;
            self.push_observed_slot(Sample::default())?;
        }
        header_word!(self, magic).store(u64::from_le_bytes(MAGIC));
        Ok(())
    }

    #[inline]
    pub fn fixed_word(&self, offset: usize) -> SharedWord {
        // SAFETY: the offset is one of a header field or of a pending event.
        SharedWord(unsafe { self.fixed.add(offset) }.cast())
    }

    #[inline]
    pub fn fixed_pair(&self, offset: usize) -> SharedPair {
        SharedPair {
            // SAFETY: the offset is one of a header field.
            at: unsafe { self.fixed.add(offset) }.cast(),
            target: JournalEntry::target(Table::Fixed, offset as u64),
        }
    }

    /// The header, as it is now.
    pub fn header(&self) -> Header {
        // SAFETY: the fixed part begins with it.
        unsafe { self.fixed.cast::<Header>().read() }
    }

    /// The event of an area with this number, if it has happened and the one before it is the last of `taken`.
    #[inline]
    pub fn event(&self, area: u32, taken: AreaState) -> Option<PendingEvent> {
        let place = taken.applied as usize % AREA_EVENTS * size_of::<PendingEvent>();
        let word = |offset: usize| self.areas.word(area, offset_of!(Area, events) + place + offset);
        let stamp = word(offset_of!(PendingEvent, stamp)).acquire();
        (stamp > taken.stamp).then(|| PendingEvent {
            bytes: word(offset_of!(PendingEvent, bytes)).load(),
            what: word(offset_of!(PendingEvent, what)).load(),
            address: word(offset_of!(PendingEvent, address)).load(),
            stamp,
        })
    }

    /// Adds an area, which is empty. It never moves.
    pub fn add_area(&mut self) -> Result<u32, Problem> {
        let number = self.areas.len;
        if number as usize >= MOST_AREAS {
            return Err(NO_SPACE);
        }
        while (number as usize + 1) * Area::BYTES > self.areas.bytes {
            let (at, size) = self.grow(Table::Areas, self.areas.at, self.areas.bytes)?;
            (self.areas.at, self.areas.bytes) = (at, size);
        }
        self.areas.len = number + 1;
        self.publish_len(Table::Areas, number + 1);
        Ok(number)
    }

    /// Adds a site.
    pub fn add_site(&mut self, site: &Site) -> Result<u32, Problem> {
        let record = match SmallSite::of(site) {
            Some(record) => record,
            None => {
                self.make_room_for_large_sites(1)?;
                let index = self.large_sites.len;
                self.large_sites.len += u32::from(self.put_large_site(index, site));
                SmallSite::outgrown(site.stack, site.place, index)
            }
        };
        self.push_site(record)
    }

    /// A site's thread and allocator, as [`Site::key`] packs them.
    #[inline]
    pub fn site_key(&self, id: u32) -> u32 {
        let record = self.sites.get(id);
        record.large().map_or_else(|| record.key(), |index| self.large_sites.get(index).thread_and_allocator)
    }

    /// Makes room for so many more large sites.
    pub fn make_room_for_large_sites(&mut self, more: usize) -> Result<(), Problem> {
        while (self.large_sites.len as usize + more) * Site::BYTES > self.large_sites.bytes {
            let (at, size) = self.grow(Table::LargeSites, self.large_sites.at, self.large_sites.bytes)?;
            (self.large_sites.at, self.large_sites.bytes) = (at, size);
        }
        Ok(())
    }

    /// Writes a large site for which there is room; it counts when a site refers to it. False without room.
    pub fn put_large_site(&self, index: u32, site: &Site) -> bool {
        let has_room = (index as usize + 1) * Site::BYTES <= self.large_sites.bytes;
        if has_room {
            crash_point();
            // SAFETY: the record lies inside the mapping, and nothing refers to it yet.
            unsafe { self.large_sites.at(index).write(*site) };
        }
        has_room
    }

    /// So many large sites are in use.
    pub fn keep_large_sites(&mut self, len: u32) {
        self.large_sites.len = len;
    }

    /// Starts a transaction.
    #[inline]
    pub fn transaction(&self) -> Transaction {
        // SAFETY: the journal stands inside the fixed part.
        Transaction { journal: unsafe { self.fixed.add(JOURNAL_OFFSET) }.cast(), used: 0 }
    }

    /// Stores a 4-byte header field.
    pub fn set_header(&self, offset: usize, value: u32) {
        crash_point();
        // SAFETY: the offset is that of a header field of four bytes.
        unsafe { AtomicU32::from_ptr(self.fixed.add(offset).cast()) }.store(value, Ordering::Release);
    }

    /// Stores a text field of the header.
    pub fn set_text(&self, offset: usize, text: Text) {
        self.fixed_word(offset).store(text_word(text));
    }

    /// Whether [`Self::create`] has succeeded.
    pub fn exists(&self) -> bool {
        !self.fixed.is_null()
    }

    /// Appends text that is not in the table yet.
    pub fn add_text(&mut self, bytes: &[u8]) -> Result<Text, Problem> {
        if bytes.is_empty() {
            return Ok(Text::default());
        }
        let text = Text { offset: self.strings.len, len: bytes.len() as u32 };
        while self.strings.bytes < self.strings.len as usize + bytes.len() {
            let (at, size) = self.grow(Table::Strings, self.strings.at, self.strings.bytes)?;
            (self.strings.at, self.strings.bytes) = (at, size);
        }
        crash_point();
        // SAFETY: there is room behind the last byte.
        unsafe { self.strings.at.add(text.offset as usize).copy_from(bytes.as_ptr(), bytes.len()) };
        self.strings.len += text.len;
        self.publish_len(Table::Strings, self.strings.len);
        Ok(text)
    }

    /// The bytes of a text that [`Self::add_text`] gave.
    pub fn text(&self, text: Text) -> &[u8] {
        if text.len == 0 {
            return &[];
        }
        // SAFETY: the text lies inside the table.
        unsafe { core::slice::from_raw_parts(self.strings.at.add(text.offset as usize), text.len as usize) }
    }

    fn publish_len(&self, table: Table, len: u32) {
        self.set_header(offset_of!(Header, lengths) + 4 * table as usize, len);
    }

    /// Reserves and maps another extent for a table that is at `at` with `bytes`; its new place and size.
    #[cold]
    fn grow(&mut self, table: Table, at: *mut u8, bytes: usize) -> Result<(*mut u8, usize), Problem> {
        let _errno = sys::ErrnoGuard::new();
        let file = self.open()?;
        let pages = (bytes / PAGE).clamp(first_extent_pages(table), MAX_EXTENT_PAGES);
        let count = self.add_extent(&file, table, pages, MAX_EXTENTS)?;
        let new_bytes = bytes + pages * PAGE;
        // Threads write into their areas without the lock, so these have addresses for all that there can be.
        let stays = table == Table::Areas;
        let place = if stays && !at.is_null() {
            at
        } else {
            sys::reserve(if stays { AREAS_RESERVED } else { new_bytes }).ok_or(NO_MAP)?
        };
        let mut filled = 0;
        for i in 0..count {
            let extent = self.extent(i);
            if extent.table == table as u32 {
                let length = extent.pages as usize * PAGE;
                // SAFETY: the reservation covers all extents of the table.
                let part = unsafe { place.add(filled) };
                if place != at || filled >= bytes {
                    map_shared(part, length, &file, extent.first_page * PAGE as u64).ok_or(NO_MAP)?;
                }
                filled += length;
            }
        }
        self.set_header(offset_of!(Header, extents), count as u32);
        if !at.is_null() && place != at {
            // SAFETY: the table is reached through its new place from now on.
            unsafe { sys::unmap(at, bytes) };
        }
        Ok((place, new_bytes))
    }

    /// Reserves and maps another extent of the log, of zeros. It stays where it is.
    #[cold]
    pub fn add_log_extent(&mut self, bytes: usize) -> Result<*mut u8, Problem> {
        let _errno = sys::ErrnoGuard::new();
        let file = self.open()?;
        let count = self.add_extent(&file, Table::Log, bytes / PAGE, MAX_EXTENTS - TABLE_EXTENTS)?;
        let offset = self.extent(count - 1).first_page * PAGE as u64;
        let at = map_shared(null_mut(), bytes, &file, offset).ok_or(NO_MAP)?;
        self.set_header(offset_of!(Header, extents), count as u32);
        Ok(at)
    }

    /// The capture's file, if it is still there.
    fn open(&self) -> Result<sys::File, Problem> {
        // SAFETY: `path` holds a NUL-terminated path since `create`.
        let path = unsafe { CStr::from_ptr(self.path.as_ptr().cast()) };
        let file = sys::File::open(path, libc::O_RDWR).map_err(why_not_opened)?;
        if file.identity() == Some(self.identity) { Ok(file) } else { Err(FILE_GONE) }
    }

    /// Reserves an extent and writes its entry, if there are fewer than `most`. How many extents there are then; the
    /// caller puts that into the header.
    fn add_extent(
        &mut self,
        file: &sys::File,
        table: Table,
        pages: usize,
        most: usize,
    ) -> Result<usize, Problem> {
        let count = self.extent_count();
        if count >= most || !file.reserve(self.file_pages * PAGE as u64, (pages * PAGE) as u64) {
            return Err(NO_SPACE);
        }
        let extent = Extent { table: table as u32, pages: pages as u32, first_page: self.file_pages };
        self.file_pages += pages as u64;
        crash_point();
        // SAFETY: `count` is below MAX_EXTENTS, so the entry lies inside the directory.
        unsafe { self.fixed.add(DIRECTORY_OFFSET).cast::<Extent>().add(count).write(extent) };
        Ok(count + 1)
    }

    /// An entry of the directory that was written.
    fn extent(&self, index: usize) -> Extent {
        // SAFETY: callers pass an index below that of the last entry, which lies inside the directory.
        unsafe { self.fixed.add(DIRECTORY_OFFSET).cast::<Extent>().add(index).read() }
    }

    fn extent_count(&self) -> usize {
        // SAFETY: a header field that only this side writes.
        unsafe { (*self.fixed.cast::<Header>()).extents as usize }
    }

    /// Unmaps everything; for a forked child, whose parent goes on writing.
    pub fn detach(&mut self) {
        macro_rules! unmap {
            ($($table:ident),*) => {$(
                if !self.$table.at.is_null() {
                    // SAFETY: the mapping is ours, and the table forgets it below.
                    unsafe { sys::unmap(self.$table.at, self.$table.bytes) };
                }
            )*};
        }
        unmap!(strings, codes, stacks, sites, places, sets, threads, timeline, observed, folds);
        unmap!(large_sites, modules, addresses, native_frames);
        if !self.areas.at.is_null() {
            // SAFETY: as above; threads of the parent that wrote there do not exist in this process.
            unsafe { sys::unmap(self.areas.at, AREAS_RESERVED) };
        }
        if !self.fixed.is_null() {
            // SAFETY: as above.
            unsafe { sys::unmap(self.fixed, FIXED_BYTES) };
        }
        *self = Self::new();
    }
}

/// Declares the appending methods: the record first, then the length.
macro_rules! push {
    ($($(#[$doc:meta])* $method:ident($table:ident: $record:ty) = $number:ident;)*) => {
        impl CaptureFile {$(
            $(#[$doc])*
            pub fn $method(&mut self, record: $record) -> Result<u32, Problem> {
                let id = self.$table.len;
                if (id as usize + 1) * <$record>::BYTES > self.$table.bytes {
                    let (at, size) = self.grow(Table::$number, self.$table.at, self.$table.bytes)?;
                    (self.$table.at, self.$table.bytes) = (at, size);
                }
                crash_point();
                // SAFETY: there is room for one more record.
                unsafe { self.$table.at.cast::<$record>().add(id as usize).write(record) };
                self.$table.len = id + 1;
                self.publish_len(Table::$number, id + 1);
                Ok(id)
            }
        )*}
    };
}

push! {
    /// Appends a function.
    push_code(codes: Code) = Codes;
    /// Appends a stack.
    push_stack(stacks: Stack) = Stacks;
    /// Appends a site.
    push_site(sites: SmallSite) = Sites;
    /// Appends a place.
    push_place(places: Place) = Places;
    /// Appends a set.
    push_set(sets: SetNode) = Sets;
    /// Appends a thread.
    push_thread(threads: Thread) = Threads;
    /// Appends a slot of the timeline.
    push_slot(timeline: Sample) = Timeline;
    /// Appends a slot of the observed timeline.
    push_observed_slot(observed: Sample) = Observed;
    /// Appends a fold.
    push_fold(folds: Fold) = Folds;
    /// Appends a loaded file.
    push_module(modules: Module) = Modules;
    /// Appends a place in native stacks.
    push_address(addresses: Address) = Addresses;
    /// Appends a native frame.
    push_native_frame(native_frames: NativeFrame) = NativeFrames;
}

/// A [`Text`] as the word it is in the file.
pub fn text_word(text: Text) -> u64 {
    u64::from(text.offset) | u64::from(text.len) << 32
}

/// Small captures stay small: what one short script needs.
fn first_extent_pages(table: Table) -> usize {
    match table {
        Table::Timeline | Table::Observed => (TIMELINE_SLOTS * Sample::BYTES).div_ceil(PAGE),
        Table::Threads | Table::Folds | Table::Modules => 1,
        Table::Codes | Table::Sets | Table::Areas => 4,
        _ => 16,
    }
}

fn map_shared(at: *mut u8, bytes: usize, file: &sys::File, offset: u64) -> Option<*mut u8> {
    let fixed = if at.is_null() { 0 } else { libc::MAP_FIXED };
    sys::map(at, bytes, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | fixed, file.raw(), offset)
}
