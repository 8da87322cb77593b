//! The import tables of everything that is loaded. When this library was loaded late, by `dlopen`, nobody looks for its
//! functions: then the entries by which objects call the functions that we replace are changed to ours, where they stand.
//!
//! Objects that are loaded later are changed when somebody looks a symbol up, as every import of a Python extension does
//! before it calls anything; so what a library allocates while it is loaded is not seen. An entry is changed only if it leads
//! to the very function that the hook calls. Nothing is ever changed back: hooks that are inert only call what they hook.

use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use crate::lock::Lock;
use crate::{hooks, sys};

/// Whether import tables are changed at all.
static IS_ON: AtomicBool = AtomicBool::new(false);
/// How many objects had ever been loaded when the tables were changed last.
static LOADED: AtomicU64 = AtomicU64::new(0);
/// Two threads that change a table would take each other's access away.
static CHANGING: Lock<()> = Lock::new(());

#[cfg(target_arch = "x86_64")]
mod kind {
    pub const JUMP_SLOT: u32 = 7;
    pub const GLOBAL: u32 = 6;
    pub const ABSOLUTE: u32 = 1;
}
#[cfg(target_arch = "aarch64")]
mod kind {
    pub const JUMP_SLOT: u32 = 1026;
    pub const GLOBAL: u32 = 1025;
    pub const ABSOLUTE: u32 = 257;
}

const DT_PLTRELSZ: i64 = 2;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_RELA: i64 = 7;
const DT_RELASZ: i64 = 8;
const DT_JMPREL: i64 = 23;

/// Changes the tables of all that is loaded, and from now on of what is loaded later.
pub fn change_all() {
    IS_ON.store(true, Ordering::Relaxed);
    change();
}

/// Whether the program's own functions are called by way of tables that were changed.
pub fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// To be called when a symbol is looked up: changes the tables of what was loaded since.
pub fn change_new() {
    if is_on() {
        change();
    }
}

fn change() {
    let _errno = sys::ErrnoGuard::new();
    let mut loaded = 0;
    // SAFETY: the function has the right type, and its argument lives during the call.
    unsafe { libc::dl_iterate_phdr(Some(note_loaded), (&raw mut loaded).cast()) };
    if LOADED.swap(loaded, Ordering::Relaxed) != loaded {
        let _changing = CHANGING.lock();
        // SAFETY: as above.
        unsafe { libc::dl_iterate_phdr(Some(change_object), core::ptr::null_mut()) };
    }
}

/// Each object tells how many were loaded, so the first is enough.
unsafe extern "C" fn note_loaded(info: *mut libc::dl_phdr_info, _: usize, loaded: *mut c_void) -> c_int {
    // SAFETY: the loader's record, and the number that `change` waits for.
    unsafe { *loaded.cast::<u64>() = (*info).dlpi_adds };
    1
}

/// One entry of a relocation table.
#[repr(C)]
#[derive(Clone, Copy)]
struct Relocation {
    offset: u64,
    info: u64,
    addend: i64,
}

/// What the dynamic section of an object says.
struct Object {
    base: usize,
    strings: usize,
    symbols: usize,
    /// The part that the loader has made read-only, from and to.
    read_only: (usize, usize),
}

