//! What is put is listed, twice is once, and what is pinned outlives who put it.

use super::{
    frame::udp,
    world::{NUMBER, PORT, RULES, SMALL, World, interface, ip, net, nic, now_ns, rules, vni},
};
use crate::{
    Attached, Dataplane, Interface, InterfaceNumber, Nic, Route, RuleSetNumber, Source, Subnet,
    TableError, Verdict,
};
use directlink_net::Vlan;
use nix::net::if_::if_nametoindex;
use std::{fs, net::Ipv4Addr};

#[test]
fn every_table_lists_what_was_put() {
    let mut world = World::new();
    let dataplane = &mut world.dataplane;
    dataplane.put_interface(&interface()).unwrap();
    dataplane.put_rule_set(RULES, &rules()).unwrap();
    assert_eq!(dataplane.interfaces().unwrap(), [interface()]);
    assert_eq!(dataplane.vlans(PORT).unwrap(), [interface().vlan].into());
    assert_eq!(dataplane.nics().unwrap(), [nic()]);
    assert_eq!(dataplane.nets().unwrap(), [vni()].into());
    let source = Source { interface: NUMBER, prefix: net("192.0.2.0/24") };
    assert_eq!(dataplane.sources().unwrap(), [source].into());
    let route = Route { vni: vni(), prefix: net("192.0.2.0/24"), ways: vec![NUMBER] };
    assert_eq!(dataplane.routes().unwrap(), [route]);
    let gateway = Ipv4Addr::new(10, 0, 1, 1).into();
    let subnet = Subnet { vni: vni(), range: net("10.0.1.0/24"), gateway };
    assert_eq!(dataplane.subnets().unwrap(), [subnet].into());
    assert_eq!(dataplane.rule_sets().unwrap(), [RULES].into());
    assert_eq!(dataplane.rule_set(RULES).unwrap(), Some(rules()));
    assert_eq!(dataplane.rule_set(RuleSetNumber::new(9).unwrap()).unwrap(), None);
}

#[test]
fn every_table_lists_nothing_after_all_was_removed_twice() {
    let mut world = World::new();
    let dataplane = &mut world.dataplane;
    for _ in 0..2 {
        dataplane.remove_route(vni(), net("192.0.2.0/24")).unwrap();
        dataplane.remove_interface(NUMBER).unwrap();
        dataplane.remove_nic(vni(), nic().address).unwrap();
        dataplane.remove_rule_set(RULES).unwrap();
        dataplane.remove_subnet(vni(), net("10.0.1.0/24")).unwrap();
        dataplane.remove_net(vni()).unwrap();
    }
    assert!(dataplane.routes().unwrap().is_empty());
    assert!(dataplane.interfaces().unwrap().is_empty());
    assert!(dataplane.sources().unwrap().is_empty());
    assert!(dataplane.neighbours().unwrap().is_empty());
    assert!(dataplane.nics().unwrap().is_empty());
    assert!(dataplane.rule_sets().unwrap().is_empty());
    assert!(dataplane.subnets().unwrap().is_empty());
    assert!(dataplane.nets().unwrap().is_empty());
    assert_eq!(dataplane.interface_tallies(NUMBER).unwrap(), None);
}

#[test]
fn an_interface_that_moves_to_another_vlan_leaves_its_old_one() {
    let mut world = World::new();
    let moved = Interface { vlan: Vlan::try_from(300i64).unwrap(), ..interface() };
    world.dataplane.put_interface(&moved).unwrap();
    assert_eq!(world.dataplane.interfaces().unwrap(), [moved]);
    assert_eq!(world.send(&udp("192.0.2.9:1", "10.0.1.10:53")), Verdict::UnknownVlan);
}

#[test]
fn a_route_has_one_to_four_ways() {
    let mut world = World::new();
    for (count, good) in [(0, false), (1, true), (4, true), (5, false)] {
        let ways = (1..=count).filter_map(InterfaceNumber::new).collect();
        let route = Route { vni: vni(), prefix: net("198.51.100.0/24"), ways };
        let put = world.dataplane.put_route(&route);
        assert_eq!(!matches!(put, Err(TableError::Ways(_))), good, "{count}");
    }
}

#[test]
fn an_interface_counts_its_own_packets_and_keeps_counting_when_put_again() {
    let mut world = World::new();
    let packet = udp("192.0.2.9:1", "10.0.1.10:53");
    world.send(&packet);
    world.dataplane.put_interface(&interface()).unwrap();
    world.send(&packet);
    world.send(&udp("192.0.2.9:1", "10.0.1.10:54"));
    let tallies = world.dataplane.interface_tallies(NUMBER).unwrap().unwrap();
    let seen: Vec<_> = tallies.seen().map(|(v, t)| (v, t.packets, t.bytes)).collect();
    let bytes = 18 + 20 + 12;
    assert_eq!(
        seen,
        [(Verdict::ForwardedToNet, 2, 2 * bytes), (Verdict::DeniedBySecurityGroup, 1, bytes)]
    );
}

