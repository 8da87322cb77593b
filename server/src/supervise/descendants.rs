//! The processes below this one, and their end.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use libc::pid_t;

/// How long to try. Processes that wait for a broken disk do not end.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);

/// Every process below this one that has not ended.
pub fn living() -> HashSet<pid_t> {
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
        let living = living();
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
