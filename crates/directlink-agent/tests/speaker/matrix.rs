//! What each daemon and we have done together, as one table. A cell is what was seen, or says that
//! the daemon has nothing of the kind.

use crate::bfd_of_daemons::{line, watched};
use crate::customer::{ANNOUNCED, Brand, Customer, Wish};
use crate::place::{Place, V6, eventually};
use crate::{ID, config, is_up, key, nets, reached, status, up, vni};
use directlink_agent::speaker::{SessionConfig, Speaker};
use directlink_bgp::bfd;
use directlink_bgp::{DownReason, Negotiated, Preference, PrefixLimits};
use tokio::runtime::Handle;

const FEATURES: [&str; 12] = [
    "MD5",
    "IPv6, routes both ways",
    "4-octet AS numbers",
    "IPv4, routes both ways",
    "route refresh",
    "enhanced route refresh",
    "communities",
    "maximum prefixes",
    "graceful restart",
    "we restart, the daemon helps",
    "the daemon restarts, we help",
    "BFD",
];
const OURS: &str = "10.1.0.0/16";

/// Everything that a line of configuration can turn on.
fn more(brand: Brand) -> String {
    let restart = match brand {
        Brand::Bird => "graceful restart on;",
        Brand::Frr => "bgp graceful-restart\n bgp graceful-restart preserve-fw-state",
        Brand::Gobgp => {
            "[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = 60\n\
             deferral-time = 1"
        }
        Brand::Exabgp => "graceful-restart 60;",
    };
    format!("{}\n {restart}", line(brand).unwrap_or_default())
}

fn offered(yes: bool) -> String {
    if yes { "agreed on" } else { "the daemon does not offer it" }.to_owned()
}

async fn routes_both_ways(speaker: &Speaker, customer: &Customer, ours: &str) {
    up(speaker).await;
    eventually("the customer's routes are here", || speaker.best(vni()).len() == 2).await;
    eventually("ours are there", || customer.learned() == nets(&[ours])).await;
}

async fn md5(brand: Brand) -> String {
    let (place, key) = (Place::new(), key("tgyn26example"));
    let customer = Customer::start(&place, brand, Some(&key));
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, Some(key)));
    routes_both_ways(&speaker, &customer, OURS).await;
    "up with it".to_owned()
}

async fn ipv6(brand: Brand) -> String {
    let place = Place::new();
    let wish = Wish { is_ipv6: true, ..Wish::default() };
    let customer = Customer::start_as(&place, brand, wish);
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(SessionConfig {
        local_addr: V6.router.parse().unwrap(),
        peer_addr: V6.customer.parse().unwrap(),
        advertised: nets(&["2001:db8:1::/48"]).into_iter().collect(),
        bfd: None,
        ..config(&place, None)
    });
    routes_both_ways(&speaker, &customer, "2001:db8:1::/48").await;
    let announced = nets(&wish.announced().good);
    assert_eq!(reached(&speaker).into_iter().collect::<Vec<_>>(), announced);
    "yes".to_owned()
}

async fn refresh(brand: Brand, customer: &Customer) -> String {
    if brand == Brand::Gobgp {
        assert!(!customer.asks_for_refresh());
        return "agreed on, but it never asks".to_owned();
    }
    let before = customer.updates_received();
    assert!(customer.asks_for_refresh());
    eventually(&format!("our table comes again to {brand:?}"), || {
        customer.updates_received() > before
    })
    .await;
    assert_eq!(customer.learned(), nets(&[OURS]));
    "asked and answered".to_owned()
}

async fn communities(speaker: &Speaker) -> String {
    let routes = speaker.routes(ID).await.unwrap().learned;
    let seen = ANNOUNCED
        .map(|prefix| routes.iter().find(|r| r.prefix.to_string() == prefix).map(|r| r.preference));
    assert_eq!(seen, [Some(Preference::Medium), Some(Preference::High)]);
    "7224:7300 is preferred".to_owned()
}

async fn maximum_prefixes(speaker: &Speaker, place: &Place, customer: &Customer) -> String {
    let limits = PrefixLimits { prefixes_max: 2, ..PrefixLimits::default() };
    speaker.set(SessionConfig { limits, ..config(place, None) });
    let ended = || {
        let last = status(speaker).and_then(|status| status.bgp.last_down);
        matches!(last, Some((_, DownReason::MaximumPrefixes { .. })))
    };
    eventually("three are too many", ended).await;
    eventually("the customer has nothing left", || customer.learned().is_empty()).await;
    speaker.set(config(place, None));
    routes_both_ways(speaker, customer, OURS).await;
    "ended with Cease/1, then back".to_owned()
}

fn restart(agreed: &Negotiated) -> (&'static str, bool) {
    match agreed.graceful_restart.as_ref().map(|restart| restart.families.len()) {
        None => ("the daemon was not told to", false),
        Some(0) => ("the daemon helps, and does not restart", false),
        Some(_) => ("both ways", true),
    }
}

