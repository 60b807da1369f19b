//! Too many calls: who is refused, in which words, and who is not.

use super::testing::{Answer, Keys, TestRegion};
use crate::{config::Doors, throttle::Limit};
use axum::{body::Body, extract::Request};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::StatusCode;
use serde_json::json;

/// Three calls, and in an hour the next: however slow the machine, a test is over before.
fn slow() -> Limit {
    "1/h:3".parse().unwrap()
}

async fn region(account_rate: Limit, address_rate: Limit) -> TestRegion {
    TestRegion::with(Doors { account_rate, address_rate, ..Doors::default() }).await
}

fn open_call() -> Request<Body> {
    Request::post("/api/v1/ReadRegions").body(Body::empty()).unwrap()
}

fn status(answer: &Answer) -> u16 {
    answer.status.as_u16()
}

#[tokio::test]
async fn an_account_that_calls_too_fast_is_told_so_in_each_dialects_words() {
    let region = region(slow(), Limit::Off).await;
    for _ in 0..3 {
        assert_eq!(region.oapi(&region.owner, "ReadNets", json!({})).await.code(), 0);
    }
    let oapi = region.oapi(&region.owner, "ReadNets", json!({})).await;
    assert_eq!((oapi.status, oapi.code()), (StatusCode::SERVICE_UNAVAILABLE, 2001));
    assert_eq!(oapi.body["Errors"][0]["Type"], "RequestLimitExceeded");
    let aws = region.aws(&region.owner, "DescribeLocations", json!({})).await;
    assert_eq!(aws.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(aws.refusal(), ("ThrottlingException", "Rate exceeded"));
    assert_eq!(aws.headers["x-amzn-errortype"], "ThrottlingException");
    for answer in [oapi, aws] {
        let seconds: u32 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((3000..=3600).contains(&seconds), "{seconds}");
    }
    assert_eq!(region.oapi(&region.guest, "ReadNets", json!({})).await.code(), 0, "another's");
}

#[tokio::test]
async fn wrong_signatures_and_open_calls_use_up_an_address_and_proven_ones_do_not() {
    let region = region(Limit::Off, slow()).await;
    let unknown = Keys { access_key: "A".repeat(20), ..region.owner.clone() };
    for _ in 0..5 {
        assert_eq!(status(&region.oapi(&region.owner, "ReadNets", json!({})).await), 200);
    }
    assert_eq!(status(&region.oapi(&unknown, "ReadNets", json!({})).await), 401);
    assert_eq!(status(&region.aws(&unknown, "DescribeLocations", json!({})).await), 401);
    assert_eq!(status(&region.raw(open_call()).await), 200);
    for answer in [
        region.raw(open_call()).await,
        region.oapi(&unknown, "ReadNets", json!({})).await,
        region.aws(&unknown, "DescribeLocations", json!({})).await,
        region.oapi(&region.owner, "ReadNets", json!({})).await,
    ] {
        assert_eq!(status(&answer), 503, "{}", answer.body);
    }
}

#[tokio::test]
async fn passwords_cannot_be_tried_fast_whatever_the_login() {
    let region = region(Limit::Off, slow()).await;
    let date = region.app.machine_now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut statuses = vec![];
    for n in 0..5 {
        let login = BASE64_STANDARD.encode(format!("somebody-{n}@example.com:guess"));
        let request = Request::post("/api/v1/ReadAccessKeys")
            .header("authorization", format!("Basic {login}"))
            .header("x-osc-date", &date)
            .body(Body::empty());
        statuses.push(status(&region.raw(request.unwrap()).await));
    }
    assert_eq!(statuses, [401, 401, 401, 503, 503]);
}
