//! The audit trail: who did what, when, from where, and what came of it.

use super::testing::{Answer, Keys, TestRegion};
use crate::app::AuditWanted;
use axum::{body::Body, extract::ConnectInfo};
use http::{Method, Request, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::net::SocketAddr;

async fn trail(region: &TestRegion, query: &str) -> Vec<Value> {
    let answer = region.operator(Method::GET, &format!("audit?{query}"), json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["audit"].as_array().unwrap().clone()
}

/// Those of a line's fields that name what was done.
fn told(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
    let names = ["actor", "door", "act", "result", "resource", "what"];
    format!("{} {}", names.map(text).join(" "), line["status"])
}

async fn order(region: &TestRegion) -> String {
    let order = json!({"Location": "PAR1", "Bandwidth": "1Gbps", "DirectLinkName": "x"});
    let made = region.good(&region.owner, "CreateDirectLink", order).await;
    made["DirectLink"]["DirectLinkId"].as_str().unwrap().to_owned()
}

async fn approve(region: &TestRegion, id: &str) -> Answer {
    region.operator(Method::POST, &format!("orders/{id}/approve"), json!({})).await
}

#[tokio::test]
async fn each_act_has_its_request_and_each_refusal_a_line_and_what_reads_has_none() {
    let region = TestRegion::new().await;
    let since = region.app.now();
    region.later(1).await;
    let id = order(&region).await;
    region.good(&region.owner, "ReadDirectLinks", json!({})).await;
    region.later(1).await;
    approve(&region, &id).await;
    region.later(1).await;
    assert_eq!(approve(&region, &id).await.status, StatusCode::CONFLICT);
    region.later(1).await;
    let stolen = region.oapi(&region.guest, "DeleteDirectLink", json!({"DirectLinkId": id})).await;
    assert_eq!(stolen.code(), 5072, "{}", stolen.body);
    region.later(1).await;
    region.stranger("state", "a guess").await;
    let (owner, guest) = (&region.owner.account, &region.guest.account);
    let lines = trail(&region, &format!("since={since}")).await;
    let lines: Vec<_> = lines.iter().filter(|l| l["what"] != "clock advanced").map(told).collect();
    let path = format!("/operator/v1/orders/{id}/approve");
    assert_eq!(
        lines,
        [
            format!("{owner} oapi CreateDirectLink done {id} connection ordered 200"),
            format!("operator operator {path} done {id} order approved 200"),
            format!("operator operator {path} refused - - 409"),
            format!("{guest} oapi DeleteDirectLink refused - - {}", stolen.status.as_u16()),
        ]
    );
    let of_guest = trail(&region, &format!("since={since}&account={guest}")).await;
    assert_eq!(of_guest.len(), 1);
    let of_it = trail(&region, &format!("since={since}&resource={id}")).await;
    assert_eq!(of_it.len(), 3, "{of_it:?}");
    let bad = region.operator(Method::GET, "audit?subject=x", json!({})).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_line_says_where_its_request_came_from_and_a_strangers_request_has_none() {
    let region = TestRegion::new().await;
    let from: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    let call = |keys: &Keys| {
        let headers = [("content-type", "application/json")];
        let path = "/api/v1/CreateVirtualGateway";
        let mut request = region.signed(keys, path, &headers, "{}".to_owned());
        request.extensions_mut().insert(ConnectInfo(from));
        request
    };
    let stranger = Keys { secret_key: "a guess".to_owned(), ..region.owner.clone() };
    assert!(region.raw(call(&stranger)).await.status.is_client_error());
    region.raw(call(&region.owner)).await;
    let form = Request::post("/cockpit/sign-in")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("email=nobody%40example.test&password=guess"));
    assert_eq!(region.raw(form.unwrap()).await.status, StatusCode::UNAUTHORIZED);
    let lines = trail(&region, "").await;
    let of_owner: Vec<_> =
        lines.iter().filter(|line| line["actor"] == region.owner.account.as_str()).collect();
    assert_eq!(of_owner.len(), 1, "{of_owner:?}");
    assert_eq!(of_owner[0]["address"], "192.0.2.7");
    assert!(lines.iter().all(|line| line["door"] != "cockpit"));
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_or_a_line_twice() {
    let region = TestRegion::new().await;
    let id = order(&region).await;
    for _ in 0..3 {
        approve(&region, &id).await;
    }
    region.later(1).await;
    approve(&region, &id).await;
    let mut wanted = AuditWanted {
        since: Timestamp::MIN,
        until: Timestamp::MAX,
        after: Default::default(),
        account: None,
        resource: None,
    };
    let whole = region.app.audit(&wanted).await.unwrap();
    assert!(whole.next.is_none());
    let mut ids = Vec::new();
    loop {
        let page = region.app.audit_by(&wanted, 2).await.unwrap();
        ids.extend(page.lines.into_iter().map(|line| line.id));
        let Some((since, after)) = page.next else { break };
        (wanted.since, wanted.after) = (since, after);
    }
    let mut of_whole: Vec<_> = whole.lines.into_iter().map(|line| line.id).collect();
    of_whole.sort();
    ids.sort();
    assert_eq!(ids, of_whole);
}
