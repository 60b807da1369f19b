//! How long packets to the customer are lost when one of two ways is: the cable is cut and both
//! ends see it, the cable goes silent with light at both ends (BFD, 50 ms x 3), the BGP session
//! is ended. Measured on the packets themselves, a thousand a second.
//!
//! ```text
//!   ours   host ═ VXLAN ═ router ╦═ leg0 ═╦ customer's router ═ office
//!                                ╚═ leg1 ═╝
//!   BIRD   host ═ veth ══ router ╦═ leg0 ═╦ customer's router
//!                 (BIRD, kernel) ╚═ leg1 ═╝
//! ```
//!
//! The customer's router is the same BIRD with the same configuration on both sides. It makes its
//! AS_PATH longer on leg1, so that leg0 is the way as long as it is one.

use crate::{
    bird::Bird,
    fixture::{ASN, Cloud, Interface, Region, SOON, run},
    legs::{Legs, plug},
    stream::{End, Stream},
};
use anyhow::{Context as _, Result};
use directlink_lab::clock;
use std::{fmt, net::Ipv4Addr, time::Duration};

/// What happens to leg0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    Cable,
    Silence,
    Session,
}

impl Loss {
    pub(crate) const ALL: [Self; 3] = [Self::Cable, Self::Silence, Self::Session];
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cable => "cable cut, link seen",
            Self::Silence => "silent cable, BFD 50 ms x 3",
            Self::Session => "BGP session ended",
        })
    }
}

/// Two ways from a host to a customer's router, the first of which can be lost.
pub(crate) trait Ways {
    /// The host, and who is behind the customer's router.
    fn ends(&self) -> [&End; 2];
    fn customer(&self) -> &Bird;
    /// The customer's router, which has leg0.
    fn netns(&self) -> &str;
    fn cut(&self) -> Result<()>;
    fn mend(&self) -> Result<()>;
    fn await_both(&self) -> Result<()>;
}

/// How long no packet came to the customer when leg0 was lost. Both ways are up again afterwards.
pub(crate) fn lose(ways: &impl Ways, loss: Loss) -> Result<Duration> {
    ways.await_both()?;
    ways.customer().await_bfd(2, "0.150")?;
    let stream = Stream::start(ways.ends(), EACH)?;
    let leg0 = || -> Result<u64> {
        let said = run(&["ip", "-n", ways.netns(), "-j", "-s", "link", "show", "dev", "leg0"])?;
        let links: serde_json::Value = serde_json::from_str(&said)?;
        links[0]["stats64"]["rx"]["packets"].as_u64().context(said)
    };
    let mut before = leg0()?;
    clock::until("packets to come by leg0", SOON, || {
        let (last, now) = (before, leg0()?);
        before = now;
        Ok((now - last > 3).then_some(()))
    })?;
    match loss {
        Loss::Cable => ways.cut()?,
        Loss::Silence => silence(ways.netns())?,
        Loss::Session => ways.customer().ask(&["disable", "leg0"]).map(drop)?,
    }
    let lost_at = stream.elapsed();
    clock::until("packets to come by the other way", SOON, || {
        Ok((stream.elapsed() > lost_at + SETTLED).then_some(()))
    })?;
    let before = stream.heard();
    clock::until("packets to come by the other way", SOON, || {
        Ok((stream.heard() > before + 50).then_some(()))
    })?;
    let [to_customer, _] = stream.finish(0)?;
    match loss {
        Loss::Cable => ways.mend()?,
        Loss::Silence => run(&["ip", "netns", "exec", ways.netns(), "nft", SPEAK]).map(drop)?,
        Loss::Session => ways.customer().ask(&["enable", "leg0"]).map(drop)?,
    }
    Ok(to_customer.longest_gap())
}

/// Of packets, so that a gap is known to a millisecond.
const EACH: Duration = Duration::from_millis(1);
/// Longer than any way takes to be lost.
const SETTLED: Duration = Duration::from_millis(300);

const SPEAK: &str = "delete table netdev silent";

/// Nothing passes on leg0 any more, either way, and its light stays.
fn silence(netns: &str) -> Result<()> {
    let chain = |hook: &str| {
        format!(
            "chain {hook} {{ type filter hook {hook} device \"leg0\" priority 0; policy drop; }}"
        )
    };
    let table = format!("table netdev silent {{\n{}\n{}\n}}", chain("ingress"), chain("egress"));
    run(&["ip", "netns", "exec", netns, "nft", &table]).map(drop)
}