#[test]
fn a_second_process_finds_the_tables_and_replaces_the_programs() {
    let mut world = World::new();
    ip("link add port0 type veth peer name customer0");
    let (port, uplink) = (if_nametoindex("port0").unwrap(), if_nametoindex("up0").unwrap());
    world.dataplane.attach_port(port).unwrap();
    let attached = Attached { ports: [port].into(), uplinks: [uplink].into() };
    assert_eq!(world.dataplane.attached().unwrap(), attached);

    world.dataplane = Dataplane::open_with(world.pin_dir(), SMALL).unwrap();
    assert_eq!(world.dataplane.attached().unwrap(), attached);
    assert_eq!(world.dataplane.nics().unwrap(), [nic()]);
    assert_eq!(world.dataplane.uplink().unwrap().unwrap().ifindex, uplink);
    let before = program_of("port0");
    world.dataplane.attach_port(port).unwrap();
    world.dataplane.attach_port(port).unwrap();
    assert_ne!(program_of("port0"), before, "the new process's program");

    world.dataplane.detach_all().unwrap();
    assert_eq!(world.dataplane.attached().unwrap(), Attached::default());
    // The kernel lets go of what has lost its pin a moment later.
    let deadline = now_ns() + 5_000_000_000;
    while !program_of("port0").is_empty() {
        assert!(now_ns() < deadline, "it is still attached");
    }
}

#[test]
fn a_port_that_was_deleted_and_made_again_is_attached_again() {
    let mut world = World::new();
    ip("link add port0 index 4711 type veth peer name customer0");
    world.dataplane.attach_port(4711).unwrap();
    ip("link del port0");
    assert!(world.dataplane.attach_port(4711).is_err(), "no such link");
    ip("link add port0 index 4711 type veth peer name customer0");
    world.dataplane.attach_port(4711).unwrap();
    assert_ne!(program_of("port0"), "");
    ip("link del port0");
    world.dataplane.detach(4711).unwrap();
}

#[test]
fn tables_of_another_layout_are_reported_and_never_read() {
    let world = World::new();
    fs::create_dir(world.pin_dir().join("tables-0123456789abcdef")).unwrap();
    assert_eq!(world.dataplane.other_layouts().unwrap(), ["0123456789abcdef"]);
    world.dataplane.drop_other_layouts().unwrap();
    assert!(world.dataplane.other_layouts().unwrap().is_empty());
    assert_eq!(world.dataplane.nics().unwrap(), [nic()]);
}

#[test]
fn a_pinned_table_with_rows_of_another_size_is_refused() {
    let world = World::new();
    let tables: Vec<_> = fs::read_dir(world.pin_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("tables-"))
        .collect();
    let nics = tables[0].join("nics");
    fs::remove_file(&nics).unwrap();
    aya::maps::HashMap::<_, u32, u32>::create(8, 1).map(|map| map.pin(&nics)).unwrap().unwrap();
    assert!(Dataplane::open_with(world.pin_dir(), SMALL).is_err());
}

#[test]
fn unpinned_nothing_is_left_but_what_others_put_there() {
    let world = World::new();
    let mounted = || fs::read_to_string("/proc/self/mounts").unwrap();
    let pin_dir = world.pin_dir().to_owned();
    let stranger = pin_dir.join("stranger");
    fs::create_dir(&stranger).unwrap();
    Dataplane::unpin(&pin_dir).unwrap();
    assert!(stranger.exists());
    fs::remove_dir(&stranger).unwrap();
    Dataplane::unpin(&pin_dir).unwrap();
    assert!(!pin_dir.exists());
    assert!(!mounted().contains(pin_dir.to_str().unwrap()));
    Dataplane::unpin(&pin_dir).unwrap();
}

#[test]
fn a_full_table_says_so() {
    let mut world = World::new();
    let error = (0..=255u8)
        .find_map(|host| {
            let address = Ipv4Addr::new(10, 0, 2, host).into();
            world.dataplane.put_nic(&Nic { address, ..nic() }).err()
        })
        .unwrap();
    assert!(matches!(error, TableError::Map { table: "nics", .. }), "{error}");
}

/// The XDP program's line of `ip link`.
fn program_of(link: &str) -> String {
    let output = std::process::Command::new("ip").args(["link", "show", link]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find(|line| line.contains("prog/xdp")).unwrap_or_default().trim().to_owned()
}
