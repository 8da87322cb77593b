//! Why a program left no capture.

use std::path::Path;

use object::elf::Machine;

use super::elf::{self, Kind};
use super::shown;

/// One sentence for a program that ended without a capture. It can only be guessed at from outside, so the likely
/// causes come first.
pub fn no_capture(program: &Path, folder: &Path) -> String {
    let name = shown(program);
    let because = match elf::kind(program) {
        Kind::Static => format!("{name} is linked statically, so nothing can be loaded into it"),
        Kind::Dynamic { loader, .. } if loader.contains("musl") => {
            format!("{name} is built for musl, and heaphint needs glibc")
        }
        Kind::Dynamic { machine, .. } if machine != OWN_MACHINE => {
            format!("{name} is a program for another kind of processor")
        }
        Kind::Dynamic { .. } if is_privileged(program) => {
            format!("{name} runs with other rights than yours, and the loader then ignores LD_PRELOAD")
        }
        Kind::Dynamic { .. } | Kind::Script | Kind::Unknown => format!(
            "it started no Python, or Python could not create a file in {} (a message of the loader above says when \
             the tracer was ignored)",
            shown(folder)
        ),
    };
    format!("nothing was recorded: {because}")
}

#[cfg(target_arch = "x86_64")]
const OWN_MACHINE: Machine = object::elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const OWN_MACHINE: Machine = object::elf::EM_AARCH64;

fn is_privileged(program: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    const SET_ID: u32 = 0o6000;
    program.metadata().is_ok_and(|metadata| metadata.mode() & SET_ID != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_the_cause() {
        let text = no_capture(Path::new("/bin/true"), Path::new("/tmp/x"));
        assert!(text.contains("started no Python") && text.contains("/tmp/x"), "{text}");
    }
}
