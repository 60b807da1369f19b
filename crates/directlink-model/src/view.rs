//! What can be read of a Region. Each dialect turns a view into its own shape; a total `match`
//! over each state makes sure that none is forgotten.

use crate::{
    connection::{Connection, ConnectionState},
    gateway::Gateway,
    interface::{Interface, InterfaceState},
    net::{Nic, Subnet},
    route_table::{Route, RouteTable},
};

/// A connection and the state that its facts show at the time of reading.
#[derive(Clone, Debug)]
pub struct ConnectionView {
    pub connection: Connection,
    pub state: ConnectionState,
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
