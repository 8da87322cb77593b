//! Full records on the command line: parts of a run, every event, exports, and files that nobody has packed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cli::{Folder, stderr, stdout};
use crate::support::expectation::figure;
use crate::support::interpreter::Interpreter;
use crate::support::playground::tracer_library;
use crate::support::process::{Outcome, run};
use crate::support::rows::{differences, read, rows};

/// Four moments that are far from each other.
const MOMENTS: &str = "\
import time

first = bytearray(5_000_000)
time.sleep(0.3)
second = bytearray(7_000_000)
time.sleep(0.3)
del first
third = bytearray(3_000_000)
time.sleep(0.3)
del second, third
fourth = bytearray(4_000_000)
";

/// Records a program; the folder with its full record, `x.heaphint`.
fn recorded(program: &str, options: &[&str]) -> Folder {
    let folder = Folder::new();
    folder.write("program.py", program);
    let arguments = [&["run", "--record", "-q", "-o", "x.heaphint"], options, &["program.py"]].concat();
    let outcome = folder.heaphint(&arguments);
    assert_eq!(outcome.code, 0, "{}", stderr(&outcome));
    folder
}

fn report(folder: &Folder, arguments: &[&str]) -> Value {
    let outcome = folder.heaphint(&[arguments, &["x.heaphint"]].concat());
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(&outcome)))
}

