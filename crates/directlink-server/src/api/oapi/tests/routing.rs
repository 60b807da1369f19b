//! Route tables, links and routes by hand.

use super::*;

#[tokio::test]
async fn tables_links_and_routes_by_hand() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (net, subnet, gateway) = place(&region, keys).await;
    let (other_net, other_subnet) = {
        let net = region.good(keys, "CreateNet", json!({"IpRange": "10.1.0.0/16"})).await;
        let net = net["Net"]["NetId"].clone();
        let subnet = json!({"NetId": net, "IpRange": "10.1.1.0/24"});
        let subnet = region.good(keys, "CreateSubnet", subnet).await;
        (net, subnet["Subnet"]["SubnetId"].clone())
    };
    let made = region.good(keys, "CreateRouteTable", json!({"NetId": net})).await;
    let table = made["RouteTable"]["RouteTableId"].clone();
    let expected = json!({"LinkRouteTables": [], "NetId": net, "RouteTableId": table,
        "RoutePropagatingVirtualGateways": [], "Tags": [],
        "Routes": [{"CreationMethod": "CreateRouteTable", "DestinationIpRange": "10.0.0.0/16",
                    "GatewayId": "local", "State": "active"}]});
    assert_eq!(made["RouteTable"], expected);
    let nic = region.good(keys, "CreateNic", json!({"SubnetId": subnet})).await;
    let nic = nic["Nic"]["NicId"].clone();
    let far_nic = region.good(keys, "CreateNic", json!({"SubnetId": other_subnet})).await;
    let far_nic = far_nic["Nic"]["NicId"].clone();

    let route = |to: &str, name: &str, target: &Value| {
        let mut body = json!({"RouteTableId": table, "DestinationIpRange": to});
        body[name] = target.clone();
        body
    };
    let vgw = json!(gateway);
    let made = region
        .good(keys, "CreateRoute", route("192.168.0.0/16", "GatewayId", &vgw))
        .await["RouteTable"]["Routes"][1]
        .take();
    let expected = json!({"CreationMethod": "CreateRoute", "DestinationIpRange": "192.168.0.0/16",
        "GatewayId": gateway, "State": "active"});
    assert_eq!(made, expected);
    for (name, target, to, code) in [
        ("GatewayId", &vgw, "192.168.0.0/16", 9052),
        ("GatewayId", &vgw, "10.0.0.0/16", 9052),
        ("GatewayId", &vgw, "10.0.1.0/24", 4047),
        ("GatewayId", &vgw, "192.168.1.1/16", 4047),
        ("GatewayId", &json!("vgw-00000000"), "0.0.0.0/0", 5068),
        ("GatewayId", &json!("igw-00000000"), "0.0.0.0/0", 5001),
        ("GatewayId", &json!("igw-0"), "0.0.0.0/0", 4105),
        ("GatewayId", &json!("nat-00000000"), "0.0.0.0/0", 4104),
        ("NatServiceId", &json!("nat-00000000"), "0.0.0.0/0", 5032),
        ("NetPeeringId", &json!("pcx-00000000"), "0.0.0.0/0", 5035),
        ("VmId", &json!("i-00000000"), "0.0.0.0/0", 5063),
        ("NicId", &far_nic, "0.0.0.0/0", 4086),
        ("NicId", &json!("eni-00000000"), "0.0.0.0/0", 5036),
        ("Colour", &json!("red"), "0.0.0.0/0", 3001),
    ] {
        let answer = region.oapi(keys, "CreateRoute", route(to, name, target)).await;
        assert_eq!(answer.code(), code, "{name} {target} {to}: {}", answer.body);
    }
    let mut two = route("0.0.0.0/0", "GatewayId", &vgw);
    two["NicId"] = nic.clone();
    assert_eq!(region.oapi(keys, "CreateRoute", two).await.code(), 4046);
    let none = json!({"RouteTableId": table, "DestinationIpRange": "0.0.0.0/0"});
    assert_eq!(region.oapi(keys, "CreateRoute", none).await.code(), 7000);

    // Another target; then what leads somewhere keeps it.
    let missing = route("172.16.0.0/16", "NicId", &nic);
    assert_eq!(region.oapi(keys, "UpdateRoute", missing).await.code(), 5045);
    let unlink = json!({"NetId": net, "VirtualGatewayId": gateway});
    assert_eq!(region.oapi(keys, "UnlinkVirtualGateway", unlink).await.code(), 9002);
    let changed = region.good(keys, "UpdateRoute", route("192.168.0.0/16", "NicId", &nic)).await;
    let changed = &changed["RouteTable"]["Routes"][1];
    assert_eq!((&changed["NicId"], changed.get("GatewayId")), (&nic, None));
    assert_eq!(region.oapi(keys, "DeleteNic", json!({"NicId": nic})).await.code(), 9002);
    for (to, code) in [("10.0.0.0/16", 4047), ("8.8.8.0/24", 5045), ("x", 4047)] {
        let gone = json!({"RouteTableId": table, "DestinationIpRange": to});
        assert_eq!(region.oapi(keys, "DeleteRoute", gone).await.code(), code, "{to}");
    }

    // Links.
    let link = |subnet: &Value| json!({"RouteTableId": table, "SubnetId": subnet});
    assert_eq!(region.oapi(keys, "LinkRouteTable", link(&other_subnet)).await.code(), 4086);
    let subnet = json!(subnet);
    let id = region.good(keys, "LinkRouteTable", link(&subnet)).await["LinkRouteTableId"].take();
    assert_eq!(region.oapi(keys, "LinkRouteTable", link(&subnet)).await.code(), 9059);
    let delete = json!({"RouteTableId": table});
    assert_eq!(region.oapi(keys, "DeleteRouteTable", delete.clone()).await.code(), 9002);
    let read = async |filters: Value| -> Vec<Value> {
        let read = region.good(keys, "ReadRouteTables", json!({"Filters": filters})).await;
        let tables = read["RouteTables"].as_array().unwrap();
        tables.iter().map(|t| t["RouteTableId"].clone()).collect()
    };
    let main = read(json!({"NetIds": [net], "LinkRouteTableMain": true})).await.remove(0);
    for (filters, expected) in [
        (json!({"LinkSubnetIds": [subnet]}), vec![&table]),
        (json!({"LinkRouteTableLinkRouteTableIds": [id]}), vec![&table]),
        (json!({"LinkRouteTableIds": [table]}), vec![&table]),
        (json!({"RouteCreationMethods": ["CreateRoute"]}), vec![&table]),
        (json!({"RouteDestinationIpRanges": ["192.168.0.0/16"]}), vec![&table]),
        (json!({"NetIds": [net]}), vec![&main, &table]),
        (json!({"RouteGatewayIds": [gateway]}), vec![]),
        (json!({"RouteVmIds": ["i-12345678"]}), vec![]),
    ] {
        let got = read(filters.clone()).await;
        assert_eq!(got.iter().collect::<Vec<_>>(), expected, "{filters}");
    }
    let main_link = {
        let body = json!({"Filters": {"RouteTableIds": [main]}});
        let read = region.good(keys, "ReadRouteTables", body).await;
        read["RouteTables"][0]["LinkRouteTables"][0]["LinkRouteTableId"].clone()
    };
    for (link, code) in [(&main_link, 4047), (&json!("rtbassoc-00000000"), 5047)] {
        let body = json!({"LinkRouteTableId": link});
        assert_eq!(region.oapi(keys, "UnlinkRouteTable", body).await.code(), code);
    }
    let swap = json!({"LinkRouteTableId": main_link, "RouteTableId": table});
    let swapped = region.good(keys, "UpdateRouteTableLink", swap).await;
    assert_eq!(
        read(json!({"NetIds": [net], "LinkRouteTableMain": true})).await,
        vec![table.clone()]
    );
    let back = json!({"LinkRouteTableId": swapped["LinkRouteTableId"], "RouteTableId": main});
    region.good(keys, "UpdateRouteTableLink", back).await;

    // Down again.
    region.good(keys, "UnlinkRouteTable", json!({"LinkRouteTableId": id})).await;
    let gone = json!({"RouteTableId": table, "DestinationIpRange": "192.168.0.0/16"});
    region.good(keys, "DeleteRoute", gone).await;
    assert_eq!(
        region.oapi(keys, "DeleteRouteTable", json!({"RouteTableId": main})).await.code(),
        9002
    );
    region.good(keys, "DeleteNic", json!({"NicId": far_nic})).await;
    region.good(keys, "DeleteSubnet", json!({"SubnetId": other_subnet})).await;
    let custom = region.good(keys, "CreateRouteTable", json!({"NetId": other_net})).await;
    assert_eq!(region.oapi(keys, "DeleteNet", json!({"NetId": other_net})).await.code(), 9066);
    let custom = custom["RouteTable"]["RouteTableId"].clone();
    region.good(keys, "DeleteRouteTable", json!({"RouteTableId": custom})).await;
    region.good(keys, "DeleteNet", json!({"NetId": other_net})).await;
    region.good(keys, "DeleteRouteTable", delete).await;
}
