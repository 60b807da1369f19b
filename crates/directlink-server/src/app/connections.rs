//! Connections: order, read, delete.

use super::{
    App, Context, Refusal, Tags, check_name,
    lags::{leave as leave_lag, own as own_lag},
    wires::hosted_on,
    write_tx,
};
use crate::{
    reconcile::settle_lag,
    store::{
        self, AnyConnection, Lines, Tx, connections,
        editions::Touched,
        interfaces::{self, GoneBefore},
        journal, order_needs, plans, sites, tag_sets,
    },
};
use bytes::Bytes;
use directlink_model::{
    Fault,
    command::{OrderConnection, RenameConnection},
    connection::{Bandwidth, Connection, ConnectionState},
    fault::Quota,
    ids::{AccountId, ConnectionId, LocationCode},
    tag_set::TagSet,
    view::ConnectionView,
};
use jiff::Timestamp;
use std::{borrow::Cow, sync::Arc};

/// So few are read one by one.
pub(super) const FEW: usize = 8;

/// An account's connections and tags, as they lie in memory.
pub(crate) struct OwnLines {
    lines: Arc<Lines>,
    gone: GoneBefore,
    now: Timestamp,
}

impl OwnLines {
    /// In order of creation.
    pub(crate) fn connections(&self) -> impl Iterator<Item = Cow<'_, Connection>> {
        self.lines.connections(self.gone, self.now)
    }

    pub(crate) fn tags(&self) -> &Tags {
        &self.lines.tags
    }

    /// What `write` makes of them all, or made of the same before, under that name.
    pub(crate) fn text<E>(
        &self,
        kind: &'static str,
        write: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Bytes, E> {
        self.lines.text(kind, (self.gone, self.now), write)
    }
}

impl App {
    /// A new order, in `requested`.
    pub async fn order_connection(
        &self,
        ctx: &Context,
        c: OrderConnection,
    ) -> Result<ConnectionView, Refusal> {
        check_name("DirectLinkName", &c.name)?;
        c.needs.check()?;
        write_tx!(self, ctx.dry_run, |tx| {
            let account = ctx.caller.account;
            tx.touched = Touched::LinesOf(account);
            let Some(room) = connections::room(tx, account, &c.location).await? else {
                return Err(no_location(tx, &c).await?.into());
            };
            self.check_limit(Quota::Connections, room.limit, room.live + 1)?;
            if room.is_counted {
                self.check_capacity(tx, (&room.location, c.bandwidth), 1).await?;
            }
            let what = (room.location, c.bandwidth);
            let owner = (account, ctx.now);
            let mut connection = ordered(self.draw(), owner, c.name.clone(), what);
            if let Some(lag) = c.lag {
                own_lag(tx, ctx, lag).await?.join(&mut connection)?;
            }
            connections::insert(tx, &connection).await?;
            tag_sets::insert(tx, account, connection.id.into(), &c.tags).await?;
            if !c.needs.is_silent() {
                order_needs::insert(tx, connection.id, &c.needs).await?;
            }
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
        let account = ctx.caller.account;
        let gone = self.gone_before(ctx.now);
        let lines = match ids {
            Some(ids) if ids.len() <= FEW => match self.store().kept_lines(account) {
                Some(kept) => kept,
                None => return self.few_connections(ctx, ids, gone).await,
            },
            Some(_) | None => self.store().lines(account, gone).await?,
        };
        let found = lines.connections(gone, ctx.now);
        let found = found.filter(|c| ids.is_none_or(|ids| ids.contains(&c.id)));
        Ok(found.map(|c| view(c.into_owned())).collect())
    }

    /// All of the caller's, as the lists of connections show them, with the tags.
    pub(crate) async fn own_lines(&self, ctx: &Context) -> Result<OwnLines, Refusal> {
        let gone = self.gone_before(ctx.now);
        let lines = self.store().lines(ctx.caller.account, gone).await?;
        Ok(OwnLines { lines, gone, now: ctx.now })
    }

    /// One of the caller's, and its tags.
    pub(crate) async fn own_line(
        &self,
        ctx: &Context,
        id: ConnectionId,
    ) -> Result<(Connection, TagSet), Refusal> {
        let gone = self.gone_before(ctx.now);
        let missing = || Fault::NoSuchConnection(id).into();
        if let Some(lines) = self.store().kept_lines(ctx.caller.account) {
            let found = lines.connections(gone, ctx.now).find(|c| c.id == id);
            let tags = lines.tags.get(&id.to_string()).cloned().unwrap_or_default();
            return found.map(|found| (found.into_owned(), tags)).ok_or_else(missing);
        }
        let found = connections::tagged(&mut *self.store().reader().await?, id).await?;
        let found = found.map(|(c, tags)| (c.as_of(ctx.now), tags));
        found.filter(|(c, _)| is_there(c, ctx, gone)).ok_or_else(missing)
    }

    async fn few_connections(
        &self,
        ctx: &Context,
        ids: &[ConnectionId],
        gone: GoneBefore,
    ) -> Result<Vec<ConnectionView>, Refusal> {
        let mut db = self.store().reader().await?;
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let one = connections::by_id(&mut db, *id).await?.map(|c| c.as_of(ctx.now));
            found.extend(one.filter(|c| is_there(c, ctx, gone)));
        }
        found.sort_by_key(|c| (c.requested_at, c.id));
        found.dedup_by_key(|c| c.id);
        Ok(found.into_iter().map(view).collect())
    }

    /// Another name.
    pub async fn rename_connection(
        &self,
        ctx: &Context,
        c: RenameConnection,
    ) -> Result<ConnectionView, Refusal> {
        check_name("DirectLinkName", &c.name)?;
        write_tx!(self, ctx.dry_run, |tx| {
            tx.touched = Touched::LinesOf(ctx.caller.account);
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
    bits: u32,
    (account, now): (AccountId, Timestamp),
    name: String,
    (location, bandwidth): (LocationCode, Bandwidth),
) -> Connection {
    Connection {
        id: ConnectionId::from_bits(bits),
        account,
        name,
        location,
        bandwidth,
        lag: None,
        requested_at: now,
        approval: None,
        refused: None,
        light: None,
        is_bundled: false,
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
