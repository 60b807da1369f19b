//! Webhooks: what happens to an account's connections and interfaces, told to the address that it
//! named. Built as mail is: rows of an outbox, sent once, tried again while that fails.
//!
//! ```text
//!   something was written · the time of the next try
//!        │
//!        ▼
//!   owe      events of the journal that are new become messages, once for each webhook
//!   claim    the attempt is written down: nobody else makes it
//!   post     signed, to the address, if that is on the public Internet
//!   mark     sent; or failed, with the time of the next try
//! ```
//!
//! An event is in the act's own transaction, so that none is lost. Messages of a webhook go in
//! order, one after the other; no webhook waits for another.

mod post;
mod signature;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use post::Post;
pub(crate) use signature::new_secret;
pub use target::{BadTarget, Target};

use crate::{
    app::{App, Refusal, write_tx},
    store::{
        self,
        editions::Touched,
        journal::{self, Event},
        webhooks::{self, Message, Owed, Webhook},
    },
};
use directlink_model::{
    ids::WebhookId,
    notice::{TRY_FOR, pause_after},
};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::timeout;
use tracing::{error, info, warn};

/// An attempt that nobody ended is made again after so long: longer than [`post::SEND_WITHIN`].
const ATTEMPT_HELD: SignedDuration = SignedDuration::from_secs(30);

/// It looks so often although nobody woke it: another server may have written something.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Acts that run at once are written in an order that is not that of their moments: so far back it
/// looks for an event that it did not see.
const LOOK_BACK: SignedDuration = SignedDuration::from_secs(60);

/// What was told stays readable for so long.
const KEEP: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Events that are read at once.
const PAGE: usize = 500;

/// Up to which moment events are owed. `None`: this process has not looked yet.
#[derive(Debug, Default)]
pub(crate) struct Seen(Option<Timestamp>);

/// Runs until the server stops; what it is at then is ended first.
pub(crate) async fn run(app: App, post: Post) {
    let (mut stop, mut changes) = (app.parts().stop.subscribe(), app.parts().store.changes());
    let mut seen = Seen::default();
    while !*stop.borrow() {
        let next = match round(&app, &post, &mut seen).await {
            Ok(next) => next,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "a round of webhooks failed");
                None
            }
        };
        let wait = next.and_then(|at| Duration::try_from(at.duration_since(app.now())).ok());
        let wait = wait.unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
        tokio::select! {
            _ = timeout(wait, changes.changed()) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}

/// Owes what is new, tells what is due, and says when to look again.
pub(crate) async fn round(
    app: &App,
    post: &Post,
    seen: &mut Seen,
) -> Result<Option<Timestamp>, Refusal> {
    owe(app, seen).await?;
    loop {
        let mut db = app.parts().store.reader().await?;
        let due = webhooks::due(&mut db, app.now()).await?;
        if due.is_empty() {
            return Ok(webhooks::next_due(&mut db).await?);
        }
        drop(db);
        let mut lines: BTreeMap<WebhookId, Vec<Message>> = BTreeMap::new();
        for message in due {
            lines.entry(message.webhook).or_default().push(message);
        }
        let told = lines.into_values().map(|line| tell_in_order(app, post, line));
        for outcome in join_all(told).await {
            outcome?;
        }
        if *app.parts().stop.borrow() {
            return Ok(None);
        }
    }
}

/// Makes messages of events that are new.
async fn owe(app: &App, seen: &mut Seen) -> Result<(), Refusal> {
    let mut db = app.parts().store.snapshot().await?;
    let hooks = webhooks::living(&mut db).await?;
    let Some(first) = hooks.iter().map(|hook| hook.created_at).min() else { return Ok(()) };
    let last_owed = match seen.0 {
        Some(at) => Some(at),
        None => webhooks::last_owed(&mut db).await?,
    };
    let from = last_owed.map_or(first, |at| (at - LOOK_BACK).max(first));
    let (mut after, mut owed, mut last) = ((from, String::new()), Vec::new(), from);
    loop {
        let page = journal::since(&mut db, (after.0, &after.1), PAGE).await?;
        for (id, event) in &page {
            last = last.max(event.at);
            owed.extend(owed_of(&mut db, &hooks, (id, event)).await?);
        }
        match page.last() {
            Some((id, event)) if page.len() == PAGE => after = (event.at, id.clone()),
            _ => break,
        }
    }
    drop(db);
    if !owed.is_empty() {
        let now = app.now();
        write_tx!(app, false, store::Error, |tx| {
            tx.touched = Touched::None;
            for message in &owed {
                webhooks::owe(tx, message, now).await?;
            }
            webhooks::forget(tx, now - KEEP).await
        })?;
    }
    seen.0 = Some(last);
    Ok(())
}

