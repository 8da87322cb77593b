//! Whether our library can be loaded into a program that is about to be started: looked up in its file, by a few system
//! calls. The loader of another C library, or for another processor, would complain about it, or refuse to start the program.
//!
//! May run in a child that was made by `vfork`: it changes nothing but its own stack.

use core::ffi::{CStr, c_char, c_int};

use crate::sys;

/// What is about to be started.
#[derive(Clone, Copy)]
pub enum Program<'a> {
    /// A file.
    Path(&'a CStr),
    /// A file in one of the folders of the search path.
    Name(&'a CStr),
    /// An open file.
    Open(c_int),
    /// A file that is named from a folder on.
    In(c_int, &'a CStr),
}

const PATH_BYTES: usize = 4096;
/// A script may be run by a script; the kernel goes so far.
const MOST_SCRIPTS: usize = 5;
/// As much of a file as is read: the headers of a program, and usually its loader's name.
const START_BYTES: usize = 1024;

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

impl Program<'_> {
    /// Whether our variables do no harm in it: it loads the library, or is linked statically and loads nothing.
    #[inline(never)]
    pub fn bears_preload(self) -> bool {
        let bears = match self {
            Self::Path(path) => file_bears(libc::AT_FDCWD, path, MOST_SCRIPTS),
            Self::In(folder, path) => file_bears(folder, path, MOST_SCRIPTS),
            Self::Open(file) => open_file_bears(file, MOST_SCRIPTS),
            Self::Name(name) if name.to_bytes().contains(&b'/') => {
                file_bears(libc::AT_FDCWD, name, MOST_SCRIPTS)
            }
            Self::Name(name) => found(name),
        };
        bears.unwrap_or(false)
    }
}

/// Looks for a name as the C library does.
fn found(name: &CStr) -> Option<bool> {
    // SAFETY: the C library reads the variable at this moment, too.
    let folders = unsafe { libc::getenv(c"PATH".as_ptr()) };
    let folders =
        // SAFETY: values end in NUL.
        if folders.is_null() { c"/bin:/usr/bin" } else { unsafe { CStr::from_ptr(folders) } };
    let mut buffer = [0u8; PATH_BYTES];
    for folder in folders.to_bytes().split(|byte| *byte == b':') {
        let slash: &[u8] = if folder.is_empty() { b"" } else { b"/" };
        let length = folder.len() + slash.len() + name.count_bytes() + 1;
        let Some(path) = buffer.get_mut(..length) else { continue };
        let bytes = folder.iter().chain(slash).chain(name.to_bytes_with_nul());
        for (place, byte) in path.iter_mut().zip(bytes) {
            *place = *byte;
        }
        let Ok(path) = CStr::from_bytes_with_nul(path) else { continue };
        // SAFETY: the path ends in NUL.
        let can_run =
            unsafe { libc::syscall(libc::SYS_faccessat, libc::AT_FDCWD, path.as_ptr(), libc::X_OK) } == 0;
        if can_run && let Some(bears) = file_bears(libc::AT_FDCWD, path, MOST_SCRIPTS) {
            return Some(bears);
        }
    }
    None
}

fn mode(file: c_int) -> Option<u32> {
    let mut stat = core::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the buffer is a stat, which was zeroed.
    unsafe { (libc::fstat(file, stat.as_mut_ptr()) == 0).then(|| stat.assume_init().st_mode) }
}

fn file_bears(folder: c_int, path: &CStr, scripts: usize) -> Option<bool> {
    open_file_bears(sys::File::open_in(folder, path, libc::O_RDONLY | libc::O_NONBLOCK).ok()?.raw(), scripts)
}

/// `None` for what cannot be started at all.
fn open_file_bears(file: c_int, scripts: usize) -> Option<bool> {
    const SET_ID: u32 = libc::S_ISUID | libc::S_ISGID;
    let mode = mode(file)?;
    if mode & libc::S_IFMT != libc::S_IFREG {
        return None;
    }
    if mode & SET_ID != 0 {
        return Some(false);
    }
    let mut start = [0; START_BYTES];
    let start = read_at(file, &mut start, 0);
    if let Some(line) = start.strip_prefix(b"#!") {
        let mut path = [0; 256];
        let path = interpreter(line, &mut path)?;
        return file_bears(libc::AT_FDCWD, path, scripts.checked_sub(1)?);
    }
    if start.starts_with(b"\x7fELF") {
        return elf_bears(file, start);
    }
    // The shell will run it.
    Some(true)
}

/// The interpreter that a script names.
fn interpreter<'a>(line: &[u8], path: &'a mut [u8; 256]) -> Option<&'a CStr> {
    let line = line.split(|byte| *byte == b'\n').next()?.trim_ascii();
    let name = line.split(|byte| byte.is_ascii_whitespace()).next()?;
    path.get_mut(..name.len())?.copy_from_slice(name);
    *path.get_mut(name.len())? = 0;
    CStr::from_bytes_until_nul(path).ok()
}

