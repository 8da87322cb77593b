//! From what the interpreter shows (code object, instruction) to the ids of the capture.
//!
//! Two caches answer nearly every question that the threads' own ([`crate::steps`]) do not: one from (code,
//! instruction) to (function, line), one from (caller's stack, code, instruction) to stack. They are keyed by
//! addresses, so each entry carries the number of code objects that died at its address's place in [`DEATHS`], and is
//! void when that has changed.

use core::sync::atomic::{AtomicU32, Ordering};

use heaphint_format::{Code, ENTERED, NATIVE_STACK, NO_PLACE, Place, PlaceKind, SetNode, Site, Stack, Text};

use crate::capture::{CaptureFile, Problem, text_word};
use crate::folds::Folds;
use crate::native;
use crate::private::{Array, Index, hash, hash_bytes};
use crate::python::{self, Frame, FrameWords, Marker};
use crate::steps::Steps;

pub const NO_MEMORY: Problem =
    "there was no memory for the tracer's tables; what was recorded until then is kept";

const DEATH_STAMPS: usize = 4096;
/// How many code objects died, by hash of their address.
static DEATHS: [AtomicU32; DEATH_STAMPS] = [const { AtomicU32::new(0) }; DEATH_STAMPS];
/// How many code objects died in all.
static ALL_DEATHS: AtomicU32 = AtomicU32::new(0);

/// Changes whenever a code object at this address dies.
#[inline]
pub fn death_stamp(code: usize) -> u32 {
    let slot = hash(code as u64, 0) as usize % DEATH_STAMPS;
    DEATHS.get(slot).map_or(0, |stamp| stamp.load(Ordering::Relaxed))
}

/// To be called when a code object dies: its address may be used for another one.
pub fn code_died(code: usize) {
    let slot = hash(code as u64, 0) as usize % DEATH_STAMPS;
    if let Some(stamp) = DEATHS.get(slot) {
        stamp.fetch_add(1, Ordering::Relaxed);
    }
    ALL_DEATHS.fetch_add(1, Ordering::Release);
}

/// Changes whenever a code object dies: ids that a thread remembers by address are void then.
#[inline]
pub fn generation() -> u32 {
    ALL_DEATHS.load(Ordering::Acquire)
}

/// No stack has this number.
pub const NO_PARENT: u32 = u32::MAX;

/// One frame as it was read from the interpreter.
#[derive(Clone, Copy, Default)]
pub struct RawFrame {
    pub frame: usize,
    pub code: usize,
    pub instruction: usize,
    /// The stack below it that its own was found for; [`NO_PARENT`] before it is known for these words.
    pub parent: u32,
    /// Its stack, once it is known; what follows is known with it.
    pub stack: u32,
    /// How many frames that Python shows there are up to this one.
    pub level: u32,
    /// Whether it is at a call.
    pub in_call: bool,
    /// Whether the stack is one that deep recursion came back to.
    pub is_folded: bool,
    /// Whether it has this stack at this instruction whenever it is found there.
    pub is_lasting: bool,
    /// Whether the interpreter's loop is called anew for the next frame.
    pub enters: bool,
    /// What it was marked with.
    pub marker: Marker,
}

impl RawFrame {
    /// The words as they stand in the frame, without the link.
    pub fn words(&self) -> FrameWords {
        let instruction = self.instruction & !python::ENTERED;
        FrameWords { code: self.code, instruction, previous: core::ptr::null() }
    }

    /// The stack for the next frame on top: with [`ENTERED`] if it is so.
    pub fn as_parent(&self) -> u32 {
        if self.enters { self.stack | ENTERED } else { self.stack }
    }
}

#[derive(Clone, Copy)]
struct Location {
    code_object: usize,
    instruction: usize,
    code: u32,
    line: u32,
    stamp: u32,
    valid: u32,
}

const LOCATIONS: usize = 8192;

/// A code object that was asked for lately: what it is called, and how far its line table has been read.
#[derive(Clone, Copy)]
struct Described {
    code_object: usize,
    cursor: python::Cursor,
    stamp: u32,
    /// Index of a [`Code`], plus one; 0 of an empty place.
    code: u32,
}

