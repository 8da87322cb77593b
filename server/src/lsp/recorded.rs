//! What a run recorded. Figures of lines and functions are always in memory; its stacks are only when they are few, and
//! else are read from the captures again when somebody asks for them, and forgotten soon after.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heaphint_analysis::Profile;

/// More than this are not kept: a stack takes about 200 bytes.
pub const MOST_STACKS: usize = 50_000;
/// How long stacks are kept after somebody has asked for them.
const KEPT: Duration = Duration::from_secs(20);

/// What a run recorded. Clones share it.
#[derive(Debug, Clone)]
pub struct Recorded {
    figures: Arc<Profile>,
    stored: Option<Arc<Stored>>,
}

type Read = dyn Fn() -> anyhow::Result<Profile> + Send + Sync;

struct Stored {
    read: Box<Read>,
    /// How long stacks are kept.
    time: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    profile: Option<Arc<Profile>>,
    /// How often somebody has asked.
    uses: u64,
}

impl Recorded {
    /// What is in memory as a whole.
    pub fn new(profile: Profile) -> Self {
        Self { figures: Arc::new(profile), stored: None }
    }

    /// The same, of which `read` can make the whole again.
    pub fn stored(self, read: impl Fn() -> anyhow::Result<Profile> + Send + Sync + 'static) -> Self {
        self.stored_for(KEPT, read)
    }

    fn stored_for(
        self,
        time: Duration,
        read: impl Fn() -> anyhow::Result<Profile> + Send + Sync + 'static,
    ) -> Self {
        let has_stacks = self.figures.has_stacks();
        if has_stacks && self.figures.stack_count() <= MOST_STACKS {
            return self;
        }
        let stored = Stored { read: Box::new(read), time, kept: Mutex::default() };
        let figures = if has_stacks { Arc::new(self.figures.without_stacks()) } else { self.figures };
        Self { figures, stored: Some(Arc::new(stored)) }
    }

    /// Everything but stacks. What is asked about stacks here may be answered with nothing.
    pub fn figures(&self) -> &Arc<Profile> {
        &self.figures
    }

    /// Whether stacks are elsewhere.
    pub fn is_stored(&self) -> bool {
        self.stored.is_some()
    }

    /// Everything. Reads captures: call it where it may block.
    ///
    /// # Errors
    /// When they cannot be read any more.
    pub fn whole(&self) -> anyhow::Result<Arc<Profile>> {
        let Some(stored) = &self.stored else { return Ok(self.figures.clone()) };
        let mut kept = stored.kept();
        kept.uses += 1;
        let profile = match &kept.profile {
            Some(profile) => profile.clone(),
            None => kept.profile.insert(Arc::new((stored.read)()?)).clone(),
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (stored, uses) = (stored.clone(), kept.uses);
            runtime.spawn(async move {
                tokio::time::sleep(stored.time).await;
                let mut kept = stored.kept();
                if kept.uses == uses {
                    kept.profile = None;
                }
            });
        }
        Ok(profile)
    }
}

impl Stored {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use heaphint_analysis::hand_made::HandMade;
    use heaphint_analysis::{Figure, Through};

    use super::*;

    fn profile(stacks: u32) -> Profile {
        let mut made = HandMade::default();
        let code = made.code("f", "/p/a.py", 1);
        for line in 1..=stacks {
            let stack = made.stack(0, code, line);
            made.site(stack, 10, 1, 1, 1);
        }
        Profile::from_capture(&made.capture())
    }

    #[tokio::test]
    async fn many_stacks_are_read_again_when_somebody_asks_and_forgotten_soon_after() {
        let read = Arc::new(AtomicUsize::new(0));
        let many = MOST_STACKS as u32 + 1;
        let counted = read.clone();
        let time = Duration::from_millis(300);
        let recorded = Recorded::new(profile(many)).stored_for(time, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(profile(many))
        });
        let figures = recorded.figures();
        assert_eq!(figures.stack_count(), 0);
        assert_eq!(figures.session().allocated_bytes, u64::from(many) * 10);
        assert_eq!(figures.files()[0].line(7).expect("a line").total_figures.peak_bytes, 10);
        let stacks = |recorded: &Recorded| {
            let whole = recorded.whole().expect("it can be read");
            whole.stacks_through(Through::Line { file: "/p/a.py", line: 7 }, Figure::Peak, 3).stacks.len()
        };
        assert_eq!((stacks(&recorded), stacks(&recorded.clone())), (1, 1));
        assert_eq!(read.load(Ordering::Relaxed), 1);
        tokio::time::sleep(time * 3).await;
        assert_eq!((stacks(&recorded), read.load(Ordering::Relaxed)), (1, 2));
    }

    #[test]
    fn few_stacks_stay_and_lost_ones_are_an_error() {
        let recorded = Recorded::new(profile(5)).stored(|| anyhow::bail!("gone"));
        assert_eq!(recorded.whole().expect("in memory").stack_count(), 5);
        let recorded = Recorded::new(profile(MOST_STACKS as u32 + 1)).stored(|| anyhow::bail!("gone"));
        assert!(recorded.whole().is_err());
    }
}
