//! The dialect over a real app: every answer is held against the published service model.

mod bgp_peers;
mod failover;
mod hosted_connections;
mod lags;
mod letters;
mod looking_glass;
mod tags;

use super::*;
use crate::api::testing::{AWS, Keys, TestRegion};
use axum::{body::Body, extract::Request};
use directlink_model::report::InterfaceReport;
use http::StatusCode;
use serde_json::json;
use std::collections::BTreeMap;

#[tokio::test]
async fn every_published_operation_is_served_or_refused_as_an_unknown_one() {
    let region = TestRegion::new().await;
    let published = AWS.operations();
    assert_eq!((published.len(), OPERATIONS.len()), (73, 37));
    for operation in OPERATIONS {
        assert!(published.contains_key(operation.name), "{} is not published", operation.name);
    }
    for name in published.keys() {
        let answer = region.aws(&region.owner, name, json!({})).await;
        let served = OPERATIONS.iter().any(|operation| operation.name == name);
        let (kind, text) = answer.refusal();
        assert_eq!(kind == "UnknownOperationException", !served, "{name}: {text}");
        assert!(served || text.contains(name.as_str()), "{name}: {text}");
    }
}

/// One that must go well.
async fn good(region: &TestRegion, keys: &Keys, operation: &str, body: Value) -> Value {
    let answer = region.aws(keys, operation, body.clone()).await;
    assert_eq!(answer.status, StatusCode::OK, "{operation} {body}: {}", answer.body);
    answer.body
}

async fn gateway(region: &TestRegion, keys: &Keys) -> String {
    let gateway = json!({"ConnectionType": "ipsec.1"});
    let made = region.good(keys, "CreateVirtualGateway", gateway).await;
    made["VirtualGateway"]["VirtualGatewayId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_connection_and_a_virtual_interface_from_order_to_deletion() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let order = json!({"location": "PAR1", "bandwidth": "1Gbps", "connectionName": "x",
        "providerName": "ignored"});
    let made = good(&region, keys, "CreateConnection", order).await;
    assert_eq!(made["connectionState"], "requested");
    assert!(made.get("loaIssueTime").is_none());
    let deleted = json!({"connectionId": made["connectionId"]});
    let deleted = good(&region, keys, "DeleteConnection", deleted).await;
    assert_eq!(deleted["connectionState"], "deleted");

    let (connection, port) = region.plugged(keys).await;
    let one = json!({"connectionId": connection});
    let seen =
        good(&region, keys, "DescribeConnections", one.clone()).await["connections"][0].take();
    assert_eq!(seen["connectionState"], "available");
    assert_eq!(seen["awsDeviceV2"], "par1-r1");
    assert_eq!(seen["loaIssueTime"], region.app.now().as_second());

    let gateway = gateway(&region, keys).await;
    let new = json!({"connectionId": connection, "newPrivateVirtualInterface": {
        "virtualInterfaceName": "n", "vlan": 101, "asn": 65000, "authKey": "k&y",
        "amazonAddress": "172.16.0.1/30", "customerAddress": "172.16.0.2/30",
        "virtualGatewayId": gateway}});
    let vif = good(&region, keys, "CreatePrivateVirtualInterface", new).await;
    assert_eq!(vif["virtualInterfaceState"], "pending");
    assert_eq!((&vif["asn"], &vif["asnLong"]), (&json!(65000), &json!(65000)));
    assert_eq!(vif["amazonSideAsn"], 50624);
    assert_eq!(vif["bgpPeers"][0]["bgpStatus"], "unknown");
    let config = vif["customerRouterConfig"].as_str().unwrap();
    assert!(config.contains("<bgp_auth_key>k&amp;y</bgp_auth_key>"), "{config}");
    let id = vif["virtualInterfaceId"].as_str().unwrap();

    let state = async |wanted: &str, status: &str| {
        let one = json!({"virtualInterfaceId": id});
        let seen = good(&region, keys, "DescribeVirtualInterfaces", one).await;
        let seen = &seen["virtualInterfaces"][0];
        assert_eq!(seen["virtualInterfaceState"], wanted);
        assert_eq!(seen["bgpPeers"][0]["bgpStatus"], status);
    };
    let configured = InterfaceReport { configured: true, ..Default::default() };
    let report = BTreeMap::from([(id.parse().unwrap(), configured)]);
    region.report_all(&port, true, report).await;
    state("down", "down").await;
    region.report(&port, true, &[(id, "192.168.7.0/24")]).await;
    state("available", "up").await;

    let refused = region.aws(keys, "DeleteConnection", one.clone()).await;
    assert!(refused.refusal().1.contains("virtual interface"), "{}", refused.body);
    let gone = json!({"virtualInterfaceId": id});
    let gone = good(&region, keys, "DeleteVirtualInterface", gone).await;
    assert_eq!(gone, json!({"virtualInterfaceState": "deleting"}));
    region.report(&port, true, &[]).await;
    state("deleted", "unknown").await;
    good(&region, keys, "DeleteConnection", one).await;
}

