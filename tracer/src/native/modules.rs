//! The files that are loaded: where they are, what they are called, and where their unwind information is.
//!
//! The loader is asked with its own lock and none of ours, and only for an address without a rule; while nothing was
//! loaded or closed since, it is asked for its counters only.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null;
use core::slice;

use crate::lock::Lock;
use crate::private::Array;

/// A loaded file. What it points to stays as long as one of its functions is on the calling thread's stack.
#[derive(Clone, Copy)]
pub struct Module {
    /// What was added to the addresses in the file.
    pub bias: usize,
    /// First address of its loaded parts.
    pub start: usize,
    /// First address behind them.
    pub end: usize,
    parts: *const libc::Elf64_Phdr,
    part_count: usize,
    name: *const c_char,
}

// SAFETY: it is plain addresses; whoever follows them says why that is sound.
unsafe impl Send for Module {}

impl Module {
    fn new(info: &libc::dl_phdr_info) -> Option<Self> {
        let mut module = Self {
            bias: info.dlpi_addr as usize,
            start: usize::MAX,
            end: 0,
            parts: info.dlpi_phdr,
            part_count: info.dlpi_phnum.into(),
            name: info.dlpi_name,
        };
        if module.parts.is_null() {
            return None;
        }
        let ends = |(start, end): (usize, usize), (at, bytes): (usize, usize)| {
            (start.min(at), end.max(at.saturating_add(bytes)))
        };
        let whole = module.parts_of(libc::PT_LOAD).fold((module.start, module.end), ends);
        (module.start, module.end) = whole;
        (module.start < module.end).then_some(module)
    }

    /// Address and length of each part of a type.
    fn parts_of(&self, kind: u32) -> impl Iterator<Item = (usize, usize)> {
        // SAFETY: the loader's own table of the file's parts, which is there as long as the file is loaded.
        let parts = unsafe { slice::from_raw_parts(self.parts, self.part_count) };
        let of_kind = parts.iter().filter(move |part| part.p_type == kind);
        of_kind.map(|part| (self.bias.wrapping_add(part.p_vaddr as usize), part.p_memsz as usize))
    }

    /// The index of the unwind information, and its address.
    pub fn unwind_index(&self) -> Option<(usize, &'static [u8])> {
        let (at, bytes) = self.parts_of(libc::PT_GNU_EH_FRAME).next()?;
        self.loaded_from(at).and_then(|loaded| Some((at, loaded.get(..bytes)?)))
    }

    /// The bytes from an address to the end of the loaded part that it is in.
    pub fn loaded_from(&self, at: usize) -> Option<&'static [u8]> {
        let holds =
            |(start, bytes): &(usize, usize)| at.checked_sub(*start).is_some_and(|into| into < *bytes);
        let (start, bytes) = self.parts_of(libc::PT_LOAD).find(holds)?;
        // SAFETY: a part that the loader has mapped, and that nobody writes.
        Some(unsafe { slice::from_raw_parts(at as *const u8, start + bytes - at) })
    }

    /// Its path as the loader knows it; empty for the program itself.
    pub fn name(&self) -> &'static [u8] {
        // SAFETY: the loader's own string, which is there as long as the file is loaded.
        if self.name.is_null() { b"" } else { unsafe { CStr::from_ptr(self.name) }.to_bytes() }
    }

    /// The build id; empty without one.
    pub fn build_id(&self) -> &'static [u8] {
        let notes = self.parts_of(libc::PT_NOTE).filter_map(|(at, bytes)| self.loaded_from(at)?.get(..bytes));
        notes.filter_map(build_id).next().unwrap_or_default()
    }
}

