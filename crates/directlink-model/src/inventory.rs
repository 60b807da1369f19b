//! The physical side of a location, and which port an order can have.
//!
//! ```text
//!  customer's fibre ──► front ┌ panel position ┐ back ───────► port of a router ── transceiver
//!                  cross-connect  in a meet-me    wired once,       (optics)
//!                  one connection's     room      by the operator
//! ```
//!
//! The back of a position is wired to a port for good; the front takes the cross-connect of one
//! connection, from its patch to its end. What a hand has patched, a hand ends; what only the light
//! has shown, darkness ends.

use crate::{
    connection::{Bandwidth, Connection, ConnectionState, Light, PortRef},
    evidence::Transceiver,
    fault::{Fault, InventoryFault},
    ids::{BadName, ConnectionId, LocationCode, PanelName, RoomName},
    location::Port,
};
use jiff::{SignedDuration, Timestamp};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// What a transceiver puts on the fibre (IEEE 802.3's names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Optics {
    Sx1000,
    Lx1000,
    Zx1000,
    Sr10G,
    Lr10G,
    Er10G,
}

impl Optics {
    pub const ALL: [Self; 6] =
        [Self::Sx1000, Self::Lx1000, Self::Zx1000, Self::Sr10G, Self::Lr10G, Self::Er10G];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sx1000 => "1000BASE-SX",
            Self::Lx1000 => "1000BASE-LX",
            Self::Zx1000 => "1000BASE-ZX",
            Self::Sr10G => "10GBASE-SR",
            Self::Lr10G => "10GBASE-LR",
            Self::Er10G => "10GBASE-ER",
        }
    }

    pub const fn speed(self) -> Bandwidth {
        match self {
            Self::Sx1000 | Self::Lx1000 | Self::Zx1000 => Bandwidth::OneGbps,
            Self::Sr10G | Self::Lr10G | Self::Er10G => Bandwidth::TenGbps,
        }
    }

    pub const fn wavelength_nm(self) -> u16 {
        match self {
            Self::Sx1000 | Self::Sr10G => 850,
            Self::Lx1000 | Self::Lr10G => 1310,
            Self::Zx1000 | Self::Er10G => 1550,
        }
    }

    /// The one that a bandwidth is sold with.
    pub const fn sold_with(speed: Bandwidth) -> Self {
        match speed {
            Bandwidth::OneGbps => Self::Lx1000,
            Bandwidth::TenGbps => Self::Lr10G,
        }
    }
}

/// As a letter says it: `1000BASE-LX (1310nm)`.
impl fmt::Display for Optics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}nm)", self.as_str(), self.wavelength_nm())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is not an optics: 1000BASE-LX and 10GBASE-LR are sold, SX, ZX, SR and ER are known")]
pub struct BadOptics(pub String);

impl FromStr for Optics {
    type Err = BadOptics;
    fn from_str(text: &str) -> Result<Self, BadOptics> {
        let known = Self::ALL.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text));
        known.ok_or_else(|| BadOptics(text.to_owned()))
    }
}

/// What a panel's positions take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Connector {
    #[default]
    Lc,
    Sc,
}

impl Connector {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lc => "LC",
            Self::Sc => "SC",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is not a connector: LC or SC")]
pub struct BadConnector(pub String);

impl FromStr for Connector {
    type Err = BadConnector;
    fn from_str(text: &str) -> Result<Self, BadConnector> {
        let known = [Self::Lc, Self::Sc].into_iter();
        let mut known = known.filter(|it| it.as_str().eq_ignore_ascii_case(text));
        known.next().ok_or_else(|| BadConnector(text.to_owned()))
    }
}

/// Where customers' fibres and ours meet. A location that has one keeps its inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeetMeRoom {
    pub at: RoomRef,
    /// The building that it is in, as whoever makes the cross-connect knows it.
    pub data_centre: String,
}

/// `PAR1/MMR-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomRef {
    pub location: LocationCode,
    pub room: RoomName,
}

/// `PAR1/MMR-1/PP-07`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PanelRef {
    pub room: RoomRef,
    pub panel: PanelName,
}

/// `PAR1/MMR-1/PP-07/12`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub panel: PanelRef,
    /// From 1.
    pub number: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    pub at: PanelRef,
    pub positions: u16,
    pub connector: Connector,
}

/// No panel is larger.
pub const POSITIONS_MAX: u16 = 1152;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadPlace {
    #[error("'{given}' is not a place: write {form}")]
    Form { given: String, form: &'static str },
    #[error(transparent)]
    Name(#[from] BadName),
}

/// Its words between the slashes.
fn words<'a, const N: usize>(text: &'a str, form: &'static str) -> Result<[&'a str; N], BadPlace> {
    let words: Vec<_> = text.split('/').collect();
    words.try_into().map_err(|_| BadPlace::Form { given: text.to_owned(), form })
}

impl FromStr for RoomRef {
    type Err = BadPlace;
    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let [location, room] = words(text, "LOCATION/ROOM, as in PAR1/MMR-1")?;
        Ok(Self { location: location.parse()?, room: room.parse()? })
    }
}

impl FromStr for PanelRef {
    type Err = BadPlace;
    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let form = "LOCATION/ROOM/PANEL, as in PAR1/MMR-1/PP-07";
        let [location, room, panel] = words(text, form)?;
        let room = RoomRef { location: location.parse()?, room: room.parse()? };
        Ok(Self { room, panel: panel.parse()? })
    }
}

impl FromStr for Position {
    type Err = BadPlace;
    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let form = "LOCATION/ROOM/PANEL/POSITION, as in PAR1/MMR-1/PP-07/12";
        let bad = || BadPlace::Form { given: text.to_owned(), form };
        let (panel, number) = text.rsplit_once('/').ok_or_else(bad)?;
        let number = number.parse().ok().filter(|&number| number > 0).ok_or_else(bad)?;
        Ok(Self { panel: panel.parse().map_err(|_| bad())?, number })
    }
}

