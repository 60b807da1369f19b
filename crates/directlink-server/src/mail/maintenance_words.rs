//! What mails say of maintenances. Pure, as [`super::words`].

use super::words::{Content, Words, moment, moot};
use crate::app::MaintenanceView;
use directlink_model::{
    coverage::Shade,
    maintenance::{Maintenance, State, Target},
    notice::{Notice, Occasion},
};

/// Of one on something of the reader's, as it is now.
pub(crate) fn of_maintenance(view: &MaintenanceView, notice: Notice) -> Content {
    let it = &view.maintenance;
    let place = place(&it.target);
    let (subject, opening) = match (notice.occasion, view.state) {
        (Occasion::MaintenancePlanned(_), State::Planned) => {
            (format!("Maintenance of {place} on {}", moment(it.from)), "is planned")
        }
        (Occasion::MaintenanceMoved(_), State::Planned) => {
            (format!("Maintenance of {place} is moved to {}", moment(it.from)), "is moved")
        }
        (Occasion::MaintenanceSoon(_), State::Planned) => {
            (format!("Maintenance of {place} begins on {}", moment(it.from)), "begins soon")
        }
        (Occasion::MaintenanceBegun(_), State::Running) => {
            (format!("Maintenance of {place} has begun"), "has begun")
        }
        (Occasion::MaintenanceEnded(_), State::Ended) => {
            (format!("Maintenance of {place} is over"), "is over")
        }
        (Occasion::MaintenanceCancelled(_), State::Cancelled) => {
            (format!("Maintenance of {place} is cancelled"), "is cancelled")
        }
        _ => return moot("it is so no more"),
    };
    let text = format!(
        "Work on {place} {opening} ({id}).\n\n\
         From:   {from}\n\
         Until:  {until}\n\
         Reason: {reason}\n\n{effect}",
        id = it.id,
        from = moment(it.from),
        until = until(it),
        reason = it.reason,
        effect = effect(view),
    );
    Content::Words(Words { subject, text, attachment: None })
}

fn place(target: &Target) -> String {
    match target {
        Target::Interface(id) => format!("your interface {id}"),
        Target::Connection(id) => format!("your connection {id}"),
        Target::Router(name) => format!("the DirectLink router {name}"),
        Target::Location(code) => format!("the location {code}"),
    }
}

fn until(it: &Maintenance) -> String {
    it.ended_at.or(it.until).map_or_else(|| "the work is done".into(), moment)
}

/// What the reader's router sees, and what of theirs goes dark.
fn effect(view: &MaintenanceView) -> String {
    if matches!(view.state, State::Ended | State::Cancelled) {
        return "Nothing is left for you to do.\n".into();
    }
    let mut text = String::from(
        "Before the work begins your router is told to use other ways: our routes come with a longer\n\
         AS_PATH and the community GRACEFUL_SHUTDOWN (RFC 8326), and are withdrawn a while later. BGP\n\
         stays up. Where you have another connection, traffic moves there and back again by itself.\n",
    );
    let ids = view.interfaces.iter().map(|placed| placed.interface.id.to_string());
    let ids: Vec<_> = ids.collect();
    if !ids.is_empty() {
        text += &format!("\nYour interfaces there: {}\n", ids.join(", "));
    }
    for Shade { net, .. } in view.shades.iter().filter(|shade| shade.is_dark) {
        text += &format!(
            "\nThe Net {net} has no other way now: without one it is unreachable from your network meanwhile.\n"
        );
    }
    text
}
