//! Why is it not available? What must be in place, first things first, each with what is seen of it
//! and what mends it. Pure: told from the interface and the router's report.

use directlink_model::{
    connection::ConnectionState,
    interface::{InterfaceState, Seen},
    report::InterfaceReport,
    view::InterfaceView,
};

pub(in crate::cockpit) struct Rung {
    pub(in crate::cockpit) what: &'static str,
    pub(in crate::cockpit) step: Step,
    /// What is seen of it.
    pub(in crate::cockpit) evidence: String,
    /// What to do; empty where nothing is.
    pub(in crate::cockpit) remedy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cockpit) enum Step {
    Done,
    /// The one that all the rest waits for.
    Missing,
    /// Something before it is missing.
    Waits,
}

impl Step {
    pub(in crate::cockpit) const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Missing => "missing",
            Self::Waits => "waits",
        }
    }

    pub(in crate::cockpit) const fn tone(self) -> &'static str {
        match self {
            Self::Done => "good",
            Self::Missing => "bad",
            Self::Waits => "gone",
        }
    }
}

/// Empty for one that no router shall carry.
pub(in crate::cockpit) fn rungs(view: &InterfaceView, report: &InterfaceReport) -> Vec<Rung> {
    if !view.state.is_wanted() {
        return vec![];
    }
    let mut open = true;
    let all = [
        wire(view),
        configured(report),
        neighbour(view, report),
        session(view, report),
        rows(view, report),
    ];
    all.into_iter()
        .map(|(there, mut rung)| {
            rung.step = match (there, open) {
                (true, _) => Step::Done,
                (false, true) => Step::Missing,
                (false, false) => Step::Waits,
            };
            if rung.step != Step::Missing {
                rung.remedy.clear();
            }
            open &= there;
            rung
        })
        .collect()
}

fn rung(what: &'static str, evidence: String, remedy: String) -> Rung {
    Rung { what, step: Step::Waits, evidence, remedy }
}

fn wire(view: &InterfaceView) -> (bool, Rung) {
    let state = view.connection.state();
    let remedy = match state {
        ConnectionState::Ordering => "Confirm the connection first: it is offered to you.",
        ConnectionState::Requested => "The operator must approve the order first.",
        ConnectionState::Pending | ConnectionState::Down => {
            "Have the cross-connect checked: both ends plugged, transmit and receive not swapped, the optics of your port those of the letter."
        }
        ConnectionState::Available
        | ConnectionState::Deleting
        | ConnectionState::Deleted
        | ConnectionState::Rejected => "",
    };
    let evidence = format!("connection {} is {state}", view.connection.id);
    (state == ConnectionState::Available, rung("Light on the connection", evidence, remedy.into()))
}

fn configured(report: &InterfaceReport) -> (bool, Rung) {
    let evidence = match (&report.failure, report.configured) {
        (_, true) => "VLAN, addresses and tables are in the router".into(),
        (Some(failure), false) => failure.clone(),
        (None, false) => "the router has not said so yet".into(),
    };
    let remedy = "This is ours. It takes seconds; if it stays, tell the operator what stands here.";
    (report.configured, rung("DirectLink router configured", evidence, remedy.into()))
}

fn neighbour(view: &InterfaceView, report: &InterfaceReport) -> (bool, Rung) {
    let (vlan, address) = (view.interface.vlan, view.interface.peer.customer().addr());
    let evidence = match report.neighbour {
        Some(mac) => format!("{address} answers from {mac}"),
        None => format!("nobody answers for {address} in VLAN {vlan}"),
    };
    let remedy = format!(
        "Configure {} in VLAN {vlan} on your router, tagged, with both its port and its sub-interface enabled.",
        view.interface.peer.customer()
    );
    (report.neighbour.is_some(), rung("Your router answers", evidence, remedy))
}

fn session(view: &InterfaceView, report: &InterfaceReport) -> (bool, Rung) {
    let session = &report.session;
    let evidence = match &session.last_error {
        Some(error) if !session.is_established() => format!("{}: {error}", session.state),
        Some(_) | None => session.state.clone(),
    };
    let testing = view.state == InterfaceState::Testing;
    let remedy = match testing {
        true => {
            "A failover test keeps it shut. It comes up again when the test is over.".to_owned()
        }
        false => format!(
            "On your router: neighbour {}, its AS number this Region's, your own AS {}, and the same BGP key on both sides.",
            view.interface.peer.router().addr(),
            view.interface.asn
        ),
    };
    (session.is_established(), rung("BGP session established", evidence, remedy))
}

fn rows(view: &InterfaceView, report: &InterfaceReport) -> (bool, Rung) {
    let peer = view.interface.main_peer().id;
    let Seen { forwarding, .. } = report.seen(view.interface.id, peer);
    let accepted = report.learned.len();
    let evidence = match forwarding {
        true => format!("{accepted} of your prefixes are forwarded to"),
        false => "its tables are not in the router's kernel".into(),
    };
    let remedy = "This is ours. It takes seconds; if it stays, tell the operator what stands here.";
    (forwarding, rung("Forwarding", evidence, remedy.into()))
}
