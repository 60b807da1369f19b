//! Connections: order, read, delete.

use super::{App, Context, Refusal, Tags, check_name, write_tx};
use crate::store::{
    AnyConnection, Lines, Tx, connections, editions::Touched, interfaces, journal, plans, tag_sets,
};
use directlink_model::{
    Fault,
    command::{OrderConnection, RenameConnection},
    connection::{Connection, ConnectionState},
    fault::Quota,
    ids::ConnectionId,
    tag_set::TagSet,
    view::ConnectionView,
};
use jiff::Timestamp;
use std::sync::Arc;

/// So few are read one by one.
pub(super) const FEW: usize = 8;

/// An account's connections and tags, as they lie in memory.
pub(crate) struct OwnLines {
    lines: Arc<Lines>,
    gone_before: Timestamp,
}

impl OwnLines {
    /// In order of creation.
    pub(crate) fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.lines.connections(self.gone_before)
    }

    pub(crate) fn tags(&self) -> &Tags {
        &self.lines.tags
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
        write_tx!(self, ctx.dry_run, |tx| {
            let account = ctx.caller.account;
            tx.touched = Touched::LinesOf(account);
            let room = connections::room(tx, account, &c.location).await?;
            let room = room.ok_or_else(|| Fault::NoSuchLocation(c.location.clone()))?;
            self.check_limit(Quota::Connections, room.limit, room.live + 1)?;
            let connection = Connection {
                id: ConnectionId::from_bits(rand::random()),
                account,
                name: c.name.clone(),
                location: room.location,
                bandwidth: c.bandwidth,
                requested_at: ctx.now,
                approval: None,
                light: None,
                delete_asked_at: None,
                deleted_at: None,
            };
            connections::insert(tx, &connection).await?;
            tag_sets::insert(tx, account, connection.id.into(), &c.tags).await?;
            record(tx, ctx, connection.id, "connection ordered").await?;
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
        let gone_before = ctx.now - self.rules().keep_deleted;
        let lines = match ids {
            Some(ids) if ids.len() <= FEW => match self.store().kept_lines(account) {
                Some(kept) => kept,
                None => return self.few_connections(ctx, ids, gone_before).await,
            },
            Some(_) | None => self.store().lines(account, gone_before).await?,
        };
        let found = lines.connections(gone_before);
        let found = found.filter(|c| ids.is_none_or(|ids| ids.contains(&c.id)));
        Ok(found.cloned().map(view).collect())
    }

    /// All of the caller's, as the lists of connections show them, with the tags.
    pub(crate) async fn own_lines(&self, ctx: &Context) -> Result<OwnLines, Refusal> {
        let gone_before = ctx.now - self.rules().keep_deleted;
        let lines = self.store().lines(ctx.caller.account, gone_before).await?;
        Ok(OwnLines { lines, gone_before })
    }

    /// One of the caller's, and its tags.
    pub(crate) async fn own_line(
        &self,
        ctx: &Context,
        id: ConnectionId,
    ) -> Result<(Connection, TagSet), Refusal> {
        let gone_before = ctx.now - self.rules().keep_deleted;
        let missing = || Fault::NoSuchConnection(id).into();
        if let Some(lines) = self.store().kept_lines(ctx.caller.account) {
            let found = lines.connections(gone_before).find(|c| c.id == id);
            let tags = lines.tags.get(&id.to_string()).cloned().unwrap_or_default();
            return found.map(|found| (found.clone(), tags)).ok_or_else(missing);
        }
        let found = connections::tagged(&mut *self.store().reader().await?, id).await?;
        found.filter(|(c, _)| is_there(c, ctx, gone_before)).ok_or_else(missing)
    }

    async fn few_connections(
        &self,
        ctx: &Context,
        ids: &[ConnectionId],
        gone_before: Timestamp,
    ) -> Result<Vec<ConnectionView>, Refusal> {
        let mut db = self.store().reader().await?;
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let one = connections::by_id(&mut db, *id).await?;
            found.extend(one.filter(|c| is_there(c, ctx, gone_before)));
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

    /// Asks for deletion; the view shows `deleted` at once for an order that nobody approved yet.
    pub async fn delete_connection(
        &self,
        ctx: &Context,
        id: ConnectionId,
    ) -> Result<ConnectionView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut connection = own(tx, ctx, id).await?;
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
    Ok(own.ok_or(Fault::NoSuchConnection(id))?)
}

/// Whether interfaces on it can be available.
pub(super) fn is_wire_on(connection: &Connection) -> bool {
    connection.state() == ConnectionState::Available
}

fn is_there(connection: &Connection, ctx: &Context, gone_before: Timestamp) -> bool {
    connection.account == ctx.caller.account
        && connection.deleted_at.is_none_or(|deleted| deleted > gone_before)
}

async fn record(tx: &mut Tx, ctx: &Context, id: ConnectionId, what: &str) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), id, what, ctx.request_id).await?)
}
