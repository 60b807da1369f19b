//! Who sees what: (caller × resource × action). Another account's object reads as not found, in
//! every action that is served; nothing ever says "denied".

use super::*;

/// The owner's things, and one call of every action that names one of them.
struct Things {
    connection: String,
    interface: String,
    net: String,
    subnet: String,
    gateway: String,
    table: String,
    link: String,
    nic: String,
    group: String,
    key: String,
}

impl Things {
    async fn make(region: &TestRegion) -> Self {
        let keys = &region.owner;
        let (net, subnet, gateway) = place(region, keys).await;
        let (connection, _) = region.plugged(keys).await;
        let made = interface(&connection, &gateway, 101);
        let made = region.good(keys, "CreateDirectLinkInterface", made).await;
        let text =
            |answer: &Value, path: &str| answer.pointer(path).unwrap().as_str().unwrap().to_owned();
        let interface = text(&made, "/DirectLinkInterface/DirectLinkInterfaceId");
        let nic = region.good(keys, "CreateNic", json!({"SubnetId": subnet})).await;
        let nic = text(&nic, "/Nic/NicId");
        let group = json!({"NetId": net, "SecurityGroupName": "web", "Description": "d"});
        let group = region.good(keys, "CreateSecurityGroup", group).await;
        let group = text(&group, "/SecurityGroup/SecurityGroupId");
        let table = region.good(keys, "CreateRouteTable", json!({"NetId": net})).await;
        let table = text(&table, "/RouteTable/RouteTableId");
        let link = json!({"RouteTableId": table, "SubnetId": subnet});
        let link = region.good(keys, "LinkRouteTable", link).await;
        let link = text(&link, "/LinkRouteTableId");
        let key = keys.access_key.clone();
        Self { connection, interface, net, subnet, gateway, table, link, nic, group, key }
    }

    /// Action, body, and the refusal that a stranger gets.
    fn calls(&self) -> Vec<(&'static str, Value, u32)> {
        let Self {
            connection,
            interface: dxvif,
            net,
            subnet,
            gateway,
            table,
            link,
            nic,
            group,
            key,
        } = self;
        let route =
            json!({"RouteTableId": table, "DestinationIpRange": "8.8.8.0/24", "NicId": nic});
        let rule = json!({"SecurityGroupId": group, "Flow": "Inbound", "IpRange": "8.8.8.0/24"});
        let tags = |id: &str| json!({"ResourceIds": [id], "Tags": [{"Key": "k", "Value": "v"}]});
        let linked = json!({"NetId": net, "VirtualGatewayId": gateway});
        vec![
            ("CreateDirectLinkInterface", interface(connection, gateway, 102), 5072),
            ("CreateNic", json!({"SubnetId": subnet}), 5057),
            ("CreateRoute", route.clone(), 5046),
            ("CreateRouteTable", json!({"NetId": net}), 5065),
            (
                "CreateSecurityGroup",
                json!({"NetId": net, "SecurityGroupName": "x", "Description": "d"}),
                5065,
            ),
            ("CreateSecurityGroupRule", rule.clone(), 5020),
            ("CreateSubnet", json!({"NetId": net, "IpRange": "10.0.9.0/24"}), 5065),
            ("CreateTags", tags(net), 5065),
            ("CreateTags", tags(subnet), 5057),
            ("CreateTags", tags(gateway), 5068),
            ("CreateTags", tags(table), 5046),
            ("CreateTags", tags(nic), 5036),
            ("CreateTags", tags(group), 5020),
            ("DeleteAccessKey", json!({"AccessKeyId": key}), 5027),
            ("DeleteDirectLink", json!({"DirectLinkId": connection}), 5072),
            ("DeleteDirectLinkInterface", json!({"DirectLinkInterfaceId": dxvif}), 5073),
            ("DeleteNet", json!({"NetId": net}), 5065),
            ("DeleteNic", json!({"NicId": nic}), 5036),
            (
                "DeleteRoute",
                json!({"RouteTableId": table, "DestinationIpRange": "8.8.8.0/24"}),
                5046,
            ),
            ("DeleteRouteTable", json!({"RouteTableId": table}), 5046),
            ("DeleteSecurityGroup", json!({"SecurityGroupId": group}), 5020),
            ("DeleteSecurityGroup", json!({"SecurityGroupName": "web"}), 5020),
            ("DeleteSecurityGroupRule", rule, 5020),
            ("DeleteSubnet", json!({"SubnetId": subnet}), 5057),
            ("DeleteTags", tags(net), 5065),
            ("DeleteVirtualGateway", json!({"VirtualGatewayId": gateway}), 5068),
            ("LinkRouteTable", json!({"RouteTableId": table, "SubnetId": subnet}), 5046),
            ("LinkVirtualGateway", linked.clone(), 5068),
            ("UnlinkRouteTable", json!({"LinkRouteTableId": link}), 5047),
            ("UnlinkVirtualGateway", linked, 5068),
            ("UpdateAccessKey", json!({"AccessKeyId": key, "State": "INACTIVE"}), 5027),
            (
                "UpdateDirectLinkInterface",
                json!({"DirectLinkInterfaceId": dxvif, "Mtu": 1500}),
                5073,
            ),
            ("UpdateNic", json!({"NicId": nic, "Description": "x"}), 5036),
            ("UpdateRoute", route, 5046),
            (
                "UpdateRoutePropagation",
                json!({"RouteTableId": table, "VirtualGatewayId": gateway, "Enable": true}),
                5046,
            ),
            (
                "UpdateRouteTableLink",
                json!({"LinkRouteTableId": link, "RouteTableId": table}),
                5047,
            ),
        ]
    }

