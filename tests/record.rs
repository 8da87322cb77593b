//! Full records: their events give the figures that the tracer has counted, whatever happened to the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use heaphint_analysis::Capture;
use heaphint_analysis::records::Recount;
use heaphint_format::{Header, Record, Status};
use heaphint_record::{Ending, Event, Recording, events_path, read_capture, recount};

use crate::support::interpreter::Interpreter;
use crate::support::playground::Playground;

/// Allocates for as long as it is told, in several threads, with mappings of which parts go, and tells when it begins.
const STEADY: &str = r"
import ctypes, mmap, os, random, sys, threading, time
seconds, threads = float(sys.argv[1]), int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p] + [ctypes.c_size_t] * 2 + [ctypes.c_int] * 2 + [ctypes.c_size_t]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
def work(seed):
    chance, kept = random.Random(seed), []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(200):
            kept.append(bytearray(chance.randrange(600, 90_000)))
            if len(kept) > 300:
                del kept[chance.randrange(len(kept))]
        at = libc.mmap(None, 5 * 4096, 3, 0x22, 2**64 - 1, 0)
        libc.munmap(at + 4096, 4096)
        libc.munmap(at, 5 * 4096)
    return kept
workers = [threading.Thread(target=work, args=(seed,)) for seed in range(threads - 1)]
for worker in workers: worker.start()
work(99)
for worker in workers: worker.join()
";

/// What the capture has of every site and place, by what they are.
fn figures(capture: &Capture) -> BTreeMap<String, String> {
    let mut figures = BTreeMap::new();
    for (index, site) in capture.sites.iter().enumerate() {
        let counted = heaphint_format::Site { epoch: 0, set: 0, place: 0, ..*site };
        figures.insert(format!("site {index}"), format!("{counted:?}"));
    }
    for place in &capture.places {
        let (file, name) = (capture.text(place.file), capture.text(place.name));
        let key = format!("place {} {file} {name} {}", place.kind, place.line);
        figures.insert(key, format!("{} at most", place.max_bytes));
    }
    let header = &capture.header;
    let sums = (header.peak_bytes, header.current_bytes, header.smallest_bytes, header.largest_bytes);
    figures.insert("header".to_owned(), format!("{sums:?}"));
    figures
}

/// Everything in which two differ.
fn differences(found: &BTreeMap<String, String>, expected: &BTreeMap<String, String>) -> Vec<String> {
    let keys: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let differing = keys.into_iter().filter(|key| found.get(*key) != expected.get(*key));
    differing.map(|key| format!("{key}:\n  {:?}\n  {:?}", found.get(key), expected.get(key))).collect()
}

/// Events that take several segments of the log.
const ENOUGH: usize = 100_000;

/// The figures of the events are those of the tables.
fn assert_replays(path: &Path) {
    let capture = read_capture(path).expect("the capture is readable");
    assert!(!capture.damaged, "{} is damaged", path.display());
    let counted = recount(Recording::open(path).expect("it has events"), 1, None).expect("they are readable");
    assert!(!counted.damaged);
    let differences = differences(&figures(&counted), &figures(&capture));
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// Holds a capture whose process died against its events: it died before or after the last one stood in the tables.
fn assert_replays_to_its_death(path: &Path) {
    let recording = Recording::open(path).expect("it has events");
    let capture = recording.capture.clone();
    assert!(!capture.damaged, "{} is damaged", path.display());
    let mut events = Vec::new();
    let ending = recording.events(|event| events.push(event)).expect("they are readable");
    assert_eq!(ending, Ending::Unfinished);
    let expected = figures(&capture);
    let count = events.iter().filter(|event| !matches!(event, Event::Time { .. })).count();
    let mut found = Vec::new();
    for left_out in 0..2 {
        let mut recount = Recount::new(&capture, 1);
        let kept = count - left_out;
        let mut told = 0;
        for event in &events {
            if !matches!(event, Event::Time { .. }) {
                told += 1;
            }
            if told > kept {
                break;
            }
            tell(&mut recount, event);
        }
        found = differences(&figures(&recount.finish(&capture).0), &expected);
        if found.is_empty() {
            assert!(count > ENOUGH / 2, "only {count} events");
            return;
        }
    }
    panic!("{count} events, {} differences:\n{}", found.len(), found.join("\n"));
}

fn tell(recount: &mut Recount, event: &Event) {
    match *event {
        Event::Allocated { site, bytes, .. } => recount.allocated(site, bytes),
        Event::Freed { serial, temporary, .. } => recount.freed(serial, temporary),
        Event::Unmapped { serial, bytes, last, temporary, .. } => {
            recount.unmapped(serial, bytes, last, temporary);
        }
        Event::Time { elapsed_ms } => recount.time(elapsed_ms),
    }
}

/// A folder with the subjects and [`STEADY`].
fn playground() -> Playground {
    let playground = Playground::new();
    std::fs::write(playground.path("steady.py"), STEADY).expect("the folder is writable");
    playground
}

fn start(playground: &Playground, script: &str, arguments: &[&str]) -> Child {
    start_with(playground, &[], script, arguments)
}

/// The same, with further options of heaphint.
fn start_with(playground: &Playground, options: &[&str], script: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
    command.args(["run", "--record", "-q", "-o"]).arg(playground.path("%p.heaphint")).args(options);
    command.arg("--python").arg(&Interpreter::default().path).arg(playground.path(script)).args(arguments);
    command.stdin(Stdio::null()).spawn().expect("heaphint starts")
}

fn captures(playground: &Playground) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(playground.folder()).expect("the folder is there").flatten();
    let paths = entries.map(|entry| entry.path());
    let mut captures: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "heaphint")).collect();
    captures.sort();
    captures
}

