//! As much of ELF as is needed to say whether a library can be preloaded into a program, and what shows that the
//! program is CPython.

use std::fs::File;
use std::path::Path;

use object::elf::{DT_NEEDED, FileHeader64, Machine};
use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader};
use object::{LittleEndian, Object, ObjectSymbol, ReadCache, ReadRef};

/// How a program starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// By this dynamic loader, for this kind of processor.
    Dynamic {
        /// Path of the loader.
        loader: String,
        /// The kind of processor.
        machine: Machine,
    },
    /// Without a loader: nothing can be preloaded.
    Static,
    /// By another program, which its first line names.
    Script,
    /// Something else, or it cannot be read.
    Unknown,
}

/// Looks at a program's first bytes.
pub fn kind(program: &Path) -> Kind {
    File::open(program).map_or(Kind::Unknown, |file| kind_of(&ReadCache::new(file)))
}

fn kind_of<'data>(bytes: impl ReadRef<'data>) -> Kind {
    if bytes.read_bytes_at(0, 2) == Ok(b"#!") {
        return Kind::Script;
    }
    let Ok(header) = FileHeader64::<LittleEndian>::parse(bytes) else { return Kind::Unknown };
    let (Ok(endian), machine) = (header.endian(), header.e_machine(LittleEndian)) else {
        return Kind::Unknown;
    };
    let Ok(headers) = header.program_headers(endian, bytes) else { return Kind::Unknown };
    for header in headers {
        match header.interpreter(endian, bytes) {
            Ok(None) => {}
            Ok(Some(loader)) => {
                return Kind::Dynamic { loader: String::from_utf8_lossy(loader).into_owned(), machine };
            }
            Err(_) => return Kind::Unknown,
        }
    }
    Kind::Static
}

/// What shows that a program is CPython of one version, whoever starts it, wherever and with whatever environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Python {
    /// The interpreter is in the program itself.
    Inside,
    /// It is in a library whose name says that it is CPython 3.N for this N.
    Library(u32),
}

/// Looks for the interpreter in a program. `None` for programs that start one elsewhere, as version managers do, and
/// for those that cannot be read.
pub fn python(program: &Path) -> Option<Python> {
    python_of(&ReadCache::new(File::open(program).ok()?))
}

fn python_of<'data>(bytes: impl ReadRef<'data>) -> Option<Python> {
    let file = ElfFile64::<LittleEndian, _>::parse(bytes).ok()?;
    let endian = file.endian();
    if file.dynamic_symbols().any(|it| it.is_definition() && it.name_bytes() == Ok(b"Py_GetVersion")) {
        return Some(Python::Inside);
    }
    let sections = file.elf_section_table();
    let (entries, names) = sections.dynamic(endian, bytes).ok()??;
    let names = sections.strings(endian, bytes, names).ok()?;
    let needed = entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED);
    needed.filter_map(|entry| entry.string(endian, names).ok()).find_map(library).map(Python::Library)
}

/// `libpython3.11.so.1.0` is CPython 3.11's, `libpython3.13t.so.1.0` that of its build without a GIL.
fn library(name: &[u8]) -> Option<u32> {
    let name = std::str::from_utf8(name).ok()?.strip_prefix("libpython3.")?;
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    name[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::tracer_library::LIBRARY;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn this_very_program_is_dynamic() {
        let program = std::env::current_exe().unwrap();
        assert!(matches!(kind(&program), Kind::Dynamic { loader, .. } if loader.contains("ld-")));
        assert_eq!(python(&program), None);
        assert_eq!(kind(Path::new("/nowhere")), Kind::Unknown);
        assert_eq!(kind_of(b"#!/bin/sh\n".as_slice()), Kind::Script);
        assert_eq!(kind_of(b"".as_slice()), Kind::Unknown);
    }

    #[test]
    fn the_version_stands_in_the_librarys_name() {
        for (name, minor) in [
            ("libpython3.11.so.1.0", Some(11)),
            ("libpython3.13t.so.1.0", Some(13)),
            ("libpython3.9.so", Some(9)),
            ("libpython3.so", None),
            ("libpython2.7.so.1.0", None),
            ("libc.so.6", None),
        ] {
            assert_eq!(library(name.as_bytes()), minor, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at(tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [b"\x7fELF\x02\x01".as_slice(), &tail].concat();
            let _ = (kind_of(bytes.as_slice()), python_of(bytes.as_slice()));
        }

        /// The tables of a real library, at its two ends, lead further in.
        #[test]
        fn a_damaged_library_is_looked_at(
            changes in prop::collection::vec((any::<bool>(), 0_usize..2048, any::<u8>()), 1..20)
        ) {
            let mut bytes = LIBRARY.to_vec();
            for (at_end, at, byte) in changes {
                let at = if at_end { bytes.len() - 1 - at } else { at };
                bytes[at] = byte;
            }
            let _ = (kind_of(bytes.as_slice()), python_of(bytes.as_slice()));
        }
    }
}
