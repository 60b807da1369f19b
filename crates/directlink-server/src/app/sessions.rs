//! Who is signed in to Cockpit: begun with a password or the operator's token, ended by signing out,
//! by a while without a request, or at the end of a working day.
//!
//! The browser holds a random key, the store its hash alone. Time is an argument: the machine's, not
//! a lab's virtual clock, which would sign everybody out as it jumps.

use super::{App, write_tx};
use crate::store::{self, sessions};
use directlink_model::ids::AccountId;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Nobody at the desk for so long: signed out.
pub(crate) const IDLE: SignedDuration = SignedDuration::from_mins(60);
/// However busy: sign in again.
pub(crate) const LONGEST: SignedDuration = SignedDuration::from_hours(12);
/// Not every request writes that there was one.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    Account(AccountId),
    Operator,
}

/// Which door a key opens. One of a customer is worth nothing at the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Customers,
    Operators,
}

/// A look at one's own screen counts as being there; a stream that runs by itself does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    ByHand,
    ByItself,
}

impl App {
    /// A new session; the key is for the browser alone.
    pub async fn begin_session(
        &self,
        visitor: Visitor,
        now: Timestamp,
    ) -> Result<SecretString, store::Error> {
        let key = SecretString::from(hex::encode(rand::random::<[u8; 32]>()));
        let (door, account) = match visitor {
            Visitor::Account(account) => (Door::Customers, Some(account)),
            Visitor::Operator => (Door::Operators, None),
        };
        let hash = self.session_hash(door, key.expose_secret());
        write_tx!(self, false, store::Error, |tx| {
            sessions::forget(tx, now - IDLE, now - LONGEST).await?;
            sessions::insert(tx, &hash, account, now).await
        })?;
        Ok(key)
    }

    /// Whose key it is, while the session lasts.
    pub async fn session(
        &self,
        (door, key): (Door, &str),
        look: Look,
        now: Timestamp,
    ) -> Result<Option<Visitor>, store::Error> {
        let hash = self.session_hash(door, key);
        let read = async { sessions::by_hash(&mut *self.store().reader().await?, &hash).await };
        let found = self.store().read_in_time(read).await??;
        let lasts = |row: &sessions::SessionRow| {
            now.duration_since(row.seen_at) < IDLE && now.duration_since(row.begun_at) < LONGEST
        };
        let Some(row) = found.filter(lasts) else { return Ok(None) };
        if look == Look::ByHand && now.duration_since(row.seen_at) >= SEEN_EVERY {
            write_tx!(self, false, store::Error, |tx| { sessions::see(tx, &hash, now).await })?;
        }
        Ok(Some(row.account.map_or(Visitor::Operator, Visitor::Account)))
    }

    pub async fn end_session(&self, door: Door, key: &str) -> Result<(), store::Error> {
        let hash = self.session_hash(door, key);
        write_tx!(self, false, store::Error, |tx| { sessions::delete(tx, &hash).await })
    }

    /// An operator's is bound to the token that it was begun with: another token ends them all.
    fn session_hash(&self, door: Door, key: &str) -> String {
        let mut hash = Sha256::new();
        match door {
            Door::Customers => hash.update(b"customer\0"),
            Door::Operators => {
                hash.update(b"operator\0");
                hash.update(self.parts().operator_token.expose_secret());
                hash.update(b"\0");
            }
        }
        hash.update(key);
        hex::encode(hash.finalize())
    }
}
