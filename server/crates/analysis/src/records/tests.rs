//! Events against figures that are counted again in the plainest way.

use std::collections::{BTreeMap, BTreeSet};

use heaphint_format::{Allocator, Capture, PlaceKind};
use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Event {
    Allocate { thread: usize, stack: usize, address: u64, bytes: u64, mapped: bool },
    Free { address: u64 },
    Unmap { address: u64, bytes: u64 },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let allocate = (0usize..3, 0usize..STACKS, 0u64..30, 0u64..9, any::<bool>()).prop_map(
        |(thread, stack, address, bytes, mapped)| {
            // Blocks and mappings never share an address, and no mapping is empty.
            let (address, bytes) = if mapped { (address + MAPPINGS, bytes + 1) } else { (address, bytes) };
            Event::Allocate { thread, stack, address, bytes, mapped }
        },
    );
    prop::collection::vec(
        prop_oneof![
            4 => allocate,
            3 => (0u64..30).prop_map(|address| Event::Free { address }),
            2 => (0u64..30, 0u64..12).prop_map(|(address, bytes)| Event::Unmap { address: address + MAPPINGS, bytes }),
        ],
        0..150,
    )
}

const STACKS: usize = 6;
const MAPPINGS: u64 = 1000;

/// Stacks over two project functions and one of a library; the last one recurses.
fn stacks(tables: &mut Tables) -> [StackId; STACKS] {
    let main = tables.function("main", "/p/app.py", 1, true);
    let load = tables.function("load", "/p/app.py", 5, true);
    let read = tables.function("read", "/lib/io.py", 9, false);
    let bottom = tables.stack(StackId::default(), main, 2);
    let loading = tables.stack(bottom, load, 6);
    let reading = tables.stack(loading, read, 10);
    let again = tables.stack(reading, load, 6);
    [StackId::default(), bottom, loading, reading, again, tables.stack(again, main, 3)]
}

type Pair = [u64; 2];

#[derive(Default, Clone, Debug, PartialEq)]
struct Counted {
    live: Pair,
    peak: Pair,
    allocated: Pair,
    temporary: Pair,
}

#[derive(Clone, Copy)]
struct Block {
    key: (usize, usize, bool),
    from: u64,
    /// Bytes that are left, one by one for mappings.
    bytes: u64,
    number: usize,
}

/// Counts again, with lists instead of tables.
fn plainly(events: &[Event], window: usize) -> (BTreeMap<(usize, usize, bool), Counted>, u64) {
    let mut counted: BTreeMap<(usize, usize, bool), Counted> = BTreeMap::new();
    let mut blocks: Vec<Block> = Vec::new();
    // Mapped bytes and the mapping each belongs to.
    let mut mapped: BTreeMap<u64, Block> = BTreeMap::new();
    let mut allocations_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut peak = 0;
    for (number, event) in events.iter().enumerate() {
        let mut gone: Vec<(Block, u64, bool, bool)> = Vec::new();
        let (range, address) = match *event {
            Event::Allocate { address, bytes, mapped, .. } => (mapped.then_some((address, bytes)), address),
            Event::Free { address } => (None, address),
            Event::Unmap { address, bytes } => (Some((address, bytes)), address),
        };
        if let Some((start, length)) = range {
            // Runs of bytes of one mapping; the last one of a mapping may be the last that is left of it.
            let mut runs: Vec<(Block, u64, u64)> = Vec::new();
            for at in start..start + length {
                if let Some(owner) = mapped.remove(&at) {
                    match runs.last_mut() {
                        Some((block, first, bytes))
                            if block.number == owner.number && *first + *bytes == at =>
                        {
                            *bytes += 1;
                        }
                        _ => runs.push((owner, at, 1)),
                    }
                }
            }
            for (index, (owner, first, bytes)) in runs.iter().copied().enumerate() {
                let later = runs[index + 1..].iter().map(|run| run.0);
                let whole = !mapped.values().copied().chain(later).any(|other| other.number == owner.number);
                gone.push((owner, bytes, whole, whole && first == owner.from));
            }
        } else if let Some(at) = blocks.iter().position(|block| block.from == address) {
            let block = blocks.remove(at);
            gone.push((block, block.bytes, true, matches!(event, Event::Free { .. })));
        }
        for (block, bytes, whole, may_be_temporary) in gone {
            let made = &allocations_of[&block.key.1];
            let further = made.iter().filter(|other| **other > block.number).count();
            let recent = may_be_temporary && further < window;
            let site = counted.get_mut(&block.key).unwrap();
            site.live[0] -= bytes;
            site.live[1] -= u64::from(whole);
            if recent {
                site.temporary[0] += bytes;
                site.temporary[1] += 1;
            }
        }
        if let Event::Allocate { thread, stack, address, bytes, mapped: is_mapped } = *event {
            let key = (stack, thread, is_mapped);
            let block = Block { key, from: address, bytes, number };
            if is_mapped {
                mapped.extend((address..address + bytes).map(|at| (at, block)));
            } else {
                blocks.push(block);
            }
            allocations_of.entry(thread).or_default().push(number);
            let site = counted.entry(key).or_default();
            for pair in [&mut site.live, &mut site.allocated] {
                pair[0] += bytes;
                pair[1] += 1;
            }
        }
        let live: u64 = counted.values().map(|site| site.live[0]).sum();
        if live >= peak {
            peak = live;
            counted.values_mut().for_each(|site| site.peak = site.live);
        }
    }
    (counted, peak)
}

