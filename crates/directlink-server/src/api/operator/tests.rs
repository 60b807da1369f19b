//! The operator's API over a real app.

use crate::api::testing::{TOKEN, TestRegion};
use http::{Method, StatusCode};
use serde_json::{Value, json};

#[tokio::test]
async fn only_the_token_opens() {
    let region = TestRegion::new().await;
    for (token, status) in [(TOKEN, 200), ("", 401), ("the operator's toke", 401)] {
        let answer = region.stranger("state", token).await;
        assert_eq!(answer.status.as_u16(), status, "{token}: {}", answer.body);
    }
}

#[tokio::test]
async fn an_order_is_approved_with_the_first_free_port_or_a_chosen_one() {
    let region = TestRegion::new().await;
    let order = json!({"Location": "PAR1", "Bandwidth": "1Gbps", "DirectLinkName": "x"});
    let mut ids = vec![];
    for _ in 0..3 {
        let made = region.good(&region.owner, "CreateDirectLink", order.clone()).await;
        ids.push(made["DirectLink"]["DirectLinkId"].as_str().unwrap().to_owned());
    }
    let orders = region.operator(Method::GET, "orders", json!({})).await;
    let waiting: Vec<_> =
        orders.body["orders"].as_array().unwrap().iter().map(|o| &o["id"]).collect();
    assert_eq!(waiting, ids.iter().collect::<Vec<_>>());

    let approve = async |id: &str, body: Value| {
        region.operator(Method::POST, &format!("orders/{id}/approve"), body).await
    };
    let chosen = approve(&ids[0], json!({"port": "par1-r1/p1"})).await;
    assert_eq!(chosen.body["port"], "par1-r1/p1", "{}", chosen.body);
    assert_eq!(chosen.body["state"], "pending");
    for (id, body, status, code) in [
        (&ids[0], json!({}), 409, "connection_not_requested"),
        (&ids[1], json!({"port": "par1-r1/p1"}), 409, "port_taken"),
        (&ids[1], json!({"port": "par4-r1/p0"}), 409, "port_does_not_fit"),
        (&ids[1], json!({"port": "par1-r1/p9"}), 404, "no_such_port"),
        (&ids[1], json!({"port": "p0"}), 400, "bad_request"),
        (&ids[1], json!({"prot": "p0"}), 400, "bad_request"),
    ] {
        let answer = approve(id, body.clone()).await;
        let got = (answer.status.as_u16(), answer.body["error"]["code"].as_str().unwrap());
        assert_eq!(got, (status, code), "{body}: {}", answer.body);
        assert!(answer.body["error"]["message"].as_str().unwrap().len() > 10);
    }
    assert_eq!(approve(&ids[1], json!({})).await.body["port"], "par1-r1/p0");
    assert_eq!(approve(&ids[2], json!({})).await.body["error"]["code"], "no_capacity");
    let ports = region.operator(Method::GET, "ports", json!({})).await;
    assert_eq!(ports.body["ports"][1]["connection"], ids[0].as_str());
}

#[tokio::test]
async fn a_refused_order_is_rejected_to_one_api_and_deleted_to_the_other() {
    let region = TestRegion::new().await;
    let order = json!({"Location": "PAR1", "Bandwidth": "1Gbps", "DirectLinkName": "x"});
    let made = region.good(&region.owner, "CreateDirectLink", order).await;
    let id = made["DirectLink"]["DirectLinkId"].as_str().unwrap();
    let path = format!("orders/{id}/refuse");
    for (body, code) in [
        (json!({}), "bad_request"),
        (json!({"reason": ""}), "bad_value"),
        (json!({"reason": "no"}), ""),
    ] {
        let answer = region.operator(Method::POST, &path, body).await;
        assert_eq!(answer.body["error"]["code"].as_str().unwrap_or_default(), code);
    }
    let seen = region.operator(Method::GET, "connections", json!({})).await;
    let seen = &seen.body["connections"][0];
    assert_eq!((&seen["state"], &seen["refusal"]), (&json!("rejected"), &json!("no")));
    let orders = region.operator(Method::GET, "orders", json!({})).await;
    assert_eq!(orders.body["orders"], json!([]));
    let read = region.good(&region.owner, "ReadDirectLinks", json!({})).await;
    assert_eq!(read["DirectLinks"][0]["State"], "deleted");
    let described = region.aws(&region.owner, "DescribeConnections", json!({})).await;
    assert_eq!(described.body["connections"][0]["connectionState"], "rejected");
}

