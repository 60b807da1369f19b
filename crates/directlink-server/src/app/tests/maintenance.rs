//! Maintenances: what routers are told while one runs, what customers are told, and what is refused.

use super::{failover_tests::port_plan, *};
use crate::store::outbox;
use directlink_model::{
    drain::{AT_MOST_DEFAULT, Phase, QUIET},
    figures::{Tally, Traffic},
    ids::MaintenanceId,
    maintenance::{State, Target, Wish},
    plan::Drain,
};

async fn working() -> (Bench, InterfaceId) {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let (_, gateway) = b.net().await;
    let wanted = interface(connection, Some(gateway));
    let id = b.app.create_interface(&b.alice(), wanted).await.unwrap().interface.id;
    b.say(true, &[id]).await;
    (b, id)
}

fn wish(kind: &str, name: &str) -> Wish {
    let target = Target::read(kind, name).unwrap();
    Wish { target, reason: "line card".into(), from: None, until: None, at_most: AT_MOST_DEFAULT }
}

/// What the router says: so many packets so far, and whether the customer is told of the Net.
async fn hear(b: &Bench, id: InterfaceId, packets: u64, advertised: bool) {
    b.wait(QUIET);
    let from_customer = Tally { packets, bytes: packets };
    let advertised = advertised.then(|| "10.0.0.0/16".parse().unwrap()).into_iter().collect();
    let traffic = Traffic { from_customer, ..Traffic::default() };
    let report = InterfaceReport { traffic, advertised, ..works() };
    b.report(true, [(id, report)].into()).await;
    reconcile::pass(&b.app).await.unwrap();
}

async fn phase(b: &Bench, id: InterfaceId) -> Option<Phase> {
    b.interface(&b.alice(), id).await.unwrap().interface.drain_phase()
}

async fn says(b: &Bench, id: InterfaceId) -> Option<Drain> {
    port_plan(b).await.interfaces[&id].drain
}

#[tokio::test]
async fn the_plan_prepends_then_withdraws_and_returns_in_the_reverse_order() {
    let (b, id) = working().await;
    let before = port_plan(&b).await;
    let begun = b.app.plan_maintenance(wish("router", "par1-r1"), (true, false)).await.unwrap();
    assert_eq!(begun.state, State::Running);
    assert_eq!(
        (says(&b, id).await, phase(&b, id).await),
        (Some(Drain::Prepend), Some(Phase::Moving))
    );
    hear(&b, id, 5, true).await;
    hear(&b, id, 9, true).await;
    assert_eq!(says(&b, id).await, Some(Drain::Prepend), "there is traffic");
    hear(&b, id, 9, true).await;
    assert_eq!(says(&b, id).await, Some(Drain::Withdraw));
    hear(&b, id, 9, true).await;
    assert_eq!(phase(&b, id).await, Some(Phase::Withdrawn), "the router has not withdrawn it yet");
    hear(&b, id, 9, false).await;
    assert_eq!(phase(&b, id).await, Some(Phase::Drained));
    assert_eq!(b.state(id).await, InterfaceState::Available);
    b.app.end_maintenance(begun.maintenance.id).await.unwrap();
    assert_eq!(
        (says(&b, id).await, phase(&b, id).await),
        (Some(Drain::Prepend), Some(Phase::Returning))
    );
    b.wait(QUIET);
    assert_eq!(port_plan(&b).await, before);
    assert_eq!((phase(&b, id).await, reconcile::pass(&b.app).await.unwrap()), (None, None));
    let history = b.app.interface_history(&b.alice(), id).await.unwrap();
    let told: Vec<_> = history.iter().rev().map(|event| event.what.as_str()).collect();
    let drain =
        ["drain moving", "drain withdrawn", "drain drained", "drain returning", "in use again"];
    assert!(told.ends_with(&drain), "{told:?}");
}

#[tokio::test]
async fn each_kind_of_target_drains_what_is_there_and_two_together_end_with_the_last() {
    let (b, id) = working().await;
    let connection = b.interface(&b.alice(), id).await.unwrap().connection.id.to_string();
    let id_text = id.to_string();
    for (kind, name, drains) in [
        ("interface", id_text.as_str(), true),
        ("connection", &connection, true),
        ("router", "par1-r1", true),
        ("location", "PAR1", true),
        ("router", "par4-r1", false),
        ("location", "PAR4", false),
    ] {
        let it = b.app.plan_maintenance(wish(kind, name), (true, false)).await.unwrap();
        assert_eq!(says(&b, id).await.is_some(), drains, "{kind} {name}");
        b.app.end_maintenance(it.maintenance.id).await.unwrap();
        assert_eq!(says(&b, id).await, None, "{kind} {name}");
    }
    let one = b.app.plan_maintenance(wish("router", "par1-r1"), (true, false)).await.unwrap();
    let two = b.app.plan_maintenance(wish("location", "PAR1"), (true, false)).await.unwrap();
    b.app.end_maintenance(one.maintenance.id).await.unwrap();
    assert_eq!(says(&b, id).await, Some(Drain::Prepend));
    b.app.end_maintenance(two.maintenance.id).await.unwrap();
    assert_eq!(says(&b, id).await, None);
}

