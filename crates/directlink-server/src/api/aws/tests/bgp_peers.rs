//! A second BGP peer, over the API: added, seen, tested, deleted.

use super::{looking_glass::interface, *};
use directlink_model::report::{LearnedRoute, PeerReport, SessionReport};

fn first_of(id: &str) -> String {
    format!("dxpeer-{}", id.strip_prefix("dxvif-").unwrap())
}

async fn add(region: &TestRegion, keys: &Keys, id: &str, new: Value) -> Value {
    let body = json!({"virtualInterfaceId": id, "newBGPPeer": new});
    good(region, keys, "CreateBGPPeer", body).await["virtualInterface"].take()
}

/// Each peer's number, state and session.
fn peers(vif: &Value) -> Vec<[String; 3]> {
    let text = |peer: &Value, member: &str| peer[member].as_str().unwrap().to_owned();
    let members = ["bgpPeerId", "bgpPeerState", "bgpStatus"];
    let list = vif["bgpPeers"].as_array().unwrap().iter();
    list.map(|peer| members.map(|member| text(peer, member))).collect()
}

async fn described(region: &TestRegion, keys: &Keys, id: &str) -> Value {
    let body = json!({"virtualInterfaceId": id});
    good(region, keys, "DescribeVirtualInterfaces", body).await["virtualInterfaces"][0].take()
}

fn up(prefix: &str) -> PeerReport {
    PeerReport {
        session: SessionReport { state: SessionReport::ESTABLISHED.into(), ..Default::default() },
        neighbour: Some(directlink_net::Mac([2; 6])),
        rows_in_kernel: true,
        learned: vec![LearnedRoute {
            prefix: prefix.parse().unwrap(),
            as_path: vec![65001],
            med: None,
            local_pref: 100,
            best: true,
        }],
        advertised: vec!["10.0.0.0/16".parse().unwrap()],
        ..Default::default()
    }
}

#[tokio::test]
async fn a_second_peer_comes_up_beside_the_first_and_the_first_can_then_go() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (id, port) = interface(&region, keys).await;
    let first = first_of(&id);
    let new = json!({"asn": 65001, "authKey": "second", "addressFamily": "ipv4",
        "amazonAddress": "172.16.0.5/30", "customerAddress": "172.16.0.6/30"});
    let vif = add(&region, keys, &id, new).await;
    let second = vif["bgpPeers"][1]["bgpPeerId"].as_str().unwrap().to_owned();
    assert_ne!(second, first);
    let shown = &vif["bgpPeers"][1];
    assert_eq!((&shown["asn"], &shown["authKey"]), (&json!(65001), &json!("second")));
    assert_eq!(shown["customerAddress"], "172.16.0.6/30");
    assert_eq!(peers(&vif)[1], [second.as_str(), "pending", "unknown"]);
    assert_eq!(vif["customerAddress"], "172.16.0.2/30", "the first stands for the interface");
    // Only the second works: that is enough for the interface.
    let id_there: directlink_model::ids::InterfaceId = id.parse().unwrap();
    let second_there = second.parse().unwrap();
    let said = |further| InterfaceReport {
        configured: true,
        further_peers: further,
        ..Default::default()
    };
    let both = said([(second_there, up("192.168.7.0/24"))].into());
    region.report_all(&port, true, [(id_there, both)].into()).await;
    let vif = described(&region, keys, &id).await;
    assert_eq!(vif["virtualInterfaceState"], "available");
    assert_eq!(peers(&vif)[0], [first.as_str(), "available", "down"]);
    assert_eq!(peers(&vif)[1], [second.as_str(), "available", "up"]);
    let list =
        good(&region, keys, "ListVirtualInterfaceRoutes", json!({"virtualInterfaceId": id})).await;
    let routes = list["routes"].as_array().unwrap().iter();
    let routes: Vec<_> = routes.map(|route| route["cidr"].as_str().unwrap()).collect();
    assert_eq!(routes, ["192.168.7.0/24", "10.0.0.0/16"]);
    // The first goes when its router has let go of it.
    let delete = json!({"virtualInterfaceId": id, "asn": 65000, "customerAddress": "172.16.0.2"});
    let vif = good(&region, keys, "DeleteBGPPeer", delete).await["virtualInterface"].take();
    assert_eq!(peers(&vif)[0], [first.as_str(), "deleting", "unknown"]);
    assert_eq!(vif["customerAddress"], "172.16.0.6/30", "the second stands for it now");
    let alone = said([(second_there, up("192.168.7.0/24"))].into());
    region.report_all(&port, true, [(id_there, alone)].into()).await;
    let vif = described(&region, keys, &id).await;
    assert_eq!(peers(&vif), [[second.as_str(), "available", "up"]]);
    let there = region.good(keys, "ReadDirectLinkInterfaces", json!({})).await;
    let there = &there["DirectLinkInterfaces"][0];
    assert_eq!(there["State"], "available");
    assert_eq!((&there["BgpAsn"], &there["BgpKey"]), (&json!(65001), &json!("second")));
    let xml = vif["customerRouterConfig"].as_str().unwrap();
    assert!(xml.contains("<bgp_asn>65001</bgp_asn>") && xml.contains("172.16.0.6/30"), "{xml}");
    let last = json!({"virtualInterfaceId": id, "bgpPeerId": second});
    let refused = region.aws(keys, "DeleteBGPPeer", last).await;
    let text = "The last BGP Peer on a Virtual Interface cannot be deleted";
    assert!(refused.refusal().1.starts_with(text), "{}", refused.body);
    // And there is room again, at addresses that were free since.
    let new = json!({"asn": 65000, "customerAddress": "172.16.0.2/30"});
    assert_eq!(peers(&add(&region, keys, &id, new).await).len(), 2);
}