impl fmt::Display for RoomRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.location, self.room)
    }
}

impl fmt::Display for PanelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.room, self.panel)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.panel, self.number)
    }
}

/// What is in the port: as its router reads it, else as the operator says, else what is sold.
pub fn optics_of(port: &Port, seen: Option<&Transceiver>) -> Optics {
    let read = seen.and_then(|seen| seen.optics.as_deref()?.parse().ok());
    read.or(port.optics).unwrap_or_else(|| Optics::sold_with(port.speed))
}

/// A port with its place and what its router reads of it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub port: &'a Port,
    pub location: &'a LocationCode,
    pub seen: Option<&'a Transceiver>,
}

impl Candidate<'_> {
    /// Whether a connection there of this speed could have it, or why not.
    pub fn check(&self, location: &LocationCode, speed: Bandwidth) -> Result<(), Fault> {
        let misfit = |why| Err(Fault::PortDoesNotFit { port: self.port.at(), why });
        if self.location != location {
            return misfit(format!("it is at {}, the order is for {location}", self.location));
        }
        let (has, wanted) = (optics_of(self.port, self.seen), Optics::sold_with(speed));
        if self.port.speed != speed || has != wanted {
            return misfit(format!("it has {has}, the order needs {wanted}"));
        }
        Ok(())
    }
}

/// Light on a port that carries nothing: a fibre that nobody ordered, or that was not taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnclaimedLight {
    pub light: Light,
    /// The operator has released the port although it is lit.
    pub is_meant: bool,
}

impl UnclaimedLight {
    /// Light that went has gone after so long: a fibre that is loose in its connector blinks. Ports that
    /// are dark for longer are given first.
    pub const SETTLES: SignedDuration = SignedDuration::from_secs(5);

    /// Whether the next order may have the port, whose connection would be available by this light.
    pub fn check(self, port: &PortRef) -> Result<(), Fault> {
        if !self.light.on || self.is_meant {
            return Ok(());
        }
        let why = format!(
            "it has light since {} and carries nothing: take the fibre out, or release the port if it is meant",
            self.light.since
        );
        Err(Fault::PortDoesNotFit { port: port.clone(), why })
    }
}

/// The ports of one speed at a location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// That fit what is sold at this speed.
    pub ports: usize,
    /// Of these, without a connection, and without the fibre of one that is gone or that nobody ordered.
    pub free: usize,
    /// Orders that wait for one of these.
    pub promised: usize,
}

impl Stock {
    /// Whether so many more orders can hope for a port.
    pub const fn has_room_for(self, orders: usize) -> bool {
        self.free >= self.promised + orders
    }
}

/// One connection's fibre, from the front of a position to the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossConnect {
    pub connection: ConnectionId,
    pub port: PortRef,
    /// `None`: the port was wired to no panel.
    pub position: Option<Position>,
    /// With the approval.
    pub ordered_at: Timestamp,
    pub patched: Option<Act>,
    pub unpatched: Option<Act>,
}

/// That a cross-connect was made, or taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    pub at: Timestamp,
    /// Who did it. `None`: the light tells that it is done, and not by whom.
    pub by: Option<String>,
}

impl CrossConnect {
    /// Whoever made it says so. Light may have told before; their word counts more.
    pub fn patch(&mut self, by: String, at: Timestamp) -> Result<(), InventoryFault> {
        let known = self.patched.as_ref().is_some_and(|act| act.by.is_some());
        if known || self.unpatched.is_some() {
            return Err(InventoryFault::AlreadyPatched(self.connection));
        }
        let at = self.patched.as_ref().map_or(at, |lit| lit.at.min(at));
        self.patched = Some(Act { at, by: Some(by) });
        Ok(())
    }

    /// Whoever took it out says so. Not while its connection lives.
    pub fn unpatch(
        &mut self,
        of: &Connection,
        by: String,
        at: Timestamp,
    ) -> Result<(), InventoryFault> {
        match of.state() {
            ConnectionState::Deleting | ConnectionState::Deleted | ConnectionState::Rejected => {}
            ConnectionState::Ordering
            | ConnectionState::Requested
            | ConnectionState::Pending
            | ConnectionState::Available
            | ConnectionState::Down => return Err(InventoryFault::CrossConnectInUse(of.id)),
        }
        if self.unpatched.is_some() {
            return Err(InventoryFault::NotPatched(self.connection));
        }
        self.unpatched = Some(Act { at, by: Some(by) });
        Ok(())
    }

    /// Light shows that it is made. True if that is news.
    pub fn see_light(&mut self, at: Timestamp) -> bool {
        let news = self.patched.is_none() && self.unpatched.is_none();
        if news {
            self.patched = Some(Act { at, by: None });
        }
        news
    }

    /// Whether darkness alone says that it is gone: nobody has told of having made it.
    pub fn ends_with_light(&self) -> bool {
        self.unpatched.is_some() || self.patched.as_ref().is_none_or(|act| act.by.is_none())
    }

    pub const fn state(&self) -> CrossConnectState {
        match (&self.patched, &self.unpatched) {
            (_, Some(_)) => CrossConnectState::Removed,
            (Some(_), None) => CrossConnectState::Patched,
            (None, None) => CrossConnectState::Awaited,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossConnectState {
    Awaited,
    Patched,
    Removed,
}

impl CrossConnectState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Awaited => "awaited",
            Self::Patched => "patched",
            Self::Removed => "removed",
        }
    }
}

#[cfg(test)]
mod tests;