fn aggregate(events: &[Event], window: usize) -> Capture {
    let mut aggregator = Aggregator::new(window);
    let stacks = stacks(aggregator.tables());
    let threads = [7, 8, 9].map(|tid| aggregator.tables().thread(tid));
    for event in events {
        match *event {
            Event::Allocate { thread, stack, address, bytes, mapped } => aggregator.allocated(Allocation {
                thread: threads[thread],
                stack: stacks[stack],
                allocator: if mapped { Allocator::Mmap } else { Allocator::Malloc },
                address,
                bytes,
            }),
            Event::Free { address } => aggregator.freed(ThreadId::default(), address),
            Event::Unmap { address, bytes } => aggregator.freed_range(ThreadId::default(), address, bytes),
        }
    }
    aggregator.finish(Program { finished: true, ..Program::default() })
}

proptest! {
    // A case replays every beginning of its events.
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn figures_are_those_of_a_plain_count(events in events(), window in 1usize..4) {
        let capture = aggregate(&events, window);
        prop_assert!(!capture.damaged);
        let (expected, peak) = plainly(&events, window);
        prop_assert_eq!(capture.header.peak_bytes, peak);
        let mut tables = Tables::new();
        let ids = stacks(&mut tables);
        let mut found = BTreeMap::new();
        for site in &capture.sites {
            let stack = ids.iter().position(|id| id.0 == site.stack).unwrap();
            found.insert((stack, site.thread() as usize, site.allocator() == Some(Allocator::Mmap)), Counted {
                live: [site.live_bytes, site.live_count.into()],
                peak: [site.peak_bytes, site.peak_count.into()],
                allocated: [site.allocated_bytes, site.allocated_count],
                temporary: [site.temporary_bytes, site.temporary_count],
            });
        }
        prop_assert_eq!(found, expected);
    }

    /// The largest sum of live bytes of a place's sites after any event.
    #[test]
    fn maxima_are_those_of_every_moment(events in events()) {
        let capture = aggregate(&events, 1);
        let mut largest: BTreeMap<(u32, String, u32, String), u64> = BTreeMap::new();
        for end in 1..=events.len() {
            let now = aggregate(&events[..end], 1);
            let mut live: BTreeMap<(u32, String, u32, String), u64> = BTreeMap::new();
            for site in &now.sites {
                let (mut at, mut places) = (site.stack, BTreeSet::new());
                while at != 0 {
                    let stack = now.stacks[at as usize];
                    let code = now.codes[stack.code as usize];
                    let (file, name) = (now.text(code.file).into_owned(), now.text(code.name).into_owned());
                    if at == site.stack {
                        places.insert((PlaceKind::SelfLine as u32, file.clone(), stack.line, String::new()));
                    }
                    if code.in_project == 1 {
                        places.insert((PlaceKind::TotalLine as u32, file.clone(), stack.line, String::new()));
                        places.insert((PlaceKind::TotalFunction as u32, file, code.first_line, name));
                    }
                    at = stack.parent;
                }
                for place in places {
                    *live.entry(place).or_default() += site.live_bytes;
                }
            }
            for (place, bytes) in live {
                let held = largest.entry(place).or_default();
                *held = bytes.max(*held);
            }
        }
        for place in &capture.places {
            let key = (
                place.kind,
                capture.text(place.file).into_owned(),
                place.line,
                capture.text(place.name).into_owned(),
            );
            prop_assert_eq!(place.max_bytes as u64, largest.get(&key).copied().unwrap_or(0));
        }
    }
}

/// What each site has live.
type Live = BTreeMap<u32, Amount>;

