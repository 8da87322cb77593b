//! Documents of a hand-made capture, whole.

use heaphint_analysis::hand_made::HandMade;
use heaphint_analysis::{
    Allocator, Diff, Figure, Measure, Profile, Selection, SummaryBy, Tree, TreeOptions, Units,
};
use heaphint_format::PlaceKind;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const MIB: u64 = 1 << 20;

const SOURCE: &str =
    "import lib\n\n\ndef load(path):\n\tdata = lib.read(path)\n    return data\n\n\nrows = load('x')\n";

fn made() -> HandMade {
    let mut made = HandMade::default();
    let module = made.code("<module>", "app.py", 1);
    let load = made.code("load", "app.py", 4);
    let read = made.code("read", "/usr/lib/python3.11/site-packages/lib/io.py", 10);
    made.codes[2].in_project = 0;
    let call = made.stack(0, module, 9);
    let line = made.stack(call, load, 5);
    let leaf = made.stack(line, read, 12);
    made.site(leaf, 40 * MIB, 2, 2, 1);
    made.site(line, 512, 1, 1, 0);
    made.site(0, MIB, 1, 1, 1);
    let (total, function) = (PlaceKind::TotalLine, PlaceKind::TotalFunction);
    made.place(total, "app.py", 5, "", 80 * MIB as i64 + 512);
    made.place(total, "app.py", 9, "", 80 * MIB as i64 + 512);
    made.place(function, "app.py", 4, "load", 80 * MIB as i64 + 512);
    made.header.peak_ms = 700;
    made.header.exit_status = 0;
    made
}

fn profile() -> Profile {
    Profile::from_capture(&made().capture())
}

