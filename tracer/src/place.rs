//! Where the captures of a session go: what each is called, and how many there may be.

use core::ffi::CStr;
use core::mem::offset_of;

use heaphint_format::{EXIT_UNKNOWN, Header, MAGIC, PAGE, PROCESS_OFFSET, Process, Record};

use crate::sys;

/// Programs that fork or start programs on and on would fill the disk.
pub const MOST_CAPTURES: usize = 1000;
/// How many programs one process may be, one after the other, and captures of older processes with its number.
pub const MOST_IMAGES: u32 = 100;

/// What a capture is called by the launcher: `%p` stands for the process id; without it the id goes before the extension
/// if it is asked for.
#[derive(Clone, Copy)]
pub struct Pattern<'a>(pub &'a [u8]);

impl<'a> Pattern<'a> {
    /// What comes before and after the process id; whether it is always there.
    fn parts(self) -> Option<(&'a [u8], &'a [u8], bool)> {
        if let Some(at) = self.0.windows(2).rposition(|pair| pair == b"%p") {
            return Some((self.0.get(..at)?, self.0.get(at + 2..)?, true));
        }
        let name = self.name_at();
        let dot = self.0.get(name..)?.iter().rposition(|byte| *byte == b'.');
        let (before, after) = self.0.split_at_checked(dot.map_or(self.0.len(), |dot| name + dot))?;
        Some((before, after, false))
    }

    /// Where the name begins, behind the folder.
    fn name_at(self) -> usize {
        self.0.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1)
    }

    /// The path of a process's capture. Image 0 has the plain name, 1 has the process id in it, and further ones have their
    /// number, too: `app.4711.heaphint`, `app.4711-2.heaphint`.
    pub fn path(self, pid: u32, image: u32, path: &mut [u8]) -> Option<&CStr> {
        if self.0.is_empty() {
            return None;
        }
        let (before, after, always) = self.parts()?;
        let mut digits = ([0; 10], [0; 10]);
        let mut out = Writer { buffer: path, used: 0 };
        out.write(before)?;
        if always || image > 0 {
            out.write(if always { b"" } else { b"." })?;
            out.write(decimal(pid, &mut digits.0))?;
        }
        if image > 1 {
            out.write(b"-")?;
            out.write(decimal(image, &mut digits.1))?;
        }
        out.write(after)?;
        out.write(b"\0")?;
        let used = out.used;
        CStr::from_bytes_with_nul(path.get(..used)?).ok()
    }

    /// Whether a process of the session may have given its capture this name.
    fn is_of(self, name: &[u8]) -> bool {
        let Some((before, after, always)) = self.parts() else { return false };
        let Some(before) = before.get(self.name_at()..) else { return false };
        let number = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let number = number.and_then(|rest| if always { Some(rest) } else { rest.strip_prefix(b".") });
        number.is_some_and(|number| number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-'))
    }

    /// Whether the session that began at `started_ms` has as many captures as it may have.
    pub fn is_full(self, started_ms: u64) -> bool {
        let mut folder = [0; 4096];
        let Some(folder) = self.folder(&mut folder) else { return false };
        // Usually there are few, and then it does not matter whose they are.
        self.count(folder, |_| true) >= MOST_CAPTURES
            && self.count(folder, |file| is_since(file, started_ms)) >= MOST_CAPTURES
    }

    /// Writes into the capture of what a process of the session was last how that ended, if it has not done so itself.
    pub fn note_end(self, pid: u32, session: u64, status: i32) {
        let mut page = [0; PAGE];
        let mut last = None;
        for image in 0..=MOST_IMAGES {
            let Some(path) = self.path(pid, image, &mut page) else { return };
            match sys::File::open(path, libc::O_RDWR | libc::O_NONBLOCK) {
                Ok(file) => last = Some(file),
                // The plain name is the first process's, and may be another one in its folder.
                Err(_) if image == 0 => {}
                Err(_) => break,
            }
        }
        let Some(file) = last else { return };
        file.read(&mut page);
        let has = |at: usize, bytes: &[u8]| page.get(at..).is_some_and(|rest| rest.starts_with(bytes));
        if has(offset_of!(Header, magic), &MAGIC)
            && has(offset_of!(Header, pid), &pid.to_le_bytes())
            && has(offset_of!(Header, exit_status), &EXIT_UNKNOWN.to_le_bytes())
            && has(PROCESS_OFFSET + offset_of!(Process, session), &session.to_le_bytes())
        {
            file.write_at(offset_of!(Header, exit_status) as u64, &status.to_le_bytes());
        }
    }

    fn folder(self, path: &mut [u8]) -> Option<&CStr> {
        let folder = match self.name_at() {
            0 => b".",
            at => self.0.get(..at)?,
        };
        path.get_mut(..folder.len())?.copy_from_slice(folder);
        *path.get_mut(folder.len())? = 0;
        CStr::from_bytes_until_nul(path).ok()
    }

    /// How many captures are in the folder, as far as it can be read.
    fn count(self, folder: &CStr, is_counted: impl Fn(Option<sys::File>) -> bool) -> usize {
        const NAME: usize = 19;
        let Ok(folder) = sys::File::open(folder, libc::O_RDONLY | libc::O_DIRECTORY) else { return 0 };
        let mut buffer = [0; 4096];
        let mut count = 0;
        loop {
            // SAFETY: the buffer has that length.
            let read = unsafe {
                libc::syscall(libc::SYS_getdents64, folder.raw(), buffer.as_mut_ptr(), buffer.len())
            };
            let mut entries = buffer.get(..read.max(0) as usize).unwrap_or_default();
            if entries.is_empty() {
                return count;
            }
            while let Some(length) =
                entries.get(16..18).and_then(|it| it.try_into().ok()).map(u16::from_le_bytes)
            {
                let Some((entry, rest)) = entries.split_at_checked(length.into()) else { break };
                let name = entry.get(NAME..).and_then(|name| CStr::from_bytes_until_nul(name).ok());
                if let Some(name) = name
                    && self.is_of(name.to_bytes())
                    && is_counted(
                        sys::File::open_in(folder.raw(), name, libc::O_RDONLY | libc::O_NONBLOCK).ok(),
                    )
                {
                    count += 1;
                }
                entries = rest;
            }
        }
    }
}

