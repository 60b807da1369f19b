//! The physical inventory: each location with its capacity, its meet-me rooms, the panels in them and
//! what is wired to each position; forms that add a room, a panel, and that wire a port.

use super::{
    super::{
        Cockpit,
        connections::Done,
        door::{Operator, Posted},
        form::{Complaints, Form, Input, Summary},
        page::{Page, Trouble, see_other},
        refusal,
        words::Badge,
    },
    CapacityRow, capacity_row,
};
use crate::app::{CapacityView, PanelView, PortView, Refusal, RoomView, RouterView};
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use directlink_model::{
    command::{AddPanel, AddRoom, ChangePort},
    connection::PortRef,
    inventory::{Optics, Position, optics_of},
};
use std::str::FromStr;

#[derive(Template)]
#[template(path = "operator/inventory.html")]
struct Inventory<'a> {
    capacity: Vec<CapacityRow>,
    sites: Vec<Site>,
    /// Ports are shown on their routers' pages.
    is_large: bool,
    summary: Summary,
    room: [Input; 2],
    panel: [Input; 3],
    port: [Input; 3],
    csrf: &'a str,
}

struct Site {
    code: String,
    name: String,
    is_counted: bool,
    rooms: Vec<RoomBox>,
    ports: Vec<PortRow>,
}

struct RoomBox {
    name: String,
    data_centre: String,
    panels: Vec<PanelBox>,
}

struct PanelBox {
    name: String,
    connector: &'static str,
    positions: u16,
    free: usize,
    wired: Vec<WiredRow>,
}

struct WiredRow {
    number: u16,
    port: String,
    connection: String,
}

struct PortRow {
    port: String,
    speed: &'static str,
    optics: String,
    /// Who says so.
    source: &'static str,
    position: String,
    connection: String,
    light: Badge,
    level: String,
}

pub(in crate::cockpit) async fn show(
    State(cockpit): State<Cockpit>,
    who: Operator,
    Query(Done { done }): Query<Done>,
) -> Result<Response, Trouble> {
    page(&cockpit, &who, (&Form::default(), Complaints::none()), done.as_deref()).await
}

/// All on one page, up to so many.
const PORTS_SHOWN: usize = 400;

const FIELDS: [&str; 9] =
    ["", "room", "data_centre", "panel", "positions", "connector", "port", "position", "optics"];

async fn page(
    cockpit: &Cockpit,
    Operator(signed): &Operator,
    (form, complaints): (&Form, Complaints),
    done: Option<&str>,
) -> Result<Response, Trouble> {
    let capacity = cockpit.app.capacity().await?;
    let lines = cockpit.app.router_lines().await?;
    let is_large = lines.iter().map(|line| line.ports[0]).sum::<usize>() > PORTS_SHOWN;
    let (rooms, routers) = match is_large {
        true => (vec![], vec![]),
        false => (cockpit.app.rooms().await?, cockpit.app.routers().await?),
    };
    let input = |name, label, hint: &str, attributes| {
        form.input(&complaints, (name, label), hint, attributes)
    };
    const WORD: &str = "type=\"text\" required autocomplete=\"off\"";
    const OPEN: &str = "type=\"text\" autocomplete=\"off\"";
    let body = Inventory {
        capacity: capacity.iter().map(capacity_row).collect(),
        sites: capacity.iter().map(|view| site(view, &rooms, &routers)).collect(),
        is_large,
        summary: Summary { complaints: complaints.summary(&FIELDS) },
        room: [
            input("room", "Room", "Location and room, as PAR1/MMR-1.", WORD),
            input("data_centre", "Data centre", "The location's own name, if left empty.", OPEN),
        ],
        panel: [
            input("panel", "Panel", "Location, room and panel, as PAR1/MMR-1/PP-07.", WORD),
            input("positions", "Positions", "How many.", "type=\"number\" required min=\"1\""),
            input("connector", "Connector", "LC or SC; LC, if left empty.", OPEN),
        ],
        port: [
            input("port", "Port", "Router and port, as par1-r1/p0.", WORD),
            input("position", "Panel position", "As PAR1/MMR-1/PP-07/12. Empty: none.", OPEN),
            input("optics", "Optics", "As 1000BASE-LX. Empty: as sold.", OPEN),
        ],
        csrf: &signed.csrf,
    };
    let status = complaints.status();
    Page::new("Inventory", "inventory", &body)?.after(done).with_status(status, cockpit, signed)
}

fn site(view: &CapacityView, rooms: &[RoomView], routers: &[RouterView]) -> Site {
    let code = &view.location.code;
    let here = routers.iter().filter(|router| router.router.location == *code);
    Site {
        code: code.to_string(),
        name: view.location.name.clone(),
        is_counted: view.is_counted,
        rooms: rooms.iter().filter(|view| view.room.at.location == *code).map(room).collect(),
        ports: here.flat_map(|router| &router.ports).map(port).collect(),
    }
}

fn room(view: &RoomView) -> RoomBox {
    RoomBox {
        name: view.room.at.room.to_string(),
        data_centre: view.room.data_centre.clone(),
        panels: view.panels.iter().map(panel).collect(),
    }
}