fn text(document: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    document(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn source(path: &str) -> Option<Source> {
    (path == "/p/app.py").then(|| Source { text: SOURCE.to_owned(), changed_since: false })
}

#[test]
fn annotated_source() {
    let options = LinesOptions { min_bytes: MIB, ..LinesOptions::default() };
    let shown = text(|out| lines_text(out, &profile(), &options, &Look::default(), &source));
    let expected = "\
python app.py  Python 3.11.7, 1.50 s
peak 81.0 MiB at 700 ms, allocated 81.0 MiB in 4 allocations, left at the end 41.0 MiB, largest RSS 50.0 MiB

Lines that hold most at the peak, with the libraries they call
  80.0 MiB  app.py:5  data = lib.read(path)

/p/app.py  80.0 MiB at the peak, with what it calls
      peak       self        max  allocated
                                            1 │ import lib
                                            2 │
                                            3 │
                                            4 │ def load(path):
  80.0 MiB      512 B   80.0 MiB   80.0 MiB 5 │     data = lib.read(path)
                                            6 │     return data
                                            7 │
                                            8 │
  80.0 MiB              80.0 MiB   80.0 MiB 9 │ rows = load('x')
1 library file with such lines not shown: --all shows them
";
    assert_eq!(shown, expected);
}

#[test]
fn a_bound_is_marked_and_a_missing_source_is_left_blank() {
    let options = LinesOptions {
        files: vec!["lib/io.py".to_owned()],
        sort: Figure::Leaked,
        min_bytes: 1,
        ..LinesOptions::default()
    };
    let shown = text(|out| lines_text(out, &profile(), &options, &Look::default(), &source));
    let row = shown.lines().find(|line| line.contains("12 │")).unwrap();
    assert_eq!(row, "  40.0 MiB   40.0 MiB   80.0 MiB ≥ 80.0 MiB 12 │");
    assert!(shown.contains("≥  at least"), "{shown}");
    assert!(!shown.contains("Lines that hold"), "{shown}");
}

#[test]
fn nothing_to_show_is_said() {
    let options = LinesOptions { min_bytes: 1 << 40, ..LinesOptions::default() };
    let look = Look { units: Units::Si, ..Look::default() };
    let shown = text(|out| lines_text(out, &profile(), &options, &look, &source));
    assert!(shown.ends_with("No line of this project has 1.10 TB or more (peak).\n"), "{shown}");
}

#[test]
fn lines_as_json() {
    let options = LinesOptions { all_files: true, ..LinesOptions::default() };
    let shown: Value = serde_json::from_str(&text(|out| lines_json(out, &profile(), &options))).unwrap();
    assert_eq!(shown["schema"], 1);
    let session = &shown["session"];
    assert_eq!(session["command"], json!(["python", "app.py"]));
    assert_eq!(session["exit_code"], 0);
    assert_eq!(session["complete"], true);
    assert_eq!(session["peak_bytes"], 81 * MIB + 512);
    assert_eq!(session["exact"], Value::Null);
    let file = &shown["files"][0];
    assert_eq!(file["path"], "/p/app.py");
    assert_eq!(
        file["lines"][0],
        json!({
            "line": 5, "function": "load", "qualname": "load",
            "self": {
                "peak_bytes": 512, "peak_count": 1, "max_bytes": 512, "allocated_bytes": 512, "allocated_count": 1,
                "leaked_bytes": 0, "leaked_count": 0, "temporary_bytes": 0, "temporary_count": 0,
                "exact": false, "why": heaphint_analysis::Inexact::MaxIsLowerBound.why(),
            },
            "total": {
                "peak_bytes": 80 * MIB + 512, "peak_count": 3, "max_bytes": 80 * MIB + 512,
                "allocated_bytes": 80 * MIB + 512, "allocated_count": 3, "leaked_bytes": 40 * MIB, "leaked_count": 1,
                "temporary_bytes": 0, "temporary_count": 0,
            },
        })
    );
    assert_eq!(file["functions"][1]["name"], "load");
    assert_eq!(shown["files"][1]["in_project"], false);
}

#[test]
fn statistics() {
    let options = StatsOptions { largest: 2, version: "9.9".to_owned() };
    let shown: Value = serde_json::from_str(&text(|out| stats_json(out, &profile(), &options))).unwrap();
    assert_eq!((&shown["schema"], &shown["heaphint_version"]), (&json!(1), &json!("9.9")));
    assert_eq!(shown["total_num_allocations"], 4);
    assert_eq!(shown["allocator_type_distribution"], json!({"MALLOC": 4}));
    assert_eq!(
        shown["top_allocations_by_size"],
        json!([
            {
                "location": "read:/usr/lib/python3.11/site-packages/lib/io.py:12",
                "function": "read", "qualname": "read", "file": "/usr/lib/python3.11/site-packages/lib/io.py", "line": 12,
                "size": 80 * MIB,
            },
            {"location": "<stack trace unavailable>", "size": MIB},
        ])
    );
    assert_eq!(shown["top_modules_by_allocation_size"][0]["module"], "lib");
    assert_eq!(shown["metadata"]["pid"], 4711);
    let bins = shown["allocation_size_histogram"].as_array().unwrap();
    assert_eq!(bins.iter().map(|bin| bin["count"].as_u64().unwrap()).sum::<u64>(), 4);

    let shown = text(|out| stats_text(out, &profile(), &options, &Look::default()));
    assert!(shown.contains("Peak memory usage:\n  81.0 MiB\n"), "{shown}");
    assert!(shown.contains("  below 1.00 KiB                1  ▇▇▇▇▇▇▇▇▇▇▇▇▇\n"), "{shown}");
    assert!(shown.contains("    80.0 MiB  read:/usr/lib/python3.11/site-packages/lib/io.py:12\n"), "{shown}");
}

const PEAK: Measure = Measure { figure: Figure::Peak, counts: false };

#[test]
fn a_tree_branches_where_stacks_do() {
    let mut made = made();
    let (main, other) = (made.code("main", "app.py", 20), made.code("Other.run", "/elsewhere/other.py", 3));
    let top = made.stack(0, main, 21);
    let (left, right) = (made.stack(top, other, 4), made.stack(top, other, 5));
    made.site(left, 20 * MIB, 1, 1, 1);
    made.site(right, 10 * MIB, 1, 1, 1);
    made.site(top, 100, 1, 1, 1);
    let profile = Profile::from_capture(&made.capture());
    let tree = Tree::new(&profile, &TreeOptions::default());
    let view = TreeView { measure: PEAK, min: MIB, depth: 99 };
    let shown = text(|out| tree_text(out, &profile, &tree, &view, &Look::default(), &source));
    let lines: Vec<&str> = shown.lines().skip(2).collect();
    assert_eq!(
        lines,
        [
            "",
            "       peak   share  stack (bytes)",
            "    111 MiB 100.0 %  everything",
            "   80.0 MiB  72.1 %  ├─ <module>  app.py:9  rows = load('x')",
            "   80.0 MiB  72.1 %  │  load  app.py:5  data = lib.read(path)",
            "   80.0 MiB  72.1 %  │  read  lib/io.py:12",
            "   30.0 MiB  27.0 %  ├─ main  app.py:21",
            "   20.0 MiB  18.0 %  │  ├─ Other.run  /elsewhere/other.py:4",
            "   10.0 MiB   9.0 %  │  └─ Other.run  /elsewhere/other.py:5",
            "   1.00 MiB   0.9 %  └─ outside Python code",
        ]
    );
    let view = TreeView { measure: Measure { figure: Figure::Leaked, counts: true }, min: 2, depth: 1 };
    let shown = text(|out| tree_text(out, &profile, &tree, &view, &Look::default(), &source));
    assert!(shown.ends_with(
        "          5 100.0 %  everything\n          3  60.0 %  ├─ main  app.py:21\n          2  40.0 %  │  … 2 more\n          2  40.0 %  └─ … 2 more\n"
    ), "{shown}");

    let view = TreeView { measure: PEAK, min: 15 * MIB, depth: 99 };
    let shown: Value = serde_json::from_str(&text(|out| tree_json(out, &profile, &tree, &view))).unwrap();
    let nodes = shown["nodes"].as_array().unwrap();
    let places: Vec<_> =
        nodes.iter().map(|node| (&node["id"], &node["parent"], &node["kind"], &node["line"])).collect();
    let null = Value::Null;
    assert_eq!(
        places,
        [
            (&json!(0), &null, &json!("everything"), &null),
            (&json!(1), &json!(0), &json!("frame"), &json!(9)),
            (&json!(2), &json!(1), &json!("frame"), &json!(5)),
            (&json!(3), &json!(2), &json!("frame"), &json!(12)),
            (&json!(4), &json!(0), &json!("frame"), &json!(21)),
            (&json!(5), &json!(4), &json!("frame"), &json!(4)),
        ]
    );
    assert_eq!(nodes[5]["self"], nodes[5]["total"]);
    assert_eq!(nodes[5]["self"]["max_bytes"], null);
    assert_eq!(nodes[4]["total"]["leaked_bytes"], 30 * MIB + 100);
}

#[test]
fn a_summary_has_self_and_total() {
    let profile = profile();
    let summary = profile.summary(SummaryBy::Function, &Selection::default());
    let view = SummaryView { measure: PEAK, sort: SummarySort::Total, min: 0, most: 3 };
    let shown = text(|out| summary_text(out, &profile, &summary, &view, &Look::default()));
    assert_eq!(
        shown.lines().skip(3).collect::<Vec<_>>(),
        [
            "        peak    share        self    share  allocations  place",
            "    80.0 MiB   98.8 %       512 B    0.0 %            1  load at app.py:4",
            "    80.0 MiB   98.8 %         0 B    0.0 %            0  <module> at app.py:1",
            "    80.0 MiB   98.8 %    80.0 MiB   98.8 %            2  read at lib/io.py:10",
            "… 1 more",
        ]
    );
    let shown: Value =
        serde_json::from_str(&text(|out| summary_json(out, &profile, &summary, &view))).unwrap();
    assert_eq!(shown["rows"][0]["total"]["max_bytes"], 80 * MIB + 512);
    assert_eq!(shown["rows"][0]["location"]["line"], 4);

    let view = SummaryView { measure: Measure::bytes(Figure::Max), ..view };
    let shown = text(|out| summary_text(out, &profile, &summary, &view, &Look::default()));
    assert!(
        shown.contains("\n  ≥ 80.0 MiB  <module> at app.py:1\n    80.0 MiB  load at app.py:4\n"),
        "{shown}"
    );
}

#[test]
fn a_table_can_be_ordered() {
    let mut made = made();
    let worker = made.thread(4712, "worker");
    made.site(1, MIB, 9, 9, 0).thread_and_allocator = heaphint_format::Site::key(worker, Allocator::Mmap);
    let profile = Profile::from_capture(&made.capture());
    let rows = profile.table(&Selection::default(), true);
    let view = |sort| TableView { measure: PEAK, sort, min: 600, most: 9 };
    let shown = text(|out| table_text(out, &profile, &rows, &view(TableSort::Size), &Look::default()));
    assert_eq!(
        shown.lines().skip(3).collect::<Vec<_>>(),
        [
            "       peak  allocations  allocator      thread      location",
            "   80.0 MiB            2  MALLOC         MainThread  read at lib/io.py:12",
            "   9.00 MiB            9  MMAP           worker      <module> at app.py:9",
            "   1.00 MiB            1  MALLOC         MainThread  outside Python code",
            "… 1 more",
        ]
    );
    for (sort, first) in [
        (TableSort::Count, json!(9)),
        (TableSort::Location, json!(null)),
        (TableSort::Allocator, json!(12)),
        (TableSort::Thread, json!(12)),
    ] {
        let shown: Value =
            serde_json::from_str(&text(|out| table_json(out, &profile, &rows, &view(sort)))).unwrap();
        assert_eq!(shown["rows"][0]["location"]["line"], first, "{sort:?}: {shown}");
    }
}

#[test]
fn differences_name_both_places() {
    let before = profile();
    let mut made = made();
    for stack in &mut made.stacks[1..3] {
        stack.line += 10;
    }
    made.codes[1].first_line += 10;
    made.sites[0].peak_bytes += 20 * MIB;
    let other = made.code("other", "app.py", 1);
    let stack = made.stack(0, other, 2);
    made.site(stack, 2 * MIB, 1, 1, 1);
    let after = Profile::from_capture(&made.capture());
    let none = |_: &str| None;
    let diff = Diff::new(&before, &after, &none, &none);
    let view = DiffView { measure: PEAK, threshold: MIB, most: 2 };
    let sessions = [&before, &after];
    let shown = text(|out| diff_text(out, sessions, &diff, &view, &Look::default(), &source));
    let expected = "
      change      before       after
   +22.0 MiB    81.0 MiB     103 MiB  grew      peak
   +2.00 MiB    81.0 MiB    83.0 MiB  grew      allocated
   +2.00 MiB    41.0 MiB    43.0 MiB  grew      leaked
        +0 B         0 B         0 B  same      temporary

Lines (peak), with the libraries they call
   +20.0 MiB    80.0 MiB     100 MiB  grew      app.py:15 (was ~ 5)
   +2.00 MiB         0 B    2.00 MiB  appeared  app.py:2

Functions (peak), with all they call, 2 of 4
   +20.0 MiB    80.0 MiB     100 MiB  grew      read at lib/io.py:10
   +20.0 MiB    80.0 MiB     100 MiB  grew      <module> at app.py:1

Stacks (peak)
   +20.0 MiB    80.0 MiB     100 MiB  grew      read lib/io.py:12
                                                load app.py:15 (was ~ 5)
                                                <module> app.py:19 (was ~ 9)
   +2.00 MiB         0 B    2.00 MiB  appeared  other app.py:2

~  a guess:";
    assert!(shown.contains(expected), "{shown}");

    let shown: Value = serde_json::from_str(&text(|out| diff_json(out, sessions, &diff, &view))).unwrap();
    assert_eq!(shown["whole"]["after"]["peak_bytes"], 103 * MIB + 512);
    assert_eq!(
        (&shown["stacks"][0]["delta"], &shown["stacks"][0]["change"]),
        (&json!(20 * MIB), &json!("grew"))
    );
    let frame = shown["stacks"][0]["frames"][1].as_u64().unwrap() as usize;
    assert_eq!(
        shown["frames"][frame],
        json!({
            "function": "load", "qualname": "load", "file": "/p/app.py", "line": 15, "before_line": 5,
            "matched_by": "function", "guess": true,
        })
    );
}

#[test]
fn colour_is_written_only_when_asked_for() {
    let options = LinesOptions::default();
    let plain = text(|out| lines_text(out, &profile(), &options, &Look::default(), &source));
    assert!(!plain.contains('\u{1b}'));
    let look = Look { colour: true, ..Look::default() };
    let colourful = text(|out| lines_text(out, &profile(), &options, &look, &source));
    assert!(colourful.contains("\u{1b}[1m"));
}

proptest! {
    #[test]
    fn no_name_reaches_the_terminal_as_a_control_character(name: String, file: String, line: String, note: String) {
        let mut made = made();
        let code = made.code(&name, &file, 1);
        let stack = made.stack(0, code, 1);
        made.site(stack, 90 * MIB, 1, 1, 1);
        made.header.problem = made.text(&note);
        made.header.command = made.text(&name);
        let profile = Profile::from_capture(&made.capture());
        let options = LinesOptions { all_files: true, ..LinesOptions::default() };
        let any_source = |_: &str| Some(Source { text: line.clone(), changed_since: true });
        let stats = StatsOptions { largest: 9, version: String::new() };
        let look = Look { width: Some(80), ..Look::default() };
        let tree = Tree::new(&profile, &TreeOptions::default());
        let tree_view = TreeView { measure: PEAK, min: 0, depth: usize::MAX };
        let everything = Selection::default();
        let summary = profile.summary(SummaryBy::Line, &everything);
        let summary_view = SummaryView { measure: PEAK, sort: SummarySort::Own, min: 0, most: 99 };
        let table = profile.table(&everything, true);
        let table_view = TableView { measure: PEAK, sort: TableSort::Location, min: 0, most: 99 };
        let none = |_: &str| None;
        let empty = Profile::from_capture(&HandMade::default().capture());
        let diff = Diff::new(&empty, &profile, &none, &none);
        let diff_view = DiffView { measure: PEAK, threshold: 1, most: 99 };
        let shown = [
            text(|out| diff_text(out, [&empty, &profile], &diff, &diff_view, &look, &any_source)),
            text(|out| tree_text(out, &profile, &tree, &tree_view, &look, &any_source)),
            text(|out| summary_text(out, &profile, &summary, &summary_view, &look)),
            text(|out| table_text(out, &profile, &table, &table_view, &look)),
            text(|out| lines_text(out, &profile, &options, &look, &any_source)),
            text(|out| stats_text(out, &profile, &stats, &look)),
        ];
        for document in shown {
            prop_assert!(!document.chars().any(|c| c.is_control() && c != '\n'), "{document:?}");
        }
    }
}
