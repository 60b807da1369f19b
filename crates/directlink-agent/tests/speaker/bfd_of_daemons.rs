//! BFD with real daemons: up when they speak it, and a second after they no longer do the session
//! is down, its routes are gone, and the other side knows why.

use crate::customer::{self, Brand, Customer};
use crate::place::{Place, eventually};
use crate::{config, is_up, nets, reached, status, up, vni};
use directlink_agent::speaker::{SessionConfig, Speaker};
use directlink_bgp::bfd::{self, Diagnostic, Settings};
use directlink_bgp::{DownReason, State};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// What makes each daemon speak BFD at 300 ms x 3; it is FRR's default.
pub(crate) const fn line(brand: Brand) -> Option<&'static str> {
    match brand {
        Brand::Bird => Some("bfd on;"),
        Brand::Frr => Some("neighbor 172.16.0.1 bfd"),
        Brand::Gobgp | Brand::Exabgp => None,
    }
}

pub(crate) fn watched(speaker: &Speaker) -> Option<bfd::Status> {
    status(speaker)?.bfd
}

fn is_watched(speaker: &Speaker) -> bool {
    watched(speaker).is_some_and(|status| status.state == bfd::State::Up)
}

async fn all_up(speaker: &Speaker) {
    up(speaker).await;
    eventually("BFD is up", || is_watched(speaker)).await;
    eventually("the routes are here", || !reached(speaker).is_empty()).await;
    let agreed = || watched(speaker).unwrap().detection_time == Some(Duration::from_millis(900));
    eventually("300 ms x 3 is agreed on", agreed).await;
}

/// How long until the session is down after `stop`, which says when nothing came any more.
async fn down_after(speaker: &Speaker, stop: impl FnOnce() -> Instant) -> Duration {
    let stopped = stop();
    let deadline = stopped + Duration::from_secs(8);
    while is_up(speaker) {
        assert!(Instant::now() < deadline, "BFD did not notice: {:?}", watched(speaker));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stopped.elapsed()
}

async fn silence_is_noticed_in_a_second(brand: Brand) {
    let place = Place::new();
    let customer = Customer::start_with(&place, brand, line(brand).unwrap());
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    all_up(&speaker).await;
    // A router that hangs: its connections stay open, and BGP alone would wait 9 s.
    let time = down_after(&speaker, || customer.hang()).await;
    println!("{brand:?} hangs: down after {} ms", time.as_millis());
    assert!(time < LIMIT, "{time:?}");
    let now = status(&speaker).unwrap();
    assert_eq!(now.bgp.last_down.unwrap().1, DownReason::PathFailed);
    assert_eq!(now.bfd.unwrap().diagnostic, Diagnostic::ControlDetectionTimeExpired);
    assert_eq!(reached(&speaker).len(), 0);
    customer.go_on();
    all_up(&speaker).await;
    // A cable that goes silent, with light at both ends.
    let time = down_after(&speaker, || place.silence()).await;
    println!("{brand:?}, a silent cable: down after {} ms", time.as_millis());
    assert!(time < LIMIT, "{time:?}");
    eventually("the other side has noticed too", || customer.learned().is_empty()).await;
}

#[tokio::test]
async fn a_silent_bird_is_noticed_in_a_second() {
    silence_is_noticed_in_a_second(Brand::Bird).await;
}

#[tokio::test]
async fn a_silent_frr_is_noticed_in_a_second() {
    silence_is_noticed_in_a_second(Brand::Frr).await;
}

#[tokio::test]
async fn a_customer_without_bfd_hears_none() {
    let place = Place::new();
    let _customer = Customer::start(&place, Brand::Bird, None);
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    up(&speaker).await;
    let status = watched(&speaker).unwrap();
    assert_eq!((status.state, status.remote), (bfd::State::Down, None));
    assert!(is_up(&speaker), "and nobody minds");
}

#[tokio::test]
async fn our_own_restart_is_no_dead_path() {
    let place = Place::new();
    // With `bfd on` BIRD 2.0.12 takes AdminDown for a failure, which RFC 5882 §3.2 does not.
    let customer = Customer::start_with(&place, Brand::Bird, "bfd graceful;");
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    all_up(&speaker).await;
    eventually("ours are there", || !customer.learned().is_empty()).await;
    drop(speaker);
    let told = || customer.table().contains("Neighbor graceful restart");
    eventually("BIRD waits for us", told).await;
    assert_eq!(customer.learned(), nets(&["10.1.0.0/16"]), "kept while we are away");
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(SessionConfig { restarting: true, ..config(&place, None) });
    all_up(&speaker).await;
    assert_eq!(customer.learned(), nets(&["10.1.0.0/16"]), "and through our coming back");
    assert_eq!(speaker.best(vni()).len(), customer::ANNOUNCED.len());
}

#[tokio::test]
async fn a_session_that_is_shut_is_not_watched() {
    let place = Place::new();
    let _customer = Customer::start_with(&place, Brand::Bird, "bfd on;");
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    all_up(&speaker).await;
    speaker.set(SessionConfig { shutdown: Some("test".into()), ..config(&place, None) });
    let is_shut = || watched(&speaker).is_some_and(|s| s.state == bfd::State::AdminDown);
    eventually("BFD is AdminDown", is_shut).await;
    assert_eq!(status(&speaker).unwrap().bgp.state, State::Idle);
    let faster = Settings::new(Duration::from_millis(100), 5).unwrap();
    speaker.set(SessionConfig { bfd: Some(faster), ..config(&place, None) });
    up(&speaker).await;
    eventually("BFD is up", || is_watched(&speaker)).await;
    speaker.set(SessionConfig { bfd: None, ..config(&place, None) });
    eventually("nobody watches", || watched(&speaker).is_none()).await;
    // BIRD 2.0.12 takes the AdminDown for a failure, and dials again.
    up(&speaker).await;
}

/// RFC 5881 §5. The packet is a good one but for the routers that it has crossed.
#[tokio::test]
async fn a_packet_that_is_no_neighbours_is_not_heard() {
    let place = Place::new();
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    let down = bfd::Packet {
        diagnostic: Diagnostic::None,
        state: bfd::State::Down,
        poll: false,
        r#final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: 3.try_into().unwrap(),
        my_discriminator: 7.try_into().unwrap(),
        your_discriminator: None,
        // It is not taken for dead while this runs.
        desired_min_tx_micros: 60_000_000,
        required_min_rx_micros: 1_000_000,
        required_min_echo_rx_micros: 0,
    };
    let state = || watched(&speaker).map(|status| status.state);
    let is = |wanted| state() == Some(wanted);
    eventually("a neighbour is heard", || {
        is(bfd::State::Init) || {
            place.send_to_bfd(&down.encode(), 255);
            false
        }
    })
    .await;
    let leaves = bfd::Packet { state: bfd::State::AdminDown, ..down }.encode();
    for ttl in [254, 1] {
        place.send_to_bfd(&leaves, ttl);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(state(), Some(bfd::State::Init), "from beyond a router nobody takes it down");
    place.send_to_bfd(&leaves, 255);
    eventually("a neighbour does", || is(bfd::State::Down)).await;
}

/// A detection time of 900 ms, and what a machine of two busy cores takes to get to it.
const LIMIT: Duration = Duration::from_millis(1400);