#[tokio::test]
async fn a_hosted_interface_waits_for_its_owner_and_shows_its_key_to_nobody_else() {
    let region = TestRegion::new().await;
    let (keys, guest) = (&region.owner, &region.guest);
    let (connection, _) = region.plugged(keys).await;
    let allocate = async |vlan: u16| -> String {
        let account: u64 = guest.account.parse().unwrap();
        let body = json!({"connectionId": connection, "ownerAccount": account,
            "newPrivateVirtualInterfaceAllocation":
                {"virtualInterfaceName": "h", "vlan": vlan, "asnLong": 4_200_000_000_u32, "authKey": "secret1"}});
        let vif = good(&region, keys, "AllocatePrivateVirtualInterface", body).await;
        assert_eq!(vif["virtualInterfaceState"], "confirming");
        assert_eq!(vif["ownerAccount"], guest.account);
        assert_eq!((&vif["asn"], &vif["asnLong"]), (&json!(0), &json!(4_200_000_000_u32)));
        assert!(!vif.to_string().contains("secret1"), "{vif}");
        vif["virtualInterfaceId"].as_str().unwrap().to_owned()
    };
    let (first, second) = (allocate(7).await, allocate(8).await);
    let all = good(&region, guest, "DescribeVirtualInterfaces", json!({})).await;
    assert_eq!(all["virtualInterfaces"].as_array().unwrap().len(), 2);
    assert_eq!(all["virtualInterfaces"][0]["authKey"], "secret1");

    let missing = json!({"virtualInterfaceId": first});
    let refused = region.aws(guest, "ConfirmPrivateVirtualInterface", missing).await;
    assert_eq!(refused.refusal().1, "Field virtualGatewayId is required");
    let gateway = gateway(&region, guest).await;
    let confirm = json!({"virtualInterfaceId": first, "virtualGatewayId": gateway});
    let refused = region.aws(keys, "ConfirmPrivateVirtualInterface", confirm.clone()).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "only the guest: {}", refused.body);
    let confirmed = good(&region, guest, "ConfirmPrivateVirtualInterface", confirm).await;
    assert_eq!(confirmed, json!({"virtualInterfaceState": "pending"}));

    region.later(7 * 24 * 3600 + 1).await;
    let expired = json!({"virtualInterfaceId": second});
    let expired = good(&region, keys, "DescribeVirtualInterfaces", expired).await;
    assert_eq!(expired["virtualInterfaces"][0]["virtualInterfaceState"], "expired");
}

