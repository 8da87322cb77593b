//! What interpreters answered when they were asked what they are, kept in the user's cache: to start one only to ask
//! takes as long as many a program.
//!
//! An answer is kept only when nothing but the program's file decides it: the program is CPython itself, or loads it
//! from a library whose name has the version. Scripts, as pyenv has them, and programs that start an interpreter
//! elsewhere, as mise's do, choose anew each time, by folder and environment, and are asked each time. It is believed
//! as long as that file is the same one, by all that the kernel says of it. What was kept can only spare the question:
//! an entry that is stale or damaged has a wrong seal, and the interpreter is asked again.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::cache;
use super::elf::{self, Python};

/// Changes when what is sealed changes.
const SEALED: &[u8] = b"heaphint interpreter 1";
/// No entry is longer, bytes.
const LONGEST: usize = 256;
/// Times of files may be this coarse, seconds: a file that was changed later than that may change once more and look
/// the same.
const COARSEST_TIME: i64 = 2;

/// What an interpreter says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `cpython`, `pypy`, ...
    pub implementation: String,
    /// The 3 of 3.11.
    pub major: u32,
    /// The 11 of 3.11.
    pub minor: u32,
}

impl Answer {
    /// Reads `cpython 3 11`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (implementation, major, minor) = (words.next()?, words.next()?, words.next()?);
        Some(Self {
            implementation: implementation.to_owned(),
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.implementation, self.major, self.minor)
    }
}

/// A program's file as it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// With all links followed.
    path: PathBuf,
    device: u64,
    inode: u64,
    bytes: u64,
    /// When its content was changed last, seconds and nanoseconds since 1970.
    modified: (i64, i64),
    /// When anything about it was changed last; programs cannot set this.
    changed: (i64, i64),
}

