//! The first page: the whole way from one's network into one's Nets as it is now, and what wants
//! attention.

use super::{
    Cockpit,
    door::Customer,
    graphs::bits_words,
    live::follow,
    page::{Page, Trouble},
    picture::{Drawing, End, Scene, Strand, Wire, draw, short},
    words::{self, connection_tone, interface_tone},
};
use crate::app::{InterfaceFilter, MaintenanceView};
use askama::Template;
use axum::{extract::State, response::Response};
use directlink_model::{
    connection::ConnectionState,
    coverage::Shade,
    figures::Rate,
    gateway::Gateway,
    ids::{AccountId, InterfaceId},
    interface::InterfaceState,
    maintenance::{State as Stage, Target},
    net::{Net, Subnet},
    view::{ConnectionView, InterfaceView},
};
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    tiles: Vec<Tile>,
    attention: Vec<Attention>,
    drawing: Drawing,
    sentences: Vec<String>,
    /// What depends on one place.
    coverage: Option<String>,
    /// Connections that are not drawn.
    more: usize,
    region_asn: u32,
    empty: bool,
}

struct Tile {
    href: &'static str,
    number: usize,
    of: usize,
    what: &'static str,
    tone: &'static str,
}

struct Attention {
    badge: words::Badge,
    href: String,
    name: String,
    says: String,
}

pub(super) async fn show(
    State(cockpit): State<Cockpit>,
    who: Customer,
) -> Result<Response, Trouble> {
    let body = overview(&cockpit, &who).await?;
    Page::new("Overview", "overview", &body)?.live("/cockpit/live").show(&cockpit, &who.signed)
}

pub(super) async fn live(State(cockpit): State<Cockpit>, who: Customer) -> Response {
    let (at, signed) = (cockpit.clone(), who.signed.clone());
    follow(&cockpit, signed, move || {
        let (at, who) = (at.clone(), who.clone());
        async move { Ok(overview(&at, &who).await?.render()?) }
    })
}

/// So many connections are drawn, and so many things told to want attention; lists have them all.
const WIRES_MAX: usize = 20;
const ATTENTION_MAX: usize = 50;

/// What an account has.
struct Holdings {
    account: AccountId,
    connections: Vec<ConnectionView>,
    interfaces: Vec<InterfaceView>,
    gateways: Vec<Gateway>,
    nets: Vec<Net>,
    subnets: Vec<Subnet>,
    rates: BTreeMap<InterfaceId, Rate>,
}

async fn overview(cockpit: &Cockpit, who: &Customer) -> Result<Overview, Trouble> {
    let (app, ctx) = (&cockpit.app, who.context(cockpit));
    let mut holdings = Holdings {
        account: who.account,
        connections: app.connections(&ctx, None).await?,
        interfaces: app.interfaces(&ctx, &InterfaceFilter::default()).await?,
        gateways: app.gateways(&ctx, None).await?.into_iter().map(|view| view.gateway).collect(),
        nets: app.nets(&ctx, None).await?,
        subnets: app.subnets(&ctx, None).await?.into_iter().map(|view| view.subnet).collect(),
        rates: BTreeMap::new(),
    };
    let mut attention = attention(&holdings, ctx.now);
    attention.extend(of_maintenances(&app.own_maintenances(&ctx).await?));
    attention.truncate(ATTENTION_MAX);
    holdings.connections.retain(|view| view.state != ConnectionState::Deleted);
    holdings.interfaces.retain(|view| view.state.is_live());
    let ids = holdings.interfaces.iter().map(|view| view.interface.id);
    holdings.rates = app.parts().figures.rates(ids);
    let mut scene = scene(&holdings);
    let more = scene.wires.len().saturating_sub(WIRES_MAX);
    scene.keep(WIRES_MAX);
    Ok(Overview {
        tiles: tiles(&holdings),
        attention,
        sentences: sentences(&scene),
        coverage: coverage(&app.own_weak_points(&ctx).await?),
        drawing: draw(scene),
        more,
        region_asn: app.region().asn.0.as_u32(),
        empty: holdings.connections.is_empty() && holdings.interfaces.is_empty(),
    })
}

