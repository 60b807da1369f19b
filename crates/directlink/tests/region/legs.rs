//! One customer's router with a cable to each of two ports, and a BIRD that speaks on both.
//!
//! ```text
//!                        ╔═ leg0 ══ a port ═╗
//!  office ═ lan0 router ═╣                  ╠═ fabric ═ host
//!                        ╚═ leg1 ══ another ═╝
//! ```

use crate::{
    bird::Bird,
    fixture::{ASN, Cloud, Fibre, Interface, Region, run, text},
};
use anyhow::Result;
use serde_json::json;

/// Both cables, what leads over each, and a customer's router that speaks on both.
pub(crate) struct Legs {
    pub(crate) fibres: Vec<Fibre>,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) bird: Bird,
}

impl Legs {
    /// At these locations; `config` is BIRD's, of the interfaces and the Region's ASN.
    pub(crate) fn new(
        region: &Region,
        cloud: &Cloud,
        locations: [&str; 2],
        config: impl Fn(&[Interface], u32) -> String,
    ) -> Result<Self> {
        let netns = region.namespace("router")?;
        let fibres: Vec<_> =
            locations.iter().map(|at| order(region, at, &netns)).collect::<Result<_>>()?;
        (0..fibres.len()).try_for_each(|n| plug(region, &fibres, n))?;
        let lead = |(n, fibre)| lead(region, fibre, cloud, n);
        let interfaces: Vec<_> = fibres.iter().enumerate().map(lead).collect::<Result<_>>()?;
        for (n, interface) in interfaces.iter().enumerate() {
            let (address, leg) = (interface.customer.to_string(), format!("leg{n}"));
            run(&["ip", "-n", &netns, "address", "add", &address, "dev", &leg])?;
        }
        let config = config(&interfaces, region.lab.running.asn);
        let bird = Bird::start(&region.dir, "two-legs", &netns, &config)?;
        Ok(Self { fibres, interfaces, bird })
    }

    pub(crate) fn await_both(&self, region: &Region) -> Result<()> {
        self.interfaces.iter().try_for_each(|it| region.await_interface(0, it, "available"))?;
        self.bird.await_sessions(self.interfaces.len())
    }
}

pub(crate) fn plug(region: &Region, fibres: &[Fibre], n: usize) -> Result<()> {
    let Fibre { port, netns, .. } = &fibres[n];
    let (fibre, vlan) = (format!("fibre{n}"), format!("--vlan=101=leg{n}"));
    region.directlink("cable", &["--port", port, "--netns", netns, "--ifname", &fibre, &vlan])?;
    region.await_connection(&fibres[n], "available")
}

fn order(region: &Region, location: &str, netns: &str) -> Result<Fibre> {
    let wish = json!({ "Location": location, "Bandwidth": "1Gbps", "DirectLinkName": location });
    let ordered = region.call(0, "CreateDirectLink", wish)?;
    let connection = text(&ordered["DirectLink"], "DirectLinkId");
    let port = text(&region.approve(&connection)?, "port");
    Ok(Fibre { account: 0, connection, port, netns: netns.to_owned() })
}

/// Each cable is an order of its own, which may be given the same addresses: here it must not.
fn lead(region: &Region, fibre: &Fibre, cloud: &Cloud, n: usize) -> Result<Interface> {
    let (router, customer) = (format!("169.254.77.{}/30", 4 * n + 1), 4 * n + 2);
    let described = json!({
        "DirectLinkInterfaceName": format!("leg {n}"), "Vlan": 101, "BgpAsn": ASN,
        "VirtualGatewayId": cloud.gateway, "OutscalePrivateIp": router,
        "ClientPrivateIp": format!("169.254.77.{customer}/30"),
    });
    let asked = json!({ "DirectLinkId": fibre.connection, "DirectLinkInterface": described });
    let made = region.call(0, "CreateDirectLinkInterface", asked)?["DirectLinkInterface"].clone();
    Ok(Interface {
        id: text(&made, "DirectLinkInterfaceId"),
        vlan: 101,
        router: text(&made, "OutscalePrivateIp").parse()?,
        customer: text(&made, "ClientPrivateIp").parse()?,
    })
}