async fn bfd_is_up(brand: Brand, speaker: &Speaker) -> &'static str {
    if line(brand).is_none() {
        return "the daemon has none";
    }
    let is_up = || watched(speaker).is_some_and(|s| s.state == bfd::State::Up);
    eventually("BFD is up", is_up).await;
    "Up, 300 ms x 3"
}

/// Without BFD: that would say, and rightly, that somebody is away.
async fn graceful(brand: Brand) -> [String; 3] {
    let place = Place::new();
    let more = more(brand).replace(line(brand).unwrap_or("\0"), "");
    let customer = Customer::start_with(&place, brand, &more);
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    routes_both_ways(&speaker, &customer, OURS).await;
    let (says, it_restarts) = restart(&status(&speaker).unwrap().bgp.negotiated.unwrap());
    let (speaker, helps) = we_restart(brand, speaker, &place, &customer).await;
    let helped = match it_restarts {
        true => it_restarts_and_we_help(brand, &speaker, &place, customer, &more).await,
        false => "it does not restart so",
    };
    [says.to_owned(), helps.to_owned(), helped.to_owned()]
}

/// As when our process is killed: the customer keeps our routes until we are back.
async fn we_restart(
    brand: Brand,
    speaker: Speaker,
    place: &Place,
    customer: &Customer,
) -> (Speaker, &'static str) {
    drop(speaker);
    let keeps = brand != Brand::Exabgp;
    let speaker = Speaker::new(Handle::current()).unwrap();
    if keeps {
        assert_eq!(customer.learned(), nets(&[OURS]), "{brand:?} keeps ours");
    }
    speaker.set(SessionConfig { restarting: true, ..config(place, None) });
    up(&speaker).await;
    if keeps {
        assert_eq!(customer.learned(), nets(&[OURS]), "{brand:?} has kept ours");
    }
    routes_both_ways(&speaker, customer, OURS).await;
    (speaker, if keeps { "keeps our routes" } else { "has no table to keep" })
}

/// It is killed, and starts again: we keep its routes all the while.
async fn it_restarts_and_we_help(
    brand: Brand,
    speaker: &Speaker,
    place: &Place,
    customer: Customer,
    more: &str,
) -> &'static str {
    drop(customer);
    let is_down = || status(speaker).is_some_and(|status| status.bgp.last_down.is_some());
    eventually("its end is seen", is_down).await;
    assert_eq!(reached(speaker), nets(&ANNOUNCED).into_iter().collect(), "{brand:?} is away");
    let wish = Wish { more, is_back: true, ..Wish::default() };
    let customer = Customer::start_as(place, brand, wish);
    let announced = nets(&ANNOUNCED).into_iter().collect();
    eventually("it is back", || {
        assert_eq!(reached(speaker), announced, "{brand:?} comes back");
        is_up(speaker)
    })
    .await;
    assert_eq!(reached(speaker), announced, "{brand:?} is back");
    routes_both_ways(speaker, &customer, OURS).await;
    "its routes are kept"
}

async fn column(brand: Brand) -> [String; FEATURES.len()] {
    let place = Place::new();
    let customer = Customer::start_with(&place, brand, &more(brand));
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    routes_both_ways(&speaker, &customer, OURS).await;
    let agreed: Negotiated = status(&speaker).unwrap().bgp.negotiated.unwrap();
    assert!(agreed.route_refresh);
    let refreshed = refresh(brand, &customer).await;
    let preferred = communities(&speaker).await;
    let bfd = bfd_is_up(brand, &speaker).await;
    let limited = maximum_prefixes(&speaker, &place, &customer).await;
    let (md5, ipv6, [restart, helps, helped]) =
        tokio::join!(md5(brand), ipv6(brand), graceful(brand));
    [
        md5,
        ipv6,
        offered(agreed.four_octet_as),
        "yes".to_owned(),
        refreshed,
        offered(agreed.enhanced_route_refresh),
        preferred,
        limited,
        restart,
        helps,
        helped,
        bfd.to_owned(),
    ]
}

// The daemons' commands block, and sessions must go on meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interop_matrix() {
    let brands = [Brand::Bird, Brand::Frr, Brand::Gobgp, Brand::Exabgp];
    let [bird, frr, gobgp, exabgp] = brands.map(column);
    let (bird, frr, gobgp, exabgp) = tokio::join!(bird, frr, gobgp, exabgp);
    let columns = [bird, frr, gobgp, exabgp];
    println!("| | {} |\n|---|---|---|---|---|", brands.map(Brand::version).join(" | "));
    for (row, feature) in FEATURES.iter().enumerate() {
        let cells: Vec<_> = columns.iter().map(|column| column[row].as_str()).collect();
        println!("| {feature} | {} |", cells.join(" | "));
    }
}
