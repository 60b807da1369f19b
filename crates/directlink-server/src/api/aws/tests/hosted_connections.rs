//! A partner's share of a wire, from its allocation to its end, in this dialect's words.

use super::*;

async fn allocate(region: &TestRegion, parent: &str, vlan: u16) -> Value {
    let body = json!({"connectionId": parent, "ownerAccount": region.guest.account,
        "bandwidth": "200Mbps", "connectionName": "a share", "vlan": vlan,
        "tags": [{"key": "customer", "value": "the quiet one"}]});
    good(region, &region.owner, "AllocateHostedConnection", body).await
}

async fn state(region: &TestRegion, keys: &Keys, id: &Value) -> Value {
    let seen = good(region, keys, "DescribeConnections", json!({"connectionId": id})).await;
    seen["connections"][0]["connectionState"].clone()
}

#[tokio::test]
async fn a_partner_allocates_and_a_customer_confirms_uses_and_deletes() {
    let region = TestRegion::new().await;
    let (keys, guest) = (&region.owner, &region.guest);
    let (parent, port) = region.plugged(keys).await;
    let made = allocate(&region, &parent, 101).await;
    let id = &made["connectionId"];
    assert_eq!(
        made,
        json!({"connectionId": id, "connectionName": "a share", "connectionState": "ordering",
            "ownerAccount": guest.account, "partnerName": keys.account,
            "providerName": keys.account, "bandwidth": "200Mbps", "vlan": 101,
            "location": "PAR1", "region": "eu-west-2", "awsDeviceV2": "par1-r1",
            "awsLogicalDeviceId": "par1-r1", "hasLogicalRedundancy": "no",
            "jumboFrameCapable": false, "macSecCapable": false,
            "tags": [{"key": "customer", "value": "the quiet one"}]})
    );
    let hosted = json!({"connectionId": parent});
    let hosted = good(&region, keys, "DescribeHostedConnections", hosted).await;
    assert_eq!(hosted["connections"], json!([made]));
    let seen = good(&region, guest, "DescribeConnections", json!({})).await;
    assert_eq!(seen["connections"][0]["tags"], json!([]), "the partner's tags are the partner's");
    assert_eq!(seen["connections"][0]["connectionState"], "ordering");
    let own = good(&region, keys, "DescribeConnections", json!({})).await;
    assert_eq!(own["connections"].as_array().unwrap().len(), 1, "the parent alone");

    let confirmed = good(&region, guest, "ConfirmConnection", json!({"connectionId": id})).await;
    assert_eq!(confirmed, json!({"connectionState": "available"}));
    let gateway = gateway(&region, guest).await;
    let new = json!({"connectionId": id, "newPrivateVirtualInterface": {
        "virtualInterfaceName": "n", "vlan": 101, "asn": 65000, "virtualGatewayId": gateway}});
    let vif = good(&region, guest, "CreatePrivateVirtualInterface", new).await;
    let dxvif = vif["virtualInterfaceId"].as_str().unwrap();
    region.report(&port, true, &[(dxvif, "192.168.7.0/24")]).await;
    let vifs = json!({"connectionId": id});
    let vifs = good(&region, guest, "DescribeVirtualInterfaces", vifs).await;
    assert_eq!(vifs["virtualInterfaces"][0]["virtualInterfaceState"], "available");
    let theirs = good(&region, keys, "DescribeVirtualInterfaces", json!({})).await;
    assert_eq!(theirs["virtualInterfaces"], json!([]));

    region.report(&port, false, &[]).await;
    assert_eq!(state(&region, guest, id).await, "down");
    assert_eq!(state(&region, keys, &json!(parent)).await, "down");
    region.report(&port, true, &[]).await;
    let gone = json!({"virtualInterfaceId": dxvif});
    good(&region, guest, "DeleteVirtualInterface", gone).await;
    region.report(&port, true, &[]).await;
    let gone = good(&region, guest, "DeleteConnection", json!({"connectionId": id})).await;
    assert_eq!(gone["connectionState"], "deleting");
    region.report(&port, true, &[]).await;
    assert_eq!(state(&region, guest, id).await, "deleted");
}

#[tokio::test]
async fn the_older_operations_do_the_same() {
    let region = TestRegion::new().await;
    let (parent, _) = region.plugged(&region.owner).await;
    let body = json!({"interconnectId": parent, "ownerAccount": region.guest.account,
        "bandwidth": "1Gbps", "connectionName": "all of it", "vlan": 7});
    let made = good(&region, &region.owner, "AllocateConnectionOnInterconnect", body).await;
    let body = json!({"interconnectId": parent});
    let seen = good(&region, &region.owner, "DescribeConnectionsOnInterconnect", body).await;
    assert_eq!(seen["connections"], json!([made]));
}

#[tokio::test]
async fn an_offer_that_is_refused_or_lapses_is_rejected() {
    let region = TestRegion::new().await;
    let (keys, guest) = (&region.owner, &region.guest);
    let (parent, _) = region.plugged(keys).await;
    let [refused, slept] =
        [allocate(&region, &parent, 7).await, allocate(&region, &parent, 8).await];
    let gone = json!({"connectionId": refused["connectionId"]});
    let gone = good(&region, guest, "DeleteConnection", gone).await;
    assert_eq!(gone["connectionState"], "rejected");
    region.later(7 * 24 * 3600).await;
    assert_eq!(state(&region, guest, &slept["connectionId"]).await, "rejected");
    let late = json!({"connectionId": slept["connectionId"]});
    let late = region.aws(guest, "ConfirmConnection", late).await;
    assert!(late.refusal().1.contains("is in state rejected"), "{}", late.body);
}

