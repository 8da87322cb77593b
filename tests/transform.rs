//! `heaphint transform`: what other tools read in each format is what the capture says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::memray::memray_python;
use crate::memray_captures::{heaphint, recorded};
use crate::support::interpreter::say;
use crate::support::playground::{Playground, tests_folder};
use crate::support::process::run;
use crate::support::rows::{Frame, Rows, differences, read, read_with_node, rows};

/// Writes a capture in a format.
fn transformed(playground: &Playground, capture: &Path, format: &str, options: &[&str]) -> PathBuf {
    let file = playground.path(&format!("transformed.{format}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
    command.args(["transform", format]).args(options).arg("-o").arg(&file).arg(capture);
    let outcome = run(&mut command, "");
    assert_eq!((outcome.code, outcome.text().len()), (0, "exit code 0\nstdout: \nstderr: ".len()));
    file
}

/// The rows of stacks, without threads and in what a format holds.
fn stacks(reference: &Rows, has_counts: bool) -> Rows {
    let mut stacks = Rows::new();
    for ((_, frames), (bytes, count)) in reference {
        let sum = stacks.entry((None, frames.clone())).or_insert((0, has_counts.then_some(0)));
        *sum = (sum.0 + bytes, sum.1.zip(*count).map(|(sum, count)| sum + count));
    }
    stacks.retain(|_, (bytes, _)| has_counts || *bytes > 0);
    stacks
}

/// Bytes of each function itself, as gprof2dot has them.
fn functions(rows: &Rows) -> BTreeMap<(String, String), u64> {
    let mut sums: BTreeMap<(String, String), u64> = BTreeMap::new();
    for ((_, frames), (bytes, _)) in rows {
        if let Some((function, file, _)) = frames.last() {
            *sums.entry((function.clone(), file.clone())).or_default() += bytes;
        }
    }
    sums.retain(|_, bytes| *bytes > 0);
    sums
}

/// What stands for allocations without any Python frame, where a format needs a frame.
const NOWHERE: &str = "<no Python frame>";

/// Rows with an empty stack instead of the frame that stands for it.
fn without_nowhere(rows: Rows) -> Rows {
    let nowhere: Frame = (NOWHERE.to_owned(), String::new(), 0);
    let without = |frames| if frames == [nowhere.clone()] { Vec::new() } else { frames };
    rows.into_iter().map(|((thread, frames), row)| ((thread, without(frames)), row)).collect()
}

/// Names in one form: tables for people have spaces of their own.
fn one_line(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What functions have themselves, by name.
fn by_name(rows: &Rows, of: impl Fn(&(u64, Option<u64>)) -> u64) -> BTreeMap<String, u64> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for ((_, frames), row) in rows {
        let name = frames.last().map_or(NOWHERE, |(function, ..)| function);
        *sums.entry(one_line(name)).or_default() += of(row);
    }
    sums.retain(|_, own| *own > 0);
    sums
}

/// What functions have themselves for `go tool pprof`, by name; nothing where there is no Go.
fn flat_by_go(file: &Path, sample_index: &str) -> Option<BTreeMap<String, u64>> {
    if let Err(error) = Command::new("go").arg("version").output() {
        say(&format!("SKIPPED go tool pprof: {error}"));
        return None;
    }
    let mut command = Command::new("go");
    command.args(["tool", "pprof", "-top", "-functions", "-nodecount=-1", "-nodefraction=0", "-unit=B"]);
    let outcome = run(command.arg(format!("-sample_index={sample_index}")).arg(file), "");
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let (_, table) = text.split_once("cum%\n").expect("a table");
    let mut functions: BTreeMap<String, u64> = BTreeMap::new();
    for row in table.lines() {
        // Own, its share, the shares so far, with callees, their share, name.
        let columns: Vec<&str> = row.split_whitespace().collect();
        let own: u64 = columns[0].trim_end_matches('B').parse().expect("a number of bytes or allocations");
        *functions.entry(columns[5..].join(" ")).or_default() += own;
    }
    functions.retain(|_, own| *own > 0);
    Some(functions)
}

/// Differences between a capture's rows and what every reader finds in what was made of it.
fn complaints(playground: &Playground, capture: &Path, options: &[&str], reference: &Rows) -> Vec<String> {
    let made = |format: &str| transformed(playground, capture, format, options);
    let (csv, parquet, speedscope) = (made("csv"), made("parquet"), made("speedscope"));
    let (graph, collapsed) = (made("gprof2dot"), made("collapsed"));
    let read = read(&[
        ("csv", &csv),
        ("parquet", &parquet),
        ("speedscope", &speedscope),
        ("gprof2dot", &graph),
        ("collapsed", &collapsed),
    ]);
    let (mut found, mut others) = (Vec::new(), Vec::new());
    let mut compare = |format: &str, ours: &Rows, theirs: &Rows| {
        found.extend(differences(ours, theirs).into_iter().map(|it| format!("{format} {it}")));
    };
    let expected = stacks(reference, true);
    compare("csv", &rows(&read[0], false), &expected);
    // A table of all figures has the peak in columns of its own.
    if options.is_empty() {
        compare("parquet", &rows(&read[1], false), &expected);
    }
    compare("speedscope", &without_nowhere(rows(&read[2], false)), &expected);
    read_with_node("speedscope", &speedscope);
    let profile = made("pprof");
    let mut pprof = without_nowhere(rows(&read_with_node("pprof", &profile), false));
    // Its rows have what was allocated as well, so they may be there with nothing in use.
    pprof.retain(|_, row| *row != (0, Some(0)));
    compare("pprof", &pprof, &expected);
    // In Go's table a name with several lines cannot be told from several rows.
    let is_readable =
        |(_, frames): &(Option<String>, Vec<Frame>)| frames.iter().all(|frame| !frame.0.contains('\n'));
    if expected.keys().all(is_readable) {
        let count = |row: &(u64, Option<u64>)| row.1.unwrap_or_default();
        let own = [by_name(&expected, |row| row.0), by_name(&expected, count)];
        for (sample_index, own) in ["inuse_space", "inuse_objects"].into_iter().zip(own) {
            if flat_by_go(&profile, sample_index).is_some_and(|theirs| theirs != own) {
                others.push(format!("go tool pprof has other {sample_index}"));
            }
        }
    }
    let heap = rows(&read_with_node("heapprofile", &made("heapprofile")), false);
    compare("heapprofile", &heap, &stacks(reference, false));
    if functions(&rows(&read[3], false)) != functions(reference) {
        found.push("gprof2dot has other functions".to_owned());
    }
    let bytes = |rows: &Rows| rows.values().map(|row| row.0).sum::<u64>();
    let sums = (bytes(&rows(&read[4], false)), bytes(reference));
    if sums.0 != sums.1 {
        found.push(format!("collapsed has {} bytes of {}", sums.0, sums.1));
    }
    found.extend(others);
    found
}

fn stats(capture: &Path) -> Value {
    serde_json::from_slice(&heaphint(&["stats", "--json", "-n", "100000"], capture)).expect("JSON")
}

/// What Memray finds in an exported capture, beside what heaphint finds in the original.
fn compare_export(playground: &Playground, capture: &Path) -> Vec<String> {
    let file = transformed(playground, capture, "memray", &[]);
    let leaks = transformed(playground, capture, "csv", &["--leaks"]);
    let peak = playground.path("peak.csv");
    std::fs::write(&peak, heaphint(&["transform", "csv"], capture)).expect("the folder is writable");
    let read = read(&[
        ("memray:peak", &file),
        ("csv", &peak),
        ("memray:leaked", &file),
        ("csv", &leaks),
        ("memray-stats", &file),
    ]);
    let mut found = Vec::new();
    for pair in read[..4].chunks(2) {
        found.extend(differences(&rows(&pair[1], false), &rows(&pair[0], false)));
    }
    let ours = stats(capture);
    for (what, ours, theirs) in [
        ("peak", &ours["metadata"]["peak_memory"], &read[4]["peak"]),
        ("allocations", &ours["total_num_allocations"], &read[4]["allocations"]),
        ("bytes", &ours["total_bytes_allocated"], &read[4]["bytes"]),
        ("start", &ours["metadata"]["start_time"], &read[4]["start"]),
        ("command", &ours["metadata"]["command_line"], &read[4]["command"]),
    ] {
        if ours != theirs {
            found.push(format!("{what} is {ours}, but {theirs} to Memray"));
        }
    }
    for report in [
        &["flamegraph", "-f"][..],
        &["flamegraph", "-f", "--leaks"],
        &["table", "-f"],
        &["stats"],
        &["summary"],
        &["transform", "speedscope", "-f"],
    ] {
        let mut command = Command::new(&memray_python().path);
        let outcome = run(command.args(["-m", "memray"]).args(report).arg(&file), "");
        if outcome.code != 0 {
            found.push(format!("memray {report:?}: {}", outcome.text()));
        }
    }
    found
}

#[test]
fn captures_of_memray_keep_their_figures_in_every_format() {
    let playground = Playground::new();
    let capture = recorded(&playground, "thread_names.py", &[]);
    for (options, figure) in [(&[][..], "memray:peak"), (&["--leaks"], "memray:leaked")] {
        let reference = rows(&read(&[(figure, &capture)])[0], true);
        assert!(reference.len() > 10, "{reference:?}");
        assert_eq!(complaints(&playground, &capture, options, &reference), [""; 0]);
    }
    assert_eq!(compare_export(&playground, &capture), [""; 0]);
}

#[test]
fn hostile_names_break_no_format() {
    let playground = Playground::new();
    let script = playground.path("hostile.py");
    std::fs::copy(tests_folder().join("transform/hostile.py"), &script).expect("the folder is writable");
    let (outcome, recorded) = playground.run_traced(memray_python(), "hostile.py", "");
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    let table = transformed(&playground, &recorded.main, "csv", &[]);
    let reference = rows(&read(&[("csv", &table)])[0], true);
    let hostile = |name: &str| reference.keys().any(|key| key.1.iter().any(|frame| frame.0 == name));
    for name in ["<script>alert(\"x\")</script>", "semi;colon|pipe\\backslash", "tab\tnewline\nreturn\r."] {
        assert!(hostile(name), "{name} is not among the functions");
    }
    assert_eq!(complaints(&playground, &recorded.main, &[], &reference), [""; 0]);
    assert_eq!(compare_export(&playground, &recorded.main), [""; 0]);
    // Collapsed stacks have one line each, whatever is in a name.
    let text = String::from_utf8(heaphint(&["transform", "collapsed"], &recorded.main)).expect("text");
    assert!(text.lines().all(|line| line.rsplit_once(' ').is_some_and(|(_, n)| n.parse::<u64>().is_ok())));
    // So have records.
    let text = String::from_utf8(heaphint(&["parse"], &recorded.main)).expect("text");
    let kinds = ["HEADER ", "THREAD ", "CODE ", "STACK ", "SITE ", "PLACE ", "SAMPLE "];
    assert!(text.lines().all(|line| kinds.iter().any(|kind| line.starts_with(kind))));
}

#[test]
fn deep_stacks_are_whole_in_every_format() {
    let playground = Playground::new();
    let source = "def down(depth):\n    return down(depth - 1) if depth else bytearray(1_000_000)\n\n\nkept = down(500)\n";
    std::fs::write(playground.path("deep.py"), source).expect("the folder is writable");
    let (outcome, recorded) = playground.run_traced(memray_python(), "deep.py", "");
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    let table = transformed(&playground, &recorded.main, "csv", &[]);
    let reference = rows(&read(&[("csv", &table)])[0], true);
    let depths = reference.keys().map(|(_, frames)| frames.iter().filter(|frame| frame.0 == "down").count());
    assert_eq!(depths.max(), Some(501));
    assert_eq!(complaints(&playground, &recorded.main, &[], &reference), [""; 0]);
    assert_eq!(compare_export(&playground, &recorded.main), [""; 0]);
}

#[test]
fn a_trace_has_the_timeline() {
    let playground = Playground::new();
    let (_, recorded) = playground.run_traced(memray_python(), "peak_and_max.py", "");
    let trace: Value =
        serde_json::from_slice(&heaphint(&["transform", "trace"], &recorded.main)).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("a trace has events");
    let phase = |wanted: &str| events.iter().filter(|it| it["ph"] == wanted).count();
    assert_eq!((phase("M"), phase("i")), (1, 1));
    assert_eq!(phase("C") % 2, 0);
    let peak = events.iter().find(|it| it["ph"] == "i").expect("the peak is marked");
    assert_eq!(peak["args"]["bytes"], stats(&recorded.main)["metadata"]["peak_memory"]);
    let mut last = 0;
    for event in events.iter().filter(|it| it["ph"] == "C") {
        let ts = event["ts"].as_u64().expect("a time");
        assert!(ts >= last && event["args"]["bytes"].is_u64() && event["pid"].is_u64(), "{event}");
        last = ts;
    }
}

#[test]
fn a_table_of_events_has_every_event() {
    let playground = Playground::new();
    let capture = recorded(&playground, "thread_names.py", &[]);
    let table = transformed(&playground, &capture, "parquet", &["--events"]);
    let read = read(&[("events", &table), ("memray-stats", &capture)]);
    for figure in ["records", "allocations", "bytes", "allocators"] {
        assert_eq!(read[0][figure], read[1][figure], "{figure}");
    }
    // Sums have no events, and other formats no room for them.
    let aggregated = recorded(&playground, "thread_names.py", &["--aggregate"]);
    for (format, capture) in [("parquet", &aggregated), ("csv", &capture)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
        let outcome = run(command.args(["transform", format, "--events"]).arg(capture), "");
        assert_eq!(outcome.code, 2, "{}", outcome.text());
        assert!(outcome.text().contains("leave out `--events`"), "{}", outcome.text());
    }
}

#[test]
fn parquet_tables_of_many_captures_are_queried_as_one() {
    let playground = Playground::new();
    let (_, recorded) = playground.run_traced(memray_python(), "peak_and_max.py", "");
    let one = transformed(&playground, &recorded.main, "parquet", &[]);
    for copy in 1..100 {
        std::fs::copy(&one, playground.path(&format!("run-{copy}.parquet"))).expect("a writable folder");
    }
    let read = read(&[("duckdb", &playground.folder())]);
    let found = read[0].as_array().expect("rows");
    assert_eq!(found[0]["captures"], 100, "{found:?}");
}

#[test]
fn what_cannot_be_written_is_said() {
    let playground = Playground::new();
    let (_, recorded) = playground.run_traced(memray_python(), "quiet.py", "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
    command.args(["transform", "csv", "-o", "/nowhere/at/all.csv"]).arg(&recorded.main);
    let outcome = run(&mut command, "");
    assert_eq!(outcome.code, 3, "{}", outcome.text());
    assert!(outcome.text().contains("cannot write /nowhere/at/all.csv"), "{}", outcome.text());
    let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
    let outcome = run(command.args(["transform", "docx"]).arg(&recorded.main), "");
    assert_eq!(outcome.code, 2, "{}", outcome.text());
    let full = run(
        Command::new(env!("CARGO_BIN_EXE_heaphint"))
            .args(["transform", "pprof", "-o", "/dev/full"])
            .arg(&recorded.main),
        "",
    );
    assert_eq!(full.code, 3, "{}", full.text());
}
