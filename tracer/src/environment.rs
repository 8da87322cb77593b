//! Our variables in the environment.
//!
//! The launcher sets them. They are taken out as soon as this library is loaded, in every process, and put into the
//! environment of each program that is started (`hooks/exec.rs`): so no program sees them, whether it is Python or not,
//! and yet Python is recorded wherever it is started. Only a program that this library cannot be loaded into, because it is
//! linked statically, sees them and passes them on.

use core::ffi::{CStr, c_char, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use crate::private::Array;
use crate::sys;

pub const CAPTURE: &CStr = c"HEAPHINT_CAPTURE";
pub const PROJECT: &CStr = c"HEAPHINT_PROJECT";
pub const MODES: &CStr = c"HEAPHINT_MODES";
/// A number that all captures of a run have; its first 42 bits are when it began, milliseconds since 1970-01-01 UTC.
pub const SESSION: &CStr = c"HEAPHINT_SESSION";
/// `plain` reads every frame at every walk and writes nothing into frames.
pub const WALK: &CStr = c"HEAPHINT_WALK";
/// For tests: a number that makes every run of a program sample alike.
pub const SAMPLE_SEED: &CStr = c"HEAPHINT_SAMPLE_SEED";
/// The process id of the recorded process that started this one, maybe by way of others.
pub const PARENT: &CStr = c"HEAPHINT_PARENT";
const PRELOAD: &CStr = c"LD_PRELOAD";
/// Holds what `LD_PRELOAD` was. Without the first part it is the entry that is to be put back.
const PREVIOUS_PRELOAD: &CStr = c"HEAPHINT_LD_PRELOAD";
const PREFIX: &str = "HEAPHINT_";
/// Of a single process: no program that it starts gets them.
const TESTS: [&CStr; 2] = [c"HEAPHINT_CRASH_AT", c"HEAPHINT_EVENT_LOG"];
/// Those that are passed on as they are.
const LASTING: [&CStr; 6] = [CAPTURE, PROJECT, MODES, SESSION, WALK, SAMPLE_SEED];
/// How many entries [`Carried::add_to`] adds at most, with the null pointer at the end.
pub const MOST_ADDED: usize = LASTING.len() + 4;

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

/// The program's environment, as the C library has it.
pub fn of_program() -> *const *const c_char {
    // SAFETY: reads a word; programs change it as they like.
    unsafe { environ }.cast_const().cast()
}

/// What programs that are started are told: texts that each end in NUL. The first is the path of this library, the others
/// are entries of an environment.
pub struct Carried(Array<u8>);

static CARRIED: AtomicPtr<Carried> = AtomicPtr::new(null_mut());

/// The entry that says who the parent is: `HEAPHINT_PARENT=0000004711`.
static PARENT_ENTRY: [AtomicU8; PARENT_BYTES] = [const { AtomicU8::new(0) }; PARENT_BYTES];
const PARENT_DIGITS: usize = 10;
const PARENT_BYTES: usize = PARENT.count_bytes() + 1 + PARENT_DIGITS + 1;

/// Takes our variables out of the environment and keeps them for the programs that are started. To be called from the
/// constructor, when everything that is of interest has been read.
///
/// The entries are changed where they stand: programs may have their addresses from the start of `main`.
pub fn take() {
    if value(CAPTURE).is_none() {
        return;
    }
    if let Some(parent) = value(PARENT).and_then(number) {
        name_parent(parent as u32);
    }
    let mut texts = Array::new();
    let mut complete = own_path().is_some_and(|path| add(&mut texts, path.to_bytes_with_nul()));
    // SAFETY: nobody else changes the environment while constructors run.
    for entry in unsafe { entries(of_program()) } {
        if LASTING.into_iter().any(|name| value_of(entry, name).is_some()) {
            complete = complete && add(&mut texts, entry.to_bytes_with_nul());
        }
    }
    if complete && let Some(place) = sys::map_private(size_of::<Carried>()) {
        // SAFETY: the place is new, and as large as its page.
        unsafe { place.cast::<Carried>().write(Carried(texts)) };
        CARRIED.store(place.cast(), Ordering::Release);
    }
    // SAFETY: the C library's own variable, and as above.
    unsafe { keep_entries(environ, restored) };
}

/// Takes the variables that are for this process alone out of the environment.
pub fn forget_tests() {
    fn kept(entry: &CStr) -> Option<&CStr> {
        let is_test = TESTS.into_iter().any(|name| value_of(entry, name).is_some());
        (!is_test).then_some(entry)
    }
    // SAFETY: the C library's own variable. The interpreter has only begun, and nobody else changes the environment.
    unsafe { keep_entries(environ, kept) };
}

/// The value of a variable.
pub fn value(name: &CStr) -> Option<&'static [u8]> {
    // SAFETY: the name ends in NUL; no other thread changes the environment while constructors run.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    // SAFETY: values end in NUL, and stand where the kernel has put them.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_bytes())
}