/// A number of an event's line, such as the one of `bytes=5`.
fn number(line: &str, name: &str) -> u64 {
    let mut words = line.split_whitespace().filter_map(|word| word.split_once('='));
    let (_, value) = words.find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no {name} in {line}"));
    value.parse().unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn events(folder: &Folder) -> Vec<String> {
    let outcome = folder.heaphint(&["parse", "x.heaphint"]);
    assert_eq!(outcome.code, 0, "{}", stderr(&outcome));
    let kinds = ["ALLOCATED ", "FREED ", "UNMAPPED ", "TIME "];
    let text = stdout(&outcome);
    let events = text.lines().skip_while(|line| !kinds.iter().any(|kind| line.starts_with(kind)));
    let events: Vec<_> = events.map(str::to_owned).collect();
    assert!(events.iter().all(|line| kinds.iter().any(|kind| line.starts_with(kind))), "events come last");
    events
}

/// A bytearray's block, which has a byte more than it holds, or from 3.15 on 33.
fn block(events: &[String], bytes: u64) -> Option<usize> {
    events.iter().position(|line| {
        line.starts_with("ALLOCATED ") && [bytes + 1, bytes + 33].contains(&number(line, "bytes"))
    })
}

#[test]
fn a_part_of_the_run_has_its_own_figures() {
    let folder = recorded(MOMENTS, &[]);
    let events = events(&folder);
    // When the second to fourth block were made, as the events say.
    let [second, third, fourth] = [7_000_000, 3_000_000, 4_000_000].map(|bytes| {
        let at = block(&events, bytes).expect("the block was recorded");
        let mut times = events[..at].iter().rev().filter(|line| line.starts_with("TIME "));
        number(times.next().expect("time has gone by"), "elapsed_ms")
    });
    assert!(second + 250 < third && third + 250 < fourth, "{second}, {third}, {fourth}");
    let path = folder.path().canonicalize().expect("the folder exists").join("program.py");
    let path = path.to_str().expect("paths are text");
    let more = number(&events[block(&events, 7_000_000).expect("it was found")], "bytes") - 7_000_000;
    // Of the four lines: what was allocated, at the peak, live at the end and allocated in the part, and the largest.
    let figures = |options: &[&str]| {
        let document = report(&folder, &[&["lines", "--json"], options].concat());
        let figures = ["allocated_bytes", "peak_bytes", "leaked_bytes", "max_bytes"].map(|name| {
            [3, 5, 8, 11].map(|line| {
                let name = format!("self.{name}");
                let bytes = figure(&document, path, line, &name).as_u64().expect("a figure");
                bytes.checked_sub(more).map_or(bytes, |bytes| bytes / 1_000_000)
            })
        });
        (figures, document["session"]["notes"].clone())
    };
    let time = |at: u64| format!("{at}ms");
    let seconds = |at: u64| format!("{}s", at as f64 / 1000.0);
    let inside = figures(&["--from", &time(second - 150), "--to", &time(second + 150)]);
    assert_eq!(inside.0, [[0, 7, 0, 0], [5, 7, 0, 0], [0, 7, 0, 0], [5, 7, 0, 0]]);
    assert!(inside.1.to_string().contains("a part of the run"), "{}", inside.1);
    assert_eq!(inside, figures(&["--from", &seconds(second - 150), "--to", &seconds(second + 150)]));

    let (early, _) = figures(&["--to", &time(second - 150)]);
    assert_eq!(early, [[5, 0, 0, 0], [5, 0, 0, 0], [5, 0, 0, 0], [5, 0, 0, 0]]);
    let (late, _) = figures(&["--from", &time(third - 150)]);
    assert_eq!(late, [[0, 0, 3, 4], [5, 7, 0, 0], [0, 0, 0, 4], [5, 7, 3, 4]]);
    // Both ends are inside.
    let (moment, _) = figures(&["--from", &time(third), "--to", &time(third)]);
    assert_eq!(moment[0][2], 3);
    let (whole, notes) = figures(&["--from", "0s", "--to", "1000s"]);
    assert_eq!((whole, notes.to_string().contains("a part")), (figures(&[]).0, true));

    // Every report is about the part that is asked for.
    let part = ["--from", &time(second - 150), "--to", &time(second + 150)];
    let table = report(&folder, &[&["table", "--json", "--figure", "allocated"], &part[..]].concat());
    let rows = table["rows"].as_array().expect("`rows` is a list");
    let rows: Vec<_> = rows.iter().filter(|row| row["allocated_count"] != 0).collect();
    assert!(rows.len() == 1 && rows[0]["location"]["line"] == 5, "{rows:?}");
    let tree = report(&folder, &[&["tree", "--json", "--figure", "allocated"], &part[..]].concat());
    assert_eq!(tree["nodes"][0]["total"]["allocated_bytes"], 7_000_000 + more);
    let summary = report(&folder, &[&["summary", "--json", "--figure", "allocated"], &part[..]].concat());
    assert_eq!(summary["session"]["allocated_bytes"], 7_000_000 + more);
}

#[test]
fn a_part_that_cannot_be_shown_is_refused() {
    let folder = recorded("kept = bytearray(100_000)\n", &[]);
    folder.heaphint(&["run", "-q", "-o", "sums.heaphint", "program.py"]);
    for (arguments, code, said) in [
        (&["--from", "2s", "--to", "1s", "x.heaphint"][..], 2, "`--from` is later than `--to`"),
        (&["--from", "3", "x.heaphint"], 2, "a moment is a number with its unit"),
        (&["--to", "-1s", "x.heaphint"], 2, ""),
        (&["--from", "0s", "sums.heaphint"], 2, "run the program with `--record`"),
    ] {
        for command in ["lines", "tree", "table", "summary"] {
            let outcome = folder.heaphint(&[&[command], arguments].concat());
            assert_eq!((outcome.code, outcome.stdout.len()), (code, 0), "{}", stderr(&outcome));
            assert!(stderr(&outcome).contains(said), "{command} {arguments:?}: {}", stderr(&outcome));
        }
    }
    // Behind the end of the run there is nothing, which is no error.
    let document = report(&folder, &["lines", "--json", "--from", "1000s"]);
    assert_eq!(document["session"]["allocated_count"], 0);
}

/// Allocates and frees by a thread, and unmaps a mapping in two parts.
const EVENTS: &str = "\
import mmap
import threading


def work():
    for size in range(600, 900):
        bytes(size)


thread = threading.Thread(target=work)
thread.start()
thread.join()
region = mmap.mmap(-1, 3 * 4096)
region.close()
kept = bytearray(1_234_567)
";

#[test]
fn every_event_is_printed_once() {
    for options in [&[][..], &["--addresses"], &["--trace-python-allocators"]] {
        let folder = recorded(EVENTS, options);
        let events = events(&folder);
        let allocated: Vec<_> = events.iter().filter(|line| line.starts_with("ALLOCATED ")).collect();
        for (serial, line) in allocated.iter().enumerate() {
            assert_eq!(number(line, "serial"), serial as u64);
            assert_eq!(line.contains(" address=0x"), options == ["--addresses"], "{line}");
        }
        let mut live: BTreeMap<u64, u64> = BTreeMap::new();
        let mut now = 0;
        for line in &events {
            if line.starts_with("ALLOCATED ") {
                live.insert(number(line, "serial"), number(line, "bytes"));
            } else if line.starts_with("FREED ") {
                assert!(live.remove(&number(line, "serial")).is_some(), "{line}: it was freed already");
            } else if line.starts_with("UNMAPPED ") {
                let left = live.get_mut(&number(line, "serial")).expect("the mapping is there");
                *left = left.saturating_sub(number(line, "bytes"));
                if line.contains("last=true") {
                    live.remove(&number(line, "serial"));
                }
            } else {
                assert!(number(line, "elapsed_ms") >= now, "{line}: time goes back");
                now = number(line, "elapsed_ms");
            }
        }
        let sum = |name: &str| allocated.iter().map(|line| number(line, name)).sum::<u64>();
        let stats = report(&folder, &["stats", "--json"]);
        assert_eq!(stats["total_num_allocations"], allocated.len());
        assert_eq!(stats["total_bytes_allocated"], sum("bytes"));
        let document = report(&folder, &["lines", "--json"]);
        assert_eq!(document["session"]["leaked_count"], live.len());
        assert_eq!(document["session"]["leaked_bytes"], live.values().sum::<u64>());
    }
}

/// What is written of a record for other tools, and what they read.
fn compare_exports(options: &[&str]) {
    let folder = recorded(EVENTS, options);
    let paths = ["events.parquet", "export.bin"].map(|name| folder.path().join(name));
    for arguments in [
        &["transform", "parquet", "--events", "-o", "events.parquet"][..],
        &["transform", "memray", "-o", "export.bin"],
        &["transform", "csv", "--no-native", "-o", "peak.csv"],
        &["transform", "csv", "--no-native", "--leaks", "-o", "leaks.csv"],
    ] {
        let outcome = folder.heaphint(&[arguments, &["x.heaphint"]].concat());
        assert_eq!(outcome.code, 0, "{arguments:?}: {}", stderr(&outcome));
    }
    let (peak, leaks) = (folder.path().join("peak.csv"), folder.path().join("leaks.csv"));
    let [table, export] = &paths;
    let read = read(&[
        ("events", table),
        ("memray-stats", export),
        ("memray:peak", export),
        ("csv", &peak),
        ("memray:leaked", export),
        ("csv", &leaks),
    ]);
    let events = events(&folder);
    let printed: Vec<_> = events.iter().filter(|line| line.starts_with("ALLOCATED ")).collect();
    let bytes: u64 = printed.iter().map(|line| number(line, "bytes")).sum();
    for of in &read[..2] {
        assert_eq!((&of["allocations"], &of["bytes"]), (&printed.len().into(), &bytes.into()));
    }
    for pair in read[2..].chunks(2) {
        assert_eq!(differences(&rows(&pair[1], false), &rows(&pair[0], false)), [""; 0]);
    }
}

#[test]
fn exports_of_a_full_record_have_its_events() {
    compare_exports(&[]);
    // These have no native frames, and stacks are what they are without.
    compare_exports(&["--native"]);
}

/// `b + 1` blocks that are freed in the opposite order: one of them before its thread makes another, and so on.
const NESTED: &str = "\
import settle
from libc import load

c = load('libc.so.6')
slots = [None] * 16


def nest(count):
    for index in range(count):
        slots[index] = c.valloc(100_000 + count)
    for index in reversed(range(count)):
        c.free(slots[index])


def with_one_between():
    first = c.valloc(200_001)
    c.free(c.valloc(200_002))
    c.free(first)


nest(2)
nest(3)
nest(6)
nest(11)
with_one_between()
";

#[test]
fn a_wider_window_makes_more_blocks_temporary() {
    let folder = Folder::new();
    for name in ["settle.py", "libc.py"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs").join(name);
        folder.write(name, &std::fs::read_to_string(path).expect("the subject is there"));
    }
    folder.write("program.py", NESTED);
    let outcome = folder.heaphint(&["run", "--record", "-q", "-o", "x.heaphint", "program.py"]);
    assert_eq!(outcome.code, 0, "{}", stderr(&outcome));
    // Blocks by the line they were made on, and by their size.
    let temporary = |further: &str| {
        let option = format!("--temporary={further}");
        let document = report(&folder, &["table", "--json", &option]);
        let rows = document["rows"].as_array().expect("`rows` is a list").clone();
        let of = |line: u64| {
            let rows = rows.iter().filter(|row| {
                row["location"]["line"] == line
                    && row["location"]["file"].as_str().is_some_and(|it| it.ends_with("program.py"))
            });
            let rows = rows.filter(|row| row["allocator"] == "VALLOC");
            ["temporary_count", "temporary_bytes"]
                .map(|name| rows.clone().map(|row| row[name].as_u64().expect("a figure")).sum::<u64>())
        };
        let source: Vec<_> = NESTED.lines().collect();
        let line =
            |text: &str| source.iter().position(|line| line.contains(text)).expect("it is there") as u64 + 1;
        (of(line("100_000 + count")), of(line("first = c.valloc")), of(line("c.free(c.valloc")))
    };
    for window in [1, 2, 5, 10] {
        // Of each group all but those that outlive so many others.
        let counts = [2u64, 3, 6, 11].map(|count| (count.min(window), 100_000 + count));
        let expected =
            [counts.iter().map(|(n, _)| n).sum(), counts.iter().map(|(n, bytes)| n * bytes).sum::<u64>()];
        let (nested, first, second) = temporary(&window.to_string());
        assert_eq!(nested, expected, "with {window}");
        assert_eq!(first, if window == 1 { [0, 0] } else { [1, 200_001] }, "with {window}");
        assert_eq!(second, [1, 200_002]);
    }
}

/// Runs a program with the tracer and without heaphint, which would pack its capture.
fn unpacked(folder: &Folder, modes: &str) -> Outcome {
    let mut command = Command::new(&Interpreter::default().path);
    command.current_dir(folder.path()).arg("program.py").env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("LD_PRELOAD", tracer_library()).env("HEAPHINT_MODES", modes);
    run(command.env("HEAPHINT_CAPTURE", folder.path().join("x.heaphint")), "")
}

#[test]
fn a_capture_says_the_same_packed_and_unpacked() {
    for modes in ["", "record", "record,addresses,python-allocators,native"] {
        let raw = Folder::new();
        raw.write("program.py", EVENTS);
        let outcome = unpacked(&raw, modes);
        assert_eq!(outcome.code, 0, "{modes}: {}", outcome.text());
        let packed = Folder::new();
        packed.write("program.py", EVENTS);
        std::fs::copy(raw.path().join("x.heaphint"), packed.path().join("x.heaphint"))
            .expect("a writable folder");
        heaphint_record::compact(&packed.path().join("x.heaphint")).expect("it can be packed");
        let bytes = |folder: &Folder| folder.path().join("x.heaphint").metadata().expect("it is there").len();
        assert!(bytes(&packed) * 2 < bytes(&raw), "{modes}: it is packed");

        let mut reports: Vec<Vec<&str>> = Vec::new();
        for command in ["lines", "tree", "summary", "table", "stats", "imports"] {
            reports.extend([vec![command], vec![command, "--json"]]);
        }
        reports.extend([vec!["flamegraph", "-o", "-"], vec!["check"], vec!["check", "--format", "json"]]);
        reports.push(vec!["summary", "--json", "--figure", "max"]);
        for figure in ["allocated", "leaked", "temporary"] {
            reports.push(vec!["table", "--json", "--figure", figure]);
        }
        let formats = [
            "csv",
            "parquet",
            "speedscope",
            "gprof2dot",
            "collapsed",
            "pprof",
            "heapprofile",
            "trace",
            "memray",
        ];
        reports.extend(formats.map(|format| vec!["transform", format]));
        reports.push(vec!["parse"]);
        if modes.contains("record") {
            for part in [&["--from", "1ms"][..], &["--to", "30ms"], &["--temporary=3"]] {
                reports.push([&["lines", "--json"], part].concat());
                reports.push([&["tree", "--json"], part].concat());
            }
            reports.push(vec!["transform", "parquet", "--events"]);
        }
        for arguments in reports {
            let arguments = [&arguments[..], &["x.heaphint"]].concat();
            let [raw, packed] = [&raw, &packed].map(|folder| folder.heaphint(&arguments));
            assert_eq!(raw.code, packed.code, "{modes}: {arguments:?}: {}{}", stderr(&raw), stderr(&packed));
            assert!(raw.code == 0 && !raw.stdout.is_empty(), "{modes}: {arguments:?}: {}", stderr(&raw));
            assert_eq!(stderr(&raw), stderr(&packed), "{modes}: {arguments:?}");
            assert!(raw.stdout == packed.stdout, "{modes}: {arguments:?} differ");
        }
    }
}
