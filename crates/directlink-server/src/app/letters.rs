//! The Letter of Authorization of a connection, made anew from the facts whenever it is asked for:
//! the same facts give the same letter to the byte.

use super::{
    App, Context, Refusal, check_name,
    connections::{own, view as connection_view},
    write_tx,
};
use crate::{
    loa::{Demarcation, Letter},
    store::{
        AnyConnection, accounts, connections, inventory,
        journal::{self, Actor},
        outbox, sites,
    },
};
use directlink_model::{
    Fault,
    connection::{Connection, LETTER_VALID, Standing},
    fault::InventoryFault,
    ids::ConnectionId,
    location::Location,
    notice::{Notice, Occasion},
    view::ConnectionView,
};
use jiff::Timestamp;

/// What is known of a letter to whoever holds it.
pub(crate) struct Verified {
    pub(crate) connection: Connection,
    pub(crate) site: Option<Location>,
    pub(crate) standing: Standing,
    pub(crate) now: Timestamp,
}

/// A list of letters shows so many.
pub const LETTERS_MAX: usize = 100;

/// A letter that was issued, for the operator.
#[derive(Clone, Debug)]
pub struct LetterView {
    pub connection: ConnectionView,
    pub issued_at: Timestamp,
    pub valid_until: Timestamp,
    pub standing: Standing,
    /// Mails that carry it, or an earlier one of the connection.
    pub mailed: usize,
    pub last_mailed_at: Option<Timestamp>,
}

/// Where the customer's fibre shall end. `None`: at the router's own port.
async fn demarcation(
    db: &mut AnyConnection,
    id: ConnectionId,
) -> Result<Option<Demarcation>, Refusal> {
    let wired = inventory::of_connection(db, id).await?.and_then(|it| it.position);
    let Some(position) = wired else { return Ok(None) };
    let rooms = inventory::rooms(db).await?;
    let room = rooms.into_iter().find(|room| room.at == position.panel.room);
    let panels = inventory::panels(db).await?;
    let panel = panels.into_iter().find(|panel| panel.at == position.panel);
    Ok(room.zip(panel).map(|(room, panel)| Demarcation {
        data_centre: room.data_centre,
        room: room.at.room,
        panel: panel.at.panel,
        position: position.number,
        connector: panel.connector,
    }))
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
            (approval.port.clone(), approval.letter_at)
        };
        let demarcation = demarcation(&mut db, id).await?;
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
            demarcation,
            bandwidth,
            issued_at,
            valid_until: issued_at + LETTER_VALID,
            verify_at: token.map(|token| self.parts().links.verify(&token)),
        })
    }

    /// The letter once more by mail; `anew`: a new one, good from now on.
    pub async fn send_letter(
        &self,
        id: ConnectionId,
        anew: bool,
    ) -> Result<ConnectionView, Refusal> {
        let now = self.now();
        write_tx!(self, false, |tx| {
            let connection = connections::by_id(tx, id).await?;
            let mut connection = connection.ok_or(Fault::NoSuchConnection(id))?;
            connection.letter()?;
            let what = match anew {
                true => {
                    connection.renew_letter(now)?;
                    connections::update(tx, &connection).await?;
                    "letter renewed"
                }
                false if connection.is_overdue(now) => {
                    return Err(Fault::from(InventoryFault::LetterLapsed(id)).into());
                }
                false => "letter sent again",
            };
            let notice =
                Notice { occasion: Occasion::LetterIssued(id), to: connection.account, at: now };
            outbox::post(tx, notice, now).await?;
            journal::record(tx, (&Actor::Operator, now), id, what, "").await?;
            Ok(connection_view(connection))
        })
    }

    /// Those of connections that are gone too; the newest first.
    pub async fn letters(&self) -> Result<Vec<LetterView>, Refusal> {
        let now = self.now();
        let mut db = self.store().snapshot().await?;
        let all = connections::lettered(&mut db, LETTERS_MAX).await?;
        let mails = outbox::letters(&mut db).await?;
        let letter = |connection: Connection| {
            let approval = connection.approval.as_ref().filter(|_| connection.hosting.is_none())?;
            let sent = mails.get(&connection.id);
            Some(LetterView {
                issued_at: approval.letter_at,
                valid_until: approval.letter_until(),
                standing: connection.standing(now),
                mailed: sent.map_or(0, |(count, _)| *count),
                last_mailed_at: sent.and_then(|(_, last)| *last),
                connection: connection_view(connection),
            })
        };
        let mut letters: Vec<_> = all.into_iter().filter_map(letter).collect();
        letters.sort_by_key(|letter| std::cmp::Reverse(letter.issued_at));
        Ok(letters)
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
