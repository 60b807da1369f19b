//! What can be read of a Region. Each dialect turns a view into its own shape; a total `match`
//! over each state makes sure that none is forgotten.

use crate::{
    connection::{Connection, ConnectionState},
    gateway::Gateway,
    ids::SecurityGroupId,
    interface::{Interface, InterfaceState},
    lag::{Lag, LagState},
    net::{Nic, Subnet},
    quota::Quota,
    route_table::{Route, RouteTable},
    security_group::SecurityGroup,
};
use std::collections::BTreeMap;

/// A connection and the state that its facts show at the time of reading.
#[derive(Clone, Debug)]
pub struct ConnectionView {
    pub connection: Connection,
    pub state: ConnectionState,
}

/// A LAG, its state, and its members in order of creation.
#[derive(Clone, Debug)]
pub struct LagView {
    pub lag: Lag,
    pub state: LagState,
    pub members: Vec<ConnectionView>,
}

/// An interface, its state, and what the dialects show of its connection.
#[derive(Clone, Debug)]
pub struct InterfaceView {
    pub interface: Interface,
    pub state: InterfaceState,
    pub connection: Connection,
}

#[derive(Clone, Debug)]
pub struct GatewayView {
    pub gateway: Gateway,
}

#[derive(Clone, Debug)]
pub struct SubnetView {
    pub subnet: Subnet,
    pub available_addresses: u32,
}

#[derive(Clone, Debug)]
pub struct NicView {
    pub nic: Nic,
    pub subnet: Subnet,
}

#[derive(Clone, Debug)]
pub struct RouteTableView {
    pub table: RouteTable,
    pub routes: Vec<Route>,
}

/// A group, with the names of the groups in its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroupView {
    pub group: SecurityGroup,
    pub names: BTreeMap<SecurityGroupId, String>,
}

/// How much of a quota an account has, and how much it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaView {
    pub quota: Quota,
    pub limit: u32,
    /// Of what is counted for each of several things, the most that one of them has.
    pub used: u32,
}