    /// Action, filter, the ids, and the answer's list.
    fn reads(&self) -> Vec<(&'static str, &'static str, &str, &'static str)> {
        vec![
            ("ReadAccessKeys", "AccessKeyIds", &self.key, "AccessKeys"),
            ("ReadApiLogs", "QueryAccessKeys", &self.key, "Logs"),
            (
                "ReadDirectLinkInterfaces",
                "DirectLinkInterfaceIds",
                &self.interface,
                "DirectLinkInterfaces",
            ),
            ("ReadDirectLinks", "DirectLinkIds", &self.connection, "DirectLinks"),
            ("ReadNets", "NetIds", &self.net, "Nets"),
            ("ReadNics", "NicIds", &self.nic, "Nics"),
            ("ReadRouteTables", "RouteTableIds", &self.table, "RouteTables"),
            ("ReadSecurityGroups", "SecurityGroupIds", &self.group, "SecurityGroups"),
            ("ReadSubnets", "SubnetIds", &self.subnet, "Subnets"),
            ("ReadTags", "ResourceIds", &self.net, "Tags"),
            ("ReadVirtualGateways", "VirtualGatewayIds", &self.gateway, "VirtualGateways"),
        ]
    }
}

/// Actions that name no object of an account.
const OF_NOBODY: [&str; 8] = [
    "CreateAccessKey",
    "CreateDirectLink",
    "CreateNet",
    "CreateVirtualGateway",
    "ReadLocations",
    "ReadQuotas",
    "ReadRegions",
    "ReadSubregions",
];

#[tokio::test]
async fn anothers_object_reads_as_not_found_in_every_action() {
    let region = TestRegion::new().await;
    let things = Things::make(&region).await;
    let tag = json!({"ResourceIds": [things.net], "Tags": [{"Key": "k", "Value": "v"}]});
    region.good(&region.owner, "CreateTags", tag).await;
    let calls = things.calls();
    let reads = things.reads();
    for action in ACTIONS {
        let walked = calls.iter().any(|(name, ..)| *name == action.name)
            || reads.iter().any(|(name, ..)| *name == action.name)
            || OF_NOBODY.contains(&action.name);
        assert!(walked, "{} is not in the table", action.name);
    }
    for (action, body, code) in &calls {
        let answer = region.oapi(&region.guest, action, body.clone()).await;
        assert_eq!(answer.code(), *code, "{action} {body}: {}", answer.body);
        // To its owner the same object is there, whatever else may be said.
        let mut dry = body.clone();
        dry["DryRun"] = json!(true);
        let answer = region.oapi(&region.owner, action, dry).await;
        let missing = (5000..6000).contains(&answer.code());
        let expected = matches!(*action, "DeleteRoute" | "UpdateRoute" | "DeleteSecurityGroupRule");
        assert_eq!(missing, expected, "{action} {body}: {}", answer.body);
    }
    for (action, filter, id, list) in reads {
        let body = json!({"Filters": {filter: [id]}});
        let count = async |keys: &Keys| {
            let read = region.good(keys, action, body.clone()).await;
            read[list].as_array().unwrap().len()
        };
        assert_eq!(count(&region.guest).await, 0, "{action}");
        assert!(count(&region.owner).await > 0, "{action}");
        // What the stranger asked for above is in its own log.
        if action != "ReadApiLogs" {
            let everything = region.good(&region.guest, action, json!({})).await;
            assert!(!everything[list].to_string().contains(id), "{action}");
        }
    }
}

