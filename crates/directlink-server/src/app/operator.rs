//! The operator's side of what customers ask for: orders, where NICs live, and a lab's clock.

use super::{
    App, Refusal,
    capacity::no_capacity,
    connections::view as connection_view,
    interfaces::view,
    lags::{first_of, no_room},
    letters::new_letter_token,
    write_tx,
};
use crate::{
    reconcile::settle_lag,
    store::{
        Tx, connections,
        interfaces::{self, GoneBefore},
        inventory,
        journal::{self, Actor},
        lags, nets, nics, order_needs, outbox, plans, sites,
    },
};
use directlink_model::{
    Fault,
    command::{ApproveOrder, PlaceNic, RefuseOrder},
    connection::{Connection, ConnectionState, PortRef},
    ids::ConnectionId,
    interface::Interface,
    inventory::{Candidate, CrossConnect},
    lag::Bundle,
    location::Port,
    needs::Needs,
    net::{Net, Nic, Subnet},
    notice::{Notice, Occasion},
    view::{ConnectionView, InterfaceView},
};
use jiff::{SignedDuration, Timestamp};
use std::{collections::BTreeMap, fmt};

/// A lab's clock is so many microseconds ahead of the machine's.
pub(crate) const CLOCK_SETTING: &str = "clock ahead microseconds";

/// A NIC with what a host on the fabric must know to be it.
#[derive(Clone, Debug)]
pub struct PlacedNic {
    pub nic: Nic,
    pub subnet: Subnet,
    pub net: Net,
}

impl App {
    /// Takes a port for an order and issues the Letter of Authorization, in one act.
    pub async fn approve_order(&self, c: ApproveOrder) -> Result<ConnectionView, Refusal> {
        let now = self.now();
        write_tx!(self, false, |tx| {
            let connection = connections::by_id(tx, c.connection).await?;
            let mut connection = connection.ok_or(Fault::NoSuchConnection(c.connection))?;
            if connection.state() != ConnectionState::Requested {
                let state = connection.state();
                return Err(Fault::ConnectionNotRequested { id: connection.id, state }.into());
            }
            let bundle = match connection.lag {
                Some(lag) => lags::by_id(tx, lag).await?,
                None => None,
            };
            let what = (&connection, bundle.as_ref());
            let port = match &c.port {
                Some(port) => self.fitting_port(tx, what, port).await?,
                None => self.first_free_port(tx, what).await?,
            };
            let at = port.at();
            connection.approve(at.clone(), now)?;
            connections::update(tx, &connection).await?;
            sites::claim_light(tx, &at).await?;
            inventory::insert(tx, &cross_connect(connection.id, &port, now)).await?;
            connections::issue_letter(tx, connection.id, &new_letter_token(), now).await?;
            let occasion = Occasion::LetterIssued(connection.id);
            outbox::post(tx, Notice { occasion, to: connection.account, at: now }, now).await?;
            plans::mark_port(tx, &at).await?;
            record(tx, connection.id, "order approved", &at, now).await?;
            if let Some(lag) = connection.lag {
                settle_lag(tx, lag, (&Actor::Operator, now)).await?;
            }
            Ok(connection_view(connection))
        })
    }

    /// The order will not be built, for a reason that its customer is told.
    pub async fn refuse_order(&self, c: RefuseOrder) -> Result<ConnectionView, Refusal> {
        check_reason(&c.reason)?;
        let now = self.now();
        write_tx!(self, false, |tx| {
            let connection = connections::by_id(tx, c.connection).await?;
            let mut connection = connection.ok_or(Fault::NoSuchConnection(c.connection))?;
            connection.refuse(c.reason.clone(), now)?;
            connections::update(tx, &connection).await?;
            let occasion = Occasion::OrderRefused(connection.id);
            outbox::post(tx, Notice { occasion, to: connection.account, at: now }, now).await?;
            record(tx, connection.id, "order rejected", &c.reason, now).await?;
            if let Some(lag) = connection.lag {
                settle_lag(tx, lag, (&Actor::Operator, now)).await?;
            }
            Ok(connection_view(connection))
        })
    }