fn panel(view: &PanelView) -> PanelBox {
    let wired = view.wired.iter().map(|(&number, wired)| WiredRow {
        number,
        port: wired.port.to_string(),
        connection: wired.connection.map_or_else(String::new, |id| id.to_string()),
    });
    PanelBox {
        name: view.panel.at.panel.to_string(),
        connector: view.panel.connector.as_str(),
        positions: view.panel.positions,
        free: usize::from(view.panel.positions).saturating_sub(view.wired.len()),
        wired: wired.collect(),
    }
}

fn port(view: &PortView) -> PortRow {
    let told = view.transceiver.as_ref();
    let level = told.and_then(|it| it.receive_millidbm);
    PortRow {
        port: view.port.at().to_string(),
        speed: view.port.speed.as_str(),
        optics: optics_of(&view.port, told).to_string(),
        source: match (told.and_then(|it| it.optics.as_ref()), view.port.optics) {
            (Some(_), _) => "read by its router",
            (None, Some(_)) => "stated",
            (None, None) => "as sold",
        },
        position: view.port.position.as_ref().map_or_else(|| "—".into(), Position::to_string),
        connection: view.connection.map_or_else(String::new, |id| id.to_string()),
        light: super::sites::light_badge(view.light),
        level: level.map_or_else(String::new, dbm),
    }
}

/// `-10.25 dBm`.
fn dbm(thousandths: i32) -> String {
    format!("{:.2} dBm", f64::from(thousandths) / 1_000.0)
}

pub(in crate::cockpit) async fn add_room(
    State(cockpit): State<Cockpit>,
    Posted { who, form }: Posted<Operator>,
) -> Result<Response, Trouble> {
    let mut complaints = Complaints::none();
    let at = complaints.take("room", form.text("room").parse());
    let Some(at) = at else { return page(&cockpit, &who, (&form, complaints), None).await };
    let data_centre = maybe_text(&form, "data_centre");
    let done = cockpit.app.add_room(AddRoom { at, data_centre }).await;
    after(&cockpit, &who, &form, (done.map(drop), "room")).await
}

pub(in crate::cockpit) async fn add_panel(
    State(cockpit): State<Cockpit>,
    Posted { who, form }: Posted<Operator>,
) -> Result<Response, Trouble> {
    let mut complaints = Complaints::none();
    let at = complaints.take("panel", form.text("panel").parse());
    let positions = form.text("positions").parse::<u16>();
    let positions = positions.map_err(|_| "a panel has a number of positions");
    let positions = complaints.take("positions", positions);
    let connector = take_maybe(&mut complaints, &form, "connector");
    let (Some(at), Some(positions), true) = (at, positions, complaints.is_empty()) else {
        return page(&cockpit, &who, (&form, complaints), None).await;
    };
    let command = AddPanel { at, positions, connector: connector.unwrap_or_default() };
    let done = cockpit.app.add_panel(command).await;
    after(&cockpit, &who, &form, (done.map(drop), "panel")).await
}

pub(in crate::cockpit) async fn change_port(
    State(cockpit): State<Cockpit>,
    Posted { who, form }: Posted<Operator>,
) -> Result<Response, Trouble> {
    let mut complaints = Complaints::none();
    let at = form.text("port").split_once('/').and_then(|(router, port)| {
        Some(PortRef { router: router.parse().ok()?, port: port.parse().ok()? })
    });
    let at = complaints.take("port", at.ok_or("a port is written ROUTER/PORT, as par1-r1/p0"));
    let position = take_maybe::<Position>(&mut complaints, &form, "position");
    let optics = take_maybe::<Optics>(&mut complaints, &form, "optics");
    let (Some(port), true) = (at, complaints.is_empty()) else {
        return page(&cockpit, &who, (&form, complaints), None).await;
    };
    let command = ChangePort { port, optics: Some(optics), position: Some(position) };
    let done = cockpit.app.change_port(command).await;
    after(&cockpit, &who, &form, (done.map(drop), "port")).await
}

/// The page again: as it is now, or with what is wrong. `what`: the form, by its first field.
async fn after(
    cockpit: &Cockpit,
    who: &Operator,
    form: &Form,
    (done, what): (Result<(), Refusal>, &'static str),
) -> Result<Response, Trouble> {
    match done {
        Ok(()) => Ok(see_other("/cockpit/inventory?done=inventory")),
        Err(Refusal::Fault(fault)) => {
            // A field of another form would be none that the visitor sees.
            let field = refusal::field(&fault);
            let fields = match what {
                "room" => &FIELDS[1..3],
                "panel" => &FIELDS[3..6],
                _ => &FIELDS[6..],
            };
            let field = if fields.contains(&field) { field } else { what };
            let complaints = Complaints::one(field, fault.to_string());
            page(cockpit, who, (form, complaints), None).await
        }
        Err(error) => Err(error.into()),
    }
}

fn maybe_text(form: &Form, name: &str) -> Option<String> {
    Some(form.text(name).to_owned()).filter(|text| !text.is_empty())
}

fn take_maybe<T: FromStr<Err: ToString>>(
    complaints: &mut Complaints,
    form: &Form,
    name: &'static str,
) -> Option<T> {
    maybe_text(form, name).and_then(|text| complaints.take(name, text.parse()))
}
