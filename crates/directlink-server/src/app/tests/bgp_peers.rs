//! BGP peers: what the router is told, and what its word makes of them.

use super::*;
use crate::app::tests::failover_tests::port_plan;
use directlink_model::{
    bgp_peer::{BgpPeerState, BgpStatus},
    ids::BgpPeerId,
    report::PeerReport,
};

fn second(interface: InterfaceId) -> AddBgpPeer {
    AddBgpPeer {
        interface,
        asn: 65001u32.try_into().unwrap(),
        key: Some("second".try_into().unwrap()),
        router_address: None,
        customer_address: None,
        ipv6: false,
    }
}

async fn two() -> (Bench, InterfaceId, BgpPeerId) {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let (_, gateway) = b.net().await;
    let wanted = interface(connection, Some(gateway));
    let id = b.app.create_interface(&b.alice(), wanted).await.unwrap().interface.id;
    b.say(true, &[id]).await;
    let view = b.app.add_bgp_peer(&b.alice(), second(id)).await.unwrap();
    let peer = view.interface.further_peers[0].id;
    (b, id, peer)
}

async fn states(b: &Bench, id: InterfaceId) -> Vec<(BgpPeerId, BgpPeerState, BgpStatus)> {
    let view = b.interface(&b.alice(), id).await.unwrap();
    let of = view.state;
    view.interface.peers().map(|peer| (peer.id, peer.state(of), peer.status(of))).collect()
}

#[tokio::test]
async fn a_second_peer_is_planned_with_addresses_of_its_own_and_survives_a_restart() {
    let (b, id, peer) = two().await;
    let plan = port_plan(&b).await.interfaces[&id].clone();
    let further = &plan.further_peers[&peer];
    assert_eq!(further.addresses.to_string(), "169.254.1.5/30 ↔ 169.254.1.6/30");
    assert_eq!((further.customer_asn.as_u32(), plan.customer_asn.as_u32()), (65001, 65000));
    assert_eq!(further.key.as_ref().map(directlink_net::BgpKey::expose), Some("second"));
    let there = b.interface(&b.alice(), id).await.unwrap().interface;
    let again = app_in(&b.dir).await;
    let filter = InterfaceFilter { interfaces: Some(vec![id]), ..InterfaceFilter::default() };
    let read = again.interfaces(&b.alice(), &filter).await.unwrap().remove(0).interface;
    assert_eq!(read, there);
    // Its addresses are taken for the whole connection.
    let (_, gateway) = {
        let range = "10.9.0.0/16".parse().unwrap();
        let net = b.app.create_net(&b.alice(), CreateNet { range }).await.unwrap().id;
        let gateway = b.gateway(&b.alice()).await;
        b.app.link_gateway(&b.alice(), LinkGateway { gateway, net }).await.unwrap();
        (net, gateway)
    };
    let vlan = 102u16.try_into().unwrap();
    let other = CreateInterface { vlan, ..interface(there.connection, Some(gateway)) };
    let made = b.app.create_interface(&b.alice(), other).await.unwrap();
    assert_eq!(made.interface.peer.to_string(), "169.254.1.9/30 ↔ 169.254.1.10/30");
}

