//! What a mail says: read from the facts when it is sent, as its account may see them.

use super::{App, Refusal};
use crate::{
    loa,
    mail::words::{Attachment, Content, Words, letter_issued, order_refused},
    store::{self, accounts, outbox},
};
use directlink_model::{
    Fault,
    account::Caller,
    connection::Connection,
    ids::{AccountId, ConnectionId},
    notice::{Notice, Occasion},
};

/// A list of mails shows so many.
pub const MAILS_MAX: usize = 200;

/// A mail, and to whom it goes.
#[derive(Clone, Debug)]
pub struct MailView {
    pub mail: outbox::Mail,
    pub email: String,
}

impl App {
    /// The newest first.
    pub async fn mails(&self) -> Result<Vec<MailView>, Refusal> {
        let mut db = self.store().reader().await?;
        let rows = outbox::latest(&mut db, MAILS_MAX).await?;
        Ok(rows.into_iter().map(|(mail, email)| MailView { mail, email }).collect())
    }

    pub(crate) async fn address_of(&self, account: AccountId) -> Result<Option<String>, Refusal> {
        let mut db = self.store().reader().await?;
        Ok(accounts::by_id(&mut db, account).await?.map(|account| account.email))
    }

    /// What there is to say now: facts may have moved on since it was put down.
    pub(crate) async fn mail_content(&self, notice: Notice) -> Result<Content, Refusal> {
        let said = match notice.occasion {
            Occasion::LetterIssued(id) => self.letter_mail(notice.to, id).await,
            Occasion::OrderRefused(id) => self.refusal_mail(notice.to, id).await,
        };
        match said {
            Ok(words) => Ok(Content::Words(words)),
            Err(Refusal::Fault(fault)) => Ok(Content::Moot(fault.to_string())),
            Err(error) => Err(error),
        }
    }

    async fn refusal_mail(&self, to: AccountId, id: ConnectionId) -> Result<Words, Refusal> {
        let connection = self.connection_of(to, id).await?;
        let reason = connection.refused.as_ref().map(|refused| refused.reason.as_str());
        Ok(order_refused(&connection, reason.ok_or(Fault::NoSuchConnection(id))?))
    }

    async fn connection_of(&self, to: AccountId, id: ConnectionId) -> Result<Connection, Refusal> {
        let ctx = self.context(Caller { account: to }, false);
        let view = self.connections(&ctx, Some(&[id])).await?.pop();
        Ok(view.ok_or(Fault::NoSuchConnection(id))?.connection)
    }

    async fn letter_mail(&self, to: AccountId, id: ConnectionId) -> Result<Words, Refusal> {
        let ctx = self.context(Caller { account: to }, false);
        let letter = self.letter(&ctx, id, None).await?;
        if letter.valid_until <= ctx.now {
            let view = self.connections(&ctx, Some(&[id])).await?.pop();
            let state = view.ok_or(Fault::NoSuchConnection(id))?.state;
            return Err(Fault::NoLetter { id, state }.into());
        }
        let pdf = loa::page(&letter).map_err(|why| store::Error::Letter(why.to_string()))?;
        let attachment = Attachment { name: format!("loa-{id}.pdf"), bytes: pdf };
        Ok(Words { attachment: Some(attachment), ..letter_issued(&letter) })
    }
}