/// A hosted connection is its customer's as if it were ordered; the partner that hosts it can end
/// it, and sees neither it nor what is on it in its own lists; to a stranger it is not there.
#[tokio::test]
async fn a_hosted_connection_is_its_customers_and_what_it_carries_is_shown_to_nobody_else() {
    let region = TestRegion::new().await;
    let (partner, customer) = (&region.owner, &region.guest);
    let made = region.operator(Method::POST, "accounts", json!({})).await.body;
    let word = |name: &str| made[name].as_str().unwrap().to_owned();
    let stranger = &Keys {
        account: word("id"),
        access_key: word("access_key"),
        secret_key: word("secret_key"),
        login: word("login"),
        password: word("password"),
    };
    let (parent, _) = region.plugged(partner).await;
    let share = json!({"connectionId": parent, "ownerAccount": customer.account,
        "bandwidth": "50Mbps", "connectionName": "a share", "vlan": 101});
    let made = region.aws(partner, "AllocateHostedConnection", share).await.body;
    let hosted = made["connectionId"].as_str().unwrap();
    let read = async |keys: &Keys| {
        let all = region.good(keys, "ReadDirectLinks", json!({})).await;
        let found = all["DirectLinks"].as_array().unwrap().iter();
        let found = found.filter(|c| c["DirectLinkId"] == hosted).map(|c| c["State"].to_string());
        found.collect::<Vec<_>>()
    };
    assert_eq!(read(customer).await, ["\"requested\""], "this API has no word for an offer");
    region.aws(customer, "ConfirmConnection", json!({"connectionId": hosted})).await;
    let (_, _, gateway) = place(&region, customer).await;
    let mut asked = interface(hosted, &gateway, 101);
    asked["DirectLinkInterface"]["BgpKey"] = json!("tgyn26example");
    let made = region.good(customer, "CreateDirectLinkInterface", asked).await;
    let dxvif = made.pointer("/DirectLinkInterface/DirectLinkInterfaceId").unwrap();
    assert_eq!(read(customer).await, ["\"available\""]);
    let shown = region.good(customer, "ReadDirectLinks", json!({})).await;
    assert_eq!(shown["DirectLinks"][0]["Bandwidth"], "50Mbps");

    for (who, keys, deletes) in [("partner", partner, 9002), ("stranger", stranger, 5072)] {
        assert_eq!(read(keys).await, Vec::<String>::new(), "{who}");
        let interfaces = region.good(keys, "ReadDirectLinkInterfaces", json!({})).await;
        assert_eq!(interfaces["DirectLinkInterfaces"], json!([]), "{who}");
        for (action, body, code) in [
            ("CreateDirectLinkInterface", interface(hosted, &gateway, 101), 5072),
            ("DeleteDirectLink", json!({"DirectLinkId": hosted}), deletes),
            ("DeleteDirectLinkInterface", json!({"DirectLinkInterfaceId": dxvif}), 5073),
            (
                "UpdateDirectLinkInterface",
                json!({"DirectLinkInterfaceId": dxvif, "Mtu": 1500}),
                5073,
            ),
        ] {
            let answer = region.oapi(keys, action, body).await;
            assert_eq!(answer.code(), code, "{who} {action}: {}", answer.body);
        }
    }
    // The parent is the partner's alone, and so is the list of what it hosts.
    let nobodys = "Could not find Connection with ID";
    let connection = |id: &str| json!({"connectionId": id});
    let onto = json!({"connectionId": hosted, "parentConnectionId": parent});
    for (who, keys, operation, body) in [
        ("customer", customer, "DescribeConnections", connection(&parent)),
        ("customer", customer, "DescribeHostedConnections", connection(&parent)),
        ("customer", customer, "AssociateHostedConnection", onto.clone()),
        ("partner", partner, "DescribeConnections", connection(hosted)),
        ("partner", partner, "ConfirmConnection", connection(hosted)),
        ("stranger", stranger, "DescribeConnections", connection(hosted)),
        ("stranger", stranger, "DescribeHostedConnections", connection(&parent)),
        ("stranger", stranger, "ConfirmConnection", connection(hosted)),
        ("stranger", stranger, "AssociateHostedConnection", onto),
    ] {
        let answer = region.aws(keys, operation, body).await;
        assert!(answer.refusal().1.contains(nobodys), "{who} {operation}: {}", answer.body);
    }
}
