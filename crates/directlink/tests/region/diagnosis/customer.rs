//! The customer's side of a row: BIRD or FRR, configured rightly or wrongly.

use crate::fixture::{Fibre, Region, run};
use anyhow::{Context as _, Result};
use directlink_lab::{
    customer::{Brand, Router, Session},
    netns,
};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

pub(super) const ASN: u32 = 65010;

/// Whose BGP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    Nobody,
    Bird,
    Frr,
}

#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) speaker: Speaker,
    /// `None`: the VLAN is not there at all. So many off the right one.
    pub(super) tag_off: Option<u16>,
    pub(super) device: String,
    /// The last number of its address.
    pub(super) host: u8,
    pub(super) address: String,
    pub(super) asn: u32,
    pub(super) key: Option<&'static str>,
    pub(super) router: IpAddr,
    /// What it takes our AS number for, if not for what it is.
    pub(super) believes: Option<u32>,
    pub(super) router_asn: u32,
    /// Its neighbour's last number, if not the router's.
    pub(super) neighbour_host: Option<u8>,
    pub(super) announced: Vec<String>,
    /// More lines of `protocol bgp`.
    pub(super) more: &'static str,
}

impl Default for Side {
    fn default() -> Self {
        Self {
            speaker: Speaker::Bird,
            tag_off: Some(0),
            device: String::new(),
            host: 2,
            address: String::new(),
            asn: ASN,
            key: None,
            router: Ipv4Addr::UNSPECIFIED.into(),
            believes: None,
            router_asn: 0,
            neighbour_host: None,
            announced: vec!["192.168.10.0/24".into()],
            more: "",
        }
    }
}

/// Tags that no interface has are so far from those that some have.
pub(super) const OFF: u16 = 1000;

impl Side {
    /// The tag that its cable has, if any.
    pub(super) fn tag(&self, vlan: u16) -> Option<u16> {
        self.tag_off.map(|off| vlan + off)
    }

    /// In the `n`th peer subnet.
    pub(super) fn at(mut self, n: usize, vlan: u16, router_asn: u32) -> Self {
        self.device = self.tag(vlan).map_or_else(String::new, |tag| format!("vlan{tag}"));
        self.address = format!("172.20.{n}.{}/29", self.host);
        let third = u8::try_from(n).unwrap_or(u8::MAX);
        self.router = Ipv4Addr::new(172, 20, third, 1).into();
        self.router_asn = router_asn;
        for prefix in self.announced.iter_mut().filter(|it| *it == super::faults::OWN_RANGE) {
            *prefix = format!("10.{}.0.0/16", n + 1);
        }
        self
    }

    fn bird(&self) -> String {
        let own = self.address.split('/').next().unwrap_or_default();
        let neighbour = match (self.neighbour_host, self.router) {
            (Some(host), IpAddr::V4(router)) => {
                let [a, b, c, _] = router.octets();
                Ipv4Addr::new(a, b, c, host).into()
            }
            (_, router) => router,
        };
        let key = self.key.map(|key| format!("password \"{key}\";")).unwrap_or_default();
        let routes: String =
            self.announced.iter().map(|it| format!("route {it} unreachable;\n")).collect();
        let as_number = self.believes.unwrap_or(self.router_asn);
        let hold = if self.more.contains("hold time") { "" } else { "hold time 9;" };
        format!(
            "router id {own};\nlog stderr all;\nprotocol device {{ scan time 1; }}\n\
             protocol static announced {{ ipv4;\n{routes}}}\n\
             protocol bgp directlink {{\n local {own} as {};\n neighbor {neighbour} as {as_number};\n\
             interface \"{}\";\n strict bind yes;\n {key}\n {hold}\n connect delay time 1;\n\
             connect retry time 2;\n error wait time 1, 4;\n {}\n\
             ipv4 {{ import all; export where source = RTS_STATIC; }};\n}}\n",
            self.asn, self.device, self.more
        )
    }
}

/// What runs for the customers; ended with the test.
pub(super) struct Daemons<'a> {
    region: &'a Region,
    dir: PathBuf,
    birds: Vec<Child>,
    routers: Vec<Router>,
}

impl<'a> Daemons<'a> {
    pub(super) fn new(region: &'a Region) -> Result<Self> {
        let dir = region.dir.join("birds");
        fs::create_dir_all(&dir)?;
        Ok(Self { region, dir, birds: vec![], routers: vec![] })
    }

    pub(super) fn start(&mut self, fibre: &Fibre, side: &Side) -> Result<()> {
        if side.device.is_empty() {
            return Ok(());
        }
        let address = ["address", "replace", &side.address, "dev", &side.device];
        run(&[&["ip", "-n", &fibre.netns], &address[..]].concat())?;
        match side.speaker {
            Speaker::Nobody => Ok(()),
            Speaker::Bird => self.bird(fibre, side),
            Speaker::Frr => {
                let session = Session {
                    interface: side.device.clone(),
                    address: side.address.parse()?,
                    asn: side.asn.try_into()?,
                    neighbour: side.router.to_string().parse()?,
                    neighbour_asn: side.believes.unwrap_or(side.router_asn).try_into()?,
                    key: side.key.map(TryInto::try_into).transpose()?,
                    announced: side
                        .announced
                        .iter()
                        .map(|it| it.parse())
                        .collect::<Result<_, _>>()?,
                    bfd: false,
                };
                let router = self.region.router(fibre, Brand::Frr, &session)?;
                self.routers.push(router);
                Ok(())
            }
        }
    }

    fn bird(&mut self, fibre: &Fibre, side: &Side) -> Result<()> {
        let file = |end: &str| self.dir.join(format!("{}.{end}", side.device));
        fs::write(file("conf"), side.bird())?;
        let log = fs::File::create(file("log"))?;
        let (conf, socket) = (file("conf"), file("ctl"));
        let child = netns::within(&fibre.netns, || {
            let mut bird = Command::new("/usr/sbin/bird");
            bird.arg("-f").arg("-c").arg(conf).arg("-s").arg(socket);
            bird.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            bird.spawn().context("bird")
        })?;
        self.birds.push(child);
        Ok(())
    }
}

/// `birdc` of a device's BIRD.
pub(super) fn birdc(region: &Region, device: &str, words: &[&str]) -> Result<()> {
    let socket = region.dir.join("birds").join(format!("{device}.ctl"));
    let socket = socket.display().to_string();
    run(&[&["birdc", "-s", &socket], words].concat()).map(drop)
}

impl Drop for Daemons<'_> {
    fn drop(&mut self) {
        for bird in &mut self.birds {
            drop(bird.kill());
            drop(bird.wait());
        }
    }
}
