//! What may come between an act and its database, for whoever has a word in it: a simulation. A real database has its
//! own weather, and nobody is asked.
//!
//! ```text
//!   begin, read ──► asked ──► Answered · Lost · Silent
//!   COMMIT ───────► ended ──► Answered · Lost (not kept) · Unknown (kept, or not) · Silent (kept, or not)
//! ```
//!
//! These are the ways in which an act on a cluster can go; whoever acts sees the very errors that a node's death, a
//! failover, or a COMMIT without an answer makes. Silence is for ever: it ends with whoever waits in it.

use super::{Error, Tx};
use std::{future::pending, sync::Arc};

/// Decides how each act goes.
pub trait Weather: Send + Sync + 'static {
    /// Something is begun, or read.
    fn asked(&self) -> Answer;
    /// A COMMIT is sent.
    fn ended(&self) -> Ending;
    /// Other servers write to it as well.
    fn is_shared(&self) -> bool;
}

/// How a question goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Answered,
    /// No node takes it.
    Lost,
    Silent,
}

/// How a COMMIT goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Answered,
    /// The node died before it kept anything, and somebody else was found to say so.
    Lost,
    /// Nobody was found who knows.
    Unknown {
        kept: bool,
    },
    Silent {
        kept: bool,
    },
}

/// `None`: that of a real database.
pub(super) type Sky = Option<Arc<dyn Weather>>;

pub(super) fn is_shared(sky: &Sky) -> bool {
    sky.as_ref().is_some_and(|weather| weather.is_shared())
}

/// Before anything is begun or read.
pub(super) async fn ask(sky: &Sky) -> Result<(), Error> {
    match sky.as_ref().map_or(Answer::Answered, |weather| weather.asked()) {
        Answer::Answered => Ok(()),
        Answer::Lost => Err(lost()),
        Answer::Silent => pending().await,
    }
}

/// A COMMIT, as the weather is.
pub(super) async fn commit(weather: &dyn Weather, tx: Tx) -> Result<(), Error> {
    let ending = weather.ended();
    match ending {
        Ending::Answered | Ending::Unknown { kept: true } | Ending::Silent { kept: true } => {
            tx.keep().await?;
        }
        Ending::Lost | Ending::Unknown { kept: false } | Ending::Silent { kept: false } => {
            tx.rollback().await;
        }
    }
    match ending {
        Ending::Answered => Ok(()),
        Ending::Lost => Err(lost()),
        Ending::Unknown { .. } => Err(Error::Unknown),
        Ending::Silent { .. } => pending().await,
    }
}

fn lost() -> Error {
    Error::Lost(sqlx::Error::WorkerCrashed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, sites, testing};
    use std::sync::Mutex;

    /// The next COMMIT goes like this; all else is answered.
    struct Next(Mutex<Ending>);

    impl Weather for Next {
        fn asked(&self) -> Answer {
            Answer::Answered
        }

        fn ended(&self) -> Ending {
            *self.0.lock().unwrap()
        }

        fn is_shared(&self) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn an_act_is_kept_or_not_as_the_weather_says_whatever_its_caller_hears() {
        let dir = tempfile::tempdir().unwrap();
        let next = Arc::new(Next(Mutex::new(Ending::Answered)));
        let store = Store::open(&testing::file(dir.path())).await.unwrap().in_weather(next.clone());
        assert!(store.is_shared());
        let before = "as before";
        for (ending, hears, is_kept) in [
            (Ending::Answered, "Ok(())", true),
            (Ending::Lost, "Err(Lost(WorkerCrashed))", false),
            (Ending::Unknown { kept: true }, "Err(Unknown)", true),
            (Ending::Unknown { kept: false }, "Err(Unknown)", false),
        ] {
            *next.0.lock().unwrap() = Ending::Answered;
            let mut tx = store.begin().await.unwrap();
            sites::set(&mut tx, "name", before.into()).await.unwrap();
            tx.commit().await.unwrap();
            *next.0.lock().unwrap() = ending;
            let mut tx = store.begin().await.unwrap();
            sites::set(&mut tx, "name", "another".into()).await.unwrap();
            assert_eq!(format!("{:?}", tx.commit().await), hears);
            let kept = sites::setting(&mut store.reader().await.unwrap(), "name").await.unwrap();
            assert_eq!(kept.unwrap() != before, is_kept, "{ending:?}");
        }
    }
}
