//! The operator's inventory: rooms, panels, cross-connects, and the letters that name them.

use super::operator::{Access, CONNECTIONS};
use crate::output::{self, Column};
use anyhow::{Context as _, Result};
use clap::Subcommand;
use directlink_model::{
    ids::ConnectionId,
    inventory::{Connector, PanelRef, RoomRef},
};
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(crate) enum RoomCommand {
    /// Open a meet-me room; from then on the location takes no order beyond its ports
    Add {
        /// Location and room, as PAR1/MMR-1
        room: RoomRef,
        /// The building that it is in; the location's name if left out
        #[arg(long, value_name = "NAME")]
        data_centre: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// List the rooms
    List(Access),
}

#[derive(Subcommand)]
pub(crate) enum PanelCommand {
    /// Hang a patch panel
    Add {
        /// Location, room and panel, as PAR1/MMR-1/PP-07
        panel: PanelRef,
        /// How many it has
        #[arg(long, value_name = "N")]
        positions: u16,
        /// LC or SC
        #[arg(long, default_value = "LC")]
        connector: Connector,
        #[command(flatten)]
        access: Access,
    },
    /// List the panels
    List(Access),
    /// Show what is wired to the positions of a panel
    Show {
        /// Location, room and panel, as PAR1/MMR-1/PP-07
        panel: PanelRef,
        #[command(flatten)]
        access: Access,
    },
}

#[derive(Subcommand)]
pub(crate) enum CrossConnectCommand {
    /// List the cross-connects, the newest first
    List(Access),
    /// Record that a cross-connect is made
    Patch {
        connection: ConnectionId,
        /// Who made it: a name, a ticket
        #[arg(long, value_name = "TEXT")]
        by: String,
        /// When, as 2026-01-31T10:00:00Z; now if left out
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Record that it is taken out: the port of a deleted connection is free
    Unpatch {
        connection: ConnectionId,
        /// Who took it out: a name, a ticket
        #[arg(long, value_name = "TEXT")]
        by: String,
        /// When, as 2026-01-31T10:00:00Z; now if left out
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        #[command(flatten)]
        access: Access,
    },
}

#[derive(Subcommand)]
pub(crate) enum LetterCommand {
    /// List the Letters of Authorization, and what each is worth
    List(Access),
    /// Send a letter once more
    Send {
        connection: ConnectionId,
        #[command(flatten)]
        access: Access,
    },
    /// Issue a letter anew, good from now on, and send it
    Renew {
        connection: ConnectionId,
        #[command(flatten)]
        access: Access,
    },
}

const ROOMS: &[Column] = &[("ROOM", "room"), ("DATA CENTRE", "data_centre")];
const PANELS: &[Column] = &[
    ("PANEL", "panel"),
    ("POSITIONS", "positions"),
    ("CONNECTOR", "connector"),
    ("WIRED", "in_use"),
];
const WIRED: &[Column] =
    &[("POSITION", "position"), ("BACK: PORT", "port"), ("FRONT: CONNECTION", "connection")];
const CROSS_CONNECTS: &[Column] = &[
    ("CONNECTION", "connection"),
    ("NAME", "name"),
    ("FROM", "position"),
    ("TO", "port"),
    ("STATE", "state"),
    ("PATCHED", "patched_at"),
    ("BY", "patched_by"),
    ("REMOVED", "unpatched_at"),
    ("BY", "unpatched_by"),
];
const LETTERS: &[Column] = &[
    ("CONNECTION", "connection"),
    ("NAME", "name"),
    ("ISSUED", "issued_at"),
    ("VALID UNTIL", "valid_until"),
    ("WORTH", "standing"),
    ("MAILED", "mailed"),
    ("LAST", "last_mailed_at"),
];
const CAPACITY: &[Column] =
    &[("SPEED", "speed"), ("PORTS", "ports"), ("FREE", "free"), ("PROMISED", "promised")];

pub(crate) async fn room(command: RoomCommand) -> Result<()> {
    match command {
        RoomCommand::List(access) => access.list("rooms", ROOMS).await,
        RoomCommand::Add { room, data_centre, access } => {
            let described = json!({ "room": room.to_string(), "data_centre": data_centre });
            access.add("rooms", &described, ROOMS).await
        }
    }
}

pub(crate) async fn panel(command: PanelCommand) -> Result<()> {
    match command {
        PanelCommand::List(access) => {
            let answer = access.operator()?.list("panels").await?;
            let rows: Vec<_> = panels(&answer)?.iter().map(counted).collect();
            output::list(access.output, PANELS, &rows, &answer)
        }
        PanelCommand::Add { panel, positions, connector, access } => {
            let (panel, connector) = (panel.to_string(), connector.as_str());
            let described =
                json!({ "panel": panel, "positions": positions, "connector": connector });
            let answer = access.operator()?.add("panels", &described).await?;
            output::list(access.output, PANELS, &[counted(&answer)], &answer)
        }
        PanelCommand::Show { panel, access } => {
            let answer = access.operator()?.list("panels").await?;
            let wanted = panel.to_string();
            let found = panels(&answer)?.iter().find(|it| it["panel"] == wanted.as_str());
            let found = found.with_context(|| format!("the Region has no panel {wanted}"))?;
            let wired = found["wired"].as_array().cloned().unwrap_or_default();
            output::list(access.output, WIRED, &wired, found)
        }
    }
}

fn panels(answer: &Value) -> Result<&Vec<Value>> {
    answer["panels"].as_array().context("the answer lacks panels")
}

fn counted(panel: &Value) -> Value {
    let mut row = panel.clone();
    row["in_use"] = panel["wired"].as_array().map_or(0, Vec::len).into();
    row
}

/// A location: how many ports are left. All that is in it is in the JSON.
pub(super) async fn location(access: &Access, code: &str) -> Result<()> {
    let answer = access.operator()?.list(&format!("locations/{code}")).await?;
    let rows = answer["capacity"].as_array().context("the answer lacks capacity")?;
    output::list(access.output, CAPACITY, rows, &answer)
}

pub(crate) async fn cross_connect(command: CrossConnectCommand) -> Result<()> {
    match command {
        CrossConnectCommand::List(access) => {
            let answer = access.operator()?.list("cross-connects").await?;
            let rows = answer["cross_connects"].as_array();
            let rows = rows.context("the answer lacks cross_connects")?;
            output::list(access.output, CROSS_CONNECTS, rows, &answer)
        }
        CrossConnectCommand::Patch { connection, by, at, access } => {
            let path = format!("cross-connects/{connection}/patch");
            access.add(&path, &json!({ "by": by, "at": at }), CROSS_CONNECTS).await
        }
        CrossConnectCommand::Unpatch { connection, by, at, access } => {
            let path = format!("cross-connects/{connection}/unpatch");
            access.add(&path, &json!({ "by": by, "at": at }), CROSS_CONNECTS).await
        }
    }
}

pub(crate) async fn letter(command: LetterCommand) -> Result<()> {
    match command {
        LetterCommand::List(access) => access.list("letters", LETTERS).await,
        LetterCommand::Send { connection, access } => {
            let path = format!("letters/{connection}/send");
            access.add(&path, &json!({}), CONNECTIONS).await
        }
        LetterCommand::Renew { connection, access } => {
            let path = format!("letters/{connection}/send");
            access.add(&path, &json!({ "renew": true }), CONNECTIONS).await
        }
    }
}