fn elf_bears(file: c_int, start: &[u8]) -> Option<bool> {
    const CLASS_64_LITTLE: [u8; 2] = [2, 1];
    const HEADER: usize = 56;
    const PT_INTERP: usize = 3;
    let number = |bytes: &[u8], at: usize, length: usize| {
        let bytes = bytes.get(at..at + length)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    };
    if start.get(4..6)? != CLASS_64_LITTLE || number(start, 18, 2)? != usize::from(MACHINE) {
        return Some(false);
    }
    let (table, count) = (number(start, 32, 8)?, number(start, 56, 2)?);
    let mut buffer = [0; HEADER];
    for i in 0..count.min(64) {
        let header = read_at(file, &mut buffer, table.checked_add(i * HEADER)?);
        if number(header, 0, 4)? == PT_INTERP {
            let (offset, length) = (number(header, 8, 8)?, number(header, 32, 8)?);
            let mut name = [0; 256];
            let name = name.get_mut(..length)?;
            let name = read_at(file, name, offset);
            let name = name.rsplit(|byte| *byte == b'/').next()?;
            return Some(name.starts_with(b"ld-linux"));
        }
    }
    Some(true)
}

/// Reads bytes of a file without moving its position.
fn read_at(file: c_int, buffer: &mut [u8], offset: usize) -> &[u8] {
    let at: *mut c_char = buffer.as_mut_ptr().cast();
    // SAFETY: the buffer has that length.
    let read = unsafe { libc::syscall(libc::SYS_pread64, file, at, buffer.len(), offset) };
    buffer.get(..read.max(0) as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    #[cfg_attr(miri, ignore = "it asks the kernel or the loader for what Miri has not")]
    fn programs_of_this_machine_and_their_scripts_bear_it() {
        let folder = std::env::temp_dir().join(format!("heaphint-program-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, bytes: &[u8], mode: u32| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            CString::new(path.as_os_str().as_bytes()).unwrap()
        };
        let bears = |path: &CStr| Program::Path(path).bears_preload();
        let own = std::fs::read("/proc/self/exe").unwrap();
        let with = |at: usize, byte: u8| {
            let mut bytes = own[..START_BYTES].to_vec();
            bytes[at] = byte;
            bytes
        };
        assert!(bears(c"/proc/self/exe"));
        assert!(bears(c"/bin/sh") && Program::Name(c"sh").bears_preload());
        assert!(!bears(c"/bin") && !bears(c"/nowhere") && !Program::Name(c"no-such-program").bears_preload());
        assert!(!bears(&write("narrow", &with(4, 1), 0o755)), "32 bits");
        assert!(!bears(&write("other", &with(18, 3), 0o755)), "another processor");
        let musl: Vec<u8> = {
            let at = own.windows(9).position(|name| name == b"/ld-linux").unwrap();
            let mut bytes = own[..at + START_BYTES].to_vec();
            bytes[at..at + 9].copy_from_slice(b"/ld-musl-");
            bytes
        };
        let musl = write("musl", &musl, 0o755);
        assert!(!bears(&musl), "another C library");
        assert!(!bears(&write("privileged", &own, 0o4755)));
        assert!(bears(&write("script", b"#! /bin/sh -e\nexit 3\n", 0o755)));
        let line = format!("#!{}\n", musl.to_str().unwrap());
        assert!(!bears(&write("musl-script", line.as_bytes(), 0o755)));
        assert!(bears(&write("text", b"exit 3\n", 0o755)));
        let round = write("round", b"", 0o755);
        write("round", format!("#!{}\n", round.to_str().unwrap()).as_bytes(), 0o755);
        assert!(!bears(&round));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
