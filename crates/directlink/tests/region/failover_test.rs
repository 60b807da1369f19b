//! A failover test as a customer makes it with the AWS CLI, on two locations and under a flow of a
//! thousand packets a second: traffic moves, comes back, and the history says so.

use crate::{drains::Road, peers::aws};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;

/// Shutting a session is no drain: what was on its way is lost.
const LIMIT: Duration = Duration::from_secs(1);

/// Status and minutes of each test of the interface, the latest last.
fn history(road: &Road, interface: &str) -> Result<Vec<(String, Value)>> {
    let input = json!({ "virtualInterfaceId": interface });
    let told = aws(&road.region, "list-virtual-interface-test-history", &input)?;
    let tests = told["virtualInterfaceTestHistory"].as_array().cloned().unwrap_or_default();
    let status = |test: &Value| test["status"].as_str().unwrap_or_default().to_uppercase();
    Ok(tests.iter().map(|test| (status(test), test["testDurationInMinutes"].clone())).collect())
}

#[test]
fn traffic_moves_for_a_failover_test_comes_back_and_the_history_says_so() -> Result<()> {
    let road = Road::new(true, &["--clock", "virtual"])?;
    let [leg0, leg1] = [0, 1].map(|n: usize| &road.customer.interfaces[n]);
    let stream = road.stream()?;
    road.await_flow_on("leg0", &stream)?;
    ensure!(history(&road, &leg0.id)?.is_empty());

    // To its end.
    let input = json!({ "virtualInterfaceId": leg0.id, "testDurationInMinutes": 10 });
    aws(&road.region, "start-bgp-failover-test", &input)?;
    road.await_flow_on("leg1", &stream)?;
    road.region.await_interface(0, leg1, "available")?;
    road.customer.bird.await_sessions(1)?;
    let told = history(&road, &leg0.id)?;
    ensure!(told == [("IN PROGRESS".to_owned(), json!(10))], "{told:?}");
    road.operator(&["clock", "advance", "10m"])?;
    road.await_flow_on("leg0", &stream)?;
    road.customer.await_both(&road.region)?;
    let told = history(&road, &leg0.id)?;
    ensure!(told == [("COMPLETED".to_owned(), json!(10))], "{told:?}");

    // Stopped.
    aws(&road.region, "start-bgp-failover-test", &input)?;
    road.await_flow_on("leg1", &stream)?;
    aws(&road.region, "stop-bgp-failover-test", &json!({ "virtualInterfaceId": leg0.id }))?;
    road.await_flow_on("leg0", &stream)?;
    let mut told: Vec<_> =
        history(&road, &leg0.id)?.into_iter().map(|(status, _)| status).collect();
    told.sort_unstable();
    ensure!(told == ["CANCELLED", "COMPLETED"], "{told:?}");
    ensure!(history(&road, &leg1.id)?.is_empty(), "none of the other's");

    for (direction, heard) in ["to the office", "to the host"].iter().zip(stream.finish(1)?) {
        let gap = heard.longest_gap();
        eprintln!("{direction}: {} of {} lost, longest gap {gap:?}", heard.lost(), heard.sent);
        ensure!(gap < LIMIT, "{direction}: nothing for {gap:?}");
    }
    Ok(())
}
