//! What is plugged into a lab from outside: a customer's cable, and a host that is a NIC.

use super::record::{Described, Lab};
use crate::client::{DirectConnect, Operator, Profile};
use anyhow::{Context as _, Result, anyhow, bail};
use directlink_lab::{cable::Jack, customer::Session, fabric, host as links};
use directlink_model::{
    connection::PortRef,
    ids::{InterfaceId, NicId},
};
use directlink_net::{BgpKey, Ipv4Net, Ipv6Net, Vlan};
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

/// What the customer's router of an interface is configured with, and where its cable ends. The device
/// is not the Region's to know, and is left empty.
///
/// # Errors
/// No account of the lab has the interface, or its connection has no port.
pub async fn session_of(lab: &Lab, id: InterfaceId) -> Result<(PortRef, Vlan, Session)> {
    for account in &lab.described.accounts {
        let Described { aws, region, .. } = &lab.described;
        let customer = DirectConnect::new(Profile {
            endpoint: aws.clone(),
            region: region.to_string(),
            access_key: account.access_key.clone(),
            secret_key: account.secret_key.clone(),
        });
        let Some(found) = customer.find_interface(&id.to_string()).await? else { continue };
        let text = |member: &str| found[member].as_str().filter(|text| !text.is_empty());
        let number = |member: &str| found[member].as_i64().context("an interface has numbers");
        let connection = text("connectionId").context("an interface has a connection")?;
        let line = lab.operator().find("connections", connection).await?;
        let port = line["port"].as_str().context("its connection has no port yet")?;
        let (router, port) = port.split_once('/').context("a port")?;
        let neighbour: Ipv4Net = parsed(&found, "amazonAddress")?;
        let session = Session {
            interface: String::new(),
            address: parsed(&found, "customerAddress")?,
            asn: number("asn")?.try_into()?,
            neighbour: neighbour.addr(),
            neighbour_asn: lab.running.asn.try_into()?,
            key: text("authKey").map(BgpKey::try_from).transpose()?,
            announced: vec![],
            bfd: false,
        };
        let port = PortRef { router: router.parse()?, port: port.parse()? };
        return Ok((port, number("vlan")?.try_into()?, session));
    }
    bail!("no account of the lab has the interface {id}")
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
