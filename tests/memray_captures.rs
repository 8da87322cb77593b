//! Captures of Memray: heaphint's reports of them have the figures of Memray's own, row by row.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::memray::memray_python;
use crate::support::playground::Playground;
use crate::support::process::run;
use crate::support::rows::{Rows, differences, read, rows};

/// Programs of different kinds: calls, recursion, generators, coroutines, threads, mappings, leaks, extensions.
const PROGRAMS: [&str; 14] = [
    "allocator_calls_libc.py",
    "class_bodies.py",
    "comprehensions.py",
    "coroutines.py",
    "exec_loop.py",
    "generators.py",
    "leak_cycle.py",
    "many_threads.py",
    "mmap_whole.py",
    "munmap_partial.py",
    "mutual_recursion.py",
    "numpy_arrays.py",
    "temporaries.py",
    "thread_names.py",
];

/// Records a program with Memray.
pub fn recorded(playground: &Playground, script: &str, options: &[&str]) -> PathBuf {
    let capture = playground.path(&format!("{script}{}.bin", options.concat()));
    let mut command = Command::new(&memray_python().path);
    command.args(["-m", "memray", "run", "-q", "-f"]).args(options).arg("-o").arg(&capture);
    command.arg(playground.path(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    let outcome = run(&mut command, "some input\n");
    assert_eq!(outcome.code, 0, "{script}: {}", outcome.text());
    capture
}

/// What heaphint prints.
pub fn heaphint(arguments: &[&str], capture: &Path) -> Vec<u8> {
    let outcome = run(Command::new(env!("CARGO_BIN_EXE_heaphint")).args(arguments).arg(capture), "");
    assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.text());
    outcome.stdout
}

fn json(arguments: &[&str], capture: &Path) -> Value {
    serde_json::from_slice(&heaphint(arguments, capture)).expect("the output is JSON")
}

/// Figures by location, as both tools write it.
fn by_location(list: &Value, figure: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for entry in list.as_array().expect("a list") {
        let location = entry["location"].as_str().expect("a location").to_owned();
        *sums.entry(location).or_insert(0) += entry[figure].as_u64().expect("a figure");
    }
    sums
}

fn whole(map: &Value) -> BTreeMap<String, u64> {
    let entries = map.as_object().expect("an object").iter();
    entries.map(|(name, value)| (name.clone(), value.as_u64().expect("a number"))).collect()
}

fn compare_stats(capture: &Path, theirs: &Value) -> Vec<String> {
    let ours = json(&["stats", "--json", "-n", "1000000"], capture);
    let mut found = Vec::new();
    let mut compare = |what: &str, ours: &Value, theirs: &Value| {
        if ours != theirs {
            found.push(format!("{what} is {ours}, but {theirs}"));
        }
    };
    compare("peak", &ours["metadata"]["peak_memory"], &theirs["peak"]);
    compare("allocations", &ours["total_num_allocations"], &theirs["allocations"]);
    compare("bytes", &ours["total_bytes_allocated"], &theirs["bytes"]);
    for (ours_name, theirs_name) in [
        ("start_time", "start"),
        ("end_time", "end"),
        ("command_line", "command"),
        ("pid", "pid"),
        ("python_allocator", "allocator"),
    ] {
        compare(ours_name, &ours["metadata"][ours_name], &theirs[theirs_name]);
    }
    compare("allocators", &ours["allocator_type_distribution"], &theirs["allocators"]);
    for (list, figure, theirs_name) in
        [("top_allocations_by_size", "size", "by_size"), ("top_allocations_by_count", "count", "by_count")]
    {
        let sums = |sums: BTreeMap<String, u64>| serde_json::to_value(sums).expect("plain numbers");
        compare(list, &sums(by_location(&ours[list], figure)), &sums(whole(&theirs[theirs_name])));
    }
    let sizes = whole(&theirs["sizes"]);
    for class in ours["allocation_size_histogram"].as_array().expect("a list") {
        let (least, most) = (class["min_bytes"].as_u64().unwrap_or(0), class["max_bytes"].as_u64());
        let inside = sizes.iter().filter(|(size, _)| {
            let size: u64 = size.parse().expect("a size");
            size >= least && most.is_none_or(|most| size <= most)
        });
        compare("a size class", &class["count"], &inside.map(|(_, count)| count).sum::<u64>().into());
    }
    found
}

/// Options of heaphint and the rows of Memray that they must give.
const VIEWS: [(&str, &str); 4] = [
    ("--figure=peak", "memray:peak"),
    ("--leaks", "memray:leaked"),
    ("--temporary", "memray:temporary=1"),
    ("--temporary=3", "memray:temporary=3"),
];

/// Rows of each view as heaphint and Memray tell them.
type Both = Vec<(Rows, Rows)>;

/// Rows of each view, and Memray's statistics, which it does not have of aggregated captures.
fn read_both(playground: &Playground, capture: &Path, views: &[(&str, &str)], stats: bool) -> (Both, Value) {
    let tables: Vec<PathBuf> = views
        .iter()
        .map(|(option, figure)| {
            let table = playground.path(&format!("{figure}.csv"));
            std::fs::write(&table, heaphint(&["transform", "csv", option], capture)).expect("a folder");
            table
        })
        .collect();
    let mut files: Vec<(&str, &Path)> = Vec::new();
    for ((_, figure), table) in views.iter().zip(&tables) {
        files.extend([("csv", table.as_path()), (*figure, capture)]);
    }
    files.extend(stats.then_some(("memray-stats", capture)));
    let mut read = read(&files);
    let stats = if stats { read.pop() } else { None };
    let both = read.chunks(2).map(|pair| (rows(&pair[0], true), rows(&pair[1], true))).collect();
    (both, stats.unwrap_or_default())
}

fn compare_csv(both: &Both, has_threads: bool) -> Vec<String> {
    let mut found = Vec::new();
    for ((_, figure), (ours, theirs)) in VIEWS.iter().zip(both) {
        let mut ours = ours.clone();
        if has_threads && figure.contains("temporary") {
            // Memray misses what another thread frees, so heaphint may have more; what Memray has is there.
            for (key, row) in &mut ours {
                let theirs = theirs.get(key).copied().unwrap_or((0, Some(0)));
                *row = if row.0 >= theirs.0 && row.1 >= theirs.1 { theirs } else { *row };
            }
            ours.retain(|_, row| *row != (0, Some(0)));
        }
        found.extend(differences(&ours, theirs).into_iter().map(|it| format!("{figure} {it}")));
    }
    found
}

fn compare_table(capture: &Path, peak: &Rows) -> Vec<String> {
    let mut ours: BTreeMap<(String, String, u64), (u64, u64)> = BTreeMap::new();
    let document = json(&["table", "--json"], capture);
    for row in document["rows"].as_array().expect("a table has rows") {
        let location = &row["location"];
        let text = |name: &str| location[name].as_str().unwrap_or_default().to_owned();
        let line = location["line"].as_u64().unwrap_or(0);
        let sum = ours.entry((text("function"), text("file"), line)).or_default();
        sum.0 += row["peak_bytes"].as_u64().expect("bytes");
        sum.1 += row["peak_count"].as_u64().expect("a count");
    }
    ours.retain(|_, sum| *sum != (0, 0));
    let mut theirs: BTreeMap<(String, String, u64), (u64, u64)> = BTreeMap::new();
    for ((_, frames), (bytes, count)) in peak {
        let sum = theirs.entry(frames.last().cloned().unwrap_or_default()).or_default();
        *sum = (sum.0 + *bytes, sum.1 + count.unwrap_or(0));
    }
    if ours == theirs { Vec::new() } else { vec!["the table differs".to_owned()] }
}

fn compare_parse(capture: &Path) -> Vec<String> {
    let mut command = Command::new(&memray_python().path);
    let theirs = run(command.args(["-m", "memray", "parse"]).arg(capture), "");
    let ours = String::from_utf8(heaphint(&["parse"], capture)).expect("text");
    let theirs = String::from_utf8(theirs.stdout).expect("text");
    // Memray does not say whether an object is created or destroyed.
    let different = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
    let lengths = (ours.lines().count(), theirs.lines().count());
    let same_length = lengths.0 == lengths.1;
    let mut found: Vec<String> =
        different.map(|(ours, theirs)| format!("parse: {ours}, but {theirs}")).into_iter().collect();
    if !same_length {
        found.push(format!("parse has {} lines, but {}", lengths.0, lengths.1));
    }
    found
}

#[test]
fn reports_have_memrays_figures() {
    let playground = Playground::new();
    let mut found = Vec::new();
    for script in PROGRAMS {
        let capture = recorded(&playground, script, &[]);
        let source = playground.source(script);
        let (both, stats) = read_both(&playground, &capture, &VIEWS, true);
        let complaints = [
            compare_stats(&capture, &stats),
            compare_csv(&both, source.contains("thread")),
            compare_table(&capture, &both[0].1),
            compare_parse(&capture),
        ];
        found.extend(complaints.concat().into_iter().map(|it| format!("{script}: {it}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_kind_of_capture_is_read() {
    let playground = Playground::new();
    for options in [
        &["--aggregate"][..],
        &["--native"],
        &["--trace-python-allocators"],
        &["--no-compress"],
        &["--native", "--aggregate"],
    ] {
        let capture = recorded(&playground, "thread_names.py", options);
        assert_eq!(compare_parse(&capture), [""; 0], "{options:?}");
        // Statistics of aggregated captures are more than Memray can do.
        let is_aggregated = options.contains(&"--aggregate");
        let (mut both, _) = read_both(&playground, &capture, &VIEWS[..2], !is_aggregated);
        if is_aggregated {
            // Memray counts what further allocators have made on a stack as one allocation each.
            let rows =
                both.iter_mut().flat_map(|(ours, theirs)| ours.values_mut().chain(theirs.values_mut()));
            rows.for_each(|(_, count)| *count = None);
        }
        for (ours, theirs) in &both {
            assert_eq!(differences(ours, theirs), [""; 0], "{options:?}");
        }
        let document = json(&["stats", "--json"], &capture);
        let is_exact = document["session"]["exact"].is_null();
        assert_eq!(is_exact, !is_aggregated, "{options:?}");
        // Lines and a tree work on them as on any other.
        assert!(!heaphint(&["lines", "--all"], &capture).is_empty());
        assert!(!heaphint(&["tree"], &capture).is_empty());
    }
}

#[test]
fn captures_that_cannot_be_read_end_in_a_sentence() {
    let playground = Playground::new();
    let capture = recorded(&playground, "quiet.py", &["--no-compress"]);
    let bytes = std::fs::read(&capture).expect("the capture is there");
    let mut old = bytes.clone();
    old[7] = 11;
    let file = playground.path("strange.bin");
    for (bytes, sentence) in [
        (&old[..], "format version 11"),
        (&bytes[..40], "header is broken"),
        (&b"\x04\x22\x4d\x18 and nothing that decompresses"[..], "not a Memray capture"),
    ] {
        std::fs::write(&file, bytes).expect("the folder is writable");
        for command in ["stats", "parse"] {
            let outcome = run(Command::new(env!("CARGO_BIN_EXE_heaphint")).arg(command).arg(&file), "");
            assert_eq!((outcome.code, &outcome.stdout[..]), (3, &b""[..]), "{}", outcome.text());
            assert!(outcome.text().contains(sentence), "{}", outcome.text());
        }
    }
    // A capture of a killed program is read up to its end.
    std::fs::write(&file, [&bytes[..bytes.len() / 2], &[0; 4000]].concat()).expect("the folder is writable");
    let document = json(&["stats", "--json"], &file);
    assert_eq!(document["session"]["complete"], false);
    assert!(document["total_num_allocations"].as_u64() > Some(0));
}
