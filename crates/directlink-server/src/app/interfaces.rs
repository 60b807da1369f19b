//! Interfaces: create, host for another, confirm, change, delete.

use super::{
    App, Context, Refusal, check_name,
    connections::{FEW, is_wire_on, own as own_connection},
    failover_tests::end_test,
    gateways::own as own_gateway,
    lags::own as own_lag,
    wires::trunk_holder,
    write_tx,
};
use crate::store::{
    AnyConnection, Tx, accounts, bgp_peers, connections,
    interfaces::{self, GoneBefore},
    journal, outbox, plans, tag_sets,
};
use directlink_model::{
    Fault,
    command::{ChangeInterface, ConfirmInterface, CreateInterface},
    connection::Connection,
    fault::Quota,
    gateway::Gateway,
    ids::{AccountId, ConnectionId, InterfaceId, LagId},
    interface::{Interface, Proposal},
    lag::Trunk,
    notice::{Notice, Occasion},
    view::InterfaceView,
};
use directlink_net::{BadPeerAddresses, IpNet, Ipv6Block, PeerAddresses};
use jiff::Timestamp;
use std::{collections::BTreeMap, net::IpAddr};

/// Which interfaces to read: in all lists that are given.
#[derive(Clone, Debug, Default)]
pub struct InterfaceFilter {
    pub connections: Option<Vec<ConnectionId>>,
    pub interfaces: Option<Vec<InterfaceId>>,
}

impl App {
    /// For oneself with a gateway; else hosted, waiting in `confirming`.
    pub async fn create_interface(
        &self,
        ctx: &Context,
        c: CreateInterface,
    ) -> Result<InterfaceView, Refusal> {
        check_name("DirectLinkInterfaceName", &c.name)?;
        let region = self.region().asn;
        if region.refuses(c.asn) {
            return Err(Fault::AsnOfProvider { asn: c.asn, region }.into());
        }
        let block = self.ipv6_of(c.ipv6)?;
        let given = given_addresses(c.ipv6, (c.router_address, c.customer_address))?;
        write_tx!(self, ctx.dry_run, |tx| {
            let place = Place::find(tx, ctx, &c).await?;
            let id = place.connection.id;
            let holder = trunk_holder(tx, c.trunk, c.vlan, ctx.now).await?;
            place.connection.check_vlan(c.vlan, holder)?;
            if let Some(gateway) = &place.gateway {
                check_net_is_new(tx, id, gateway).await?;
            }
            let on_wire = interfaces::live_addresses(tx, place.connection.wire()).await?;
            let here = on_wire.iter().filter(|(connection, _)| *connection == id);
            let (quota, count) = (Quota::InterfacesPerConnection, here.count() + 1);
            self.check_quota(tx, place.connection.account, quota, count).await?;
            let mut addresses: Vec<_> = on_wire.into_iter().map(|(_, address)| address).collect();
            addresses.extend(bgp_peers::live_addresses(tx, place.connection.wire()).await?);
            let proposal = Proposal {
                connection: id,
                lag: place.lag,
                owner: c.owner.unwrap_or(ctx.caller.account),
                name: c.name.clone(),
                vlan: c.vlan,
                asn: c.asn,
                key: c.key.clone(),
                peer: match given {
                    Some(peer) => peer,
                    None => allocate_addresses(block, &addresses)?,
                },
                mtu: c.mtu,
                gateway: place.gateway.map(|g| g.id),
            };
            let id = InterfaceId::from_bits(self.draw());
            let interface = Interface::propose(id, proposal, region, &[], ctx.now)?;
            interfaces::insert(tx, &interface).await?;
            tag_sets::insert(tx, ctx.caller.account, id.into(), &c.tags).await?;
            if interface.gateway.is_some() {
                mark(tx, &place.connection).await?;
            }
            if interface.owner != ctx.caller.account {
                let occasion = Occasion::InterfaceWaiting(id);
                let notice = Notice { occasion, to: interface.owner, at: ctx.now };
                outbox::post(tx, notice, ctx.now).await?;
            }
            record(tx, ctx, id, "interface created").await?;
            Ok(view(interface, place.connection, ctx.now))
        })
    }

