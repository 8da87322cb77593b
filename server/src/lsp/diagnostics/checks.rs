//! When limits are compared with figures, and who waits for it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// A comparison that takes longer, because a disk does not answer, is told when it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Comparisons that were asked for. Several that are asked for while one goes on become one.
#[derive(Debug, Default)]
pub struct Checks {
    asked: watch::Sender<u64>,
    done: watch::Sender<u64>,
}

impl Checks {
    /// Asks for a comparison of what is known now.
    pub fn ask(&self) {
        self.asked.send_modify(|asked| *asked += 1);
    }

    /// Waits until one is asked for. What is known when this returns is newer than all that was asked for.
    pub(super) async fn asked(&self) -> u64 {
        let done = *self.done.borrow();
        let mut asked = self.asked.subscribe();
        // The sender lives as long as `self`.
        asked.wait_for(|asked| *asked > done).await.map_or(done, |asked| *asked)
    }

    /// Everything up to this one has been compared.
    pub(super) fn finish(&self, asked: u64) {
        self.done.send_replace(asked);
    }

    /// Waits until everything has been compared that was asked for by now, if that does not take too long.
    pub async fn finished(&self) {
        let asked = *self.asked.borrow();
        let mut done = self.done.subscribe();
        let _ = timeout(PATIENCE, done.wait_for(|done| *done >= asked)).await;
    }
}
