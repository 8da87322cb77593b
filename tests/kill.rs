//! A process that is killed loses nothing: its capture equals a replay of the events until then.
//!
//! The tracer is built with the feature `crash-points`. It can then kill its process between any two stores into
//! the capture, and it writes each event to a log before it touches the capture.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use heaphint_format::{AREA_EVENTS, Capture, JOURNAL_OFFSET};

use crate::subjects::complaints;
use crate::support::interpreter::Interpreter;
use crate::support::playground::Playground;
use crate::support::process::run;
use crate::support::replay::{Figures, Order, orders, recorded, replay};

/// The tracer library with crash points, built once.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash-points");
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        build.args(["build", "-q", "-p", "heaphint-tracer", "--profile", "tracer"]);
        build.args(["--features", "crash-points", "--target-dir"]).arg(&target);
        let status = build.stdin(Stdio::null()).status().expect("cargo runs");
        assert!(status.success(), "the tracer does not build with crash points");
        target.join("tracer/libheaphint_tracer.so")
    })
}

/// One run of `busy.py`.
struct Run {
    playground: &'static Playground,
    interpreter: &'static Interpreter,
    seed: u64,
    rounds: u32,
    threads: u32,
}

/// How a run ended.
struct Ending {
    killed: bool,
    /// The last event had begun and was not whole: the capture equals the replay without it.
    in_the_middle: bool,
    /// The tables were being changed: the reader had to put old values back.
    undone: bool,
    stores: usize,
    /// How many areas of pending events were used.
    areas: usize,
    complaint: Option<String>,
}

impl Run {
    fn new(seed: u64, threads: u32) -> Self {
        static PLAYGROUND: OnceLock<Playground> = OnceLock::new();
        static INTERPRETER: OnceLock<Interpreter> = OnceLock::new();
        Self {
            playground: PLAYGROUND.get_or_init(Playground::new),
            interpreter: INTERPRETER.get_or_init(Interpreter::default),
            seed,
            rounds: 60,
            threads,
        }
    }

    fn arguments(&self) -> [String; 3] {
        [self.seed.to_string(), self.rounds.to_string(), self.threads.to_string()]
    }

    /// The interpreter itself with the library in it, as `heaphint run` starts it.
    fn command(&self, capture: &Path) -> Command {
        let mut command = Command::new(&self.interpreter.path);
        command.arg(self.playground.path("busy.py")).args(self.arguments());
        command.env("LD_PRELOAD", library()).env("HEAPHINT_CAPTURE", capture);
        command.env("HEAPHINT_PROJECT", self.playground.folder());
        command.env("HEAPHINT_EVENT_LOG", capture.with_extension("log"));
        command
    }

    /// Dies before the n-th store.
    fn killed_at_store(&self, store: u64) -> Ending {
        let captured = self.playground.recorded(self.interpreter, "busy.py");
        let mut command = self.command(&captured.main);
        let outcome = run(command.env("HEAPHINT_CRASH_AT", store.to_string()), "");
        let mut ending = compare(&captured.main);
        ending.killed = outcome.code == 137;
        if !ending.killed && outcome.code != 0 {
            ending.complaint = Some(outcome.text());
        }
        ending
    }

    /// Is killed from here.
    fn killed_after(&self, delay: Duration) -> Ending {
        let captured = self.playground.recorded(self.interpreter, "busy.py");
        let log = captured.main.with_extension("log");
        let mut command = self.command(&captured.main);
        let mut child = command.stdin(Stdio::null()).spawn().expect("the interpreter starts");
        let start = Instant::now();
        while start.elapsed() < delay || !log.exists() {
            if child.try_wait().expect("a child can be waited for").is_some() {
                break;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().expect("a child can be killed");
        let killed = child.wait().expect("a child can be waited for").code().is_none();
        Ending { killed, ..compare(&captured.main) }
    }
}

/// Holds a capture against the log beside it.
fn compare(path: &Path) -> Ending {
    let complain = |text: String| Ending {
        killed: false,
        in_the_middle: false,
        undone: false,
        stores: 0,
        areas: 0,
        complaint: Some(text),
    };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return complain(format!("there is no capture: {error}")),
    };
    let capture = match Capture::read(&bytes) {
        Ok(capture) => capture,
        Err(error) => return complain(error.to_string()),
    };
    if capture.damaged {
        return complain("the capture is damaged".to_owned());
    }
    let orders = match orders(&path.with_extension("log")) {
        Ok(orders) => orders,
        Err(error) => return complain(error),
    };
    let found = recorded(&capture);
    let events = &orders[0].events;
    let stores = events.len();
    // The journal begins with how many old values it holds.
    let undone = bytes.get(JOURNAL_OFFSET).is_some_and(|used| *used != 0);
    let areas = events.iter().map(|event| event.area).collect::<BTreeSet<_>>().len();
    let ending = Ending { killed: false, in_the_middle: false, undone, stores, areas, complaint: None };
    if orders.iter().any(|order| found == replay(&order.events, &capture)) {
        return ending;
    }
    let complaint = (!orders.iter().any(|order| lacks_last_events(&found, order, &capture))).then(|| {
        let differences = found.differences(&replay(events, &capture));
        let count = differences.len();
        let some = differences.into_iter().take(6).collect::<Vec<_>>().join("\n  ");
        format!(
            "after {stores} events of {areas} threads {count} figures are neither those with nor without the last \
             ones:\n  {some}"
        )
    });
    Ending { in_the_middle: true, complaint, ..ending }
}

/// Whether a capture equals a replay without the last pending event of some areas, which may have begun without being
/// there as a whole.
fn lacks_last_events(found: &Figures, order: &Order, capture: &Capture) -> bool {
    let mut last = BTreeMap::new();
    for (number, event) in order.events.iter().enumerate().skip(order.applied) {
        last.insert(event.area, number);
    }
    let last: Vec<_> = last.into_values().collect();
    (1u32..1 << last.len()).any(|missing| {
        let is_missing = |number: usize| {
            last.iter().enumerate().any(|(bit, last)| *last == number && missing & 1 << bit != 0)
        };
        let there: Vec<_> = order
            .events
            .iter()
            .enumerate()
            .filter(|(number, _)| !is_missing(*number))
            .map(|(_, it)| *it)
            .collect();
        *found == replay(&there, capture)
    })
}

/// Numbers that look random and are the same in every run of the tests.
fn scattered(seed: u64) -> u64 {
    let mixed = (seed.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 16
}

fn judge(endings: &[Ending], least_killed: usize) {
    let complaints: Vec<_> = endings.iter().filter_map(|ending| ending.complaint.as_deref()).collect();
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), endings.len(), complaints.join("\n"));
    let killed = endings.iter().filter(|ending| ending.killed).count();
    assert!(killed >= least_killed, "only {killed} of {} runs were killed", endings.len());
}

