//! Mail to accounts: rows of the outbox, sent once, tried again while that fails.
//!
//! ```text
//!   woken, without data, by an act · by the time of the next try
//!        │
//!        ▼
//!   owe      what time alone makes worth telling is put down, once (notices)
//!   claim    the attempt is written down: nobody else makes it
//!   say      what the facts give now (../app/mails.rs, words, message); nothing any more: dropped
//!   send     to a folder, or a relay (post)
//!   mark     sent; or failed, with the time of the next try
//! ```
//!
//! SMTP cannot promise "once": whoever dies between the relay's yes and the mark sends again. The
//! `Message-ID` is then the same, and what receives mail knows it as one.

pub(crate) mod maintenance_words;
pub(crate) mod message;
mod notices;
pub(crate) mod post;
#[cfg(test)]
mod tests;
pub(crate) mod words;

pub use lettre::message::Mailbox;
pub use post::Error;
pub(crate) use post::Post;

pub(crate) use notices::put_down;

use crate::{
    app::{App, Refusal, write_tx},
    store::{
        self,
        journal::{self, Actor},
        outbox::{self, Mail},
    },
};
use directlink_model::notice::{TRY_FOR, pause_after};
use jiff::{SignedDuration, Timestamp};
use message::{Head, message, message_id};
use post::Undelivered;
use std::time::Duration;
use tokio::time::timeout;
use tracing::{error, info, warn};
use words::Content;

/// An attempt that nobody ended is made again after so long: longer than [`post::SEND_WITHIN`].
const ATTEMPT_HELD: SignedDuration = SignedDuration::from_secs(40);

/// It looks so often although nobody woke it: another server may have put something down.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Where mail goes, and in whose name.
pub(crate) struct Mailer {
    pub(crate) post: Post,
    pub(crate) from: Mailbox,
}

/// Runs until the server stops; what it is at then is ended first.
pub(crate) async fn run(app: App, mailer: Mailer) {
    let mut stop = app.parts().stop.subscribe();
    while !*stop.borrow() {
        let next = match round(&app, &mailer).await {
            Ok(next) => next,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "a round of mail failed");
                None
            }
        };
        let now = app.now();
        let wait = next.and_then(|at| Duration::try_from(at.duration_since(now)).ok());
        let wait = wait.unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
        tokio::select! {
            _ = timeout(wait, app.parts().wake_mail.notified()) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// Puts down and sends what is due, and says when to look again.
pub(crate) async fn round(app: &App, mailer: &Mailer) -> Result<Option<Timestamp>, Refusal> {
    put_down(app).await?;
    loop {
        let now = app.now();
        let mut db = app.parts().store.reader().await?;
        let due = outbox::due(&mut db, now).await?;
        if due.is_empty() {
            return Ok(outbox::next_due(&mut db).await?);
        }
        drop(db);
        for mail in due {
            if *app.parts().stop.borrow() {
                return Ok(None);
            }
            if deliver(app, mailer, &mail).await? == Delivery::WayIsShut {
                // The others would meet the same: they wait a little.
                return Ok(Some(app.now() + pause_after(1)));
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Ended,
    /// To be tried again.
    Refused,
    WayIsShut,
}

async fn deliver(app: &App, mailer: &Mailer, mail: &Mail) -> Result<Delivery, Refusal> {
    let now = app.now();
    let claimed = write_tx!(app, false, store::Error, |tx| {
        outbox::claim(tx, mail, now + ATTEMPT_HELD).await
    })?;
    if !claimed {
        return Ok(Delivery::Ended);
    }
    let words = match app.mail_content(mail.notice).await? {
        Content::Words(words) => words,
        Content::Moot(why) => {
            info!(mail = %mail.id, why, "not mailed: it is not so any more");
            return close(app, mail, &why).await;
        }
    };
    let address = app.address_of(mail.notice.to).await?.unwrap_or_default();
    let to = match address.parse() {
        Ok(email) => Mailbox::new(None, email),
        Err(why) => return abandon(app, mail, &format!("'{address}' takes no mail: {why}")).await,
    };
    let date_seconds = u64::try_from(mail.created_at.as_second()).unwrap_or(0);
    let head = Head { id: mail.id, from: mailer.from.clone(), to, date_seconds };
    let message = match message(head, words) {
        Ok(message) => message,
        Err(why) => return abandon(app, mail, &why.to_string()).await,
    };
    match mailer.post.send(mail.id, message).await {
        Ok(()) => mark_sent(app, mailer, mail).await,
        Err(why) => mark_failed(app, mail, &why).await,
    }
}

async fn mark_sent(app: &App, mailer: &Mailer, mail: &Mail) -> Result<Delivery, Refusal> {
    let now = app.now();
    let occasion = mail.notice.occasion;
    let (what, why) = (format!("{} mailed", occasion.kind()), message_id(mail.id, &mailer.from));
    write_tx!(app, false, store::Error, |tx| {
        outbox::sent(tx, mail.id, now).await?;
        journal::record(tx, (&Actor::Mail, now), occasion.subject(), &what, &why).await
    })?;
    info!(mail = %mail.id, kind = occasion.kind(), subject = occasion.subject(), "mailed");
    Ok(Delivery::Ended)
}

async fn mark_failed(app: &App, mail: &Mail, why: &Undelivered) -> Result<Delivery, Refusal> {
    let now = app.now();
    let (text, attempts) = (told(why), mail.attempts.saturating_add(1));
    if now.duration_since(mail.created_at) >= TRY_FOR {
        return abandon(app, mail, &format!("given up after {attempts} attempts: {text}")).await;
    }
    warn!(mail = %mail.id, attempts, why = text, "a mail is not delivered yet");
    let next_try = now + pause_after(attempts);
    write_tx!(app, false, store::Error, |tx| {
        outbox::failed(tx, mail.id, &text, next_try).await
    })?;
    Ok(match why {
        Undelivered::Answer(_) => Delivery::Refused,
        Undelivered::Folder(_) | Undelivered::Relay(_) | Undelivered::TooLate => {
            Delivery::WayIsShut
        }
    })
}

/// It will not be sent: somebody must know.
async fn abandon(app: &App, mail: &Mail, why: &str) -> Result<Delivery, Refusal> {
    let occasion = mail.notice.occasion;
    error!(mail = %mail.id, kind = occasion.kind(), subject = occasion.subject(), why, "not mailed");
    close(app, mail, why).await
}

async fn close(app: &App, mail: &Mail, why: &str) -> Result<Delivery, Refusal> {
    let now = app.now();
    let occasion = mail.notice.occasion;
    let what = format!("{} not mailed", occasion.kind());
    write_tx!(app, false, store::Error, |tx| {
        outbox::abandon(tx, mail.id, why, now).await?;
        journal::record(tx, (&Actor::Mail, now), occasion.subject(), &what, why).await
    })?;
    Ok(Delivery::Ended)
}

/// With its causes: a relay's error says little by itself.
fn told(error: &Undelivered) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error).and_then(std::error::Error::source);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
