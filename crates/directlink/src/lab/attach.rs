//! What is plugged into a lab from outside: a customer's cable, and a host that is a NIC.

use super::record::Lab;
use crate::client::Operator;
use anyhow::{Context as _, Result, anyhow};
use directlink_lab::{cable::Jack, fabric, host as links};
use directlink_model::{connection::PortRef, ids::NicId};
use directlink_net::{Ipv4Net, Ipv6Net};
use serde::Serialize;
use serde_json::Value;
use std::{
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Printed by `lab host`.
#[derive(Clone, Debug, Serialize)]
pub struct Placed {
    pub nic: NicId,
    pub netns: String,
    pub ifname: String,
    pub address: Ipv4Addr,
    pub gateway: Ipv4Addr,
    pub ipv6_address: Option<Ipv6Addr>,
    pub vtep: Ipv4Addr,
}

/// The port's place in the patch panel.
pub fn jack(lab: &Lab, port: &PortRef) -> Result<Jack> {
    let all = || {
        let ports = lab.seats().into_iter().flat_map(|seat| {
            let name = seat.name.clone();
            seat.ports.into_iter().map(move |port| format!("{name}/{port}"))
        });
        ports.collect::<Vec<_>>().join(", ")
    };
    let unknown = || anyhow!("the lab has no port {port}; it has: {}", all());
    let seat = lab.seats().into_iter().find(|s| s.name == port.router).ok_or_else(unknown)?;
    let number = seat.ports.iter().position(|p| *p == port.port).ok_or_else(unknown)?;
    Ok(Jack { router: seat.number, port: number })
}

/// Makes a namespace that NIC, and tells the Region where it lives.
pub async fn host(
    lab: &Lab,
    operator: &Operator,
    nic: NicId,
    netns: Option<&str>,
) -> Result<Placed> {
    let described = operator.find("nics", &nic.to_string()).await?;
    let facts = facts(nic, &described)?;
    let routers: Vec<_> = lab.seats().iter().map(|s| fabric::router_vtep(s.number)).collect();
    let attached = links::attach(&lab.name, &facts, netns, &routers)?;
    operator.place(&nic.to_string(), Some(&attached.vtep.to_string())).await?;
    Ok(Placed {
        nic,
        netns: attached.netns,
        ifname: attached.ifname,
        address: facts.address.addr(),
        gateway: facts.gateway,
        ipv6_address: facts.ipv6.map(|(net, _)| net.addr()),
        vtep: attached.vtep,
    })
}

fn facts(id: NicId, described: &Value) -> Result<links::Nic> {
    let range: Ipv4Net = parsed(described, "subnet_range")?;
    let address: Ipv4Addr = parsed(described, "address")?;
    let vni = described["vni"].as_u64().and_then(|n| u32::try_from(n).ok()).context("NIC: vni")?;
    Ok(links::Nic {
        id,
        vni: vni.try_into()?,
        mac: parsed(described, "mac")?,
        address: Ipv4Net::new(address, range.prefix_len())?,
        gateway: parsed(described, "gateway_address")?,
        ipv6: ipv6(described)?,
    })
}

fn ipv6(described: &Value) -> Result<Option<(Ipv6Net, Ipv6Addr)>> {
    if described["ipv6_address"].is_null() {
        return Ok(None);
    }
    let range: Ipv6Net = parsed(described, "ipv6_subnet_range")?;
    let address = Ipv6Net::new(parsed(described, "ipv6_address")?, range.prefix_len())?;
    Ok(Some((address, parsed(described, "ipv6_gateway_address")?)))
}

fn parsed<T: FromStr>(object: &Value, member: &str) -> Result<T> {
    let text = object[member].as_str().and_then(|text| text.parse().ok());
    text.with_context(|| format!("the Region says nothing usable as {member}: {object}"))
}
