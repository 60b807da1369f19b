//! The Letter of Authorization of a connection, made anew from the facts whenever it is asked for:
//! the same facts give the same letter to the byte.

use super::{App, Context, Refusal, check_name, connections::own};
use crate::{
    loa::Letter,
    store::{accounts, sites},
};
use directlink_model::{
    Fault,
    connection::{Connection, LETTER_VALID},
    ids::ConnectionId,
};

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
        })
    }
}
