//! The Letter of Authorization of a connection, made anew from the facts whenever it is asked for:
//! the same facts give the same letter to the byte.

use super::{App, Context, Refusal, check_name, connections::own, write_tx};
use crate::{
    loa::Letter,
    store::{accounts, connections, sites},
};
use directlink_model::{
    Fault,
    connection::{Connection, LETTER_VALID, Standing},
    ids::ConnectionId,
    location::Location,
};
use jiff::Timestamp;

/// What is known of a letter to whoever holds it.
pub(crate) struct Verified {
    pub(crate) connection: Connection,
    pub(crate) site: Option<Location>,
    pub(crate) standing: Standing,
    pub(crate) now: Timestamp,
}

/// 160 bits that nobody guesses, in a form that a QR code holds well and a person can type.
pub(super) fn new_letter_token() -> String {
    hex::encode(rand::random::<[u8; TOKEN_BYTES]>())
}

const TOKEN_BYTES: usize = 20;

fn is_letter_token(text: &str) -> bool {
    text.len() == 2 * TOKEN_BYTES && text.bytes().all(|b| b.is_ascii_hexdigit())
}

impl App {
    /// What the letter says. `provider`: who makes the cross-connect for the customer.
    pub async fn letter(
        &self,
        ctx: &Context,
        id: ConnectionId,
        provider: Option<String>,
    ) -> Result<Letter, Refusal> {
        if let Some(name) = &provider {
            check_name("providerName", name)?;
        }
        let mut db = self.store().snapshot().await?;
        let connection = own(&mut db, ctx, id).await?;
        let (port, issued_at) = {
            let approval = connection.letter()?;
            (approval.port.clone(), approval.approved_at)
        };
        let token = connections::letter_token(&mut db, id).await?;
        let site = sites::location(&mut db, connection.location.as_str()).await?;
        let account = accounts::by_id(&mut db, connection.account).await?;
        let Connection { account: number, name, location, bandwidth, .. } = connection;
        let site = site.ok_or_else(|| Fault::NoSuchLocation(location.to_string()))?;
        Ok(Letter {
            region: self.region().name.clone(),
            account: number,
            email: account.map(|account| account.email),
            provider,
            connection: id,
            connection_name: name,
            location: site,
            port,
            bandwidth,
            issued_at,
            valid_until: issued_at + LETTER_VALID,
            verify_at: token.map(|token| self.parts().links.verify(&token)),
        })
    }

    /// What the letter with the token is worth. `None`: there is none.
    pub(crate) async fn verify_letter(&self, token: &str) -> Result<Option<Verified>, Refusal> {
        if !is_letter_token(token) {
            return Ok(None);
        }
        let now = self.now();
        let mut db = self.store().snapshot().await?;
        let Some(connection) = connections::with_letter(&mut db, token).await? else {
            return Ok(None);
        };
        let site = sites::location(&mut db, connection.location.as_str()).await?;
        let standing = connection.standing(now);
        Ok(Some(Verified { connection, site, standing, now }))
    }

    /// Gives their token to letters from before there were any.
    pub(crate) async fn complete_letters(&self) -> Result<(), Refusal> {
        let mut db = self.store().reader().await?;
        if connections::letters_without_token(&mut db).await?.is_empty() {
            return Ok(());
        }
        drop(db);
        write_tx!(self, false, |tx| {
            for id in connections::letters_without_token(tx).await? {
                connections::set_letter_token(tx, id, Some(&new_letter_token())).await?;
            }
            Ok(())
        })
    }
}