#[tokio::test]
async fn refusals_have_the_words_that_clients_look_for() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (connection, _) = region.plugged(keys).await;
    let gateway = gateway(&region, keys).await;
    let new = |name: &str, value: Value| {
        let mut body = json!({"virtualInterfaceName": "n", "vlan": 101, "asn": 65000,
            "virtualGatewayId": gateway});
        body[name] = value;
        let body = json!({"connectionId": connection, "newPrivateVirtualInterface": body});
        ("CreatePrivateVirtualInterface", body)
    };
    let taken = good(&region, keys, new("vlan", json!(102)).0, new("vlan", json!(102)).1).await;
    let taken = taken["virtualInterfaceId"].as_str().unwrap();
    let order = |name: &str, value: Value| {
        let mut body = json!({"location": "PAR1", "bandwidth": "1Gbps", "connectionName": "x"});
        body[name] = value;
        ("CreateConnection", body)
    };
    let both = |amazon: &str, customer: &str| {
        let (name, mut body) = new("amazonAddress", json!(amazon));
        body["newPrivateVirtualInterface"]["customerAddress"] = json!(customer);
        (name, body)
    };
    for ((operation, body), text) in [
        (("CreateConnection", json!({})), "Field location is required"),
        (order("location", json!("LON9")), "Location 'LON9' is invalid."),
        (
            order("bandwidth", json!("foo")),
            "Value of parameter 'Speed' is not valid: foo. Supported values: 10Gbps, 1Gbps",
        ),
        (order("lagId", json!("dxlag-1")), "Expected format: dxlag-"),
        (order("lagId", json!("dxlag-00000000")), "Could not find Lag with ID dxlag-00000000"),
        (("DescribeLocations", json!({"x": 1})), "Operation doesn't expect any parameters"),
        (("DescribeVirtualGateways", json!({"x": 1})), "Operation doesn't expect any parameters"),
        (
            ("DescribeConnections", json!({"connectionId": "foo"})),
            "Invalid ID received: foo. Expected format: dxcon-",
        ),
        (
            ("DescribeConnections", json!({"connectionId": "dxcon-00000000"})),
            "Could not find Connection with ID dxcon-00000000",
        ),
        (
            ("DeleteConnection", json!({"connectionId": "dxcon-00000000"})),
            "Connection 'dxcon-00000000' does not exist.",
        ),
        (
            ("DescribeVirtualInterfaces", json!({"connectionId": "dxcon-00000000"})),
            "does not exist",
        ),
        (
            ("DeleteVirtualInterface", json!({"virtualInterfaceId": "dxvif-00000000"})),
            "Virtual interface 'dxvif-00000000' does not exist.",
        ),
        (
            new("vlan", json!("101")),
            "Invalid type, newPrivateVirtualInterface.vlan must be an integer",
        ),
        (new("vlan", json!(null)), "Field newPrivateVirtualInterface.vlan is required"),
        (new("vlan", json!(4095)), "Invalid VLAN: 4095"),
        (new("vlan", json!(102)), "Interface already exists with same parameters"),
        (new("vlan", json!(102)), taken),
        (new("asn", json!(null)), "Field newPrivateVirtualInterface.asn is required"),
        (new("asn", json!(0)), "Invalid ASN: 0"),
        (new("asn", json!(50624)), "50624"),
        (new("asnLong", json!(65001)), "are not the same number"),
        (new("mtu", json!(8500)), "576 to 1500"),
        (new("authKey", json!("with space")), "Invalid authKey"),
        (new("addressFamily", json!("ipx")), "Invalid addressFamily 'ipx': give ipv4 or ipv6"),
        (
            new("virtualInterfaceName", json!("")),
            "The provided value ('') for the parameter 'virtualInterfaceName' is invalid",
        ),
        (
            both("fd00::1/126", "172.16.0.2/30"),
            "'172.16.0.2/30') for the parameter 'customerAddress' is invalid: give IPv6 addresses",
        ),
        (
            new("directConnectGatewayId", json!("x")),
            "newPrivateVirtualInterface.directConnectGatewayId is not supported",
        ),
        (new("amazonAddress", json!("here")), "Invalid amazonAddress 'here'"),
        (
            new("virtualGatewayId", json!("vgw-00000000")),
            "Virtual gateway 'vgw-00000000' does not exist.",
        ),
        (
            both("172.16.0.1/30", "172.16.9.2/30"),
            "Amazon Address and Customer Address must be in the same CIDR",
        ),
        (both("172.16.0.4/30", "172.16.0.5/30"), "Amazon Address is address 0 on its subnet."),
        (
            both("172.16.0.7/30", "172.16.0.5/30"),
            "Amazon Address is the broadcast address on its subnet.",
        ),
    ] {
        let answer = region.aws(keys, operation, body.clone()).await;
        let (kind, message) = answer.refusal();
        assert_eq!(kind, "DirectConnectClientException", "{operation} {body}: {}", answer.body);
        assert!(message.contains(text), "{operation} {body}: {message}");
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.headers["x-amzn-errortype"], kind);
    }
}

