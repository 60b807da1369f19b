//! Link aggregation groups: make, read, change, delete; and who is a member.

use super::{
    App, Context, Refusal, check_name, connections as members,
    connections::own as own_connection,
    interfaces::check_net_is_new,
    wires::{expire, hosted_on},
    write_tx,
};
use crate::{
    reconcile::settle_lag,
    store::{
        AnyConnection, Tx, connections, gateways, interfaces, journal, lags, plans, quotas, sites,
        tag_sets,
    },
};
use directlink_model::{
    Fault,
    command::{ChangeLag, CreateLag, SetMember},
    connection::Connection,
    fault::{LagFault, Quota},
    ids::{LagId, RouterName},
    interface::Interface,
    lag::{Bundle, Lag, MEMBERS_MAX},
    location::Port,
    view::{ConnectionView, LagView},
};
use jiff::Timestamp;
use std::fmt::Display;

impl App {
    /// With all the connections that it shall have at first, or not at all.
    pub async fn create_lag(&self, ctx: &Context, c: CreateLag) -> Result<LagView, Refusal> {
        check_name("lagName", &c.name)?;
        let count = usize::try_from(c.count).ok().filter(|count| (1..=MEMBERS_MAX).contains(count));
        let bad = || Fault::from(LagFault::Count { given: c.count, limit: MEMBERS_MAX });
        let count = count.ok_or_else(bad)?;
        write_tx!(self, ctx.dry_run, |tx| {
            let account = ctx.caller.account;
            let location = sites::location(tx, &c.location).await?;
            let location = location.ok_or_else(|| Fault::NoSuchLocation(c.location.clone()))?;
            let lag = Lag {
                id: LagId::from_bits(self.draw()),
                account,
                name: c.name.clone(),
                location: location.code,
                bandwidth: c.bandwidth,
                minimum_links: 0,
                requested_at: ctx.now,
                deleted_at: None,
            };
            let id = lag.id;
            let mut bundle = Bundle { lag, members: vec![] };
            lags::insert(tx, &bundle.lag).await?;
            if let Some(given) = c.connection {
                let mut connection = own_connection(tx, ctx, given).await?;
                self.join(tx, ctx, &mut bundle, &mut connection).await?;
            }
            // With this one.
            let lags = quotas::used(tx, account, Quota::Lags).await? as usize;
            self.check_quota(tx, account, Quota::Lags, lags).await?;
            self.order_members(tx, ctx, (&mut bundle, count), &c).await?;
            tag_sets::insert(tx, account, id.into(), &c.tags).await?;
            record(tx, ctx, id, "LAG created").await?;
            settle_lag(tx, id, (&ctx.actor(), ctx.now)).await?;
            Ok(view(bundle))
        })
    }

    /// Orders what is missing to `count` members.
    async fn order_members(
        &self,
        tx: &mut Tx,
        ctx: &Context,
        (bundle, count): (&mut Bundle, usize),
        c: &CreateLag,
    ) -> Result<(), Refusal> {
        let (account, missing) = (ctx.caller.account, count - bundle.members.len());
        let there = connections::count_live(tx, account).await?;
        if missing > 0 {
            self.check_quota(tx, account, Quota::Connections, there + missing).await?;
        }
        for n in 1..=missing {
            let name = format!("Requested Connection {n} for Lag {}", bundle.lag.id);
            let Lag { location, bandwidth, .. } = bundle.lag.clone();
            let (owner, what) = ((account, ctx.now), (location, bandwidth));
            let mut connection = members::ordered(self.draw(), owner, name, what);
            bundle.join(&mut connection)?;
            connections::insert(tx, &connection).await?;
            tag_sets::insert(tx, account, connection.id.into(), &c.member_tags).await?;
            record(tx, ctx, connection.id, "connection ordered").await?;
        }
        self.check_room(tx, bundle, missing).await
    }

    /// One router must have a port for each new member.
    async fn check_room(
        &self,
        tx: &mut Tx,
        bundle: &Bundle,
        missing: usize,
    ) -> Result<(), Refusal> {
        let Lag { location, bandwidth, .. } = &bundle.lag;
        let free = self.suitable_ports(tx, (location, *bandwidth)).await?;
        match missing == 0 || first_of(free, bundle.router(), missing).is_some() {
            true => Ok(()),
            false => Err(no_room(bundle, missing).into()),
        }
    }

