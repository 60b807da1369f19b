//! LAGs on the wire: every answer is held against the published model, as all of this dialect are.

use super::*;
use directlink_model::connection::PortRef;
use http::Method;

/// Makes one of two, has both approved and plugged. Its id, its members' and their ports.
async fn bundled(region: &TestRegion, keys: &Keys) -> (String, Vec<(String, PortRef)>) {
    let wish = json!({"numberOfConnections": 2, "location": "PAR1", "connectionsBandwidth": "1Gbps",
        "lagName": "both", "tags": [{"key": "on", "value": "lag"}],
        "childConnectionTags": [{"key": "on", "value": "member"}]});
    let made = good(region, keys, "CreateLag", wish).await;
    assert_eq!((&made["lagState"], &made["minimumLinks"]), (&json!("requested"), &json!(0)));
    assert_eq!(made["tags"][0]["value"], "lag");
    let mut members = vec![];
    for member in made["connections"].as_array().unwrap() {
        assert_eq!(
            (&member["lagId"], &member["tags"][0]["value"]),
            (&made["lagId"], &json!("member"))
        );
        let id = member["connectionId"].as_str().unwrap();
        let approved =
            region.operator(Method::POST, &format!("orders/{id}/approve"), json!({})).await;
        assert_eq!(approved.body["lag"], made["lagId"]);
        let (router, port) = approved.body["port"].as_str().unwrap().split_once('/').unwrap();
        let port = PortRef { router: router.parse().unwrap(), port: port.parse().unwrap() };
        region.report(&port, true, &[]).await;
        members.push((id.to_owned(), port));
    }
    (made["lagId"].as_str().unwrap().to_owned(), members)
}

fn private(on: &str, gateway: &str, vlan: u16) -> Value {
    json!({"connectionId": on, "newPrivateVirtualInterface": {
        "virtualInterfaceName": "n", "vlan": vlan, "asn": 65000, "virtualGatewayId": gateway}})
}

#[tokio::test]
async fn a_lag_and_an_interface_on_it_from_order_to_deletion() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (lag, members) = bundled(&region, keys).await;
    let one = json!({"lagId": lag});
    let seen = good(&region, keys, "DescribeLags", one.clone()).await["lags"][0].take();
    assert_eq!(seen["lagState"], "available");
    assert_eq!(
        (&seen["awsDeviceV2"], &seen["numberOfConnections"]),
        (&json!("par1-r1"), &json!(2))
    );
    assert_eq!(seen["allowsHostedConnections"], false);

    let gateway = gateway(&region, keys).await;
    let vif =
        good(&region, keys, "CreatePrivateVirtualInterface", private(&lag, &gateway, 101)).await;
    let id = vif["virtualInterfaceId"].as_str().unwrap();
    assert_eq!(vif["connectionId"], json!(lag));
    let on = async |connection: &str| {
        let on = json!({"connectionId": connection});
        let seen = good(&region, keys, "DescribeVirtualInterfaces", on).await;
        seen["virtualInterfaces"].as_array().unwrap().len()
    };
    assert_eq!((on(&lag).await, on(&members[0].0).await), (1, 0), "the LAG's, not the member's");
    // The OUTSCALE API knows no LAG: there it is the member's that carries it.
    let carried_by = async || {
        let seen = region.good(keys, "ReadDirectLinkInterfaces", json!({})).await;
        seen["DirectLinkInterfaces"][0]["DirectLinkId"].as_str().unwrap().to_owned()
    };
    assert_eq!(carried_by().await, members[0].0);
    region.report(&members[0].1, false, &[]).await;
    assert_eq!(carried_by().await, members[1].0);

    let minimum = json!({"lagId": lag, "minimumLinks": 2, "lagName": "renamed"});
    let changed = good(&region, keys, "UpdateLag", minimum).await;
    assert_eq!((&changed["lagState"], &changed["lagName"]), (&json!("down"), &json!("renamed")));
    let refused = region.aws(keys, "DeleteLag", one.clone()).await;
    assert!(refused.refusal().1.contains("1 interface"), "{}", refused.body);
    good(&region, keys, "DeleteVirtualInterface", json!({"virtualInterfaceId": id})).await;
    region.report(&members[1].1, true, &[]).await;
    let deleted = good(&region, keys, "DeleteLag", one).await;
    assert_eq!((&deleted["lagState"], &deleted["connections"]), (&json!("deleted"), &json!([])));
    let left = good(&region, keys, "DescribeConnections", json!({})).await;
    let left = left["connections"].as_array().unwrap();
    assert!(left.len() == 2 && left.iter().all(|one| one.get("lagId").is_none()), "{left:?}");
}

#[tokio::test]
async fn members_come_and_go_by_name() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (connection, _) = region.plugged(keys).await;
    let wish = json!({"numberOfConnections": 1, "location": "PAR1", "connectionsBandwidth": "1Gbps",
        "lagName": "one", "connectionId": connection});
    let made = good(&region, keys, "CreateLag", wish).await;
    let lag = made["lagId"].as_str().unwrap();
    assert_eq!((&made["lagState"], &made["numberOfConnections"]), (&json!("available"), &json!(1)));
    let order =
        json!({"location": "PAR1", "bandwidth": "1Gbps", "connectionName": "x", "lagId": lag});
    let ordered = good(&region, keys, "CreateConnection", order).await;
    assert_eq!(ordered["lagId"], lag);
    let second = json!({"lagId": lag, "connectionId": ordered["connectionId"]});
    let alone = good(&region, keys, "DisassociateConnectionFromLag", second.clone()).await;
    assert!(alone.get("lagId").is_none());
    assert_eq!(good(&region, keys, "AssociateConnectionWithLag", second).await["lagId"], lag);
    let gone = json!({"connectionId": ordered["connectionId"]});
    good(&region, keys, "DeleteConnection", gone).await;
    let seen = good(&region, keys, "DescribeLags", json!({"maxResults": 1})).await;
    assert_eq!(seen["lags"][0]["numberOfConnections"], 1);
}