/// Modules that are being imported, and what they call.
const DESCRIBED: usize = 64;

const FIRST_STEPS: usize = 4096;
const MOST_STEPS: usize = 1 << 15;

/// All tables that give ids.
pub struct Interner {
    texts: Texts,
    codes: Index,
    stacks: Index,
    places: Index,
    sets: Index,
    /// The first site of each stack, plus one: most stacks have no other, and a new one is then made without a look at old
    /// ones, whose pages are not needed any more.
    first_sites: Array<u32>,
    /// Further sites of stacks.
    sites: Index,
    folds: Folds,
    steps: Steps,
    locations: Array<Location>,
    lately: Array<Described>,
    project: Text,
    directory_in_project: bool,
    /// One, for what is read of a code object: too much for a thread's stack.
    described: Array<python::CodeText>,
}

/// Texts of the capture, each once.
struct Texts {
    texts: Array<Text>,
    index: Index,
}

impl Texts {
    fn get(&mut self, file: &mut CaptureFile, bytes: &[u8]) -> Result<Text, Problem> {
        let texts = self.texts.as_slice();
        let text_of = |id: u32| texts.get(id as usize).copied().unwrap_or_default();
        let wanted = hash_bytes(bytes);
        if let Some(id) = self.index.find(wanted, |id| file.text(text_of(id)) == bytes) {
            return Ok(text_of(id));
        }
        let text = file.add_text(bytes)?;
        let id = self.texts.len() as u32;
        if !self.texts.push(text) {
            return Err(NO_MEMORY);
        }
        let texts = self.texts.as_slice();
        let hash_of = |id: u32| hash_bytes(file.text(texts.get(id as usize).copied().unwrap_or_default()));
        if self.index.insert(wanted, id, hash_of) { Ok(text) } else { Err(NO_MEMORY) }
    }
}

impl Interner {
    pub const fn new() -> Self {
        Self {
            texts: Texts { texts: Array::new(), index: Index::new() },
            codes: Index::new(),
            stacks: Index::new(),
            places: Index::new(),
            sets: Index::new(),
            first_sites: Array::new(),
            sites: Index::new(),
            folds: Folds::new(),
            steps: Steps::new(),
            locations: Array::new(),
            lately: Array::new(),
            project: Text { offset: 0, len: 0 },
            directory_in_project: false,
            described: Array::new(),
        }
    }

    /// Sets the project: its root and the working directory, without a slash at the end.
    pub fn set_project(
        &mut self,
        file: &mut CaptureFile,
        root: &[u8],
        directory: &[u8],
    ) -> Result<(), Problem> {
        self.project = self.text(file, root)?;
        self.directory_in_project = !root.is_empty() && (is_below(directory, root) || directory == root);
        Ok(())
    }

    /// The id of a text.
    pub fn text(&mut self, file: &mut CaptureFile, bytes: &[u8]) -> Result<Text, Problem> {
        self.texts.get(file, bytes)
    }

    /// Gives the frames of a thread their stacks, of which the first `known` have theirs, and returns the innermost one;
    /// with [`ENTERED`] if the interpreter's loop was called anew for a frame that is not shown yet.
    #[inline]
    pub fn stacks(
        &mut self,
        file: &mut CaptureFile,
        frames: &mut [RawFrame],
        known: usize,
    ) -> Result<u32, Problem> {
        let outer = known.checked_sub(1).and_then(|i| frames.get(i));
        let (mut parent, mut level) = outer.map_or((0, 0), |raw| (raw.as_parent(), raw.level));
        for raw in frames.iter_mut().skip(known) {
            let stack = self.stack(file, parent, raw)?;
            raw.parent = parent;
            level += u32::from(stack != parent & !ENTERED || raw.is_folded);
            raw.level = level;
            parent = raw.as_parent();
            if raw.is_folded {
                self.folds.note(file, stack, level)?;
            }
        }
        Ok(parent)
    }

