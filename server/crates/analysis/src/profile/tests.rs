//! Profiles of hand-made captures, against sums written out or computed the slow way.

use std::collections::{BTreeMap, BTreeSet};

use heaphint_format::{Allocator, Capture, PlaceKind, Sample, Site};
use proptest::prelude::*;

use super::*;
use crate::hand_made::HandMade;
use crate::{Figure, Inexact};

const MIB: u64 = 1 << 20;

/// `main` calls `load` at line 20; `load` calls itself at line 5 and allocates at line 6; a library allocates for it.
fn program() -> HandMade {
    let mut made = HandMade::default();
    let module = made.code("<module>", "/p/./app.py", 1);
    let load = made.code("Loader.load", "/p/./app.py", 3);
    let library = made.code("read", "/usr/lib/python3.11/site-packages/lib/io.py", 10);
    let main = made.stack(0, module, 20);
    let once = made.stack(main, load, 6);
    let recursing = made.stack(main, load, 5);
    let twice = made.stack(recursing, load, 5);
    let deep = made.stack(twice, load, 6);
    let read = made.stack(deep, library, 12);
    made.site(0, 100, 3, 1, 1);
    made.site(once, MIB, 4, 2, 1).temporary_bytes = MIB;
    made.site(deep, MIB, 2, 1, 0);
    made.site(read, 3 * MIB, 1, 1, 1).thread_and_allocator = Site::key(0, Allocator::Mmap);
    made.place(PlaceKind::SelfLine, "/p/./app.py", 6, "", 5 * MIB as i64);
    made.place(PlaceKind::TotalLine, "/p/./app.py", 5, "", 4 * MIB as i64);
    made.place(PlaceKind::TotalFunction, "/p/./app.py", 3, "Loader.load", 7 * MIB as i64);
    made
}

#[test]
fn lines_have_self_and_total_figures() {
    let profile = Profile::from_capture(&program().capture());
    let file = profile.file("/p/app.py").unwrap();
    assert_eq!(file.lines.iter().map(|line| line.line).collect::<Vec<_>>(), [5, 6, 20]);

    let six = file.line(6).unwrap();
    assert_eq!((six.function.as_str(), six.qualname.as_str()), ("load", "Loader.load"));
    assert_eq!(six.self_figures.peak_bytes, 3 * MIB);
    assert_eq!(six.self_figures.peak_count, 3);
    assert_eq!(six.self_figures.allocated_count, 6);
    assert_eq!(six.self_figures.temporary_bytes, MIB);
    assert_eq!(six.total_figures.peak_bytes, 6 * MIB);
    assert_eq!(six.total_figures.leaked_bytes, 4 * MIB);

    // Two frames of the recursion are at line 5, and its stack counts once.
    let five = file.line(5).unwrap();
    assert_eq!(five.self_figures.allocated_bytes, 0);
    assert_eq!(five.total_figures.allocated_bytes, 5 * MIB);
    assert_eq!(five.total_figures.max_bytes, 4 * MIB);

    let load = &file.functions[1];
    assert_eq!((load.name.as_str(), load.first_line), ("load", 3));
    assert_eq!(load.total_figures.peak_bytes, 6 * MIB);
    assert_eq!((load.total_figures.max_bytes, load.total_figures.inexact), (7 * MIB, None));
    assert_eq!(profile.outside_python().allocated_bytes, 300);
}

#[test]
fn figures_are_the_same_without_stacks() {
    let captures = || {
        let mut second = program();
        second.header.pid = 2;
        vec![program().capture(), second.capture()]
    };
    let (whole, figures) = (Profile::consuming(captures()), Profile::without_stacks_of(captures()));
    for without in [&figures, &whole.without_stacks()] {
        assert_eq!((without.session(), without.files()), (whole.session(), whole.files()));
        assert_eq!((without.outside_python(), without.processes().len()), (whole.outside_python(), 2));
        assert_eq!((without.has_stacks(), without.stack_count()), (false, 0));
        assert_eq!(without.stacks_through(Through::Anything, Figure::Peak, 9).stacks, []);
    }
    assert!(whole.has_stacks() && whole.session().allocated_bytes > 10 * MIB);
}

