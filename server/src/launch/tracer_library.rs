//! The tracer library that travels inside this program, as a file that the loader can open.
//!
//! Whoever can write that file runs code in every profiled program, so its owner and its content are checked before
//! each use.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{LaunchError, cache, shown};

pub(super) static LIBRARY: &[u8] = include_bytes!(env!("HEAPHINT_TRACER_LIBRARY"));
/// Its name has a hash of its content: programs of several versions may share a cache.
const NAME: &str = concat!("tracer-", env!("HEAPHINT_TRACER_HASH"), ".so");

/// A library that somebody asked for.
pub fn given(path: &Path) -> Result<PathBuf, LaunchError> {
    if !path.is_file() {
        return Err(LaunchError::Usage(format!("there is no tracer library {}", shown(path))));
    }
    if !can_be_preloaded(path) {
        return Err(LaunchError::Usage(format!(
            "the loader cannot preload {}: its path must have no blanks and no colons",
            shown(path)
        )));
    }
    Ok(path.to_owned())
}

/// The library inside this program, as a file of the user's cache, or of a private folder where there is no cache.
pub fn install() -> Result<PathBuf, LaunchError> {
    let mut problem = None;
    for folder in cache::folders() {
        if !can_be_preloaded(&folder) {
            continue;
        }
        match install_in(&folder, NAME, LIBRARY) {
            Ok(path) => return Ok(path),
            Err(error) => problem = problem.or(Some(format!("{}: {error}", shown(&folder)))),
        }
    }
    let problem = problem.unwrap_or_else(|| "every folder has blanks or colons in its path".to_owned());
    Err(LaunchError::Io(format!(
        "the tracer library cannot be put into place ({problem}): set XDG_CACHE_HOME to a folder of yours"
    )))
}

/// `LD_PRELOAD` separates names by blanks and colons and knows no escape.
fn can_be_preloaded(path: &Path) -> bool {
    path.is_absolute()
        && !path.as_os_str().as_bytes().iter().any(|byte| *byte == b':' || byte.is_ascii_whitespace())
}

fn install_in(folder: &Path, name: &str, library: &[u8]) -> io::Result<PathBuf> {
    cache::make(folder)?;
    if forbids_execution(folder)? {
        return Err(io::Error::other("nothing there may be executed (noexec)"));
    }
    let path = folder.join(name);
    if !cache::read(&path, library.len()).is_ok_and(|bytes| bytes == library) {
        cache::write(&path, library)?;
    }
    Ok(path)
}

fn forbids_execution(folder: &Path) -> io::Result<bool> {
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes())?;
    let mut facts = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends in NUL, and the structure is filled when the call succeeds.
    let flags = unsafe {
        if libc::statvfs(path.as_ptr(), facts.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        facts.assume_init().f_flag
    };
    Ok(flags & libc::ST_NOEXEC != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_file_is_written_once_and_repaired() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("heaphint");
        let install = || install_in(&folder, "tracer.so", b"library").unwrap();
        let path = install();
        assert_eq!(fs::read(&path).unwrap(), b"library");
        let first = fs::metadata(&path).unwrap().ino();
        assert_eq!(install(), path);
        assert_eq!(fs::metadata(&path).unwrap().ino(), first);

        fs::write(&path, b"libRary").unwrap();
        install();
        assert_eq!(fs::read(&path).unwrap(), b"library");
    }

    #[test]
    fn paths_that_the_loader_would_split_are_refused() {
        assert!(can_be_preloaded(Path::new("/home/me/.cache/heaphint")));
        assert!(!can_be_preloaded(Path::new("/home/m e/.cache")));
        assert!(!can_be_preloaded(Path::new("/home/a:b")));
        assert!(!can_be_preloaded(Path::new("relative")));
    }

    #[test]
    fn the_library_inside_is_a_shared_object_for_this_machine() {
        assert!(LIBRARY.starts_with(b"\x7fELF\x02\x01"));
        assert!(LIBRARY.len() < 200_000, "{} bytes", LIBRARY.len());
    }
}
