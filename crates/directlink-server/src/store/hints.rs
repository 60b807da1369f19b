//! What servers on one database tell each other: that something has changed, and nothing of what. LISTEN and NOTIFY.
//!
//! ```text
//!   a commit ──► tell: a set that is small ──► NOTIFY, outside of any transaction        (the same hint is told once)
//!                                                 │
//!   another server: LISTEN ──► woken ◄────────────┘       silent for two seconds: asked whether it still lives;
//!                                                         found anew: whoever waits is woken, for some was missed
//! ```
//!
//! A NOTIFY within a transaction would make all COMMITs wait for each other. A hint that is lost costs the time until
//! somebody looks without one. As the one connection that always waits for something, the listener is the first to see
//! that a node is gone: then all connections are in doubt.

use super::{postgres::Postgres, primary};
use directlink_model::ids::RouterName;
use sqlx::{AnyConnection, postgres::PgListener};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, broadcast, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};
use uuid::Uuid;

const CHANNEL: &str = "directlink";
const NOTIFY: &str = "SELECT pg_notify('directlink', $1)";
/// So long may a listener hear nothing before it asks.
const SILENCE: Duration = Duration::from_secs(2);
/// Hints that come at once share a NOTIFY.
const GATHER: Duration = Duration::from_millis(2);
const HEARD_MAX: usize = 256;

/// What may be worth a look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hint {
    /// Something, for those who show it.
    Changed,
    /// A document of this router.
    Plan(RouterName),
    /// Anything: some hints were missed.
    All,
}

impl Hint {
    fn text(&self) -> String {
        match self {
            Self::Changed => "changed".into(),
            Self::Plan(router) => format!("plan {router}"),
            Self::All => "all".into(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            None if text == "changed" => Some(Self::Changed),
            None if text == "all" => Some(Self::All),
            Some(("plan", router)) => router.parse().ok().map(Self::Plan),
            _ => None,
        }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Hints {
    waiting: Arc<Waiting>,
    heard: broadcast::Sender<Hint>,
    /// Empty: nobody else is there to be told.
    tasks: Arc<[JoinHandle<()>]>,
}

#[derive(Default)]
struct Waiting {
    hints: Mutex<BTreeSet<Hint>>,
    some: Notify,
}

impl Hints {
    /// Of a database that one server alone has.
    pub(super) fn unheard() -> Self {
        let heard = broadcast::Sender::new(1);
        Self { waiting: Arc::default(), heard, tasks: Arc::new([]) }
    }

    pub(super) fn exchanged(postgres: &Postgres, changes: &watch::Sender<()>) -> Self {
        let (waiting, heard) = (Arc::<Waiting>::default(), broadcast::Sender::new(HEARD_MAX));
        let own = Uuid::now_v7().simple().to_string();
        let tell = tokio::spawn(tell(postgres.clone(), Arc::clone(&waiting), own.clone()));
        let listen = listen(postgres.clone(), (changes.clone(), heard.clone()), own);
        Self { waiting, heard, tasks: Arc::new([tell, tokio::spawn(listen)]) }
    }

    /// To other servers. Never waits.
    pub(crate) fn tell(&self, hint: Hint) {
        if self.tasks.is_empty() {
            return;
        }
        self.waiting.hints.lock().unwrap_or_else(PoisonError::into_inner).insert(hint);
        self.waiting.some.notify_one();
    }

    /// What other servers tell from now on.
    pub(crate) fn heard(&self) -> broadcast::Receiver<Hint> {
        self.heard.subscribe()
    }

    pub(super) fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn tell(postgres: Postgres, waiting: Arc<Waiting>, own: String) {
    loop {
        waiting.some.notified().await;
        sleep(GATHER).await;
        let hints =
            std::mem::take(&mut *waiting.hints.lock().unwrap_or_else(PoisonError::into_inner));
        let Ok(mut db) = postgres.readers.lend().await else { continue };
        for hint in hints {
            if notify(&mut db, &own, &hint).await.is_err() {
                break;
            }
        }
    }
}

async fn notify(db: &mut AnyConnection, own: &str, hint: &Hint) -> Result<(), super::Error> {
    let told = sqlx::query(NOTIFY).bind(format!("{own} {}", hint.text())).execute(db);
    primary::within(told).await.map(drop)
}

async fn listen(
    postgres: Postgres,
    (changes, heard): (watch::Sender<()>, broadcast::Sender<Hint>),
    own: String,
) {
    let tell = |hint: Hint| {
        changes.send_replace(());
        // Nobody may listen.
        let _ = heard.send(hint);
    };
    let mut is_first = true;
    loop {
        match postgres.primary.listen(CHANNEL).await {
            Ok(mut listener) => {
                if !is_first {
                    info!("the database is there again");
                    tell(Hint::All);
                }
                is_first = false;
                while let Some(heard) = next(&mut listener).await {
                    let (from, hint) = heard.split_once(' ').unwrap_or_default();
                    if let Some(hint) = Hint::read(hint).filter(|_| from != own) {
                        tell(hint);
                    }
                }
                primary::doubt();
                warn!("the database is gone, or takes no writes");
            }
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "no database takes writes");
            }
        }
    }
}

/// What is told next; `None`: nobody is there any more.
async fn next(listener: &mut PgListener) -> Option<String> {
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(told))) => return Some(told.payload().to_owned()),
            Ok(Ok(None) | Err(_)) => return None,
            Err(_) if primary::listens_at_primary(listener).await => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_read_as_they_are_told() {
        for hint in [Hint::Changed, Hint::Plan("par1-r1".parse().unwrap()), Hint::All] {
            assert_eq!(Hint::read(&hint.text()), Some(hint));
        }
        for strange in ["", "plan", "plan /", "changed x", "x"] {
            assert_eq!(Hint::read(strange), None, "{strange}");
        }
    }
}