    /// The stack of a frame on top of `parent`, perhaps with [`ENTERED`], which is noted in the frame too. A frame that the interpreter itself
    /// does not show (not begun yet, or the interpreter's own) has its caller's stack.
    #[inline]
    pub fn stack(&mut self, file: &mut CaptureFile, parent: u32, raw: &mut RawFrame) -> Result<u32, Problem> {
        if self.steps.find(parent, raw, death_stamp(raw.code)) {
            return Ok(raw.stack);
        }
        self.new_step(file, parent, raw)
    }

    #[cold]
    fn new_step(&mut self, file: &mut CaptureFile, parent: u32, raw: &mut RawFrame) -> Result<u32, Problem> {
        // SAFETY: the frame was read from the calling thread's own chain in this event.
        let visibility = unsafe { python::visibility(raw.frame as *const Frame, &raw.words()) };
        (raw.stack, raw.in_call, raw.is_folded) = (parent & !ENTERED, false, false);
        raw.enters = parent & ENTERED != 0 || raw.instruction & python::ENTERED != 0;
        if !visibility.is_shown && native::is_on() {
            raw.enters |= python::is_shim(raw.frame as *const Frame);
        }
        if visibility.is_shown {
            let (code, mut line) = self.location(file, raw)?;
            if raw.enters {
                line |= ENTERED;
            }
            raw.enters = false;
            let parent = raw.stack;
            let folded = self.folds.find(file, parent, code, line);
            raw.is_folded = folded.is_some();
            raw.stack = match folded {
                Some(stack) => stack,
                None => self.child(file, parent, code, line)?,
            };
            // SAFETY: the frame was read in this event, and has begun.
            raw.in_call = unsafe { python::is_call(raw.code, raw.words().instruction) };
        }
        raw.is_lasting = visibility.is_lasting;
        if raw.is_lasting {
            let places = (file.stacks.len() as usize).next_power_of_two().clamp(FIRST_STEPS, MOST_STEPS);
            if !self.steps.keep(places, parent, raw, death_stamp(raw.code)) {
                return Err(NO_MEMORY);
            }
        }
        Ok(raw.stack)
    }

    /// Function and line of a frame that is shown.
    fn location(&mut self, file: &mut CaptureFile, raw: &RawFrame) -> Result<(u32, u32), Problem> {
        let stamp = death_stamp(raw.code);
        if self.locations.len() == 0 {
            // SAFETY: a zeroed location is not valid, and a zeroed text is empty: both are states of theirs.
            unsafe {
                self.locations = Array::zeroed(LOCATIONS).ok_or(NO_MEMORY)?;
                self.lately = Array::zeroed(DESCRIBED).ok_or(NO_MEMORY)?;
                self.described = Array::zeroed(1).ok_or(NO_MEMORY)?;
            }
        }
        let at = hash(raw.code as u64, raw.instruction as u64) as usize % LOCATIONS;
        if let Some(known) = self.locations.as_slice().get(at)
            && known.instruction == raw.instruction
            && known.code_object == raw.code
            && known.stamp == stamp
            && known.valid != 0
        {
            return Ok((known.code, known.line));
        }
        let place = hash(raw.code as u64, 0) as usize % DESCRIBED;
        let described = self.lately.as_slice().get(place).copied().ok_or(NO_MEMORY)?;
        let known = described.code != 0 && described.code_object == raw.code && described.stamp == stamp;
        let (code, mut cursor) = if known {
            (described.code - 1, described.cursor)
        } else {
            let text = self.described.as_mut_slice().first_mut().ok_or(NO_MEMORY)?;
            // SAFETY: the code object is alive: a frame of the calling thread runs it.
            unsafe { python::describe(raw.code, text) };
            (self.code(file)?, python::Cursor::default())
        };
        // SAFETY: as above, and the cursor is of this object, or there was a death at its place.
        let line = unsafe { python::line(raw.code, raw.words().instruction, &mut cursor) };
        if let Some(described) = self.lately.as_mut_slice().get_mut(place) {
            *described = Described { code_object: raw.code, cursor, stamp, code: code + 1 };
        }
        if let Some(location) = self.locations.as_mut_slice().get_mut(at) {
            *location =
                Location { code_object: raw.code, instruction: raw.instruction, code, line, stamp, valid: 1 };
        }
        Ok((code, line))
    }