    /// What customers told with the orders that wait.
    pub async fn needs_of_orders(&self) -> Result<BTreeMap<ConnectionId, Needs>, Refusal> {
        Ok(order_needs::waiting(&mut *self.store().reader().await?).await?)
    }

    /// Approved orders whose letter has run out before their fibre was plugged. Nobody drops them but
    /// their customer: the operator asks.
    pub async fn overdue_orders(&self) -> Result<Vec<ConnectionView>, Refusal> {
        let now = self.now();
        let mut db = self.store().reader().await?;
        let mut dark = connections::dark(&mut db).await?;
        dark.retain(|c| c.is_overdue(now));
        dark.sort_by_key(|c| (c.requested_at, c.id));
        Ok(dark.into_iter().map(|c| connection_view(c.as_of(now))).collect())
    }

    /// Every account's, in order of creation; `ids`: of these only.
    pub async fn all_connections(
        &self,
        ids: Option<&[ConnectionId]>,
    ) -> Result<Vec<ConnectionView>, Refusal> {
        let now = self.now();
        let gone = self.gone_before(now);
        let mut db = self.store().reader().await?;
        let all = connections::every(&mut db, gone).await?;
        let found = super::chosen(all, ids, |c| c.id);
        Ok(found.into_iter().map(|c| connection_view(c.as_of(now))).collect())
    }

    /// Every account's, in order of creation.
    pub async fn all_interfaces(&self) -> Result<Vec<InterfaceView>, Refusal> {
        let now = self.now();
        let mut db = self.store().snapshot().await?;
        let all = interfaces::every(&mut db, self.gone_before(now)).await?;
        // An interface is never deleted after its connection: none that shows lacks it.
        let connections = connections::every(&mut db, GoneBefore::EVER).await?;
        let connections: BTreeMap<_, _> = connections.into_iter().map(|c| (c.id, c)).collect();
        let view = |i: Interface| {
            let connection = connections.get(&i.connection)?.clone();
            Some(view(i, connection, now))
        };
        Ok(all.into_iter().filter_map(view).collect())
    }

    /// Every account's, in order of creation.
    pub async fn all_nics(&self) -> Result<Vec<PlacedNic>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let nets: BTreeMap<_, Net> =
            nets::every(&mut db).await?.into_iter().map(|net| (net.id, net)).collect();
        let subnets: BTreeMap<_, Subnet> =
            nets::every_subnet(&mut db).await?.into_iter().map(|s| (s.id, s)).collect();
        let view = |nic: Nic| {
            let (subnet, net) = (subnets.get(&nic.subnet)?, nets.get(&nic.net)?);
            Some(PlacedNic { subnet: subnet.clone(), net: net.clone(), nic })
        };
        Ok(nics::every(&mut db).await?.into_iter().filter_map(view).collect())
    }

    /// Says behind which fabric address a NIC lives.
    pub async fn place_nic(&self, c: PlaceNic) -> Result<Nic, Refusal> {
        let now = self.now();
        write_tx!(self, false, |tx| {
            let nic = nics::by_id(tx, c.nic).await?;
            let mut nic = nic.ok_or(Fault::NoSuchNic(c.nic))?;
            if nic.vtep != c.vtep {
                nic.vtep = c.vtep;
                nics::place(tx, nic.id, nic.vtep).await?;
                plans::mark_net(tx, nic.net).await?;
                let place = c.vtep.map_or_else(|| "nowhere".to_owned(), |vtep| vtep.to_string());
                record(tx, nic.id, "NIC placed", place, now).await?;
            }
            Ok(nic)
        })
    }

    /// Moves a virtual clock on, and says what it shows then. `Fault::BadValue` where it is the real one.
    pub async fn advance_clock(&self, by: SignedDuration) -> Result<Timestamp, Refusal> {
        let bad = |expected: &str| Fault::BadValue {
            parameter: "seconds",
            given: by.as_secs().to_string(),
            expected: expected.into(),
        };
        if by.is_negative() {
            return Err(bad("time does not go back").into());
        }
        let ahead =
            self.parts().clock.advance(by).ok_or_else(|| bad("this clock is the real one"))?;
        let now = self.now();
        let ahead_us = ahead.as_micros().to_string();
        write_tx!(self, false, |tx| {
            sites::set(tx, CLOCK_SETTING, ahead_us.clone()).await?;
            record(tx, "clock", "clock advanced", format!("{by:#}"), now).await
        })?;
        self.parts().wake.notify_one();
        self.parts().wake_mail.notify_one();
        Ok(now)
    }
}

