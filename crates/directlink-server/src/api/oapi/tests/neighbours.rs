//! Security groups, NICs, tags, quotas, access keys.

use super::*;

#[tokio::test]
async fn rules_by_group_and_what_keeps_a_group() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (net, subnet, _) = place(&region, keys).await;
    let group = async |name: &str| -> String {
        let body = json!({"NetId": net, "SecurityGroupName": name, "Description": "d"});
        let made = region.good(keys, "CreateSecurityGroup", body).await;
        made["SecurityGroup"]["SecurityGroupId"].as_str().unwrap().to_owned()
    };
    let (web, db) = (group("web").await, group("db").await);
    let rule = json!({"SecurityGroupId": db, "Flow": "Inbound", "Rules": [
        {"IpProtocol": "tcp", "FromPortRange": 5432, "ToPortRange": 5432,
         "SecurityGroupsMembers": [{"SecurityGroupId": web}], "IpRanges": ["192.168.0.0/16"]}]});
    let ruled = region.good(keys, "CreateSecurityGroupRule", rule.clone()).await;
    let inbound = &ruled["SecurityGroup"]["InboundRules"];
    assert_eq!(inbound[0]["IpRanges"], json!(["192.168.0.0/16"]));
    let expected = json!([{"AccountId": keys.account, "SecurityGroupId": web,
        "SecurityGroupName": "web"}]);
    assert_eq!(inbound[1]["SecurityGroupsMembers"], expected);
    assert_eq!(region.oapi(keys, "CreateSecurityGroupRule", rule.clone()).await.code(), 9000);
    let flat = |action: &str, other: &str| {
        json!({"SecurityGroupId": web, "Flow": "Outbound", "IpProtocol": "udp",
            format!("SecurityGroupNameTo{action}"): other})
    };
    region.good(keys, "CreateSecurityGroupRule", flat("Link", "db")).await;
    for other in ["sg-00000000", "nobody"] {
        let answer = region.oapi(keys, "CreateSecurityGroupRule", flat("Link", other)).await;
        assert_eq!(answer.code(), 5020, "{other}");
    }
    for (filters, count) in [
        (json!({"InboundRuleSecurityGroupIds": [web]}), 1),
        (json!({"InboundRuleSecurityGroupNames": ["web"]}), 1),
        (json!({"OutboundRuleSecurityGroupIds": [db]}), 1),
        (json!({"OutboundRuleAccountIds": [keys.account]}), 1),
        (json!({"InboundRuleSecurityGroupIds": [db]}), 0),
    ] {
        let read = region.good(keys, "ReadSecurityGroups", json!({"Filters": filters})).await;
        assert_eq!(read["SecurityGroups"].as_array().unwrap().len(), count, "{filters}");
    }
    let nic = json!({"SubnetId": subnet, "SecurityGroupIds": [web]});
    let nic = region.good(keys, "CreateNic", nic).await["Nic"]["NicId"].take();
    let delete = async |body: Value| region.oapi(keys, "DeleteSecurityGroup", body).await.code();
    assert_eq!(delete(json!({"SecurityGroupId": web})).await, 9085, "a NIC has it");
    let none = json!({"NicId": nic, "SecurityGroupIds": []});
    assert_eq!(region.oapi(keys, "UpdateNic", none).await.code(), 4047);
    let both = json!({"NicId": nic, "SecurityGroupIds": [db], "Description": "d"});
    assert_eq!(region.oapi(keys, "UpdateNic", both).await.code(), 4046);
    assert_eq!(region.oapi(keys, "UpdateNic", json!({"NicId": nic})).await.code(), 7000);
    let link = json!({"NicId": nic, "LinkNic": {"LinkNicId": "eni-attach-12345678"}});
    assert_eq!(region.oapi(keys, "UpdateNic", link).await.code(), 5007);
    let moved = json!({"NicId": nic, "SecurityGroupIds": [db]});
    let moved = region.good(keys, "UpdateNic", moved).await;
    assert_eq!(moved["Nic"]["SecurityGroups"][0]["SecurityGroupName"], "db");
    let described = json!({"NicId": nic, "Description": "of a host"});
    let described = region.good(keys, "UpdateNic", described).await;
    assert_eq!(described["Nic"]["Description"], "of a host");
    assert_eq!(delete(json!({"SecurityGroupName": "web"})).await, 9085, "rules of 'db' name it");

    let gone = region.good(keys, "DeleteSecurityGroupRule", rule.clone()).await;
    assert_eq!(gone["SecurityGroup"]["InboundRules"], json!([]));
    assert_eq!(region.oapi(keys, "DeleteSecurityGroupRule", rule).await.code(), 5008);
    let read = json!({"Filters": {"SecurityGroupIds": [web]}});
    let read = region.good(keys, "ReadSecurityGroups", read).await;
    let id = &read["SecurityGroups"][0]["OutboundRules"][0]["SecurityGroupRuleId"];
    let by_id = json!({"SecurityGroupId": web, "Flow": "Outbound",
        "Rules": [{"SecurityGroupRuleId": id}]});
    let left = region.good(keys, "DeleteSecurityGroupRule", by_id).await;
    assert_eq!(left["SecurityGroup"]["OutboundRules"].as_array().unwrap().len(), 1);
    let left = region.good(keys, "DeleteSecurityGroupRule", flat("Unlink", &db)).await;
    assert_eq!(left["SecurityGroup"]["OutboundRules"], json!([]));
    assert_eq!(delete(json!({"SecurityGroupName": "web"})).await, 0);
    assert_eq!(delete(json!({"SecurityGroupName": "web"})).await, 5020);
    assert_eq!(delete(json!({"SecurityGroupName": "default"})).await, 9051);
    assert_eq!(delete(json!({})).await, 7000);
}

