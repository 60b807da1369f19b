//! Before any action runs: addresses, bodies, who may come in.

use super::*;
use axum::{body::Body, extract::Request};
use base64::{Engine, prelude::BASE64_STANDARD};

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
        ("GET", "/api/v1/ReadNets", None, "", 404, 12000),
        ("GET", "/api/v1/ReadLocations", None, "", 404, 12000),
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
