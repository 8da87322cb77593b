//! The functions behind our hooks: the next definition of each name, usually the C library's.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// One function, found when it is first needed.
pub struct Real {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

impl Real {
    const fn new(name: &'static CStr) -> Self {
        Self { name, found: AtomicPtr::new(null_mut()) }
    }

    /// Its address; null when the C library has no such function.
    #[inline]
    pub fn address(&self) -> *mut c_void {
        let found = self.found.load(Ordering::Relaxed);
        if found.is_null() { self.find() } else { found }
    }

    #[cold]
    fn find(&self) -> *mut c_void {
        let Some(dlsym) = next_symbol() else { return null_mut() };
        // SAFETY: the name ends in NUL, and the function is the C library's `dlsym`.
        let found = unsafe { dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        self.found.store(found, Ordering::Relaxed);
        found
    }
}

macro_rules! real {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(
            #[doc = concat!("The next `", stringify!($name), "`.")]
            #[allow(non_upper_case_globals, reason = "named as the function it stands for")]
            pub static $name: Real = {
                const NAME: &str = concat!(stringify!($name), "\0");
                match CStr::from_bytes_with_nul(NAME.as_bytes()) {
                    Ok(name) => Real::new(name),
                    Err(_) => panic!("a name with a NUL"),
                }
            };
        )*
        /// Calls the functions by their types.
        pub mod call {
            use super::*;
            $(
                #[doc = concat!("Calls the next `", stringify!($name), "`.")]
                ///
                /// # Safety
                /// As for the function itself, which must exist.
                #[inline]
                pub unsafe fn $name($($argument: $type),*) -> $result {
                    type Function = unsafe extern "C" fn($($type),*) -> $result;
                    // SAFETY: the symbol of this name has this type, and the caller keeps its conditions.
                    unsafe {
                        core::mem::transmute::<*mut c_void, Function>(super::$name.address())($($argument),*)
                    }
                }
            )*
        }
    };
}

real! {
    malloc(bytes: usize) -> *mut c_void;
    calloc(count: usize, bytes: usize) -> *mut c_void;
    realloc(block: *mut c_void, bytes: usize) -> *mut c_void;
    free(block: *mut c_void) -> ();
    posix_memalign(block: *mut *mut c_void, alignment: usize, bytes: usize) -> c_int;
    aligned_alloc(alignment: usize, bytes: usize) -> *mut c_void;
    memalign(alignment: usize, bytes: usize) -> *mut c_void;
    valloc(bytes: usize) -> *mut c_void;
    pvalloc(bytes: usize) -> *mut c_void;
    mmap(at: *mut c_void, bytes: usize, protection: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void;
    munmap(at: *mut c_void, bytes: usize) -> c_int;
    mremap(at: *mut c_void, old: usize, new: usize, flags: c_int, new_address: *mut c_void) -> *mut c_void;
    dlclose(handle: *mut c_void) -> c_int;
    _exit(status: c_int) -> ();
    execve(path: *const c_char, arguments: *const *const c_char, environment: *const *const c_char) -> c_int;
    execvpe(file: *const c_char, arguments: *const *const c_char, environment: *const *const c_char) -> c_int;
    fexecve(file: c_int, arguments: *const *const c_char, environment: *const *const c_char) -> c_int;
    posix_spawn(
        pid: *mut libc::pid_t, path: *const c_char, actions: *const c_void, attributes: *const c_void,
        arguments: *const *const c_char, environment: *const *const c_char
    ) -> c_int;
    posix_spawnp(
        pid: *mut libc::pid_t, file: *const c_char, actions: *const c_void, attributes: *const c_void,
        arguments: *const *const c_char, environment: *const *const c_char
    ) -> c_int;
    system(command: *const c_char) -> c_int;
    wait4(pid: libc::pid_t, status: *mut c_int, options: c_int, usage: *mut c_void) -> libc::pid_t;
}

type DlSym = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;

static DLSYM: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// The C library's `dlsym`: our own hook of it has taken its name. `None` when it cannot be found, which is so in a
/// process whose C library comes before us in the search order, or is no glibc.
pub fn next_symbol() -> Option<DlSym> {
    let mut found = DLSYM.load(Ordering::Relaxed);
    if found.is_null() {
        // The symbol's version says when it moved to libc; older C libraries have the version of their port.
        for version in [c"GLIBC_2.34", c"GLIBC_2.2.5", c"GLIBC_2.17"] {
            // SAFETY: both strings end in NUL.
            found = unsafe { libc::dlvsym(libc::RTLD_NEXT, c"dlsym".as_ptr(), version.as_ptr()) };
            if !found.is_null() {
                break;
            }
        }
        DLSYM.store(found, Ordering::Relaxed);
    }
    // SAFETY: the symbol `dlsym` has this type, and a null pointer is `None`.
    unsafe { core::mem::transmute::<*mut c_void, Option<DlSym>>(found) }
}

/// The address that a name has in this process, null if it has none.
pub fn symbol(name: &CStr) -> *mut c_void {
    // SAFETY: the name ends in NUL, and the function is the C library's `dlsym`.
    next_symbol().map_or(null_mut(), |dlsym| unsafe { dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}

/// Memory for what `dlsym` itself allocates while it looks for the allocator. It is never given back.
struct Bootstrap {
    used: AtomicUsize,
    bytes: UnsafeCell<[u8; BOOTSTRAP_BYTES]>,
}

const BOOTSTRAP_BYTES: usize = 16 * 1024;
// SAFETY: parts are handed out once, by an atomic counter.
unsafe impl Sync for Bootstrap {}
static BOOTSTRAP: Bootstrap =
    Bootstrap { used: AtomicUsize::new(0), bytes: UnsafeCell::new([0; BOOTSTRAP_BYTES]) };

/// Zeroed memory from the bootstrap area, null when it is used up.
pub fn bootstrap_alloc(bytes: usize) -> *mut c_void {
    let bytes = bytes.saturating_add(15) & !15;
    let start = BOOTSTRAP.used.fetch_add(bytes.saturating_add(16), Ordering::Relaxed);
    if start.saturating_add(bytes).saturating_add(16) > BOOTSTRAP_BYTES {
        return null_mut();
    }
    let base = BOOTSTRAP.bytes.get().cast::<u8>();
    // SAFETY: the part lies inside the area; aligning it up uses the 16 spare bytes.
    unsafe { base.add(start).add((16 - base.add(start) as usize % 16) % 16).cast() }
}

/// Whether an address is from [`bootstrap_alloc`].
#[inline]
pub fn is_bootstrap(address: *mut c_void) -> bool {
    (address as usize).wrapping_sub(BOOTSTRAP.bytes.get() as usize) < BOOTSTRAP_BYTES
}

/// Copies a block of the bootstrap area, whose length is unknown, into a new block of `bytes`: as much as there can
/// be of it.
///
/// # Safety
/// `from` is from [`bootstrap_alloc`], and `to` has room for `bytes`.
pub unsafe fn copy_bootstrap(from: *mut c_void, to: *mut c_void, bytes: usize) {
    let end = BOOTSTRAP.bytes.get() as usize + BOOTSTRAP_BYTES;
    let most = bytes.min(end - from as usize);
    // SAFETY: the source ends with the area.
    unsafe { to.cast::<u8>().copy_from_nonoverlapping(from.cast(), most) };
}

/// Whether the allocator has been found, so that calls to it do not lead back to `dlsym`.
#[inline]
pub fn is_ready() -> bool {
    !malloc.found.load(Ordering::Relaxed).is_null()
}

/// Finds everything; from the constructor. `false` when something is missing: then no hook is ever called, since the
/// program calls the C library directly.
pub fn find_all() -> bool {
    [
        &malloc,
        &calloc,
        &realloc,
        &free,
        &posix_memalign,
        &aligned_alloc,
        &memalign,
        &valloc,
        &pvalloc,
        &mmap,
        &munmap,
        &mremap,
        &_exit,
        &execve,
        &execvpe,
        &fexecve,
        &posix_spawn,
        &posix_spawnp,
        &system,
        &wait4,
    ]
    .iter()
    .all(|real| !real.address().is_null())
}
