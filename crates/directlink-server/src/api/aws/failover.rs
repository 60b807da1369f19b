//! Failover tests of a virtual interface.

use super::{
    Call, Outcome,
    members::Members,
    paging::{Page, position, with_next},
    refusal::Failure,
};
use directlink_model::{
    command::StartFailoverTest,
    failover::{FailoverTest, TestStatus},
    ids::{BgpPeerId, FailoverTestId, InterfaceId},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VirtualInterfaceTest {
    bgp_peers: Vec<BgpPeerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    owner_account: String,
    start_time: i64,
    status: &'static str,
    test_duration_in_minutes: u16,
    test_id: FailoverTestId,
    virtual_interface_id: InterfaceId,
}

impl VirtualInterfaceTest {
    fn new(test: &FailoverTest, now: Timestamp) -> Self {
        Self {
            bgp_peers: test.peers.iter().copied().collect(),
            end_time: test.ended_at(now).map(Timestamp::as_second),
            owner_account: test.owner.to_string(),
            start_time: test.started_at.as_second(),
            status: status(test.status(now)),
            test_duration_in_minutes: test.minutes,
            test_id: test.id,
            virtual_interface_id: test.interface,
        }
    }
}

const fn status(status: TestStatus) -> &'static str {
    match status {
        TestStatus::InProgress => "In progress",
        TestStatus::Completed => "Completed",
        TestStatus::Cancelled => "Cancelled",
    }
}

pub(super) async fn start(call: Call<'_>) -> Outcome {
    let command = StartFailoverTest {
        interface: call.given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?,
        peers: peers(&call.given)?,
        minutes: call.given.integer("testDurationInMinutes")?,
    };
    let test = call.app.start_failover_test(&call.context, command).await?;
    Ok(json!({ "virtualInterfaceTest": VirtualInterfaceTest::new(&test, call.context.now) }))
}

pub(super) async fn stop(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?;
    let test = call.app.stop_failover_test(&call.context, id).await?;
    Ok(json!({ "virtualInterfaceTest": VirtualInterfaceTest::new(&test, call.context.now) }))
}

pub(super) async fn history(call: Call<'_>) -> Outcome {
    let (given, now) = (&call.given, call.context.now);
    let page = Page::asked(given)?;
    let id = given.text("testId")?;
    let interface: Option<InterfaceId> = given.id("virtualInterfaceId", InterfaceId::PREFIX)?;
    let (peers, wanted) = (peers(given)?, given.text("status")?);
    let is_asked_for = |test: &FailoverTest| {
        id.is_none_or(|id| test.id.to_string() == id)
            && interface.is_none_or(|id| test.interface == id)
            && (peers.is_empty() || peers.iter().any(|peer| test.peers.contains(peer)))
            && wanted.is_none_or(|word| status(test.status(now)).eq_ignore_ascii_case(word))
    };
    let mut tests = call.app.failover_tests(&call.context).await?;
    tests.retain(is_asked_for);
    let (tests, next) = page.of(tests, |test| position(test.started_at, test.id));
    let list: Vec<_> = tests.iter().map(|test| VirtualInterfaceTest::new(test, now)).collect();
    Ok(with_next(json!({ "virtualInterfaceTestHistory": list }), next))
}

fn peers(given: &Members<'_>) -> Result<Vec<BgpPeerId>, Failure> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            Failure::client(format!("Invalid ID received: {text}. Expected format: dxpeer-"))
        })
    };
    given.texts("bgpPeers")?.into_iter().map(parse).collect()
}
