//! Tags, names and pages.

use super::*;

fn arn(keys: &Keys, id: &str) -> String {
    let (kind, _) = id.split_once('-').unwrap();
    format!("arn:aws:directconnect:eu-west-2:{}:{kind}/{id}", keys.account)
}

async fn tags_of(region: &TestRegion, keys: &Keys, arn: &str) -> Value {
    let seen = good(region, keys, "DescribeTags", json!({"resourceArns": [arn]})).await;
    assert_eq!(seen["resourceTags"][0]["resourceArn"], arn);
    seen["resourceTags"][0]["tags"].clone()
}

#[tokio::test]
async fn tags_are_set_with_the_order_added_changed_taken_away_and_shown() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let order = json!({"location": "PAR1", "bandwidth": "1Gbps", "connectionName": "x",
        "tags": [{"key": "b", "value": "2"}, {"key": "a"}]});
    let made = good(&region, keys, "CreateConnection", order).await;
    let both = json!([{"key": "a", "value": ""}, {"key": "b", "value": "2"}]);
    assert_eq!(made["tags"], both);
    let id = made["connectionId"].as_str().unwrap();
    let arn = arn(keys, id);
    assert_eq!(tags_of(&region, keys, &arn).await, both);
    let more = json!({"resourceArn": arn, "tags": [{"key": "a", "value": "1"}, {"key": "c", "value": "3"}]});
    assert_eq!(good(&region, keys, "TagResource", more).await, json!({}));
    let fewer = json!({"resourceArn": arn, "tagKeys": ["b", "never there"]});
    assert_eq!(good(&region, keys, "UntagResource", fewer).await, json!({}));
    let left = json!([{"key": "a", "value": "1"}, {"key": "c", "value": "3"}]);
    assert_eq!(tags_of(&region, keys, &arn).await, left);
    let seen = good(&region, keys, "DescribeConnections", json!({})).await;
    assert_eq!(seen["connections"][0]["tags"], left);
    // A client that does not know the account leaves it out.
    let bare = format!("arn:aws:directconnect:eu-west-2::dxcon/{id}");
    assert_eq!(tags_of(&region, keys, &bare).await, left);
}

#[tokio::test]
async fn of_a_hosted_interface_each_side_has_tags_of_its_own() {
    let region = TestRegion::new().await;
    let (keys, guest) = (&region.owner, &region.guest);
    let (connection, _) = region.plugged(keys).await;
    let body = json!({"connectionId": connection, "ownerAccount": guest.account,
        "newPrivateVirtualInterfaceAllocation": {"virtualInterfaceName": "h", "vlan": 7,
            "asn": 65000, "tags": [{"key": "customer", "value": "the loud one"}]}});
    let vif = good(&region, keys, "AllocatePrivateVirtualInterface", body).await;
    let id = vif["virtualInterfaceId"].as_str().unwrap();
    assert_eq!(vif["tags"][0]["value"], "the loud one");
    assert_eq!(tags_of(&region, guest, &arn(guest, id)).await, json!([]));
    let own = json!({"resourceArn": arn(guest, id), "tags": [{"key": "mine", "value": ""}]});
    good(&region, guest, "TagResource", own).await;
    assert_eq!(tags_of(&region, keys, &arn(keys, id)).await[0]["key"], "customer");
    let seen = good(&region, guest, "DescribeVirtualInterfaces", json!({})).await;
    assert_eq!(seen["virtualInterfaces"][0]["tags"], json!([{"key": "mine", "value": ""}]));
    let elsewhere = json!({"resourceArns": [arn(&region.guest, &connection)]});
    let refused = region.aws(guest, "DescribeTags", elsewhere).await;
    assert!(refused.refusal().1.contains("does not exist"), "{}", refused.body);
}