#[tokio::test]
async fn a_nic_is_placed_with_all_that_its_host_must_know() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let net = region.good(keys, "CreateNet", json!({"IpRange": "10.0.0.0/16"})).await;
    let subnet = json!({"NetId": net["Net"]["NetId"], "IpRange": "10.0.1.0/24"});
    let subnet = region.good(keys, "CreateSubnet", subnet).await;
    let nic = json!({"SubnetId": subnet["Subnet"]["SubnetId"]});
    let nic = region.good(keys, "CreateNic", nic).await["Nic"].take();
    let place = format!("nics/{}/place", nic["NicId"].as_str().unwrap());
    let placed = region.operator(Method::POST, &place, json!({"vtep": "10.255.0.9"})).await;
    assert_eq!(placed.status, StatusCode::OK, "{}", placed.body);
    for (name, value) in [
        ("address", json!("10.0.1.4")),
        ("gateway_address", json!("10.0.1.1")),
        ("mac", nic["MacAddress"].clone()),
        ("subnet_range", json!("10.0.1.0/24")),
        ("net_range", json!("10.0.0.0/16")),
        ("vtep", json!("10.255.0.9")),
    ] {
        assert_eq!(placed.body[name], value, "{}", placed.body);
    }
    assert!(placed.body["vni"].is_u64());
    let read = region.good(keys, "ReadNics", json!({})).await;
    assert_eq!(read["Nics"][0]["State"], "in-use");
    let forgotten = region.operator(Method::POST, &place, json!({})).await;
    assert_eq!(forgotten.status, StatusCode::BAD_REQUEST, "a place forgotten is not one withdrawn");
    let withdrawn = region.operator(Method::POST, &place, json!({"vtep": null})).await;
    assert_eq!(withdrawn.body["vtep"], Value::Null);
}