fn add(live: &mut Live, block: &Lived) {
    let amount = live.entry(block.site).or_default();
    *amount = Amount { bytes: amount.bytes + block.bytes, count: amount.count + 1 };
}

/// A block, and the events that allocated and freed it.
struct Lived {
    site: u32,
    bytes: u64,
    allocated: usize,
    freed: usize,
}

/// All blocks, and what was live after each event.
fn lives(events: &[Event], site_of: impl Fn(usize) -> u32) -> (Vec<Lived>, Vec<Live>) {
    let mut blocks: Vec<Lived> = Vec::new();
    let mut at: BTreeMap<u64, usize> = BTreeMap::new();
    let mut moments = vec![Live::new()];
    for (number, event) in events.iter().enumerate() {
        let (Event::Allocate { address, .. } | Event::Free { address } | Event::Unmap { address, .. }) =
            *event;
        if let Some(held) = at.remove(&address) {
            blocks[held].freed = number + 1;
        }
        if let Event::Allocate { stack, bytes, .. } = *event {
            at.insert(address, blocks.len());
            blocks.push(Lived { site: site_of(stack), bytes, allocated: number + 1, freed: usize::MAX });
        }
        let mut live = Live::new();
        for block in blocks.iter().filter(|block| block.freed == usize::MAX) {
            add(&mut live, block);
        }
        moments.push(live);
    }
    (blocks, moments)
}

proptest! {
    /// Against every moment and every block, for each part of the recording.
    #[test]
    fn histories_are_those_of_every_moment(
        events in prop::collection::vec((0usize..STACKS, 0u64..12, 0u64..9, 0u32..3), 1..120),
        most_entries in prop::sample::select(vec![0usize, 5, 40, 100_000]),
    ) {
        let mut aggregator = Aggregator::new(1).with_history(most_entries);
        let stacks = stacks(aggregator.tables());
        let thread = aggregator.tables().thread(1);
        let mut plain = Vec::new();
        // A sample's time is the number of events before it.
        for (stack, address, bytes, kind) in events {
            if kind == 2 {
                aggregator.freed(ThreadId::default(), address);
                plain.push(Event::Free { address });
            } else {
                let allocator = Allocator::Malloc;
                aggregator.allocated(Allocation { thread, stack: stacks[stack], allocator, address, bytes });
                plain.push(Event::Allocate { thread: 0, stack, address, bytes, mapped: false });
            }
            if bytes % 3 == 0 {
                aggregator.sampled(plain.len() as u32, 1);
            }
        }
        let program = Program { elapsed_ms: plain.len() as u32, finished: true, ..Program::default() };
        let (capture, history) = aggregator.finish_with_history(program);
        let site_of = |stack: usize| {
            capture.sites.iter().position(|site| site.stack == stacks[stack].0).expect("it allocated") as u32
        };
        let (blocks, moments) = lives(&plain, site_of);
        let total = |live: &Live| live.values().map(|amount| amount.bytes).sum::<u64>();
        let end = |tick: usize| history.ticks[tick].end_ms as usize;
        let start = |tick: usize| if tick == 0 { 0 } else { end(tick - 1) };
        prop_assert_eq!(end(history.ticks.len() - 1), plain.len());
        for first in 0..history.ticks.len() {
            for last in first..history.ticks.len() {
                let inside = start(first)..=end(last);
                let most = inside.clone().map(|moment| total(&moments[moment])).max().unwrap();
                let at = inside.rev().find(|moment| total(&moments[*moment]) == most).unwrap();
                let (tick, live) = history.peak_within(first, last).unwrap();
                prop_assert_eq!(history.ticks[tick].peak_bytes, most);
                prop_assert_eq!(&live, &moments[at], "ticks {} to {}", first, last);
                let mut kept = Live::new();
                for block in &blocks {
                    if (start(first) + 1..=end(last)).contains(&block.allocated) && block.freed > end(last) {
                        add(&mut kept, block);
                    }
                }
                prop_assert_eq!(history.kept_within(first, last), kept, "ticks {} to {}", first, last);
            }
        }
    }
}

