//! Attributes of instances of classes written in Python, read where they lie.
//!
//! Never calls the interpreter, so it can be used inside an allocation. Needs the GIL: dictionaries change under it.

use super::memory::{byte, word};
use super::text;
use super::versions::{Attributes, Keys, Layout};

const TYPE: usize = 8;
const TYPE_BASIC_SIZE: usize = 32;
const TYPE_FLAGS: usize = 168;
const TYPE_DICT_OFFSET: usize = 288;
const DICT_KEYS: usize = 32;
const DICT_VALUES: usize = 40;

/// Type flags: instances have their attributes in front of the object (3.11), or inside it (3.13); `str`.
const MANAGED_DICT: usize = 1 << 4;
const INLINE_VALUES: usize = 1 << 2;
const IS_TEXT: usize = 1 << 28;

/// The byte of a value array inside an object that says whether it is in use.
const INLINE_VALID: usize = 3;

/// No instance that is read here has more attributes than this.
const MOST_ENTRIES: usize = 256;

/// Whether an object is a `str`.
///
/// # Safety
///
/// `object` must be a live object.
pub unsafe fn is_text(object: usize) -> bool {
    // SAFETY: every object has a type, every type has flags.
    unsafe { word(word(object, TYPE), TYPE_FLAGS) & IS_TEXT != 0 }
}

/// Finds an attribute in an instance's own attributes; the reference is borrowed.
///
/// # Safety
///
/// `object` must be a live instance of a class written in Python, and the thread must hold the GIL.
pub unsafe fn attribute(layout: &Layout, object: usize, name: &[u8]) -> Option<usize> {
    // SAFETY: the layout says where the pointers are; those that can be null are tested.
    unsafe {
        let class = word(object, TYPE);
        let flags = word(class, TYPE_FLAGS);
        let cached_keys = word(class, layout.instance.cached_keys);
        if flags & MANAGED_DICT == 0 || matches!(layout.instance.attributes, Attributes::Dictionary) {
            let offset = word(class, TYPE_DICT_OFFSET) as isize;
            return if offset > 0 {
                in_dictionary(layout, word(object, offset as usize), name)
            } else {
                None
            };
        }
        match layout.instance.attributes {
            Attributes::Dictionary => None,
            Attributes::ValuesOrDictionary => match word(object.wrapping_sub(32), 0) {
                0 => in_dictionary(layout, word(object.wrapping_sub(24), 0), name),
                values => in_values(layout, cached_keys, values, name),
            },
            Attributes::Tagged => match word(object.wrapping_sub(24), 0) {
                tagged if tagged & 1 == 1 => in_values(layout, cached_keys, tagged + 1, name),
                dictionary => in_dictionary(layout, dictionary, name),
            },
            Attributes::Inline => match word(object.wrapping_sub(24), 0) {
                0 if flags & INLINE_VALUES != 0 => {
                    let values = object + word(class, TYPE_BASIC_SIZE);
                    if byte(values, INLINE_VALID) == 0 {
                        return None;
                    }
                    in_values(layout, cached_keys, values, name)
                }
                dictionary => in_dictionary(layout, dictionary, name),
            },
        }
    }
}

/// # Safety
///
/// `dictionary` must be null or a live `dict`, under the GIL.
unsafe fn in_dictionary(layout: &Layout, dictionary: usize, name: &[u8]) -> Option<usize> {
    if dictionary == 0 {
        return None;
    }
    // SAFETY: a dictionary always has keys; its values are null unless it shares them.
    let (keys, values) = unsafe { (word(dictionary, DICT_KEYS), word(dictionary, DICT_VALUES)) };
    if values != 0 {
        // SAFETY: the two belong together.
        return unsafe { in_values(layout, keys, values, name) };
    }
    // SAFETY: the keys are alive.
    let (_, value) = unsafe { find(layout, keys, name) }?;
    (value != 0).then_some(value)
}

/// # Safety
///
/// `keys` must be null or shared keys, and `values` the array that belongs to them, under the GIL.
unsafe fn in_values(layout: &Layout, keys: usize, values: usize, name: &[u8]) -> Option<usize> {
    if keys == 0 {
        return None;
    }
    // SAFETY: there is a value for every entry of the keys that an instance has been given; see `find`.
    unsafe {
        let (index, _) = find(layout, keys, name)?;
        let value = word(values + layout.instance.values_header, index * 8);
        (value != 0).then_some(value)
    }
}

/// The index of a name among keys, and the value that stands in the entry itself (if the keys are not shared).
///
/// # Safety
///
/// `keys` must be a live `PyDictKeysObject`, under the GIL.
unsafe fn find(layout: &Layout, keys: usize, name: &[u8]) -> Option<(usize, usize)> {
    // SAFETY: the head of the keys says where entries begin, how large and how many they are.
    unsafe {
        let (entries, entry_size, key_offset, count) = match layout.instance.keys {
            Keys::Sized => {
                let size = word(keys, 8);
                let index_bytes = match size {
                    0..=0xff => 1,
                    0x100..=0xffff => 2,
                    0x1_0000..=0xffff_ffff => 4,
                    _ => 8,
                };
                (keys + 40 + size * index_bytes, 24, 8, word(keys, 32))
            }
            Keys::Log2 => {
                let indices = 1_usize.checked_shl(byte(keys, 9).into())?;
                let has_hashes = byte(keys, 10) == 0;
                let (size, offset) = if has_hashes { (24, 8) } else { (16, 0) };
                (keys + 32 + indices, size, offset, word(keys, 24))
            }
        };
        (0..count.min(MOST_ENTRIES)).find_map(|index| {
            let entry = entries + index * entry_size + key_offset;
            let key = word(entry, 0);
            let is_it = key != 0 && is_text(key) && text::equals(key, &layout.text, name);
            is_it.then(|| (index, word(entry, 8)))
        })
    }
}