fn tiles(holdings: &Holdings) -> Vec<Tile> {
    let Holdings { connections, interfaces, gateways, nets, .. } = holdings;
    let lit = connections.iter().filter(|v| v.state == ConnectionState::Available).count();
    let dark = connections.iter().any(|v| v.state == ConnectionState::Down);
    let works = interfaces.iter().filter(|v| v.state == InterfaceState::Available).count();
    let broken = interfaces.iter().any(|v| v.state == InterfaceState::Down);
    let reached = nets
        .iter()
        .filter(|net| {
            let of_net = |view: &&InterfaceView| {
                let gateway = view.interface.gateway;
                gateways.iter().any(|g| Some(g.id) == gateway && g.net == Some(net.id))
            };
            let mut there = interfaces.iter().filter(of_net);
            there.any(|view| view.state == InterfaceState::Available)
        })
        .count();
    let tone = |number: usize, of: usize, bad: bool| match (bad, of) {
        (true, _) => "bad",
        (false, 0) => "gone",
        (false, of) if number == of => "good",
        (false, _) => "wait",
    };
    vec![
        Tile {
            href: "/cockpit/connections",
            number: lit,
            of: connections.len(),
            what: "connections available",
            tone: tone(lit, connections.len(), dark),
        },
        Tile {
            href: "/cockpit/interfaces",
            number: works,
            of: interfaces.len(),
            what: "interfaces available",
            tone: tone(works, interfaces.len(), broken),
        },
        Tile {
            href: "/cockpit/interfaces",
            number: reached,
            of: nets.len(),
            what: "Nets reached",
            tone: tone(reached, nets.len(), false),
        },
    ]
}

fn of_maintenances(views: &[MaintenanceView]) -> impl Iterator<Item = Attention> {
    let open = views.iter().filter(|view| matches!(view.state, Stage::Planned | Stage::Running));
    open.map(|view| Attention {
        badge: words::Badge { tone: "wait", text: "maintenance" },
        href: "/cockpit/maintenance".into(),
        name: view.maintenance.target.to_string(),
        says: format!(
            "{} from {:.0}: {}",
            view.state, view.maintenance.from, view.maintenance.reason
        ),
    })
}

/// In one line: the first place whose loss makes a Net unreachable.
fn coverage(weak: &[(Target, Vec<Shade>)]) -> Option<String> {
    let dark = |(target, shades): &(Target, Vec<Shade>)| {
        let nets: Vec<_> =
            shades.iter().filter(|it| it.is_dark).map(|it| it.net.to_string()).collect();
        (!nets.is_empty())
            .then(|| format!("If {target} goes dark: {} unreachable.", nets.join(", ")))
    };
    weak.iter().find_map(dark)
}

fn attention(holdings: &Holdings, now: jiff::Timestamp) -> Vec<Attention> {
    let mut all = vec![];
    for view in &holdings.connections {
        let wants = match view.state {
            ConnectionState::Ordering | ConnectionState::Down | ConnectionState::Pending => true,
            ConnectionState::Requested
            | ConnectionState::Available
            | ConnectionState::Deleting
            | ConnectionState::Deleted
            | ConnectionState::Rejected => false,
        };
        if wants {
            all.push(Attention {
                badge: words::connection_badge(view.state),
                href: format!("/cockpit/connections/{}", view.connection.id),
                name: view.connection.name.clone(),
                says: words::connection_says(view.state).into(),
            });
        }
    }
    for view in &holdings.interfaces {
        let says = match view.state {
            InterfaceState::Down | InterfaceState::Pending | InterfaceState::Expired => {
                words::interface_says(view.state).to_owned()
            }
            InterfaceState::Confirming => {
                let left = words::confirmation_left(&view.interface, now).unwrap_or_default();
                match view.interface.owner == holdings.account {
                    true => format!("Offered to you. Accept or reject it: {left} left."),
                    false => format!("Waits for its intended owner: {left} left."),
                }
            }
            InterfaceState::Available
            | InterfaceState::Testing
            | InterfaceState::Deleting
            | InterfaceState::Deleted
            | InterfaceState::Rejected => continue,
        };
        all.push(Attention {
            badge: words::interface_badge(view.state),
            href: format!("/cockpit/interfaces/{}", view.interface.id),
            name: view.interface.name.clone(),
            says,
        });
    }
    all
}

