//! A page's middle, followed.

use super::*;
use axum::body::BodyDataStream;
use futures::StreamExt;
use std::time::Duration;
use tokio::time::timeout;

async fn stream(browser: &Browser, path: &str) -> BodyDataStream {
    let request = Request::get(path).header("cookie", &browser.cookie).body(Body::empty()).unwrap();
    let response = browser.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    response.into_body().into_data_stream()
}

/// The next event, or `None` at the end of the stream.
async fn next(stream: &mut BodyDataStream) -> Option<String> {
    let soon = timeout(Duration::from_secs(10), stream.next()).await.expect("an event in time");
    soon.map(|bytes| String::from_utf8(bytes.unwrap().into()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_sends_the_middle_and_again_as_it_changes() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    let alice = Browser::of(&b, b.alice).await;
    let mut stream = stream(&alice, &format!("/cockpit/connections/{id}/live")).await;
    let first = next(&mut stream).await.unwrap();
    assert!(first.starts_with("data: ") && first.contains("requested"), "{first}");
    let approve = directlink_model::command::ApproveOrder { connection: id, port: None };
    b.app.approve_order(approve).await.unwrap();
    assert!(next(&mut stream).await.unwrap().contains("order approved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_session_and_says_so() {
    let b = Bench::new().await;
    let alice = Browser::of(&b, b.alice).await;
    let mut stream = stream(&alice, "/cockpit/live").await;
    next(&mut stream).await.unwrap();
    alice.post("/cockpit/sign-out", &[]).await;
    assert!(next(&mut stream).await.unwrap().contains("Your session has ended"));
    assert_eq!(next(&mut stream).await.as_deref(), Some("event: end\ndata: end\n\n"));
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_the_server_stops() {
    let b = Bench::new().await;
    let operator = Browser::operator(&b).await;
    let mut stream = stream(&operator, "/cockpit/routers/live").await;
    assert!(next(&mut stream).await.unwrap().contains("par1-r1"));
    b.app.parts().stop.send_replace(true);
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_another_accounts_is_told_in_no_stream() {
    let b = Bench::new().await;
    let Things { connection, interface, .. } = things(&b).await;
    let bob = Browser::of(&b, b.bob).await;
    for path in [
        format!("/cockpit/connections/{connection}/live"),
        format!("/cockpit/interfaces/{interface}/live"),
    ] {
        let mut stream = stream(&bob, &path).await;
        let said = next(&mut stream).await.unwrap();
        assert!(said.contains("not there") && !said.contains("to the cloud"), "{said}");
        assert!(next(&mut stream).await.unwrap().starts_with("event: end"));
        assert_eq!(next(&mut stream).await, None);
    }
}