#[tokio::test]
async fn ipv6_peers_stand_beside_and_get_a_125_each() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (id, _) = interface(&region, keys).await;
    let new = json!({"asn": 65001, "authKey": "second", "addressFamily": "ipv6"});
    let vif = add(&region, keys, &id, new.clone()).await;
    let shown = &vif["bgpPeers"][1];
    assert_eq!(shown["addressFamily"], "ipv6");
    assert_eq!(shown["amazonAddress"], "fd44:4c00::1/125");
    assert_eq!(shown["customerAddress"], "fd44:4c00::2/125");
    assert_eq!(vif["addressFamily"], "ipv4", "the first stands for the interface");
    let second = json!({"asn": 65001, "customerAddress": "2001:db8::2/126"});
    let vif = add(&region, keys, &id, second).await;
    let shown = &vif["bgpPeers"][2];
    assert_eq!(
        (&shown["addressFamily"], &shown["amazonAddress"]),
        (&json!("ipv6"), &json!("2001:db8::1/126"))
    );
    let third = json!({"virtualInterfaceId": id, "newBGPPeer": new});
    let refused = region.aws(keys, "CreateBGPPeer", third).await;
    assert!(refused.refusal().1.contains("two ipv6 peers"), "{}", refused.body);
    for n in [1, 2] {
        let peer = vif["bgpPeers"][n]["bgpPeerId"].clone();
        let body = json!({"virtualInterfaceId": id, "bgpPeerId": peer});
        good(&region, keys, "DeleteBGPPeer", body).await;
    }
}

/// One of IPv6 alone, asked for with these words of the first peer.
async fn of_ipv6(region: &TestRegion, keys: &Keys, vlan: u16, words: Value) -> Value {
    let (connection, _) = region.plugged(keys).await;
    let mut new = json!({"virtualInterfaceName": "six", "vlan": vlan, "asn": 65000,
        "authKey": "6ix26", "virtualGatewayId": gateway(region, keys).await});
    new.as_object_mut().unwrap().extend(words.as_object().unwrap().clone());
    let body = json!({"connectionId": connection, "newPrivateVirtualInterface": new});
    good(region, keys, "CreatePrivateVirtualInterface", body).await
}

#[tokio::test]
async fn an_interface_can_be_of_ipv6_alone_in_every_dialect() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    for (vlan, words, addresses) in [
        (101, json!({"addressFamily": "ipv6"}), ["fd44:4c00::1/125", "fd44:4c00::2/125"]),
        (102, json!({"customerAddress": "fd00::6/126"}), ["fd00::5/126", "fd00::6/126"]),
    ] {
        let vif = of_ipv6(&region, keys, vlan, words).await;
        let id = vif["virtualInterfaceId"].as_str().unwrap();
        for shown in [&vif, &vif["bgpPeers"][0]] {
            let members = ["addressFamily", "amazonAddress", "customerAddress", "authKey"];
            let members = members.map(|member| shown[member].as_str().unwrap());
            assert_eq!(members, ["ipv6", addresses[0], addresses[1], "6ix26"]);
        }
        let xml = vif["customerRouterConfig"].as_str().unwrap();
        assert!(xml.contains("<ipv6_customer_address>") && !xml.contains("<customer_address>"));
        let filters = json!({"Filters": {"DirectLinkInterfaceIds": [id]}});
        let there = region.good(keys, "ReadDirectLinkInterfaces", filters).await;
        let there = &there["DirectLinkInterfaces"][0];
        let there = ["OutscalePrivateIp", "ClientPrivateIp"].map(|member| there[member].clone());
        assert_eq!(there, addresses.map(Value::from));
        let last = json!({"virtualInterfaceId": id, "asn": 65000});
        let refused = region.aws(keys, "DeleteBGPPeer", last).await;
        assert!(refused.refusal().1.starts_with("The last BGP Peer"), "{}", refused.body);
    }
}

