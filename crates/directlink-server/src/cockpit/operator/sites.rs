//! Locations and their capacity, routers with their ports, and what their agents have of the plan.

use super::{
    super::{
        Cockpit,
        door::Operator,
        live::follow,
        page::{Page, Trouble},
        words::{Badge, When, when},
    },
    CapacityRow, capacity_row,
};
use crate::app::{AgentView, CertificateView, PortView, RouterLine, RouterView, ScopeView};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use directlink_model::{
    ids::RouterName,
    inventory::{Position, optics_of},
};
use jiff::Timestamp;

#[derive(Template)]
#[template(path = "operator/routers.html")]
struct Sites {
    capacity: Vec<CapacityRow>,
    routers: Vec<Line>,
}

struct Line {
    name: String,
    location: String,
    agent: Badge,
    build: String,
    last_seen: Option<When>,
    ports: usize,
    free: usize,
    step: Badge,
    documents: usize,
}

#[derive(Template)]
#[template(path = "operator/one_router.html")]
struct One {
    location: String,
    vtep: String,
    agent: Badge,
    build: String,
    last_seen: Option<When>,
    certificate: String,
    ports: Vec<PortRow>,
    scopes: Vec<ScopeRow>,
}

struct PortRow {
    name: String,
    speed: &'static str,
    optics: String,
    position: String,
    connection: String,
    light: Badge,
}

struct ScopeRow {
    scope: String,
    wanted: u64,
    acknowledged: String,
    step: Badge,
    failure: String,
}

pub(in crate::cockpit) async fn show(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
) -> Result<Response, Trouble> {
    let body = middle(&cockpit).await?;
    Page::new("Routers", "routers", &body)?.live("/cockpit/routers/live").show(&cockpit, &signed)
}

pub(in crate::cockpit) async fn live(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
) -> Response {
    let at = cockpit.clone();
    follow(&cockpit, signed, move || {
        let at = at.clone();
        async move { Ok(middle(&at).await?.render()?) }
    })
}

async fn middle(cockpit: &Cockpit) -> Result<Sites, Trouble> {
    let capacity = cockpit.app.capacity().await?.iter().map(capacity_row).collect();
    let routers = cockpit.app.router_lines().await?.iter().map(line).collect();
    Ok(Sites { capacity, routers })
}

pub(in crate::cockpit) async fn show_one(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
    Path(name): Path<String>,
) -> Result<Response, Trouble> {
    let body = one(&cockpit, &name).await?;
    let live = format!("/cockpit/routers/{name}/live");
    Page::new(&name, "routers", &body)?.live(&live).show(&cockpit, &signed)
}

pub(in crate::cockpit) async fn live_one(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
    Path(name): Path<String>,
) -> Response {
    let at = cockpit.clone();
    follow(&cockpit, signed, move || {
        let (at, name) = (at.clone(), name.clone());
        async move { Ok(one(&at, &name).await?.render()?) }
    })
}

async fn one(cockpit: &Cockpit, name: &str) -> Result<One, Trouble> {
    let name: RouterName = name.parse().map_err(|_| Trouble::NothingThere)?;
    let RouterView { router, certificate, ports, agent } =
        cockpit.app.router(&name).await?.ok_or(Trouble::NothingThere)?;
    Ok(One {
        location: router.location.to_string(),
        vtep: router.vtep.to_string(),
        agent: agent_badge(&agent),
        build: build(&agent),
        last_seen: agent.last_seen_at.map(when),
        certificate: identity(&certificate),
        ports: ports.iter().map(port).collect(),
        scopes: agent.scopes.iter().map(scope).collect(),
    })
}

fn line(RouterLine { router, ports: [ports, free], steps, agent, .. }: &RouterLine) -> Line {
    Line {
        name: router.name.to_string(),
        location: router.location.to_string(),
        agent: agent_badge(agent),
        build: build(agent),
        last_seen: agent.last_seen_at.map(when),
        ports: *ports,
        free: *free,
        step: match (steps.failed, steps.in_step == steps.documents) {
            (1.., _) => Badge { tone: "bad", text: "failed" },
            (0, true) => Badge { tone: "good", text: "in step" },
            (0, false) => Badge { tone: "wait", text: "behind" },
        },
        documents: steps.documents,
    }
}

const fn agent_badge(agent: &AgentView) -> Badge {
    match agent.connected {
        true => Badge { tone: "good", text: "connected" },
        false => Badge { tone: "bad", text: "not connected" },
    }
}

/// In words.
fn identity(view: &CertificateView) -> String {
    let until = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC");
    let certificate = match (view.issued_at, view.expires_at) {
        (None, _) => "none".to_owned(),
        (Some(_), None) => "without an end".to_owned(),
        (Some(_), Some(at)) => format!("good until {}", until(at)),
    };
    match view.token_until {
        Some(at) => format!("{certificate}; a token is good until {}", until(at)),
        None => certificate,
    }
}

fn build(agent: &AgentView) -> String {
    agent.build.clone().unwrap_or_else(|| "—".into())
}

fn port(view: &PortView) -> PortRow {
    PortRow {
        name: view.port.name.to_string(),
        speed: view.port.speed.as_str(),
        optics: optics_of(&view.port, view.transceiver.as_ref()).to_string(),
        position: view.port.position.as_ref().map_or_else(|| "—".into(), Position::to_string),
        connection: view.connection.map_or_else(String::new, |id| id.to_string()),
        light: light_badge(view.light),
    }
}

pub(super) const fn light_badge(light: Option<bool>) -> Badge {
    match light {
        Some(true) => Badge { tone: "good", text: "light" },
        Some(false) => Badge { tone: "gone", text: "no light" },
        None => Badge { tone: "wait", text: "not told" },
    }
}

fn scope(view: &ScopeView) -> ScopeRow {
    let in_step = view.acknowledged_generation == Some(view.wanted_generation);
    ScopeRow {
        scope: view.scope.to_string(),
        wanted: view.wanted_generation,
        acknowledged: view.acknowledged_generation.map_or_else(|| "—".into(), |g| g.to_string()),
        step: match (in_step, &view.failure) {
            (_, Some(_)) => Badge { tone: "bad", text: "failed" },
            (true, None) => Badge { tone: "good", text: "in step" },
            (false, None) => Badge { tone: "wait", text: "behind" },
        },
        failure: view.failure.clone().unwrap_or_default(),
    }
}
