//! The ladder, rung by rung: one injected fault a row, and the first failing rung must name it. A
//! healthy interface fails nowhere.

#![allow(clippy::unwrap_used)] // a test that panics has failed: that is its job

mod faults;
mod fresh;
mod world;

use directlink_model::{
    diagnosis::{Outcome, Step},
    evidence::{Cause, Ending, Lacp, Rise, Stray},
    ids::SubnetId,
    interface::{Confirmation, InterfaceState},
    net::Subnet,
    report::RefusedRoute,
};
use faults::{Break, NET, ROAD, SESSION, notice};
use world::{ago, healthy};

#[test]
fn the_first_failing_rung_names_the_injected_fault() {
    let all = [ROAD, SESSION, NET].concat();
    assert!(all.len() >= 40, "{}", all.len());
    for (fault, inject, step, says) in &all {
        let mut world = healthy();
        inject(&mut world);
        let diagnosis = world.diagnose();
        let first = diagnosis.first_failed().unwrap_or_else(|| panic!("{fault}: nothing fails"));
        assert_eq!(first.step, *step, "{fault}: {}", first.evidence);
        assert!(first.evidence.contains(says), "{fault}: {}", first.evidence);
        assert!(first.remedy.ends_with('.') || first.remedy.contains("osc-cli"), "{fault}");
        assert!(!format!("{diagnosis:?}").contains("s3cret"), "{fault}: a key in a diagnosis");
    }
    let named: std::collections::BTreeSet<_> = all.iter().map(|(_, _, step, _)| *step).collect();
    assert_eq!(named.len(), Step::ALL.len(), "a rung that no fault of the table fails");
}

#[test]
fn a_healthy_interface_fails_nowhere() {
    let stray = Stray { vlan: None, frames: 9, last_at: ago(1) };
    let old = Rise { count: 3, last_at: ago(300) };
    let healths: [(&str, Break); 7] = [
        ("as it is", |_| {}),
        ("just up", |w| {
            w.report.session.established_since = Some(ago(3));
            w.report.learned.clear();
        }),
        ("whose router tells us what we told it", |w| {
            let prefix = "10.0.0.0/16".parse().unwrap();
            let reason = "its AS_PATH holds our own AS number".into();
            w.report.refused.push(RefusedRoute { prefix, reason, is_echo: true });
        }),
        ("without traffic, and without an answer to pings", |w| {
            w.report.evidence.rose_at.clear();
            w.report.evidence.echoes.clear();
            w.report.evidence.stations.clear();
        }),
        ("after faults that are mended", |w| {
            for cause in [Cause::Refused, Cause::NotificationSent(notice(2, 2)), Cause::NoAnswer] {
                w.report.session.evidence.end(Ending {
                    at: ago(601),
                    cause,
                    was_established: false,
                });
            }
        }),
        ("in another's Net", |w| w.behind = None),
        ("without a key", |w| w.interface.key = None),
    ];
    for (name, health) in healths {
        let mut world = healthy();
        world.port.strays = vec![stray.clone()];
        world.port.receive_errors = Some(old);
        world.report.evidence.signatures.wrong = Some(old);
        health(&mut world);
        let diagnosis = world.diagnose();
        assert_eq!(diagnosis.first_failed(), None, "{name}");
        if name == "as it is" {
            let passed = |rung: &directlink_model::diagnosis::Rung| rung.outcome == Outcome::Passed;
            assert!(diagnosis.rungs.iter().all(passed), "{diagnosis:#?}");
        }
    }
}

#[test]
fn nothing_above_a_failed_rung_is_claimed_but_what_the_api_knows() {
    let mut world = healthy();
    world.connection.light = None;
    world.behind().tables[0].propagating.clear();
    let diagnosis = world.diagnose();
    let of = |step: Step| diagnosis.rungs.iter().find(|rung| rung.step == step).unwrap().outcome;
    assert_eq!(diagnosis.rungs.len(), Step::ALL.len());
    assert_eq!(of(Step::Letter), Outcome::Passed);
    assert_eq!(of(Step::Light), Outcome::Failed);
    assert_eq!(of(Step::Session), Outcome::NotReached);
    assert_eq!(of(Step::Gateway), Outcome::Passed);
    assert_eq!(of(Step::Propagation), Outcome::Failed);
}

#[test]
fn each_subnet_is_judged_by_the_table_that_it_goes_by() {
    let mut world = healthy();
    let own = world.second_table();
    world.behind().tables.push(own);
    world.behind().tables[0].propagating.clear();
    let lonely = Subnet {
        id: SubnetId::from_bits(2),
        range: "10.0.2.0/24".parse().unwrap(),
        ..world.behind().subnets[0].clone()
    };
    world.behind().subnets.push(lonely);
    let diagnosis = world.diagnose();
    let rung = diagnosis.rungs.iter().find(|rung| rung.step == Step::Propagation).unwrap();
    assert_eq!(
        (rung.outcome, rung.evidence.as_str()),
        (
            Outcome::Passed,
            "rtb-00000002 takes the routes of vgw-00000001; that of 10.0.2.0/24 does not"
        )
    );
}

#[test]
fn light_tells_of_lacp_on_a_lags_member() {
    let partner = Some("02:00:00:00:00:09".parse().unwrap());
    for (lacp, says) in [
        (None, "light at both ends"),
        (Some(Lacp::default()), "light at both ends; nobody speaks LACP there"),
        (
            Some(Lacp { partner, is_ready: true, is_in_use: true }),
            "light at both ends; LACP: 02:00:00:00:00:09 sends by it",
        ),
        (
            Some(Lacp { partner, is_ready: true, is_in_use: false }),
            "light at both ends; LACP: 02:00:00:00:00:09 has it stand by",
        ),
        (
            Some(Lacp { partner, is_ready: false, is_in_use: false }),
            "light at both ends; LACP: 02:00:00:00:00:09 has it in no bundle yet",
        ),
    ] {
        let mut world = healthy();
        world.port.lacp = lacp;
        let diagnosis = world.diagnose();
        let rung = diagnosis.rungs.iter().find(|rung| rung.step == Step::Light).unwrap();
        assert_eq!((rung.outcome, rung.evidence.as_str()), (Outcome::Passed, says));
    }
}

#[test]
fn an_interface_that_waits_is_in_a_state_that_no_router_carries() {
    let mut world = healthy();
    world.interface.confirmation = Confirmation::AwaitedUntil(ago(-9));
    assert_eq!(world.interface.state(true, ago(0)), InterfaceState::Confirming);
    assert_eq!(world.diagnose().first_failed().unwrap().step, Step::Acceptance);
}
