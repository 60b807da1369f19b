//! What a router says of a port: composed from what is seen, never from what is hoped. Pure.

use crate::{
    diff::{Difference, Subject},
    kernel::Facts,
    observed::Observed,
    routes::{RouteRows, Via},
    sessions::{Heard, Session},
    wanted::Wanted,
};
use directlink_model::{
    ids::{InterfaceId, PortName},
    report::{InterfaceReport, LearnedRoute, PortReport, RefusedRoute, SessionReport},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a pass over the kernel left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) observed: Observed,
    /// What is still to be done.
    pub(crate) difference: Difference,
    /// What was tried and failed.
    pub(crate) failures: BTreeMap<Subject, String>,
}

/// All that is known of one port.
pub(crate) struct Seen<'a> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) outcome: &'a Outcome,
    pub(crate) facts: &'a Facts,
    pub(crate) rows: &'a RouteRows,
    pub(crate) vias: &'a BTreeMap<InterfaceId, Via>,
    pub(crate) heard: &'a Heard,
}

impl Outcome {
    /// Why the interface is not as the plan says, if there is a reason to tell.
    pub(crate) fn failure(&self, wanted: &Wanted, id: InterfaceId) -> Option<String> {
        let subject = Subject::Interface(id);
        let refused = || wanted.refused.get(&id).map(|(_, why)| why.clone());
        let blocked = |subject| self.difference.blocked.get(subject).cloned();
        let failed = |subject| self.failures.get(subject).cloned();
        // A port or an uplink that fails is the interface's failure too.
        let port = wanted.interfaces.get(&id).map(|it| Subject::Port(it.port.clone()));
        let leads_on = wanted.interfaces.get(&id).is_some_and(|it| it.vni.is_some());
        let router = Some(Subject::Router).filter(|_| leads_on);
        refused().or_else(|| failed(&subject)).or_else(|| blocked(&subject)).or_else(|| {
            port.iter()
                .chain(&router)
                .find_map(|subject| failed(subject).or_else(|| blocked(subject)))
        })
    }

    /// VLAN, addresses and rows are as the plan says.
    fn is_configured(&self, wanted: &Wanted, id: InterfaceId) -> bool {
        wanted.interfaces.contains_key(&id)
            && self.failure(wanted, id).is_none()
            && !self.difference.is_about(&Subject::Interface(id))
    }
}

/// The interfaces to speak of on a port: what is there, and what should be. `on` says where
/// each that is there belongs.
pub(crate) fn interfaces_of(
    port: &PortName,
    wanted: &Wanted,
    on: &BTreeMap<InterfaceId, PortName>,
) -> BTreeSet<InterfaceId> {
    let wanted_here = wanted.interfaces.iter().filter(|(_, it)| it.port == *port);
    let refused = wanted.refused.iter().filter(|(_, (p, _))| p == port).map(|(id, _)| *id);
    let there = on.iter().filter(|(_, p)| *p == port).map(|(id, _)| *id);
    wanted_here.map(|(id, _)| *id).chain(refused).chain(there).collect()
}

pub(crate) fn port_report(
    port: PortName,
    applied_generation: u64,
    light: bool,
    ids: BTreeSet<InterfaceId>,
    seen: &Seen<'_>,
) -> PortReport {
    let interface = |id| (id, interface_report(id, seen));
    PortReport {
        port,
        applied_generation,
        light,
        interfaces: ids.into_iter().map(interface).collect(),
    }
}

fn interface_report(id: InterfaceId, seen: &Seen<'_>) -> InterfaceReport {
    let session = seen.heard.sessions.get(&id);
    let vni = seen.wanted.interfaces.get(&id).and_then(|it| it.vni);
    let mut report = InterfaceReport {
        configured: seen.outcome.is_configured(seen.wanted, id),
        failure: seen.outcome.failure(seen.wanted, id),
        session: session.map(session_report).unwrap_or_default(),
        neighbour: seen.facts.neighbours.get(&id).copied(),
        rows_in_kernel: seen.vias.get(&id).is_some_and(|via| seen.rows.has_all_of(via)),
        verdicts: seen.facts.verdicts.get(&id).cloned().unwrap_or_default(),
        ..InterfaceReport::default()
    };
    let Some(routes) = session.map(|session| &session.routes) else { return report };
    report.advertised.clone_from(&routes.advertised);
    for route in &routes.learned {
        let prefix = route.prefix;
        match (&route.refused, &route.attributes) {
            (Some(refusal), _) => {
                report.refused.push(RefusedRoute { prefix, reason: refusal.to_string() });
            }
            (None, attributes) => report.learned.push(LearnedRoute {
                prefix,
                as_path: attributes.as_ref().map(|a| a.as_path.clone()).unwrap_or_default(),
                med: attributes.as_ref().and_then(|a| a.med),
                best: vni.is_some_and(|vni| seen.heard.is_best(vni, &prefix, id)),
            }),
        }
    }
    report
}

fn session_report(session: &Session) -> SessionReport {
    match &session.status {
        Some(status) => SessionReport {
            state: status.bgp.state.name().into(),
            established_since: status.established_since,
            last_error: status.last_error(),
        },
        None => SessionReport::default(),
    }
}