#[tokio::test]
async fn an_order_that_nobody_approved_takes_no_interface() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let order = json!({"location": "PAR1", "bandwidth": "1Gbps", "connectionName": "x"});
    let made = good(&region, keys, "CreateConnection", order).await;
    let new = json!({"virtualInterfaceName": "n", "vlan": 101, "asn": 65000});
    let body = json!({"connectionId": made["connectionId"], "newPrivateVirtualInterface": new});
    let refused = region.aws(keys, "CreatePrivateVirtualInterface", body).await;
    assert!(
        refused.refusal().1.starts_with("Connection is not in valid state"),
        "{}",
        refused.body
    );
}

#[tokio::test]
async fn both_faces_show_the_same_objects() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (connection, _) = region.plugged(keys).await;
    let seen = good(&region, keys, "DescribeConnections", json!({})).await;
    assert_eq!(seen["connections"][0]["connectionId"], connection);
    let gateway = gateway(&region, keys).await;
    let gateways = good(&region, keys, "DescribeVirtualGateways", json!({})).await;
    let expected = json!([{"virtualGatewayId": gateway, "virtualGatewayState": "available"}]);
    assert_eq!(gateways["virtualGateways"], expected);
    let locations = good(&region, keys, "DescribeLocations", json!({})).await;
    assert_eq!(locations["locations"][1]["locationCode"], "PAR4");
}

#[tokio::test]
async fn what_is_not_a_signed_call_is_refused_in_this_faces_words() {
    let region = TestRegion::new().await;
    let target = ("x-amz-target", "OvertureService.DescribeConnections");
    let json_type = ("content-type", "application/x-amz-json-1.1");
    let signed = |body: &str| region.signed(&region.owner, "/", &[json_type, target], body.into());
    let plain = |method: &str| {
        Request::builder()
            .method(method)
            .uri("/")
            .header(target.0, target.1)
            .body(Body::empty())
            .unwrap()
    };
    let changed = |name: &'static str, value: &str| {
        let mut request = signed("{}");
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    for (request, status, kind) in [
        (signed("{}"), 200, ""),
        (signed(""), 200, ""),
        (plain("GET"), 400, "SerializationException"),
        (plain("POST"), 401, "AuthFailure"),
        (signed("["), 400, "SerializationException"),
        (signed("[]"), 400, "SerializationException"),
        (changed("x-amz-target", "OvertureService.DeleteConnection"), 403, "SignatureDoesNotMatch"),
        (changed("x-amz-target", "OvertureService.Nonsense"), 400, "UnknownOperationException"),
        (changed("x-amz-date", "20200101T000000Z"), 400, "RequestExpired"),
        (changed("x-amz-date", ""), 400, "MissingParameter"),
        (changed("x-amz-date", "now"), 400, "InvalidParameterValue"),
        (changed("authorization", "Basic bWU6cA=="), 401, "AuthFailure"),
    ] {
        let what = format!("{} {:?}", request.method(), request.headers());
        let answer = region.raw(request).await;
        let got = (answer.status.as_u16(), answer.refusal().0);
        assert_eq!(got, (status, kind), "{what}: {}", answer.body);
        assert_eq!(answer.headers["content-type"], "application/x-amz-json-1.1");
    }
}
