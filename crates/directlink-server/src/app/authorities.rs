//! The Region's certificate authorities: which are trusted, which signs, and how one takes the place of another.

use super::{App, Contended, Refusal, write_tx};
use crate::{
    ca::{self, Authorities, Authority},
    store::{
        self, Store, Tx,
        authorities::{self, AuthorityRow},
        editions::Touched,
        hints::Hint,
        journal::{self, Actor},
    },
};
use directlink_model::authority::{AuthorityFault, may_retire, may_sign};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use std::{path::Path, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

/// Another server may have changed them: looked at so often.
const PACE: Duration = Duration::from_secs(3);

/// An authority, and how far routers are with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityView {
    /// SHA-256 of its certificate.
    pub id: String,
    pub subject: String,
    pub expires_at: Option<Timestamp>,
    pub added_at: Timestamp,
    pub signs: bool,
    /// Routers that have an identity: all, those that trust it, and those whose certificate it signed.
    pub routers: [usize; 3],
}

#[derive(Debug, Error)]
pub enum AuthorityRefusal {
    #[error(transparent)]
    Fault(#[from] AuthorityFault),
    #[error(transparent)]
    Error(#[from] store::Error),
}

impl Contended for AuthorityRefusal {
    fn is_contended(&self) -> bool {
        matches!(self, Self::Error(error) if error.is_contended())
    }
}

impl From<ca::Error> for AuthorityRefusal {
    fn from(error: ca::Error) -> Self {
        Self::Error(error.into())
    }
}

impl App {
    pub async fn authorities(&self) -> Result<Vec<AuthorityView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let rows = authorities::all(&mut db).await?;
        let routers = authorities::router_trusts(&mut db, self.machine_now()).await?;
        drop(db);
        let signer = signer(&rows).map(|row| row.id.clone());
        let view = |row: AuthorityRow| {
            let (subject, expires_at) = ca::described(&row.certificate);
            let trusting = routers.iter().filter(|router| router.trusts.contains(&row.id)).count();
            let by_it = |by: &Option<String>| by.as_deref() == Some(row.id.as_str());
            let certified = routers.iter().filter(|router| by_it(&router.certified_by)).count();
            AuthorityView {
                signs: signer.as_ref() == Some(&row.id),
                routers: [routers.len(), trusting, certified],
                id: row.id,
                subject,
                expires_at,
                added_at: row.added_at,
            }
        };
        Ok(rows.into_iter().map(view).collect())
    }

    /// Makes one, which is trusted from now on and signs nothing yet.
    pub async fn add_authority(&self) -> Result<String, AuthorityRefusal> {
        let now = self.machine_now();
        let made = Authority::make(now)?;
        let row = row_of(&made, now, None);
        write_tx!(self, false, AuthorityRefusal, |tx| {
            tx.touched = Touched::None;
            authorities::insert(tx, &row).await?;
            self.note(tx, &row.id, "authority added").await
        })?;
        self.changed().await?;
        Ok(row.id)
    }

    /// It signs from now on. `force`: although routers do not trust it yet.
    pub async fn use_authority(&self, id: &str, force: bool) -> Result<(), AuthorityRefusal> {
        let now = self.machine_now();
        let has_key = self.parts().authorities.has_key(id);
        write_tx!(self, false, AuthorityRefusal, |tx| {
            tx.touched = Touched::None;
            let rows = authorities::all(tx).await?;
            if !rows.iter().any(|row| row.id == id) {
                return Err(AuthorityFault::NoSuch(id.into()).into());
            }
            if !has_key {
                return Err(AuthorityFault::NoKey(id.into()).into());
            }
            if !force {
                may_sign(id, &authorities::router_trusts(tx, now).await?)?;
            }
            authorities::signs(tx, id, now).await?;
            self.note(tx, id, "authority signs").await
        })?;
        self.changed().await
    }

    /// It is trusted no more. `force`: although routers' certificates are signed by it.
    pub async fn retire_authority(&self, id: &str, force: bool) -> Result<(), AuthorityRefusal> {
        let now = self.machine_now();
        write_tx!(self, false, AuthorityRefusal, |tx| {
            tx.touched = Touched::None;
            let rows = authorities::all(tx).await?;
            if !rows.iter().any(|row| row.id == id) {
                return Err(AuthorityFault::NoSuch(id.into()).into());
            }
            let signer = signer(&rows).map(|row| row.id.as_str()).unwrap_or_default();
            let routers = match force {
                true => vec![],
                false => authorities::router_trusts(tx, now).await?,
            };
            may_retire(id, signer, &routers)?;
            authorities::retire(tx, id).await?;
            self.note(tx, id, "authority retired").await
        })?;
        self.changed().await
    }

    async fn note(&self, tx: &mut Tx, id: &str, what: &str) -> Result<(), AuthorityRefusal> {
        Ok(journal::record(tx, (&Actor::Operator, self.now()), id, what, "").await?)
    }

    async fn changed(&self) -> Result<(), AuthorityRefusal> {
        self.look_at_authorities().await?;
        self.store().hints().tell(Hint::All);
        Ok(())
    }

    /// What the store says, from now on.
    pub(crate) async fn look_at_authorities(&self) -> Result<(), store::Error> {
        let rows = authorities::all(&mut *self.store().reader().await?).await?;
        self.parts().authorities.become_as(&rows).map_err(store::Error::from)
    }

    /// Whom the router's agent says that it trusts.
    pub(crate) async fn router_trusts(
        &self,
        router: &directlink_model::ids::RouterName,
        ids: &[String],
    ) -> Result<(), store::Error> {
        let known = authorities::trust_of(&mut *self.store().reader().await?, router).await?;
        if known == ids {
            return Ok(());
        }
        write_tx!(self, false, store::Error, |tx| {
            tx.touched = Touched::None;
            authorities::put_trust(tx, router, ids).await
        })
    }
}

/// The one that signs.
pub(crate) fn signer(rows: &[AuthorityRow]) -> Option<&AuthorityRow> {
    rows.iter().filter(|row| row.signs_from.is_some()).max_by_key(|row| row.signs_from)
}

/// Those of the store. Where it has none: `own`, or what an earlier version left in `dir`, or a new one.
pub(crate) async fn load(
    store: &Store,
    dir: &Path,
    own: Option<Authority>,
    now: Timestamp,
) -> Result<Authorities, store::Error> {
    let own = own.map(Arc::new);
    let mut attempt = 1;
    let rows = loop {
        let mut tx = store.begin_again(attempt).await?;
        tx.touched = Touched::None;
        let found = match settle(&mut tx, dir, own.as_deref(), now).await {
            Ok(rows) => tx.commit().await.map(|()| rows),
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        };
        match found {
            Err(error) if error.can_be_done_again() && attempt < 8 => attempt += 1,
            found => break found?,
        }
    };
    Ok(Authorities::new(&rows, own)?)
}

async fn settle(
    tx: &mut Tx,
    dir: &Path,
    own: Option<&Authority>,
    now: Timestamp,
) -> Result<Vec<AuthorityRow>, store::Error> {
    let rows = authorities::all(tx).await?;
    if rows.is_empty() {
        // What an earlier version left is what its routers trust.
        let left = Authority::left_in(dir)?;
        let is_left = left.is_some();
        let first = match (left, own) {
            (Some(left), _) => row_of(&left, now, Some(now)),
            (None, Some(own)) => AuthorityRow { key: None, ..row_of(own, now, Some(now)) },
            (None, None) => row_of(&Authority::make(now)?, now, Some(now)),
        };
        authorities::insert(tx, &first).await?;
        if is_left {
            authorities::adopt(tx, &first.id).await?;
        }
    }
    let rows = authorities::all(tx).await?;
    match own {
        Some(own) if rows.iter().all(|row| row.id != own.id) => {
            authorities::insert(tx, &AuthorityRow { key: None, ..row_of(own, now, None) }).await?;
            authorities::all(tx).await
        }
        _ => Ok(rows),
    }
}

pub(super) fn row_of(
    authority: &Authority,
    now: Timestamp,
    signs_from: Option<Timestamp>,
) -> AuthorityRow {
    AuthorityRow {
        id: authority.id.clone(),
        certificate: authority.pem().to_owned(),
        key: authority.key_pem().map(|key| key.expose_secret().into()),
        added_at: now,
        signs_from,
    }
}

/// Follows what other servers on the same database do. Until dropped.
pub(crate) async fn run(app: App) {
    if !app.parts().store.is_shared() {
        return;
    }
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        let looked = app.parts().store.in_time(app.look_at_authorities()).await;
        if let Err(error) = looked {
            error!(error = &error as &dyn std::error::Error, "cannot look at authorities");
        }
    }
}