#[tokio::test]
async fn tags_show_on_all_that_can_carry_them() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (net, subnet, gateway) = place(&region, keys).await;
    let nic = region.good(keys, "CreateNic", json!({"SubnetId": subnet})).await;
    let nic = nic["Nic"]["NicId"].as_str().unwrap().to_owned();
    let first = async |action: &str, list: &str, id: &str| -> String {
        let read = region.good(keys, action, json!({})).await;
        read[list][0][id].as_str().unwrap().to_owned()
    };
    let table = first("ReadRouteTables", "RouteTables", "RouteTableId").await;
    let group = first("ReadSecurityGroups", "SecurityGroups", "SecurityGroupId").await;
    let all = [&net, &subnet, &gateway, &nic, &table, &group];
    let tags = json!([{"Key": "Name", "Value": "mine"}, {"Key": "env", "Value": ""}]);
    let stick = json!({"ResourceIds": all, "Tags": tags});
    region.good(keys, "CreateTags", stick.clone()).await;
    for (action, list) in [
        ("ReadNets", "Nets"),
        ("ReadSubnets", "Subnets"),
        ("ReadVirtualGateways", "VirtualGateways"),
        ("ReadNics", "Nics"),
        ("ReadRouteTables", "RouteTables"),
        ("ReadSecurityGroups", "SecurityGroups"),
    ] {
        for (filters, count) in [
            (json!({"TagKeys": ["Name"], "TagValues": ["mine"], "Tags": ["Name=mine"]}), 1),
            (json!({"Tags": ["env="]}), 1),
            (json!({"Tags": ["Name=other", "name=mine", "Name=*"]}), 0),
            (json!({"TagKeys": ["name"]}), 0),
        ] {
            let read = region.good(keys, action, json!({"Filters": filters})).await;
            let read = read[list].as_array().unwrap();
            assert_eq!(read.len(), count, "{action} {filters}");
            assert!(read.iter().all(|one| one["Tags"] == tags), "{action}: {read:?}");
        }
    }
    let read = async |filters: Value| {
        let read = region.good(keys, "ReadTags", json!({"Filters": filters})).await;
        read["Tags"].as_array().unwrap().clone()
    };
    assert_eq!(read(json!({})).await.len(), 12);
    let one = read(json!({"ResourceTypes": ["virtual-private-gateway"], "Keys": ["Name"]})).await;
    let expected = json!({"Key": "Name", "ResourceId": gateway, "Value": "mine",
        "ResourceType": "virtual-private-gateway"});
    assert_eq!(one, [expected]);
    assert_eq!(region.good(&region.guest, "ReadTags", json!({})).await["Tags"], json!([]));

    let off = json!({"ResourceIds": [net], "Tags": [{"Key": "Name", "Value": "other"}]});
    region.good(keys, "DeleteTags", off).await;
    assert_eq!(read(json!({"ResourceIds": [net]})).await.len(), 2, "another value");
    region.good(keys, "DeleteTags", stick).await;
    assert!(read(json!({})).await.is_empty());

    let one = json!({"Key": "k", "Value": "v"});
    let many: Vec<_> = (0..21).map(|n| json!({"Key": n.to_string(), "Value": ""})).collect();
    for (ids, tags, code) in [
        (json!(["dxcon-12345678"]), json!([one]), 4104),
        (json!(["i-12345678"]), json!([one]), 4104),
        (json!(["vpc-1"]), json!([one]), 4105),
        (json!(["vpc-00000000"]), json!([one]), 5065),
        (json!([]), json!([one]), 7000),
        (json!([net]), json!([]), 7000),
        (json!([net]), json!([{"Key": "k"}]), 7000),
        (json!([net]), json!([{"Key": "", "Value": ""}]), 4069),
        (json!([net]), json!([one, one]), 4069),
        (json!([net]), json!([{"Key": "k", "Value": "v".repeat(256)}]), 4071),
        (json!([net]), json!(many), 10041),
    ] {
        let body = json!({"ResourceIds": ids, "Tags": tags});
        assert_eq!(region.oapi(keys, "CreateTags", body.clone()).await.code(), code, "{body}");
    }
    let stick = json!({"ResourceIds": [nic], "Tags": [one]});
    region.good(keys, "CreateTags", stick).await;
    region.good(keys, "DeleteNic", json!({"NicId": nic})).await;
    assert!(read(json!({})).await.is_empty(), "tags go with what carries them");
}

