//! The lab's links by themselves: no server, no agent. A second cable's end plays the router, so
//! that frames cross the panel with their tags, and real BGP daemons speak across it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use anyhow::{Context as _, Result, ensure};
use directlink_dataplane::Cable;
use directlink_lab::{
    LabName, RouterSeat,
    cable::{self, CustomerEnd, Jack},
    clock,
    customer::{Brand, Router, Session},
    fabric,
    host::{self, Nic},
    light, netns, teardown,
};
use directlink_net::{Ipv4Net, Vlan};
use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(5);
const BGP_SOON: Duration = Duration::from_secs(20);
const JACK: Jack = Jack { router: 0, port: 0 };

/// A lab of one router with two ports; taken down at the end, whatever the test found.
struct Bench {
    lab: LabName,
    _dir: TempDir,
    foreign: Vec<String>,
}

impl Bench {
    fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let lab = LabName::of(&dir.path().join("lab"))?;
        teardown::claim(&lab)?;
        let bench = Self { lab, _dir: dir, foreign: vec![] };
        fabric::build(&bench.lab, &[bench.seat()])?;
        Ok(bench)
    }

    fn seat(&self) -> RouterSeat {
        let ports = ["p0", "p1"].map(|p| p.parse().unwrap()).into();
        RouterSeat { number: 0, name: "r1".parse().unwrap(), ports }
    }

    fn router(&self) -> String {
        self.lab.router(&self.seat().name)
    }

    /// A namespace as a user makes it.
    fn namespace(&mut self, name: &str) -> Result<String> {
        let name = format!("t{}{name}", self.lab.prefix());
        run(&["ip", "netns", "add", &name])?;
        self.foreign.push(name.clone());
        Ok(name)
    }

    fn carrier(&self, port: &str) -> Result<bool> {
        let file = format!("/sys/class/net/{port}/carrier");
        let said = run(&["ip", "netns", "exec", &self.router(), "cat", &file])?;
        Ok(said.trim() == "1")
    }

    fn await_carrier(&self, port: &str, wanted: bool) -> Result<()> {
        clock::until(&format!("carrier of {port}: {wanted}"), SOON, || {
            Ok((self.carrier(port)? == wanted).then_some(()))
        })
    }

    /// An untagged interface of the router's on its port's VLAN, as the data plane would make it.
    fn router_vlan(&self, vlan: Vlan, address: &str) -> Result<()> {
        let router = self.router();
        let (near, far) = (format!("vl{vlan}"), format!("far{vlan}"));
        run(&["ip", "-n", &router, "link", "add", &near, "type", "veth", "peer", "name", &far])?;
        for link in [&near, &far] {
            run(&["ip", "-n", &router, "link", "set", link, "up"])?;
        }
        run(&["ip", "-n", &router, "address", "add", address, "dev", &near])?;
        netns::within(&router, || {
            let index = |name: &str| -> Result<u32> {
                let text = run(&[
                    "ip",
                    "netns",
                    "exec",
                    &router,
                    "cat",
                    &format!("/sys/class/net/{name}/ifindex"),
                ])?;
                Ok(text.trim().parse()?)
            };
            Ok(Cable::new()?.attach(index("p0")?, vlan, index(&far)?)?)
        })
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for name in &self.foreign {
            let _ = run(&["ip", "netns", "del", name]);
        }
        if let Err(error) = teardown::take_down(&self.lab) {
            eprintln!("{error:#}");
        }
    }
}

