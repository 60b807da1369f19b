//! The speaker against real routers: BIRD, FRR and GoBGP as the customer, each in a namespace of
//! its own behind a veth. Needs root, and the daemons; fails without them.

// Helpers outside of #[test] functions are tests as well.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod bfd_of_daemons;
mod customer;
mod matrix;
mod place;

use customer::{Brand, Customer};
use directlink_agent::speaker::{Netns, SessionConfig, SessionStatus, Speaker};
use directlink_bgp::bfd;
use directlink_bgp::{DownReason, HoldTime, PrefixLimits, Refusal, State, Stop};
use directlink_model::ids::BgpPeerId;
use directlink_net::{BgpKey, IpNet, Vni};
use place::{Place, eventually};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::runtime::Handle;

const ID: BgpPeerId = BgpPeerId::from_bits(0x00c0_ffee);

fn vni() -> Vni {
    1000u32.try_into().unwrap()
}

fn key(text: &str) -> BgpKey {
    text.try_into().unwrap()
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Our side of the veth.
fn config(place: &Place, key: Option<BgpKey>) -> SessionConfig {
    SessionConfig {
        id: ID,
        netns: Netns::open(&place.router_netns()).unwrap(),
        local_addr: place::ROUTER.parse().unwrap(),
        peer_addr: place::CUSTOMER.parse().unwrap(),
        key,
        local_asn: place::ROUTER_ASN.try_into().unwrap(),
        peer_asn: place::CUSTOMER_ASN.try_into().unwrap(),
        router_id: [10, 255, 0, 1].into(),
        net: Some(vni()),
        advertised: nets(&["10.1.0.0/16"]).into_iter().collect(),
        limits: PrefixLimits::default(),
        hold_time: HoldTime::default(),
        restarting: false,
        ttl_security: false,
        bfd: Some(bfd::Settings::default()),
        forwarding: None,
        shutdown: None,
        drain: None,
    }
}

fn is_up(speaker: &Speaker) -> bool {
    status(speaker).is_some_and(|status| status.bgp.state == State::Established)
}

fn status(speaker: &Speaker) -> Option<SessionStatus> {
    speaker.status(ID).map(Arc::unwrap_or_clone)
}

fn reached(speaker: &Speaker) -> BTreeSet<IpNet> {
    speaker.best(vni()).into_keys().collect()
}

async fn up(speaker: &Speaker) {
    eventually("the session is established", || is_up(speaker)).await;
}

async fn routes_go_both_ways(brand: Brand, with_key: bool) {
    let place = Place::new();
    let config = config(&place, with_key.then(|| key("tgyn26example")));
    let customer = Customer::start(&place, brand, config.key.as_ref());
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config.clone());
    up(&speaker).await;
    let announced: BTreeSet<_> = nets(&customer::ANNOUNCED).into_iter().collect();
    eventually("the customer's routes are here", || reached(&speaker) == announced).await;
    eventually("ours are there", || customer.learned() == nets(&["10.1.0.0/16"])).await;
    let routes = speaker.routes(ID).await.unwrap();
    let verdict = |prefix: &str| {
        let prefix: IpNet = prefix.parse().unwrap();
        routes.learned.iter().find(|route| route.prefix == prefix).map(|route| route.refused)
    };
    assert_eq!(verdict("192.168.9.1/32"), Some(Some(Refusal::TooLong)));
    // FRR sends back what it has from us; the others do not.
    assert!(matches!(verdict("10.1.0.0/16"), None | Some(Some(Refusal::AsLoop))));
    assert_eq!(routes.advertised, nets(&["10.1.0.0/16"]));
    let agreed = status(&speaker).unwrap().bgp.negotiated.unwrap();
    assert_eq!(agreed.hold_time_seconds, 9);
    assert!(agreed.four_octet_as);
    // Another list, on the same session.
    let since = status(&speaker).unwrap().bgp.established_at;
    let advertised = nets(&["10.1.0.0/17", "10.2.0.0/16"]).into_iter().collect();
    speaker.set(SessionConfig { advertised, ..config });
    eventually("the new list is there", || {
        customer.learned() == nets(&["10.1.0.0/17", "10.2.0.0/16"])
    })
    .await;
    assert_eq!(status(&speaker).unwrap().bgp.established_at, since);
    // And its end.
    speaker.remove(ID);
    assert_eq!((status(&speaker), reached(&speaker).len()), (None, 0));
    eventually("nothing of ours is left", || customer.learned().is_empty()).await;
}

