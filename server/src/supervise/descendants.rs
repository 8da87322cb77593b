//! The processes below this one, and their end.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use libc::pid_t;

/// How long to try. Processes that wait for a broken disk do not end.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);

/// Every process below this one that has not ended, as its parents tell: at once, and without some of those that end or
/// begin meanwhile.
fn seen() -> HashSet<pid_t> {
    let mut seen = HashSet::new();
    let mut open = vec![std::process::id() as pid_t];
    while let Some(pid) = open.pop() {
        for child in children(pid) {
            if living_parent(child).is_some() && seen.insert(child) {
                open.push(child);
            }
        }
    }
    seen
}

/// The children of a process: each thread tells of its own. A kernel may be built without this.
fn children(pid: pid_t) -> Vec<pid_t> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Every process below this one that has not ended, looked for among all processes.
fn living() -> HashSet<pid_t> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parents: HashMap<pid_t, pid_t> = pids.filter_map(|pid| Some((pid, living_parent(pid)?))).collect();
    let own = std::process::id() as pid_t;
    let is_below = |pid: &&pid_t| {
        let above = std::iter::successors(Some(**pid), |pid| parents.get(pid).copied());
        // A process may get a number that was read as that of a parent: no chain is longer than all of them.
        above.skip(1).take(parents.len()).any(|pid| pid == own)
    };
    parents.keys().filter(is_below).copied().collect()
}

/// The parent of a process; `None` when it has ended.
fn living_parent(pid: pid_t) -> Option<pid_t> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may hold anything: state, parent.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.next()?.parse().ok() }
}

/// Ends every process below this one, also those that fork on and on: they are stopped first, until there are no new ones.
pub fn end_all() {
    let deadline = Instant::now() + PATIENCE;
    let mut stopped = HashSet::new();
    while Instant::now() < deadline {
        // One that is another process in every moment is seen only by who looks quickly.
        let mut living = seen();
        if living.is_empty() {
            living = self::living();
        }
        if living.is_empty() {
            return;
        }
        if living.is_subset(&stopped) {
            living.iter().for_each(|pid| send(*pid, libc::SIGKILL));
            // Those that are still there next time are asked again.
            thread::sleep(PAUSE);
        }
        for pid in living {
            if stopped.insert(pid) {
                send(pid, libc::SIGSTOP);
            }
        }
    }
    living().into_iter().for_each(|pid| send(pid, libc::SIGKILL));
}

fn send(pid: pid_t, signal: libc::c_int) {
    // SAFETY: kill takes numbers only.
    unsafe { libc::kill(pid, signal) };
}