#[tokio::test]
async fn quotas_say_what_is_used_and_the_operator_moves_them() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    place(&region, keys).await;
    let read = async |filters: Value| -> Vec<(String, i64, i64)> {
        let read = region.good(keys, "ReadQuotas", json!({"Filters": filters})).await;
        let quotas = read["QuotaTypes"][0]["Quotas"].as_array().cloned().unwrap_or_default();
        let number = |q: &Value, name: &str| q[name].as_i64().unwrap();
        let line = |q: &Value| {
            (q["Name"].as_str().unwrap().to_owned(), number(q, "MaxValue"), number(q, "UsedValue"))
        };
        quotas.iter().map(line).collect()
    };
    let direct_link = || json!({"Collections": ["Direct Link"], "QuotaTypes": ["global"]});
    let lines = |connections| {
        vec![
            ("dl_connection_limit".to_owned(), connections, 0),
            ("dl_interface_limit".to_owned(), 50, 0),
        ]
    };
    assert_eq!(read(direct_link()).await, lines(10));
    let gateways = json!({"QuotaNames": ["vpn_gateway_limit"]});
    assert_eq!(read(gateways).await, [("vpn_gateway_limit".to_owned(), 5, 1)]);
    assert!(read(json!({"QuotaNames": ["lb_limit"]})).await.is_empty());
    let path = format!("accounts/{}/quotas", keys.account);
    let set = json!({"quota": "connections", "limit": 0});
    let set = region.operator(Method::POST, &path, set).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    assert_eq!(read(direct_link()).await, lines(0));
    let order = json!({"Location": "PAR1", "Bandwidth": "1Gbps", "DirectLinkName": "fibre"});
    assert_eq!(region.oapi(keys, "CreateDirectLink", order.clone()).await.code(), 10028);
    region.good(&region.guest, "CreateDirectLink", order).await;
    let back = json!({"quota": "connections", "limit": null});
    region.operator(Method::POST, &path, back).await;
    assert_eq!(read(direct_link()).await, lines(10));
}

#[tokio::test]
async fn a_key_is_rotated_switched_off_and_ends() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let made = region.good(keys, "CreateAccessKey", json!({"Tag": "second"})).await;
    let made = &made["AccessKey"];
    assert_eq!(made["Tag"], "second");
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let second =
        Keys { access_key: text("AccessKeyId"), secret_key: text("SecretKey"), ..keys.clone() };
    let works = async || region.oapi(&second, "ReadNets", json!({})).await.status == StatusCode::OK;
    let update = async |body: Value| {
        let mut body = body;
        body["AccessKeyId"] = json!(second.access_key);
        region.good(keys, "UpdateAccessKey", body).await["AccessKey"].take()
    };
    assert!(works().await);
    update(json!({"State": "INACTIVE"})).await;
    assert!(!works().await, "switched off");
    let on = update(json!({"State": "ACTIVE", "ExpirationDate": "2026-11-24"})).await;
    assert_eq!(on["ExpirationDate"], "2026-11-24T00:00:00.000Z");
    assert!(works().await);
    region.later(13 * 3600).await;
    assert!(!works().await, "its end has come");
    let again = update(json!({"State": "ACTIVE"})).await;
    assert!(again.get("ExpirationDate").is_none(), "a new state without a date: no end");
    assert!(works().await);
    update(json!({"ExpirationDate": "2027-01-01"})).await;
    assert_eq!(update(json!({"Tag": "third"})).await["ExpirationDate"], "2027-01-01T00:00:00.000Z");
    let tagged = region.good(keys, "ReadAccessKeys", json!({"Tag": "third"})).await;
    assert_eq!(tagged["AccessKeys"].as_array().unwrap().len(), 1);
    let cleared = update(json!({"ClearExpirationDate": true, "ClearTag": true})).await;
    assert!(cleared.get("ExpirationDate").is_none() && cleared.get("Tag").is_none());
    let id = json!({"AccessKeyId": second.access_key});
    assert_eq!(region.oapi(&region.guest, "DeleteAccessKey", id.clone()).await.code(), 5027);
    assert_eq!(region.oapi(keys, "UpdateAccessKey", id.clone()).await.code(), 7000);
    let state = json!({"AccessKeyId": second.access_key, "State": "OFF"});
    assert_eq!(region.oapi(keys, "UpdateAccessKey", state).await.code(), 4047);
    region.good(keys, "DeleteAccessKey", id).await;
    assert!(!works().await, "gone");
    for _ in 1..20 {
        region.good(keys, "CreateAccessKey", json!({})).await;
    }
    assert_eq!(region.oapi(keys, "CreateAccessKey", json!({})).await.code(), 10005);
}

