//! What mails say. Pure: the same facts give the same text.

use crate::loa::Letter;
use directlink_model::connection::Connection;
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
    let text = format!(
        "Your order {id} ({name}) is approved. Its Letter of Authorization is attached.\n\
         \n\
         Give the letter to your network service provider, who asks the data centre to connect your\n\
         fibre-optic cable to the DirectLink router.\n\
         \n\
         Location:    {}: {}\n\
         Port:        {port}\n\
         Optics:      {optics}, single-mode fibre, LC connector\n\
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

pub(crate) fn order_refused(connection: &Connection, reason: &str) -> Words {
    let Connection { id, name, location, bandwidth, .. } = connection;
    let text = format!(
        "Your order {id} ({name}), {bandwidth} at {location}, is refused. The operator's reason:\n\
         \n\
         {reason}\n\
         \n\
         Nothing was built, and the order holds nothing any more. You can place another one.\n",
    );
    Words { subject: format!("Your order {id} ({name}) is refused"), text, attachment: None }
}

pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}
