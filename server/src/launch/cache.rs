//! The user's private cache folder: what is kept from one run to the next.
//!
//! Whoever can write there decides what runs in profiled programs, so owners are checked before each use. It may be
//! emptied at any time, or be missing: nothing may depend on what was kept.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where things may be kept, the best place first. They need not exist.
pub fn folders() -> Vec<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // SAFETY: takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    let private = format!("heaphint-{user}");
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    let temporary = [std::env::temp_dir(), "/tmp".into(), "/dev/shm".into()];
    cache
        .map(|cache| cache.join("heaphint"))
        .into_iter()
        .chain(temporary.into_iter().map(|folder| folder.join(&private)))
        .collect()
}

/// Makes the folder if it is not there yet, and makes sure that it is ours alone.
pub fn make(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    check(folder)
}

/// Makes sure that a folder is there and ours alone.
pub fn check(folder: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() || !is_ours(&metadata) {
        return Err(io::Error::other("it belongs to somebody else, or others may write to it"));
    }
    Ok(())
}

/// The content of a file that is ours alone; empty when it is anything else or longer than `most` bytes.
pub fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut file: File = File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
    let metadata = file.metadata()?;
    let mut bytes = Vec::new();
    if metadata.is_file() && is_ours(&metadata) && metadata.len() <= most as u64 {
        bytes.reserve_exact(metadata.len() as usize);
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Puts a file into a folder that [`make`] has made, in one step: two programs may do this at once.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

/// Ours alone to write.
fn is_ours(metadata: &Metadata) -> bool {
    const OTHERS_WRITE: u32 = 0o022;
    // SAFETY: takes nothing and cannot fail.
    metadata.uid() == unsafe { libc::geteuid() } && metadata.mode() & OTHERS_WRITE == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("heaphint");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(make(&folder).is_err());
        let link = cache.path().join("link");
        std::os::unix::fs::symlink(cache.path(), &link).unwrap();
        assert!(make(&link).is_err());
    }

    #[test]
    fn files_are_private_and_only_private_files_are_read() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("a/heaphint");
        make(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        let path = folder.join("x");
        write(&path, b"content").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read(&path, 7).unwrap(), b"content");
        assert_eq!(read(&path, 6).unwrap(), b"");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        assert_eq!(read(&path, 7).unwrap(), b"");
        write(&path, b"again").unwrap();
        assert_eq!(read(&path, 7).unwrap(), b"again");
        let link = folder.join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read(&link, 7).is_err());
    }
}
