//! As much of ELF as is needed to say whether a library can be preloaded into a program.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How a program starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// By this dynamic loader, for this machine (`e_machine`).
    Dynamic {
        /// Path of the loader.
        loader: String,
        /// `e_machine`.
        machine: u16,
    },
    /// Without a loader: nothing can be preloaded.
    Static,
    /// By another program, which its first line names.
    Script,
    /// Something else, or it cannot be read.
    Unknown,
}

/// Program headers stand at the beginning in every linker's output.
const LOOKED_AT: u64 = 64 << 10;
const PT_INTERP: u32 = 3;

/// Looks at a program's first bytes.
pub fn kind(program: &Path) -> Kind {
    let mut bytes = Vec::new();
    let read = File::open(program).and_then(|file| file.take(LOOKED_AT).read_to_end(&mut bytes));
    if read.is_ok() { kind_of(&bytes) } else { Kind::Unknown }
}

fn kind_of(bytes: &[u8]) -> Kind {
    if bytes.starts_with(b"#!") {
        return Kind::Script;
    }
    // 64-bit, little-endian.
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return Kind::Unknown;
    }
    headers(bytes).unwrap_or(Kind::Unknown)
}

fn headers(bytes: &[u8]) -> Option<Kind> {
    let machine = u16::from_le_bytes(*bytes.get(18..)?.first_chunk()?);
    let offset = word(bytes, 32)?;
    let size = usize::from(u16::from_le_bytes(*bytes.get(54..)?.first_chunk()?));
    let count = usize::from(u16::from_le_bytes(*bytes.get(56..)?.first_chunk()?));
    for index in 0..count {
        let header = bytes.get(offset.checked_add(index * size)?..)?;
        if u32::from_le_bytes(*header.first_chunk()?) == PT_INTERP {
            let name = bytes.get(word(header, 8)?..)?.get(..word(header, 32)?)?;
            let loader = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
            return Some(Kind::Dynamic { loader, machine });
        }
    }
    Some(Kind::Static)
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn this_very_program_is_dynamic() {
        let program = std::env::current_exe().unwrap();
        assert!(matches!(kind(&program), Kind::Dynamic { loader, .. } if loader.contains("ld-")));
        assert_eq!(kind(Path::new("/nowhere")), Kind::Unknown);
        assert_eq!(kind_of(b"#!/bin/sh\n"), Kind::Script);
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at(tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = b"\x7fELF\x02\x01".to_vec();
            bytes.extend(tail);
            let _ = kind_of(&bytes);
        }
    }
}
