//! Routes and router configurations of an interface.

use super::*;
use directlink_model::{
    connection::PortRef,
    report::{LearnedRoute, SessionReport},
};

/// An interface, on the port of a plugged connection.
pub(super) async fn interface(region: &TestRegion, keys: &Keys) -> (String, PortRef) {
    let (connection, port) = region.plugged(keys).await;
    let gateway = gateway(region, keys).await;
    let new = json!({"connectionId": connection, "newPrivateVirtualInterface":
        {"virtualInterfaceName": "n", "vlan": 101, "asn": 65000, "authKey": "k&y]]>end",
         "amazonAddress": "172.16.0.1/30", "virtualGatewayId": gateway}});
    let vif = good(region, keys, "CreatePrivateVirtualInterface", new).await;
    (vif["virtualInterfaceId"].as_str().unwrap().to_owned(), port)
}

async fn say(region: &TestRegion, port: &PortRef, id: &str, state: &str) {
    let route = |prefix: &str, as_path: &[u32]| LearnedRoute {
        prefix: prefix.parse().unwrap(),
        as_path: as_path.to_vec(),
        med: None,
        local_pref: 100,
        best: true,
    };
    let report = InterfaceReport {
        configured: true,
        session: SessionReport { state: state.into(), ..Default::default() },
        learned: vec![
            route("192.168.0.0/24", &[65000]),
            route("192.168.1.0/24", &[65000, 65010, 65020]),
        ],
        advertised: vec!["10.0.0.0/16".parse().unwrap()],
        ..Default::default()
    };
    region.report_all(port, true, BTreeMap::from([(id.parse().unwrap(), report)])).await;
}

#[tokio::test]
async fn routes_are_those_of_the_session_filtered_and_in_pages() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (id, port) = interface(&region, keys).await;
    let list = async |filters: Value| -> Vec<String> {
        let body = json!({"virtualInterfaceId": id, "filters": filters});
        let seen = good(&region, keys, "ListVirtualInterfaceRoutes", body).await;
        let cidr = |route: &Value| route["cidr"].as_str().unwrap().to_owned();
        seen["routes"].as_array().unwrap().iter().map(cidr).collect()
    };
    assert!(list(json!({})).await.is_empty(), "no router has spoken of it");
    say(&region, &port, &id, "Idle").await;
    assert!(list(json!({})).await.is_empty(), "the session is down");
    say(&region, &port, &id, SessionReport::ESTABLISHED).await;
    let (net, near, far) = ("10.0.0.0/16", "192.168.0.0/24", "192.168.1.0/24");
    for (filters, expected) in [
        (json!({}), vec![near, far, net]),
        (json!({"routeDirection": "accepted"}), vec![near, far]),
        (json!({"routeDirection": "advertised"}), vec![net]),
        (json!({"addressFamily": "ipv6"}), vec![]),
        (json!({"cidrs": [far, net]}), vec![far, net]),
        (json!({"asPath": [65000]}), vec![near, far]),
        (json!({"asPath": [65010, 65020]}), vec![far]),
        (json!({"asPath": [65000, 65020]}), vec![]),
        (json!({"asPath": [50624]}), vec![net]),
    ] {
        assert_eq!(list(filters.clone()).await, expected, "{filters}");
    }
    let body = json!({"virtualInterfaceId": id, "maxResults": 2});
    let first = good(&region, keys, "ListVirtualInterfaceRoutes", body).await;
    assert_eq!(
        first["routes"][1]["asPath"],
        json!([{"pathType": "seq", "path": [65000, 65010, 65020]}])
    );
    let body = json!({"virtualInterfaceId": id, "nextToken": first["nextToken"]});
    let rest = good(&region, keys, "ListVirtualInterfaceRoutes", body).await;
    assert_eq!((rest["routes"].as_array().unwrap().len(), rest.get("nextToken")), (1, None));
    for (filters, text) in [
        (json!({"routeDirection": "up"}), "accepted or advertised"),
        (json!({"cidrs": ["x"]}), "Invalid cidr 'x'"),
        (json!({"cidrs": vec![near; 11]}), "at most 10"),
        (json!({"communities": ["7224:7300"]}), "filters.communities is not supported"),
    ] {
        let body = json!({"virtualInterfaceId": id, "filters": filters});
        let refused = region.aws(keys, "ListVirtualInterfaceRoutes", body).await;
        assert!(refused.refusal().1.contains(text), "{}", refused.body);
    }
    let other = json!({"virtualInterfaceId": id});
    let refused = region.aws(&region.guest, "ListVirtualInterfaceRoutes", other).await;
    assert!(refused.refusal().1.contains("does not exist"), "{}", refused.body);
}

/// Its gateway leads to a Net.
async fn lead(region: &TestRegion, keys: &Keys, id: &str) {
    let seen =
        good(region, keys, "DescribeVirtualInterfaces", json!({"virtualInterfaceId": id})).await;
    let gateway = seen["virtualInterfaces"][0]["virtualGatewayId"].clone();
    let net = region.good(keys, "CreateNet", json!({"IpRange": "10.0.0.0/16"})).await;
    let link = json!({"NetId": net["Net"]["NetId"], "VirtualGatewayId": gateway});
    region.good(keys, "LinkVirtualGateway", link).await;
}

#[tokio::test]
async fn a_router_configuration_is_xml_and_holds_the_text_for_the_named_router() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (id, _) = interface(&region, keys).await;
    lead(&region, keys, &id).await;
    let bare = json!({"virtualInterfaceId": id});
    let bare = good(&region, keys, "DescribeRouterConfiguration", bare).await;
    let plain = bare["customerRouterConfig"].as_str().unwrap();
    assert!(plain.contains("<bgp_auth_key>k&amp;y]]&gt;end</bgp_auth_key>"), "{plain}");
    assert!(bare.get("router").is_none());
    let frr = "FRRouting-Linux-FRR8";
    let named = json!({"virtualInterfaceId": id, "routerTypeIdentifier": frr});
    let named = good(&region, keys, "DescribeRouterConfiguration", named).await;
    assert_eq!(named["router"]["routerTypeIdentifier"], frr);
    assert_eq!(named["virtualInterfaceName"], "n");
    let config = named["customerRouterConfig"].as_str().unwrap();
    assert!(config.starts_with(plain.trim_end().trim_end_matches("</logical_connection>")));
    let text = config.split_once("<![CDATA[\n").unwrap().1;
    let told = "-IN seq 5 permit 10.0.0.0/16";
    assert!(text.contains("router bgp 65000") && text.contains(told), "before a session: {text}");
    assert!(text.contains("k&y]]]]><![CDATA[>end"), "the key cannot end the section: {text}");
    let unknown = json!({"virtualInterfaceId": id, "routerTypeIdentifier": "Acme"});
    let refused = region.aws(keys, "DescribeRouterConfiguration", unknown).await;
    let text = refused.refusal().1;
    assert!(text.contains("'Acme'") && text.contains(frr), "{text}");
}
