//! Which blocks are freed soon: each thread's last allocations.

use super::tables::ThreadId;

/// The last addresses that each thread has allocated.
pub(super) struct RecentBlocks {
    /// How many of a thread's allocations, its own included, a temporary block may outlive.
    window: usize,
    threads: Vec<Recent>,
}

#[derive(Clone, Default)]
struct Recent {
    /// A ring once it is full.
    addresses: Vec<u64>,
    next: usize,
}

impl RecentBlocks {
    /// Blocks are temporary when they are freed before their thread makes `window` further allocations.
    pub fn new(window: usize) -> Self {
        Self { window: window.max(1), threads: Vec::new() }
    }

    #[inline]
    pub fn allocated(&mut self, thread: ThreadId, address: u64) {
        if self.threads.len() <= thread.index() {
            self.threads.resize(thread.index() + 1, Recent::default());
        }
        let recent = &mut self.threads[thread.index()];
        if recent.addresses.len() < self.window {
            recent.addresses.push(address);
        } else {
            recent.addresses[recent.next] = address;
            recent.next = if recent.next + 1 == self.window { 0 } else { recent.next + 1 };
        }
    }

    /// Whether a block that its thread allocated and that is freed now was temporary.
    pub fn is_recent(&self, thread: ThreadId, address: u64) -> bool {
        self.threads.get(thread.index()).is_some_and(|recent| recent.addresses.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_remembers_its_own_last_blocks() {
        let (one, two) = (ThreadId(0), ThreadId(1));
        let mut recent = RecentBlocks::new(2);
        assert!(!recent.is_recent(one, 16));
        recent.allocated(one, 16);
        recent.allocated(one, 32);
        recent.allocated(two, 48);
        assert!(recent.is_recent(one, 16) && recent.is_recent(one, 32) && recent.is_recent(two, 48));
        assert!(!recent.is_recent(two, 16));
        recent.allocated(one, 64);
        assert!(!recent.is_recent(one, 16) && recent.is_recent(one, 32) && recent.is_recent(one, 64));
    }
}
