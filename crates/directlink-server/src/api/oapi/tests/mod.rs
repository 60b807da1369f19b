//! The dialect over a real app: every answer is held against the published description.

mod door;
mod neighbours;
mod own;
mod published;
mod routing;
mod visibility;

use super::*;
use crate::api::testing::{Answer, Keys, TestRegion};

/// A Net with a Subnet and a gateway.
async fn place(region: &TestRegion, keys: &Keys) -> (String, String, String) {
    let id = |answer: &Value, member: &str, name: &str| {
        answer[member][name].as_str().unwrap().to_owned()
    };
    let net = region.good(keys, "CreateNet", json!({"IpRange": "10.0.0.0/16"})).await;
    let net = id(&net, "Net", "NetId");
    let subnet = json!({"NetId": net, "IpRange": "10.0.1.0/24", "SubregionName": "eu-west-2a"});
    let subnet = region.good(keys, "CreateSubnet", subnet).await;
    assert_eq!(subnet["Subnet"]["AvailableIpsCount"], 251);
    let subnet = id(&subnet, "Subnet", "SubnetId");
    let gateway = json!({"ConnectionType": "ipsec.1"});
    let gateway = region.good(keys, "CreateVirtualGateway", gateway).await;
    assert_eq!(gateway["VirtualGateway"]["NetToVirtualGatewayLinks"], json!([]));
    let gateway = id(&gateway, "VirtualGateway", "VirtualGatewayId");
    let link = json!({"NetId": net, "VirtualGatewayId": gateway});
    let linked = region.good(keys, "LinkVirtualGateway", link).await;
    assert_eq!(linked["NetToVirtualGatewayLink"], json!({"NetId": net, "State": "attached"}));
    (net, subnet, gateway)
}

fn interface(connection: &str, gateway: &str, vlan: u16) -> Value {
    json!({"DirectLinkId": connection, "DirectLinkInterface": {
        "DirectLinkInterfaceName": "to my Net", "Vlan": vlan, "BgpAsn": 65000,
        "BgpKey": "tgyn26example", "OutscalePrivateIp": "172.16.0.5/30",
        "ClientPrivateIp": "172.16.0.6/30", "VirtualGatewayId": gateway}})
}

#[tokio::test]
async fn a_connection_and_an_interface_from_order_to_deletion() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (net, _, gateway) = place(&region, keys).await;
    let (connection, port) = region.plugged(keys).await;
    let read = region.good(keys, "ReadDirectLinks", json!({})).await;
    let expected = json!([{
        "AccountId": keys.account, "Bandwidth": "1Gbps", "DirectLinkId": connection,
        "DirectLinkName": "fibre", "Location": "PAR1", "RegionName": "eu-west-2",
        "State": "available"}]);
    assert_eq!(read["DirectLinks"], expected);

    let made =
        region.good(keys, "CreateDirectLinkInterface", interface(&connection, &gateway, 101)).await;
    let made = &made["DirectLinkInterface"];
    let id = made["DirectLinkInterfaceId"].as_str().unwrap();
    let expected = json!({
        "AccountId": keys.account, "BgpAsn": 65000, "BgpKey": "tgyn26example",
        "ClientPrivateIp": "172.16.0.6/30", "DirectLinkId": connection,
        "DirectLinkInterfaceId": id, "DirectLinkInterfaceName": "to my Net",
        "InterfaceType": "private", "Location": "PAR1", "Mtu": 1500,
        "OutscalePrivateIp": "172.16.0.5/30", "State": "pending", "VirtualGatewayId": gateway,
        "Vlan": 101});
    assert_eq!(*made, expected);

    let state = async |wanted: &str| {
        let filters = json!({"Filters": {"DirectLinkInterfaceIds": [id]}});
        let read = region.good(keys, "ReadDirectLinkInterfaces", filters).await;
        assert_eq!(read["DirectLinkInterfaces"][0]["State"], wanted);
    };
    region.report(&port, true, &[(id, "192.168.7.0/24")]).await;
    state("available").await;
    region.report(&port, false, &[(id, "192.168.7.0/24")]).await;
    state("pending").await;
    let read = region.good(keys, "ReadDirectLinks", json!({})).await;
    assert_eq!(read["DirectLinks"][0]["State"], "down");
    region.report(&port, true, &[(id, "192.168.7.0/24")]).await;

    let tables = json!({"Filters": {"NetIds": [net], "LinkRouteTableMain": true}});
    let table = region.good(keys, "ReadRouteTables", tables.clone()).await["RouteTables"][0].take();
    assert_eq!(
        table["Routes"],
        json!([{"CreationMethod": "CreateRouteTable",
        "DestinationIpRange": "10.0.0.0/16", "GatewayId": "local", "State": "active"}])
    );
    let propagation = json!({"RouteTableId": table["RouteTableId"], "VirtualGatewayId": gateway,
        "Enable": true});
    let shown = region.good(keys, "UpdateRoutePropagation", propagation).await["RouteTable"].take();
    assert_eq!(shown["Routes"][1]["DestinationIpRange"], "192.168.7.0/24");
    assert_eq!(shown["Routes"][1]["GatewayId"], gateway);
    assert_eq!(shown["RoutePropagatingVirtualGateways"], json!([{"VirtualGatewayId": gateway}]));

    let mtu = json!({"DirectLinkInterfaceId": id, "Mtu": 1400});
    let changed = region.good(keys, "UpdateDirectLinkInterface", mtu).await;
    assert_eq!(changed["DirectLinkInterface"]["Mtu"], 1400);

    region.good(keys, "DeleteDirectLinkInterface", json!({"DirectLinkInterfaceId": id})).await;
    state("deleting").await;
    region.report(&port, true, &[]).await;
    state("deleted").await;
    region.good(keys, "DeleteDirectLink", json!({"DirectLinkId": connection})).await;
    region.report(&port, true, &[]).await;
    let read = region.good(keys, "ReadDirectLinks", json!({})).await;
    assert_eq!(read["DirectLinks"][0]["State"], "deleted");
}

