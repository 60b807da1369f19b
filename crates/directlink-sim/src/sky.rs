//! The store's weather: fair, away (a failover), or one stroke that waits for its moment.

use directlink_server::store::weather::{Answer, Ending, Weather};
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct Sky {
    state: Mutex<State>,
    silence: Notify,
}

#[derive(Default)]
struct State {
    is_shared: bool,
    is_away: bool,
    /// After so many COMMITs the next ends like this.
    ending: Option<(u32, Ending)>,
    /// After so many questions the next is not answered.
    silence: Option<u32>,
    strokes: u64,
}

impl Sky {
    pub(crate) fn new(is_shared: bool) -> Self {
        Self { state: Mutex::new(State { is_shared, ..State::default() }), ..Self::default() }
    }

    /// No node takes anything, or one does again. How it was before.
    pub(crate) fn set_away(&self, is_away: bool) -> bool {
        std::mem::replace(&mut self.lock().is_away, is_away)
    }

    pub(crate) fn end_like(&self, commits: u32, ending: Ending) {
        self.lock().ending = Some((commits, ending));
    }

    pub(crate) fn fall_silent(&self, questions: u32) {
        self.lock().silence = Some(questions);
    }

    /// From now on all is well.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        (state.is_away, state.ending, state.silence) = (false, None, None);
    }

    /// How often it struck.
    pub(crate) fn strokes(&self) -> u64 {
        self.lock().strokes
    }

    /// Whoever was not answered since this was called waits for ever: their process is dead.
    pub(crate) fn silence(&self) -> impl Future<Output = ()> {
        self.silence.notified()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Weather for Sky {
    fn asked(&self) -> Answer {
        let mut state = self.lock();
        if let Some(left) = &mut state.silence {
            if let Some(fewer) = left.checked_sub(1) {
                *left = fewer;
            } else {
                state.silence = None;
                state.strokes += 1;
                self.silence.notify_waiters();
                return Answer::Silent;
            }
        }
        if state.is_away { Answer::Lost } else { Answer::Answered }
    }

    fn ended(&self) -> Ending {
        let mut state = self.lock();
        if state.is_away {
            return Ending::Lost;
        }
        let Some((left, ending)) = state.ending else { return Ending::Answered };
        if let Some(fewer) = left.checked_sub(1) {
            state.ending = Some((fewer, ending));
            return Ending::Answered;
        }
        state.ending = None;
        state.strokes += 1;
        if matches!(ending, Ending::Silent { .. }) {
            self.silence.notify_waiters();
        }
        ending
    }

    fn is_shared(&self) -> bool {
        self.lock().is_shared
    }
}