unsafe extern "C" fn change_object(info: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
    // SAFETY: the loader's record of an object that stays loaded during the call: its lock is held.
    let (base, headers) = unsafe {
        let info = &*info;
        let headers = core::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into());
        (info.dlpi_addr as usize, headers)
    };
    let own = (&raw const IS_ON) as usize;
    let inside = |header: &libc::Elf64_Phdr, at: usize| {
        at.wrapping_sub(base + header.p_vaddr as usize) < header.p_memsz as usize
    };
    if headers.iter().any(|header| header.p_type == libc::PT_LOAD && inside(header, own)) {
        return 0;
    }
    let part = |kind: u32| headers.iter().find(|header| header.p_type == kind);
    let Some(dynamic) = part(libc::PT_DYNAMIC) else { return 0 };
    let read_only = part(libc::PT_GNU_RELRO).map_or((0, 0), |header| {
        let start = base + header.p_vaddr as usize;
        (start, start + header.p_memsz as usize)
    });
    let mut object = Object { base, strings: 0, symbols: 0, read_only };
    let (mut tables, mut bytes) = ([0usize; 2], [0usize; 2]);
    let mut at = (base + dynamic.p_vaddr as usize) as *const [i64; 2];
    loop {
        // SAFETY: the section ends with a tag of 0.
        let [tag, value] = unsafe { at.read() };
        // The loader has made addresses of most of them; in the kernel's own object they are offsets.
        let address = if (value as usize) < base { base + value as usize } else { value as usize };
        let [relocations, calls] = &mut tables;
        let [relocation_bytes, call_bytes] = &mut bytes;
        match tag {
            0 => break,
            DT_STRTAB => object.strings = address,
            DT_SYMTAB => object.symbols = address,
            DT_RELA => *relocations = address,
            DT_JMPREL => *calls = address,
            DT_RELASZ => *relocation_bytes = value as usize,
            DT_PLTRELSZ => *call_bytes = value as usize,
            _ => {}
        }
        at = at.wrapping_add(1);
    }
    if object.strings != 0 && object.symbols != 0 {
        for (table, bytes) in tables.into_iter().zip(bytes).filter(|(table, _)| *table != 0) {
            // SAFETY: the table has so many bytes, and is never written after loading.
            let table = unsafe {
                core::slice::from_raw_parts(table as *const Relocation, bytes / size_of::<Relocation>())
            };
            for relocation in table {
                // SAFETY: a relocation of this object.
                unsafe { object.change(relocation) };
            }
        }
    }
    0
}

impl Object {
    /// # Safety
    ///
    /// It must be a relocation of this object, which stays loaded.
    unsafe fn change(&self, relocation: &Relocation) {
        let (kind, symbol) = (relocation.info as u32, (relocation.info >> 32) as usize);
        let is_import = match kind {
            kind::JUMP_SLOT | kind::GLOBAL => true,
            kind::ABSOLUTE => relocation.addend == 0,
            _ => false,
        };
        if !is_import || symbol == 0 {
            return;
        }
        // SAFETY: a symbol of this object, whose first word is the place of its name.
        let name = unsafe {
            let symbol = (self.symbols as *const [u64; 3]).add(symbol).cast::<u32>().read();
            CStr::from_ptr((self.strings + symbol as usize) as *const _)
        };
        let Some((real, hook)) = hooks::replacement(name) else { return };
        let entry = (self.base + relocation.offset as usize) as *mut *mut c_void;
        // SAFETY: the entry is a word of the object, which other threads may read at any time.
        let word = unsafe { AtomicPtr::from_ptr(entry) };
        let found = word.load(Ordering::Relaxed);
        // A call that was never made leads to the loader, which is in the same object.
        let is_waiting = kind == kind::JUMP_SLOT && self.is_own(found);
        if found == real || (is_waiting && hooks::is_usual(name, real)) {
            let protect = |protection: c_int| {
                let is_protected = (self.read_only.0..self.read_only.1).contains(&(entry as usize));
                // SAFETY: takes a number.
                let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(1) as usize;
                let start = entry as usize & !(page - 1);
                // SAFETY: the page is the object's; nothing but this entry is written meanwhile.
                !is_protected || unsafe { libc::syscall(libc::SYS_mprotect, start, page, protection) } == 0
            };
            if protect(libc::PROT_READ | libc::PROT_WRITE) {
                word.store(hook, Ordering::Release);
                protect(libc::PROT_READ);
            }
        }
    }

    /// Whether an address is near this object: in the part that jumps to the loader.
    fn is_own(&self, address: *mut c_void) -> bool {
        let mut info = core::mem::MaybeUninit::<libc::Dl_info>::zeroed();
        // SAFETY: the structure is as long as the call writes, and zeros are valid in it.
        unsafe {
            libc::dladdr(address, info.as_mut_ptr()) != 0
                && info.assume_init().dli_fbase as usize == self.first_byte()
        }
    }

    /// Where the object begins, as `dladdr` says it.
    fn first_byte(&self) -> usize {
        let mut info = core::mem::MaybeUninit::<libc::Dl_info>::zeroed();
        // SAFETY: as in `is_own`.
        unsafe {
            if libc::dladdr(self.symbols as *const c_void, info.as_mut_ptr()) == 0 {
                return 0;
            }
            info.assume_init().dli_fbase as usize
        }
    }
}