#[tokio::test]
async fn a_nic_and_its_security_groups() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (net, subnet, _) = place(&region, keys).await;
    let group = json!({"NetId": net, "SecurityGroupName": "web", "Description": "web servers"});
    let group = region.good(keys, "CreateSecurityGroup", group).await["SecurityGroup"].take();
    assert_eq!(group["InboundRules"], json!([]));
    assert_eq!(group["OutboundRules"][0]["IpProtocol"], "-1");
    assert_eq!(group["OutboundRules"][0]["IpRanges"], json!(["0.0.0.0/0"]));
    let rule = json!({"SecurityGroupId": group["SecurityGroupId"], "Flow": "Inbound",
        "IpProtocol": "tcp", "FromPortRange": 80, "ToPortRange": 80, "IpRange": "192.168.7.0/24"});
    let ruled = region.good(keys, "CreateSecurityGroupRule", rule.clone()).await;
    let inbound = &ruled["SecurityGroup"]["InboundRules"];
    assert_eq!(inbound[0]["IpRanges"], json!(["192.168.7.0/24"]));
    assert_eq!(region.oapi(keys, "CreateSecurityGroupRule", rule).await.code(), 9000);

    let nic = json!({"SubnetId": subnet, "SecurityGroupIds": [group["SecurityGroupId"]],
        "PrivateIps": [{"IsPrimary": true, "PrivateIp": "10.0.1.9"}]});
    let nic = region.good(keys, "CreateNic", nic).await["Nic"].take();
    assert_eq!(nic["PrivateIps"][0]["PrivateIp"], "10.0.1.9");
    assert_eq!(nic["SecurityGroups"][0]["SecurityGroupName"], "web");
    assert_eq!(nic["State"], "available");
    let by_name = json!({"Filters": {"SecurityGroupNames": ["web"], "Tags": ["A=b"]}});
    assert_eq!(region.good(keys, "ReadNics", by_name).await["Nics"], json!([]));
    let by_name = json!({"Filters": {"SecurityGroupNames": ["web", "other"]}});
    assert_eq!(region.good(keys, "ReadNics", by_name).await["Nics"][0]["NicId"], nic["NicId"]);
    let by_port = json!({"Filters": {"InboundRuleFromPortRanges": [80]}});
    let groups = region.good(keys, "ReadSecurityGroups", by_port).await;
    assert_eq!(groups["SecurityGroups"].as_array().unwrap().len(), 1);

    assert_eq!(region.oapi(keys, "DeleteSubnet", json!({"SubnetId": subnet})).await.code(), 9057);
    region.good(keys, "DeleteNic", json!({"NicId": nic["NicId"]})).await;
    region.good(keys, "DeleteSubnet", json!({"SubnetId": subnet})).await;
}