#[test]
fn a_maximum_that_nobody_recorded_is_a_lower_bound() {
    let mut made = program();
    made.places.clear();
    let name = "/p/app.py";
    let profile = Profile::from_capture(&made.capture());
    let six = profile.file(name).unwrap().line(6).unwrap();
    assert_eq!(six.self_figures.inexact, Some(Inexact::MaxIsLowerBound));
    assert_eq!(six.self_figures.max_bytes, 3 * MIB);
    assert_eq!(six.total_figures.max_bytes, 6 * MIB);

    // A library's innermost line has no total of its own, and needs none.
    made.place(PlaceKind::SelfLine, "/usr/lib/python3.11/site-packages/lib/io.py", 12, "", 4 * MIB as i64);
    let profile = Profile::from_capture(&made.capture());
    let line = profile.file("/usr/lib/python3.11/site-packages/lib/io.py").unwrap().line(12).unwrap().clone();
    assert_eq!((line.total_figures.max_bytes, line.total_figures.inexact), (4 * MIB, None));
}

#[test]
fn two_names_of_a_file_make_its_maxima_bounds() {
    let mut made = program();
    let other = made.code("other", "./app.py", 30);
    let stack = made.stack(0, other, 6);
    made.site(stack, 10, 1, 1, 1);
    let profile = Profile::from_capture(&made.capture());
    let six = profile.file("/p/app.py").unwrap().line(6).unwrap();
    assert_eq!(six.self_figures.inexact, Some(Inexact::MaxIsLowerBound));
    assert_eq!(six.self_figures.max_bytes, 5 * MIB);
}

#[test]
fn stacks_are_listed_outermost_first() {
    let profile = Profile::from_capture(&program().capture());
    let line = Through::Line { file: "/p/app.py", line: 5 };
    let list = profile.stacks_through(line, Figure::Peak, 1);
    assert_eq!(list.left_out, 1);
    let stack = &list.stacks[0];
    assert_eq!((stack.bytes, stack.count), (3 * MIB, 1));
    assert_eq!(stack.allocators, [Allocator::Mmap]);
    assert_eq!(stack.threads, ["MainThread"]);
    let frames: Vec<_> = stack.frames.iter().map(|frame| (frame.function, frame.line)).collect();
    assert_eq!(frames, [("<module>", 20), ("load", 5), ("load", 5), ("load", 6), ("read", 12)]);

    let function = Through::Function { file: "/p/app.py", qualname: "Loader.load", first_line: 3 };
    assert_eq!(profile.stacks_through(function, Figure::Temporary, 9).stacks.len(), 1);
    assert_eq!(profile.stacks_through(function, Figure::Max, 9).by, Figure::Peak);
    assert_eq!(profile.stacks_through(Through::Anything, Figure::Peak, 9).stacks.len(), 4);
    let nowhere = Through::Line { file: "/p/app.py", line: 99 };
    assert_eq!(profile.stacks_through(nowhere, Figure::Max, 9).by, Figure::Allocated);
}