#[tokio::test]
async fn ipv4_can_come_beside_ipv6_and_go_again() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let vif = of_ipv6(&region, keys, 101, json!({"addressFamily": "ipv6"})).await;
    let id = vif["virtualInterfaceId"].as_str().unwrap();
    let vif = add(&region, keys, id, json!({"asn": 65000, "authKey": "4our"})).await;
    assert_eq!(vif["addressFamily"], "ipv4", "where there is room for one it is shown");
    let xml = vif["customerRouterConfig"].as_str().unwrap();
    for key in ["<bgp_auth_key>4our<", "<ipv6_bgp_auth_key>6ix26<"] {
        assert!(xml.contains(key), "both are one router's: {xml}");
    }
    let delete = json!({"virtualInterfaceId": id, "bgpPeerId": vif["bgpPeers"][1]["bgpPeerId"]});
    let vif = good(&region, keys, "DeleteBGPPeer", delete).await["virtualInterface"].take();
    assert_eq!(vif["addressFamily"], "ipv6");
}

#[tokio::test]
async fn a_hosted_interface_can_be_of_ipv6_and_keeps_its_key_from_its_host() {
    let region = TestRegion::new().await;
    let (owner, guest) = (&region.owner, &region.guest);
    let (connection, _) = region.plugged(owner).await;
    let allocation = json!({"virtualInterfaceName": "n", "vlan": 102, "asn": 65000,
        "authKey": "6ix26", "addressFamily": "ipv6"});
    let body = json!({"connectionId": connection, "ownerAccount": guest.account.to_string(),
        "newPrivateVirtualInterfaceAllocation": allocation});
    let vif = good(&region, owner, "AllocatePrivateVirtualInterface", body).await;
    assert!(!vif.to_string().contains("6ix26"), "{vif}");
    let seen = described(&region, guest, vif["virtualInterfaceId"].as_str().unwrap()).await;
    assert_eq!((&seen["addressFamily"], &seen["authKey"]), (&json!("ipv6"), &json!("6ix26")));
}

#[tokio::test]
async fn a_failover_test_of_one_peer_names_it_and_leaves_the_other_alone() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (id, port) = interface(&region, keys).await;
    let vif = add(&region, keys, &id, json!({"asn": 65001})).await;
    let [first, second] = [0, 1].map(|n| peers(&vif)[n][0].clone());
    region.report(&port, true, &[(&id, "192.168.7.0/24")]).await;
    let start =
        json!({"virtualInterfaceId": id, "bgpPeers": [second], "testDurationInMinutes": 10});
    let test = good(&region, keys, "StartBgpFailoverTest", start).await;
    assert_eq!(test["virtualInterfaceTest"]["bgpPeers"], json!([second]));
    good(&region, keys, "StopBgpFailoverTest", json!({"virtualInterfaceId": id})).await;
    let start = json!({"virtualInterfaceId": id, "testDurationInMinutes": 10});
    let test = good(&region, keys, "StartBgpFailoverTest", start).await;
    let mut all = vec![first.clone(), second.clone()];
    all.sort();
    assert_eq!(test["virtualInterfaceTest"]["bgpPeers"], json!(all), "none named: all");
    for (peer, count) in [(&first, 1), (&second, 2)] {
        let seen =
            good(&region, keys, "ListVirtualInterfaceTestHistory", json!({"bgpPeers": [peer]}))
                .await;
        assert_eq!(seen["virtualInterfaceTestHistory"].as_array().unwrap().len(), count, "{peer}");
    }
}

