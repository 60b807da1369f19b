//! Failover tests: what the router is told, and when the loop looks again.

use super::*;
use directlink_model::{
    failover::TestStatus,
    plan::{Document, PortPlan},
};

pub(super) async fn port_plan(b: &Bench) -> PortPlan {
    reconcile::pass(&b.app).await.unwrap();
    let mut db = b.app.parts().store.begin().await.unwrap();
    let (router, scope) = ("par1-r1".parse().unwrap(), Scope::Port("p0".parse().unwrap()));
    let stored = plans::stored(&mut db, &router, &scope).await.unwrap().unwrap();
    match serde_json::from_str(&stored.document).unwrap() {
        Document::Port(plan) => plan,
        Document::Net(_) => panic!("a Net's document"),
    }
}

async fn working() -> (Bench, InterfaceId) {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let (_, gateway) = b.net().await;
    let wanted = interface(connection, Some(gateway));
    let id = b.app.create_interface(&b.alice(), wanted).await.unwrap().interface.id;
    b.say(true, &[id]).await;
    (b, id)
}

fn start(interface: InterfaceId, minutes: i64) -> StartFailoverTest {
    StartFailoverTest { interface, peers: vec![], minutes: Some(minutes) }
}

#[tokio::test]
async fn the_plan_shuts_the_session_for_the_test_and_lets_it_in_again_when_time_is_over() {
    let (b, id) = working().await;
    let before = port_plan(&b).await;
    let test = b.app.start_failover_test(&b.alice(), start(id, 10)).await.unwrap();
    let plan = port_plan(&b).await;
    let words = plan.interfaces[&id].shutdown.as_ref().unwrap();
    assert!(words.contains("failover test") && words.contains(&id.to_string()), "{words}");
    let deadline = reconcile::pass(&b.app).await.unwrap();
    assert_eq!(deadline, Some(test.until()), "the loop comes back for it");
    b.wait(SignedDuration::from_mins(10));
    assert_eq!(port_plan(&b).await, before);
    assert_eq!(reconcile::pass(&b.app).await.unwrap(), None, "stamped: nothing more to wait for");
    let history = b.app.failover_tests(&b.alice()).await.unwrap();
    assert_eq!(history[0].ended.unwrap().at, test.until());
    assert_eq!(history[0].status(test.started_at), TestStatus::Completed, "the clock stepped back");
}

#[tokio::test]
async fn stopping_and_deleting_end_a_test_early() {
    let (b, id) = working().await;
    b.app.start_failover_test(&b.alice(), start(id, 10)).await.unwrap();
    b.app.stop_failover_test(&b.alice(), id).await.unwrap();
    assert_eq!(port_plan(&b).await.interfaces[&id].shutdown, None);
    b.app.start_failover_test(&b.alice(), start(id, 10)).await.unwrap();
    b.app.delete_interface(&b.alice(), id).await.unwrap();
    assert!(port_plan(&b).await.interfaces.is_empty());
    let tests = b.app.failover_tests(&b.alice()).await.unwrap();
    let status = |test: &directlink_model::failover::FailoverTest| test.status(b.alice().now);
    assert!(tests.iter().map(status).eq([TestStatus::Cancelled; 2]), "{tests:?}");
    assert_eq!(reconcile::pass(&b.app).await.unwrap(), None);
}

#[tokio::test]
async fn a_test_that_nobody_saw_end_does_not_stop_the_next() {
    let (b, id) = working().await;
    b.app.start_failover_test(&b.alice(), start(id, 1)).await.unwrap();
    b.wait(SignedDuration::from_mins(1));
    // No loop has run.
    b.app.start_failover_test(&b.alice(), start(id, 1)).await.unwrap();
    let statuses = b.app.failover_tests(&b.alice()).await.unwrap();
    let now = b.alice().now;
    let statuses: Vec<_> = statuses.iter().map(|test| test.status(now)).collect();
    assert_eq!(statuses, [TestStatus::Completed, TestStatus::InProgress]);
}