/// A customer's two cables to one of our routers.
pub(crate) struct Ours {
    region: Region,
    legs: Legs,
    ends: [End; 2],
}

pub(crate) const LAN: &str = "192.168.10.0/24";
pub(crate) const OFFICE: Ipv4Addr = Ipv4Addr::new(192, 168, 10, 2);

impl Ours {
    pub(crate) fn new() -> Result<Self> {
        let fast = [("DIRECTLINK_BFD_INTERVAL_MILLISECONDS", "50")];
        let region = Region::up_in(&fast, &[])?;
        let cloud: Cloud = region.cloud(0, "10.7.0.0/16")?;
        region.admit(&cloud, LAN)?;
        let legs = Legs::new(&region, &cloud, ["PAR1", "PAR1"], watched_legs)?;
        let office = region.office(&legs.fibres[0], LAN)?;
        // It would put the light on again that `cut` puts out.
        region.kill("light")?;
        let host = End { netns: cloud.host.netns.clone(), address: cloud.host.address.into() };
        Ok(Self { region, legs, ends: [host, End { netns: office, address: OFFICE.into() }] })
    }
}

impl Ways for Ours {
    fn ends(&self) -> [&End; 2] {
        [&self.ends[0], &self.ends[1]]
    }

    fn customer(&self) -> &Bird {
        &self.legs.bird
    }

    fn netns(&self) -> &str {
        &self.legs.fibres[0].netns
    }

    /// The router's end first, by itself: the emulated cable's other parts take milliseconds each to
    /// close, in which the router could not see anything yet.
    fn cut(&self) -> Result<()> {
        let panel = self.region.lab.name.panel();
        let port = &self.legs.fibres[0].port;
        let number = port.rsplit_once("/p").context("a port of the lab's")?.1;
        run(&["ip", "-n", &panel, "link", "set", &format!("port0.{number}"), "down"])?;
        self.region.pull(&self.legs.fibres[0])
    }

    fn mend(&self) -> Result<()> {
        plug(&self.region, &self.legs.fibres, 0)
    }

    fn await_both(&self) -> Result<()> {
        self.legs.await_both(&self.region)
    }
}

const BFD: &str = "interval 50 ms; multiplier 3; idle tx interval 300 ms;";

/// The customer's BIRD: leg0 as long as it is one, and BFD on both.
pub(crate) fn watched_legs(interfaces: &[Interface], asn: u32) -> String {
    let [one, two] = [0, 1].map(|n: usize| {
        let Interface { customer, router, .. } = &interfaces[n];
        (customer.addr(), router.addr())
    });
    customer_config([one, two], asn, LAN)
}

/// What both brands of router have as their customer. Own and router's address of each leg.
pub(crate) fn customer_config(
    legs: [(Ipv4Addr, Ipv4Addr); 2],
    asn: u32,
    announced: &str,
) -> String {
    let session = |(n, (own, router)): (usize, &(Ipv4Addr, Ipv4Addr))| {
        let (preference, longer) = match n {
            0 => (200, String::new()),
            _ => (100, format!("bgp_path.prepend({ASN}); bgp_path.prepend({ASN}); ")),
        };
        format!(
            "protocol bgp leg{n} {{\n  local {own} as {ASN};\n  neighbor {router} as {asn};\n  \
             interface \"leg{n}\";\n{SESSION}  default bgp_local_pref {preference};\n  \
             ipv4 {{ import all; export filter {{\n    \
             if source != RTS_STATIC then reject;\n    {longer}accept;\n  }}; }};\n}}\n"
        )
    };
    let sessions: String = legs.iter().enumerate().map(session).collect();
    let statics = format!("route {announced} unreachable;");
    common(legs[0].0, "leg*", &statics) + &sessions
}

pub(crate) const SESSION: &str = "  check link yes;\n  strict bind yes;\n  bfd on;\n  hold time 9;\n  \
                       connect delay time 1;\n  connect retry time 1;\n  error wait time 1, 2;\n";

pub(crate) fn common(id: Ipv4Addr, legs: &str, statics: &str) -> String {
    format!(
        "router id {id};\nlog stderr all;\nprotocol device {{ scan time 1; }}\n\
         protocol bfd {{ interface \"{legs}\" {{ {BFD} }}; }}\n\
         protocol static announced {{ ipv4; {statics} }}\n\
         protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}\n"
    )
}
