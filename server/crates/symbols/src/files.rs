//! Where the files with symbols and debug information are.

use std::env;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::CrcReader;
use object::Object;
use object::read::ReadCache;

/// Folders that have files by their build ids.
#[derive(Clone, Debug, Default)]
pub struct Folders {
    /// `/usr/lib/debug`: files by build id and by path.
    pub debug: Vec<PathBuf>,
    /// What the client of debuginfod has fetched before.
    pub fetched: Vec<PathBuf>,
}

impl Folders {
    /// The usual ones of this machine and this user.
    #[must_use]
    pub fn usual() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = variable("HOME");
        let fetched = match variable("DEBUGINFOD_CACHE_PATH") {
            Some(folder) => vec![folder],
            None => {
                let cache = variable("XDG_CACHE_HOME").or_else(|| Some(home.clone()?.join(".cache")));
                let old = home.map(|home| home.join(".debuginfod_client_cache"));
                cache.map(|cache| cache.join("debuginfod_client")).into_iter().chain(old).collect()
            }
        };
        Self { debug: vec![PathBuf::from("/usr/lib/debug")], fetched }
    }

    /// The loaded file itself, where only its build id is known.
    #[must_use]
    pub fn executable(&self, build_id: &str) -> Option<PathBuf> {
        self.fetched_file(build_id, "executable")
    }

    /// The file with the debug information that was taken out of a loaded file; `own` is that, if it is there.
    #[must_use]
    pub fn debug_file(&self, own: Option<&Path>, build_id: &str) -> Option<PathBuf> {
        let (first, rest) = build_id.split_at_checked(2).unwrap_or_default();
        let by_build_id = || {
            let name = format!("{rest}.debug");
            let files = self.debug.iter().map(|folder| folder.join(".build-id").join(first).join(&name));
            files.filter(|_| !rest.is_empty()).find(|file| file.is_file())
        };
        let fetched = || self.fetched_file(build_id, "debuginfo");
        by_build_id().or_else(fetched).or_else(|| self.linked(own?))
    }

    fn fetched_file(&self, build_id: &str, kind: &str) -> Option<PathBuf> {
        // A build id that is no hexadecimal number would be a path.
        let is_number = !build_id.is_empty() && build_id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let files = self.fetched.iter().map(|folder| folder.join(build_id).join(kind));
        files.filter(|_| is_number).find(|file| file.is_file() && is_of_build(file, build_id))
    }

    /// The file that a loaded file names itself, with a checksum.
    fn linked(&self, own: &Path) -> Option<PathBuf> {
        let (name, checksum) = with_object(own, |object| {
            let (name, checksum) = object.gnu_debuglink().ok()??;
            Some((String::from_utf8(name.to_vec()).ok()?, checksum))
        })?;
        let folder = own.parent()?;
        let beside = [folder.join(&name), folder.join(".debug").join(&name)];
        let inside = folder.strip_prefix("/").unwrap_or(folder);
        let elsewhere = self.debug.iter().map(|debug| debug.join(inside).join(&name));
        beside.into_iter().chain(elsewhere).find(|file| file != own && checksum_of(file) == Some(checksum))
    }

    /// The file that debug files of several programs have in common.
    #[must_use]
    pub fn supplement(&self, debug_file: &Path) -> Option<PathBuf> {
        let name = with_object(debug_file, |object| {
            let (name, _) = object.gnu_debugaltlink().ok()??;
            String::from_utf8(name.to_vec()).ok()
        })?;
        let path = debug_file.parent()?.join(name);
        path.is_file().then_some(path)
    }
}

/// Whether a file has a build id; any file if none is known.
pub fn is_of_build(path: &Path, build_id: &str) -> bool {
    let is_same = |object: &object::File<'_, &ReadCache<File>>| {
        let own = object.build_id().ok()?.unwrap_or_default();
        let digits: String = own.iter().map(|byte| format!("{byte:02x}")).collect();
        (digits == build_id).then_some(())
    };
    build_id.is_empty() && path.is_file() || with_object(path, is_same).is_some()
}

/// Asks an object file something, without reading more of it than needed.
fn with_object<T>(
    path: &Path,
    ask: impl FnOnce(&object::File<'_, &ReadCache<File>>) -> Option<T>,
) -> Option<T> {
    let mut file = File::open(path).ok()?;
    // A pipe or a device could keep us waiting.
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut magic = [0; 4];
    file.read_exact(&mut magic).ok()?;
    file.seek(SeekFrom::Start(0)).ok()?;
    if magic != *b"\x7fELF" {
        return None;
    }
    let cache = ReadCache::new(file);
    ask(&object::File::parse(&cache).ok()?)
}

/// The checksum that debug links have.
fn checksum_of(path: &Path) -> Option<u32> {
    let mut checksum = CrcReader::new(BufReader::with_capacity(1 << 16, File::open(path).ok()?));
    io::copy(&mut checksum, &mut io::sink()).ok()?;
    Some(checksum.crc().sum())
}
