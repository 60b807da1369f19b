//! Hosted connections: allocate, confirm, list, move. They are renamed and deleted as any other.

use super::{
    App, Context, Refusal, check_name,
    connections::{own, record, view},
    failover_tests::end_test,
    interfaces::mark,
    wires::{hosted_on, vlan_holder},
    write_tx,
};
use crate::store::{Tx, accounts, connections, interfaces, tag_sets};
use directlink_model::{
    Fault,
    command::{AllocateConnection, MoveHosted},
    connection::Connection,
    fault::Quota,
    hosting::Allocation,
    ids::ConnectionId,
    view::ConnectionView,
};

impl App {
    /// A share of the caller's connection, offered to another account: `ordering`.
    pub async fn allocate_connection(
        &self,
        ctx: &Context,
        c: AllocateConnection,
    ) -> Result<ConnectionView, Refusal> {
        check_name("DirectLinkName", &c.name)?;
        write_tx!(self, ctx.dry_run, |tx| {
            let parent = own(tx, ctx, c.parent).await?;
            accounts::by_id(tx, c.owner).await?.ok_or(Fault::NoSuchAccount(c.owner))?;
            let hosted = hosted_on(tx, parent.id, ctx.now).await?;
            let holder = vlan_holder(tx, parent.id, c.vlan, ctx.now).await?;
            let allocation = Allocation {
                id: ConnectionId::from_bits(self.draw()),
                account: c.owner,
                name: c.name.clone(),
                vlan: c.vlan,
                capacity: c.capacity,
            };
            let made = Connection::allocate(&parent, allocation, &hosted, holder, ctx.now)?;
            connections::insert(tx, &made).await?;
            tag_sets::insert(tx, ctx.caller.account, made.id.into(), &c.tags).await?;
            record(tx, ctx, made.id, "connection allocated").await?;
            Ok(view(made))
        })
    }

    /// Its customer takes it; from now on it counts as one of theirs.
    pub async fn confirm_connection(
        &self,
        ctx: &Context,
        id: ConnectionId,
    ) -> Result<ConnectionView, Refusal> {
        let account = ctx.caller.account;
        write_tx!(self, ctx.dry_run, |tx| {
            let mut connection = own(tx, ctx, id).await?;
            connection.confirm(ctx.now)?;
            let count = connections::count_live(tx, account).await?;
            self.check_quota(tx, account, Quota::Connections, count + 1).await?;
            connections::update(tx, &connection).await?;
            record(tx, ctx, id, "connection confirmed").await?;
            Ok(view(connection))
        })
    }

    /// Those that the caller's connection hosts, in order of creation.
    pub async fn hosted_connections(
        &self,
        ctx: &Context,
        parent: ConnectionId,
    ) -> Result<Vec<ConnectionView>, Refusal> {
        let gone = self.gone_before(ctx.now);
        let mut db = self.store().snapshot().await?;
        let parent = own(&mut db, ctx, parent).await?;
        let found = connections::hosted_on(&mut db, parent.id, gone).await?;
        Ok(found.into_iter().map(|hosted| view(hosted.as_of(ctx.now))).collect())
    }

    /// Another connection of the same partner carries it from now on.
    pub async fn move_hosted(
        &self,
        ctx: &Context,
        c: MoveHosted,
    ) -> Result<ConnectionView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut connection = of_partner(tx, ctx, c.id).await?;
            let target = own(tx, ctx, c.parent).await?;
            if connection.wire() == target.id && connection.hosting.is_some() {
                return Ok(view(connection));
            }
            let before = connection.clone();
            let hosted = hosted_on(tx, target.id, ctx.now).await?;
            let holder = match &connection.hosting {
                Some(hosting) => vlan_holder(tx, target.id, hosting.vlan, ctx.now).await?,
                None => None,
            };
            connection.rehost(&target, &hosted, holder)?;
            let others = interfaces::live_on_wire(tx, target.id).await?;
            for mut interface in interfaces::live_of_connection(tx, c.id).await? {
                interface.check_addresses(&target, &others)?;
                interface.begin_anew();
                interfaces::update(tx, &interface).await?;
                interfaces::drop_report(tx, interface.id).await?;
                end_test(tx, interface.id, ctx.now).await?;
            }
            connections::update(tx, &connection).await?;
            mark(tx, &before).await?;
            mark(tx, &connection).await?;
            record(tx, ctx, c.id, "connection moved").await?;
            Ok(view(connection))
        })
    }
}

/// The connection that the caller hosts for another. The customer cannot move it: to them its
/// parent is nobody's.
async fn of_partner(tx: &mut Tx, ctx: &Context, id: ConnectionId) -> Result<Connection, Refusal> {
    let connection = connections::by_id(tx, id).await?.map(|c| c.as_of(ctx.now));
    let is_theirs = |c: &Connection| match &c.hosting {
        Some(hosting) => hosting.partner == ctx.caller.account,
        // Their own, which the rules refuse to move with words of their own.
        None => c.account == ctx.caller.account,
    };
    Ok(connection.filter(is_theirs).ok_or(Fault::NoSuchConnection(id))?)
}