    /// The owner of a hosted interface accepts it.
    pub async fn confirm_interface(
        &self,
        ctx: &Context,
        c: ConfirmInterface,
    ) -> Result<InterfaceView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let (mut interface, connection) = visible(tx, ctx, c.id).await?;
            if interface.owner != ctx.caller.account {
                return Err(Fault::NoSuchInterface(c.id).into());
            }
            let gateway = own_gateway(tx, ctx, c.gateway).await?;
            interface.confirm(c.gateway, ctx.now)?;
            gateway.check_available()?;
            check_net_is_new(tx, interface.connection, &gateway).await?;
            interfaces::update(tx, &interface).await?;
            mark(tx, &connection).await?;
            record(tx, ctx, c.id, "interface confirmed").await?;
            Ok(view(interface, connection, ctx.now))
        })
    }

    /// Another MTU, another name.
    pub async fn change_interface(
        &self,
        ctx: &Context,
        c: ChangeInterface,
    ) -> Result<InterfaceView, Refusal> {
        if let Some(name) = &c.name {
            check_name("DirectLinkInterfaceName", name)?;
        }
        write_tx!(self, ctx.dry_run, |tx| {
            let (mut interface, connection) = visible(tx, ctx, c.id).await?;
            let before = interface.clone();
            interface.change_mtu(c.mtu.unwrap_or(before.mtu), ctx.now)?;
            interface.rename(c.name.clone().unwrap_or_else(|| before.name.clone()), ctx.now)?;
            if interface != before {
                interfaces::update(tx, &interface).await?;
            }
            if interface.mtu != before.mtu {
                mark(tx, &connection).await?;
                record(tx, ctx, c.id, "interface MTU changed").await?;
            }
            if interface.name != before.name {
                record(tx, ctx, c.id, "interface renamed").await?;
            }
            Ok(view(interface, connection, ctx.now))
        })
    }

    /// Asked by its owner or its connection's; while it is `confirming` this is a rejection.
    pub async fn delete_interface(
        &self,
        ctx: &Context,
        id: InterfaceId,
    ) -> Result<InterfaceView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let (mut interface, connection) = visible(tx, ctx, id).await?;
            let before = interface.clone();
            interface.ask_delete(ctx.now)?;
            if interface != before {
                interfaces::update(tx, &interface).await?;
                end_test(tx, id, ctx.now).await?;
                mark(tx, &connection).await?;
                record(tx, ctx, id, "interface deletion asked").await?;
            }
            Ok(view(interface, connection, ctx.now))
        })
    }

    /// Those that the caller may see, in order of creation.
    pub async fn interfaces(
        &self,
        ctx: &Context,
        filter: &InterfaceFilter,
    ) -> Result<Vec<InterfaceView>, Refusal> {
        let (account, gone) = (ctx.caller.account, self.gone_before(ctx.now));
        let mut db = self.store().snapshot().await?;
        let mut found = match &filter.interfaces {
            Some(ids) if ids.len() <= FEW => few(&mut db, ids, account, gone).await?,
            _ => every(&mut db, account, gone).await?,
        };
        found.retain(|(interface, _)| {
            filter.connections.as_ref().is_none_or(|ids| ids.contains(&interface.connection))
                && filter.interfaces.as_ref().is_none_or(|ids| ids.contains(&interface.id))
        });
        Ok(found.into_iter().map(|(i, connection)| view(i, connection, ctx.now)).collect())
    }

    /// The Region's block, for peers of IPv6.
    pub(super) fn ipv6_of(&self, ipv6: bool) -> Result<Option<Ipv6Block>, Fault> {
        match (ipv6, self.region().ipv6) {
            (false, _) => Ok(None),
            (true, Some(block)) => Ok(Some(block)),
            (true, None) => Err(Fault::BadValue {
                parameter: "addressFamily",
                given: "ipv6".into(),
                expected: "this Region has no IPv6, so give ipv4".into(),
            }),
        }
    }

    pub(super) fn gone_before(&self, now: Timestamp) -> GoneBefore {
        let rules = self.rules();
        GoneBefore { deleted: now - rules.keep_deleted, lapsed: now - rules.keep_lapsed }
    }
}

/// All that the account may see.
async fn every(
    db: &mut AnyConnection,
    account: AccountId,
    gone: GoneBefore,
) -> Result<Vec<(Interface, Connection)>, Refusal> {
    let found = interfaces::visible_to(db, account, gone).await?;
    let around = connections::around_account(db, account).await?;
    let around: BTreeMap<_, Connection> = around.into_iter().map(|c| (c.id, c)).collect();
    let pair = |i: Interface| Some((around.get(&i.connection)?.clone(), i));
    Ok(found.into_iter().filter_map(pair).map(|(connection, i)| (i, connection)).collect())
}

