//! The screens without a terminal: keys in, text out.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use heaphint_analysis::hand_made::HandMade;
use heaphint_analysis::{Figure, Measure, Profile, SummaryBy, TreeOptions};
use heaphint_report::{Look, Source, Sources, SummarySort};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::{App, Settings, View};

const MIB: u64 = 1 << 20;
const SOURCE: &str =
    "import lib\n\n\ndef load(path):\n    data = lib.read(path)\n    return data\n\n\nrows = load('x')\n";

fn made() -> HandMade {
    let mut made = HandMade::default();
    let module = made.code("<module>", "app.py", 1);
    let load = made.code("load", "app.py", 4);
    let read = made.code("read", "/usr/lib/python3.11/site-packages/lib/io.py", 10);
    let import = made.code("_find_and_load", "<frozen importlib._bootstrap>", 1);
    let call = made.stack(0, module, 9);
    let line = made.stack(call, load, 5);
    let leaf = made.stack(line, read, 12);
    let at_import = made.stack(0, module, 1);
    let importing = made.stack(at_import, import, 7);
    made.site(leaf, 40 * MIB, 2, 2, 1);
    made.site(line, 512, 1, 1, 0);
    made.site(importing, 9 * MIB, 1, 1, 1);
    made.thread(4712, "worker");
    let other = made.stack(0, load, 5);
    made.site(other, MIB, 3, 3, 0).thread_and_allocator =
        heaphint_format::Site::key(1, heaphint_analysis::Allocator::Mmap);
    made
}

fn source(path: &str) -> Option<Source> {
    (path == "/p/app.py").then(|| Source { text: SOURCE.to_owned(), changed_since: false })
}

fn settings(view: View) -> Settings {
    Settings {
        view,
        measure: Measure::bytes(Figure::Peak),
        tree: TreeOptions { hide_imports: true, ..TreeOptions::default() },
        by: SummaryBy::Function,
        sort: SummarySort::Total,
    }
}

/// The screen as text.
fn screen(app: &mut App<'_>, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen in memory");
    terminal.draw(|frame| app.draw(frame)).expect("a screen in memory takes everything");
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(usize::from(width.max(1)));
    let row = |cells: &[ratatui::buffer::Cell]| {
        let text: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.trim_end().to_owned()
    };
    rows.map(row).collect::<Vec<_>>().join("\n")
}

fn press(app: &mut App<'_>, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            '>' => KeyCode::Right,
            '<' => KeyCode::Left,
            '_' => KeyCode::Down,
            '^' => KeyCode::Up,
            c => KeyCode::Char(c),
        };
        app.press(KeyEvent::new(code, KeyModifiers::NONE));
    }
}

#[test]
fn the_tree_unfolds_its_heaviest_path_and_shows_the_source() {
    let profile = Profile::from_capture(&made().capture());
    let mut app = App::new(&profile, Sources::new(&source), Look::default(), settings(View::Tree));
    let shown = screen(&mut app, 80, 24);
    let rows: Vec<&str> = shown.lines().collect();
    assert_eq!(rows[0], "python app.py  1.50 s, Python 3.11.7");
    assert_eq!(rows[1], "peak 92.0 MiB  peak of stacks by bytes");
    assert_eq!(
        rows[3..10],
        [
            "  92.0 MiB 100.0 %  ▾ everything",
            "  80.0 MiB  87.0 %    ▾ <module>  app.py:9  rows = load('x')",
            "  80.0 MiB  87.0 %    ▾ load  app.py:5  data = lib.read(path)",
            "  80.0 MiB  87.0 %    · read  lib/io.py:12",
            "  9.00 MiB   9.8 %    · <module>  app.py:1  import lib",
            "  3.00 MiB   3.3 %    · load  app.py:5  data = lib.read(path)",
            "",
        ]
    );
    press(&mut app, "__");
    let shown = screen(&mut app, 120, 30);
    assert!(shown.contains("load  /p/app.py:5"), "{shown}");
    assert!(shown.contains("total        80.0 MiB in 3"), "{shown}");
    assert!(shown.contains("max   at least 83.0 MiB: the most that the line held at one moment"), "{shown}");
    assert!(shown.contains("     5 │     data = lib.read(path)"), "{shown}");

    // Folded, the row below is the next branch.
    press(&mut app, "<");
    let shown = screen(&mut app, 80, 24);
    assert!(shown.contains("▸ load  app.py:5") && !shown.contains("· read"), "{shown}");
    press(&mut app, ">");
    assert!(screen(&mut app, 80, 24).contains("· read"));
}

