//! What a thread is called, as that changes: the name that Python's `threading` has for it, or the kernel's.
//!
//! Nobody says when a thread is renamed, so it is asked now and then while it allocates. Whichever of its two names has
//! changed last counts; where both have, Python's, of which the kernel keeps 15 bytes. Runs inside an allocation: it
//! must not call Python.

use crate::intern::RawFrame;
use crate::private::{hash, hash_bytes};
use crate::{python, sys};

/// How many of a thread's first events ask: it has no name yet when it begins, and Python cannot be asked while the
/// thread does not hold the GIL.
const FIRST_QUESTIONS: u32 = 64;
/// A thread keeps the last of so many names: each takes room in the capture.
const MOST_NAMES: u32 = 1000;
/// Bytes of a name that are kept.
pub const NAME_BYTES: usize = 256;

/// A thread's names as they were when it was asked last.
pub struct Naming {
    /// How many of the next events are to ask.
    questions: u32,
    asked_ms: u32,
    /// How many names it has had.
    names: u32,
    kernel: u64,
    /// 0 before Python has given a name.
    python: u64,
}

impl Naming {
    pub const fn new() -> Self {
        Self { questions: 0, asked_ms: 0, names: 0, kernel: 0, python: 0 }
    }

    /// A thread begins; its name. The kernel's for the main thread is the program's.
    pub fn begin<'a>(&mut self, buffer: &'a mut [u8; 16], is_main: bool) -> &'a [u8] {
        let name = sys::thread_name(buffer);
        let questions = if is_main { 0 } else { FIRST_QUESTIONS };
        *self = Self { questions, kernel: digest(name), ..Self::new() };
        if is_main { b"MainThread" } else { name }
    }

    /// To be called now and then with the time.
    #[inline]
    pub fn tick(&mut self, now_ms: u32) {
        if self.asked_ms != now_ms && self.names < MOST_NAMES {
            self.asked_ms = now_ms;
            self.questions = self.questions.max(1);
        }
    }

    /// Whether the thread is to be asked at this event.
    #[inline]
    pub fn is_due(&self) -> bool {
        self.questions != 0
    }

    /// Asks: the new name, if it has changed. `frames` are the calling thread's own, just read.
    #[cold]
    pub fn ask<'a>(&mut self, frames: &[RawFrame], buffer: &'a mut [u8; NAME_BYTES]) -> Option<&'a [u8]> {
        self.questions -= 1;
        let is_python_code = |raw: &&RawFrame| !python::is_shim(raw.frame as *const python::Frame);
        if let Some(outermost) = frames.iter().find(is_python_code) {
            let frame = outermost.frame as *const python::Frame;
            // SAFETY: the frame is the outermost one of the calling thread's own chain.
            let length = unsafe { python::thread_name(frame, &outermost.words(), buffer) };
            if let Some(length) = length {
                self.questions = 0;
                let known = core::mem::replace(&mut self.python, digest(buffer.get(..length)?));
                if self.python != known {
                    self.names += 1;
                    self.kernel = digest(sys::thread_name(&mut [0; 16]));
                    return buffer.get(..length);
                }
            }
        }
        let mut kernel = [0; 16];
        let name = sys::thread_name(&mut kernel);
        let known = core::mem::replace(&mut self.kernel, digest(name));
        if self.kernel == known {
            return None;
        }
        self.names += 1;
        let out = buffer.get_mut(..name.len())?;
        out.copy_from_slice(name);
        Some(out)
    }
}

/// A name as a number, which is not 0.
fn digest(name: &[u8]) -> u64 {
    hash(hash_bytes(name), 1) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rename(name: &core::ffi::CStr) {
        // SAFETY: the name is a C string.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) }, 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "it asks the kernel or the loader for what Miri has not")]
    fn the_kernels_name_is_followed() {
        let run = || {
            let mut naming = Naming::new();
            let mut buffer = [0; NAME_BYTES];
            rename(c"first");
            assert_eq!(naming.begin(&mut [0; 16], false), b"first");
            assert_eq!(naming.ask(&[], &mut buffer), None);
            rename(c"second");
            assert!(naming.is_due());
            assert_eq!(naming.ask(&[], &mut buffer), Some(&b"second"[..]));
            while naming.is_due() {
                assert_eq!(naming.ask(&[], &mut buffer), None);
            }
            naming.tick(7);
            assert!(naming.is_due(), "once in a millisecond");
            assert_eq!(naming.ask(&[], &mut buffer), None);
            naming.tick(7);
            assert!(!naming.is_due());
        };
        std::thread::spawn(run).join().unwrap();
    }

    #[test]
    #[cfg_attr(miri, ignore = "it asks the kernel or the loader for what Miri has not")]
    fn the_main_thread_has_the_programs_name_in_the_kernel() {
        let run = || {
            let mut naming = Naming::new();
            assert_eq!(naming.begin(&mut [0; 16], true), b"MainThread");
            assert!(!naming.is_due());
            naming.tick(1);
            assert_eq!(naming.ask(&[], &mut [0; NAME_BYTES]), None);
            rename(c"server: ready");
            naming.tick(2);
            assert_eq!(naming.ask(&[], &mut [0; NAME_BYTES]), Some(&b"server: ready"[..]));
        };
        std::thread::spawn(run).join().unwrap();
    }
}