#[tokio::test]
async fn refusals_of_tags_have_their_types() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (connection, _) = region.plugged(keys).await;
    let arn = arn(keys, &connection);
    let many = |n: u32| (0..n).map(|n| json!({"key": n.to_string()})).collect::<Vec<_>>();
    good(&region, keys, "TagResource", json!({"resourceArn": arn, "tags": many(50)})).await;
    let client = "DirectConnectClientException";
    let tag = |tags: Value| ("TagResource", json!({"resourceArn": arn, "tags": tags}));
    let look = |arn: &str| ("DescribeTags", json!({"resourceArns": [arn]}));
    for ((operation, body), kind, text) in [
        (tag(json!([{"key": "x"}])), "TooManyTagsException", "50"),
        (tag(json!(many(51))), "TooManyTagsException", "50"),
        (tag(json!([{"key": "x"}, {"key": "x"}])), "DuplicateTagKeysException", "x"),
        (tag(json!([{"key": ""}])), client, "1 to 128"),
        (tag(json!([{"value": "v"}])), client, "Field tags[0].key is required"),
        (tag(json!("x")), client, "tags must be a list"),
        (("TagResource", json!({"resourceArn": arn})), client, "Field tags is required"),
        (("DescribeTags", json!({})), client, "Field resourceArns is required"),
        (("UntagResource", json!({"tagKeys": []})), client, "Field resourceArn is required"),
        (look("dxcon-1"), client, "Invalid resource ARN"),
        (look("arn:aws:s3:eu-west-2:1:dxcon/x"), client, "Invalid resource ARN"),
        (look("arn:aws:directconnect:us-east-1::dxcon/dxcon-00000000"), client, "another region"),
        (look("arn:aws:directconnect:eu-west-2::dxcon/x"), client, "form of an ID"),
        (
            look("arn:aws:directconnect:eu-west-2::dxlag/dxlag-00000000"),
            client,
            "Could not find Lag with ID",
        ),
        (
            look("arn:aws:directconnect:eu-west-2::dxcon/dxcon-00000000"),
            client,
            "Could not find Connection with ID",
        ),
        (look("arn:aws:directconnect:eu-west-2::dxvif/dxvif-00000000"), client, "does not exist"),
    ] {
        let answer = region.aws(keys, operation, body.clone()).await;
        let (got, message) = answer.refusal();
        assert_eq!(got, kind, "{operation} {body}: {}", answer.body);
        assert!(message.contains(text), "{operation} {body}: {message}");
    }
}

#[tokio::test]
async fn names_change_and_what_is_not_offered_is_refused() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (connection, _) = region.plugged(keys).await;
    let name = json!({"connectionId": connection, "connectionName": "new",
        "encryptionMode": "no_encrypt"});
    let renamed = good(&region, keys, "UpdateConnection", name).await;
    assert_eq!(
        (&renamed["connectionName"], &renamed["connectionState"]),
        (&json!("new"), &json!("available"))
    );
    let nothing = json!({"connectionId": connection});
    assert_eq!(good(&region, keys, "UpdateConnection", nothing).await["connectionName"], "new");
    let gateway = gateway(&region, keys).await;
    let new = json!({"connectionId": connection, "newPrivateVirtualInterface":
        {"virtualInterfaceName": "n", "vlan": 101, "asn": 65000, "virtualGatewayId": gateway}});
    let vif = good(&region, keys, "CreatePrivateVirtualInterface", new).await;
    let id = vif["virtualInterfaceId"].as_str().unwrap();
    let change = json!({"virtualInterfaceId": id, "virtualInterfaceName": "m", "mtu": 1400});
    let changed = good(&region, keys, "UpdateVirtualInterfaceAttributes", change).await;
    assert_eq!((&changed["virtualInterfaceName"], &changed["mtu"]), (&json!("m"), &json!(1400)));
    let change = |member: &str, value: Value| {
        let mut body = json!({"virtualInterfaceId": id});
        body[member] = value;
        ("UpdateVirtualInterfaceAttributes", body)
    };
    for ((operation, body), text) in [
        (change("mtu", json!(8500)), "Invalid MTU"),
        (change("enableSiteLink", json!(true)), "enableSiteLink is not supported"),
        (change("rateLimit", json!("50Mbps")), "rateLimit is not supported"),
        (change("virtualInterfaceName", json!("")), "1 to 255"),
        (
            (
                "UpdateConnection",
                json!({"connectionId": connection, "encryptionMode": "must_encrypt"}),
            ),
            "not MACsec capable",
        ),
        (
            ("UpdateConnection", json!({"connectionId": "dxcon-00000000", "connectionName": "x"})),
            "Could not find Connection with ID",
        ),
    ] {
        let answer = region.aws(keys, operation, body.clone()).await;
        assert!(answer.refusal().1.contains(text), "{operation} {body}: {}", answer.body);
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let mut made = vec![];
    for n in 0..5 {
        let order =
            json!({"location": "PAR1", "bandwidth": "1Gbps", "connectionName": n.to_string()});
        made.push(good(&region, keys, "CreateConnection", order).await["connectionId"].clone());
    }
    let mut seen = vec![];
    let mut asked = json!({"maxResults": 2});
    loop {
        let page = good(&region, keys, "DescribeConnections", asked).await;
        let list = page["connections"].as_array().unwrap();
        assert!((1..=2).contains(&list.len()));
        seen.extend(list.iter().map(|one| one["connectionId"].clone()));
        let Some(next) = page.get("nextToken") else { break };
        asked = json!({"maxResults": 2, "nextToken": next});
    }
    assert_eq!(seen.len(), 5);
    assert!(made.iter().all(|id| seen.contains(id)));
    let refused = region.aws(keys, "DescribeConnections", json!({"nextToken": "?"})).await;
    assert!(refused.refusal().1.starts_with("Invalid nextToken"), "{}", refused.body);
}