#[test]
fn keys_change_what_is_shown() {
    let profile = Profile::from_capture(&made().capture());
    let mut app = App::new(&profile, Sources::new(&source), Look::default(), settings(View::Tree));
    for (keys, expected) in [
        ("4", "leaked of stacks by bytes"),
        ("c", "leaked of stacks by allocations"),
        ("cf", "temporary of stacks by bytes"),
        ("f", "peak of stacks by bytes"),
        ("f", "allocated of stacks by bytes"),
        ("2", "single stacks have no max"),
        ("1u", "  96.5 MB 100.0 %  ▾ everything"),
        ("ui", "▸ <module>  app.py:1  import lib"),
        ("____>_", "· _find_and_load  <frozen importlib._bootstrap>:7"),
        ("iv", "▾ read  lib/io.py:12"),
        ("vT", "▾ thread MainThread"),
        ("Tt__\n", "3.00 MiB 100.0 %  ▾ everything"),
        ("t", "4712  worker  3.00 MiB"),
        ("\u{1b}t^^\n", "92.0 MiB 100.0 %  ▾ everything"),
        ("m_\n", "module lib only"),
        ("m^\n", "92.0 MiB 100.0 %  ▾ everything"),
        ("/READ", "search: READ▏"),
        ("\n", "`read`: 1 of 1, through them 80.0 MiB (87.0 %)"),
        ("/nothing\n", "`nothing` is nowhere"),
        ("?", "unfold the heaviest path"),
        ("x\t", "    80.0 MiB   87.0 %    80.0 MiB   87.0 %            2  read at lib/io.py:10"),
        ("s", "ordered by self"),
        ("b", "of lines by bytes"),
        ("2", "  ≥ 83.0 MiB  load at app.py:5"),
        ("c", "max is a number of bytes and has no count"),
        ("t_\n", "peak of lines by bytes, ordered by self, thread MainThread only"),
        ("2", "max is known of all threads and modules together"),
        ("bb/load\n", "`load`: 1 of 1"),
        ("\n", "▾ load  app.py:5"),
    ] {
        press(&mut app, keys);
        let shown = screen(&mut app, 88, 34);
        assert!(shown.contains(expected), "after {keys:?}, {expected:?} is not in\n{shown}");
    }
    assert!(!app.is_done());
    press(&mut app, "q");
    assert!(app.is_done());
}

#[test]
fn control_c_ends_every_mode() {
    let profile = Profile::from_capture(&made().capture());
    for keys in ["", "?", "/abc", "t"] {
        let mut app = App::new(&profile, Sources::new(&source), Look::default(), settings(View::Tree));
        press(&mut app, keys);
        app.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(app.is_done(), "{keys:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is pressed, and however small the screen is.
    #[test]
    fn no_key_and_no_size_is_too_much(
        keys in prop::collection::vec((prop::sample::select("12345fcuvTimtbsneaN/q?h \n\t\u{1b}><_^jkgGx".chars().collect::<Vec<_>>()), 0u16..140, 0u16..40), 1..40),
    ) {
        let profile = Profile::from_capture(&made().capture());
        let mut app = App::new(&profile, Sources::new(&source), Look::default(), settings(View::Tree));
        for (key, width, height) in keys {
            press(&mut app, &key.to_string());
            screen(&mut app, width, height);
        }
    }

    #[test]
    fn names_cannot_act_on_the_terminal(name: String, file: String) {
        let mut made = made();
        let code = made.code(&name, &file, 1);
        let stack = made.stack(0, code, 1);
        made.site(stack, 500 * MIB, 1, 1, 1);
        made.header.command = made.text(&name);
        made.thread(4713, &name);
        let profile = Profile::from_capture(&made.capture());
        let mut app = App::new(&profile, Sources::new(&source), Look::default(), settings(View::Tree));
        for keys in ["_", "t", "\u{1b}\t"] {
            press(&mut app, keys);
            let shown = screen(&mut app, 100, 30);
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
        }
    }
}