/// Whether a capture was begun since then.
fn is_since(file: Option<sys::File>, started_ms: u64) -> bool {
    let mut bytes = [0; Header::BYTES];
    file.is_some_and(|file| file.read(&mut bytes) == bytes.len())
        && Header::decode(&bytes)
            .is_some_and(|header| header.magic == MAGIC && header.started_unix_ms >= started_ms)
}

struct Writer<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

impl Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> Option<()> {
        self.buffer.get_mut(self.used..self.used + bytes.len())?.copy_from_slice(bytes);
        self.used += bytes.len();
        Some(())
    }
}

fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut first = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        first = at;
        if number == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(pattern: &str, image: u32) -> String {
        let mut buffer = [0; 64];
        let path = Pattern(pattern.as_bytes()).path(4711, image, &mut buffer);
        path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
    }

    #[test]
    fn a_capture_has_the_process_id_where_it_is_asked_for() {
        assert_eq!(path("/tmp/app.py.%p.heaphint", 0), "/tmp/app.py.4711.heaphint");
        assert_eq!(path("/tmp/app.py.%p.heaphint", 1), "/tmp/app.py.4711.heaphint");
        assert_eq!(path("/tmp/app.py.%p.heaphint", 2), "/tmp/app.py.4711-2.heaphint");
        assert_eq!(path("/tmp/app.heaphint", 0), "/tmp/app.heaphint");
        assert_eq!(path("/tmp/app.heaphint", 1), "/tmp/app.4711.heaphint");
        assert_eq!(path("/tmp/app.heaphint", 12), "/tmp/app.4711-12.heaphint");
        assert_eq!(path("/t.mp/app", 1), "/t.mp/app.4711");
        assert_eq!(path("", 0), "");
    }

    #[test]
    #[cfg_attr(miri, ignore = "it asks the kernel for what Miri has not")]
    fn how_a_child_ended_is_written_once_and_into_its_last_capture_of_the_session() {
        let folder = std::env::temp_dir().join(format!("heaphint-ends-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let capture = |name: &str, pid, session| {
            let header = Header { magic: MAGIC, pid, exit_status: EXIT_UNKNOWN, ..Header::default() };
            let mut bytes = [0; PAGE];
            header.encode(&mut bytes).unwrap();
            let process = Process { session, ..Process::default() };
            process.encode(&mut bytes[PROCESS_OFFSET..]).unwrap();
            std::fs::write(folder.join(name), bytes).unwrap();
        };
        let status = |name: &str| {
            Header::decode(&std::fs::read(folder.join(name)).unwrap()).map(|header| header.exit_status)
        };
        let text = folder.join("app.heaphint").to_str().unwrap().to_owned();
        let pattern = Pattern(text.as_bytes());
        for (name, pid) in [("app.heaphint", 1), ("app.7.heaphint", 7), ("app.7-2.heaphint", 7)] {
            capture(name, pid, 5);
        }
        pattern.note_end(7, 6, -9);
        assert_eq!(status("app.7-2.heaphint"), Some(EXIT_UNKNOWN), "another session's");
        pattern.note_end(7, 5, -9);
        pattern.note_end(7, 5, 3);
        assert_eq!(status("app.7-2.heaphint"), Some(-9));
        assert_eq!(status("app.7.heaphint"), Some(EXIT_UNKNOWN));
        pattern.note_end(8, 5, -9);
        assert_eq!(status("app.heaphint"), Some(EXIT_UNKNOWN), "another process's");
        assert_eq!(std::fs::metadata(folder.join("app.7-2.heaphint")).unwrap().len(), PAGE as u64);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    #[cfg_attr(miri, ignore = "it asks the kernel for what Miri has not")]
    fn the_captures_of_a_session_are_counted() {
        let folder = std::env::temp_dir().join(format!("heaphint-place-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let capture = |name: &str, started_unix_ms| {
            let header = Header { magic: MAGIC, started_unix_ms, ..Header::default() };
            let mut bytes = [0; Header::BYTES];
            header.encode(&mut bytes).unwrap();
            std::fs::write(folder.join(name), bytes).unwrap();
        };
        for pid in 0..MOST_CAPTURES - 1 {
            capture(&format!("app.{pid}.heaphint"), 100 + pid as u64);
        }
        std::fs::write(folder.join("app.x.heaphint"), "").unwrap();
        std::fs::write(folder.join("application.1.heaphint"), "").unwrap();
        let full = |started_ms| {
            let pattern = folder.join("app.heaphint");
            Pattern(pattern.to_str().unwrap().as_bytes()).is_full(started_ms)
        };
        assert!(!full(100));
        capture("app.7-2.heaphint", 100);
        assert!(full(100));
        assert!(!full(101), "older ones are of another session");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