#[tokio::test]
async fn bird_without_key() {
    routes_go_both_ways(Brand::Bird, false).await;
}

#[tokio::test]
async fn bird_with_key() {
    routes_go_both_ways(Brand::Bird, true).await;
}

#[tokio::test]
async fn frr_without_key() {
    routes_go_both_ways(Brand::Frr, false).await;
}

#[tokio::test]
async fn frr_with_key() {
    routes_go_both_ways(Brand::Frr, true).await;
}

#[tokio::test]
async fn gobgp_without_key() {
    routes_go_both_ways(Brand::Gobgp, false).await;
}

#[tokio::test]
async fn gobgp_with_key() {
    routes_go_both_ways(Brand::Gobgp, true).await;
}

/// On both sides: each dials, and neither hears the other.
async fn a_wrong_key_stays_down(brand: Brand, ours: Option<BgpKey>, theirs: Option<BgpKey>) {
    let place = Place::new();
    let _customer = Customer::start(&place, brand, theirs.as_ref());
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, ours));
    let came_up = tokio::time::timeout(Duration::from_secs(6), up(&speaker)).await.is_ok();
    assert!(!came_up);
    if theirs.is_some() {
        speaker.set(config(&place, theirs));
        up(&speaker).await;
    }
}

#[tokio::test]
async fn bird_with_another_key_stays_down_until_it_is_the_same() {
    a_wrong_key_stays_down(Brand::Bird, Some(key("ours")), Some(key("theirs"))).await;
}

#[tokio::test]
async fn frr_with_another_key_stays_down_until_it_is_the_same() {
    a_wrong_key_stays_down(Brand::Frr, Some(key("ours")), Some(key("theirs"))).await;
}

#[tokio::test]
async fn gobgp_with_another_key_stays_down_until_it_is_the_same() {
    a_wrong_key_stays_down(Brand::Gobgp, Some(key("ours")), Some(key("theirs"))).await;
}

#[tokio::test]
async fn a_key_on_one_side_only_stays_down() {
    a_wrong_key_stays_down(Brand::Bird, Some(key("ours")), None).await;
}

#[tokio::test]
async fn a_customer_without_our_key_is_not_heard() {
    a_wrong_key_stays_down(Brand::Bird, None, Some(key("theirs"))).await;
}

#[tokio::test]
async fn the_same_configuration_twice_changes_nothing() {
    let place = Place::new();
    let customer = Customer::start(&place, Brand::Bird, None);
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    up(&speaker).await;
    eventually("ours are there", || !customer.learned().is_empty()).await;
    let settled = || status(&speaker).is_some_and(|status| status.bgp.converged);
    eventually("the table is complete", settled).await;
    speaker.take_changes();
    // The same namespace, opened again.
    speaker.set(config(&place, None));
    let quiet = tokio::time::timeout(Duration::from_millis(500), speaker.changed()).await;
    assert!(quiet.is_err(), "{:?}", speaker.take_changes());
}

#[tokio::test]
async fn a_session_finds_its_address_when_it_comes() {
    let place = Place::without_address();
    let _customer = Customer::start(&place, Brand::Bird, None);
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    let failed = || status(&speaker).is_some_and(|status| status.bgp.last_failure.is_some());
    eventually("dialling fails", failed).await;
    place.give_address();
    up(&speaker).await;
}

#[tokio::test]
async fn a_vanished_link_is_survived() {
    let place = Place::new();
    let customer = Customer::start(&place, Brand::Bird, None);
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    up(&speaker).await;
    place.remake_link();
    drop(customer);
    let _customer = Customer::start(&place, Brand::Bird, None);
    eventually("the old session is noticed to be dead", || {
        status(&speaker).is_some_and(|status| status.bgp.last_down.is_some())
    })
    .await;
    up(&speaker).await;
    // The namespace loses its name; what is open in it stays.
    place.forget_router_netns();
    assert!(is_up(&speaker));
}