#[tokio::test]
async fn the_last_way_of_a_net_is_not_drained_unless_it_is_forced() {
    let (b, id) = working().await;
    let outcome = b.app.plan_maintenance(wish("location", "PAR1"), (false, false)).await;
    assert!(outcome.unwrap_err().to_string().contains("the last way from vpc-"));
    let dry = b.app.plan_maintenance(wish("location", "PAR1"), (false, true)).await.unwrap();
    assert!(dry.shades.len() == 1 && dry.shades[0].is_dark);
    assert_eq!((says(&b, id).await, b.app.maintenances().await.unwrap().len()), (None, 0));
    for (kind, name, expected) in [
        ("router", "par9-r1", "NoSuchRouter"),
        ("location", "PAR9", "NoSuchLocation"),
        ("connection", "dxcon-00000000", "NoSuchConnection"),
        ("interface", "dxvif-00000000", "NoSuchInterface"),
        ("router", "par4-r1", "ok"),
    ] {
        let outcome = b.app.plan_maintenance(wish(kind, name), (false, false)).await;
        assert_eq!(fault(outcome), expected, "{kind} {name}");
    }
    let none = MaintenanceId::from_bits(0);
    assert_eq!(fault(b.app.end_maintenance(none).await), "Inventory");
}

/// Kinds of the mails that were put down for Alice, oldest first.
async fn told(b: &Bench) -> Vec<&'static str> {
    crate::mail::put_down(&b.app).await.unwrap();
    let mut db = b.app.parts().store.reader().await.unwrap();
    let mails = outbox::latest(&mut db, 50).await.unwrap().into_iter().rev();
    let of_maintenance =
        |mail: &outbox::Mail| mail.notice.occasion.kind().starts_with("maintenance");
    let mails = mails.map(|(mail, _)| mail).filter(of_maintenance);
    mails
        .inspect(|mail| assert_eq!(mail.notice.to, b.alice))
        .map(|mail| mail.notice.occasion.kind())
        .collect()
}

#[tokio::test]
async fn a_window_begins_and_ends_by_itself_and_its_customers_are_told_each_time_once() {
    let (b, id) = working().await;
    let hours = SignedDuration::from_hours;
    let now = b.app.now();
    let (from, until) = (Some(now + hours(240)), Some(now + hours(242)));
    let window = Wish { from, until, ..wish("location", "PAR1") };
    let planned = b.app.plan_maintenance(window, (true, false)).await.unwrap();
    assert_eq!((planned.state, says(&b, id).await), (State::Planned, None));
    assert_eq!(told(&b).await, ["maintenance planned"]);
    assert_eq!(told(&b).await.len(), 1, "once");
    assert_eq!(reconcile::pass(&b.app).await.unwrap(), from, "the loop comes back for it");
    let seen = b.app.own_maintenances(&b.alice()).await.unwrap();
    assert_eq!((seen.len(), seen[0].shades.len(), seen[0].interfaces.len()), (1, 1, 1));
    assert!(
        b.app.own_maintenances(&b.bob()).await.unwrap().is_empty(),
        "none of another's business"
    );
    b.wait(hours(24 * 7));
    assert_eq!(told(&b).await, ["maintenance planned", "maintenance soon"]);
    b.wait(hours(72));
    assert_eq!(says(&b, id).await, Some(Drain::Prepend));
    assert_eq!(told(&b).await[2..], ["maintenance begun"]);
    b.wait(hours(2));
    assert_eq!(says(&b, id).await, None);
    assert_eq!(told(&b).await[3..], ["maintenance ended"]);
    b.wait(hours(200));
    assert_eq!(told(&b).await.len(), 4);
    let mail = b.app.mails().await.unwrap();
    assert!(mail.iter().all(|view| view.mail.dropped_at.is_none()));
}

#[tokio::test]
async fn a_window_is_moved_and_cancelled_and_its_customers_hear_of_it() {
    let (b, id) = working().await;
    let hours = SignedDuration::from_hours;
    let now = b.app.now();
    let window = Wish {
        from: Some(now + hours(1)),
        until: Some(now + hours(2)),
        ..wish("router", "par1-r1")
    };
    let planned = b.app.plan_maintenance(window, (true, false)).await.unwrap();
    assert_eq!(told(&b).await, ["maintenance planned"]);
    b.wait(SignedDuration::from_mins(1));
    let id_of = planned.maintenance.id;
    b.app.move_maintenance(id_of, Some(now + hours(50)), None).await.unwrap();
    assert_eq!(told(&b).await, ["maintenance planned", "maintenance moved"]);
    b.wait(hours(3));
    assert_eq!(says(&b, id).await, None);
    b.app.cancel_maintenance(id_of).await.unwrap();
    assert_eq!(told(&b).await.last(), Some(&"maintenance cancelled"));
    b.wait(hours(60));
    assert_eq!(says(&b, id).await, None);
    assert_eq!(fault(b.app.end_maintenance(id_of).await), "Inventory");
}
