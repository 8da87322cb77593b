//! The decoder takes any bytes: bytes as they come, damaged captures, and damaged captures of real programs.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use heaphint_format::{Capture, ENTERED, FIXED_BYTES, NATIVE_STACK, Unlogged};
use heaphint_fuzz::{Damage, Program, with_head};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Raw(&'a [u8]),
    Headed(&'a [u8]),
    /// The fixed part, and tables of zeros.
    Fixed {
        fixed: &'a [u8],
        pages: u8,
    },
    Damaged {
        program: Program,
        damage: Damage,
    },
    /// One in 256, because they are long.
    Real {
        which: u8,
        rare: u8,
        damage: Damage,
    },
}

static REAL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../captures");
    let entries = std::fs::read_dir(folder).expect("the captures are there");
    let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|it| it == "heaphint")).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a capture can be read")).collect()
});

fn bytes(input: &Input<'_>) -> Vec<u8> {
    match input {
        Input::Raw(bytes) => bytes.to_vec(),
        Input::Headed(rest) => with_head(rest),
        Input::Fixed { fixed, pages } => {
            let mut bytes = with_head(fixed);
            bytes.resize(FIXED_BYTES + usize::from(*pages) * 4096, 0);
            bytes
        }
        Input::Damaged { program, damage } => {
            let mut bytes = program.bytes();
            damage.apply(&mut bytes);
            bytes
        }
        Input::Real { which, rare, damage } => {
            if *rare != 0 {
                return Vec::new();
            }
            let mut bytes = REAL[usize::from(*which) % REAL.len()].clone();
            damage.apply(&mut bytes);
            bytes
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    let bytes = bytes(&input);
    Unlogged::read(&bytes);
    if let Ok(capture) = Capture::read(&bytes) {
        // What the reader promises of every capture that it gives.
        for (i, stack) in capture.stacks.iter().enumerate() {
            assert!((stack.parent as usize) < i.max(1));
            if stack.code == NATIVE_STACK {
                assert!(((stack.line & !ENTERED) as usize) < capture.native_frames.len());
                continue;
            }
            capture.text(capture.codes[stack.code as usize].name);
        }
        for (i, frame) in capture.native_frames.iter().enumerate().skip(1) {
            assert!((frame.parent as usize) < i);
        }
        for site in &capture.sites {
            assert!((site.stack as usize) < capture.stacks.len());
            assert!((site.thread() as usize) < capture.threads.len());
        }
        assert!(capture.timeline.is_sorted_by_key(|sample| sample.elapsed_ms));
    }
});