#[tokio::test]
async fn refusals_have_the_services_codes() {
    let region = TestRegion::new().await;
    let (keys, guest) = (&region.owner, &region.guest);
    let (net, _, gateway) = place(&region, keys).await;
    let (_, _, foreign) = place(&region, guest).await;
    let (connection, _) = region.plugged(keys).await;
    let order = json!({"Location": "PAR4", "Bandwidth": "1Gbps", "DirectLinkName": "later"});
    let requested = region.good(keys, "CreateDirectLink", order.clone()).await;
    let requested = requested["DirectLink"]["DirectLinkId"].as_str().unwrap();
    region.good(keys, "CreateDirectLinkInterface", interface(&connection, &gateway, 101)).await;

    let change = |mut body: Value, path: &str, value: Value| {
        *body.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
        body
    };
    let make = |path: &str, value: Value| {
        let good = interface(&connection, &gateway, 102);
        ("CreateDirectLinkInterface", change(good, &format!("/DirectLinkInterface/{path}"), value))
    };
    let make_on = |id: &str| ("CreateDirectLinkInterface", interface(id, &gateway, 102));
    for ((action, body), code) in [
        (("CreateDirectLink", change(order.clone(), "/Location", json!("LON9"))), 5052),
        (("CreateDirectLink", change(order.clone(), "/Bandwidth", json!("2Gbps"))), 4047),
        (("CreateDirectLink", change(order, "/DirectLinkName", json!(5))), 4110),
        (("CreateDirectLink", json!({"Location": "PAR1", "Colour": "red"})), 3001),
        (("CreateDirectLink", json!({"Location": "PAR1"})), 7000),
        (("DeleteDirectLink", json!({"Filters": {"DirectLinkIds": [connection]}})), 3001),
        (("DeleteDirectLink", json!({"DirectLinkId": "dxcon-00000000"})), 5072),
        (("DeleteDirectLink", json!({"DirectLinkId": connection})), 9002),
        (("DeleteDirectLinkInterface", json!({"DirectLinkInterfaceId": "dxvif-00000000"})), 5073),
        (make("Vlan", json!(1)), 4047),
        (make("Vlan", json!(4095)), 4047),
        (make("Vlan", json!(101)), 9010),
        (make("Vlan", json!("102")), 4110),
        (make("BgpAsn", json!(0)), 4010),
        (make("BgpAsn", json!(50624)), 4010),
        (make("BgpAsn", json!(4_294_967_296_u64)), 4010),
        (make("BgpAsn", json!(u64::MAX)), 4010),
        (make("BgpKey", json!("with space")), 4047),
        (make("ClientPrivateIp", json!("172.16.0.6")), 4047),
        (make("ClientPrivateIp", json!("172.16.9.6/30")), 4047),
        (make("VirtualGatewayId", json!("vgw-00000000")), 5068),
        (make("VirtualGatewayId", json!(foreign)), 5068),
        (make("VirtualGatewayId", json!("foo")), 4104),
        (make("VirtualGatewayId", json!(gateway)), 9010),
        (make_on("dxcon-00000000"), 5072),
        (make_on("dxcon-0"), 4105),
        (make_on(requested), 6011),
        (
            (
                "UpdateDirectLinkInterface",
                json!({"DirectLinkInterfaceId": "dxvif-00000000", "Mtu": 1501}),
            ),
            4047,
        ),
        (("CreateNet", json!({"IpRange": "10.0.0.0/8"})), 4014),
        (("CreateNet", json!({"IpRange": "10.0.0.1/16"})), 4047),
        (("CreateSubnet", json!({"NetId": net, "IpRange": "10.0.1.0/25"})), 9058),
        (("CreateSubnet", json!({"NetId": net, "IpRange": "10.1.0.0/24"})), 9044),
        (
            (
                "CreateSubnet",
                json!({"NetId": net, "IpRange": "10.0.2.0/24", "SubregionName": "us"}),
            ),
            5009,
        ),
        (("DeleteNet", json!({"NetId": net})), 9066),
        (("DeleteVirtualGateway", json!({"VirtualGatewayId": gateway})), 9024),
        (
            ("UnlinkVirtualGateway", json!({"NetId": "vpc-00000000", "VirtualGatewayId": gateway})),
            5065,
        ),
        (("CreateAccessKey", json!({"UserName": "me"})), 5075),
        (("CreateAccessKey", json!({"ExpirationDate": "1999-01-01"})), 4047),
        (("ReadNets", json!({"ResultsPerPage": 0})), 4113),
        (("ReadNets", json!({"ResultsPerPage": 1001})), 4113),
        (("ReadNets", json!({"NextPageToken": "nonsense"})), 4117),
        (("ReadNets", json!({"NextPageToken": 5})), 4110),
        (("ReadNets", json!({"Filters": {"NetIds": null}})), 4110),
        (("ReadNets", json!({"Filters": {"Colours": []}})), 3001),
    ] {
        let answer = region.oapi(keys, action, body.clone()).await;
        assert_eq!(answer.code(), code, "{action} {body}: {}", answer.body);
        let details = answer.body["Errors"][0]["Details"].as_str().unwrap();
        assert!(details.len() > 15, "{action}: {details}");
    }
}