#[tokio::test]
async fn a_hosted_interfaces_peers_are_its_owners_and_so_are_their_keys() {
    let region = TestRegion::new().await;
    let (owner, guest) = (&region.owner, &region.guest);
    let (connection, _) = region.plugged(owner).await;
    let allocation = json!({"virtualInterfaceName": "n", "vlan": 102, "asn": 65000});
    let body = json!({"connectionId": connection, "ownerAccount": guest.account.to_string(),
        "newPrivateVirtualInterfaceAllocation": allocation});
    let vif = good(&region, owner, "AllocatePrivateVirtualInterface", body).await;
    let id = vif["virtualInterfaceId"].as_str().unwrap();
    let body = json!({"virtualInterfaceId": id, "newBGPPeer": {"asn": 65001}});
    let refused = region.aws(owner, "CreateBGPPeer", body).await;
    assert!(refused.refusal().1.contains("does not exist"), "{}", refused.body);
    add(&region, guest, id, json!({"asn": 65001, "authKey": "secret"})).await;
    for (keys, key) in [(owner, None), (guest, Some(&json!("secret")))] {
        let vif = described(&region, keys, id).await;
        assert_eq!(vif["bgpPeers"][1].get("authKey"), key);
    }
    // No router has it yet, so it is gone at once.
    let second = json!({"virtualInterfaceId": id, "asn": 65001});
    let vif = good(&region, guest, "DeleteBGPPeer", second).await["virtualInterface"].take();
    assert_eq!(peers(&vif).len(), 1);
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_with_the_reason() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (id, _) = interface(&region, keys).await;
    let first = first_of(&id);
    let last = "The last BGP Peer on a Virtual Interface cannot be deleted";
    let delete = |members: Value| {
        let mut body = json!({"virtualInterfaceId": id});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        ("DeleteBGPPeer", body)
    };
    let create =
        |new: Value| ("CreateBGPPeer", json!({"virtualInterfaceId": id, "newBGPPeer": new}));
    let table = [
        (delete(json!({"bgpPeerId": first})), last),
        (delete(json!({"asn": 65000, "customerAddress": "172.16.0.2/30"})), last),
        (delete(json!({"asnLong": 65000, "customerAddress": "172.16.0.2"})), last),
        (delete(json!({"asn": 65000})), last),
        (delete(json!({"asn": 65001})), "BGP Peer 'AS65001'"),
        (delete(json!({"asn": 65000, "customerAddress": "172.16.0.6/30"})), "does not exist"),
        (delete(json!({"bgpPeerId": "dxpeer-00000000"})), "does not exist"),
        (delete(json!({})), "Field asn is required"),
        (
            create(
                json!({"asn": 65000, "addressFamily": "ipv6", "customerAddress": "172.16.0.9/30"}),
            ),
            "give IPv6 addresses",
        ),
        (
            create(
                json!({"asn": 65000, "addressFamily": "ipv4", "customerAddress": "fd00::2/126"}),
            ),
            "give IPv4 addresses",
        ),
        (create(json!({"asn": 65000, "customerAddress": "fd00::2/64"})), "2 to 256 addresses"),
        (create(json!({"asn": 65000, "customerAddress": "172.16.0.2/30"})), "172.16.0.0/30 meets"),
        (
            create(json!({"asn": 65000, "amazonAddress": "172.16.0.4/30"})),
            "address 0 on its subnet",
        ),
        (create(json!({"asn": 65000, "authKey": "a b"})), "Invalid authKey"),
        (create(json!({"asn": 50624})), "a number of the provider"),
        (create(json!({})), "Field newBGPPeer.asn is required"),
        (
            (
                "CreateBGPPeer",
                json!({"virtualInterfaceId": "dxvif-00000000", "newBGPPeer": {"asn": 1}}),
            ),
            "does not exist",
        ),
    ];
    for ((operation, body), text) in table {
        let answer = region.aws(keys, operation, body.clone()).await;
        assert!(answer.refusal().1.contains(text), "{operation} {body}: {}", answer.body);
    }
    add(&region, keys, &id, json!({"asn": 65000})).await;
    for ((operation, body), text) in [
        (create(json!({"asn": 65000})), "takes no further BGP Peer: it has two ipv4 peers"),
        (delete(json!({"asn": 65000})), "say which by customerAddress"),
    ] {
        let answer = region.aws(keys, operation, body.clone()).await;
        assert!(answer.refusal().1.contains(text), "{operation} {body}: {}", answer.body);
    }
}
