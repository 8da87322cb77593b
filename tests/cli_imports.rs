//! `heaphint imports` on a program with modules of known size.

use serde_json::Value;

use crate::cli::{Folder, lines, stderr, stdout};

fn recorded() -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("pkg")).expect("a folder can be made");
    folder.write("pkg/__init__.py", "table = bytearray(1_000_000)\nfrom . import core\n");
    folder.write("pkg/core.py", "import helper\n\nblocks = helper.make(2_000_000)\n");
    folder.write("helper.py", "def make(size):\n    return bytearray(size)\n\n\nown = make(4_000_000)\n");
    folder.write("late.py", "late = bytearray(8_000_000)\n");
    folder.write(
        "main.py",
        "import pkg\n\nkept = bytearray(16_000_000)\n\n\ndef run():\n    import late\n    return late\n\n\nrun()\n",
    );
    let outcome = folder.heaphint(&["run", "-q", "-o", "x.heaphint", "main.py"]);
    assert_eq!(outcome.code, 0, "{}", stderr(&outcome));
    folder
}

#[test]
fn modules_have_what_their_import_held() {
    let folder = recorded();
    let outcome = folder.heaphint(&["imports", "--json", "x.heaphint"]);
    let document: Value = serde_json::from_slice(&outcome.stdout).expect("it is JSON");
    let modules = document["modules"].as_array().expect("`modules` is a list");
    let module = |name: &str| {
        let found = modules.iter().find(|module| module["module"] == name);
        found.unwrap_or_else(|| panic!("{name} was imported: {document}"))
    };
    let megabytes =
        |name: &str, of: &str| module(name)[of]["peak_bytes"].as_u64().expect("a figure") / 1_000_000;
    for (name, total, own) in [("pkg", 7, 1), ("pkg.core", 6, 2), ("helper", 4, 4), ("late", 8, 8)] {
        assert_eq!((megabytes(name, "total"), megabytes(name, "self")), (total, own), "{name}");
    }
    let parent = |name: &str| {
        let id = module(name)["parent"].as_u64().expect("it has a parent");
        modules[id as usize]["module"].clone()
    };
    assert_eq!(
        [parent("pkg.core"), parent("helper"), parent("late")],
        ["pkg".into(), "pkg.core".into(), Value::Null]
    );
    let importer = &module("late")["importer"];
    assert_eq!((&importer["function"], &importer["line"]), (&"run".into(), &7.into()));

    // All of it is the run.
    let session = lines(&folder, &["x.heaphint"])["session"].clone();
    for figure in ["peak_bytes", "allocated_count", "leaked_bytes"] {
        assert_eq!(modules[0]["total"][figure], session[figure]);
        let owns: u64 = modules.iter().map(|module| module["self"][figure].as_u64().expect("a figure")).sum();
        assert_eq!(session[figure], owns);
    }
}

#[test]
fn people_read_a_tree() {
    let folder = recorded();
    let text = stdout(&folder.heaphint(&["imports", "--min", "500 KB", "x.heaphint"]));
    // The interpreter may import modules of its own before the program's.
    let is_own = |row: &&str| row.contains("  main.py:") || row.contains("  pkg/");
    let rows = text.lines().filter_map(|row| row.rsplit_once(" MiB  ").map(|(_, rest)| rest));
    let names: Vec<&str> = rows.filter(is_own).collect();
    assert_eq!(
        names.iter().map(|row| row.trim_end()).collect::<Vec<_>>(),
        [
            "late  main.py:7  import late",
            "pkg  main.py:1  import pkg",
            "  pkg.core  pkg/__init__.py:2  from . import core",
            "    helper  pkg/core.py:1  import helper",
        ],
        "{text}"
    );
    let shallow = stdout(&folder.heaphint(&["imports", "--depth", "1", "x.heaphint"]));
    assert!(shallow.contains("pkg  main.py:1") && !shallow.contains("helper"), "{shallow}");
}