/// Those of these few that the account may see, one by one.
async fn few(
    db: &mut AnyConnection,
    ids: &[InterfaceId],
    account: AccountId,
    gone: GoneBefore,
) -> Result<Vec<(Interface, Connection)>, Refusal> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(i) = interfaces::by_id(db, *id).await?.filter(|i| gone.shows(i)) else { continue };
        let connection = connections::by_id(db, i.connection).await?;
        let seen = connection.filter(|c| i.owner == account || c.account == account);
        found.extend(seen.map(|connection| (i, connection)));
    }
    found.sort_by_key(|(i, _)| (i.created_at, i.id));
    found.dedup_by_key(|(i, _)| i.id);
    Ok(found)
}

/// Where a new interface goes, found and in a state for it.
struct Place {
    connection: Connection,
    /// The LAG that it is made on, if it is.
    lag: Option<LagId>,
    /// `None`: hosted.
    gateway: Option<Gateway>,
}

impl Place {
    async fn find(tx: &mut Tx, ctx: &Context, c: &CreateInterface) -> Result<Self, Refusal> {
        let carrier = carrier(tx, ctx, c.trunk).await?;
        let other = c.owner.filter(|owner| *owner != ctx.caller.account);
        let gateway = match (other, c.gateway) {
            (None, Some(id)) => Some(own_gateway(tx, ctx, id).await?),
            (Some(_), _) | (None, None) => None,
        };
        if let Some(owner) = other {
            accounts::by_id(tx, owner).await?.ok_or(Fault::NoSuchAccount(owner))?;
        }
        let connection = carrier?;
        if let Some(gateway) = &gateway {
            gateway.check_available()?;
        }
        Ok(Self { connection, lag: c.trunk.lag(), gateway })
    }
}

/// The caller's connection that takes interfaces for the trunk now, or why none does.
pub(super) async fn carrier(
    tx: &mut Tx,
    ctx: &Context,
    trunk: Trunk,
) -> Result<Result<Connection, Fault>, Refusal> {
    Ok(match trunk {
        Trunk::Connection(id) => {
            let connection = own_connection(tx, ctx, id).await?;
            connection.check_takes_interfaces().map(|()| connection)
        }
        Trunk::Lag(id) => own_lag(tx, ctx, id).await?.check_takes_interfaces().cloned(),
    })
}

pub(super) fn view(interface: Interface, connection: Connection, now: Timestamp) -> InterfaceView {
    let state = interface.state(is_wire_on(&connection), now);
    InterfaceView { interface, state, connection }
}

/// The interface, if the caller owns it or the connection that it is on.
pub(super) async fn visible(
    db: &mut AnyConnection,
    ctx: &Context,
    id: InterfaceId,
) -> Result<(Interface, Connection), Refusal> {
    let none = Fault::NoSuchInterface(id);
    let Some(interface) = interfaces::by_id(db, id).await? else { return Err(none.into()) };
    let connection = connections::by_id(db, interface.connection).await?;
    let caller = ctx.caller.account;
    match connection {
        Some(c) if interface.owner == caller || c.account == caller => Ok((interface, c)),
        Some(_) | None => Err(none.into()),
    }
}

pub(super) async fn check_net_is_new(
    tx: &mut Tx,
    connection: ConnectionId,
    gateway: &Gateway,
) -> Result<(), Refusal> {
    let Some(net) = gateway.net else { return Ok(()) };
    match interfaces::reaching_net(tx, connection, net).await? {
        Some(by) => Err(Fault::NetAlreadyReached { net, by }.into()),
        None => Ok(()),
    }
}

/// The pair that was asked for, if any of it was. One alone is completed where its subnet has just
/// two hosts.
pub(super) fn given_addresses(
    ipv6: bool,
    (router, customer): (Option<IpNet>, Option<IpNet>),
) -> Result<Option<PeerAddresses>, Fault> {
    for (parameter, side) in [("OutscalePrivateIp", router), ("ClientPrivateIp", customer)] {
        if let Some(given) = side.filter(|side| side.addr().is_ipv6() != ipv6) {
            let expected = match ipv6 {
                false => "give IPv4 addresses with their prefix length, as 172.16.0.1/30",
                true => "give IPv6 addresses with their prefix length, as fd00::1/126, or none",
            };
            let (given, expected) = (given.to_string(), expected.to_owned());
            return Err(Fault::BadValue { parameter, given, expected });
        }
    }
    let (router, customer) = match (router, customer) {
        (None, None) => return Ok(None),
        (Some(router), Some(customer)) => (router, customer),
        (Some(router), None) => (router, neighbour(router)?),
        (None, Some(customer)) => (neighbour(customer)?, customer),
    };
    Ok(Some(PeerAddresses::new(router, customer)?))
}

