//! Which virtual gateways an interface can lead to, and what the Net behind each still lacks, with the
//! step that mends it. What the model would refuse is closed; what would only not work yet is said.

use super::super::{
    Cockpit,
    form::{Choice, Choosable},
    page::Trouble,
};
use crate::app::{Context, InterfaceFilter};
use directlink_model::{
    gateway::{Gateway, GatewayState},
    ids::{ConnectionId, NetId},
    net::{Net, Subnet},
    route_table::RouteTable,
    security_group::{Flow, OtherSide, SecurityGroup},
};
use std::collections::BTreeSet;

/// What an account has around its gateways.
pub(in crate::cockpit) struct Surroundings {
    pub(in crate::cockpit) gateways: Vec<Gateway>,
    pub(in crate::cockpit) nets: Vec<Net>,
    pub(in crate::cockpit) subnets: Vec<Subnet>,
    groups: Vec<SecurityGroup>,
    tables: Vec<RouteTable>,
    /// Nets that an interface of the connection reaches already.
    reached: BTreeSet<NetId>,
}

/// Something that is missing, and the call that makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cockpit) struct Missing {
    pub(in crate::cockpit) what: String,
    pub(in crate::cockpit) call: String,
}

impl Surroundings {
    pub(in crate::cockpit) async fn look(
        cockpit: &Cockpit,
        ctx: &Context,
        connection: Option<ConnectionId>,
    ) -> Result<Self, Trouble> {
        let app = &cockpit.app;
        let gateways: Vec<_> =
            app.gateways(ctx, None).await?.into_iter().map(|view| view.gateway).collect();
        let connections = Some(connection.into_iter().collect());
        let filter = InterfaceFilter { connections, ..InterfaceFilter::default() };
        let net_of = |id| gateways.iter().find(|g| g.id == id).and_then(|g| g.net);
        let on = app.interfaces(ctx, &filter).await?;
        let reached = on
            .iter()
            .filter(|view| view.state.is_live())
            .filter_map(|view| view.interface.gateway.and_then(net_of))
            .collect();
        Ok(Self {
            reached,
            nets: app.nets(ctx, None).await?,
            subnets: app.subnets(ctx, None).await?.into_iter().map(|view| view.subnet).collect(),
            groups: app.security_groups(ctx, None).await?.into_iter().map(|v| v.group).collect(),
            tables: app.route_tables(ctx, None).await?.into_iter().map(|v| v.table).collect(),
            gateways,
        })
    }

    /// What stands between an interface at this gateway and traffic, first things first.
    pub(in crate::cockpit) fn missing(&self, gateway: &Gateway) -> Vec<Missing> {
        let Some(net) = gateway.net else {
            return vec![Missing {
                what: "It is attached to no Net".into(),
                call: format!(
                    "osc-cli api LinkVirtualGateway --VirtualGatewayId {} --NetId vpc-…",
                    gateway.id
                ),
            }];
        };
        let mut missing = vec![];
        if !self.subnets.iter().any(|subnet| subnet.net == net) {
            missing.push(Missing {
                what: "Its Net has no Subnet".into(),
                call: format!("osc-cli api CreateSubnet --NetId {net} --IpRange 10.0.1.0/24"),
            });
        }
        let of_net = |group: &&SecurityGroup| group.net == net;
        if !self.groups.iter().filter(of_net).any(admits_outside) {
            missing.push(Missing {
                what: "No security group of its Net allows flows coming from your internal network".into(),
                call: "osc-cli api CreateSecurityGroupRule --SecurityGroupId sg-… --Flow Inbound --IpProtocol -1 --IpRange YOUR-NETWORK".into(),
            });
        }
        let mut tables = self.tables.iter().filter(|table| table.net == net);
        if !tables.any(|table| table.leads_to(gateway.id)) {
            let table = self.tables.iter().find(|table| table.net == net && table.is_main());
            let table = table.map_or_else(|| "rtb-…".to_owned(), |table| table.id.to_string());
            missing.push(Missing {
                what: "No route table of its Net takes the routes that your router announces".into(),
                call: format!("osc-cli api UpdateRoutePropagation --Enable true --RouteTableId {table} --VirtualGatewayId {}", gateway.id),
            });
        }
        missing
    }

    /// The gateways to choose from.
    pub(in crate::cockpit) fn choice(&self, given: &str, complaint: Option<String>) -> Choice {
        let there = |g: &&Gateway| match g.state() {
            GatewayState::Available => true,
            GatewayState::Deleted => false,
        };
        let open: Vec<_> = self.gateways.iter().filter(there).collect();
        let only = open.iter().filter(|g| !self.is_closed(g)).count() == 1;
        let option = |gateway: &Gateway| {
            let closed = self.is_closed(gateway);
            Choosable {
                value: gateway.id.to_string(),
                label: self.label(gateway),
                note: self.note(gateway),
                chosen: !closed && (gateway.id.to_string() == given || (given.is_empty() && only)),
                closed,
            }
        };
        Choice {
            name: "gateway",
            legend: "Virtual gateway",
            options: open.into_iter().map(option).collect(),
            hint: "It must be available; the interface leads to the Net that it is attached to."
                .into(),
            complaint,
        }
    }

    /// The model's rule, told before it must refuse: one interface of a connection for each Net.
    fn is_closed(&self, gateway: &Gateway) -> bool {
        gateway.net.is_some_and(|net| self.reached.contains(&net))
    }

    fn label(&self, gateway: &Gateway) -> String {
        let net = gateway.net.and_then(|id| self.nets.iter().find(|net| net.id == id));
        match net {
            Some(net) => format!("{} → {} ({})", gateway.id, net.id, net.range),
            None => gateway.id.to_string(),
        }
    }

    fn note(&self, gateway: &Gateway) -> String {
        if self.is_closed(gateway) {
            return "This connection reaches its Net already.".into();
        }
        let missing = self.missing(gateway);
        match missing.is_empty() {
            true => "Ready: attached, with a Subnet, admitted by a security group, its routes propagated.".into(),
            false => missing.iter().map(|m| format!("{}. ", m.what)).collect::<String>().trim().to_owned(),
        }
    }

    /// Of all gateways that could be chosen, each step once.
    pub(in crate::cockpit) fn steps(&self) -> Vec<Missing> {
        if self.gateways.iter().all(|g| g.state() != GatewayState::Available) {
            let step = |what: &str, call: &str| Missing { what: what.into(), call: call.into() };
            return vec![
                step("You need a Net", "osc-cli api CreateNet --IpRange 10.0.0.0/16"),
                step(
                    "with at least one Subnet",
                    "osc-cli api CreateSubnet --NetId vpc-… --IpRange 10.0.1.0/24",
                ),
                step(
                    "and a virtual gateway",
                    "osc-cli api CreateVirtualGateway --ConnectionType ipsec.1",
                ),
                step(
                    "attached to it",
                    "osc-cli api LinkVirtualGateway --VirtualGatewayId vgw-… --NetId vpc-…",
                ),
            ];
        }
        let mut steps: Vec<Missing> = vec![];
        for missing in self.gateways.iter().flat_map(|gateway| self.missing(gateway)) {
            if !steps.contains(&missing) {
                steps.push(missing);
            }
        }
        steps
    }
}

/// Whether it lets anything in that is not of the Net's own groups.
fn admits_outside(group: &SecurityGroup) -> bool {
    group.rules.iter().any(|rule| {
        rule.flow == Flow::Inbound && matches!(rule.admission.other, OtherSide::Range(_))
    })
}