    /// The caller's, in order of creation; `id`: this one only, none if it is not there.
    pub async fn lags(&self, ctx: &Context, id: Option<LagId>) -> Result<Vec<LagView>, Refusal> {
        let (account, gone_before) = (ctx.caller.account, self.gone_before(ctx.now).deleted);
        let mut db = self.store().snapshot().await?;
        let mut found = match id {
            Some(id) => lags::by_id(&mut db, id).await?.into_iter().collect(),
            None => lags::of_account(&mut db, account, gone_before).await?,
        };
        found.retain(|Bundle { lag, .. }| {
            lag.account == account && lag.deleted_at.is_none_or(|deleted| deleted > gone_before)
        });
        Ok(found.into_iter().map(view).collect())
    }

    /// Another name, another minimum of links.
    pub async fn change_lag(&self, ctx: &Context, c: ChangeLag) -> Result<LagView, Refusal> {
        if let Some(name) = &c.name {
            check_name("lagName", name)?;
        }
        write_tx!(self, ctx.dry_run, |tx| {
            let mut bundle = own(tx, ctx, c.id).await?;
            let before = bundle.lag.clone();
            bundle.change(c.name.clone(), c.minimum_links)?;
            if bundle.lag != before {
                lags::update(tx, &bundle.lag).await?;
                settle_lag(tx, c.id, (&ctx.actor(), ctx.now)).await?;
                record(tx, ctx, c.id, "LAG changed").await?;
            }
            Ok(view(bundle))
        })
    }

    /// Its members stay, each for itself.
    pub async fn delete_lag(&self, ctx: &Context, id: LagId) -> Result<LagView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut bundle = own(tx, ctx, id).await?;
            let live = live_interfaces(tx, id, ctx.now).await?.len();
            for connection in bundle.delete(live, ctx.now)? {
                connections::update(tx, &connection).await?;
                mark(tx, &connection).await?;
            }
            lags::update(tx, &bundle.lag).await?;
            record(tx, ctx, id, "LAG deleted").await?;
            Ok(view(bundle))
        })
    }

    /// A connection becomes a member, also one that is another's; its interfaces come with it.
    pub async fn join_lag(&self, ctx: &Context, c: SetMember) -> Result<ConnectionView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut connection = own_connection(tx, ctx, c.connection).await?;
            let mut bundle = own(tx, ctx, c.lag).await?;
            self.join(tx, ctx, &mut bundle, &mut connection).await?;
            Ok(members::view(connection))
        })
    }

    /// A member becomes a connection by itself; the interfaces stay with the LAG.
    pub async fn leave_lag(&self, ctx: &Context, c: SetMember) -> Result<ConnectionView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut connection = own_connection(tx, ctx, c.connection).await?;
            leave(tx, ctx, c.lag, &mut connection).await?;
            Ok(members::view(connection))
        })
    }

    async fn join(
        &self,
        tx: &mut Tx,
        ctx: &Context,
        bundle: &mut Bundle,
        connection: &mut Connection,
    ) -> Result<(), Refusal> {
        let lag = bundle.lag.id;
        let carrier = bundle.carrier().map(|carrier| carrier.id);
        if let Some(other) = connection.lag.filter(|other| *other != lag) {
            leave(tx, ctx, other, connection).await?;
        }
        bundle.join(connection)?;
        let ours = live_interfaces(tx, lag, ctx.now).await?;
        let theirs = interfaces::live_of_connection(tx, connection.id).await?;
        let theirs = living(tx, theirs, ctx.now).await?;
        // One that another LAG is having deleted here would be in the way of ours.
        if theirs.iter().any(|interface| interface.lag.is_some_and(|other| other != lag)) {
            let (id, count) = (connection.id, theirs.len());
            return Err(Fault::ConnectionHasInterfaces { id, count }.into());
        }
        connection.check_hosts_nothing(&hosted_on(tx, connection.id, ctx.now).await?)?;
        check_vlans(&ours, &theirs)?;
        for gateway in theirs.iter().filter_map(|interface| interface.gateway) {
            if let (Some(gateway), Some(carrier)) = (gateways::by_id(tx, gateway).await?, carrier) {
                check_net_is_new(tx, carrier, &gateway).await?;
            }
        }
        if !theirs.is_empty() {
            let count = ours.len() + theirs.len();
            self.check_quota(tx, bundle.lag.account, Quota::InterfacesPerConnection, count).await?;
        }
        connections::update(tx, connection).await?;
        interfaces::give_to_lag(tx, connection.id, lag).await?;
        record(tx, ctx, connection.id, &format!("member of {lag}")).await?;
        Ok(settle_lag(tx, lag, (&ctx.actor(), ctx.now)).await?)
    }
}

