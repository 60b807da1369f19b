//! A virtual gateway: where a Net and its DirectLink interfaces meet.

use crate::{
    fault::Fault,
    ids::{AccountId, GatewayId, NetId},
};
use jiff::Timestamp;

/// The facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    pub id: GatewayId,
    pub account: AccountId,
    pub net: Option<NetId>,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GatewayState {
    Available,
    Deleted,
}

impl GatewayState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Deleted => "deleted",
        }
    }
}

impl Gateway {
    pub const fn state(&self) -> GatewayState {
        match self.deleted_at {
            None => GatewayState::Available,
            Some(_) => GatewayState::Deleted,
        }
    }

    /// An interface may lead to it only while it is available.
    pub const fn check_available(&self) -> Result<(), Fault> {
        match self.state() {
            GatewayState::Available => Ok(()),
            GatewayState::Deleted => Err(Fault::GatewayNotAvailable(self.id)),
        }
    }

    /// Attaches it to a Net; `other` is the gateway that the Net already has.
    pub fn link(&mut self, net: NetId, other: Option<GatewayId>) -> Result<(), Fault> {
        self.check_available()?;
        match (self.net, other) {
            (Some(at), _) => Err(Fault::GatewayLinked { gateway: self.id, net: at }),
            (None, Some(gateway)) => Err(Fault::NetHasGateway { net, gateway }),
            (None, None) => {
                self.net = Some(net);
                Ok(())
            }
        }
    }

    pub fn unlink(&mut self, net: NetId) -> Result<(), Fault> {
        match self.net == Some(net) {
            true => {
                self.net = None;
                Ok(())
            }
            false => Err(Fault::GatewayNotLinked { gateway: self.id, net }),
        }
    }

    /// `interfaces`: the live ones that lead to it.
    pub fn delete(&mut self, interfaces: usize, now: Timestamp) -> Result<(), Fault> {
        match (self.state(), self.net, interfaces) {
            (GatewayState::Deleted, _, _) => Err(Fault::NoSuchGateway(self.id)),
            (_, Some(net), _) => Err(Fault::GatewayLinked { gateway: self.id, net }),
            (_, None, 1..) => {
                Err(Fault::GatewayHasInterfaces { gateway: self.id, count: interfaces })
            }
            (_, None, 0) => {
                self.deleted_at = Some(now);
                Ok(())
            }
        }
    }
}