    /// The id of the function that `self.described` tells of.
    fn code(&mut self, file: &mut CaptureFile) -> Result<u32, Problem> {
        let described = self.described.as_slice().first().ok_or(NO_MEMORY)?;
        let name = self.texts.get(file, described.name.as_bytes())?;
        let path = self.texts.get(file, described.file.as_bytes())?;
        let first_line = described.first_line;
        let in_project = u32::from(self.is_in_project(file, described.file.as_bytes()));
        let code = Code { name, file: path, first_line, in_project };
        let hash_of =
            |code: &Code| hash(text_word(code.name), text_word(code.file) ^ u64::from(code.first_line) << 40);
        let wanted = hash_of(&code);
        if let Some(id) = self.codes.find(wanted, |id| file.codes.get(id) == code) {
            return Ok(id);
        }
        let id = file.push_code(code)?;
        let inserted = self.codes.insert(wanted, id, |id| hash_of(&file.codes.get(id)));
        if inserted { Ok(id) } else { Err(NO_MEMORY) }
    }

    fn is_in_project(&self, file: &CaptureFile, path: &[u8]) -> bool {
        let root = file.text(self.project);
        match path.first() {
            None | Some(b'<') => false,
            Some(b'/') => is_below(path, root) && !is_installed(path.get(root.len()..).unwrap_or_default()),
            Some(_) => self.directory_in_project && !is_installed(path),
        }
    }

    /// The id of the stack (parent, code, line).
    fn child(&mut self, file: &mut CaptureFile, parent: u32, code: u32, line: u32) -> Result<u32, Problem> {
        let hash_of = |parent: u32, code: u32, line: u32| {
            hash(u64::from(parent) << 32 | u64::from(code), u64::from(line))
        };
        let wanted = hash_of(parent, code, line);
        let same = |id: u32| {
            let stack = file.stacks.get(id);
            stack.parent == parent && stack.code == code && stack.line == line
        };
        if let Some(id) = self.stacks.find(wanted, same) {
            return Ok(id);
        }
        let below = file.stacks.get(parent).set;
        let set =
            if code == NATIVE_STACK { below } else { self.set_with(file, below, code, line & !ENTERED)? };
        let id = file.push_stack(Stack { parent, code, line, set })?;
        if !self.folds.add(id, parent) {
            return Err(NO_MEMORY);
        }
        let inserted = self.stacks.insert(wanted, id, |id| {
            let stack = file.stacks.get(id);
            hash_of(stack.parent, stack.code, stack.line)
        });
        if inserted { Ok(id) } else { Err(NO_MEMORY) }
    }

    /// The id of a Python stack with its native frames.
    pub fn native_stack(&mut self, file: &mut CaptureFile, python: u32, native: u32) -> Result<u32, Problem> {
        self.child(file, python & !ENTERED, NATIVE_STACK, native | (python & ENTERED))
    }

    /// The set `parent` with a project line and its function; `parent` itself when it has them, or when the code
    /// is not the project's.
    fn set_with(
        &mut self,
        file: &mut CaptureFile,
        parent: u32,
        code: u32,
        line: u32,
    ) -> Result<u32, Problem> {
        let code = file.codes.get(code);
        if code.in_project == 0 {
            return Ok(parent);
        }
        let mut line_place = self.place(file, PlaceKind::TotalLine, code.file, line, Text::default())?;
        let mut function =
            self.place(file, PlaceKind::TotalFunction, code.file, code.first_line, code.name)?;
        let mut at = parent;
        while at != 0 {
            let node = file.sets.get(at);
            if node.line == line_place {
                line_place = NO_PLACE;
            }
            if node.function == function {
                function = NO_PLACE;
            }
            at = node.parent;
        }
        if (line_place, function) == (NO_PLACE, NO_PLACE) {
            return Ok(parent);
        }
        let hash_of = |parent: u32, line: u32, function: u32| {
            hash(u64::from(parent), u64::from(line) << 32 | u64::from(function))
        };
        let wanted = hash_of(parent, line_place, function);
        let same = |id: u32| {
            let node = file.sets.get(id);
            node.parent == parent && node.line == line_place && node.function == function
        };
        if let Some(id) = self.sets.find(wanted, same) {
            return Ok(id);
        }
        let depth = file.sets.get(parent).depth + 1;
        let node = SetNode { parent, depth, line: line_place, function, pending: 0, pending_max: 0 };
        let id = file.push_set(node)?;
        let inserted = self.sets.insert(wanted, id, |id| {
            let node = file.sets.get(id);
            hash_of(node.parent, node.line, node.function)
        });
        if inserted { Ok(id) } else { Err(NO_MEMORY) }
    }