/// The build id among a file's notes.
fn build_id(mut notes: &'static [u8]) -> Option<&'static [u8]> {
    const BUILD_ID: u32 = 3;
    loop {
        let word = |at: usize| notes.get(at..at + 4)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
        let (name_bytes, bytes, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let content = 12 + name_bytes.next_multiple_of(4);
        if kind == BUILD_ID && notes.get(12..12 + name_bytes) == Some(b"GNU\0") {
            return notes.get(content..content.checked_add(bytes)?);
        }
        notes = notes.get(content.checked_add(bytes.checked_next_multiple_of(4)?)?..)?;
    }
}

/// All loaded files, as of some moment.
struct Modules {
    /// By their first address.
    all: Array<Module>,
    /// How many files the loader had loaded, and closed, by then.
    counters: (u64, u64),
}

static MODULES: Lock<Modules> = Lock::new(Modules { all: Array::new(), counters: (0, 0) });

/// What the loader is asked for.
struct Question {
    known: (u64, u64),
    counters: (u64, u64),
    all: Array<Module>,
    is_complete: bool,
}

/// The module of an address, and whether files were closed since the last time somebody asked.
pub fn find(pc: usize) -> (Option<Module>, bool) {
    let known = MODULES.lock().counters;
    let mut question = Question { known, counters: known, all: Array::new(), is_complete: true };
    // SAFETY: the callback has the right type, and takes this argument.
    unsafe { libc::dl_iterate_phdr(Some(collect), (&raw mut question).cast()) };
    let mut modules = MODULES.lock();
    let mut were_closed = false;
    if question.counters != known && question.is_complete {
        // Another thread may have asked later, and come here first.
        if question.counters.0 >= modules.counters.0 && question.counters.1 >= modules.counters.1 {
            were_closed = question.counters.1 != modules.counters.1 && modules.all.len() > 0;
            modules.counters = question.counters;
            core::mem::swap(&mut modules.all, &mut question.all);
        }
    }
    let all = modules.all.as_slice();
    let before = all.partition_point(|module| module.start <= pc);
    let found = before.checked_sub(1).and_then(|at| all.get(at)).filter(|module| pc < module.end).copied();
    drop(modules);
    question.all.release();
    (found, were_closed)
}

unsafe extern "C" fn collect(info: *mut libc::dl_phdr_info, _bytes: usize, question: *mut c_void) -> c_int {
    // SAFETY: the loader passes what it says, and `find` its question.
    let (info, question) = unsafe { (&*info, &mut *question.cast::<Question>()) };
    question.counters = (info.dlpi_adds, info.dlpi_subs);
    if question.counters == question.known {
        return 1;
    }
    if let Some(module) = Module::new(info) {
        let place = question.all.as_slice().partition_point(|other| other.start <= module.start);
        question.is_complete &= question.all.insert(place, module);
    }
    0
}

/// Forgets the lock of a thread that does not exist in a forked child.
///
/// # Safety
/// As for [`Lock::reset_after_fork`].
pub unsafe fn reset_after_fork() {
    // SAFETY: the same conditions.
    unsafe { MODULES.reset_after_fork() };
}

/// The range of a function that some loaded file exports; empty if there is none.
pub fn function(name: &CStr) -> core::ops::Range<usize> {
    const RTLD_DL_SYMENT: c_int = 1;
    // SAFETY: the name ends in NUL.
    let at = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    let mut info = core::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let mut symbol: *const libc::Elf64_Sym = null();
    // SAFETY: both places are of the types that this question is answered in.
    let found = unsafe { libc::dladdr1(at, info.as_mut_ptr(), (&raw mut symbol).cast(), RTLD_DL_SYMENT) };
    if at.is_null() || found == 0 || symbol.is_null() {
        return 0..0;
    }
    // SAFETY: the answer is an entry of a loaded file's symbol table.
    let bytes = unsafe { (*symbol).st_size } as usize;
    at as usize..at as usize + bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "it asks the kernel or the loader for what Miri has not")]
    fn a_function_is_in_its_module() {
        let here = a_function_is_in_its_module as *const () as usize;
        let module = find(here).0.expect("this program is loaded");
        assert!((module.start..module.end).contains(&here));
        assert_eq!(module.name(), b"");
        assert!(module.unwind_index().is_some());
        let malloc = function(c"malloc");
        let library = find(malloc.start).0.expect("the C library is loaded");
        assert!(library.name().windows(5).any(|part| part == b"libc."), "{:?}", library.name());
        assert!(library.build_id().len() >= 8 && malloc.len() > 16);
        assert!(find(1).0.is_none());
    }
}
