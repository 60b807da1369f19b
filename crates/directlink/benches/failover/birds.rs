//! BIRD and the kernel's own routing in our place, with the same customer's router.

use crate::{
    bird::Bird,
    failover::{LAN, OFFICE, SESSION, Ways, common, customer_config},
    fixture::{ASN, Region, run},
    stream::End,
};
use anyhow::Result;
use directlink_lab::netns;
use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
};

/// The same with BIRD and the kernel's own routing in our place.
pub(crate) struct Birds {
    router: Bird,
    customer: Bird,
    netns: String,
    ends: [End; 2],
}

impl Birds {
    /// In namespaces that go with the Region.
    pub(crate) fn new(region: &Region) -> Result<Self> {
        let [host, router, customer] =
            ["host", "peer", "customer"].map(|name| region.namespace(name));
        let (host, router, customer) = (host?, router?, customer?);
        let far_end = |name: &str, netns: &str| format!("peer name {name} netns {netns}");
        for (netns, line) in [
            (&router, format!("link add h0 type veth {}", far_end("eth0", &host))),
            (&router, format!("link add r0 type veth {}", far_end("leg0", &customer))),
            (&router, format!("link add r1 type veth {}", far_end("leg1", &customer))),
            (&host, "address add 10.8.0.10/24 dev eth0".into()),
            (&router, "address add 10.8.0.1/24 dev h0".into()),
            (&router, "address add 10.99.0.1/30 dev r0".into()),
            (&router, "address add 10.99.0.5/30 dev r1".into()),
            (&customer, "address add 10.99.0.2/30 dev leg0".into()),
            (&customer, "address add 10.99.0.6/30 dev leg1".into()),
            (&customer, "address add 192.168.10.2/32 dev lo".into()),
            (&host, "link set eth0 up".into()),
            (&router, "link set h0 up".into()),
            (&router, "link set r0 up".into()),
            (&router, "link set r1 up".into()),
            (&customer, "link set lo up".into()),
            (&customer, "link set leg0 up".into()),
            (&customer, "link set leg1 up".into()),
            (&host, "route add default via 10.8.0.1".into()),
        ] {
            run(&[&["ip", "-n", netns], &*line.split(' ').collect::<Vec<_>>()].concat())?;
        }
        for netns in [&router, &customer] {
            netns::within(netns, || {
                for of in ["all", "default", "lo"] {
                    fs::write(format!("/proc/sys/net/ipv4/conf/{of}/rp_filter"), "0")?;
                }
                Ok(())
            })?;
        }
        let asn = ASN + 1;
        let addresses = [
            (Ipv4Addr::new(10, 99, 0, 2), Ipv4Addr::new(10, 99, 0, 1)),
            (Ipv4Addr::new(10, 99, 0, 6), Ipv4Addr::new(10, 99, 0, 5)),
        ];
        let dir = &region.dir;
        let theirs = customer_config(addresses, asn, LAN);
        let end = |netns: &str, address: IpAddr| End { netns: netns.to_owned(), address };
        Ok(Self {
            router: Bird::start(dir, "peer", &router, &router_config(addresses, asn))?,
            customer: Bird::start(dir, "peers-customer", &customer, &theirs)?,
            ends: [end(&host, Ipv4Addr::new(10, 8, 0, 10).into()), end(&customer, OFFICE.into())],
            netns: customer,
        })
    }
}

impl Ways for Birds {
    fn ends(&self) -> [&End; 2] {
        [&self.ends[0], &self.ends[1]]
    }

    fn customer(&self) -> &Bird {
        &self.customer
    }

    fn netns(&self) -> &str {
        &self.netns
    }

    fn cut(&self) -> Result<()> {
        run(&["ip", "-n", &self.netns, "link", "set", "leg0", "down"]).map(drop)
    }

    fn mend(&self) -> Result<()> {
        run(&["ip", "-n", &self.netns, "link", "set", "leg0", "up"]).map(drop)
    }

    fn await_both(&self) -> Result<()> {
        self.customer.await_sessions(2)?;
        self.router.await_sessions(2)
    }
}

/// BIRD in our place.
fn router_config(legs: [(Ipv4Addr, Ipv4Addr); 2], asn: u32) -> String {
    let session = |(n, (customer, own)): (usize, &(Ipv4Addr, Ipv4Addr))| {
        format!(
            "protocol bgp leg{n} {{\n  local {own} as {asn};\n  neighbor {customer} as {ASN};\n  \
             interface \"r{n}\";\n{SESSION}  \
             ipv4 {{ import all; export where source = RTS_STATIC; }};\n}}\n"
        )
    };
    let sessions: String = legs.iter().enumerate().map(session).collect();
    common(legs[0].1, "r*", "route 10.8.0.0/24 unreachable;") + &sessions
}