#[tokio::test]
async fn tags_of_a_lag_have_its_resource_name() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (lag, _) = bundled(&region, keys).await;
    let arn = format!("arn:aws:directconnect:eu-west-2:{}:dxlag/{lag}", keys.account);
    let more = json!({"resourceArn": arn, "tags": [{"key": "more", "value": ""}]});
    good(&region, keys, "TagResource", more).await;
    let fewer = json!({"resourceArn": arn, "tagKeys": ["on"]});
    good(&region, keys, "UntagResource", fewer).await;
    let left = json!([{"key": "more", "value": ""}]);
    let seen = good(&region, keys, "DescribeTags", json!({"resourceArns": [arn]})).await;
    assert_eq!(seen["resourceTags"][0]["tags"], left);
    let seen = good(&region, keys, "DescribeLags", json!({})).await;
    assert_eq!(seen["lags"][0]["tags"], left);
}

#[tokio::test]
async fn each_refusal_of_a_lag_has_its_text_and_anothers_is_not_there() {
    let region = TestRegion::new().await;
    let (keys, guest) = (&region.owner, &region.guest);
    let (lag, members) = bundled(&region, keys).await;
    let gateway = gateway(&region, keys).await;
    let member = |lag: &str| json!({"lagId": lag, "connectionId": members[0].0});
    let wish = |name: &str, value: Value| {
        let mut wish = json!({"numberOfConnections": 1, "location": "PAR4",
            "connectionsBandwidth": "1Gbps", "lagName": "x"});
        wish[name] = value;
        ("CreateLag", wish)
    };
    let missing = "Could not find Lag with ID";
    for ((operation, body), text) in [
        (wish("numberOfConnections", json!(null)), "Field numberOfConnections is required"),
        (wish("numberOfConnections", json!(0)), "1 to 4 connections, not 0"),
        (wish("numberOfConnections", json!(5)), "1 to 4 connections, not 5"),
        (wish("numberOfConnections", json!(3)), "No router at 'PAR4' has 3 free"),
        (wish("connectionsBandwidth", json!("100Gbps")), "Supported values: 10Gbps, 1Gbps"),
        (wish("location", json!("EqDC2")), "Location 'EqDC2' is invalid."),
        (wish("requestMACSec", json!(true)), "requestMACSec is not supported"),
        (wish("connectionId", json!(members[0].0)), "not PAR4"),
        (("DescribeLags", json!({"lagId": "dxlag-00000000"})), missing),
        (("DescribeLags", json!({"lagId": "dxcon-00000000"})), "Expected format: dxlag-"),
        (("DeleteLag", json!({"lagId": "dxlag-00000000"})), missing),
        (("UpdateLag", json!({"lagId": lag, "minimumLinks": 3})), "from 0 to 2, not 3"),
        (("UpdateLag", json!({"lagId": lag, "encryptionMode": "must_encrypt"})), "not MACsec"),
        (("AssociateConnectionWithLag", member(&lag)), "already"),
        (("AssociateConnectionWithLag", member("dxlag-00000000")), missing),
        (("DisassociateConnectionFromLag", member("dxlag-00000000")), missing),
        (
            ("CreatePrivateVirtualInterface", private(&members[0].0, &gateway, 7)),
            "interfaces are made on the LAG",
        ),
        (("CreatePrivateVirtualInterface", private("dxlag-00000000", &gateway, 7)), missing),
        (("DescribeVirtualInterfaces", json!({"connectionId": "dxlag-00000000"})), missing),
    ] {
        let answer = region.aws(keys, operation, body.clone()).await;
        let (kind, message) = answer.refusal();
        assert_eq!(kind, "DirectConnectClientException", "{operation} {body}: {}", answer.body);
        assert!(message.contains(text), "{operation} {body}: {message}");
    }
    let arn = format!("arn:aws:directconnect:eu-west-2::dxlag/{lag}");
    let guests = self::gateway(&region, guest).await;
    for (operation, body) in [
        ("DescribeLags", json!({"lagId": lag})),
        ("DeleteLag", json!({"lagId": lag})),
        ("UpdateLag", json!({"lagId": lag, "lagName": "mine"})),
        ("CreatePrivateVirtualInterface", private(&lag, &guests, 7)),
        ("DescribeVirtualInterfaces", json!({"connectionId": lag})),
        ("DescribeTags", json!({"resourceArns": [arn]})),
        (
            "CreateConnection",
            json!({"location": "PAR1", "bandwidth": "1Gbps", "connectionName": "x", "lagId": lag}),
        ),
    ] {
        let answer = region.aws(guest, operation, body.clone()).await;
        assert!(answer.refusal().1.starts_with(missing), "{operation} {body}: {}", answer.body);
    }
    for operation in ["AssociateConnectionWithLag", "DisassociateConnectionFromLag"] {
        let answer = region.aws(guest, operation, member(&lag)).await;
        assert!(answer.refusal().1.contains("does not exist"), "{operation}: {}", answer.body);
    }
    assert_eq!(good(&region, guest, "DescribeLags", json!({})).await, json!({"lags": []}));
}
