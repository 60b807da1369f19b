//! From a request to a proven caller: reads the claim, finds the secret, checks it, counts what is wrong.
//!
//! The one place where `auth` (pure) meets the store. Time is the machine's own, never a lab's
//! virtual clock, which no client could follow.

use super::{Front, Incoming, Proven};
use crate::{
    auth::{AuthError, basic::Login, sigv4::Claim},
    store,
};
use directlink_model::account::{Caller, SecretKey};
use jiff::Timestamp;
use secrecy::ExposeSecret;

/// Why there is no caller: not proven, or we could not look.
#[derive(Debug)]
pub(super) enum Denied {
    Auth(AuthError),
    World(store::Error),
}

impl From<AuthError> for Denied {
    fn from(error: AuthError) -> Self {
        Self::Auth(error)
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
    match Login::read(&incoming.parts(), now) {
        Some(_) if !password_taken => Err(AuthError::PasswordNotTaken.into()),
        Some(login) => {
            let caller = by_password(front, &login?, now).await?;
            let _ = incoming.proven.set(Proven { account: caller.account, access_key: None });
            Ok(caller)
        }
        None => by_signature(front, incoming, now).await,
    }
}

async fn by_signature(
    front: &Front,
    incoming: &Incoming,
    now: Timestamp,
) -> Result<Caller, Denied> {
    let parts = incoming.parts();
    let claim = Claim::read(&parts, now)?;
    let key = claim.access_key();
    if front.lockout.is_locked(key, now) {
        return Err(AuthError::Locked.into());
    }
    let Some(credential) = front.app.credential(key).await?.filter(|c| c.usable) else {
        // The same work as for a key that exists, so that the time taken tells nothing.
        let _ = claim.check(&parts, &SecretKey::new(String::new()));
        return Err(AuthError::UnknownKey.into());
    };
    count(front, key, now, claim.check(&parts, &credential.secret))?;
    let account = credential.account;
    let _ = incoming.proven.set(Proven { account, access_key: Some(key.to_owned()) });
    Ok(Caller { account })
}

async fn by_password(front: &Front, login: &Login, now: Timestamp) -> Result<Caller, Denied> {
    if front.lockout.is_locked(&login.email, now) {
        return Err(AuthError::Locked.into());
    }
    let account = front.app.login(&login.email, login.password.expose_secret()).await?;
    let account = count(front, &login.email, now, account.ok_or(AuthError::WrongPassword))?;
    Ok(Caller { account })
}

fn count<T>(
    front: &Front,
    credential: &str,
    now: Timestamp,
    checked: Result<T, AuthError>,
) -> Result<T, AuthError> {
    match &checked {
        Ok(_) => front.lockout.forgive(credential),
        Err(error) if error.is_wrong_secret() => front.lockout.count_wrong(credential, now),
        Err(_) => {}
    }
    checked
}