#[tokio::test]
async fn calls_of_both_faces_are_logged_without_their_secrets() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (connection, _) = region.plugged(keys).await;
    let refused = interface(&connection, "vgw-00000000", 101);
    assert_eq!(region.oapi(keys, "CreateDirectLinkInterface", refused).await.code(), 5068);
    region.aws(keys, "DescribeConnections", json!({})).await;
    region.good(&region.guest, "ReadNets", json!({})).await;
    let read = async |body: Value| region.good(keys, "ReadApiLogs", body).await;
    let all = read(json!({})).await;
    let calls: Vec<_> =
        all["Logs"].as_array().unwrap().iter().map(|l| l["QueryCallName"].clone()).collect();
    let expected = ["DescribeConnections", "CreateDirectLinkInterface", "CreateDirectLink"];
    assert_eq!(calls, expected, "newest first, and none of another account");
    assert!(!all.to_string().contains("tgyn26example"), "the BGP key");
    assert!(!all.to_string().contains("Signature="), "the credentials");
    let one = &all["Logs"][1];
    assert_eq!(one["ResponseStatusCode"], 400);
    assert_eq!(one["QueryAccessKey"], json!(keys.access_key));
    assert!(one["QueryPayloadRaw"].as_str().unwrap().contains(r#""BgpKey":"*****""#));
    for (filters, count) in [
        (json!({"QueryApiNames": ["aws_direct_connect"]}), 1),
        (json!({"QueryCallNames": ["CreateDirectLink"]}), 1),
        (json!({"ResponseStatusCodes": [400]}), 1),
        (json!({"RequestIds": [one["RequestId"]]}), 1),
        (
            json!({"QueryDateAfter": "2026-11-23", "QueryDateBefore": "2026-11-23",
                "QueryApiNames": ["aws_direct_connect"]}),
            1,
        ),
        (json!({"QueryDateBefore": "2026-11-22"}), 0),
        (json!({"QueryDateAfter": "2026-11-24"}), 0),
        (json!({"QueryIpAddresses": ["192.0.2.1"]}), 0),
    ] {
        let read = read(json!({"Filters": filters})).await;
        assert_eq!(read["Logs"].as_array().unwrap().len(), count, "{filters}");
    }
    let only = json!({"QueryCallName": true, "AccountId": false});
    let shown = read(json!({"With": only, "ResultsPerPage": 1})).await;
    assert!(shown["Logs"][0].get("AccountId").is_none());
    let mut body = json!({"ResultsPerPage": 2,
        "Filters": {"QueryCallNames": ["DescribeConnections", "CreateDirectLink",
                                       "CreateDirectLinkInterface"]}});
    let first = read(body.clone()).await;
    assert_eq!(first["Logs"].as_array().unwrap().len(), 2);
    body["NextPageToken"] = first["NextPageToken"].clone();
    let second = read(body).await;
    assert_eq!(second["Logs"][0]["QueryCallName"], "CreateDirectLink");
    assert!(second.get("NextPageToken").is_none());
    for (body, code) in [
        (json!({"Filters": {"QueryDateAfter": "yesterday"}}), 4047),
        (json!({"Filters": {"QueryDateAfter": 5}}), 4110),
        (json!({"ResultsPerPage": 0}), 4113),
        (json!({"ResultsPerPage": 1001}), 4113),
        (json!({"NextPageToken": "nonsense"}), 4117),
        (json!({"NextPageToken": 5}), 4110),
        (json!({"With": {"toto": true}}), 3001),
    ] {
        let code_now = region.oapi(keys, "ReadApiLogs", body.clone()).await.code();
        assert_eq!(code_now, code, "{body}");
    }
}
