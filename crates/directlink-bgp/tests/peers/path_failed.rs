//! BFD found the path dead: the session ends at once, with its reason, and nothing is kept.

use crate::pair::{Pair, Side};
use crate::{customer, router, routes_after, seconds};
use directlink_bgp::{DownReason, Input, Output, State};

#[test]
fn a_failed_path_takes_session_and_routes_down_and_says_why() {
    let mut pair = Pair::up(router(), customer());
    pair.input(Side::A, Input::PathFailed);
    let status = pair.status(Side::A);
    assert_eq!(status.last_down.as_ref().unwrap().1, DownReason::PathFailed);
    assert!(status.state < State::Established);
    assert_eq!((status.routes.received, routes_after(&pair.a.said)), (0, vec![]));
    let kept = |output: &Output| matches!(output, Output::Down { routes_kept: true, .. });
    assert!(!pair.a.said.iter().any(kept), "graceful restart was agreed on, but the path is dead");
    pair.run(seconds(1));
    let Some((_, DownReason::NotificationReceived(what))) = pair.status(Side::B).last_down else {
        panic!("the customer is told")
    };
    assert_eq!(what.to_string(), "Hard Reset: Cease: BFD Down (6/10)");
    assert_eq!(pair.b.accepted(), []);
    pair.run(seconds(60));
    assert!(pair.both_up(), "it comes back without help");
}

#[test]
fn routes_that_were_kept_for_a_restart_go_too() {
    let mut pair = Pair::up(router(), customer());
    pair.replace(Side::B, customer(), true);
    pair.run(std::time::Duration::from_millis(6));
    assert!(pair.status(Side::A).routes.stale > 0, "the customer restarts");
    pair.input(Side::A, Input::PathFailed);
    assert_eq!(pair.status(Side::A).routes.received, 0);
    pair.run(seconds(60));
    assert_eq!(pair.a.accepted().len(), 2);
}

#[test]
fn a_path_that_fails_before_there_is_a_session_changes_nothing() {
    let mut pair = Pair::new(router(), customer());
    pair.input(Side::A, Input::PathFailed);
    assert_eq!(pair.a.said, []);
    pair.start(Side::A);
    pair.start(Side::B);
    pair.run(seconds(5));
    assert!(pair.both_up());
}
