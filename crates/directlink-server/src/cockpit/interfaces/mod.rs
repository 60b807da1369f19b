//! Interfaces: the list, one in detail, and the forms that make and change them.

pub(super) mod accept;
pub(super) mod change;
pub(super) mod create;
pub(super) mod detail;
pub(super) mod glass;
pub(super) mod ladder;
pub(super) mod list;
pub(super) mod peers;
pub(super) mod prerequisites;
mod sessions;

use super::{
    Cockpit,
    door::Customer,
    page::Trouble,
    words::{Badge, confirmation_left, interface_badge},
};
use crate::app::{InterfaceFilter, Refusal};
use directlink_model::{
    Fault,
    ids::{AccountId, InterfaceId},
    interface::InterfaceState,
    view::InterfaceView,
};
use jiff::Timestamp;

/// An interface in a list.
pub(super) struct Line {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) badge: Badge,
    pub(super) vlan: String,
    pub(super) asn: String,
    pub(super) connection: String,
    pub(super) connection_name: String,
    /// The connection is the visitor's, so that its page is.
    pub(super) own_connection: bool,
    pub(super) gateway: String,
    /// Whose it is, where that is not the visitor's alone.
    pub(super) hosted: Option<String>,
    pub(super) left: Option<String>,
    pub(super) to_accept: bool,
}

impl Line {
    pub(super) fn of(view: &InterfaceView, account: AccountId, now: Timestamp) -> Self {
        let (i, connection) = (&view.interface, &view.connection);
        let confirming = view.state == InterfaceState::Confirming;
        Self {
            id: i.id.to_string(),
            name: i.name.clone(),
            badge: interface_badge(view.state),
            vlan: i.vlan.to_string(),
            asn: i.main_peer().asn.to_string(),
            connection: connection.id.to_string(),
            connection_name: connection.name.clone(),
            own_connection: connection.account == account,
            gateway: i.gateway.map_or_else(|| "—".into(), |gateway| gateway.to_string()),
            hosted: hosted(view, account),
            left: confirmation_left(i, now).filter(|_| confirming),
            to_accept: confirming && i.owner == account,
        }
    }
}

pub(super) fn hosted(view: &InterfaceView, account: AccountId) -> Option<String> {
    let (owner, host) = (view.interface.owner, view.connection.account);
    match (owner == host, owner == account) {
        (true, _) => None,
        (false, true) => Some(format!("hosted by account {host}")),
        (false, false) => Some(format!("hosted for account {owner}")),
    }
}

/// One that the visitor may see, or nothing.
pub(super) async fn visible(
    cockpit: &Cockpit,
    who: &Customer,
    id: InterfaceId,
) -> Result<InterfaceView, Trouble> {
    let filter = InterfaceFilter { interfaces: Some(vec![id]), ..InterfaceFilter::default() };
    let found = cockpit.app.interfaces(&who.context(cockpit), &filter).await?;
    Ok(found.into_iter().next().ok_or(Refusal::Fault(Fault::NoSuchInterface(id)))?)
}

/// Of the address of a page.
pub(super) fn id_of(text: &str) -> Result<InterfaceId, Trouble> {
    text.parse().map_err(|_| Trouble::NothingThere)
}
