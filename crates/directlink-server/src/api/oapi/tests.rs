//! The dialect over a real app: every answer is held against the published description.

use super::{list::Listed, params::Kind, *};
use crate::api::testing::{Answer, Keys, OAPI, TestRegion, code_types};
use axum::{body::Body, extract::Request};
use base64::{Engine, prelude::BASE64_STANDARD};
use directlink_model::{
    account::AccessKey,
    net::Net,
    security_group::SecurityGroup,
    view::{ConnectionView, GatewayView, InterfaceView, RouteTableView, SubnetView},
};
use std::collections::BTreeSet;

#[tokio::test]
async fn every_published_action_is_served_or_refused_as_an_unknown_one() {
    let region = TestRegion::new().await;
    let published: BTreeSet<_> = OAPI.actions().collect();
    assert_eq!(published.len(), 236);
    for action in ACTIONS {
        assert!(published.contains(action.name), "{} is not published", action.name);
    }
    for name in published {
        let answer = region.oapi(&region.owner, name, json!({})).await;
        let served = ACTIONS.iter().any(|action| action.name == name);
        assert_eq!(answer.code() != 12000, served, "{name}: {}", answer.body);
        assert_eq!(answer.status == StatusCode::NOT_FOUND, !served, "{name}");
    }
}

#[test]
fn parameters_are_the_published_ones() {
    for (action, fields) in [
        ("CreateAccessKey", access_keys::CREATE),
        ("CreateDirectLink", connections::CREATE),
        ("CreateDirectLinkInterface", interfaces::CREATE),
        ("CreateNet", nets::CREATE),
        ("CreateNic", nics::CREATE),
        ("CreateSecurityGroup", security_groups::CREATE),
        ("CreateSecurityGroupRule", security_rules::CREATE),
        ("CreateSubnet", subnets::CREATE),
        ("CreateVirtualGateway", gateways::CREATE),
        ("DeleteDirectLink", connections::DELETE),
        ("DeleteDirectLinkInterface", interfaces::DELETE),
        ("DeleteNet", nets::DELETE),
        ("DeleteNic", nics::DELETE),
        ("DeleteSubnet", subnets::DELETE),
        ("DeleteVirtualGateway", gateways::DELETE),
        ("LinkVirtualGateway", gateways::LINK),
        ("UnlinkVirtualGateway", gateways::LINK),
        ("UpdateDirectLinkInterface", interfaces::UPDATE),
        ("UpdateRoutePropagation", route_tables::UPDATE_PROPAGATION),
    ] {
        compare(OAPI.schema(&format!("{action}Request")), fields, action);
    }
}

#[test]
fn filters_are_the_published_ones() {
    filters::<AccessKey>("FiltersAccessKeys");
    filters::<ConnectionView>("FiltersDirectLink");
    filters::<GatewayView>("FiltersVirtualGateway");
    filters::<InterfaceView>("FiltersDirectLinkInterface");
    filters::<Net>("FiltersNet");
    filters::<nics::NamedNic>("FiltersNic");
    filters::<RouteTableView>("FiltersRouteTable");
    filters::<SecurityGroup>("FiltersSecurityGroup");
    filters::<SubnetView>("FiltersSubnet");
    filters::<regions::Subregion>("FiltersSubregion");
}

fn filters<T: Listed>(schema: &str) {
    let fields: Vec<_> = T::FILTERS.iter().map(list::Filter::field).collect();
    compare(OAPI.schema(schema), &fields, schema);
}