/// For a member that stands alone from now on, or is deleted next.
pub(super) async fn leave(
    tx: &mut Tx,
    ctx: &Context,
    lag: LagId,
    connection: &mut Connection,
) -> Result<(), Refusal> {
    let mut bundle = own(tx, ctx, lag).await?;
    let live = live_interfaces(tx, lag, ctx.now).await?.len();
    bundle.leave(connection, live)?;
    connections::update(tx, connection).await?;
    mark(tx, connection).await?;
    record(tx, ctx, connection.id, &format!("no member of {lag}")).await?;
    Ok(settle_lag(tx, lag, (&ctx.actor(), ctx.now)).await?)
}

/// The caller's LAG of this id.
pub(super) async fn own(
    db: &mut AnyConnection,
    ctx: &Context,
    id: LagId,
) -> Result<Bundle, Refusal> {
    let bundle = lags::by_id(db, id).await?;
    let own = bundle.filter(|bundle| bundle.lag.account == ctx.caller.account);
    Ok(own.ok_or(LagFault::NoSuchLag(id)).map_err(Fault::from)?)
}

fn view(bundle: Bundle) -> LagView {
    let state = bundle.state();
    let members = bundle.members.into_iter().map(members::view).collect();
    LagView { lag: bundle.lag, state, members }
}

async fn live_interfaces(
    tx: &mut Tx,
    lag: LagId,
    now: Timestamp,
) -> Result<Vec<Interface>, Refusal> {
    let rows = interfaces::live_of_lag(tx, lag).await?;
    living(tx, rows, now).await
}

/// Without offers that have run out, which are stamped on the way: they hold no VLAN any more, and
/// the database's own rule must know.
async fn living(
    tx: &mut Tx,
    rows: Vec<Interface>,
    now: Timestamp,
) -> Result<Vec<Interface>, Refusal> {
    let mut living = Vec::with_capacity(rows.len());
    for mut interface in rows {
        if !expire(tx, &mut interface, now).await? {
            living.push(interface);
        }
    }
    Ok(living)
}

fn check_vlans(ours: &[Interface], theirs: &[Interface]) -> Result<(), Fault> {
    for interface in theirs {
        if let Some(other) = ours.iter().find(|other| other.vlan == interface.vlan) {
            let (connection, vlan) = (other.connection, other.vlan);
            return Err(Fault::VlanTaken { connection, vlan, by: other.id });
        }
    }
    Ok(())
}

/// The first port, on a router with so many of them; of this router, if one is given.
pub(super) fn first_of(free: Vec<Port>, router: Option<&RouterName>, count: usize) -> Option<Port> {
    let fits = |port: &&Port| {
        router.is_none_or(|router| port.router == *router)
            && free.iter().filter(|other| other.router == port.router).count() >= count
    };
    free.iter().find(fits).cloned()
}

/// That no router has so many ports left.
pub(super) fn no_room(bundle: &Bundle, count: usize) -> Fault {
    let (location, speed) = (bundle.lag.location.clone(), bundle.lag.bandwidth.as_str());
    LagFault::NoRoom { location, count, speed }.into()
}

async fn mark(tx: &mut Tx, connection: &Connection) -> Result<(), Refusal> {
    if let Some(port) = connection.wanted_port() {
        plans::mark_port(tx, port).await?;
    }
    Ok(())
}

async fn record(
    tx: &mut Tx,
    ctx: &Context,
    subject: impl Display,
    what: &str,
) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), subject, what, ctx.request_id).await?)
}
