//! Actions of ours, beside the published ones.

use super::*;

/// Status, code of the refusal, and the body.
async fn ours(region: &TestRegion, keys: &Keys, action: &str, id: &str) -> (u16, String, Value) {
    let body = json!({ "DirectLinkInterfaceId": id }).to_string();
    send(region, keys, action, body).await
}

async fn send(
    region: &TestRegion,
    keys: &Keys,
    action: &str,
    body: String,
) -> (u16, String, Value) {
    let headers = [("content-type", "application/json")];
    let path = format!("/directlink/v1/{action}");
    let Answer { status, body, .. } = region.raw(region.signed(keys, &path, &headers, body)).await;
    let code = body["Errors"][0]["Code"].as_str().unwrap_or_default().to_owned();
    (status.as_u16(), code, body)
}

#[tokio::test]
async fn a_diagnosis_is_for_whoever_may_read_the_interface_and_shows_no_key() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (_, _, gateway) = place(&region, keys).await;
    let (connection, port) = region.plugged(keys).await;
    let made =
        region.good(keys, "CreateDirectLinkInterface", interface(&connection, &gateway, 101)).await;
    let id = made["DirectLinkInterface"]["DirectLinkInterfaceId"].as_str().unwrap();
    region.report(&port, true, &[(id, "192.168.7.0/24")]).await;

    let action = "DiagnoseDirectLinkInterface";
    let (status, _, body) = ours(&region, keys, action, id).await;
    let told = &body["Diagnosis"];
    assert_eq!((status, told["DirectLinkInterfaceId"].as_str()), (200, Some(id)));
    assert_eq!(told["Rungs"].as_array().unwrap().len(), 24);
    let first = &told["FirstFailed"];
    assert_eq!((&first["Step"], &first["Outcome"]), (&json!("propagation"), &json!("failed")));
    assert!(first["Remedy"].as_str().unwrap().contains(&gateway), "{first}");
    assert!(!body.to_string().contains("tgyn26example"), "a key");

    let (status, _, seen) = {
        let answer =
            region.operator(Method::GET, &format!("interfaces/{id}/diagnosis"), json!({})).await;
        (answer.status.as_u16(), (), answer.body)
    };
    assert_eq!((status, &seen["diagnosis"]["first_failed"]["step"]), (200, &json!("propagation")));
    assert!(!seen.to_string().contains("tgyn26example"), "a key");
    let none = region.operator(Method::GET, "interfaces/dxvif-00000000/diagnosis", json!({})).await;
    assert_eq!(none.status.as_u16(), 404);

    let absent = ours(&region, &region.guest, action, "dxvif-00000000").await;
    let foreign = ours(&region, &region.guest, action, id).await;
    assert_eq!((foreign.0, &foreign.1), (absent.0, &absent.1), "{foreign:?}");
    assert!(foreign.0 >= 400 && !foreign.2.to_string().contains("propagation"), "{foreign:?}");
    for (action, id, code) in [
        (action, "vgw-00000000", "4104"),
        ("ReadNets", id, "12000"),
        ("DiagnoseEverything", id, "12000"),
    ] {
        assert_eq!(ours(&region, keys, action, id).await.1, code, "{action} {id}");
    }
    let published = region.oapi(keys, action, json!({ "DirectLinkInterfaceId": id })).await;
    assert_eq!(published.status.as_u16(), 404, "not a published action");
}

#[tokio::test]
async fn an_order_takes_along_how_the_network_comes_there() {
    let region = TestRegion::new().await;
    let order = |more: Value| {
        let mut order =
            json!({ "Location": "PAR1", "Bandwidth": "1Gbps", "DirectLinkName": "told" });
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        order.to_string()
    };
    let by_fibre = json!({ "Reach": "fibre", "NetworkProvider": "Fibres & Co" });
    let mut dry = by_fibre.clone();
    dry["DryRun"] = true.into();
    for (more, status) in [
        (dry, 200),
        (by_fibre, 200),
        (json!({}), 200),
        (json!({ "Reach": "swimming" }), 400),
        (json!({ "Reach": "router", "NetworkProvider": "Fibres & Co" }), 400),
        (json!({ "HostsEquipment": "yes" }), 400),
        (json!({ "Colour": "red" }), 400),
    ] {
        let seen = send(&region, &region.owner, "OrderDirectLink", order(more.clone())).await;
        assert_eq!(seen.0, status, "{more} {seen:?}");
    }
    let orders = region.operator(Method::GET, "orders", json!({})).await.body;
    let told: Vec<_> =
        orders["orders"].as_array().unwrap().iter().map(|o| &o["provider"]).collect();
    assert_eq!(told, [&json!("Fibres & Co"), &Value::Null], "a dry run is no order");
}

