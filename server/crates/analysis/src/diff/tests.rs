//! Differences of hand-made runs.

use super::*;
use crate::hand_made::HandMade;
use crate::{Figure, Run};

const PEAK: Measure = Measure { figure: Figure::Peak, counts: false };

/// `app.py` in `folder`: `main` calls `load` at the second line of itself, which allocates at its second line.
fn run(folder: &str, shift: u32, load: u64, extra: Option<(&str, u64)>) -> Profile {
    let mut made = HandMade::default();
    (made.header.directory, made.header.project) = (made.text(folder), made.text(folder));
    let module = made.code("<module>", "app.py", 1);
    let load_function = made.code("load", "app.py", 3 + shift);
    let main = made.code("main", "app.py", 7 + shift);
    let call = made.stack(0, module, 12 + shift);
    let in_main = made.stack(call, main, 8 + shift);
    let in_load = made.stack(in_main, load_function, 4 + shift);
    made.site(in_load, load, 1, 1, 1);
    if let Some((name, bytes)) = extra {
        let function = made.code(name, "app.py", 20);
        let stack = made.stack(in_main, function, 21);
        made.site(stack, bytes, 1, 1, 1);
    }
    Profile::from_capture(&made.capture())
}

fn nothing(_: &str) -> Option<String> {
    None
}

