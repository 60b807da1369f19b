//! What the inventory refuses.

use super::MaintenanceFault;
use crate::{
    connection::PortRef,
    ids::ConnectionId,
    inventory::{PanelRef, Position, RoomRef},
};
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InventoryFault {
    #[error("The meet-me room '{0}' doesn't exist.")]
    NoSuchRoom(RoomRef),
    #[error("The panel '{0}' doesn't exist.")]
    NoSuchPanel(PanelRef),
    #[error("The panel '{panel}' has no position {number}: it has {positions}.")]
    NoSuchPosition { panel: PanelRef, number: u16, positions: u16 },
    #[error("The DirectLink '{0}' has no cross-connect: it was never approved.")]
    NoCrossConnect(ConnectionId),
    #[error("The back of '{position}' is wired to '{port}' already.")]
    PositionTaken { position: Box<Position>, port: PortRef },
    #[error(
        "The port '{port}' carries '{connection}', whose letter names '{position}': it can be wired anew when that is gone."
    )]
    PortWired { port: PortRef, connection: ConnectionId, position: Box<Position> },
    #[error("The port '{port}' is at another location than the position '{position}'.")]
    Apart { port: PortRef, position: Box<Position> },
    #[error("The cross-connect of '{0}' is made already, and it is known by whom.")]
    AlreadyPatched(ConnectionId),
    #[error("The cross-connect of '{0}' is not there any more.")]
    NotPatched(ConnectionId),
    #[error(
        "The DirectLink '{0}' lives: its cross-connect is taken out when its deletion is asked."
    )]
    CrossConnectInUse(ConnectionId),
    #[error("The Letter of Authorization of '{0}' has run out. Renew it: then it is sent.")]
    LetterLapsed(ConnectionId),
    #[error(
        "The fibre of '{0}' is plugged: its Letter of Authorization has served, and needs no renewal."
    )]
    LetterServed(ConnectionId),
    /// Of work on what there is.
    #[error(transparent)]
    Maintenance(#[from] MaintenanceFault),
}
