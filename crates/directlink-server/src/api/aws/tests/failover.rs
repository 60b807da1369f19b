//! Failover tests, over the API.

use super::{looking_glass::interface, *};

#[tokio::test]
async fn a_failover_test_shows_testing_here_and_pending_there_and_then_history() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (id, port) = interface(&region, keys).await;
    let vif = json!({"virtualInterfaceId": id});
    let refused = region.aws(keys, "StartBgpFailoverTest", vif.clone()).await;
    assert!(refused.refusal().1.contains("is not in valid state"), "{}", refused.body);
    region.report(&port, true, &[(&id, "192.168.7.0/24")]).await;
    let states = async || {
        let seen = good(&region, keys, "DescribeVirtualInterfaces", vif.clone()).await;
        let there = region.good(keys, "ReadDirectLinkInterfaces", json!({})).await;
        let here = seen["virtualInterfaces"][0]["virtualInterfaceState"].clone();
        (here, there["DirectLinkInterfaces"][0]["State"].clone())
    };
    assert_eq!(states().await, (json!("available"), json!("available")));
    let peer = format!("dxpeer-{}", id.strip_prefix("dxvif-").unwrap());
    let start = json!({"virtualInterfaceId": id, "bgpPeers": [peer], "testDurationInMinutes": 10});
    let test =
        good(&region, keys, "StartBgpFailoverTest", start).await["virtualInterfaceTest"].take();
    assert_eq!(test["status"], "In progress");
    assert_eq!(test["startTime"], region.app.now().as_second());
    assert_eq!((&test["bgpPeers"][0], test.get("endTime")), (&json!(peer), None));
    assert_eq!(states().await, (json!("testing"), json!("pending")));
    let again = region.aws(keys, "StartBgpFailoverTest", vif.clone()).await;
    assert!(again.refusal().1.contains("is testing"), "{}", again.body);
    region.later(60).await;
    let stopped = good(&region, keys, "StopBgpFailoverTest", vif.clone()).await;
    assert_eq!(stopped["virtualInterfaceTest"]["status"], "Cancelled");
    assert_eq!(states().await.0, "available");

    let start = json!({"virtualInterfaceId": id, "testDurationInMinutes": 1});
    good(&region, keys, "StartBgpFailoverTest", start).await;
    region.later(60).await;
    assert_eq!(states().await.0, "available", "although no loop ran");
    let late = region.aws(keys, "StopBgpFailoverTest", vif.clone()).await;
    assert!(late.refusal().1.starts_with("No failover test is running"), "{}", late.body);
    let history = async |filter: Value| -> Vec<String> {
        let seen = good(&region, keys, "ListVirtualInterfaceTestHistory", filter).await;
        let list = seen["virtualInterfaceTestHistory"].as_array().unwrap();
        list.iter().map(|test| test["status"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(history(json!({})).await, ["Cancelled", "Completed"]);
    assert_eq!(history(json!({"status": "completed"})).await, ["Completed"]);
    assert_eq!(history(json!({"testId": test["testId"]})).await, ["Cancelled"]);
    assert_eq!(history(json!({"bgpPeers": [peer], "maxResults": 1})).await, ["Cancelled"]);
    assert!(history(json!({"virtualInterfaceId": "dxvif-00000000"})).await.is_empty());
    region.later(366 * 24 * 3600).await;
    assert!(history(json!({})).await.is_empty(), "a year is kept");
}

#[tokio::test]
async fn only_the_owner_tests_and_only_its_own_peers() {
    let region = TestRegion::new().await;
    let keys = &region.owner;
    let (id, port) = interface(&region, keys).await;
    region.report(&port, true, &[(&id, "192.168.7.0/24")]).await;
    let start = |member: &str, value: Value| {
        let mut body = json!({"virtualInterfaceId": id});
        body[member] = value;
        body
    };
    for (keys, body, text) in [
        (&region.guest, start("bgpPeers", json!([])), "does not exist"),
        (keys, start("bgpPeers", json!(["dxpeer-00000000"])), "does not exist"),
        (keys, start("bgpPeers", json!(["x"])), "Expected format: dxpeer-"),
        (keys, start("testDurationInMinutes", json!(0)), "1 to 4320"),
        (keys, start("testDurationInMinutes", json!(4321)), "1 to 4320"),
    ] {
        let answer = region.aws(keys, "StartBgpFailoverTest", body.clone()).await;
        assert!(answer.refusal().1.contains(text), "{body}: {}", answer.body);
    }
}
