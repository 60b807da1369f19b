//! What a mail says: read from the facts when it is sent, as its account may see them.

use super::{App, InterfaceFilter, Refusal};
use crate::{
    loa,
    mail::{
        maintenance_words::of_maintenance,
        words::{Attachment, Content, Words, letter_issued, of_connection, of_interface},
    },
    store::{self, accounts, outbox},
};
use directlink_model::{
    Fault,
    account::Caller,
    fault::MaintenanceFault,
    ids::{AccountId, ConnectionId, InterfaceId, MaintenanceId},
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
            Occasion::OrderRefused(id)
            | Occasion::LetterEnding(id)
            | Occasion::LetterLapsed(id)
            | Occasion::ConnectionAvailable(id)
            | Occasion::ConnectionDown(id) => self.connection_mail(notice, id).await,
            Occasion::InterfaceWaiting(id)
            | Occasion::InterfaceExpiring(id)
            | Occasion::InterfaceExpired(id) => self.interface_mail(notice, id).await,
            Occasion::MaintenancePlanned(id)
            | Occasion::MaintenanceMoved(id)
            | Occasion::MaintenanceSoon(id)
            | Occasion::MaintenanceBegun(id)
            | Occasion::MaintenanceEnded(id)
            | Occasion::MaintenanceCancelled(id) => self.maintenance_mail(notice, id).await,
        };
        match said {
            Err(Refusal::Fault(fault)) => Ok(Content::Moot(fault.to_string())),
            said => said,
        }
    }

    async fn connection_mail(&self, notice: Notice, id: ConnectionId) -> Result<Content, Refusal> {
        let ctx = self.context(Caller { account: notice.to }, false);
        let view = self.connections(&ctx, Some(&[id])).await?.pop();
        let view = view.ok_or(Fault::NoSuchConnection(id))?;
        Ok(of_connection(&view, notice))
    }

    async fn maintenance_mail(
        &self,
        notice: Notice,
        id: MaintenanceId,
    ) -> Result<Content, Refusal> {
        let ctx = self.context(Caller { account: notice.to }, false);
        let views = self.own_maintenances(&ctx).await?;
        let view = views.into_iter().find(|view| view.maintenance.id == id);
        Ok(of_maintenance(&view.ok_or(MaintenanceFault::NoSuch(id)).map_err(Fault::from)?, notice))
    }

    async fn interface_mail(&self, notice: Notice, id: InterfaceId) -> Result<Content, Refusal> {
        let ctx = self.context(Caller { account: notice.to }, false);
        let filter = InterfaceFilter { interfaces: Some(vec![id]), ..InterfaceFilter::default() };
        let view = self.interfaces(&ctx, &filter).await?.pop();
        Ok(of_interface(&view.ok_or(Fault::NoSuchInterface(id))?, notice))
    }

    async fn letter_mail(&self, to: AccountId, id: ConnectionId) -> Result<Content, Refusal> {
        let ctx = self.context(Caller { account: to }, false);
        let letter = self.letter(&ctx, id, None).await?;
        if letter.valid_until <= ctx.now {
            return Ok(Content::Moot("it has run out".into()));
        }
        let pdf = loa::page(&letter).map_err(|why| store::Error::Letter(why.to_string()))?;
        let attachment = Attachment { name: format!("loa-{id}.pdf"), bytes: pdf };
        Ok(Content::Words(Words { attachment: Some(attachment), ..letter_issued(&letter) }))
    }
}