#[tokio::test]
async fn sites_accounts_identities_and_the_clock() {
    let region = TestRegion::new().await;
    let post = async |path: &str, body: Value| region.operator(Method::POST, path, body).await;
    let account = json!({"email": "me@example.com", "password": "a good one"});
    let made = post("accounts", account.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(
        (&made.body["login"], &made.body["password"]),
        (&account["email"], &account["password"])
    );
    assert_eq!(made.body["access_key"].as_str().unwrap().len(), 20);
    assert_eq!(made.body["secret_key"].as_str().unwrap().len(), 40);

    let router = json!({"name": "par4-r2", "location": "PAR4", "vtep": "10.255.0.7"});
    let made = post("routers", router).await;
    for name in ["ca_pem", "cert_pem", "key_pem"] {
        assert!(made.body["identity"][name].as_str().unwrap().starts_with("-----BEGIN"), "{name}");
    }
    let renewed = post("routers/par4-r2/identity", json!({})).await;
    assert_ne!(renewed.body["cert_pem"], made.body["identity"]["cert_pem"]);
    for (path, body, status, code) in [
        (
            "locations",
            json!({"code": "PAR1", "name": "Again, France", "subregion": "x"}),
            409,
            "already_exists",
        ),
        (
            "locations",
            json!({"code": "PAR9", "name": "Again, France", "subregion": "eu-west-2a"}),
            409,
            "subregion_has_location",
        ),
        ("locations", json!({"code": "../etc", "name": "x", "subregion": "y"}), 400, "bad_request"),
        (
            "routers",
            json!({"name": "r", "location": "LON9", "vtep": "10.255.0.8"}),
            404,
            "no_such_location",
        ),
        ("ports", json!({"port": "par1-r1/p0", "speed": "1Gbps"}), 409, "already_exists"),
        ("ports", json!({"port": "par1-r1/p7", "speed": "2Gbps"}), 400, "bad_request"),
        ("nics/eni-00000000/place", json!({"vtep": null}), 404, "no_such_nic"),
        ("nothing", json!({}), 404, "no_such_address"),
    ] {
        let answer = post(path, body.clone()).await;
        let got = (answer.status.as_u16(), answer.body["error"]["code"].as_str().unwrap());
        assert_eq!(got, (status, code), "{path} {body}: {}", answer.body);
    }
    let deleted = region.operator(Method::DELETE, "accounts", json!({})).await;
    assert_eq!(deleted.status, StatusCode::METHOD_NOT_ALLOWED);

    let clock = region.operator(Method::GET, "clock", json!({})).await;
    let shows = |clock: &Value, day: &str| clock["now"].as_str().unwrap().starts_with(day);
    assert_eq!(clock.body["virtual"], true);
    assert!(shows(&clock.body, "2026-11-23T12:00:00"), "{}", clock.body);
    let later = post("clock/advance", json!({"seconds": 604_800})).await;
    assert!(shows(&later.body, "2026-11-30T12:00:00"), "{}", later.body);
    let state = region.operator(Method::GET, "state", json!({})).await;
    assert_eq!(
        state.body["region"],
        json!({"name": "eu-west-2", "asn": 50624, "ipv6": "fd44:4c00::/24"})
    );
    assert_eq!(state.body["routers"].as_array().unwrap().len(), 3);
    assert!(!state.body.to_string().contains("PRIVATE KEY"));
}

#[tokio::test]
async fn a_hosted_connection_is_listed_with_its_parent_and_never_waits_for_approval() {
    let region = TestRegion::new().await;
    let (parent, _) = region.plugged(&region.owner).await;
    let share = json!({"connectionId": parent, "ownerAccount": region.guest.account,
        "bandwidth": "50Mbps", "connectionName": "a share", "vlan": 101});
    let made = region.aws(&region.owner, "AllocateHostedConnection", share).await.body;
    let listed = region.operator(Method::GET, "connections", json!({})).await.body;
    let hosted = &listed["connections"][1];
    assert_eq!(hosted["id"], made["connectionId"]);
    let shown = ["state", "bandwidth", "hosted_on", "vlan", "port", "approved_at"];
    let shown: Vec<_> = shown.iter().map(|name| hosted[name].clone()).collect();
    let expected = json!(["ordering", "50Mbps", parent, 101, "par1-r1/p0", null]);
    assert_eq!(json!(shown), expected);
    assert_eq!(listed["connections"][0]["hosted_on"], Value::Null);
    let orders = region.operator(Method::GET, "orders", json!({})).await.body;
    assert_eq!(orders["orders"], json!([]));
}

#[tokio::test]
async fn a_router_is_enrolled_and_revoked_and_its_token_is_shown_once() {
    let region = TestRegion::new().await;
    let post = async |path: &str, body: Value| region.operator(Method::POST, path, body).await;
    let router = json!({
        "name": "par4-r3", "location": "PAR4", "vtep": "10.255.0.8", "identity": false,
    });
    let made = post("routers", router).await;
    assert_eq!((made.status, &made.body["identity"]), (StatusCode::CREATED, &Value::Null));
    let seen = async || {
        let answer = region.operator(Method::GET, "routers", json!({})).await;
        let routers = answer.body["routers"].as_array().cloned().unwrap_or_default();
        let found = routers.into_iter().find(|router| router["name"] == "par4-r3");
        found.unwrap()["certificate"].take()
    };
    let nothing = json!({"issued_at": null, "expires_at": null, "token_until": null});
    assert_eq!(seen().await, nothing);
    let token = post("routers/par4-r3/enrol", json!({"good_for_seconds": 600})).await;
    let text = token.body["token"].as_str().unwrap();
    assert!(text.starts_with("par4-r3.") && text.len() == "par4-r3.".len() + 129, "{text}");
    assert_eq!(seen().await["token_until"], token.body["expires_at"]);
    let cancelled = post("routers/par4-r3/enrol/cancel", json!({})).await;
    assert_eq!((cancelled.status, cancelled.body), (StatusCode::OK, json!({})));
    assert_eq!(seen().await, nothing);
    for (path, body, status, code) in [
        ("routers/par4-r3/enrol", json!({"good_for_seconds": 1}), 400, "bad_value"),
        ("routers/par4-r3/enrol", json!({"good": 1}), 400, "bad_request"),
        ("routers/par9-r9/enrol", json!({}), 404, "no_such_router"),
        ("routers/par9-r9/revoke", json!({}), 404, "no_such_router"),
        ("routers/par4-r3/nothing", json!({}), 404, "no_such_address"),
        ("authorities/00/use", json!({}), 404, "no_such_authority"),
        ("authorities/00/retire", json!({"force": true}), 404, "no_such_authority"),
    ] {
        let answer = post(path, body).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.body);
        assert_eq!(answer.body["error"]["code"], code, "{path}");
    }
    let revoked = post("routers/par4-r3/revoke", json!({})).await;
    assert_eq!(revoked.status, StatusCode::OK, "{}", revoked.body);
}