/// A decimal number.
pub fn number(digits: &[u8]) -> Option<u64> {
    let digits = if digits.is_empty() { return None } else { digits.iter() };
    digits.copied().try_fold(0u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// From here on, programs that are started are this process's.
pub fn name_parent(pid: u32) {
    let digits = (0..PARENT_DIGITS).rev().map(|power| b'0' + (pid / 10u32.pow(power as u32) % 10) as u8);
    let text = PARENT.to_bytes().iter().copied().chain([b'=']).chain(digits);
    for (place, byte) in PARENT_ENTRY.iter().zip(text) {
        place.store(byte, Ordering::Relaxed);
    }
}

/// What is to be passed on; `None` when nothing is.
pub fn carried() -> Option<&'static Carried> {
    // SAFETY: null, or what was written before it was published and never again.
    unsafe { CARRIED.load(Ordering::Acquire).as_ref() }
}

impl Carried {
    fn texts(&self) -> impl Iterator<Item = &CStr> {
        self.0
            .as_slice()
            .split_inclusive(|byte| *byte == 0)
            .filter_map(|text| CStr::from_bytes_with_nul(text).ok())
    }

    /// The path of this library.
    pub fn library(&self) -> &CStr {
        self.texts().next().unwrap_or_default()
    }

    /// Writes the environment that a program is to be started with into `array`: `theirs` and our variables. Entries that
    /// have to be composed are written into `text`. `None` when there is no room, or when the program belongs to another
    /// run.
    ///
    /// # Safety
    ///
    /// `theirs` must be null or point to strings up to a null pointer. The array is valid as long as these, `text` and
    /// `self` are.
    pub unsafe fn add_to(
        &self,
        theirs: *const *const c_char,
        array: &mut [*const c_char],
        text: &mut [u8],
    ) -> Option<()> {
        let mut array = array.iter_mut();
        let mut text = Composed { rest: text };
        let mut push = |entry: *const c_char| array.next().map(|place| *place = entry);
        let mut previous = None;
        // SAFETY: as the caller says.
        for entry in unsafe { entries(theirs) } {
            if value_of(entry, CAPTURE).is_some() {
                return None;
            }
            if let Some(value) = value_of(entry, PRELOAD) {
                if previous.replace(value).is_some() {
                    return None;
                }
                push(text.compose(&[PREFIX.as_bytes(), entry.to_bytes()])?)?;
            } else if restored(entry).is_some() {
                push(entry.as_ptr())?;
            }
        }
        let library = self.library().to_bytes();
        let preload = [PRELOAD.to_bytes(), b"=", library];
        match previous.filter(|value| !value.is_empty()) {
            Some(previous) => {
                let [name, is, library] = preload;
                push(text.compose(&[name, is, library, b":", previous])?)?;
            }
            None => push(text.compose(&preload)?)?,
        }
        for entry in self.texts().skip(1) {
            push(entry.as_ptr())?;
        }
        if PARENT_ENTRY.first().is_some_and(|byte| byte.load(Ordering::Relaxed) != 0) {
            push((&raw const PARENT_ENTRY).cast())?;
        }
        push(core::ptr::null())
    }
}

/// Texts in a buffer, one after the other.
struct Composed<'a> {
    rest: &'a mut [u8],
}

impl Composed<'_> {
    fn compose(&mut self, parts: &[&[u8]]) -> Option<*const c_char> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>() + 1;
        let (text, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(length)?;
        let bytes = parts.iter().copied().flatten().copied().chain([0]);
        for (place, byte) in text.iter_mut().zip(bytes) {
            *place = byte;
        }
        self.rest = rest;
        Some(text.as_ptr().cast())
    }
}

fn add(texts: &mut Array<u8>, text: &[u8]) -> bool {
    text.iter().all(|byte| texts.push(*byte))
}

/// The path that this library was loaded by.
fn own_path() -> Option<&'static CStr> {
    let mut facts = core::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let inside = (&raw const CARRIED).cast::<c_void>();
    // SAFETY: the structure is as long as the call writes, and zeros are valid in it.
    let facts = unsafe {
        if libc::dladdr(inside, facts.as_mut_ptr()) == 0 {
            return None;
        }
        facts.assume_init()
    };
    // SAFETY: the loader's own text, which ends in NUL and stays as long as this library is loaded.
    (!facts.dli_fname.is_null()).then(|| unsafe { CStr::from_ptr(facts.dli_fname) })
}

/// The strings of an environment.
///
/// # Safety
///
/// `at` must be null or point to strings up to a null pointer, all of which outlive what is returned.
unsafe fn entries<'a>(mut at: *const *const c_char) -> impl Iterator<Item = &'a CStr> {
    core::iter::from_fn(move || {
        // SAFETY: `at` goes no further than the null pointer.
        unsafe {
            if at.is_null() || (*at).is_null() {
                return None;
            }
            let entry = CStr::from_ptr(*at);
            at = at.add(1);
            Some(entry)
        }
    })
}