fn scene(holdings: &Holdings) -> Scene {
    let mut ends: Vec<End> = vec![];
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut wires: Vec<(String, Wire)> = vec![];
    for view in &holdings.connections {
        wires.push((view.connection.id.to_string(), wire(&view.connection, true)));
    }
    for view in &holdings.interfaces {
        let id = view.connection.id.to_string();
        let at = match wires.iter().position(|(known, _)| *known == id) {
            Some(at) => at,
            None => {
                wires.push((id, wire(&view.connection, false)));
                wires.len() - 1
            }
        };
        let end = end_of(holdings, view).map(|end| {
            *known.entry(end.gateway.clone()).or_insert_with(|| {
                ends.push(end);
                ends.len() - 1
            })
        });
        wires[at].1.strands.push(Strand {
            href: format!("/cockpit/interfaces/{}", view.interface.id),
            name: short(&view.interface.name, 24),
            tone: interface_tone(view.state),
            state: view.state.as_str(),
            vlan: view.interface.vlan.to_string(),
            asn: view.interface.main_peer().asn.to_string(),
            rates: holdings.rates.get(&view.interface.id).map(rates),
            end,
        });
    }
    Scene { wires: wires.into_iter().map(|(_, wire)| wire).collect(), ends }
}

#[expect(clippy::cast_precision_loss, reason = "told in three digits")]
fn rates(rate: &Rate) -> (String, String) {
    let words = |bits: u64| bits_words(bits as f64);
    (words(rate.from_customer_bits), words(rate.to_customer_bits))
}

fn wire(c: &directlink_model::connection::Connection, own: bool) -> Wire {
    let state = c.state();
    let port = c.approval.as_ref().map(|approval| &approval.port);
    Wire {
        href: own.then(|| format!("/cockpit/connections/{}", c.id)),
        name: match own {
            true => short(&c.name, 24),
            false => format!("Account {}", c.account),
        },
        tone: connection_tone(state),
        state: state.as_str(),
        site: c.location.to_string(),
        router: port.map_or_else(|| "no port yet".into(), |port| port.router.to_string()),
        port: port.map_or_else(String::new, |port| port.port.to_string()),
        bandwidth: c.bandwidth.to_string(),
        strands: vec![],
    }
}

/// Another's gateway is not ours to show.
fn end_of(holdings: &Holdings, view: &InterfaceView) -> Option<End> {
    if view.interface.owner != holdings.account {
        let gateway = format!("account {}", view.interface.owner);
        let href = format!("/cockpit/interfaces?q={}", view.interface.connection);
        return Some(End { href, gateway, net: "its own Net".into(), subnets: vec![] });
    }
    let id = view.interface.gateway?;
    let net = holdings.gateways.iter().find(|g| g.id == id).and_then(|g| g.net);
    let net = net.and_then(|id| holdings.nets.iter().find(|net| net.id == id));
    let subnets = holdings.subnets.iter().filter(|s| Some(s.net) == net.map(|net| net.id));
    Some(End {
        href: format!("/cockpit/interfaces?q={id}"),
        gateway: id.to_string(),
        net: net.map_or_else(|| "no Net".into(), |net| format!("{} {}", net.id, net.range)),
        subnets: subnets.map(|s| format!("{} {}", s.range, s.subregion)).collect(),
    })
}

/// The picture for those who do not see it.
fn sentences(scene: &Scene) -> Vec<String> {
    let mut all = vec![];
    for wire in &scene.wires {
        all.push(format!(
            "Connection {} ({}) leads from your router through the meet-me room at {} to port {} of the DirectLink router {}; it is {}.",
            wire.name, wire.bandwidth, wire.site, wire.port, wire.router, wire.state
        ));
        for strand in &wire.strands {
            let end = strand.end.and_then(|end| scene.ends.get(end));
            let to = end.map_or_else(String::new, |end| {
                let subnets = match end.subnets.is_empty() {
                    true => String::new(),
                    false => format!(" with Subnets {}", end.subnets.join(", ")),
                };
                format!(" It leads through {} to {}{subnets}.", end.gateway, end.net)
            });
            let rates = strand.rates.as_ref().map_or_else(String::new, |(from, to)| {
                format!(" {from} go from you into the Net now, {to} to you.")
            });
            all.push(format!(
                "On it, interface {} with VLAN {} and your AS {} is {}.{to}{rates}",
                strand.name, strand.vlan, strand.asn, strand.state
            ));
        }
    }
    all
}