impl Subject {
    /// Looks at a program; `None` when it cannot be found.
    pub fn look(program: &Path) -> Option<Self> {
        let path = program.canonicalize().ok()?;
        let metadata = fs::metadata(&path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            path,
        })
    }

    /// What it answered, if that is known and must still hold.
    pub fn recall(&self) -> Option<Answer> {
        let folders = cache::folders();
        folders.iter().filter(|folder| cache::check(folder).is_ok()).find_map(|folder| self.read(folder))
    }

    /// Keeps what it has just answered, if that will hold for as long as its file is the same.
    pub fn keep(&self, answer: &Answer) {
        if !self.is_settled() || !self.decides(answer) || Self::look(&self.path).as_ref() != Some(self) {
            return;
        }
        // Without a place it is asked again the next time.
        let _ = cache::folders().iter().find(|folder| {
            let kept = cache::make(folder).and_then(|()| self.write(folder, answer));
            kept.is_ok()
        });
    }

    /// Whether a change from now on would show.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let latest = self.modified.0.max(self.changed.0);
        i64::try_from(now).is_ok_and(|now| latest + COARSEST_TIME < now)
    }

    /// Whether the file alone decides the answer.
    fn decides(&self, answer: &Answer) -> bool {
        match elf::python(&self.path) {
            Some(Python::Inside) => true,
            Some(Python::Library(minor)) => {
                (answer.implementation.as_str(), answer.major, answer.minor) == ("cpython", 3, minor)
            }
            None => false,
        }
    }

    fn read(&self, folder: &Path) -> Option<Answer> {
        let entry = cache::read(&self.entry(folder), LONGEST).ok()?;
        let (text, seal) = std::str::from_utf8(&entry).ok()?.strip_suffix('\n')?.rsplit_once(' ')?;
        let answer = Answer::parse(text)?;
        (self.seal(&answer) == seal).then_some(answer)
    }

    fn write(&self, folder: &Path, answer: &Answer) -> io::Result<()> {
        let entry = format!("{answer} {}\n", self.seal(answer));
        cache::write(&self.entry(folder), entry.as_bytes())
    }

    /// One file for each program; a new answer takes the place of the old one.
    fn entry(&self, folder: &Path) -> PathBuf {
        let hash = Sha256::digest(self.path.as_os_str().as_bytes());
        folder.join(OsStr::new(&format!("interpreter-{}", &hexadecimal(&hash)[..16])))
    }

    /// Holds the answer and everything it depends on together.
    fn seal(&self, answer: &Answer) -> String {
        let Self { path, device, inode, bytes, modified, changed } = self;
        let mut hash = Sha256::new();
        hash.update(SEALED);
        for number in [*device, *inode, *bytes] {
            hash.update(number.to_le_bytes());
        }
        for number in [modified.0, modified.1, changed.0, changed.1] {
            hash.update(number.to_le_bytes());
        }
        hash.update(path.as_os_str().as_bytes());
        hash.update([0]);
        hash.update(answer.to_string());
        hexadecimal(&hash.finalize())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer() -> Answer {
        Answer::parse("cpython 3 11\n").unwrap()
    }

    /// A program, and a cache that has its answer.
    fn kept() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("python3");
        fs::write(&program, "program").unwrap();
        Subject::look(&program).unwrap().write(folder.path(), &answer()).unwrap();
        (folder, program)
    }

    #[test]
    fn an_answer_holds_as_long_as_the_file_is_the_same() {
        let (folder, program) = kept();
        let known = || Subject::look(&program).unwrap().read(folder.path());
        assert_eq!(known(), Some(answer()));
        // Through a link it is the same file.
        let link = folder.path().join("python");
        std::os::unix::fs::symlink("python3", &link).unwrap();
        assert_eq!(Subject::look(&link).unwrap().read(folder.path()), Some(answer()));

        // As many bytes, and with the old time: only the kernel's own time of the change tells.
        let before = fs::metadata(&program).unwrap();
        let differs = || fs::metadata(&program).unwrap().ctime_nsec() != before.ctime_nsec();
        while !differs() {
            fs::write(&program, "PROGRAM").unwrap();
            fs::File::options()
                .write(true)
                .open(&program)
                .unwrap()
                .set_modified(before.modified().unwrap())
                .unwrap();
        }
        assert_eq!(fs::metadata(&program).unwrap().modified().unwrap(), before.modified().unwrap());
        assert_eq!(known(), None);
    }

    #[test]
    fn another_file_has_another_answer() {
        let (folder, program) = kept();
        let subject = Subject::look(&program).unwrap();
        let entry = subject.entry(folder.path());
        // The same entry under another program's name.
        let other = folder.path().join("other");
        fs::rename(&program, &other).unwrap();
        let moved = Subject::look(&other).unwrap();
        fs::copy(&entry, moved.entry(folder.path())).unwrap();
        assert_eq!(moved.read(folder.path()), None);
        // Another file under the old name.
        fs::copy(&other, &program).unwrap();
        assert_eq!(Subject::look(&program).unwrap().read(folder.path()), None);
        assert_eq!(subject.read(folder.path()), Some(answer()), "the seal is of the first file");
    }

    #[test]
    fn what_was_just_changed_is_not_kept() {
        let (_folder, program) = kept();
        let subject = Subject::look(&program).unwrap();
        assert!(!subject.is_settled());
        let old = |seconds| (subject.modified.0 - seconds, 0);
        assert!(!Subject { modified: old(100), ..subject.clone() }.is_settled());
        assert!(Subject { modified: old(100), changed: old(100), ..subject.clone() }.is_settled());
    }

    #[test]
    fn a_program_that_is_no_interpreter_decides_nothing() {
        let (_folder, program) = kept();
        assert!(!Subject::look(&program).unwrap().decides(&answer()));
        let this = std::env::current_exe().unwrap();
        assert!(!Subject::look(&this).unwrap().decides(&answer()));
    }

    proptest! {
        #[test]
        fn a_damaged_entry_is_no_entry(at in 0_usize..76, byte in any::<u8>(), length in 0_usize..76) {
            let (folder, program) = kept();
            let subject = Subject::look(&program).unwrap();
            let path = subject.entry(folder.path());
            let entry = fs::read(&path).unwrap();
            prop_assert_eq!(entry.len(), 78);
            let mut changed = entry.clone();
            changed[at] = byte;
            fs::write(&path, &changed).unwrap();
            let found = subject.read(folder.path());
            // A blank may become another kind of blank.
            prop_assert!(found.is_none() || found == Some(answer()));
            fs::write(&path, &entry[..length]).unwrap();
            prop_assert_eq!(subject.read(folder.path()), None);
        }
    }
}
