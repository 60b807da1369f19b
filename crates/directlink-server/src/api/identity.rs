//! From a request to a proven caller: reads the claim, finds the secret, checks it, counts what is wrong.
//!
//! ```text
//!   address has calls left? ─► proven? ── yes ─► account has calls left? ─► the action
//!            503                  no: costs the address a call                 503
//! ```
//!
//! The one place where `auth` (pure) meets the store. Time is the machine's own, never a lab's
//! virtual clock, which no client could follow.

use super::{Front, Incoming, Proven, guard::Standing, remote::neighbourhood};
use crate::{
    auth::{AuthError, basic::Login, sigv4::Claim},
    store,
    throttle::TooFast,
};
use directlink_model::account::{Caller, SecretKey};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use std::net::{IpAddr, Ipv6Addr};

/// Why there is no caller: not proven, too often, or we could not look.
#[derive(Debug)]
pub(super) enum Denied {
    Auth(AuthError),
    TooFast(TooFast),
    World(store::Error),
}

impl From<AuthError> for Denied {
    fn from(error: AuthError) -> Self {
        Self::Auth(error)
    }
}

impl From<TooFast> for Denied {
    fn from(too_fast: TooFast) -> Self {
        Self::TooFast(too_fast)
    }
}

impl From<store::Error> for Denied {
    fn from(error: store::Error) -> Self {
        Self::World(error)
    }
}

/// `password_taken`: the action may also be called with login and password.
pub(super) async fn caller(
    front: &Front,
    incoming: &Incoming,
    password_taken: bool,
) -> Result<Caller, Denied> {
    let now = front.app.machine_now();
    let address = address(incoming);
    let caller = match Login::read(&incoming.parts(), now) {
        Some(login) => {
            // Right or wrong, a password costs: counted before the work, so that many at once wait.
            front.guard.addresses.spend(address, now)?;
            let login = if password_taken { login } else { Err(AuthError::PasswordNotTaken) };
            let caller = by_password(front, &login?, now).await?;
            let _ = incoming.proven.set(Proven { account: caller.account, access_key: None });
            caller
        }
        None => {
            front.guard.addresses.room(address, now)?;
            let proven = by_signature(front, incoming, now).await;
            if let Err(Denied::Auth(_)) = &proven {
                // It is refused already; whether there was room for it is for the next to know.
                let _ = front.guard.addresses.spend(address, now);
            }
            proven?
        }
    };
    front.accounts.spend(caller.account, now)?;
    Ok(caller)
}

/// Anybody may call, but not as often as they like.
pub(super) fn anybody(front: &Front, incoming: &Incoming) -> Result<(), Denied> {
    Ok(front.guard.addresses.spend(address(incoming), front.app.machine_now())?)
}

fn address(incoming: &Incoming) -> IpAddr {
    incoming.remote.map_or_else(|| Ipv6Addr::UNSPECIFIED.into(), neighbourhood)
}

async fn by_signature(
    front: &Front,
    incoming: &Incoming,
    now: Timestamp,
) -> Result<Caller, Denied> {
    let parts = incoming.parts();
    let claim = Claim::read(&parts, now)?;
    let key = claim.access_key();
    let standing = front.guard.standing(&front.app, key, now).await?;
    if standing.is_locked {
        return Err(AuthError::Locked.into());
    }
    let Some(credential) = front.app.credential(key).await?.filter(|c| c.usable) else {
        // The same work as for a key that exists, so that the time taken tells nothing.
        let _ = claim.check(&parts, &SecretKey::new(String::new()));
        return Err(AuthError::UnknownKey.into());
    };
    count(front, (key, standing), now, claim.check(&parts, &credential.secret)).await?;
    let account = credential.account;
    let _ = incoming.proven.set(Proven { account, access_key: Some(key.to_owned()) });
    Ok(Caller { account })
}

async fn by_password(front: &Front, login: &Login, now: Timestamp) -> Result<Caller, Denied> {
    let standing = front.guard.standing(&front.app, &login.email, now).await?;
    if standing.is_locked {
        return Err(AuthError::Locked.into());
    }
    let account = front.app.login(&login.email, login.password.expose_secret()).await?;
    let account = account.ok_or(AuthError::WrongPassword);
    let account = count(front, (&login.email, standing), now, account).await?;
    Ok(Caller { account })
}

async fn count<T>(
    front: &Front,
    (credential, standing): (&str, Standing),
    now: Timestamp,
    checked: Result<T, AuthError>,
) -> Result<T, Denied> {
    let (app, guard) = (&front.app, &front.guard);
    match &checked {
        Ok(_) => guard.forgive(app, credential, standing).await?,
        Err(error) if error.is_wrong_secret() => guard.count_wrong(app, credential, now).await?,
        Err(_) => {}
    }
    Ok(checked?)
}
