//! Who is a router: tokens by which one comes to its first certificate, the next ones, and the end of all of them.
//!
//! A token's time is the Region's. A certificate's is the machine's, as who checks it has no other.

use super::{App, Contended, Refusal, write_tx};
use crate::{
    ca::{self, Certified, SigningRequest},
    store::{
        self, Tx, certificates,
        editions::Touched,
        hints::Hint,
        journal::{self, Actor},
        sites,
    },
};
use directlink_model::{
    Fault,
    enrolment::{Enrolment, Token, TokenFault, Validity},
    ids::RouterName,
};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use thiserror::Error;

/// A token is good for so long at least and at most.
const TOKEN_LIFE: [SignedDuration; 2] =
    [SignedDuration::from_mins(1), SignedDuration::from_hours(7 * 24)];

/// A token that was made: shown this once.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub token: Token,
    pub expires_at: Timestamp,
}

/// What a router has to show for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertificateView {
    /// When its newest good certificate was made; `None`: it has none.
    pub issued_at: Option<Timestamp>,
    /// `None`: it has none, or one that has no end.
    pub expires_at: Option<Timestamp>,
    /// A token for it is good until then.
    pub token_until: Option<Timestamp>,
}

/// What a router is given.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) certificate_pem: String,
    pub(crate) ca_pem: String,
}

