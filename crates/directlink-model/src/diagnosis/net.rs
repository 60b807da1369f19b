//! Behind the gateway: the Net, its rules, and whether packets get through both ways.

use super::{Case, Judgement, OURS, bad, good, open, sign};
use crate::{
    evidence::FreshEchoes,
    gateway::Gateway,
    net::{Net, Nic, Subnet},
    route_table::{self, RouteTable},
    security_group::{Flow, OtherSide, SecurityGroup},
};
use directlink_net::IpNet;
use jiff::SignedDuration;
use std::net::IpAddr;

/// What the account has behind the interface's gateway.
#[derive(Clone, Debug, Default)]
pub struct Behind {
    pub gateway: Option<Gateway>,
    /// The one that it is attached to, with what is in it.
    pub net: Option<Net>,
    pub subnets: Vec<Subnet>,
    pub nics: Vec<Nic>,
    pub groups: Vec<SecurityGroup>,
    pub tables: Vec<RouteTable>,
}

/// Large echoes in a row that nobody answers, while small ones are.
const LOST_ECHOES: u32 = 3;
/// Traffic of one way alone for so long has no way back.
const ONE_WAY: SignedDuration = SignedDuration::from_secs(60);
/// Fewer packets say nothing.
const ONE_WAY_PACKETS: u64 = 5;

/// The verdict on packets that no security group admits.
pub(super) const DENIED: &str = "denied_by_security_group";
/// The verdict on packets that the route table of their NIC's Subnet does not send to the gateway.
pub(super) const UNROUTED: &str = "not_in_route_table";