#[test]
fn sums_give_a_profile_that_says_what_it_lacks() {
    let mut tables = Tables::new();
    let [_, bottom, loading, ..] = stacks(&mut tables);
    let thread = tables.thread(1);
    tables.name_thread(thread, "worker");
    let totals = Totals { peak_bytes: 100, peak_count: 2, leaked_bytes: 60, leaked_count: 1 };
    tables.add_totals(bottom, thread, Allocator::Malloc, &totals);
    tables.add_totals(loading, thread, Allocator::Mmap, &totals);
    tables.add_totals(loading, thread, Allocator::Mmap, &totals);
    let program = Program { finished: true, ..Program::default() };
    let capture = tables.finish(program, [(10, 5000, 200), (20, 6000, 300), (30, 4000, 180)]);
    assert!(!capture.damaged);
    let profile = crate::Profile::from_capture(&capture);
    let session = profile.session();
    assert_eq!((session.peak_bytes, session.leaked_bytes, session.peak_ms), (300, 180, 20));
    assert_eq!(session.rss_peak_bytes, 6000);
    assert_eq!(session.inexact, Some(crate::Inexact::SumsOnly));
    assert_eq!(session.notes.len(), 1);
    assert_eq!(profile.threads()[0].name, "worker");
    let line = profile.file("/p/app.py").unwrap().line(6).unwrap();
    assert_eq!((line.self_figures.peak_bytes, line.self_figures.max_bytes), (200, 200));
    assert_eq!(profile.timeline().len(), 3);
}

/// Two sites of two lines; what happens to them is written down below, moment by moment.
fn two_sites() -> Capture {
    let mut made = crate::hand_made::HandMade::default();
    let code = made.code("f", "app.py", 1);
    for line in [2, 3] {
        let stack = made.stack(0, code, line);
        made.site(stack, 0, 0, 0, 0);
    }
    made.header.elapsed_ms = 50;
    made.capture()
}

fn recounted(interval: Option<Interval>, window: usize) -> Capture {
    let capture = two_sites();
    let recount = Recount::new(&capture, window);
    let mut recount = match interval {
        Some(interval) => recount.within(interval),
        None => recount,
    };
    recount.allocated(0, 1000);
    recount.time(10);
    recount.allocated(1, 300);
    recount.allocated(0, 20);
    recount.freed(1, false);
    recount.time(20);
    recount.freed(0, false);
    recount.allocated(1, 7);
    recount.time(30);
    recount.freed(2, false);
    recount.allocated(1, 5000);
    recount.time(40);
    recount.unmapped(4, 4000, false, false);
    recount.unmapped(4, 1000, true, true);
    recount.finish(&capture).0
}

#[test]
fn a_part_has_its_own_peak_and_what_it_left_behind() {
    let figures = |capture: &Capture| {
        assert!(!capture.damaged);
        let of = |site: &heaphint_format::Site| {
            (site.peak_bytes, site.live_bytes, site.allocated_bytes, site.allocated_count)
        };
        (capture.header.peak_bytes, of(&capture.sites[0]), of(&capture.sites[1]))
    };
    let whole = recounted(None, 1);
    assert_eq!(figures(&whole), (5007, (0, 0, 1020, 2), (5007, 7, 5307, 3)));
    assert_eq!(whole.sites[1].temporary_bytes, 1000);
    assert_eq!(recounted(None, 2).sites[1].temporary_bytes, 1300, "freed before two further allocations");

    let part = |from_ms, to_ms| figures(&recounted(Some(Interval { from_ms, to_ms }), 1));
    // At 10 ms 1000 bytes are live already; 20 of what is allocated until 19 ms are not freed by then.
    assert_eq!(part(10, 19), (1320, (1020, 20, 20, 1), (300, 0, 300, 1)));
    // The block of 1000 is freed, though it was allocated before.
    assert_eq!(part(20, 29), (1020, (1020, 0, 0, 0), (0, 7, 7, 1)));
    assert_eq!(part(0, 9), (1000, (1000, 1000, 1000, 1), (0, 0, 0, 0)));
    assert_eq!(part(41, 45).2, (7, 0, 0, 0));
}

#[test]
fn old_allocations_are_found_again() {
    let capture = two_sites();
    let mut recount = Recount::new(&capture, 1).with_history(1000);
    recount.allocated(0, 11);
    for serial in 1..200_000 {
        recount.allocated(1, 3);
        if serial % 500 == 0 {
            recount.time(serial / 500);
        }
        if serial != 77 {
            recount.freed(u64::from(serial), true);
        }
    }
    recount.freed(0, false);
    recount.freed(0, false);
    let (counted, history) = recount.finish(&capture);
    let live: Vec<_> = counted.sites.iter().map(|site| (site.live_bytes, site.live_count)).collect();
    assert_eq!(live, [(0, 0), (3, 1)]);
    assert_eq!(history.kept_within(0, history.ticks.len() - 1)[&1], Amount { bytes: 3, count: 1 });
}