/// The lowest pair that meets none of the wire's: what is hosted on it can move then. Of IPv6 out of
/// the Region's block.
pub(super) fn allocate_addresses(
    ipv6: Option<Ipv6Block>,
    taken: &[IpNet],
) -> Result<PeerAddresses, Fault> {
    let mut all = (0..=u16::MAX).map_while(|n| match ipv6 {
        None => PeerAddresses::allocated(n),
        Some(block) => block.peers(n),
    });
    let is_free = |pair: &PeerAddresses| {
        let subnet = pair.router().trunc();
        !taken.iter().any(|t| t.contains(&subnet) || subnet.contains(&t.trunc()))
    };
    all.find(is_free).ok_or_else(|| Fault::BadValue {
        parameter: "OutscalePrivateIp",
        given: String::new(),
        expected: match ipv6 {
            None => "169.254.0.0/16 is used up on this DirectLink, so give both addresses".into(),
            Some(_) => "all /125 are used up, so give both addresses".into(),
        },
    })
}

/// The other host of a subnet of two: /30, and /31 (RFC 3021).
fn neighbour(side: IpNet) -> Result<IpNet, Fault> {
    let host_bits = side.max_prefix_len() - side.prefix_len();
    let flip = match host_bits {
        1 => 1,
        2 => 3,
        _ => return Err(BadPeerAddresses::Size(side.prefix_len()).into()),
    };
    let other: IpAddr = match side.addr() {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) ^ flip).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) ^ u128::from(flip)).into()),
    };
    IpNet::new(other, side.prefix_len())
        .map_err(|_| BadPeerAddresses::Size(side.prefix_len()).into())
}

/// Its port is to be planned anew.
pub(super) async fn mark(tx: &mut Tx, connection: &Connection) -> Result<(), Refusal> {
    if let Some(approval) = &connection.approval {
        plans::mark_port(tx, &approval.port).await?;
    }
    Ok(())
}

pub(super) async fn record(
    tx: &mut Tx,
    ctx: &Context,
    id: InterfaceId,
    what: &str,
) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), id, what, ctx.request_id).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_completed_only_where_its_subnet_has_two_hosts() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        for (router, customer, expected) in [
            (None, None, "none"),
            (None, Some("fd00::6/126"), "fd00::5/126 ↔ fd00::6/126"),
            (Some("fd00::1/127"), None, "fd00::1/127 ↔ fd00::/127"),
            (Some("fd00::1/125"), None, "refused"),
            (Some("fd00::1/126"), Some("10.0.0.2/30"), "refused"),
            (Some("172.16.0.5/30"), None, "172.16.0.5/30 ↔ 172.16.0.6/30"),
            (None, Some("172.16.0.5/30"), "172.16.0.6/30 ↔ 172.16.0.5/30"),
            (Some("10.0.0.0/31"), None, "10.0.0.0/31 ↔ 10.0.0.1/31"),
            (Some("10.0.0.1/29"), None, "refused"),
            (Some("172.16.0.4/30"), None, "refused"),
            (Some("172.16.0.4/30"), Some("172.16.0.5/30"), "refused"),
            (Some("10.0.0.1/29"), Some("10.0.0.2/29"), "10.0.0.1/29 ↔ 10.0.0.2/29"),
        ] {
            let (router, customer) = (router.map(net), customer.map(net));
            let ipv6 = [router, customer].iter().flatten().any(|side| side.addr().is_ipv6());
            let got = match given_addresses(ipv6, (router, customer)) {
                Ok(None) => "none".into(),
                Ok(Some(pair)) => pair.to_string(),
                Err(_) => "refused".to_owned(),
            };
            assert_eq!(got, expected, "{router:?} {customer:?}");
        }
    }

    #[test]
    fn an_address_of_the_other_family_is_refused() {
        for (ipv6, given) in [(true, "172.16.0.5/30"), (false, "fd00::5/126")] {
            let refused = given_addresses(ipv6, (None, given.parse().ok()));
            assert!(matches!(refused, Err(Fault::BadValue { .. })), "{refused:?}");
        }
    }

    #[test]
    fn allocation_takes_the_lowest_pair_that_meets_no_other() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let lowest =
            |taken: &[IpNet]| allocate_addresses(None, taken).unwrap().router().to_string();
        assert_eq!(lowest(&[]), "169.254.1.1/30");
        assert_eq!(lowest(&[net("169.254.1.1/30"), net("169.254.1.9/30")]), "169.254.1.5/30");
        assert_eq!(lowest(&[net("169.254.1.2/29")]), "169.254.1.9/30");
    }
}