/// Why it is given no certificate.
#[derive(Debug, Error)]
pub(crate) enum Uncertified {
    #[error(transparent)]
    Token(#[from] TokenFault),
    #[error("this certificate is no router's, or no longer")]
    Stranger,
    #[error(transparent)]
    Error(#[from] store::Error),
}

impl Contended for Uncertified {
    fn is_contended(&self) -> bool {
        matches!(self, Self::Error(error) if error.is_contended())
    }
}

impl App {
    /// A token by which the router may come to a certificate, once. One that it had before is worth nothing any more; a
    /// certificate that it has is good until the token is used.
    pub async fn enrol_router(
        &self,
        router: &RouterName,
        good_for: SignedDuration,
    ) -> Result<NewToken, Refusal> {
        let [least, most] = TOKEN_LIFE;
        if !(least..=most).contains(&good_for) {
            return Err(bad_life(good_for).into());
        }
        let now = self.now();
        let secret = hex::encode(rand::random::<[u8; 32]>());
        let authority = self.parts().authorities.now().signer.id.clone();
        let Ok(token) = Token::new(router.clone(), &secret, &authority) else {
            unreachable!("both are 256 bits in hexadecimal");
        };
        let enrolment = Enrolment {
            router: router.clone(),
            created_at: now,
            expires_at: now + good_for,
            used_by: None,
        };
        write_tx!(self, false, |tx| {
            tx.touched = Touched::None;
            must_be_there(tx, router).await?;
            certificates::enrol(tx, &enrolment, &hash(&secret)).await?;
            let what = "router enrolment begun";
            Ok(journal::record(tx, (&Actor::Operator, now), router, what, "").await?)
        })?;
        Ok(NewToken { token, expires_at: enrolment.expires_at })
    }

    /// The router's token is worth nothing any more.
    pub async fn cancel_enrolment(&self, router: &RouterName) -> Result<(), Refusal> {
        let now = self.now();
        write_tx!(self, false, |tx| {
            tx.touched = Touched::None;
            must_be_there(tx, router).await?;
            certificates::cancel(tx, router).await?;
            let what = "router enrolment cancelled";
            Ok(journal::record(tx, (&Actor::Operator, now), router, what, "").await?)
        })
    }

    /// Whoever has a certificate of the router's, or a token, is a stranger from now on, to all servers; its streams are
    /// cut. What it forwards it goes on to forward.
    pub async fn revoke_router(&self, router: &RouterName) -> Result<(), Refusal> {
        let now = self.now();
        write_tx!(self, false, |tx| {
            tx.touched = Touched::None;
            must_be_there(tx, router).await?;
            certificates::revoke(tx, router, self.machine_now()).await?;
            certificates::cancel(tx, router).await?;
            let what = "router identity revoked";
            Ok(journal::record(tx, (&Actor::Operator, now), router, what, "").await?)
        })?;
        self.look_at_stream(router);
        Ok(())
    }

    /// A certificate for who has the router's token. Those that were made for the router before are worth nothing then.
    pub(crate) async fn certify_by_token(
        &self,
        router: &RouterName,
        secret: &str,
        request: &SigningRequest,
    ) -> Result<Issued, Uncertified> {
        let now = self.now();
        let (certified, ca_pem) = self.certified(router, request)?;
        let key = &request.key_fingerprint;
        write_tx!(self, false, Uncertified, |tx| {
            tx.touched = Touched::None;
            let found = certificates::by_secret(tx, &hash(secret)).await?;
            let enrolment = found.filter(|it| it.router == *router).ok_or(TokenFault::Unknown)?;
            enrolment.admits(key, now)?;
            certificates::use_up(tx, router, key).await?;
            certificates::revoke(tx, router, self.machine_now()).await?;
            keep(tx, router, &certified).await?;
            let who = Actor::Router(router.clone());
            Ok(journal::record(tx, (&who, now), router, "router enrolled", "").await?)
        })?;
        self.look_at_stream(router);
        Ok(Issued { certificate_pem: certified.certificate_pem, ca_pem })
    }

    /// The next certificate for who shows a good one. That one is good until it runs out: what was made may not arrive.
    pub(crate) async fn certify_again(
        &self,
        fingerprint: &str,
        request: &SigningRequest,
    ) -> Result<(RouterName, Issued), Uncertified> {
        let mut db = self.store().reader().await?;
        let found = certificates::holder(&mut db, fingerprint).await?;
        drop(db);
        let router = found.ok_or(Uncertified::Stranger)?.0.name;
        let (certified, ca_pem) = self.certified(&router, request)?;
        write_tx!(self, false, Uncertified, |tx| {
            tx.touched = Touched::None;
            // Looked at within the transaction: it may just have been revoked.
            if certificates::holder(tx, fingerprint).await?.is_none() {
                return Err(Uncertified::Stranger);
            }
            Ok(keep(tx, &router, &certified).await?)
        })?;
        Ok((router, Issued { certificate_pem: certified.certificate_pem, ca_pem }))
    }

    /// Of all routers that have any.
    pub(super) async fn certificate_views(
        &self,
        db: &mut store::AnyConnection,
    ) -> Result<BTreeMap<RouterName, CertificateView>, store::Error> {
        let now = self.now();
        let mut views: BTreeMap<RouterName, CertificateView> = BTreeMap::new();
        for standing in certificates::standings(db).await? {
            let view = views.entry(standing.router).or_default();
            view.issued_at = Some(standing.issued_at);
            view.expires_at = standing.expires_at;
        }
        for enrolment in certificates::enrolments(db).await? {
            if enrolment.is_open(now) {
                let view = views.entry(enrolment.router).or_default();
                view.token_until = Some(enrolment.expires_at);
            }
        }
        Ok(views)
    }

    /// For a certificate that is made now.
    pub(super) fn validity(&self) -> Validity {
        Validity::beginning(self.machine_now(), self.rules().router_certificate_life)
    }

    fn certified(
        &self,
        router: &RouterName,
        request: &SigningRequest,
    ) -> Result<(Certified, String), store::Error> {
        let trust = self.parts().authorities.now();
        let certified = trust.signer.certify(router, request, self.validity());
        Ok((certified.map_err(store::Error::from)?, trust.pem()))
    }

    /// Whoever has the router's stream, this server or another, looks whether it may go on.
    pub(super) fn look_at_stream(&self, router: &RouterName) {
        self.parts().agents.wake(router);
        self.store().hints().tell(Hint::Plan(router.clone()));
    }
}

/// From now on it is the router's.
pub(super) async fn keep(
    tx: &mut Tx,
    router: &RouterName,
    made: &Certified,
) -> Result<(), store::Error> {
    let Validity { from, until } = made.validity;
    certificates::insert(tx, router, (&made.fingerprint, &made.authority), (from, until)).await
}

async fn must_be_there(tx: &mut Tx, router: &RouterName) -> Result<(), Refusal> {
    let found = sites::router(tx, router).await?;
    found.map(drop).ok_or_else(|| Fault::NoSuchRouter(router.clone()).into())
}

fn bad_life(given: SignedDuration) -> Fault {
    Fault::BadValue {
        parameter: "good_for_seconds",
        given: given.as_secs().to_string(),
        expected: "a token is good for a minute to seven days".into(),
    }
}

/// Of 256 random bits, which nobody guesses: a slow hash would protect them no better.
fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

impl From<ca::Error> for Uncertified {
    fn from(error: ca::Error) -> Self {
        Self::Error(error.into())
    }
}