#[tokio::test]
async fn filters_and_pages() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let mut ids = vec![];
    for n in 0..5 {
        let net =
            region.good(keys, "CreateNet", json!({"IpRange": format!("10.{n}.0.0/16")})).await;
        ids.push(net["Net"]["NetId"].as_str().unwrap().to_owned());
    }
    let read = async |body: Value| -> Vec<String> {
        let read = region.good(keys, "ReadNets", body).await;
        let nets = read["Nets"].as_array().unwrap();
        nets.iter().map(|net| net["NetId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(read(json!({})).await, ids);
    assert_eq!(read(json!({"Filters": {"NetIds": [ids[1], ids[3]]}})).await, [&*ids[1], &*ids[3]]);
    assert_eq!(read(json!({"Filters": {"IpRanges": ["10.4.0.0/16"]}})).await, [&*ids[4]]);
    let both = json!({"Filters": {"NetIds": [ids[1]], "IpRanges": ["10.4.0.0/16"]}});
    for nothing in [
        both,
        json!({"Filters": {"NetIds": []}}),
        json!({"Filters": {"NetIds": ["foo", "vpc-00000000"]}}),
        json!({"Filters": {"IsDefault": true}}),
        json!({"Filters": {"States": ["deleting"]}}),
        json!({"Filters": {"TagKeys": ["Name"]}}),
    ] {
        assert!(read(nothing.clone()).await.is_empty(), "{nothing}");
    }
    let stranger =
        region.good(&region.guest, "ReadNets", json!({"Filters": {"NetIds": ids}})).await;
    assert_eq!(stranger["Nets"], json!([]), "another's objects are not found");

    let mut pages = vec![];
    let mut body = json!({"ResultsPerPage": 2});
    loop {
        let page = region.good(keys, "ReadNets", body.clone()).await;
        let nets = page["Nets"].as_array().unwrap();
        pages.push(nets.len());
        match page["NextPageToken"].as_str() {
            Some(token) => body["NextPageToken"] = json!(token),
            None => break,
        }
    }
    assert_eq!(pages, [2, 2, 1]);
}

#[tokio::test]
async fn a_dry_run_refuses_the_same_and_changes_nothing() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let net = json!({"IpRange": "10.0.0.0/16", "DryRun": true});
    let answer = region.good(keys, "CreateNet", net).await;
    assert_eq!(answer.as_object().unwrap().keys().collect::<Vec<_>>(), ["ResponseContext"]);
    let refused =
        region.oapi(keys, "CreateNet", json!({"IpRange": "10.0.0.0/8", "DryRun": true})).await;
    assert_eq!(refused.code(), 4014);
    assert_eq!(region.oapi(keys, "DeleteNet", json!({"DryRun": true})).await.code(), 7000);
    assert_eq!(region.good(keys, "ReadNets", json!({"DryRun": false})).await["Nets"], json!([]));
}

#[tokio::test]
async fn whoever_hosts_an_interface_does_not_see_its_key() {
    let region = TestRegion::new().await;
    let (keys, guest) = (&region.owner, &region.guest);
    let (connection, _) = region.plugged(keys).await;
    let allocation = json!({"connectionId": connection, "ownerAccount": guest.account,
        "newPrivateVirtualInterfaceAllocation":
            {"virtualInterfaceName": "hosted", "vlan": 7, "asn": 65001, "authKey": "secret1"}});
    region.aws(keys, "AllocatePrivateVirtualInterface", allocation).await;
    let read = async |keys: &Keys| {
        let read = region.good(keys, "ReadDirectLinkInterfaces", json!({})).await;
        let one = read["DirectLinkInterfaces"][0].clone();
        assert_eq!(one["State"], "confirming");
        one
    };
    assert!(read(keys).await.get("BgpKey").is_none());
    assert_eq!(read(guest).await["BgpKey"], "secret1");
    assert!(read(guest).await.get("VirtualGatewayId").is_none());
}
