//! `str` objects as UTF-8 in buffers of fixed size.
//!
//! Never calls the interpreter: a `str` is read where it lies, so the thread needs no GIL as long as somebody keeps
//! the object alive.

use super::memory::{byte, int, word};
use super::versions::TextLayout;

/// `ob_size` of a `str` is its number of characters.
const LENGTH: usize = 16;
/// The bit field that says how the characters are stored.
const STATE: usize = 32;

/// A stretch of UTF-8 in a buffer of `N` bytes; what does not fit is cut at a character.
#[derive(Clone, Copy)]
pub struct Utf8Buffer<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Utf8Buffer<N> {
    /// An empty one.
    pub const fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    /// What was written, as UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Replaces the content by that of a `str` object. Lone surrogates become U+FFFD.
    ///
    /// # Safety
    ///
    /// `object` must be a live `str`.
    pub(super) unsafe fn set(&mut self, object: usize, layout: &TextLayout) {
        // SAFETY: the caller passes a live str.
        self.length = unsafe { copy(object, layout, &mut self.bytes) };
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.length = 0;
    }
}

/// The stored characters of a `str`.
#[derive(Clone, Copy)]
struct Characters {
    data: usize,
    length: usize,
    width: usize,
}

impl Characters {
    /// Finds the characters; `None` if the object does not look like a string that is ready to be read.
    ///
    /// # Safety
    ///
    /// `object` must be a live `str`.
    unsafe fn of(object: usize, layout: &TextLayout) -> Option<Self> {
        // SAFETY: length and state are in the head of every str.
        let (length, state) = unsafe { (word(object, LENGTH), int(object, STATE)) };
        let width = match (state >> 2) & 7 {
            width @ (1 | 2 | 4) => width as usize,
            _ => return None,
        };
        let (compact, ascii) = (state & 0x20 != 0, state & 0x40 != 0);
        let data = match (compact, ascii) {
            (true, true) => object + layout.ascii,
            (true, false) => object + layout.compact,
            // SAFETY: a str that is not compact has the pointer to its characters there.
            (false, _) => unsafe { word(object, layout.compact) },
        };
        (data != 0).then_some(Self { data, length, width })
    }

    /// The code point at `index`.
    ///
    /// # Safety
    ///
    /// `index` must be below the length, and the `str` alive.
    unsafe fn get(self, index: usize) -> u32 {
        // SAFETY: the index is inside the array of characters.
        unsafe {
            match self.width {
                1 => u32::from(byte(self.data, index)),
                2 => u32::from(byte(self.data, index * 2)) | (u32::from(byte(self.data, index * 2 + 1)) << 8),
                _ => int(self.data, index * 4) as u32,
            }
        }
    }
}

/// Copies a `str` object as UTF-8 and returns the number of bytes. Lone surrogates become U+FFFD; what does not fit
/// is cut at a character.
///
/// # Safety
///
/// `object` must be a live `str`.
pub unsafe fn copy(object: usize, layout: &TextLayout, out: &mut [u8]) -> usize {
    // SAFETY: the caller passes a live str.
    let Some(characters) = (unsafe { Characters::of(object, layout) }) else { return 0 };
    let mut used = 0;
    for index in 0..characters.length {
        // SAFETY: the index is below the length.
        let code_point = unsafe { characters.get(index) };
        let character = char::from_u32(code_point).unwrap_or(char::REPLACEMENT_CHARACTER);
        let Some(space) = out.get_mut(used..used + character.len_utf8()) else { break };
        used += character.encode_utf8(space).len();
    }
    used
}

/// Whether a `str` object is equal to an ASCII text.
///
/// # Safety
///
/// `object` must be a live `str`.
pub unsafe fn equals(object: usize, layout: &TextLayout, text: &[u8]) -> bool {
    // SAFETY: the caller passes a live str.
    let Some(characters) = (unsafe { Characters::of(object, layout) }) else { return false };
    characters.length == text.len()
        && text.iter().enumerate().all(|(index, expected)| {
            // SAFETY: both have the same length.
            (unsafe { characters.get(index) }) == u32::from(*expected)
        })
}

/// Whether a `str` object ends with an ASCII text.
///
/// # Safety
///
/// `object` must be a live `str`.
pub unsafe fn ends_with(object: usize, layout: &TextLayout, text: &[u8]) -> bool {
    // SAFETY: the caller passes a live str.
    let Some(characters) = (unsafe { Characters::of(object, layout) }) else { return false };
    let Some(start) = characters.length.checked_sub(text.len()) else { return false };
    text.iter().enumerate().all(|(index, expected)| {
        // SAFETY: start plus the length of the text is the length of the string.
        (unsafe { characters.get(start + index) }) == u32::from(*expected)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: TextLayout = TextLayout { ascii: 40, compact: 56 };

    /// A `str` as 3.12 lays it out.
    fn object(width: u32, ascii: bool, length: usize, characters: &[u8]) -> Vec<u64> {
        let mut bytes = vec![0_u8; if ascii { 40 } else { 56 }];
        bytes[16..24].copy_from_slice(&(length as u64).to_ne_bytes());
        let state = (width << 2) | 0x20 | if ascii { 0x40 } else { 0 };
        bytes[32..36].copy_from_slice(&state.to_ne_bytes());
        bytes.extend_from_slice(characters);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.chunks_exact(8).map(|chunk| u64::from_ne_bytes(chunk.try_into().unwrap())).collect()
    }

    fn read<const N: usize>(object: &[u64]) -> String {
        let mut buffer = Utf8Buffer::<N>::new();
        // SAFETY: the test's object has the layout of a str.
        unsafe { buffer.set(object.as_ptr() as usize, &LAYOUT) };
        String::from_utf8(buffer.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn every_width_becomes_utf8() {
        assert_eq!(read::<64>(&object(1, true, 5, b"plain")), "plain");
        assert_eq!(read::<64>(&object(1, false, 4, b"caf\xe9")), "café");
        let two: Vec<u8> = "日本語".encode_utf16().flat_map(u16::to_ne_bytes).collect();
        assert_eq!(read::<64>(&object(2, false, 3, &two)), "日本語");
        let four: Vec<u8> = "a🐍".chars().flat_map(|c| u32::from(c).to_ne_bytes()).collect();
        assert_eq!(read::<64>(&object(4, false, 2, &four)), "a🐍");
    }

    #[test]
    fn lone_surrogates_are_replaced() {
        let surrogate: Vec<u8> = [0x61_u16, 0xdcff].into_iter().flat_map(u16::to_ne_bytes).collect();
        assert_eq!(read::<64>(&object(2, false, 2, &surrogate)), "a\u{fffd}");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let two: Vec<u8> = "日本語".encode_utf16().flat_map(u16::to_ne_bytes).collect();
        assert_eq!(read::<8>(&object(2, false, 3, &two)), "日本");
        assert_eq!(read::<4>(&object(1, true, 5, b"plain")), "plai");
    }

    #[test]
    fn comparisons() {
        let name = object(1, true, 12, b"threading.py");
        let address = name.as_ptr() as usize;
        // SAFETY: the test's object has the layout of a str.
        unsafe {
            assert!(equals(address, &LAYOUT, b"threading.py"));
            assert!(!equals(address, &LAYOUT, b"threading"));
            assert!(ends_with(address, &LAYOUT, b"ding.py"));
            assert!(!ends_with(address, &LAYOUT, b"/usr/lib/threading.py"));
        }
    }
}