/// An event's messages that are not owed yet.
async fn owed_of(
    db: &mut store::AnyConnection,
    hooks: &[Webhook],
    (id, event): (&str, &Event),
) -> Result<Vec<Owed>, store::Error> {
    if !SUBJECTS.iter().any(|prefix| event.subject.starts_with(prefix)) {
        return Ok(Vec::new());
    }
    let owners = webhooks::owners(db, &event.subject).await?;
    let mut owed = Vec::new();
    for hook in hooks.iter().filter(|hook| owners.contains(&hook.account)) {
        if event.at < hook.created_at || webhooks::is_owed(db, hook.id, id).await? {
            continue;
        }
        owed.push(Owed {
            webhook: hook.id,
            event: id.to_owned(),
            at: event.at,
            kind: kind_of(&event.what),
            subject: event.subject.clone(),
            body: body_of(event),
        });
    }
    Ok(owed)
}

/// Of connections, LAGs and interfaces; what is about other things is not told.
const SUBJECTS: [&str; 3] = ["dxcon-", "dxlag-", "dxvif-"];

/// `connection down` → `connection.down`, `interface deletion asked` → `interface.deletion_asked`.
fn kind_of(what: &str) -> String {
    // Of a BGP peer the journal names which.
    let what = match what.split_once(' ') {
        Some((peer, rest)) if peer.starts_with("dxpeer-") => format!("bgp_peer {rest}"),
        _ => what.to_owned(),
    };
    what.to_lowercase().replacen(' ', ".", 1).replace([' ', '-'], "_")
}

fn body_of(event: &Event) -> String {
    let Event { at, actor, subject, what, why } = event;
    let data = json!({ "id": subject, "what": what, "why": why, "actor": actor });
    json!({ "type": kind_of(what), "timestamp": at, "data": data }).to_string()
}

/// One after the other, until one is not taken.
async fn tell_in_order(app: &App, post: &Post, line: Vec<Message>) -> Result<(), Refusal> {
    for message in line {
        if *app.parts().stop.borrow() || !tell(app, post, &message).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether the next one may go.
async fn tell(app: &App, post: &Post, message: &Message) -> Result<bool, Refusal> {
    let held_until = app.now() + ATTEMPT_HELD;
    let claimed = write_tx!(app, false, store::Error, |tx| {
        tx.touched = Touched::None;
        webhooks::claim(tx, message, held_until).await
    })?;
    if !claimed {
        return Ok(false);
    }
    let outcome = post.send(message, app.machine_now().as_second()).await;
    let now = app.now();
    let Err(why) = outcome else {
        write_tx!(app, false, store::Error, |tx| {
            tx.touched = Touched::None;
            webhooks::sent(tx, message.id, now).await
        })?;
        info!(message = %message.id, webhook = %message.webhook, kind = message.kind, "told");
        return Ok(true);
    };
    let (text, attempts) = (why.to_string(), message.attempts.saturating_add(1));
    let is_over = now.duration_since(message.at) >= TRY_FOR;
    warn!(message = %message.id, webhook = %message.webhook, attempts, why = text,
        "a webhook did not take a message");
    let next_try = now + pause_after(attempts);
    write_tx!(app, false, store::Error, |tx| {
        tx.touched = Touched::None;
        match is_over {
            true => {
                let why = format!("given up after {attempts} attempts: {text}");
                webhooks::abandon(tx, message.id, &why, now).await
            }
            false => webhooks::failed(tx, message, &text, next_try).await,
        }
    })?;
    Ok(is_over)
}