#[test]
fn the_run_is_described() {
    let mut made = program();
    made.header.exit_status = -9;
    made.header.status = 0;
    made.header.problem = made.text("the disk is full");
    made.timeline.push(Sample { tick_plus_one: 1, elapsed_ms: 0, rss_bytes: 9, heap_bytes: 5 });
    let profile = Profile::from_capture(&made.capture());
    let session = profile.session();
    assert_eq!(session.command, ["python", "app.py"]);
    assert_eq!(session.python.as_deref(), Some("3.11.7"));
    assert_eq!((session.exit_code, session.complete), (Some(137), false));
    assert_eq!(session.peak_bytes, 6 * MIB + 100);
    assert_eq!(session.allocated_count, 10);
    assert_eq!(session.notes.len(), 1, "{:?}", session.notes);
    assert_eq!(profile.timeline().len(), 1);
    assert_eq!(profile.threads()[0].figures.allocated_bytes, session.allocated_bytes);
    assert_eq!(profile.sizes().iter().map(|class| class.count).sum::<u64>(), 10);
    assert_eq!(profile.allocators()[0].count, 9);
    let modules = profile.modules(false, 9);
    let names: Vec<_> = modules.iter().map(|module| (module.module.as_str(), module.count)).collect();
    assert_eq!(names, [("app", 6), ("lib", 1), ("<root>", 3)]);
    let lines = profile.project_lines(Figure::Peak);
    let project: Vec<_> = lines.iter().map(|line| (line.location.line, line.bytes)).collect();
    assert_eq!(project, [(6, 3 * MIB), (12, 3 * MIB)]);
    let top = profile.locations(false, 1)[0];
    assert_eq!((top.location.unwrap().line, top.bytes), (6, 6 * MIB));
}

#[test]
fn processes_add_up_and_say_so() {
    let captures = [program().capture(), program().capture()];
    let profile = Profile::from_captures(&captures);
    assert_eq!(profile.session().peak_bytes, 2 * (6 * MIB + 100));
    let six = profile.file("/p/app.py").unwrap().line(6).unwrap();
    assert_eq!(six.self_figures.allocated_count, 12);
    assert_eq!(
        (six.self_figures.max_bytes, six.self_figures.inexact),
        (10 * MIB, Some(Inexact::SeveralProcesses))
    );
    assert_eq!(profile.stacks_through(Through::Anything, Figure::Peak, 99).stacks.len(), 7);
}

/// A random tree of stacks over two files with five lines each, and sites on it.
fn random_program() -> impl Strategy<Value = HandMade> {
    let stacks = prop::collection::vec((any::<prop::sample::Index>(), 0u32..4, 0u32..5), 0..30);
    let sites = prop::collection::vec((any::<prop::sample::Index>(), 1u64..1000, 1u32..9), 0..40);
    (stacks, sites).prop_map(|(stacks, sites)| {
        let mut made = HandMade::default();
        for (name, file) in [("a", "x.py"), ("b", "x.py"), ("c", "y.py"), ("d", "<string>")] {
            made.code(name, file, 1);
        }
        for (parent, code, line) in stacks {
            made.stack(parent.index(made.stacks.len()) as u32, code, line);
        }
        for (stack, bytes, count) in sites {
            made.site(stack.index(made.stacks.len()) as u32, bytes, count, count / 2, count / 3);
        }
        made
    })
}

/// Totals by walking each site's stack to the root.
fn slow_totals(capture: &Capture) -> BTreeMap<(String, u32), u64> {
    let mut totals = BTreeMap::new();
    for site in &capture.sites {
        let (mut at, mut seen) = (site.stack, BTreeSet::new());
        while at != 0 {
            let stack = capture.stacks[at as usize];
            let code = capture.codes[stack.code as usize];
            seen.insert((crate::absolute(&capture.text(code.file), "/p"), stack.line.max(1)));
            at = stack.parent;
        }
        for line in seen {
            *totals.entry(line).or_insert(0) += site.allocated_bytes;
        }
    }
    totals
}