    fn place(
        &mut self,
        capture: &mut CaptureFile,
        kind: PlaceKind,
        file: Text,
        line: u32,
        name: Text,
    ) -> Result<u32, Problem> {
        let place = Place { kind: kind as u32, file, line, name, ..Place::default() };
        let hash_of = |place: &Place| {
            hash(
                text_word(place.file) ^ text_word(place.name).rotate_left(17),
                u64::from(place.line) << 2 | u64::from(place.kind),
            )
        };
        let same = |id: u32| {
            let other = capture.places.get(id);
            (other.kind, other.file, other.line, other.name) == (place.kind, file, line, name)
        };
        let wanted = hash_of(&place);
        if let Some(id) = self.places.find(wanted, same) {
            return Ok(id);
        }
        let id = capture.push_place(place)?;
        let inserted = self.places.insert(wanted, id, |id| hash_of(&capture.places.get(id)));
        if inserted { Ok(id) } else { Err(NO_MEMORY) }
    }

    /// The site of a stack, and a thread and allocator as [`Site::key`] packs them.
    pub fn site(&mut self, file: &mut CaptureFile, stack: u32, key: u32) -> Result<u32, Problem> {
        let hash_of = |stack: u32, key: u32| hash(u64::from(stack), u64::from(key));
        let wanted = hash_of(stack, key);
        let same = |id: u32| file.sites.get(id).stack == stack && file.site_key(id) == key;
        while self.first_sites.len() <= stack as usize {
            if !self.first_sites.push(0) {
                return Err(NO_MEMORY);
            }
        }
        let first = self.first_sites.as_slice().get(stack as usize).and_then(|first| first.checked_sub(1));
        if let Some(first) = first {
            if same(first) {
                return Ok(first);
            }
            if let Some(id) = self.sites.find(wanted, same) {
                return Ok(id);
            }
        }
        let own = file.stacks.get(stack);
        let (python, set) = if own.code == NATIVE_STACK { (own.parent, own.set) } else { (stack, own.set) };
        let place = if python == 0 {
            NO_PLACE
        } else {
            let Stack { code, line, .. } = file.stacks.get(python);
            let path = file.codes.get(code).file;
            self.place(file, PlaceKind::SelfLine, path, line & !ENTERED, Text::default())?
        };
        let site = Site { stack, set, place, thread_and_allocator: key, ..Site::default() };
        let id = file.add_site(&site)?;
        if first.is_none()
            && let Some(first) = self.first_sites.as_mut_slice().get_mut(stack as usize)
        {
            *first = id + 1;
            return Ok(id);
        }
        let inserted =
            self.sites.insert(wanted, id, |id| hash_of(file.sites.get(id).stack, file.site_key(id)));
        if inserted { Ok(id) } else { Err(NO_MEMORY) }
    }
}

fn is_below(path: &[u8], root: &[u8]) -> bool {
    !root.is_empty()
        && path.strip_prefix(root).is_some_and(|rest| rest.first() == Some(&b'/') || root == b"/")
}

/// Whether a path inside the project is an environment or a standard library kept there.
fn is_installed(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').any(|part| {
        matches!(part, b"site-packages" | b"dist-packages" | b".venv" | b"venv" | b"node_modules")
            || part.starts_with(b"python3.")
    })
}
