//! The operator's side of the physical world: meet-me rooms, panels, what ports are wired to, and the
//! cross-connects of connections.

use super::{App, Refusal, check_name, write_tx};
use crate::store::{
    Tx, connections, inventory,
    journal::{self, Actor},
    sites,
};
use directlink_model::{
    Fault,
    command::{AddPanel, AddRoom, ChangePort, RecordPatch},
    connection::{Bandwidth, Connection, PortRef},
    fault::InventoryFault,
    ids::{AccountId, ConnectionId, LocationCode},
    inventory::{CrossConnect, MeetMeRoom, Optics, POSITIONS_MAX, Panel, Position, RoomRef},
    location::Port,
};
use jiff::Timestamp;
use std::{collections::BTreeMap, fmt};

/// A list of cross-connects shows so many.
pub const CROSS_CONNECTS_MAX: usize = 200;

/// A room and the panels in it.
#[derive(Clone, Debug)]
pub struct RoomView {
    pub room: MeetMeRoom,
    pub panels: Vec<PanelView>,
}

#[derive(Clone, Debug)]
pub struct PanelView {
    pub panel: Panel,
    /// By the number of the position; the others are bare.
    pub wired: BTreeMap<u16, WiredView>,
}

#[derive(Clone, Debug)]
pub struct WiredView {
    pub port: PortRef,
    /// Whose fibre is, or shall be, in its front.
    pub connection: Option<ConnectionId>,
}

#[derive(Clone, Debug)]
pub struct CrossConnectView {
    pub cross_connect: CrossConnect,
    pub name: String,
    pub account: AccountId,
    pub location: LocationCode,
}

impl App {
    /// From now on the location has only the ports that are told of.
    pub async fn add_room(&self, c: AddRoom) -> Result<MeetMeRoom, Refusal> {
        if let Some(name) = &c.data_centre {
            check_name("data_centre", name)?;
        }
        let now = self.now();
        write_tx!(self, false, |tx| {
            let location = sites::location(tx, c.at.location.as_str()).await?;
            let location =
                location.ok_or_else(|| Fault::NoSuchLocation(c.at.location.to_string()))?;
            if room(tx, &c.at).await?.is_some() {
                return Err(Fault::AlreadyExists(c.at.to_string()).into());
            }
            let data_centre = c.data_centre.clone().unwrap_or(location.name);
            let room = MeetMeRoom { at: c.at.clone(), data_centre };
            inventory::insert_room(tx, &room).await?;
            record(tx, &room.at, ("meet-me room added", &room.data_centre), now).await?;
            Ok(room)
        })
    }

    pub async fn add_panel(&self, c: AddPanel) -> Result<Panel, Refusal> {
        if !(1..=POSITIONS_MAX).contains(&c.positions) {
            return Err(Refusal::Fault(Fault::BadValue {
                parameter: "positions",
                given: c.positions.to_string(),
                expected: format!("a panel has 1 to {POSITIONS_MAX}"),
            }));
        }
        let now = self.now();
        let panel = Panel { at: c.at, positions: c.positions, connector: c.connector };
        write_tx!(self, false, |tx| {
            let room = room(tx, &panel.at.room).await?;
            room.ok_or_else(|| InventoryFault::NoSuchRoom(panel.at.room.clone()))
                .map_err(Fault::from)?;
            if inventory::panels(tx).await?.iter().any(|other| other.at == panel.at) {
                return Err(Fault::AlreadyExists(panel.at.to_string()).into());
            }
            inventory::insert_panel(tx, &panel).await?;
            let what = format!("{} positions, {}", panel.positions, panel.connector.as_str());
            record(tx, &panel.at, ("panel added", &what), now).await?;
            Ok(panel.clone())
        })
    }

