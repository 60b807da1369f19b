//! What slows down those who guess or hurry: in memory where a server is alone, in the store where several share it.
//!
//! ```text
//!   wrong secrets   counted at once, for all servers
//!   calls           counted by each server, told to the others once a second by whoever calls much:
//!                   a burst on several servers at once may be longer by what they grant within that second
//! ```

use super::{AccountId, App, Arc, IpAddr};
use crate::{
    app::write_tx,
    auth::lockout::{Lockout, Wrong},
    store::{Error, editions::Touched, guards},
    throttle::Throttle,
};
use jiff::Timestamp;
use std::{fmt::Display, hash::Hash, time::Duration};
use tracing::error;

/// Shared by every door that customers have. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Guard {
    lockout: Arc<Lockout>,
    /// Calls from each address that nobody has proved to be behind.
    pub(crate) addresses: Arc<Throttle<IpAddr>>,
    pub(crate) trusted_proxies: Arc<[IpAddr]>,
}

/// What is counted of a credential.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) is_locked: bool,
    /// There is something to forgive.
    has_wrong: bool,
}

impl Guard {
    pub(super) fn new(addresses: Throttle<IpAddr>, trusted_proxies: Vec<IpAddr>) -> Self {
        let (lockout, addresses) = (Arc::default(), Arc::new(addresses));
        Self { lockout, addresses, trusted_proxies: trusted_proxies.into() }
    }

    pub(crate) async fn standing(
        &self,
        app: &App,
        credential: &str,
        now: Timestamp,
    ) -> Result<Standing, Error> {
        if !app.parts().store.is_shared() {
            let is_locked = self.lockout.is_locked(credential, now);
            return Ok(Standing { is_locked, has_wrong: true });
        }
        let store = &app.parts().store;
        let read = async { guards::wrong(&mut *store.reader().await?, credential).await };
        let wrong = store.read_in_time(read).await??;
        let is_locked = wrong.is_some_and(|wrong| wrong.is_locked(now));
        Ok(Standing { is_locked, has_wrong: wrong.is_some() })
    }

    pub(crate) async fn count_wrong(
        &self,
        app: &App,
        credential: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        if !app.parts().store.is_shared() {
            self.lockout.count_wrong(credential, now);
            return Ok(());
        }
        write_tx!(app, false, Error, |tx| {
            tx.touched = Touched::None;
            let wrong: Wrong = guards::wrong(tx, credential).await?.unwrap_or_default();
            guards::put_wrong(tx, credential, wrong.and_again(now), now).await
        })
    }

    pub(crate) async fn forgive(
        &self,
        app: &App,
        credential: &str,
        standing: Standing,
    ) -> Result<(), Error> {
        if !app.parts().store.is_shared() {
            self.lockout.forgive(credential);
            return Ok(());
        }
        if !standing.has_wrong {
            return Ok(());
        }
        write_tx!(app, false, Error, |tx| {
            tx.touched = Touched::None;
            guards::forgive(tx, credential).await
        })
    }
}

/// Tells other servers who has called much, and hears of it. Until the server stops.
pub(super) async fn share_calls(
    app: App,
    accounts: Arc<Throttle<AccountId>>,
    addresses: Arc<Throttle<IpAddr>>,
) {
    const PACE: Duration = Duration::from_secs(1);
    let mut stop = app.parts().stop.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(PACE) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let shared = share(&app, "account", &accounts).await;
        let shared = shared.and(share(&app, "address", &addresses).await);
        if let Err(error) = shared {
            error!(error = &error as &dyn std::error::Error, "cannot tell other servers of calls");
        }
    }
}

pub(super) async fn share<K: Display + Clone + Eq + Hash + Ord>(
    app: &App,
    kind: &str,
    throttle: &Throttle<K>,
) -> Result<(), Error> {
    let now = app.machine_now();
    let spent = throttle.take_spent(now);
    if spent.is_empty() {
        return Ok(());
    }
    let full_at = write_tx!(app, false, Error, |tx| {
        tx.touched = Touched::None;
        let mut full_at = Vec::with_capacity(spent.len());
        for (who, spent) in &spent {
            full_at.push(guards::spend(tx, &format!("{kind} {who}"), *spent, now).await?);
        }
        Ok(full_at)
    })?;
    spent.into_iter().zip(full_at).for_each(|((who, _), at)| throttle.learn(who, at, now));
    Ok(())
}