/// Each as `kind before->after place was`.
fn shown(places: &[DiffPlace<'_>]) -> Vec<String> {
    places
        .iter()
        .map(|place| {
            let (Some(frame), total) = (place.frame, place.total) else { return "outside".to_owned() };
            let was = place.before.map_or("new".to_owned(), |before| {
                format!("{} {}", before.line, before.matched_by.map_or("-", MatchedBy::name))
            });
            format!(
                "{} {}->{} {}:{} was {was}",
                total.kind(PEAK).name(),
                total.before.peak_bytes,
                total.after.peak_bytes,
                frame.qualname,
                frame.line,
            )
        })
        .collect()
}

#[test]
fn lines_of_functions_that_moved_are_the_same_lines() {
    let (before, after) = (run("/old", 0, 100, Some(("gone", 7))), run("/new", 2, 150, Some(("fresh", 9))));
    let diff = Diff::new(&before, &after, &nothing, &nothing);
    assert_eq!(
        shown(&diff.lines(PEAK, 1)),
        [
            "grew 107->159 main:10 was 8 function",
            "grew 107->159 <module>:14 was 12 neighbours",
            "grew 100->150 load:6 was 4 function",
            "appeared 0->9 fresh:21 was new",
            "went 7->0 gone:21 was 21 -",
        ]
    );
    assert_eq!(
        shown(&diff.functions(PEAK, 8)),
        [
            "grew 107->159 <module>:1 was 1 number",
            "grew 107->159 main:9 was 7 function",
            "grew 100->150 load:5 was 3 function",
            "appeared 0->9 fresh:20 was new",
        ]
    );
    let project = diff.project_lines(PEAK, 8);
    let lines: Vec<_> =
        project.iter().map(|line| (line.frame.line, line.before_value, line.after_value)).collect();
    assert_eq!(lines, [(6, 100, 150), (21, 0, 9)]);
    let stacks = diff.stacks(PEAK, 1);
    let largest = diff.nodes()[stacks[0].index()];
    assert_eq!((largest.own.delta(PEAK), stacks.len()), (50, 3));
    let lines: Vec<u32> = diff.stack(stacks[0]).iter().filter_map(|node| Some(node.frame?.line)).collect();
    assert_eq!(lines, [14, 10, 6]);
    assert_eq!((diff.whole().before.peak_bytes, diff.whole().after.peak_bytes), (107, 159));
}

#[test]
fn texts_decide_where_they_are_known() {
    let text = "import x\n\ndef load():\n    return read()\n\n\ndef main():\n    load()\n\n\n\nmain()\n";
    let (before, after) = (run("/old", 0, 100, None), run("/new", 1, 90, None));
    let before_text = |path: &str| (path == "/old/app.py").then(|| text.to_owned());
    let after_text = |path: &str| (path == "/new/app.py").then(|| format!("import y\n{text}"));
    let diff = Diff::new(&before, &after, &before_text, &after_text);
    let lines = diff.lines(PEAK, 1);
    assert_eq!(
        shown(&lines),
        [
            "shrank 100->90 load:5 was 4 content",
            "shrank 100->90 main:9 was 8 content",
            "shrank 100->90 <module>:13 was 12 content",
        ]
    );
    assert!(diff.lines(PEAK, 11).is_empty());

    // Without one of the texts it is a guess, and says so.
    let diff = Diff::new(&before, &after, &nothing, &after_text);
    assert!(
        diff.lines(PEAK, 1).iter().all(|place| {
            place.before.and_then(|before| before.matched_by).is_some_and(MatchedBy::is_guess)
        })
    );
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let run = run("/p", 0, 100, Some(("f", 5)));
    let diff = Diff::new(&run, &run, &nothing, &nothing);
    assert!(diff.lines(PEAK, 0).is_empty() && diff.functions(PEAK, 0).is_empty());
    assert!(diff.stacks(PEAK, 0).is_empty());
    assert_eq!(diff.nodes().len(), run.nodes.len());
    let by = diff.nodes().iter().skip(1).map(|node| node.before.and_then(|before| before.matched_by));
    assert!(by.into_iter().all(|by| by == Some(MatchedBy::Number)));
}

mod sums {
    use proptest::prelude::*;

    use super::*;

    fn random_run(stacks: &[(usize, u32, u32)], sites: &[(usize, u64)]) -> Profile {
        let mut made = HandMade::default();
        let codes = ["f", "g", "<module>"].map(|name| made.code(name, "app.py", 3));
        for (parent, code, line) in stacks {
            let parent = (parent % made.stacks.len()) as u32;
            made.stack(parent, codes[*code as usize % 3], *line);
        }
        for (stack, bytes) in sites {
            let stack = (stack % made.stacks.len()) as u32;
            made.site(stack, *bytes, 2, 1, 1);
        }
        Profile::from_capture(&made.capture())
    }

    proptest! {
        /// However lines are matched, no byte of either run is lost or counted twice.
        #[test]
        fn both_runs_are_all_there(
            first in prop::collection::vec((0usize..20, 0u32..3, 1u32..9), 0..20),
            second in prop::collection::vec((0usize..20, 0u32..3, 1u32..9), 0..20),
            first_sites in prop::collection::vec((0usize..20, 1u64..100), 0..20),
            second_sites in prop::collection::vec((0usize..20, 1u64..100), 0..20),
            first_text in prop::collection::vec("[abc]", 9), second_text in prop::collection::vec("[abc]", 9),
            known: bool,
        ) {
            let (before, after) = (random_run(&first, &first_sites), random_run(&second, &second_sites));
            let before_text = |_: &str| known.then(|| first_text.join("\n"));
            let after_text = |_: &str| known.then(|| second_text.join("\n"));
            let diff = Diff::new(&before, &after, &before_text, &after_text);
            let own = |of: fn(&Change) -> u64| diff.nodes().iter().map(|node| of(&node.own)).sum::<u64>();
            prop_assert_eq!(own(|change| change.before.peak_bytes), before.session().peak_bytes);
            prop_assert_eq!(own(|change| change.after.peak_bytes), after.session().peak_bytes);
            prop_assert_eq!(diff.whole().before.peak_bytes, before.session().peak_bytes);
            let graph = diff.graph();
            prop_assert!(graph.nodes.iter().enumerate().skip(1).all(|(index, node)| (node.parent as usize) < index));
            let mut held = vec![[0; 2]; graph.nodes.len()];
            for site in &graph.sites {
                held[site.node as usize][usize::from(site.run == Run::Earlier)] += site.figures.peak_bytes;
            }
            let own = diff.nodes().iter().map(|node| [node.own.after.peak_bytes, node.own.before.peak_bytes]);
            prop_assert_eq!(held, own.collect::<Vec<_>>());
            let deltas: i64 = diff.lines(PEAK, 1).iter().map(|place| place.own.delta(PEAK)).sum();
            let whole = after.session().peak_bytes as i64 - before.session().peak_bytes as i64;
            prop_assert_eq!(deltas, whole);
            let deltas: i64 = diff.functions(PEAK, 1).iter().map(|place| place.own.delta(PEAK)).sum();
            prop_assert_eq!(deltas, whole);
        }
    }
}