#[tokio::test]
async fn both_moves_answer_with_the_new_place() {
    let region = TestRegion::new().await;
    let (keys, guest) = (&region.owner, &region.guest);
    let (first, _) = region.plugged(keys).await;
    let (second, port) = region.plugged(keys).await;
    let made = allocate(&region, &first, 7).await;
    let id = &made["connectionId"];
    good(&region, guest, "ConfirmConnection", json!({"connectionId": id})).await;
    let body = json!({"connectionId": id, "parentConnectionId": second});
    let moved = good(&region, keys, "AssociateHostedConnection", body).await;
    assert_eq!((&moved["connectionId"], &moved["connectionState"]), (id, &json!("available")));
    let on = async |parent: &str| {
        let body = json!({"connectionId": parent});
        let seen = good(&region, keys, "DescribeHostedConnections", body).await;
        seen["connections"].as_array().unwrap().len()
    };
    assert_eq!((on(&first).await, on(&second).await), (0, 1));

    let gateway = gateway(&region, keys).await;
    let new = json!({"connectionId": first, "newPrivateVirtualInterface": {
        "virtualInterfaceName": "n", "vlan": 9, "asn": 65000, "virtualGatewayId": gateway}});
    let vif = good(&region, keys, "CreatePrivateVirtualInterface", new).await;
    let dxvif = &vif["virtualInterfaceId"];
    let body = json!({"virtualInterfaceId": dxvif, "connectionId": second});
    let moved = good(&region, keys, "AssociateVirtualInterface", body).await;
    assert_eq!(moved["connectionId"], second);
    assert_eq!(moved["virtualInterfaceState"], "pending");
    region.report(&port, true, &[(dxvif.as_str().unwrap(), "192.168.7.0/24")]).await;
    let seen = json!({"virtualInterfaceId": dxvif});
    let seen = good(&region, keys, "DescribeVirtualInterfaces", seen).await;
    assert_eq!(seen["virtualInterfaces"][0]["virtualInterfaceState"], "available");
}

#[tokio::test]
async fn refusals_say_what_clients_look_for() {
    let region = TestRegion::new().await;
    let (keys, guest) = (&region.owner, &region.guest);
    let (parent, _) = region.plugged(keys).await;
    let made = allocate(&region, &parent, 101).await;
    let id = made["connectionId"].as_str().unwrap();
    let waiting = json!({"location": "PAR4", "bandwidth": "1Gbps", "connectionName": "x"});
    let waiting = good(&region, keys, "CreateConnection", waiting).await;
    let waiting = waiting["connectionId"].as_str().unwrap();
    let share = |on: &str, change: (&str, Value)| {
        let mut body = json!({"connectionId": on, "ownerAccount": guest.account,
            "bandwidth": "50Mbps", "connectionName": "n", "vlan": 8});
        body[change.0] = change.1;
        ("AllocateHostedConnection", body)
    };
    let none = ("connectionName", json!("n"));
    let confirm = |id: &str| ("ConfirmConnection", json!({"connectionId": id}));
    let hosted = |on: &str| ("DescribeHostedConnections", json!({"connectionId": on}));
    for (who, (operation, body), text) in [
        (keys, share(&parent, ("bandwidth", json!("25Gbps"))), "50Mbps, 100Mbps"),
        (keys, share(&parent, ("bandwidth", json!("1Gbps"))), "800Mbps left"),
        (keys, share(&parent, ("vlan", json!(101))), "is used by dxcon-"),
        (keys, share(&parent, ("vlan", json!(4095))), "Invalid VLAN"),
        (keys, share(&parent, ("vlan", Value::Null)), "Field vlan is required"),
        (keys, share(&parent, ("ownerAccount", json!("999999999999"))), "does not exist"),
        (keys, share(waiting, none.clone()), "is requested"),
        (keys, share("dxlag-00000001", none.clone()), "Expected format: dxcon-"),
        (guest, share(&parent, none.clone()), "Could not find Connection with ID"),
        (guest, share(id, none), "cannot host others"),
        (keys, confirm(id), "Could not find Connection with ID"),
        (keys, confirm(waiting), "is in state requested"),
        (keys, confirm(&parent), "ConfirmConnection failed. dxcon-"),
        (guest, hosted(&parent), "Could not find Connection with ID"),
        (guest, ("DescribeLoa", json!({"connectionId": id})), "is a hosted connection"),
        (keys, ("DescribeLoa", json!({"connectionId": id})), "Could not find Connection with ID"),
        (keys, ("DeleteConnection", json!({"connectionId": parent})), "1 hosted connection(s)"),
        (
            keys,
            (
                "AssociateHostedConnection",
                json!({"connectionId": parent, "parentConnectionId": waiting}),
            ),
            "is not a hosted connection",
        ),
    ] {
        let answer = region.aws(who, operation, body.clone()).await;
        let (kind, message) = answer.refusal();
        assert_eq!(kind, "DirectConnectClientException", "{operation} {body}: {}", answer.body);
        assert!(message.contains(text), "{operation} {body}: {message}");
    }
    good(&region, guest, "ConfirmConnection", json!({"connectionId": id})).await;
    let gateway = gateway(&region, guest).await;
    let new = json!({"connectionId": id, "newPrivateVirtualInterface": {
        "virtualInterfaceName": "n", "vlan": 102, "asn": 65000, "virtualGatewayId": gateway}});
    let refused = region.aws(guest, "CreatePrivateVirtualInterface", new).await;
    assert!(refused.refusal().1.contains("has VLAN 101, not 102"), "{}", refused.body);
}