/// A reason is for people: 1 to 500 characters, none of which moves a cursor.
pub(super) fn check_reason(reason: &str) -> Result<(), Fault> {
    let good = (1..=500).contains(&reason.chars().count()) && !reason.chars().any(char::is_control);
    match good && !reason.trim().is_empty() {
        true => Ok(()),
        false => Err(Fault::BadValue {
            parameter: "reason",
            given: reason.escape_default().to_string(),
            expected: "it has 1 to 500 characters, none of them a control character".into(),
        }),
    }
}

/// What its fibre will run through.
fn cross_connect(connection: ConnectionId, port: &Port, now: Timestamp) -> CrossConnect {
    CrossConnect {
        connection,
        port: port.at(),
        position: port.position.clone(),
        ordered_at: now,
        patched: None,
        unpatched: None,
    }
}

impl App {
    /// The wanted port, if it is one that the order can have.
    async fn fitting_port(
        &self,
        tx: &mut Tx,
        (connection, bundle): (&Connection, Option<&Bundle>),
        at: &PortRef,
    ) -> Result<Port, Refusal> {
        let port = sites::port(tx, at).await?.ok_or_else(|| Fault::NoSuchPort(at.clone()))?;
        let router = sites::router(tx, &port.router).await?;
        let router = router.ok_or_else(|| Fault::NoSuchRouter(port.router.clone()))?;
        let seen = self.parts().agents.transceiver(at);
        let candidate = Candidate { port: &port, location: &router.location, seen: seen.as_ref() };
        candidate.check(&connection.location, connection.bandwidth)?;
        if let Some((ours, lag)) = bundle.and_then(|b| Some((b.router()?, b.lag.id)))
            && port.router != *ours
        {
            let why = format!("the other members of {lag} end at {ours}, and so must it");
            return Err(Fault::PortDoesNotFit { port: at.clone(), why }.into());
        }
        if connections::holding(tx, at).await?.is_some() {
            return Err(Fault::PortTaken(at.clone()).into());
        }
        if let Some(unclaimed) = sites::unclaimed_light(tx, at).await? {
            unclaimed.check(at)?;
        }
        Ok(port)
    }

    /// Of a LAG the first member takes a router that has room for all.
    async fn first_free_port(
        &self,
        tx: &mut Tx,
        (connection, bundle): (&Connection, Option<&Bundle>),
    ) -> Result<Port, Refusal> {
        let count = match bundle {
            Some(bundle) if bundle.router().is_none() => bundle.members.len(),
            Some(_) | None => 1,
        };
        let what = (&connection.location, connection.bandwidth);
        let free = self.suitable_ports(tx, what).await?;
        let router = bundle.and_then(Bundle::router);
        Ok(first_of(free, router, count).ok_or_else(|| match bundle {
            Some(bundle) => no_room(bundle, count),
            None => no_capacity(&connection.location, connection.bandwidth),
        })?)
    }
}

async fn record(
    tx: &mut Tx,
    subject: impl fmt::Display,
    what: &str,
    why: impl fmt::Display,
    now: Timestamp,
) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&Actor::Operator, now), subject, what, why).await?)
}
