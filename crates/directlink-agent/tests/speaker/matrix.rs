//! What each daemon and we have done together, as one table. A cell is what was seen, or says that
//! the daemon has nothing of the kind.

use crate::bfd_of_daemons::{line, watched};
use crate::customer::{ANNOUNCED, Brand, Customer};
use crate::place::{Place, eventually};
use crate::{ID, config, nets, reached, status, up};
use directlink_agent::speaker::{SessionConfig, Speaker};
use directlink_bgp::bfd;
use directlink_bgp::{DownReason, Negotiated, Preference, PrefixLimits};
use tokio::runtime::Handle;

const FEATURES: [&str; 8] = [
    "4-octet AS numbers",
    "routes both ways",
    "route refresh",
    "enhanced route refresh",
    "communities",
    "maximum prefixes",
    "graceful restart",
    "BFD",
];

/// Everything that a line of configuration can turn on.
fn more(brand: Brand) -> String {
    let restart = match brand {
        Brand::Bird => "graceful restart on;",
        Brand::Frr => "bgp graceful-restart",
        Brand::Gobgp => "",
    };
    format!("{}\n {restart}", line(brand).unwrap_or_default())
}

fn offered(yes: bool) -> String {
    if yes { "agreed on" } else { "the daemon does not offer it" }.to_owned()
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
    assert_eq!(customer.learned(), nets(&["10.1.0.0/16"]));
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
    up(speaker).await;
    "ended with Cease/1, then back".to_owned()
}

async fn column(brand: Brand) -> [String; FEATURES.len()] {
    let place = Place::new();
    let customer = Customer::start_with(&place, brand, None, &more(brand));
    let speaker = Speaker::new(Handle::current()).unwrap();
    speaker.set(config(&place, None));
    up(&speaker).await;
    eventually("the customer's routes are here", || reached(&speaker).len() == 2).await;
    eventually("ours are there", || customer.learned() == nets(&["10.1.0.0/16"])).await;
    let agreed: Negotiated = status(&speaker).unwrap().bgp.negotiated.unwrap();
    let restart = match agreed.graceful_restart.map(|restart| restart.families.len()) {
        None => "the daemon was not told to",
        Some(0) => "helps us, does not itself",
        Some(_) => "both ways",
    };
    assert!(agreed.route_refresh);
    let refreshed = refresh(brand, &customer).await;
    let preferred = communities(&speaker).await;
    let bfd = match line(brand) {
        Some(_) => {
            let is_up = || watched(&speaker).is_some_and(|s| s.state == bfd::State::Up);
            eventually("BFD is up", is_up).await;
            "Up, 300 ms x 3"
        }
        None => "the daemon has none",
    };
    [
        offered(agreed.four_octet_as),
        "yes".to_owned(),
        refreshed,
        offered(agreed.enhanced_route_refresh),
        preferred,
        maximum_prefixes(&speaker, &place, &customer).await,
        restart.to_owned(),
        bfd.to_owned(),
    ]
}

#[tokio::test]
async fn interop_matrix() {
    let brands = [Brand::Bird, Brand::Frr, Brand::Gobgp];
    let mut columns = Vec::new();
    for brand in brands {
        columns.push(column(brand).await);
    }
    println!("| | {} |\n|---|---|---|---|", brands.map(Brand::version).join(" | "));
    for (row, feature) in FEATURES.iter().enumerate() {
        let cells: Vec<_> = columns.iter().map(|column| column[row].as_str()).collect();
        println!("| {feature} | {} |", cells.join(" | "));
    }
}