fn compare(schema: &Value, fields: &[Field<'_>], at: &str) {
    let published = schema["properties"].as_object().unwrap();
    let names: BTreeSet<_> = published.keys().map(String::as_str).collect();
    assert_eq!(fields.iter().map(|f| f.name).collect::<BTreeSet<_>>(), names, "{at}");
    let needed = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let ours = fields.iter().filter(|f| f.required).map(|f| f.name);
    assert_eq!(ours.collect::<BTreeSet<_>>(), needed.collect(), "{at}");
    for field in fields {
        let at = format!("{at}.{}", field.name);
        let member = OAPI.resolved(&published[field.name]);
        let item = OAPI.resolved(&member["items"]);
        let kind = match field.kind {
            Kind::Text | Kind::Id(_) => ["string", ""],
            Kind::Integer => ["integer", ""],
            Kind::Flag => ["boolean", ""],
            Kind::Texts | Kind::Ids(_) => ["array", "string"],
            Kind::Integers => ["array", "integer"],
            Kind::Object(inner) => {
                compare(member, inner, &at);
                ["object", ""]
            }
            Kind::Objects(inner) => {
                compare(item, inner, &at);
                ["array", "object"]
            }
        };
        let published = [member, item].map(|s| s["type"].as_str().unwrap_or_default());
        // A date may be written in two forms; the description gives both as alternatives.
        let date = field.name == "ExpirationDate";
        assert!(published == kind || date, "{at}: {published:?}, ours {kind:?}");
    }
}

#[test]
fn a_codes_type_is_the_published_one() {
    for (code, kind) in code_types() {
        assert_eq!(Code(code).kind(), kind, "{code}");
    }
}

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

fn unsigned(method: &str, path: &str, content_type: Option<&str>, body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("host", "dl.example:81");
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    request.body(body.to_owned().into()).unwrap()
}

#[tokio::test]
async fn open_actions_versions_and_forms_of_addresses_and_bodies() {
    let region = TestRegion::new().await;
    let json_type = Some("application/json; charset=utf-8");
    for (method, path, content_type, body, status, code) in [
        ("POST", "/api/v1/ReadLocations", json_type, "{}", 200, 0),
        ("POST", "//api/latest/ReadLocations", json_type, "null", 200, 0),
        ("POST", "/api/V1/ReadLocations", None, "", 200, 0),
        ("POST", "/api/v1.42/ReadRegions", json_type, " ", 200, 0),
        ("POST", "/ReadRegions", json_type, r#"{"DryRun": false}"#, 200, 0),
        ("POST", "/api/v1/ReadRegions", Some("text/xml"), "{}", 400, 3010),
        ("POST", "/api/v1/ReadRegions", json_type, "[]", 400, 4110),
        ("POST", "/api/v1/ReadRegions", json_type, "{", 400, 4110),
        ("POST", "/api/v1/ReadRegions", json_type, r#"{"Filters": {}}"#, 400, 3001),
        ("POST", "/api/v1/ReadNets", json_type, "{}", 401, 1),
        ("POST", "/api/v1/Nonsense", json_type, "{}", 404, 12000),
        ("POST", "/api/v2/ReadNets", json_type, "{}", 404, 12000),
        ("GET", "/api/v1/ReadNets", None, "", 405, 12000),
        ("GET", "/api/v1/ReadLocations", None, "", 405, 12000),
    ] {
        let answer = region.raw(unsigned(method, path, content_type, body)).await;
        let got = (answer.status.as_u16(), answer.code());
        assert_eq!(got, (status, code), "{method} {path} {body}: {}", answer.body);
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
    }
    let with_bad_credentials = {
        let mut request = unsigned("POST", "/api/v1/ReadRegions", json_type, "{}");
        request.headers_mut().insert("authorization", "OSC4-HMAC-SHA256 nonsense".parse().unwrap());
        region.raw(request).await
    };
    let expected = json!([{"RegionName": "eu-west-2", "Endpoint": "dl.example:81"}]);
    assert_eq!(with_bad_credentials.body["Regions"], expected);

    let locations = region.raw(unsigned("POST", "/api/v1/ReadLocations", None, "")).await;
    assert_eq!(locations.body["Locations"][0], json!({"Code": "PAR1", "Name": "A site, France"}));
    let subregions = json!({"Filters": {"SubregionNames": ["eu-west-2b"]}});
    let subregions = region.good(&region.owner, "ReadSubregions", subregions).await;
    assert_eq!(subregions["Subregions"][0]["LocationCode"], "PAR4");

    let versions = region.raw(unsigned("POST", "/api", None, "")).await;
    assert_eq!(versions.body, json!({"Versions": ["v1.42"]}));
    let calls = region.raw(unsigned("POST", "/api/v1", None, "")).await;
    assert_eq!(calls.body["Calls"].as_array().unwrap().len(), ACTIONS.len());
    let options = region.raw(unsigned("OPTIONS", "/api/v1/ReadNets", None, "")).await;
    assert_eq!(options.status, StatusCode::NO_CONTENT);
    assert_eq!(options.headers["access-control-allow-methods"], "GET,OPTIONS,POST");
}

#[tokio::test]
async fn only_the_right_key_opens_and_guessing_locks_it() {
    let region = TestRegion::new().await;
    let made = region.good(&region.owner, "CreateAccessKey", json!({})).await["AccessKey"].take();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let good = Keys {
        access_key: text("AccessKeyId"),
        secret_key: text("SecretKey"),
        ..region.owner.clone()
    };
    let wrong = Keys { secret_key: "0".repeat(40), ..good.clone() };
    let unknown = Keys { access_key: "A".repeat(20), ..good.clone() };
    let ask = async |keys: &Keys| -> (u16, u32) {
        let answer: Answer = region.oapi(keys, "ReadNets", json!({})).await;
        (answer.status.as_u16(), answer.code())
    };
    assert_eq!(ask(&unknown).await, (401, 1));
    assert_eq!(ask(&good).await, (200, 0));
    for _ in 0..4 {
        assert_eq!(ask(&wrong).await, (401, 1));
    }
    assert_eq!(ask(&good).await, (401, 13), "a locked key");
    assert_eq!(ask(&region.owner).await, (200, 0), "another key of the same account");

    let read = region.good(&region.owner, "ReadAccessKeys", json!({})).await;
    assert_eq!(read["AccessKeys"].as_array().unwrap().len(), 2);
    assert!(!read.to_string().contains("SecretKey"));
}

#[tokio::test]
async fn a_password_is_taken_for_access_keys_and_nothing_else() {
    let region = TestRegion::new().await;
    let date = region.app.machine_now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let ask = async |action: &str, password: &str, date: &str| -> (u16, u32) {
        let login = BASE64_STANDARD.encode(format!("{}:{password}", region.owner.login));
        let path = format!("/api/latest/{action}");
        let mut request = unsigned("POST", &path, Some("application/json"), "{}");
        let headers = request.headers_mut();
        headers.insert("authorization", format!("Basic {login}").parse().unwrap());
        headers.insert("x-osc-date", date.parse().unwrap());
        let answer = region.raw(request).await;
        (answer.status.as_u16(), answer.code())
    };
    let password = &region.owner.password;
    assert_eq!(ask("ReadAccessKeys", password, &date).await, (200, 0));
    assert_eq!(ask("CreateAccessKey", password, &date).await, (200, 0));
    assert_eq!(ask("ReadDirectLinks", password, &date).await, (401, 1));
    assert_eq!(ask("ReadAccessKeys", password, "20200101T000000Z").await, (401, 15));
    assert_eq!(ask("ReadAccessKeys", "guess", &date).await, (401, 1));
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