/// The first page of the only capture, as soon as it is there and says what is waited for.
fn wait_for(playground: &Playground, is_it: impl Fn(&Header) -> bool) -> (PathBuf, Header) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        for path in captures(playground) {
            let header = std::fs::read(&path).ok().and_then(|bytes| Header::decode(&bytes));
            if let Some(header) =
                header.filter(|header| header.magic == heaphint_format::MAGIC && is_it(header))
            {
                return (path, header);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("there is no such capture in {}", playground.folder().display());
}

/// Returns as soon as so many events were recorded.
fn wait_for_events(path: &Path, least: usize) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(90) {
        let mut count = 0;
        if let Ok(recording) = Recording::open(path) {
            // While the process runs, what is read may be cut anywhere.
            let _ = recording.events(|_| count += 1);
        }
        if count >= least {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{} has fewer than {least} events", path.display());
}

fn kill(pid: u32) {
    // SAFETY: takes numbers; the process is one that this test has started.
    unsafe { libc::kill(pid as libc::pid_t, libc::SIGKILL) };
}

#[test]
fn events_give_the_figures_of_the_tables() {
    for (options, script, arguments) in [
        (&[][..], "busy.py", ["3", "400", "1"]),
        (&[], "busy.py", ["4", "300", "3"]),
        (&[], "steady.py", ["1.5", "3", ""]),
        (&["--native"], "busy.py", ["3", "400", "1"]),
        (&["--trace-python-allocators"], "busy.py", ["3", "400", "1"]),
    ] {
        let playground = playground();
        let status = start_with(&playground, options, script, &arguments).wait().expect("it ends");
        assert!(status.success());
        let [capture] = captures(&playground).try_into().expect("there is one capture");
        assert!(!events_path(&capture).exists(), "the events are in the capture");
        assert_replays(&capture);
    }
}

#[test]
fn each_forked_child_has_a_record_of_its_own() {
    let playground = playground();
    let script = "import os\nkept = [bytearray(5000) for _ in range(50)]\npid = os.fork()\n\
                  more = [bytearray(7000) for _ in range(70)]\nif pid: os.waitpid(pid, 0)\n";
    std::fs::write(playground.path("forks.py"), script).expect("the folder is writable");
    assert!(start(&playground, "forks.py", &[]).wait().expect("it ends").success());
    let captures = captures(&playground);
    assert_eq!(captures.len(), 2);
    captures.iter().for_each(|capture| assert_replays(capture));
}

#[test]
fn a_killed_process_leaves_its_last_event() {
    for delay_ms in [0, 113, 157] {
        let playground = playground();
        let mut launcher = start(&playground, "steady.py", &["60", "2"]);
        let (path, header) = wait_for(&playground, |_| true);
        wait_for_events(&path, ENOUGH);
        std::thread::sleep(Duration::from_millis(delay_ms));
        kill(header.pid);
        launcher.wait().expect("it ends");
        assert!(!events_path(&path).exists(), "the events are in the capture");
        assert_replays_to_its_death(&path);
    }
}

#[test]
fn a_killed_launcher_takes_nothing_with_it() {
    for delay_ms in [300, 811] {
        let playground = playground();
        let mut launcher = start(&playground, "steady.py", &["2.5", "2"]);
        let (path, _) = wait_for(&playground, |_| true);
        std::thread::sleep(Duration::from_millis(delay_ms));
        launcher.kill().expect("it can be killed");
        launcher.wait().expect("it ends");
        assert!(events_path(&path).exists(), "it has taken events");
        let running = Recording::open(&path).expect("it is readable while it runs");
        let mut events = 0u64;
        assert_ne!(running.events(|_| events += 1).expect("it is readable"), Ending::Damaged);
        assert!(events > 0);
        wait_for(&playground, |header| header.status == Status::Finished as u32);
        assert_replays(&path);
    }
}

#[test]
fn both_may_be_killed() {
    let playground = playground();
    let mut launcher = start(&playground, "steady.py", &["60", "2"]);
    let (path, header) = wait_for(&playground, |_| true);
    wait_for_events(&path, ENOUGH);
    launcher.kill().expect("it can be killed");
    launcher.wait().expect("it ends");
    std::thread::sleep(Duration::from_millis(300));
    kill(header.pid);
    std::thread::sleep(Duration::from_millis(200));
    assert_replays_to_its_death(&path);
}
