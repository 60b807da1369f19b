//! What happened, when, by whom and why: read from the journal that every command writes.

use super::{App, Context, Refusal, interfaces::visible};
pub use crate::store::journal::Event;
use crate::store::{connections, journal};
use directlink_model::{
    Fault,
    ids::{ConnectionId, InterfaceId},
};
use jiff::Timestamp;

/// So much of a history is shown at once.
pub const EVENTS_MAX: usize = 100;

impl App {
    /// Of one's own connection, also of one that is deleted; the newest first.
    pub async fn connection_history(
        &self,
        ctx: &Context,
        id: ConnectionId,
    ) -> Result<Vec<Event>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let connection = connections::by_id(&mut db, id).await?;
        match connection.is_some_and(|c| c.account == ctx.caller.account) {
            true => Ok(journal::of_subject(&mut db, id, Timestamp::MAX, EVENTS_MAX).await?),
            false => Err(Fault::NoSuchConnection(id).into()),
        }
    }

    /// Of an interface that the caller may see; the newest first.
    pub async fn interface_history(
        &self,
        ctx: &Context,
        id: InterfaceId,
    ) -> Result<Vec<Event>, Refusal> {
        let mut db = self.store().snapshot().await?;
        visible(&mut db, ctx, id).await?;
        Ok(journal::of_subject(&mut db, id, Timestamp::MAX, EVENTS_MAX).await?)
    }

    /// Of the whole Region, or of one subject, before a moment; for the operator.
    pub async fn audit_trail(
        &self,
        subject: Option<&str>,
        before: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let mut db = self.store().reader().await?;
        Ok(match subject {
            Some(subject) => journal::of_subject(&mut db, subject, before, EVENTS_MAX).await?,
            None => journal::latest(&mut db, before, EVENTS_MAX).await?,
        })
    }
}
