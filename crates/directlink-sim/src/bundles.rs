//! What must hold of what shares a wire, or several: LAGs, hosted connections, and of interfaces that are worked on.

use crate::{
    checks::Facts,
    region::{Any, Sim},
};
use directlink_model::{
    connection::{ConnectionState, PortRef},
    interface::InterfaceState,
    lag::LagState,
    view::ConnectionView,
};
use std::collections::BTreeMap;

/// A VLAN of a LAG is one interface's; members end at one router; shares are not more than the wire, and each VLAN of
/// a wire is one share's or one interface's.
pub(crate) fn check(facts: &Facts) -> Result<(), Any> {
    let mut vlans = BTreeMap::new();
    for view in facts.interfaces.iter().filter(|view| view.state.is_live()) {
        let it = &view.interface;
        let Some(lag) = it.lag else { continue };
        if let Some(other) = vlans.insert((lag, it.vlan), it.id) {
            return Err(format!("{other} and {} of {lag} have one VLAN", it.id).into());
        }
    }
    for view in &facts.lags {
        let mut routers = view.members.iter().filter_map(|it| Some(&port(it)?.router));
        let first = routers.next();
        if routers.any(|other| Some(other) != first) {
            return Err(format!("members of {} end at several routers", view.lag.id).into());
        }
    }
    check_shares(facts)
}

fn port(view: &ConnectionView) -> Option<&PortRef> {
    view.connection.approval.as_ref().map(|approval| &approval.port)
}

fn check_shares(facts: &Facts) -> Result<(), Any> {
    let mut vlans = BTreeMap::new();
    let mut taken: BTreeMap<_, u64> = BTreeMap::new();
    let is_over = |state| matches!(state, ConnectionState::Deleted | ConnectionState::Rejected);
    for view in facts.connections.iter().filter(|view| !is_over(view.state)) {
        let it = &view.connection;
        let Some(share) = &it.hosting else { continue };
        if let Some(other) = vlans.insert((share.parent, share.vlan), it.id.to_string()) {
            return Err(format!("{other} and {} have one VLAN", it.id).into());
        }
        let sum = taken.entry(share.parent).or_default();
        *sum += share.capacity.bits_per_second();
        if *sum > it.bandwidth.bits_per_second() {
            return Err(format!("shares of {} are more than it has", share.parent).into());
        }
    }
    for view in facts.interfaces.iter().filter(|view| view.state.is_live()) {
        let it = &view.interface;
        if let Some(share) = vlans.get(&(it.connection, it.vlan)) {
            return Err(format!("{share} and {} have one VLAN", it.id).into());
        }
    }
    Ok(())
}

impl Sim<'_> {
    /// Interfaces of a LAG are on a member that has light, if one has; and nothing is drained any more.
    pub(crate) fn followers(&self, facts: &Facts) -> Option<String> {
        for view in &facts.interfaces {
            let (it, state) = (&view.interface, view.state);
            if it.drain.is_some() && state.is_wanted() {
                return Some(format!("{} is drained, and nobody works on it", it.id));
            }
            if state == InterfaceState::Testing {
                return Some(format!("{} is tested still", it.id));
            }
            let lag = facts.lags.iter().find(|lag| Some(lag.lag.id) == it.lag);
            let Some(lag) = lag.filter(|lag| lag.state != LagState::Deleted && state.is_wanted())
            else {
                continue;
            };
            let carrier = lag.members.iter().find(|member| member.connection.id == it.connection);
            let Some(carrier) = carrier else {
                return Some(format!("{} is on no member of {}", it.id, lag.lag.id));
            };
            let is_lit = |member: &ConnectionView| member.state == ConnectionState::Available;
            if !is_lit(carrier) && lag.members.iter().any(is_lit) {
                return Some(format!("{} is on a dark member of {}", it.id, lag.lag.id));
            }
        }
        None
    }
}
