//! Whose turn it is when hundreds of routers come back at once.
//!
//! ```text
//!   a router comes ──► TLS ──► Hello ──► its stream is open: customers' changes reach it again
//!                                           │ a moment in which nobody came, or some seconds
//!                                           ▼
//!                                        what it has to say is heard, a few at a time
//! ```
//!
//! What is begun for all of them ends for none, and stands before whatever else is to be done. And opening takes little,
//! while reading and folding all that a router says takes many times as much: nobody waits for that.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep},
};

/// So many streams are opened, and so many reports taken, at a time.
const AT_ONCE: usize = 8;
/// Who comes next, if many do, comes within this.
const MOMENT: Duration = Duration::from_millis(50);
/// However many come, others are heard again after this.
const PATIENCE: Duration = Duration::from_secs(3);

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub(super) struct Turns {
    opening: Arc<Semaphore>,
    hearing: Arc<Semaphore>,
    reporting: Arc<Semaphore>,
    rush: Arc<Mutex<Option<Rush>>>,
}

/// Of those who come one after another.
#[derive(Clone, Copy)]
struct Rush {
    first: Instant,
    last: Instant,
}

impl Rush {
    /// Somebody comes: the next of those before, or the first of others.
    fn after(before: Option<Self>, now: Instant) -> Self {
        let before = before.filter(|rush| now < rush.last + MOMENT);
        Self { first: before.map_or(now, |rush| rush.first), last: now }
    }

    /// How long whoever has something to say waits before looking again. `None`: it is their turn.
    fn wait(self, now: Instant) -> Option<Duration> {
        let calm_at = (self.last + MOMENT).min(self.first + PATIENCE);
        calm_at.checked_duration_since(now).filter(|left| !left.is_zero())
    }
}

impl Default for Turns {
    fn default() -> Self {
        let semaphore = || Arc::new(Semaphore::new(AT_ONCE));
        let (opening, hearing, reporting) = (semaphore(), semaphore(), semaphore());
        Self { opening, hearing, reporting, rush: Arc::default() }
    }
}

impl Turns {
    /// Somebody has come, or is a step further.
    pub(super) fn come(&self) {
        let mut rush = self.rush();
        *rush = Some(Rush::after(*rush, Instant::now()));
    }

    /// At opening a stream, until dropped.
    pub(super) async fn open(&self) -> Option<SemaphorePermit<'_>> {
        self.opening.acquire().await.ok()
    }

    /// At hearing all that a router says when it comes, until dropped.
    pub(super) async fn hear(&self) -> Option<SemaphorePermit<'_>> {
        self.let_them_come().await;
        self.hearing.acquire().await.ok()
    }

    /// At reading a report and folding it, until dropped. Those that wait are not yet in memory.
    pub(super) async fn report(&self) -> Option<SemaphorePermit<'_>> {
        self.let_them_come().await;
        self.reporting.acquire().await.ok()
    }

    async fn let_them_come(&self) {
        while let Some(wait) = self.wait() {
            sleep(wait).await;
        }
    }

    fn wait(&self) -> Option<Duration> {
        (*self.rush())?.wait(Instant::now())
    }

    /// A panic elsewhere leaves nothing half-written here.
    fn rush(&self) -> MutexGuard<'_, Option<Rush>> {
        self.rush.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[test]
    fn what_is_said_waits_for_those_that_come_one_after_another_but_not_for_ever() {
        let began = Instant::now();
        let step = MOMENT / 2;
        let rush = |many: u32| {
            (0..many).fold(None, |rush, n| Some(Rush::after(rush, began + step * n))).unwrap()
        };
        let whole = u32::try_from(PATIENCE.as_millis() / step.as_millis()).unwrap();
        for (many, now, expected) in [
            (1, Duration::ZERO, Some(MOMENT)),
            (1, step, Some(step)),
            (1, MOMENT, None),
            (2, MOMENT, Some(step)),
            (2, step * 3, None),
            (whole, PATIENCE - step, Some(step)),
            (whole, PATIENCE, None),
            (whole * 2, PATIENCE * 2 - step, None),
        ] {
            assert_eq!(rush(many).wait(began + now), expected, "{many} came, {now:?}");
        }
        let later = Rush::after(Some(rush(whole * 2)), began + PATIENCE * 3);
        assert_eq!(later.wait(began + PATIENCE * 3), Some(MOMENT), "others");
    }

    #[test]
    fn a_stream_is_opened_while_what_others_say_waits() {
        let turns = Turns::default();
        assert!(turns.report().now_or_never().is_some(), "nobody comes");
        turns.come();
        assert!(turns.open().now_or_never().is_some());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            assert!(turns.hear().now_or_never().is_none());
            assert!(turns.report().now_or_never().is_none());
        });
    }
}