#[tokio::test]
async fn a_customer_that_restarts_comes_back() {
    let place = Place::new();
    let customer = Customer::start(&place, Brand::Gobgp, None);
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    up(&speaker).await;
    drop(customer);
    eventually("its end is noticed", || !is_up(&speaker)).await;
    assert!(matches!(status(&speaker).unwrap().bgp.last_down, Some((_, DownReason::Closed(_)))));
    let _customer = Customer::start(&place, Brand::Gobgp, None);
    up(&speaker).await;
}

#[tokio::test]
async fn a_router_that_restarts_keeps_its_routes_with_bird() {
    let place = Place::new();
    let customer = Customer::start(&place, Brand::Bird, None);
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    up(&speaker).await;
    eventually("ours are there", || !customer.learned().is_empty()).await;
    // As when the process is killed.
    drop(speaker);
    eventually("BIRD waits for us", || customer.table().contains("Neighbor graceful restart"))
        .await;
    assert_eq!(customer.learned(), nets(&["10.1.0.0/16"]), "kept while we are away");
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(SessionConfig { restarting: true, ..config(&place, None) });
    up(&speaker).await;
    assert_eq!(customer.learned(), nets(&["10.1.0.0/16"]), "and through our coming back");
    let told = customer.table();
    assert!(told.contains("Restart recovery"), "R bit: {told}");
}

#[tokio::test]
async fn a_session_that_is_shut_says_why_keeps_nothing_and_is_let_in_again() {
    let place = Place::new();
    let customer = Customer::start(&place, Brand::Bird, None);
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    up(&speaker).await;
    eventually("ours are there", || !customer.learned().is_empty()).await;
    let words = "failover test of dxvif-00c0ffee".to_owned();
    speaker.set(SessionConfig { shutdown: Some(words.clone()), ..config(&place, None) });
    eventually("nothing of ours is left", || customer.learned().is_empty()).await;
    eventually("nothing of theirs is left", || reached(&speaker).is_empty()).await;
    let told = customer.table();
    assert!(told.contains("Administrative shutdown"), "RFC 9003: {told}");
    let last = status(&speaker).unwrap().bgp.last_down.unwrap().1;
    assert_eq!(last, DownReason::Stopped(Stop::Shutdown(words)));
    let came_up = tokio::time::timeout(Duration::from_secs(6), up(&speaker)).await.is_ok();
    assert!(!came_up, "although BIRD dials");
    speaker.set(config(&place, None));
    up(&speaker).await;
    eventually("all is back", || reached(&speaker).len() == 2 && !customer.learned().is_empty())
        .await;
}

#[tokio::test]
async fn two_customers_with_the_same_addresses_do_not_meet() {
    let places = [Place::new(), Place::new()];
    let _customers = places.each_ref().map(|place| Customer::start(place, Brand::Bird, None));
    let speaker = Speaker::new(Handle::current()).unwrap();
    let ids = [1, 2].map(BgpPeerId::from_bits);
    let nets: [Vni; 2] = [1u32, 2].map(|n| n.try_into().unwrap());
    for ((id, net), place) in ids.into_iter().zip(nets).zip(&places) {
        speaker.set(SessionConfig { id, net: Some(net), ..config(place, None) });
    }
    eventually("both have routes", || nets.iter().all(|net| speaker.best(*net).len() == 2)).await;
    for (id, net) in ids.into_iter().zip(nets) {
        assert!(speaker.best(net).into_values().all(|ways| ways == [id]));
    }
    speaker.remove(ids[0]);
    assert_eq!(nets.map(|net| speaker.best(net).len()), [0, 2]);
}

#[tokio::test]
async fn ttl_security_works_with_a_customer_that_has_it_too() {
    let place = Place::new();
    let _customer = Customer::start_with(&place, Brand::Bird, "ttl security on;");
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(SessionConfig { ttl_security: true, ..config(&place, None) });
    up(&speaker).await;
}
