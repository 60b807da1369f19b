//! A share of another's wire: the partner's fibre, the customer's VLAN, session and Net.

use crate::fixture::{Fibre, Region, await_reach, reaches};
use anyhow::{Result, ensure};
use directlink_lab::customer::Brand;
use serde_json::json;

const OFFICE: &str = "192.168.10.0/24";
const KEY: &str = "tgyn26example";
const VLAN: u16 = 202;

/// A confirmed share of the fibre, which is its own fibre to the customer.
fn share(region: &Region, fibre: &Fibre, partner: usize, customer: usize) -> Result<Fibre> {
    let hosted = region.overture(
        partner,
        "AllocateHostedConnection",
        json!({
            "connectionId": fibre.connection, "ownerAccount": region.lab.described.accounts[customer].id,
            "bandwidth": "50Mbps", "connectionName": "a share", "vlan": VLAN,
        }),
    )?;
    let connection = hosted["connectionId"].as_str().unwrap_or_default().to_owned();
    let confirm = json!({ "connectionId": connection });
    let confirmed = region.overture(customer, "ConfirmConnection", confirm)?;
    ensure!(confirmed["connectionState"] == "available", "{confirmed}");
    let (port, netns) = (fibre.port.clone(), fibre.netns.clone());
    Ok(Fibre { account: customer, connection, port, netns })
}

#[test]
fn a_customer_of_a_hosted_connection_reaches_a_host_over_the_partners_fibre() -> Result<()> {
    let (partner, customer) = (0, 1);
    let region = Region::up()?;
    let fibre = region.fibre(partner, "PAR1", &[101, VLAN])?;
    let hosted = share(&region, &fibre, partner, customer)?;
    // Both have the same range and the same LAN: what is one's is not the other's.
    let clouds = [region.cloud(partner, "10.7.0.0/16")?, region.cloud(customer, "10.7.0.0/16")?];
    region.admit(&clouds[1], OFFICE)?;
    let own = region.interface(&fibre, &clouds[0], 101, None)?;
    let theirs = region.interface(&hosted, &clouds[1], VLAN, Some(KEY))?;
    let session = region.session(&theirs, Some(KEY), OFFICE)?;
    let router = region.router(&hosted, Brand::Bird, &session)?;
    region.await_interface(customer, &theirs, "available")?;
    ensure!(router.is_established()?);
    ensure!(region.interface_state(partner, &own)? == "pending", "nobody speaks on the partner's");
    let office = region.office(&hosted, OFFICE)?;
    await_reach(&office, clouds[1].host.address)?;
    region.pull(&fibre)?;
    for one in [&fibre, &hosted] {
        region.await_connection(one, "down")?;
    }
    ensure!(!reaches(&office, clouds[1].host.address)?);
    region.plug(&fibre, &[101, VLAN])?;
    region.await_interface(customer, &theirs, "available")?;
    await_reach(&office, clouds[1].host.address)
}

#[test]
fn a_share_that_moves_to_another_fibre_works_there_and_no_longer_here() -> Result<()> {
    let (partner, customer) = (0, 1);
    let region = Region::up()?;
    let (here, there) =
        (region.fibre(partner, "PAR1", &[VLAN])?, region.fibre(partner, "PAR1", &[VLAN])?);
    let hosted = share(&region, &here, partner, customer)?;
    let cloud = region.cloud(customer, "10.7.0.0/16")?;
    region.admit(&cloud, OFFICE)?;
    let interface = region.interface(&hosted, &cloud, VLAN, Some(KEY))?;
    let session = region.session(&interface, Some(KEY), OFFICE)?;
    let old = region.router(&here, Brand::Bird, &session)?;
    region.await_interface(customer, &interface, "available")?;
    let to = json!({ "connectionId": hosted.connection, "parentConnectionId": there.connection });
    region.overture(partner, "AssociateHostedConnection", to)?;
    ensure!(region.interface_state(customer, &interface)? == "pending");
    old.stop()?;
    let _new = region.router(&there, Brand::Bird, &session)?;
    region.await_interface(customer, &interface, "available")?;
    let office = region.office(&there, OFFICE)?;
    await_reach(&office, cloud.host.address)
}
