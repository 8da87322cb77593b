//! Captures become a profile, and events a capture, whatever is in them.

#![no_main]

use arbitrary::Arbitrary;
use heaphint_analysis::records::{Aggregator, Allocation, Events, Program as RecordedProgram, StackId};
use heaphint_analysis::{Capture, Figure, Profile, Selection, SummaryBy, Through, Tree, TreeOptions};
use heaphint_format::Allocator;
use heaphint_fuzz::{Damage, Program};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input {
    Captures(Vec<(Program, Damage)>),
    Events { events: Vec<Event>, window: u8, most_entries: u16 },
}

#[derive(Arbitrary, Debug)]
enum Event {
    Allocated {
        thread: u8,
        stack: u8,
        kind: u8,
        address: u16,
        bytes: u32,
    },
    Freed {
        thread: u8,
        address: u16,
    },
    FreedRange {
        thread: u8,
        address: u16,
        bytes: u16,
    },
    Sampled {
        elapsed_ms: u32,
        rss_bytes: u64,
    },
    /// The largest numbers there are.
    Huge {
        address: u64,
        bytes: u64,
        mapping: bool,
    },
}

/// Asks everything that reports ask.
fn look(profile: &Profile) {
    let everything = Selection::default();
    for figure in [Figure::Peak, Figure::Max, Figure::Leaked] {
        profile.stacks_through(Through::Anything, figure, 10);
        profile.project_lines(figure);
    }
    profile.busiest_stacks_through(Through::Anything, 10);
    for by_count in [false, true] {
        profile.modules(by_count, 10);
        profile.locations(by_count, 10);
    }
    let sites = profile.graph().sites.len();
    assert!(profile.threads().len() <= sites && profile.allocators().len() <= sites);
    profile.sizes();
    profile.table(&everything, true);
    profile.summary(SummaryBy::default(), &everything);
    Tree::new(profile, &TreeOptions::default());
    for process in profile.processes() {
        profile.part(&Selection { processes: vec![process.pid], ..Selection::default() });
    }
}

fn captured(inputs: &[(Program, Damage)]) -> Vec<Capture> {
    let read = |(program, damage): &(Program, Damage)| {
        let mut bytes = program.bytes();
        damage.apply(&mut bytes);
        Capture::read(&bytes).ok()
    };
    inputs.iter().take(4).filter_map(read).collect()
}

fn recorded(events: &[Event], window: u8, most_entries: u16) -> Capture {
    let mut aggregator = Aggregator::new(window.into()).with_history(most_entries.into());
    let tables = aggregator.tables();
    let threads = [1, 2, 3].map(|tid| tables.thread(tid));
    let function = tables.function("f", "/p/app.py", 1, true);
    let mut stack = StackId::default();
    let stacks: Vec<_> = (0..8)
        .map(|line| {
            stack = tables.stack(stack, function, line);
            stack
        })
        .collect();
    let kinds = [Allocator::Malloc, Allocator::Calloc, Allocator::Mmap, Allocator::Mremap];
    for event in events.iter().take(4096) {
        match *event {
            Event::Allocated { thread, stack, kind, address, bytes } => aggregator.allocated(Allocation {
                thread: threads[usize::from(thread) % threads.len()],
                stack: stacks[usize::from(stack) % stacks.len()],
                allocator: kinds[usize::from(kind) % kinds.len()],
                address: address.into(),
                bytes: bytes.into(),
            }),
            Event::Freed { thread, address } => {
                aggregator.freed(threads[usize::from(thread) % threads.len()], address.into());
            }
            Event::FreedRange { thread, address, bytes } => {
                let thread = threads[usize::from(thread) % threads.len()];
                aggregator.freed_range(thread, address.into(), bytes.into());
            }
            Event::Sampled { elapsed_ms, rss_bytes } => aggregator.sampled(elapsed_ms, rss_bytes),
            Event::Huge { address, bytes, mapping } => aggregator.allocated(Allocation {
                thread: threads[0],
                stack: stacks[0],
                allocator: if mapping { Allocator::Mmap } else { Allocator::Malloc },
                address,
                bytes,
            }),
        }
    }
    let (capture, history) = aggregator.finish_with_history(RecordedProgram::default());
    let _ = history;
    capture
}

fuzz_target!(|input: Input| {
    let captures = match &input {
        Input::Captures(inputs) => captured(inputs),
        Input::Events { events, window, most_entries } => vec![recorded(events, *window, *most_entries)],
    };
    if !captures.is_empty() {
        look(&Profile::from_captures(&captures));
    }
});
