//! A mail as it goes over the wire (RFC 5322, MIME). Pure: the same mail is the same to the byte,
//! its `Message-ID` and `Date` are those of the row, so that a copy is known as one.

use super::words::{Attachment, Words};
use lettre::{
    Message,
    message::{Attachment as Part, Mailbox, MultiPart, SinglePart, header::ContentType},
};
use std::time::{Duration, SystemTime};
use thiserror::Error;
use uuid::Uuid;

/// What the head of a mail needs beside its words.
pub(super) struct Head {
    pub(super) id: Uuid,
    pub(super) from: Mailbox,
    pub(super) to: Mailbox,
    /// Seconds since 1970.
    pub(super) date_seconds: u64,
}

#[derive(Debug, Error)]
pub(super) enum Error {
    #[error("the mail cannot be written")]
    Write(#[from] lettre::error::Error),
    #[error("a content type cannot be written")]
    ContentType(#[from] lettre::message::header::ContentTypeErr),
}

pub(super) fn message(head: Head, words: Words) -> Result<Message, Error> {
    let Head { id, from, to, date_seconds } = head;
    let message_id = message_id(id, &from);
    let builder = Message::builder()
        .from(from)
        .to(to)
        .subject(words.subject)
        .message_id(Some(message_id))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(date_seconds));
    // Nobody answers for a program (RFC 3834).
    let builder = builder.raw_header(lettre::message::header::HeaderValue::new(
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted"),
        "auto-generated".to_owned(),
    ));
    let text = SinglePart::plain(words.text);
    Ok(match words.attachment {
        None => builder.singlepart(text)?,
        Some(Attachment { name, bytes }) => {
            let pdf = Part::new(name).body(bytes, ContentType::parse("application/pdf")?);
            let parts = MultiPart::mixed().boundary(id.simple().to_string());
            builder.multipart(parts.singlepart(text).singlepart(pdf))?
        }
    })
}

/// Stable: of the row's number.
pub(super) fn message_id(id: Uuid, from: &Mailbox) -> String {
    format!("<{id}@{}>", from.email.domain())
}
