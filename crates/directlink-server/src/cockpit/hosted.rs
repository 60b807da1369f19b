//! Hosted connections: what one is to either side, and its customer's answer to the offer.

use super::{
    Cockpit,
    door::{Customer, Posted},
    page::{Trouble, see_other},
    words::{Badge, connection_badge, left},
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use directlink_model::{
    connection::Connection, ids::ConnectionId, interface::Confirmation, view::ConnectionView,
};
use jiff::Timestamp;

/// A share of another account's fibre, as its customer reads of it.
pub(super) struct Share {
    pub(super) vlan: String,
    pub(super) capacity: &'static str,
    pub(super) partner: String,
    /// How long the offer stands.
    pub(super) left: Option<String>,
}

impl Share {
    pub(super) fn of(connection: &Connection, now: Timestamp) -> Option<Self> {
        let hosting = connection.hosting.as_ref()?;
        let left = match hosting.offer {
            Confirmation::AwaitedUntil(until) => Some(left(until, now)),
            Confirmation::Given | Confirmation::ExpiredAt(_) | Confirmation::RejectedAt(_) => None,
        };
        Some(Self {
            vlan: hosting.vlan.to_string(),
            capacity: hosting.capacity.as_str(),
            partner: hosting.partner.to_string(),
            left,
        })
    }
}

/// One that the visitor hosts for another.
pub(super) struct Guest {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) badge: Badge,
    pub(super) account: String,
    pub(super) vlan: String,
    pub(super) capacity: &'static str,
    pub(super) left: Option<String>,
}

impl Guest {
    pub(super) fn of(view: &ConnectionView, now: Timestamp) -> Option<Self> {
        let Share { vlan, capacity, left, .. } = Share::of(&view.connection, now)?;
        let c = &view.connection;
        let (badge, account) = (connection_badge(view.state), c.account.to_string());
        Some(Self {
            id: c.id.to_string(),
            name: c.name.clone(),
            badge,
            account,
            vlan,
            capacity,
            left,
        })
    }
}

/// Its customer takes it.
pub(super) async fn accept(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, .. }: Posted<Customer>,
) -> Result<Response, Trouble> {
    let id: ConnectionId = id.parse().map_err(|_| Trouble::NothingThere)?;
    cockpit.app.confirm_connection(&who.context(&cockpit), id).await?;
    Ok(see_other(&format!("/cockpit/connections/{id}?done=taken")))
}
