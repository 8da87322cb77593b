//! A capture with what is known about its native addresses written into it, so that it can be read where the files
//! that they are in are not.

use alloc::vec::Vec;

use crate::{
    DIRECTORY_OFFSET, Extent, FIXED_BYTES, Header, MAX_EXTENTS, PAGE, Record, Symbol, Table, Text, VERSION,
};

/// The first version of the layout that has the table.
const FIRST_WITH_SYMBOLS: u32 = 3;

/// A function at an address of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSymbol<'a> {
    /// Index of a [`crate::Address`].
    pub address: u32,
    /// The function's name.
    pub name: &'a str,
    /// Its source file; empty when it is not known.
    pub file: &'a str,
    /// The line, 1-based; 0 when it is not known.
    pub line: u32,
}

/// The bytes of a capture with symbols, which come in the order of [`Symbol`]s: everything is as it was, and they stand
/// behind it. `None` when it is no capture of a version with symbols, has symbols already, or has no room.
#[must_use]
pub fn with_symbols(capture: &[u8], symbols: &[NewSymbol<'_>]) -> Option<Vec<u8>> {
    let mut header = Header::decode(capture.get(..FIXED_BYTES)?)?;
    let own = Table::Symbols as usize;
    if !(FIRST_WITH_SYMBOLS..=VERSION).contains(&header.version) || header.lengths.get(own) != Some(&0) {
        return None;
    }
    let mut file = capture.to_vec();
    file.resize(file.len().next_multiple_of(PAGE), 0);

    // What the last extent of the strings has left stays unused.
    let directory = capture.get(DIRECTORY_OFFSET..)?.chunks_exact(Extent::BYTES);
    let extents = directory.take(header.extents as usize).filter_map(Extent::decode);
    let pages = extents.filter(|extent| extent.table == Table::Strings as u32).map(|extent| extent.pages);
    let start = u32::try_from(pages.map(u64::from).sum::<u64>() * PAGE as u64).ok()?;
    let mut strings: Vec<u8> = Vec::new();
    let mut texts = alloc::collections::BTreeMap::new();
    let mut records = Vec::with_capacity(symbols.len() * Symbol::BYTES);
    for symbol in symbols {
        let mut text = |text: &'_ str| -> Option<Text> {
            if text.is_empty() {
                return Some(Text::default());
            }
            if let Some(known) = texts.get(text) {
                return Some(*known);
            }
            let offset = start.checked_add(u32::try_from(strings.len()).ok()?)?;
            strings.extend_from_slice(text.as_bytes());
            let new = Text { offset, len: u32::try_from(text.len()).ok()? };
            texts.insert(alloc::string::String::from(text), new);
            Some(new)
        };
        let (name, file) = (text(symbol.name)?, text(symbol.file)?);
        let record = Symbol { address: symbol.address, line: symbol.line, name, file };
        let at = records.len();
        records.resize(at + Symbol::BYTES, 0);
        record.encode(records.get_mut(at..)?)?;
    }
    let length = start.checked_add(u32::try_from(strings.len()).ok()?)?;
    append(&mut file, &mut header, Table::Strings, &strings, length)?;
    append(&mut file, &mut header, Table::Symbols, &records, u32::try_from(symbols.len()).ok()?)?;
    header.encode(file.get_mut(..FIXED_BYTES)?)?;
    Some(file)
}

/// Appends an extent, after which its table has so many records.
fn append(file: &mut Vec<u8>, header: &mut Header, table: Table, bytes: &[u8], length: u32) -> Option<()> {
    if bytes.is_empty() {
        return Some(());
    }
    let pages = u32::try_from(bytes.len().div_ceil(PAGE)).ok()?;
    let extent = Extent { table: table as u32, pages, first_page: (file.len() / PAGE) as u64 };
    let number = header.extents as usize;
    if number >= MAX_EXTENTS {
        return None;
    }
    extent.encode(file.get_mut(DIRECTORY_OFFSET + number * Extent::BYTES..)?)?;
    header.extents += 1;
    *header.lengths.get_mut(table as usize)? = length;
    file.extend_from_slice(bytes);
    file.resize(file.len().next_multiple_of(PAGE), 0);
    Some(())
}
