//! Pages of hand-made captures: what is in them, and what must not be.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use heaphint_analysis::hand_made::HandMade;
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::Read;

use super::*;
use crate::Source;

const MIB: u64 = 1 << 20;

fn options<'a>(version: &str, source: Option<&'a ReadSource<'a>>) -> PageOptions<'a> {
    PageOptions { version: version.to_owned(), source, figure: Figure::Peak, earlier: None, history: None }
}

fn page(profile: &Profile, source: Option<&ReadSource<'_>>) -> String {
    let mut bytes = Vec::new();
    page_html(&mut bytes, profile, &options("9.9", source)).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// One part of a page's data.
fn section(page: &str, id: &str) -> Vec<u8> {
    let (_, rest) =
        page.split_once(&format!("<script type=\"application/octet-stream\" id=\"{id}\">")).unwrap();
    let (encoded, _) = rest.split_once('<').unwrap();
    let mut bytes = Vec::new();
    ZlibDecoder::new(STANDARD.decode(encoded).unwrap().as_slice()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn meta(page: &str) -> Value {
    serde_json::from_slice(&section(page, "data-meta")).unwrap()
}

/// The columns of a part, as plain numbers.
fn numbers(bytes: &[u8]) -> Vec<u64> {
    let mut numbers = vec![0];
    let mut shift = 0;
    for byte in bytes {
        *numbers.last_mut().unwrap() |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            numbers.push(0);
            shift = 0;
        }
    }
    numbers.pop();
    numbers
}

fn program(name: &str, file: &str) -> HandMade {
    let mut made = HandMade::default();
    let module = made.code("<module>", "app.py", 1);
    let code = made.code(name, file, 3);
    let call = made.stack(0, module, 9);
    let leaf = made.stack(call, code, 5);
    made.site(leaf, 40 * MIB, 2, 2, 1);
    made.site(0, 7, 3, 1, 0);
    made
}

#[test]
fn the_data_has_names_figures_and_source() {
    let profile = Profile::from_capture(&program("load", "app.py").capture());
    let source = |path: &str| {
        (path == "/p/app.py").then(|| Source { text: "import x\r\n".to_owned(), changed_since: true })
    };
    let page = page(&profile, Some(&source));
    let meta = meta(&page);
    assert_eq!(meta["heaphint_version"], "9.9");
    assert_eq!(meta["session"]["peak_bytes"], 80 * MIB + 7);
    assert_eq!(meta["counts"]["nodes_left_out"], 0);
    let names: Vec<&str> =
        meta["functions"].as_array().unwrap().iter().filter_map(|row| row[0].as_str()).collect();
    assert_eq!(names, ["outside Python code", "smaller stacks", "<module>", "load"]);
    assert_eq!(meta["threads"], serde_json::json!([["MainThread", 0]]));

    // Frames: outside, <module>:9, load:5. Nodes: root, both frames, and what stands for no frame.
    let columns = numbers(&section(&page, "data-graph"));
    assert_eq!(columns[..6], [0, 2, 3, 0, 9, 5]);
    // All frames and sites are those of the only run.
    assert_eq!(columns[6..9], [0, 0, 0]);
    assert_eq!(columns[9..17], [0, 1, 1, 3, 0, 1, 2, 0]);
    // Sites: nodes, threads, allocators, modules, runs, then bytes and counts at the peak.
    assert_eq!(columns[17..19], [2, 1]);
    assert_eq!(columns[25..31], [0, 0, 80 * MIB, 7, 2, 1]);

    let source: Value = serde_json::from_slice(&section(&page, "data-source")).unwrap();
    assert_eq!(source[0]["text"], "import x\r\n");
    assert_eq!(source[0]["changed"], true);
}

#[test]
fn a_page_of_two_runs_has_the_sites_of_both() {
    let earlier = Profile::from_capture(&program("gone", "app.py").capture());
    let later = Profile::from_capture(&program("load", "app.py").capture());
    let nothing = |_: &str| None;
    let diff = Diff::new(&earlier, &later, &nothing, &nothing);
    let options = PageOptions { earlier: Some(&diff), ..options("9.9", None) };
    let mut bytes = Vec::new();
    page_html(&mut bytes, &later, &options).unwrap();
    let page = String::from_utf8(bytes).unwrap();
    let meta = meta(&page);
    assert_eq!(meta["earlier"]["session"]["peak_bytes"], 80 * MIB + 7);
    assert_eq!(meta["threads"], serde_json::json!([["MainThread", 0]]), "threads have names");
    let count = |name: &str| meta["counts"][name].as_u64().unwrap() as usize;
    let (frames, nodes, sites) = (count("frames"), count("nodes"), count("sites"));
    // Outside, `<module>:9` of both, `load:5` and `gone:5`.
    assert_eq!((frames, nodes, sites), (4, 5, 4));
    let columns = numbers(&section(&page, "data-graph"));
    let sums = 3 * frames + 2 * nodes + 4 * sites;
    let (runs, peaks) = (&columns[sums..][..sites], &columns[sums + sites..][..sites]);
    for run in [0, 1] {
        let held = runs.iter().zip(peaks).filter(|(of, _)| **of == run).map(|(_, bytes)| bytes);
        assert_eq!(held.sum::<u64>(), 80 * MIB + 7);
    }
}

#[test]
fn a_page_without_source_has_none() {
    let profile = Profile::from_capture(&program("load", "app.py").capture());
    assert_eq!(section(&page(&profile, None), "data-source"), b"[]");
}

#[test]
fn the_same_profile_gives_the_same_page() {
    let made = program("load", "app.py").capture();
    let profile = || Profile::from_captures(&[made.clone(), made.clone()]);
    assert_eq!(page(&profile(), None), page(&profile(), None));
}

#[test]
fn smaller_stacks_are_joined_until_the_page_fits() {
    let mut made = HandMade::default();
    let code = made.code("f", "app.py", 1);
    let mut state = 1u64;
    for line in 1..3000 {
        let stack = made.stack(0, code, line);
        // Numbers that deflate can do nothing about.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        made.site(stack, state >> 30, 1 + (state >> 55) as u32, 1, 1);
    }
    let profile = Profile::from_capture(&made.capture());
    let options = options("", None);
    let whole: u64 = profile.session().allocated_bytes;
    let sections = sections(&profile, &options, 40_000).unwrap();
    assert!(sections.iter().map(document::Section::len).sum::<usize>() <= 40_000);

    let mut bytes = Vec::new();
    document::write(&mut bytes, "", &sections).unwrap();
    let page = String::from_utf8(bytes).unwrap();
    let meta = meta(&page);
    let count = |name: &str| meta["counts"][name].as_u64().unwrap() as usize;
    assert!(count("nodes_left_out") > 0);
    let columns = numbers(&section(&page, "data-graph"));
    let (frames, nodes, sites) = (count("frames"), count("nodes"), count("sites"));
    let allocated = &columns[3 * frames + 2 * nodes + 7 * sites..][..sites];
    assert_eq!(allocated.iter().sum::<u64>(), whole, "what is joined is still there");
}

/// What a browser would run or apply, and what the policy lets it.
fn policy(page: &str) -> (Vec<String>, &str) {
    let (_, rest) = page.split_once("Content-Security-Policy\" content=\"").unwrap();
    let allowed = rest.split_once('"').unwrap().0;
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let mut inline = Vec::new();
    for (open, close) in
        [("<script>", "</script>"), ("<script type=\"module\">", "</script>"), ("<style>", "</style>")]
    {
        inline.extend(page.split(open).skip(1).map(|text| hash(text.split_once(close).unwrap().0)));
    }
    (inline, allowed)
}

const HOSTILE: [&str; 8] = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "a\nb\r\nc\u{2028}d",
    "\u{202e}gnp.exe\u{2066}",
    "<!--<script>",
    "';alert(1);//`${alert(1)}`",
    "\u{0}\u{1b}[31m",
];

#[test]
fn nothing_that_a_program_can_name_is_markup() {
    let long = "x<".repeat(5_000);
    for name in HOSTILE.into_iter().chain([long.as_str()]) {
        let mut made = program(name, &format!("/p/{name}.py"));
        made.header.command = made.text(&format!("python\0{name}\0"));
        made.header.directory = made.text(&format!("/p/{name}"));
        made.header.problem = made.text(name);
        made.thread(9, name);
        let profile = Profile::from_capture(&made.capture());
        let source = |_: &str| Some(Source { text: name.to_owned(), changed_since: false });
        let page = page(&profile, Some(&source));

        let (inline, allowed) = policy(&page);
        assert_eq!(inline.len(), 3);
        assert!(
            inline.iter().all(|hash| allowed.contains(hash.as_str())),
            "the policy knows each script and style"
        );
        assert_eq!(allowed.matches("sha256-").count(), 3);
        assert!(!allowed.contains("unsafe"));

        // Markup is that of any other page, but for the title and the data.
        let plain = self::page(&Profile::from_capture(&program("f", "app.py").capture()), None);
        let skeleton = |page: &str| {
            let (head, rest) = page.split_once("<title>").unwrap();
            let (title, rest) = rest.split_once("</title>").unwrap();
            assert!(!title.contains(['<', '>', '"', '\n', '\u{202e}', '\u{0}']), "{title:?}");
            let parts = rest.split("<script type=\"application/octet-stream\"");
            let parts = parts.map(|part| {
                part.split_once('>')
                    .unwrap()
                    .1
                    .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='))
            });
            (head.to_owned(), parts.map(str::to_owned).collect::<Vec<_>>())
        };
        assert!(skeleton(&page) == skeleton(&plain), "{name:?} changes the page around the data");
        let functions = meta(&page)["functions"].clone();
        let is_there = functions.as_array().unwrap().iter().any(|row| row[0] == name);
        assert!(is_there, "a name of {} bytes is not in the data", name.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_name_and_source_gives_a_page(name: String, file: String, text: String) {
        let profile = Profile::from_capture(&program(&name, &file).capture());
        let source = |_: &str| Some(Source { text: text.clone(), changed_since: false });
        let page = page(&profile, Some(&source));
        prop_assert!(meta(&page)["counts"]["sites"].as_u64() == Some(2));
        prop_assert!(page.len() <= MOST_BYTES);
    }
}