impl Case<'_> {
    fn net(&self) -> Result<(&Behind, &Net), Judgement> {
        let behind = self.facts.behind.ok_or_else(|| open("the Net is its owner's to see"))?;
        let net = behind.net.as_ref().ok_or_else(|| open("there is no Net"))?;
        Ok((behind, net))
    }

    pub(super) fn gateway(&self) -> Judgement {
        let Some(behind) = self.facts.behind else { return open("it is its owner's to see") };
        let Some(gateway) = &behind.gateway else {
            return bad(
                sign("the interface leads to no virtual gateway"),
                "Create a virtual gateway (CreateVirtualGateway) and an interface that leads to it.",
            );
        };
        match &behind.net {
            Some(net) => good(format!("{} is attached to {}", gateway.id, net.id)),
            None => bad(
                sign(format!("{} is attached to no Net", gateway.id)),
                format!(
                    "Attach it: osc-cli api LinkVirtualGateway --VirtualGatewayId {} --NetId vpc-…",
                    gateway.id
                ),
            ),
        }
    }

    pub(super) fn subnet(&self) -> Judgement {
        let (behind, net) = match self.net() {
            Ok(found) => found,
            Err(unknown) => return unknown,
        };
        match behind.subnets.len() {
            0 => bad(
                sign(format!("{} has no Subnet", net.id)),
                format!(
                    "Make one: osc-cli api CreateSubnet --NetId {} --IpRange RANGE, within {}",
                    net.id, net.range
                ),
            ),
            n => good(format!("{} has {n}", net.id)),
        }
    }

    /// Without a Net there is nothing to tell, and nothing to forward to.
    fn leads_nowhere(&self) -> bool {
        self.facts.behind.is_some_and(|behind| behind.net.is_none())
    }

    pub(super) fn advertised(&self) -> Judgement {
        if self.leads_nowhere() {
            return open("there is no Net");
        }
        let told = &self.said.advertised;
        match (self.is_established(), told.is_empty()) {
            (false, _) => open("no session"),
            (true, false) => {
                let words: Vec<_> = told.iter().map(ToString::to_string).collect();
                good(words.join(", "))
            }
            (true, true) => bad(sign("your router is told nothing of the Net"), OURS),
        }
    }

    pub(super) fn forwarding(&self) -> Judgement {
        if self.leads_nowhere() {
            return open("there is no Net");
        }
        let seen = self.facts.report.seen(self.facts.interface.id, self.peer.id);
        match (self.is_established(), seen.forwarding) {
            (false, _) => open("no session"),
            (true, true) => good(format!("{} prefixes lead to you", self.said.learned.len())),
            (true, false) => bad(sign("its rows are not in the router's kernel"), OURS),
        }
    }

    /// Or routes by hand, which do as well. Of the Subnets that have NICs; of all, while there is no NIC.
    pub(super) fn propagation(&self) -> Judgement {
        let (behind, net) = match self.net() {
            Ok(found) => found,
            Err(unknown) => return unknown,
        };
        let Some(gateway) = behind.gateway.as_ref().map(|it| it.id) else {
            return open("there is no gateway");
        };
        if behind.subnets.is_empty() {
            return open("there is no Subnet");
        }
        let has_nic = |subnet: &&Subnet| behind.nics.iter().any(|nic| nic.subnet == subnet.id);
        let table = |subnet: &Subnet| route_table::of_subnet(&behind.tables, subnet.id);
        let leads = |subnet: &&Subnet| table(subnet).is_some_and(|it| it.leads_to(gateway));
        let in_use = behind.subnets.iter().filter(|it| behind.nics.is_empty() || has_nic(it));
        let (leading, others): (Vec<_>, Vec<_>) = in_use.partition(leads);
        let dropped = self.facts.report.verdicts.get(UNROUTED).copied();
        let dropped_at = self.facts.report.evidence.rose_at.get(UNROUTED).copied();
        let dropped = dropped.map_or(String::new(), |n| format!("; {n} packets were dropped"));
        if let Some(table) = leading.first().and_then(|subnet| table(subnet)) {
            let others: String =
                others.iter().map(|it| format!("; that of {} does not", it.range)).collect();
            return good(format!("{} takes the routes of {gateway}{others}{dropped}", table.id));
        }
        let main = behind.tables.iter().find(|table| table.is_main());
        let missing = others.first().and_then(|subnet| table(subnet)).or(main);
        bad(
            sign(format!("no route table of {} leads to {gateway}{dropped}", net.id))
                .at(dropped_at),
            format!(
                "Turn it on: osc-cli api UpdateRoutePropagation --Enable true --RouteTableId {} --VirtualGatewayId {gateway}",
                missing.map_or_else(|| "rtb-…".to_owned(), |table| table.id.to_string())
            ),
        )
    }

    /// Of the groups that NICs have; of all, while there is no NIC.
    pub(super) fn security_group(&self) -> Judgement {
        let (behind, net) = match self.net() {
            Ok(found) => found,
            Err(unknown) => return unknown,
        };
        let in_use = |group: &&SecurityGroup| {
            let of = |nic: &Nic| nic.security_groups.contains(&group.id);
            behind.nics.is_empty() || behind.nics.iter().any(of)
        };
        let theirs: Vec<IpNet> = self.said.learned.iter().map(|route| route.prefix).collect();
        let admits = |group: &&SecurityGroup| group.admits_any_of(&theirs);
        let denied = self.facts.report.verdicts.get(DENIED).copied();
        let denied_at = self.facts.report.evidence.rose_at.get(DENIED);
        let denied = denied.map_or(String::new(), |n| format!("; {n} packets were denied"));
        match behind.groups.iter().filter(in_use).find(admits) {
            Some(group) => good(format!("{} does{denied}", group.id)),
            None => bad(
                sign(format!(
                    "no security group of a NIC of {} admits anything from you{denied}",
                    net.id
                ))
                .at(denied_at.copied()),
                format!(
                    "Admit it: osc-cli api CreateSecurityGroupRule --SecurityGroupId sg-… --Flow Inbound --IpProtocol -1 --IpRange {}",
                    theirs.first().map_or_else(|| "YOUR-RANGE".to_owned(), ToString::to_string)
                ),
            ),
        }
    }

    pub(super) fn mtu(&self) -> Judgement {
        let customer = self.peer.addresses.customer().addr();
        if let Some(judged) = self.mtu_now(customer) {
            return judged;
        }
        let Some(echoes) = self.facts.report.evidence.echoes.get(&customer) else {
            return open("not tried yet");
        };
        let (small, full) = (echoes.small_answered_at, echoes.full_answered_at);
        let bytes = echoes.full_bytes;
        if small.is_none_or(|at| !self.is_recent(at)) {
            return open(format!("{customer} answers no echo, so that it cannot be tried"));
        }
        match echoes.full_unanswered >= LOST_ECHOES {
            false => Judgement::Good(sign(format!("{customer} answers {bytes} bytes")).at(full)),
            true => bad(
                sign(format!(
                    "{customer} answers small packets, but none of {bytes} bytes ({} in a row)",
                    echoes.full_unanswered
                ))
                .at(small),
                format!(
                    "Raise the MTU to {bytes} on every device between, or lower the interface's (UpdateDirectLinkInterface --Mtu) to what they carry."
                ),
            ),
        }
    }

    /// As the echoes of this moment say; `None`: there were none.
    fn mtu_now(&self, customer: IpAddr) -> Option<Judgement> {
        let (at, echoes) = (self.facts.fresh?.until, self.fresh()?.echoes?);
        let FreshEchoes { small_answered, full_bytes: bytes, full_asked, full_answered } = echoes;
        let lost = full_answered == 0 && full_asked >= LOST_ECHOES;
        Some(match (small_answered, lost) {
            (0, _) if full_answered == 0 => {
                open(format!("{customer} answers no echo, so that it cannot be tried"))
            }
            (_, false) => Judgement::Good(sign(format!("{customer} answers {bytes} bytes")).at(at)),
            (_, true) => bad(
                sign(format!(
                    "{customer} answers small packets, but none of {bytes} bytes ({full_asked} in a row)"
                ))
                .at(at),
                format!(
                    "Raise the MTU to {bytes} on every device between, or lower the interface's (UpdateDirectLinkInterface --Mtu) to what they carry."
                ),
            ),
        })
    }

    /// Packets from sources that nothing leads back to; packets that nobody answers.
    pub(super) fn return_route(&self) -> Judgement {
        if !self.is_established() {
            return open("no session");
        }
        let (evidence, verdicts) = (&self.facts.report.evidence, &self.facts.report.verdicts);
        let count = |name: &str| verdicts.get(name).copied().unwrap_or_default();
        let rose = |name: &str| evidence.rose_at.get(name).copied();
        if let Some(at) = rose("source_not_announced").filter(|at| self.is_recent(*at)) {
            return bad(
                sign(format!(
                    "{} packets came from sources that your router does not announce",
                    count("source_not_announced")
                ))
                .at(at),
                "Announce the networks that these packets come from: nothing leads back to them.",
            );
        }
        let (out, back) = (count("forwarded_to_customer"), count("forwarded_to_net"));
        let goes_out = rose("forwarded_to_customer").filter(|at| self.is_recent(*at));
        let comes_back = rose("forwarded_to_net").is_some_and(|at| self.is_within(at, ONE_WAY));
        match goes_out {
            Some(at) if out >= ONE_WAY_PACKETS && !comes_back => bad(
                sign(format!("{out} packets went out to you, and none comes back")).at(at),
                "See that your network has a route to the Net by way of this router, and lets its packets in.",
            ),
            Some(_) | None => good(format!("{out} packets to you, {back} to the Net")),
        }
    }
}

impl SecurityGroup {
    /// Whether a rule lets something in from one of these ranges; from any range, where none is given.
    fn admits_any_of(&self, ranges: &[IpNet]) -> bool {
        let touches = |range: &IpNet| {
            let meets = |other: &IpNet| other.contains(range) || range.contains(other);
            ranges.is_empty() || ranges.iter().any(meets)
        };
        self.rules.iter().filter(|rule| rule.flow == Flow::Inbound).any(|rule| {
            match &rule.admission.other {
                OtherSide::Range(range) => touches(range),
                OtherSide::Group(_) => false,
            }
        })
    }
}
