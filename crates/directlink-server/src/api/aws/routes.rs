//! `ListVirtualInterfaceRoutes`: what the router has taken from the customer, and what it tells it.
//!
//! From the router's last report. When a route came and which communities it carried is not in a
//! report: both members are left out, not made up.

use super::{
    Call, Outcome,
    members::Members,
    paging::{Page, with_next},
    refusal::Failure,
};
use directlink_model::{ids::InterfaceId, report::InterfaceReport};
use directlink_net::IpNet;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// AWS: so many prefixes in a filter.
const CIDRS_MAX: usize = 10;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    cidr: IpNet,
    direction: &'static str,
    as_path: Vec<u32>,
}

impl Route {
    const fn family(&self) -> &'static str {
        match self.cidr {
            IpNet::V4(_) => "ipv4",
            IpNet::V6(_) => "ipv6",
        }
    }
}

pub(super) async fn list(call: Call<'_>) -> Outcome {
    let id = call.given.needed_id("virtualInterfaceId", InterfaceId::PREFIX)?;
    let page = Page::asked(&call.given)?;
    let filters = call.given.object("filters")?.map(|given| Filters::read(&given)).transpose()?;
    let (view, report) = call.app.interface_report(&call.context, id).await?;
    let router = view.connection.approval.as_ref().map(|a| a.port.router.as_str());
    let routes = routes(id, &report, call.app.region().asn.0.as_u32());
    let mut routes: Vec<_> = routes.into_iter().collect();
    routes.retain(|route| filters.as_ref().is_none_or(|filters| filters.admit(route)));
    let place = |route: &Route| format!("{} {} {:?}", route.direction, route.cidr, route.as_path);
    routes.sort_by_cached_key(place);
    let (routes, next) = page.of(routes, place);
    let list: Vec<_> = routes.iter().map(|route| wire(route, router)).collect();
    Ok(with_next(json!({ "routes": list, "virtualInterfaceId": id }), next))
}

/// Of all its peers, each once. A session that is down has none, whatever is still remembered of
/// it. The path that a customer sees is our number alone.
fn routes(id: InterfaceId, report: &InterfaceReport, our_asn: u32) -> BTreeSet<Route> {
    let up = report.peers(id).map(|(_, peer)| peer).filter(|peer| peer.session.is_established());
    up.flat_map(|peer| {
        let accepted = peer.learned.into_iter().map(|route| Route {
            cidr: route.prefix,
            direction: "accepted",
            as_path: route.as_path,
        });
        let advertised = peer.advertised.into_iter().map(move |cidr| Route {
            cidr,
            direction: "advertised",
            as_path: vec![our_asn],
        });
        accepted.chain(advertised)
    })
    .collect()
}

fn wire(route: &Route, router: Option<&str>) -> Value {
    let mut wire = json!({
        "addressFamily": route.family(),
        "asPath": [{ "pathType": "seq", "path": route.as_path }],
        "cidr": route.cidr,
        "routeDirection": route.direction,
    });
    if let Some(router) = router {
        wire["awsLogicalDeviceId"] = json!(router);
    }
    wire
}

/// A route must be admitted by each that is given.
struct Filters {
    direction: Option<String>,
    family: Option<String>,
    cidrs: Vec<IpNet>,
    as_path: Vec<i64>,
}

impl Filters {
    fn read(given: &Members<'_>) -> Result<Self, Failure> {
        given.refuse(&["communities"])?;
        let cidr = |text: &str| {
            text.parse::<IpNet>().map(|net| net.trunc()).map_err(|_| {
                Failure::client(format!("Invalid cidr '{text}': give a prefix, as 192.168.0.0/24"))
            })
        };
        let cidrs = given.texts("cidrs")?.into_iter().map(cidr).collect::<Result<Vec<_>, _>>()?;
        if cidrs.len() > CIDRS_MAX {
            return Err(Failure::client(format!("filters.cidrs takes at most {CIDRS_MAX} CIDRs")));
        }
        Ok(Self {
            direction: word(given, "routeDirection", &["accepted", "advertised"])?,
            family: word(given, "addressFamily", &["ipv4", "ipv6"])?,
            cidrs,
            as_path: given.integers("asPath")?,
        })
    }

    /// All the numbers of `asPath` are in the route's path, in that order and side by side.
    fn admit(&self, route: &Route) -> bool {
        let path: Vec<i64> = route.as_path.iter().copied().map(i64::from).collect();
        self.direction.as_ref().is_none_or(|word| word == route.direction)
            && self.family.as_ref().is_none_or(|word| word == route.family())
            && (self.cidrs.is_empty() || self.cidrs.contains(&route.cidr.trunc()))
            && (self.as_path.is_empty()
                || path.windows(self.as_path.len()).any(|window| window == self.as_path))
    }
}

fn word(given: &Members<'_>, name: &str, words: &[&str]) -> Result<Option<String>, Failure> {
    match given.text(name)? {
        Some(text) if !words.contains(&text) => {
            let text = format!("Invalid {name} '{text}': give {}", words.join(" or "));
            Err(Failure::client(text))
        }
        text => Ok(text.map(str::to_owned)),
    }
}
