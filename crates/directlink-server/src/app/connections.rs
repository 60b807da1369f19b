//! Connections: order, read, delete.

use super::{
    App, Context, Refusal, check_name,
    lags::{leave as leave_lag, own as own_lag},
    wires::hosted_on,
    write_tx,
};
use crate::{
    reconcile::settle_lag,
    store::{
        self, AnyConnection, Tx, connections,
        interfaces::{self, GoneBefore},
        journal, plans, sites, tag_sets,
    },
};
use directlink_model::{
    Fault,
    command::{OrderConnection, RenameConnection},
    connection::{Bandwidth, Connection, ConnectionState},
    fault::Quota,
    ids::{AccountId, ConnectionId, LocationCode},
    view::ConnectionView,
};
use jiff::Timestamp;

/// So few are read one by one.
pub(super) const FEW: usize = 8;

impl App {
    /// A new order, in `requested`.
    pub async fn order_connection(
        &self,
        ctx: &Context,
        c: OrderConnection,
    ) -> Result<ConnectionView, Refusal> {
        check_name("DirectLinkName", &c.name)?;
        write_tx!(self, ctx.dry_run, |tx| {
            let account = ctx.caller.account;
            let Some(location) = sites::location(tx, &c.location).await? else {
                return Err(no_location(tx, &c).await?.into());
            };
            let count = connections::count_live(tx, account).await?;
            self.check_quota(tx, account, Quota::Connections, count + 1).await?;
            let what = (location.code, c.bandwidth);
            let mut connection = ordered((account, ctx.now), c.name.clone(), what);
            if let Some(lag) = c.lag {
                own_lag(tx, ctx, lag).await?.join(&mut connection)?;
            }
            connections::insert(tx, &connection).await?;
            tag_sets::insert(tx, account, connection.id.into(), &c.tags).await?;
            record(tx, ctx, connection.id, "connection ordered").await?;
            if let Some(lag) = c.lag {
                settle_lag(tx, lag, (&ctx.actor(), ctx.now)).await?;
            }
            Ok(view(connection))
        })
    }

    /// The caller's, in order of creation; `ids`: of these only, unknown ones left out.
    pub async fn connections(
        &self,
        ctx: &Context,
        ids: Option<&[ConnectionId]>,
    ) -> Result<Vec<ConnectionView>, Refusal> {
        let gone = self.gone_before(ctx.now);
        let mut db = self.store().reader().await?;
        let mut found = match ids {
            Some(ids) if ids.len() <= FEW => {
                let mut found = Vec::with_capacity(ids.len());
                for id in ids {
                    let one = connections::by_id(&mut db, *id).await?;
                    found.extend(one.filter(|c| is_there(c, ctx, gone)));
                }
                found.sort_by_key(|c| (c.requested_at, c.id));
                found.dedup_by_key(|c| c.id);
                found
            }
            _ => connections::of_account(&mut db, ctx.caller.account, gone).await?,
        };
        if let Some(ids) = ids {
            found.retain(|c| ids.contains(&c.id));
        }
        Ok(found.into_iter().map(|c| view(c.as_of(ctx.now))).collect())
    }

    /// Another name.
    pub async fn rename_connection(
        &self,
        ctx: &Context,
        c: RenameConnection,
    ) -> Result<ConnectionView, Refusal> {
        check_name("DirectLinkName", &c.name)?;
        write_tx!(self, ctx.dry_run, |tx| {
            let mut connection = own(tx, ctx, c.id).await?;
            connection.rename(c.name.clone())?;
            connections::update(tx, &connection).await?;
            record(tx, ctx, c.id, "connection renamed").await?;
            Ok(view(connection))
        })
    }

    /// Asks for deletion; the view shows `deleted` at once for an order that nobody approved yet,
    /// and `rejected` for an offer that its customer did not take yet.
    pub async fn delete_connection(
        &self,
        ctx: &Context,
        id: ConnectionId,
    ) -> Result<ConnectionView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut connection = held(tx, ctx, id).await?;
            connection.check_hosts_nothing(&hosted_on(tx, id, ctx.now).await?)?;
            if let Some(lag) = connection.lag {
                leave_lag(tx, ctx, lag, &mut connection).await?;
            }
            let live = interfaces::live_of_connection(tx, id).await?;
            let live = live.iter().filter(|i| i.state(false, ctx.now).is_live()).count();
            let before = connection.clone();
            connection.ask_delete(live, ctx.now)?;
            if connection != before {
                connections::update(tx, &connection).await?;
                if let Some(approval) = &connection.approval {
                    plans::mark_port(tx, &approval.port).await?;
                }
                record(tx, ctx, id, "connection deletion asked").await?;
            }
            Ok(view(connection))
        })
    }
}

/// An order that nobody has looked at yet.
pub(super) fn ordered(
    (account, now): (AccountId, Timestamp),
    name: String,
    (location, bandwidth): (LocationCode, Bandwidth),
) -> Connection {
    Connection {
        id: ConnectionId::from_bits(rand::random()),
        account,
        name,
        location,
        bandwidth,
        lag: None,
        requested_at: now,
        approval: None,
        light: None,
        delete_asked_at: None,
        deleted_at: None,
        hosting: None,
    }
}

/// A Region that has no location at all has no capacity, wherever one asks for it.
async fn no_location(tx: &mut Tx, c: &OrderConnection) -> Result<Fault, store::Error> {
    let is_empty = sites::locations(tx).await?.is_empty();
    Ok(match c.location.parse() {
        Ok(location) if is_empty => Fault::NoCapacity { location, speed: c.bandwidth.as_str() },
        Ok(_) | Err(_) => Fault::NoSuchLocation(c.location.clone()),
    })
}

pub(super) fn view(connection: Connection) -> ConnectionView {
    let state = connection.state();
    ConnectionView { connection, state }
}

/// The caller's connection of this id.
pub(super) async fn own(
    db: &mut AnyConnection,
    ctx: &Context,
    id: ConnectionId,
) -> Result<Connection, Refusal> {
    let connection = connections::by_id(db, id).await?;
    let own = connection.filter(|c| c.account == ctx.caller.account);
    Ok(own.ok_or(Fault::NoSuchConnection(id))?.as_of(ctx.now))
}

/// The caller's, or one that they host for another.
pub(super) async fn held(
    db: &mut AnyConnection,
    ctx: &Context,
    id: ConnectionId,
) -> Result<Connection, Refusal> {
    let connection = connections::by_id(db, id).await?;
    let held = connection.filter(|c| c.is_held_by(ctx.caller.account));
    Ok(held.ok_or(Fault::NoSuchConnection(id))?.as_of(ctx.now))
}

/// Whether interfaces on it can be available.
pub(super) fn is_wire_on(connection: &Connection) -> bool {
    connection.state() == ConnectionState::Available
}

fn is_there(connection: &Connection, ctx: &Context, gone: GoneBefore) -> bool {
    connection.account == ctx.caller.account && gone.shows_connection(connection)
}

pub(super) async fn record(
    tx: &mut Tx,
    ctx: &Context,
    id: ConnectionId,
    what: &str,
) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), id, what, ctx.request_id).await?)
}