#[tokio::test]
async fn the_routers_word_of_a_peer_makes_its_state() {
    use {BgpPeerState as State, BgpStatus as Status};
    let (b, id, peer) = two().await;
    let first = BgpPeerId::from_bits(id.bits());
    // A router that knows no second peer runs the first.
    b.say(true, &[id]).await;
    let only_first =
        [(first, State::Available, Status::Up), (peer, State::Pending, Status::Unknown)];
    assert_eq!(states(&b, id).await, only_first);
    let say = async |report: InterfaceReport| {
        reconcile::pass(&b.app).await.unwrap();
        b.report(true, [(id, report)].into()).await;
    };
    let idle = PeerReport::default();
    say(InterfaceReport { further_peers: [(peer, idle)].into(), ..works() }).await;
    assert_eq!(states(&b, id).await[1], (peer, State::Available, Status::Down));
    // The first falls, the second is there: the interface works.
    let works_alone = PeerReport {
        session: works().session,
        neighbour: works().neighbour,
        rows_in_kernel: true,
        ..PeerReport::default()
    };
    let further = [(peer, works_alone)].into();
    let first_down =
        InterfaceReport { configured: true, further_peers: further, ..Default::default() };
    say(first_down.clone()).await;
    let seen = states(&b, id).await;
    assert_eq!(
        seen,
        [(first, State::Available, Status::Down), (peer, State::Available, Status::Up)]
    );
    assert_eq!(b.state(id).await, InterfaceState::Available);
    // Deleted, once a router that has the plan without it says that all is as planned.
    let chosen = DeleteBgpPeer { interface: id, peer: ChosenPeer::Id(first) };
    b.app.delete_bgp_peer(&b.alice(), chosen).await.unwrap();
    let old = b.generation("port/p0").await;
    b.report(true, [(id, first_down.clone())].into()).await;
    assert_eq!(states(&b, id).await[0].1, State::Deleting, "not planned anew yet");
    reconcile::pass(&b.app).await.unwrap();
    assert!(b.generation("port/p0").await > old);
    b.report(true, [(id, InterfaceReport { configured: false, ..first_down.clone() })].into())
        .await;
    assert_eq!(states(&b, id).await[0].1, State::Deleting, "something is left to do");
    b.report(true, [(id, first_down)].into()).await;
    assert_eq!(states(&b, id).await, [(peer, State::Available, Status::Up)]);
    assert_eq!(port_plan(&b).await.interfaces[&id].peer_id, Some(peer));
}

#[tokio::test]
async fn a_region_without_ipv6_gives_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = store::testing::open(dir.path()).await;
    let b = Bench::of(app_of(Region { ipv6: None, ..region() }, store), dir).await;
    let connection = b.lit().await;
    let (_, gateway) = b.net().await;
    let of_ipv6 = CreateInterface { ipv6: true, ..interface(connection, Some(gateway)) };
    let refused = b.app.create_interface(&b.alice(), of_ipv6).await;
    assert_eq!(fault(refused), "BadValue");
    let made = b.app.create_interface(&b.alice(), interface(connection, Some(gateway))).await;
    let id = made.unwrap().interface.id;
    let refused = b.app.add_bgp_peer(&b.alice(), AddBgpPeer { ipv6: true, ..second(id) }).await;
    assert_eq!(fault(refused), "BadValue");
}

#[tokio::test]
async fn refusals_change_nothing() {
    let (b, id, _) = two().await;
    let before = dump(&b).await;
    let third = b.app.add_bgp_peer(&b.alice(), second(id)).await;
    assert_eq!(fault(third), "BgpPeerNotCarried");
    let others = b.app.add_bgp_peer(&b.bob(), second(id)).await;
    assert_eq!(fault(others), "NoSuchInterface");
    let none = ChosenPeer::Id(BgpPeerId::from_bits(1));
    let none = b.app.delete_bgp_peer(&b.alice(), DeleteBgpPeer { interface: id, peer: none }).await;
    assert_eq!(fault(none), "NoSuchBgpPeer");
    assert_eq!(dump(&b).await, before);
    b.app.delete_interface(&b.alice(), id).await.unwrap();
    assert_eq!(fault(b.app.add_bgp_peer(&b.alice(), second(id)).await), "NoSuchInterface");
}

#[tokio::test]
async fn a_failover_test_of_one_peer_shuts_that_one_in_the_plan() {
    let (b, id, peer) = two().await;
    b.say(true, &[id]).await;
    let before = port_plan(&b).await;
    let test = StartFailoverTest { interface: id, peers: vec![peer], minutes: Some(10) };
    let test = b.app.start_failover_test(&b.alice(), test).await.unwrap();
    assert_eq!(test.peers, [peer].into());
    let plan = port_plan(&b).await.interfaces[&id].clone();
    assert_eq!(plan.shutdown, None);
    assert!(plan.further_peers[&peer].shutdown.is_some());
    assert_eq!(b.app.failover_tests(&b.alice()).await.unwrap(), [test]);
    b.wait(SignedDuration::from_mins(10));
    assert_eq!(port_plan(&b).await, before);
}