    /// What is in a port, and where its fibre ends. The letter of a connection that it carries names
    /// that place: so it is only given, not changed, as long as there is one.
    pub async fn change_port(&self, c: ChangePort) -> Result<Port, Refusal> {
        let now = self.now();
        write_tx!(self, false, |tx| {
            let port = sites::port(tx, &c.port).await?;
            let mut port = port.ok_or_else(|| Fault::NoSuchPort(c.port.clone()))?;
            if let Some(optics) = c.optics {
                check_optics(optics, port.speed)?;
                port.optics = optics;
            }
            if let Some(position) = &c.position {
                rewire(tx, &mut port, position.clone()).await?;
            }
            sites::update_port(tx, &port).await?;
            let place =
                port.position.as_ref().map_or_else(|| "no panel".into(), Position::to_string);
            let optics = port.optics.map_or("as sold", |optics| optics.as_str());
            record(tx, &c.port, ("port changed", &format!("{optics}, {place}")), now).await?;
            Ok(port)
        })
    }

    /// In order of their names.
    pub async fn rooms(&self) -> Result<Vec<RoomView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let rooms = inventory::rooms(&mut db).await?;
        let panels = inventory::panels(&mut db).await?;
        let ports = sites::ports(&mut db).await?;
        let holders: BTreeMap<_, _> = connections::holders(&mut db).await?.into_iter().collect();
        let wired = |panel: &Panel| {
            let on = ports.iter().filter_map(|port| {
                let position = port.position.as_ref().filter(|p| p.panel == panel.at)?;
                let connection = holders.get(&port.at()).copied();
                Some((position.number, WiredView { port: port.at(), connection }))
            });
            PanelView { panel: panel.clone(), wired: on.collect() }
        };
        let view = |room: MeetMeRoom| {
            let panels =
                panels.iter().filter(|panel| panel.at.room == room.at).map(wired).collect();
            RoomView { room, panels }
        };
        Ok(rooms.into_iter().map(view).collect())
    }

    /// The newest first.
    pub async fn cross_connects(&self) -> Result<Vec<CrossConnectView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let mut views = Vec::new();
        for cross_connect in inventory::latest(&mut db, CROSS_CONNECTS_MAX).await? {
            views.push(view(&mut db, cross_connect).await?);
        }
        Ok(views)
    }

    /// Somebody has made the cross-connect, and says so.
    pub async fn patch(&self, c: RecordPatch) -> Result<CrossConnectView, Refusal> {
        check_name("by", &c.by)?;
        let now = self.now();
        write_tx!(self, false, |tx| {
            let (_, mut it) = found(tx, c.connection).await?;
            it.patch(c.by.clone(), at(&c, now)?).map_err(Fault::from)?;
            inventory::update(tx, &it).await?;
            record(tx, c.connection, ("cross-connect patched", &c.by), now).await?;
            view(tx, it).await
        })
    }

    /// Somebody has taken it out: the port of a connection that is gone is free.
    pub async fn unpatch(&self, c: RecordPatch) -> Result<CrossConnectView, Refusal> {
        check_name("by", &c.by)?;
        let now = self.now();
        write_tx!(self, false, |tx| {
            let (connection, mut it) = found(tx, c.connection).await?;
            it.unpatch(&connection, c.by.clone(), at(&c, now)?).map_err(Fault::from)?;
            inventory::update(tx, &it).await?;
            record(tx, c.connection, ("cross-connect removed", &c.by), now).await?;
            // Its router may still see light, of a fibre in a wrong place: that must be looked at.
            let lit = self.folded_report(tx, &it.port).await?.is_some_and(|report| report.light);
            if connection.deleted_at.is_some() && !lit {
                connections::free_port(tx, connection.id, now).await?;
                record(tx, &it.port, ("port free", "cross-connect removed"), now).await?;
            }
            view(tx, it).await
        })
    }
}

/// A transceiver of another speed is no fact about this port.
pub(super) fn check_optics(optics: Option<Optics>, speed: Bandwidth) -> Result<(), Fault> {
    match optics.filter(|optics| optics.speed() != speed) {
        Some(optics) => Err(Fault::BadValue {
            parameter: "optics",
            given: optics.as_str().into(),
            expected: format!("the port is one of {speed}"),
        }),
        None => Ok(()),
    }
}