/// The value of an entry, `name=value`, if it is of this name.
fn value_of<'a>(entry: &'a CStr, name: &CStr) -> Option<&'a [u8]> {
    entry.to_bytes().strip_prefix(name.to_bytes())?.strip_prefix(b"=")
}

/// What an entry of the environment becomes; `None` when it goes.
fn restored(entry: &CStr) -> Option<&CStr> {
    if value_of(entry, PREVIOUS_PRELOAD).is_some() {
        let previous = entry.to_bytes_with_nul().get(PREFIX.len()..)?;
        return CStr::from_bytes_with_nul(previous).ok();
    }
    let is_ours = LASTING.into_iter().chain([PRELOAD, PARENT]).any(|name| value_of(entry, name).is_some());
    (!is_ours).then_some(entry)
}

/// Replaces each entry by what `kept` says, and closes the gaps.
///
/// # Safety
///
/// `entries` must be null or point to strings up to a null pointer, and nobody else may change them.
unsafe fn keep_entries(entries: *mut *mut c_char, kept: impl for<'a> Fn(&'a CStr) -> Option<&'a CStr>) {
    let (mut from, mut to) = (entries, entries);
    // SAFETY: neither goes further than the null pointer at the end, and `to` is never ahead.
    unsafe {
        while !from.is_null() && !(*from).is_null() {
            if let Some(entry) = kept(CStr::from_ptr(*from)) {
                *to = entry.as_ptr().cast_mut();
                to = to.add(1);
            }
            from = from.add(1);
        }
        if !to.is_null() {
            *to = null_mut();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(texts: &[&CStr]) -> Vec<*mut c_char> {
        texts.iter().map(|text| text.as_ptr().cast_mut()).chain([null_mut()]).collect()
    }

    fn read(array: &[*const c_char]) -> Vec<String> {
        // SAFETY: the arrays of these tests end in a null pointer.
        unsafe { entries(array.as_ptr()) }.map(|entry| entry.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_environment_is_as_before() {
        let mut array = pointers(&[
            c"A=1",
            c"LD_PRELOAD=/tracer.so:/other.so",
            c"HEAPHINT_CAPTURE=/x",
            c"HEAPHINT_CAPTURES=mine",
            c"HEAPHINT_LD_PRELOAD=/other.so",
            c"HEAPHINT_PARENT=0000000012",
            c"strange",
        ]);
        // SAFETY: the entries end in a null pointer.
        unsafe { keep_entries(array.as_mut_ptr(), restored) };
        let kept: Vec<_> = array.iter().map(|entry| entry.cast_const()).collect();
        assert_eq!(read(&kept), ["A=1", "HEAPHINT_CAPTURES=mine", "LD_PRELOAD=/other.so", "strange"]);
        // SAFETY: there is nothing to change.
        unsafe { keep_entries(null_mut(), restored) };
    }

    fn carrying() -> Carried {
        let mut texts = Array::new();
        assert!(add(&mut texts, b"/l.so\0HEAPHINT_CAPTURE=/c\0HEAPHINT_MODES=follow\0"));
        Carried(texts)
    }

    /// What a program is started with; `None` when with what it had.
    fn added(theirs: &[&CStr], room: usize) -> Option<Vec<String>> {
        let theirs = pointers(theirs);
        let (mut array, mut text) = (vec![core::ptr::null(); room], [0; 200]);
        // SAFETY: theirs ends in a null pointer.
        unsafe { carrying().add_to(theirs.as_ptr().cast(), &mut array, &mut text) }?;
        Some(read(&array))
    }

    #[test]
    fn programs_that_are_started_have_our_variables_too() {
        let ours = ["LD_PRELOAD=/l.so", "HEAPHINT_CAPTURE=/c", "HEAPHINT_MODES=follow"];
        assert_eq!(added(&[], 9).as_deref(), Some(&ours.map(String::from)[..]));
        let with = added(&[c"A=1", c"LD_PRELOAD=/a.so", c"HEAPHINT_MODES=old", c"B="], 9).unwrap();
        let expected = [
            "A=1",
            "HEAPHINT_LD_PRELOAD=/a.so",
            "B=",
            "LD_PRELOAD=/l.so:/a.so",
            "HEAPHINT_CAPTURE=/c",
            "HEAPHINT_MODES=follow",
        ];
        assert_eq!(with, expected);
        assert_eq!(added(&[c"A=1", c"B=2"], 5), None, "there is no room");
        assert_eq!(added(&[c"HEAPHINT_CAPTURE=/other"], 9), None, "it is of another run");
        let long = std::ffi::CString::new(format!("LD_PRELOAD={}", "x".repeat(150))).unwrap();
        assert_eq!(added(&[&long], 9), None, "there is no room for the text");
    }

    #[test]
    fn numbers_are_read() {
        assert_eq!(number(b"0000004711"), Some(4711));
        assert_eq!(["", "1x", "99999999999999999999"].map(|it| number(it.as_bytes())), [None; 3]);
    }
}
