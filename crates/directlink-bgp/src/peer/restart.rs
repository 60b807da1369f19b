//! Which ends of a session leave the peer's routes in place for a while (RFC 4724, RFC 8538).

use super::{DownReason, Negotiated};
use crate::Family;
use std::time::Duration;

/// How long the routes of `family` stay after `reason`; `None` if they go at once.
///
/// `agreed` is what the ended session had negotiated; the caller has seen to it that we offered
/// graceful restart ourselves.
pub(super) fn keeps_routes(
    reason: &DownReason,
    agreed: &Negotiated,
    family: Family,
) -> Option<Duration> {
    let restart = agreed.graceful_restart.as_ref()?;
    let offered = restart.families.iter().any(|(offered, _)| *offered == family);
    let survives = match reason {
        DownReason::Closed(_) | DownReason::Superseded => true,
        // RFC 8538 §4.1: with the N bit, these are like a lost connection.
        DownReason::HoldTimerExpired
        | DownReason::NotificationSent(_)
        | DownReason::SendHoldTimerExpired => restart.notification,
        DownReason::NotificationReceived(what) => restart.notification && !what.is_hard_reset(),
        // A dead path carries no packets, whatever the routers at its ends could forward.
        DownReason::PathFailed
        | DownReason::Collision
        | DownReason::ConfigurationChanged
        | DownReason::ConnectFailed(_)
        | DownReason::MaximumPrefixes { .. }
        | DownReason::Stopped(_) => false,
    };
    let time = Duration::from_secs(restart.restart_time_seconds.into());
    (offered && survives && !time.is_zero()).then_some(time)
}

/// Whether stale routes may stay now that the peer is back: it must say again that it forwarded
/// through its restart (RFC 4724 §4.2).
pub(super) fn still_good(agreed: &Negotiated, family: Family) -> bool {
    agreed.graceful_restart.as_ref().is_some_and(|gr| gr.families.contains(&(family, true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Notification, Stop, peer::PeerRestart};

    const FAMILY: Family = Family::Ipv4Unicast;

    fn agreed(restart: Option<PeerRestart>) -> Negotiated {
        Negotiated {
            peer_asn: 65000u32.try_into().unwrap(),
            peer_router_id: [10, 0, 0, 1].into(),
            hold_time_seconds: 90,
            keepalive_seconds: 30,
            families: vec![FAMILY],
            four_octet_as: true,
            route_refresh: true,
            enhanced_route_refresh: true,
            extended_message: true,
            graceful_restart: restart,
            capabilities: std::sync::Arc::default(),
        }
    }

    fn restart(notification: bool) -> PeerRestart {
        PeerRestart {
            restart_time_seconds: 120,
            restarting: false,
            notification,
            families: vec![(FAMILY, true)],
        }
    }

    #[test]
    fn each_end_keeps_or_drops_routes_by_what_was_agreed() {
        let cease = Notification::administrative_shutdown("");
        let (with, without) = (agreed(Some(restart(true))), agreed(Some(restart(false))));
        let table = [
            // reason, kept with the N bit, without
            (DownReason::Closed("reset".into()), true, true),
            (DownReason::Superseded, true, true),
            (DownReason::HoldTimerExpired, true, false),
            (DownReason::SendHoldTimerExpired, true, false),
            (DownReason::NotificationSent(cease.clone()), true, false),
            (DownReason::NotificationReceived(cease.clone()), true, false),
            (DownReason::NotificationReceived(cease.as_hard_reset()), false, false),
            (DownReason::MaximumPrefixes { family: FAMILY, max: 100 }, false, false),
            (DownReason::ConfigurationChanged, false, false),
            (DownReason::PathFailed, false, false),
            (DownReason::Stopped(Stop::Deleted), false, false),
            (DownReason::Stopped(Stop::Shutdown(String::new())), false, false),
        ];
        for (reason, n_bit, no_n_bit) in table {
            assert_eq!(keeps_routes(&reason, &with, FAMILY).is_some(), n_bit, "N: {reason}");
            assert_eq!(keeps_routes(&reason, &without, FAMILY).is_some(), no_n_bit, "{reason}");
            assert_eq!(keeps_routes(&reason, &agreed(None), FAMILY), None, "no GR: {reason}");
        }
    }

    #[test]
    fn a_family_that_was_not_offered_or_has_no_time_is_not_kept() {
        let closed = DownReason::Closed(String::new());
        let helper_only = PeerRestart { families: vec![], ..restart(true) };
        let no_time = PeerRestart { restart_time_seconds: 0, ..restart(true) };
        for restart in [helper_only, no_time] {
            assert_eq!(keeps_routes(&closed, &agreed(Some(restart)), FAMILY), None);
        }
        assert_eq!(keeps_routes(&closed, &agreed(Some(restart(true))), Family::Ipv6Unicast), None);
    }

    #[test]
    fn stale_routes_are_good_only_with_the_f_bit() {
        let lost = PeerRestart { families: vec![(FAMILY, false)], ..restart(true) };
        assert!(still_good(&agreed(Some(restart(true))), FAMILY));
        assert!(!still_good(&agreed(Some(lost)), FAMILY));
        assert!(!still_good(&agreed(None), FAMILY));
    }
}