/// Runs `one` for each number on a few threads.
fn many(numbers: std::ops::Range<u64>, one: impl Fn(u64) -> Ending + Sync) -> Vec<Ending> {
    let endings = std::sync::Mutex::new(Vec::new());
    let numbers: Vec<u64> = numbers.collect();
    complaints(&numbers, |number| {
        let ending = one(*number);
        endings.lock().expect("nobody panics under the lock").push(ending);
        Vec::new()
    });
    endings.into_inner().expect("nobody panics under the lock")
}

#[test]
fn a_run_to_the_end_equals_its_replay() {
    for threads in [0, 3] {
        let ending = Run::new(1, threads).killed_at_store(u64::MAX);
        assert_eq!(ending.complaint, None);
        assert!(!ending.killed && !ending.in_the_middle && ending.stores > 1_000, "{} events", ending.stores);
    }
}

/// About the number of stores of a run; the last one that still kills it, by doubling.
fn stores_of(threads: u32) -> u64 {
    let dies = |store: &u64| Run::new(0, threads).killed_at_store(*store).killed;
    let powers = std::iter::successors(Some(1 << 12), |store| Some(store * 2));
    powers.take_while(dies).last().expect("a run has thousands of stores") * 3 / 2
}

#[test]
fn kills_between_two_stores_of_an_event() {
    let stores = [0, 1, 2, 4].map(stores_of);
    let endings = many(0..120, |number| {
        let (threads, stores) = [0, 1, 2, 4].into_iter().zip(stores).nth(number as usize % 4).expect("four");
        // The threads are at work in the second half.
        let from = if threads == 0 { 0 } else { stores / 2 };
        Run::new(number, threads).killed_at_store(1 + from + scattered(number) % (stores - from))
    });
    judge(&endings, 80);
    let count = |is: fn(&Ending) -> bool| endings.iter().filter(|ending| is(ending)).count();
    let (in_events, in_tables) = (count(|ending| ending.in_the_middle), count(|ending| ending.undone));
    assert!(in_events >= 4, "only {in_events} kills were in the middle of an event");
    assert!(in_tables >= 20, "only {in_tables} kills were while the tables changed");
    let of_several = count(|ending| ending.killed && ending.areas > 1);
    assert!(of_several >= 6, "only {of_several} kills were while several threads had events");
}

#[test]
fn kills_from_outside() {
    library();
    let endings = many(0..80, |number| {
        let delay = Duration::from_micros(scattered(number) % 300_000);
        // However fast the machine is, the program does not end by itself before that.
        Run { rounds: u32::MAX, ..Run::new(number, (number % 3) as u32) }.killed_after(delay)
    });
    judge(&endings, 60);
}

#[test]
fn heaphint_run_reports_a_kill() {
    let run_of = Run::new(5, 0);
    let captured = run_of.playground.recorded(run_of.interpreter, "busy.py");
    let mut command = Command::new(env!("CARGO_BIN_EXE_heaphint"));
    command.arg("run").arg("--tracer-library").arg(library()).arg("-q").arg("-o").arg(&captured.main);
    command.arg("--python").arg(&run_of.interpreter.path);
    command.arg(run_of.playground.path("busy.py")).args(run_of.arguments());
    command.env("HEAPHINT_CRASH_AT", "20000").env("HEAPHINT_EVENT_LOG", captured.main.with_extension("log"));
    let outcome = run(&mut command, "");
    assert_eq!(outcome.code, 137, "{}", outcome.text());
    assert_eq!(compare(&captured.main).complaint, None);
}

#[test]
fn a_running_capture_can_be_read() {
    let run_of = Run { rounds: 4_000, ..Run::new(3, 2) };
    let captured = run_of.playground.recorded(run_of.interpreter, "busy.py");
    let mut child =
        run_of.command(&captured.main).stdin(Stdio::null()).spawn().expect("the interpreter starts");
    let (mut reads, mut allocated) = (0, 0);
    while child.try_wait().expect("a child can be waited for").is_none() {
        std::thread::sleep(Duration::from_millis(2));
        let Ok(bytes) = std::fs::read(&captured.main) else { continue };
        let Ok(capture) = Capture::read(&bytes) else { continue };
        let now = capture.sites.iter().map(|site| site.allocated_count).sum();
        // The file changes while it is read, so the events of one round may be counted or not.
        let least = allocated - (3 * AREA_EVENTS as u64).min(allocated);
        assert!(now >= least, "what was allocated cannot become less: {now} after {allocated}");
        (reads, allocated) = (reads + 1, now);
    }
    assert!(reads >= 10 && allocated > 10_000, "{reads} reads, {allocated} allocations");
    assert_eq!(compare(&captured.main).complaint, None);
}