/// When it was done: not in the future, by the Region's clock.
fn at(c: &RecordPatch, now: Timestamp) -> Result<Timestamp, Fault> {
    match c.at {
        Some(at) if at > now => Err(Fault::BadValue {
            parameter: "at",
            given: at.to_string(),
            expected: "what is recorded has happened".into(),
        }),
        Some(at) => Ok(at),
        None => Ok(now),
    }
}

async fn found(tx: &mut Tx, id: ConnectionId) -> Result<(Connection, CrossConnect), Refusal> {
    let connection = connections::by_id(tx, id).await?.ok_or(Fault::NoSuchConnection(id))?;
    let it = inventory::of_connection(tx, id).await?;
    let it = it.ok_or(InventoryFault::NoCrossConnect(id)).map_err(Fault::from)?;
    Ok((connection, it))
}

async fn view(
    db: &mut crate::store::AnyConnection,
    cross_connect: CrossConnect,
) -> Result<CrossConnectView, Refusal> {
    let id = cross_connect.connection;
    let connection = connections::by_id(db, id).await?.ok_or(Fault::NoSuchConnection(id))?;
    let Connection { name, account, location, .. } = connection;
    Ok(CrossConnectView { cross_connect, name, account, location })
}

async fn room(tx: &mut Tx, at: &RoomRef) -> Result<Option<MeetMeRoom>, Refusal> {
    Ok(inventory::rooms(tx).await?.into_iter().find(|room| room.at == *at))
}

/// Whether a port can be wired to the position: it is there, at the same location, and bare.
pub(super) async fn check_position(
    tx: &mut Tx,
    at: &PortRef,
    position: &Position,
) -> Result<(), Refusal> {
    let fault = |fault: InventoryFault| Refusal::Fault(fault.into());
    let panels = inventory::panels(tx).await?;
    let panel = panels.into_iter().find(|panel| panel.at == position.panel);
    let panel = panel.ok_or_else(|| fault(InventoryFault::NoSuchPanel(position.panel.clone())))?;
    if position.number > panel.positions {
        return Err(fault(InventoryFault::NoSuchPosition {
            panel: panel.at,
            number: position.number,
            positions: panel.positions,
        }));
    }
    let router = sites::router(tx, &at.router).await?;
    let router = router.ok_or_else(|| Fault::NoSuchRouter(at.router.clone()))?;
    if router.location != position.panel.room.location {
        let (port, position) = (at.clone(), Box::new(position.clone()));
        return Err(fault(InventoryFault::Apart { port, position }));
    }
    match sites::port_at(tx, position).await? {
        Some(other) if other.at() != *at => {
            let (position, port) = (Box::new(position.clone()), other.at());
            Err(fault(InventoryFault::PositionTaken { position, port }))
        }
        Some(_) | None => Ok(()),
    }
}

async fn rewire(tx: &mut Tx, port: &mut Port, position: Option<Position>) -> Result<(), Refusal> {
    if port.position == position {
        return Ok(());
    }
    let at = port.at();
    if let Some(position) = &position {
        check_position(tx, &at, position).await?;
    }
    if let Some(holder) = connections::holding(tx, &at).await?
        && let Some(mut it) = inventory::of_connection(tx, holder.id).await?
    {
        if let Some(named) = it.position {
            let position = Box::new(named);
            let fault = InventoryFault::PortWired { port: at, connection: holder.id, position };
            return Err(Refusal::Fault(fault.into()));
        }
        it.position.clone_from(&position);
        inventory::update(tx, &it).await?;
    }
    port.position = position;
    Ok(())
}

async fn record(
    tx: &mut Tx,
    subject: impl fmt::Display,
    (what, why): (&str, &str),
    now: Timestamp,
) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&Actor::Operator, now), subject, what, why).await?)
}