fn run(words: &[&str]) -> Result<String> {
    let output = Command::new(words[0]).args(&words[1..]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", words.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn ping(netns: &str, address: &str) -> bool {
    run(&["ip", "netns", "exec", netns, "ping", "-c1", "-W1", address]).is_ok()
}

fn vlan(n: u16) -> Vlan {
    n.try_into().unwrap()
}

fn end(netns: &str, vlans: &[(u16, &str)]) -> CustomerEnd {
    let vlans: BTreeMap<_, _> =
        vlans.iter().map(|(n, name)| (vlan(*n), (*name).to_owned())).collect();
    CustomerEnd { netns: netns.to_owned(), trunk: "trunk0".into(), vlans }
}

#[test]
fn frames_cross_a_cable_on_their_vlan_and_on_no_other() -> Result<()> {
    let mut bench = Bench::new()?;
    let customer = bench.namespace("cust")?;
    bench.router_vlan(vlan(101), "169.254.7.1/30")?;
    cable::plug(&bench.lab, JACK, &end(&customer, &[(101, "vl101"), (102, "vl102")]))?;
    bench.await_carrier("p0", true)?;
    run(&["ip", "-n", &customer, "address", "add", "169.254.7.2/30", "dev", "vl101"])?;
    ensure!(ping(&customer, "169.254.7.1"), "the VLAN does not reach");
    run(&["ip", "-n", &customer, "address", "flush", "dev", "vl101"])?;
    run(&["ip", "-n", &customer, "address", "add", "169.254.7.2/30", "dev", "vl102"])?;
    ensure!(!ping(&customer, "169.254.7.1"), "another VLAN reaches");

    // Nothing of the lab's is in the customer's namespace: its own interfaces, no filter.
    let links = run(&["ip", "-n", &customer, "-o", "link"])?;
    ensure!(links.lines().count() == 4, "lo, trunk0, vl101, vl102: {links}");
    ensure!(run(&["tc", "-n", &customer, "filter", "show", "dev", "vl101", "ingress"])?.is_empty());
    Ok(())
}

#[test]
fn the_raw_trunk_carries_untagged_frames_too() -> Result<()> {
    let mut bench = Bench::new()?;
    let customer = bench.namespace("cust")?;
    cable::plug(&bench.lab, JACK, &end(&customer, &[]))?;
    run(&["ip", "-n", &bench.router(), "address", "add", "169.254.7.1/30", "dev", "p0"])?;
    run(&["ip", "-n", &customer, "address", "add", "169.254.7.2/30", "dev", "trunk0"])?;
    bench.await_carrier("p0", true)?;
    ensure!(ping(&customer, "169.254.7.1"));
    Ok(())
}

#[test]
fn light_follows_the_cable_and_the_customers_end() -> Result<()> {
    let mut bench = Bench::new()?;
    let customer = bench.namespace("cust")?;
    let exe = std::env::current_exe()?;
    let keeper = ["--exact", "keeper", "--nocapture"].map(AsRef::as_ref);
    fs::write(bench.lab.dir().join("keep"), "")?;
    directlink_lab::process::start(&bench.lab, "light", None, &exe, &keeper)?;

    let cable = end(&customer, &[(101, "vl101")]);
    bench.await_carrier("p0", false)?;
    cable::plug(&bench.lab, JACK, &cable)?;
    bench.await_carrier("p0", true)?;
    cable::pull(&bench.lab, JACK)?;
    ensure!(!bench.carrier("p0")?, "pulled, and not dark at once");
    let links = run(&["ip", "-n", &customer, "-o", "link", "show", "vl101"])?;
    ensure!(links.contains("NO-CARRIER"), "the customer sees that it is pulled: {links}");
    cable::plug(&bench.lab, JACK, &cable)?;
    bench.await_carrier("p0", true)?;

    run(&["ip", "-n", &customer, "link", "set", "trunk0", "down"])?;
    bench.await_carrier("p0", false)?;
    run(&["ip", "-n", &customer, "link", "set", "trunk0", "up"])?;
    bench.await_carrier("p0", true)?;

    run(&["ip", "netns", "del", &customer])?;
    bench.await_carrier("p0", false)?;
    run(&["ip", "netns", "add", &customer])?;
    cable::plug(&bench.lab, JACK, &cable)?;
    bench.await_carrier("p0", true)
}

/// Not a claim: the process that leads light across, for the test above, which starts it.
#[test]
fn keeper() -> Result<()> {
    match std::env::var_os("DIRECTLINK_LAB") {
        Some(dir) => light::follow(&LabName::of(Path::new(&dir))?),
        None => Ok(()),
    }
}

#[test]
fn a_taken_port_refuses_another_end_until_the_cable_is_pulled() -> Result<()> {
    let mut bench = Bench::new()?;
    let (one, two) = (bench.namespace("one")?, bench.namespace("two")?);
    cable::plug(&bench.lab, JACK, &end(&one, &[(101, "vl101")]))?;
    let refused = cable::plug(&bench.lab, JACK, &end(&two, &[])).unwrap_err().to_string();
    ensure!(refused.contains(&format!("{one}/trunk0")), "{refused}");
    let twice =
        cable::plug(&bench.lab, JACK, &end(&one, &[(101, "other")])).unwrap_err().to_string();
    ensure!(twice.contains("VLAN 101"), "{twice}");
    cable::plug(&bench.lab, JACK, &end(&one, &[(102, "vl102")]))?;
    let vlans: Vec<_> = cable::list(&bench.lab)?.remove(0).end.vlans.into_keys().collect();
    ensure!(vlans == [vlan(101), vlan(102)], "more VLANs on a plugged cable: {vlans:?}");
    cable::pull(&bench.lab, JACK)?;
    ensure!(cable::pull(&bench.lab, JACK).is_err(), "pulled twice");
    cable::plug(&bench.lab, JACK, &end(&two, &[]))?;
    ensure!(!run(&["ip", "-n", &one, "-o", "link"])?.contains("trunk0"), "the old end is gone");
    let missing = cable::plug(&bench.lab, Jack { router: 0, port: 9 }, &end(&one, &[]));
    ensure!(missing.is_err());
    let nowhere = cable::plug(&bench.lab, Jack { router: 0, port: 1 }, &end("t-no-such", &[]));
    ensure!(nowhere.unwrap_err().to_string().contains("ip netns add t-no-such"));
    Ok(())
}

#[test]
fn two_hosts_of_a_net_are_on_the_fabric_behind_their_vteps() -> Result<()> {
    let bench = Bench::new()?;
    let nic = |n: u32, address: &str| -> Result<Nic> {
        Ok(Nic {
            id: directlink_model::ids::NicId::from_bits(n),
            vni: 7001_u32.try_into()?,
            mac: format!("02:00:00:00:00:{n:02x}").parse()?,
            address: address.parse()?,
            gateway: "10.0.1.1".parse()?,
            ipv6: None,
        })
    };
    let (a, b) = (nic(1, "10.0.1.5/24")?, nic(2, "10.0.1.6/24")?);
    let router = fabric::router_vtep(0);
    let first = host::attach(&bench.lab, &a, None, &[router])?;
    // Each floods to the other's VTEP, as to a router that carries the Net.
    let second = host::attach(&bench.lab, &b, None, &[router, first.vtep])?;
    ensure!(first.vtep != second.vtep);
    run(&[
        "bridge",
        "-n",
        &first.netns,
        "fdb",
        "append",
        "00:00:00:00:00:00",
        "dev",
        "eth0",
        "dst",
        &second.vtep.to_string(),
    ])?;
    ensure!(ping(&first.netns, "10.0.1.6"), "host to host");
    let again = host::attach(&bench.lab, &a, None, &[router])?;
    ensure!(again == first, "attached again, it is where it was: {again:?}");
    Ok(())
}

#[test]
fn every_brand_of_router_speaks_bgp_across_the_cable_with_and_without_a_key() -> Result<()> {
    for (brand, key) in
        Brand::ALL.into_iter().flat_map(|b| [(b, None), (b, Some("k3y.of_th3-lab"))])
    {
        speaks(brand, key).with_context(|| format!("{brand}, key: {}", key.is_some()))?;
    }
    Ok(())
}

fn speaks(brand: Brand, key: Option<&str>) -> Result<()> {
    let mut bench = Bench::new()?;
    let customer = bench.namespace("cust")?;
    bench.router_vlan(vlan(101), "169.254.7.1/30")?;
    cable::plug(&bench.lab, JACK, &end(&customer, &[(101, "vl101")]))?;
    let net = |text: &str| text.parse::<Ipv4Net>();
    let session = Session {
        interface: "vl101".into(),
        address: net("169.254.7.2/30")?,
        asn: 65010_u32.try_into()?,
        neighbour: "169.254.7.1".parse()?,
        neighbour_asn: 50624_u32.try_into()?,
        key: key.map(TryInto::try_into).transpose()?,
        announced: vec![net("192.168.10.0/24")?],
        bfd: false,
    };
    let far_side = Session {
        address: net("169.254.7.1/30")?,
        asn: session.neighbour_asn,
        neighbour: "169.254.7.2".parse()?,
        neighbour_asn: session.asn,
        announced: vec![net("10.0.0.0/16")?],
        ..session.clone()
    };
    let far = Router::start(&bench.lab, "far", &bench.router(), Brand::Bird, &far_side)?;
    let near = Router::start(&bench.lab, "near", &customer, brand, &session)?;
    clock::until("Established", BGP_SOON, || Ok(near.is_established()?.then_some(())))?;
    clock::until("the Net's range in the kernel", BGP_SOON, || {
        near.learned()?;
        let routes = run(&["ip", "-n", &customer, "route"])?;
        Ok((near.learned()? == far_side.announced && routes.contains("10.0.0.0/16 ")).then_some(()))
    })?;
    clock::until("the announced prefix", BGP_SOON, || {
        Ok((far.learned()? == session.announced).then_some(()))
    })?;
    near.stop()
}