#[tokio::test]
async fn a_connections_diagnosis_is_its_fibre_and_the_first_failing_rung_of_each_interface() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (_, _, gateway) = place(&region, keys).await;
    let (connection, port) = region.plugged(keys).await;
    let wish = interface(&connection, &gateway, 101);
    let made = region.good(keys, "CreateDirectLinkInterface", wish).await;
    let id = made["DirectLinkInterface"]["DirectLinkInterfaceId"].as_str().unwrap();
    let ask = |keys| {
        let body = json!({ "DirectLinkId": connection }).to_string();
        send(&region, keys, "DiagnoseDirectLink", body)
    };
    let (status, _, body) = ask(keys).await;
    let told = &body["Diagnosis"];
    assert_eq!((status, &told["DirectLinkId"]), (200, &json!(connection)));
    let steps: Vec<_> = told["Rungs"].as_array().unwrap().iter().map(|it| &it["Step"]).collect();
    assert_eq!(steps, ["order", "letter", "light", "port-errors", "router"]);
    let on_it = &told["DirectLinkInterfaces"];
    assert_eq!(on_it[0]["DirectLinkInterfaceId"], id);
    assert_eq!((&on_it[0]["Vlan"], &on_it[0]["State"]), (&json!(101), &json!("pending")));
    assert_eq!(on_it[0]["FirstFailed"]["Outcome"], "failed");
    assert!(!body.to_string().contains("tgyn26example"), "a key");

    region.report(&port, true, &[(id, "192.168.7.0/24")]).await;
    let path = format!("connections/{connection}/diagnosis");
    let seen = region.operator(Method::GET, &path, json!({})).await.body;
    let (first, carried) = (&seen["diagnosis"]["first_failed"], &seen["diagnosis"]["interfaces"]);
    assert_eq!((first, &carried[0]["state"]), (&Value::Null, &json!("available")), "{seen}");
    assert_eq!(carried[0]["first_failed"]["step"], "propagation");

    let (status, code, foreign) = ask(&region.guest).await;
    assert!(status >= 400 && code == "5072", "{status} {code} {foreign}");
}

#[tokio::test]
async fn an_account_adds_reads_and_removes_webhooks_of_its_own_and_no_others() {
    let region = TestRegion::new().await;
    let (keys, guest) = (&region.owner, &region.guest);
    let call = async |keys: &Keys, action: &str, body: Value| {
        send(&region, keys, action, body.to_string()).await
    };
    let url = "https://hooks.example.com/dl";
    let dry = json!({ "Url": url, "DryRun": true });
    assert_eq!(call(keys, "CreateWebhook", dry).await.0, 200);
    let (_, _, none) = call(keys, "ReadWebhooks", json!({})).await;
    assert_eq!(none["Webhooks"], json!([]), "a dry run adds none");
    let (status, _, made) = call(keys, "CreateWebhook", json!({ "Url": url })).await;
    let webhook = &made["Webhook"];
    assert_eq!((status, &webhook["Url"]), (200, &json!(url)));
    assert!(webhook["Secret"].as_str().unwrap().starts_with("whsec_"));
    let (_, _, read) = call(keys, "ReadWebhooks", json!({})).await;
    assert_eq!(read["Webhooks"][0]["WebhookId"], webhook["WebhookId"]);
    assert!(!read.to_string().contains("whsec_"), "its secret is not shown again");
    let id = json!({ "WebhookId": webhook["WebhookId"] });
    for (who, action, expected) in [
        (keys, "ReadWebhookMessages", 200),
        (guest, "ReadWebhookMessages", 400),
        (guest, "DeleteWebhook", 400),
        (keys, "DeleteWebhook", 200),
        (keys, "DeleteWebhook", 400),
    ] {
        assert_eq!(call(who, action, id.clone()).await.0, expected, "{action}");
    }
    let (status, code, _) = call(keys, "CreateWebhook", json!({ "Url": "ftp://nowhere/" })).await;
    assert_eq!((status, code.as_str()), (400, "4047"), "no HTTP");
}
