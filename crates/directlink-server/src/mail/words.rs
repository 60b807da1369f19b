//! What mails say. Pure: the same facts give the same text.

use crate::loa::Letter;
use directlink_model::{
    connection::{Connection, ConnectionState},
    interface::Confirmation,
    inventory::Connector,
    notice::{Notice, Occasion},
    view::{ConnectionView, InterfaceView},
};
use jiff::Timestamp;

/// A mail's text, or the reason for which there is nothing to say any more.
pub(crate) enum Content {
    Words(Words),
    Moot(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) attachment: Option<Attachment>,
}

/// A PDF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attachment {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Without the letter itself.
pub(crate) fn letter_issued(letter: &Letter) -> Words {
    let (id, name) = (letter.connection, &letter.connection_name);
    let (location, port, optics) = (&letter.location, &letter.port, letter.bandwidth.optics());
    let connector = letter.demarcation.as_ref().map_or(Connector::Lc, |it| it.connector).as_str();
    let place = letter.demarcation.as_ref().map_or_else(String::new, |it| {
        format!(
            ", at panel {} position {} of meet-me room {}, {}",
            it.panel, it.position, it.room, it.data_centre
        )
    });
    let text = format!(
        "Your order {id} ({name}) is approved. Its Letter of Authorization is attached.\n\
         \n\
         Give the letter to your network service provider, who asks the data centre to connect your\n\
         fibre-optic cable to the DirectLink router.\n\
         \n\
         Location:    {}: {}\n\
         Port:        {port}{place}\n\
         Optics:      {optics}, single-mode fibre, {connector} connector\n\
         Valid until: {}\n\
         \n\
         The connection stays pending until the link is plugged to both your router and the DirectLink\n\
         router.\n",
        location.code,
        location.name,
        day(letter.valid_until),
    );
    Words { subject: format!("Letter of Authorization for {id} ({name})"), text, attachment: None }
}

/// Of a connection, as it is now.
pub(crate) fn of_connection(view: &ConnectionView, notice: Notice) -> Content {
    let c = &view.connection;
    let Connection { id, name, location, bandwidth, .. } = c;
    let waits = view.state == ConnectionState::Pending;
    let (subject, text) = match notice.occasion {
        Occasion::OrderRefused(_) => {
            let Some(refused) = &c.refused else { return moot("it is not refused") };
            let text = format!(
                "Your order {id} ({name}), {bandwidth} at {location}, is refused. The operator's reason:\n\n\
                 {}\n\n\
                 Nothing was built, and the order holds nothing any more. You can place another one.\n",
                refused.reason
            );
            (format!("Your order {id} ({name}) is refused"), text)
        }
        Occasion::LetterEnding(_) if waits => (
            format!("The Letter of Authorization for {id} ({name}) ends on {}", day(notice.at)),
            format!(
                "No fibre of {id} ({name}) is plugged yet, and its Letter of Authorization ends on {}.\n\n\
                 Ask your network service provider how far the cross-connect is. The letter is in Cockpit, on\n\
                 the page of the connection.\n",
                day(notice.at)
            ),
        ),
        Occasion::LetterLapsed(_) if waits => (
            format!("The Letter of Authorization for {id} ({name}) has run out"),
            format!(
                "No fibre of {id} ({name}) was plugged by {}, when its Letter of Authorization ended.\n\n\
                 Your order stays, and so does its port. Ask the operator, or delete the connection if you do\n\
                 not need it any more.\n",
                day(notice.at)
            ),
        ),
        Occasion::ConnectionAvailable(_) if view.state == ConnectionState::Available => (
            format!("Your connection {id} ({name}) is available"),
            format!(
                "Your connection {id} ({name}), {bandwidth} at {location}, is available since {}: the network\n\
                 link is plugged to both your router and the DirectLink router.\n",
                moment(notice.at)
            ),
        ),
        Occasion::ConnectionDown(_) if c.light.is_some_and(|light| light.since == notice.at) => (
            format!("Your connection {id} ({name}) is down"),
            format!(
                "Your connection {id} ({name}), {bandwidth} at {location}, is down since {}: the DirectLink\n\
                 router sees no light. Look at your router's port, its optics and the cross-connect. You are\n\
                 told when there is light again.\n",
                moment(notice.at)
            ),
        ),
        _ => return moot("it is so no more"),
    };
    Content::Words(Words { subject, text, attachment: None })
}

/// Of an interface that one account offers to another.
pub(crate) fn of_interface(view: &InterfaceView, notice: Notice) -> Content {
    let i = &view.interface;
    let (id, name, vlan, host) = (i.id, &i.name, i.vlan, view.connection.account);
    let what = format!("the interface {id} ({name}), VLAN {vlan} on {}", i.connection);
    let (subject, text) = match (notice.occasion, i.confirmation) {
        (Occasion::InterfaceWaiting(_), Confirmation::AwaitedUntil(until)) => (
            format!("Account {host} offers you the interface {id} ({name})"),
            format!(
                "Account {host} offers you {what}.\n\n\
                 Accept it until {} with a virtual gateway of yours: in Cockpit, under Interfaces, or with\n\
                 ConfirmPrivateVirtualInterface of the API. Delete it to reject it.\n",
                moment(until)
            ),
        ),
        (Occasion::InterfaceExpiring(_), Confirmation::AwaitedUntil(until)) => (
            format!("The interface {id} ({name}) expires on {}", day(until)),
            format!(
                "Account {host} offers you {what}, and you have not accepted it yet.\n\n\
                 It expires at {}. Accept it before in Cockpit, under Interfaces, or with\n\
                 ConfirmPrivateVirtualInterface of the API.\n",
                moment(until)
            ),
        ),
        (Occasion::InterfaceExpired(_), Confirmation::ExpiredAt(at)) => (
            format!("The interface {id} ({name}) has expired"),
            format!(
                "Account {} did not accept {what}: the offer ended at {}.\n\n\
                 It can no longer be used. Account {host} can create a new one.\n",
                i.owner,
                moment(at)
            ),
        ),
        _ => return moot("it is so no more"),
    };
    Content::Words(Words { subject, text, attachment: None })
}

pub(super) fn moot(why: &str) -> Content {
    Content::Moot(why.into())
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