proptest! {
    #[test]
    fn sums_agree(made in random_program()) {
        let capture = made.capture();
        prop_assert!(!capture.damaged);
        let profile = Profile::from_capture(&capture);
        let session = profile.session();
        let lines = || profile.files().iter().flat_map(|file| &file.lines);
        let selfs: u64 = lines().map(|line| line.self_figures.peak_bytes).sum();
        prop_assert_eq!(selfs + profile.outside_python().peak_bytes, session.peak_bytes);
        let all = profile.stacks_through(Through::Anything, Figure::Allocated, usize::MAX);
        prop_assert_eq!(all.stacks.iter().map(|stack| stack.bytes).sum::<u64>(), session.allocated_bytes);
        let threads = profile.threads();
        prop_assert_eq!(threads.iter().map(|thread| thread.figures.leaked_bytes).sum::<u64>(), session.leaked_bytes);
        let modules = profile.modules(true, usize::MAX);
        prop_assert_eq!(modules.iter().map(|module| module.count).sum::<u64>(), session.allocated_count);

        let slow = slow_totals(&capture);
        for file in profile.files() {
            for line in &file.lines {
                let expected = slow.get(&(file.path.clone(), line.line)).copied().unwrap_or(0);
                prop_assert_eq!(line.total_figures.allocated_bytes, expected);
                let through = Through::Line { file: &file.path, line: line.line };
                let stacks = profile.stacks_through(through, Figure::Allocated, usize::MAX);
                prop_assert_eq!(stacks.stacks.iter().map(|stack| stack.bytes).sum::<u64>(), expected);
                prop_assert!(line.self_figures.allocated_bytes <= expected);
            }
        }
    }

    #[test]
    fn any_damage_gives_a_profile(
        made in random_program(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = made.bytes();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len()).max(16384));
        if let Ok(capture) = Capture::read(&bytes) {
            let profile = Profile::from_captures(&[capture.clone(), capture]);
            let stacks = profile.stacks_through(Through::Anything, Figure::Max, 3);
            prop_assert!(stacks.stacks.len() <= 3);
            prop_assert!(profile.modules(true, 3).len() <= 3);
            prop_assert!(profile.locations(true, 3).len() <= 3);
            prop_assert!(profile.threads().len() <= profile.sites.len());
            prop_assert!(profile.allocators().len() <= profile.sites.len());
            prop_assert_eq!(profile.sizes().len(), SIZE_CLASSES);
        }
    }
}

#[test]
fn the_graph_has_every_site_at_its_stack() {
    let mut child = program();
    child.header.pid = 4712;
    let worker = child.thread(0, "");
    child.site(1, 7, 1, 1, 0).thread_and_allocator = Site::key(worker, Allocator::Malloc);
    child.timeline.push(Sample { tick_plus_one: 1, elapsed_ms: 5, rss_bytes: 9, heap_bytes: 8 });
    let profile = Profile::from_captures(&[program().capture(), child.capture()]);
    let pids: Vec<u32> = profile.processes().iter().map(|process| process.pid).collect();
    assert_eq!(pids, [4711, 4712]);
    assert_eq!((profile.timeline().len(), profile.processes()[1].timeline.len()), (0, 1));

    let graph = profile.graph();
    let stack = |mut at: u32| {
        let mut frames = Vec::new();
        while at != 0 {
            let node = graph.nodes[at as usize];
            assert!(node.parent < at);
            frames.push((graph.functions[node.function as usize].qualname, node.line));
            at = node.parent;
        }
        frames.reverse();
        frames
    };
    let rows: Vec<_> = graph
        .sites
        .iter()
        .map(|site| {
            let thread = &graph.threads[site.thread as usize];
            (stack(site.node).len(), site.figures.peak_bytes, thread.process, thread.name.as_str())
        })
        .collect();
    let main = |process| {
        [(0, 100, process, "MainThread"), (2, 2 * MIB, process, "MainThread")]
            .into_iter()
            .chain([(4, MIB, process, "MainThread"), (5, 3 * MIB, process, "MainThread")])
    };
    let expected: Vec<_> = main(0).chain(main(1)).chain([(1, 7, 1, "other threads")]).collect();
    assert_eq!(rows, expected);
    assert_eq!(stack(graph.sites[3].node).last(), Some(&("read", 12)));

    let library = graph.files.iter().find(|file| file.path.ends_with("io.py")).unwrap();
    assert_eq!((library.origin, library.module), (Origin::Library, Some("lib")));
}
