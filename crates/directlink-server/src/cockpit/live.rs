//! A page's middle again, whenever it has changed: server-sent events for htmx.
//!
//! A write of this process wakes every stream; a period makes up for what it misses: counters that
//! nobody stores, time left, what another server wrote. The middle is sent only if it is unlike the
//! last one. A stream does not count as somebody at the desk, and ends with the session.

use super::{
    Cockpit,
    door::Signed,
    page::{Trouble, sign_in_path},
};
use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures::{FutureExt, Stream, future::BoxFuture, stream};
use std::{convert::Infallible, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::sleep,
};

/// So often although nobody woke it.
const PERIOD: Duration = Duration::from_secs(5);
/// Writes come in bursts: one look for all of them.
const TOGETHER: Duration = Duration::from_millis(200);

type Look = Box<dyn Fn() -> BoxFuture<'static, Result<String, Trouble>> + Send + Sync>;

struct Follow {
    cockpit: Cockpit,
    signed: Signed,
    look: Look,
    last: String,
    changes: watch::Receiver<()>,
    stop: watch::Receiver<bool>,
    end: End,
    _place: OwnedSemaphorePermit,
}

/// A browser comes again after a stream that just broke off: that it is over must be said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    NotYet,
    Decided,
    Said,
}

/// The name that `hx-sse:close` waits for.
const END: &str = "end";

/// Follows what `look` renders. 204 where too many streams run: the page stays as it was read.
pub(super) fn follow<F>(
    cockpit: &Cockpit,
    signed: Signed,
    look: impl Fn() -> F + Send + Sync + 'static,
) -> Response
where
    F: Future<Output = Result<String, Trouble>> + Send + 'static,
{
    let Ok(place) = cockpit.streams.clone().try_acquire_owned() else {
        return http::StatusCode::NO_CONTENT.into_response();
    };
    let parts = cockpit.app.parts();
    let follow = Follow {
        cockpit: cockpit.clone(),
        signed,
        look: Box::new(move || look().boxed()),
        last: String::new(),
        changes: parts.store.changes(),
        stop: parts.stop.subscribe(),
        end: End::NotYet,
        _place: place,
    };
    Sse::new(events(follow)).keep_alive(KeepAlive::default()).into_response()
}

fn events(follow: Follow) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(follow, |mut follow| async move {
        let event = follow.next().await?;
        Some((Ok(event), follow))
    })
}

impl Follow {
    /// `None`: the stream is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            match self.end {
                End::NotYet => {}
                End::Decided => {
                    self.end = End::Said;
                    return Some(Event::default().event(END).data(END));
                }
                End::Said => return None,
            }
            if !self.last.is_empty() && !self.wait().await {
                return None;
            }
            self.changes.mark_unchanged();
            let middle = match self.signed.lasts(&self.cockpit).await {
                Ok(true) => (self.look)().await,
                Ok(false) => Ok(self.farewell()),
                Err(trouble) => Err(trouble),
            };
            let middle = middle.unwrap_or_else(|trouble| self.failed(trouble));
            if middle != self.last {
                let event = Event::default().data(middle.replace('\r', ""));
                self.last = middle;
                return Some(event);
            }
        }
    }

    /// Until there may be news; `false`: the server stops.
    async fn wait(&mut self) -> bool {
        let woken = tokio::select! {
            changed = self.changes.changed() => changed.is_ok(),
            () = sleep(PERIOD) => true,
            _ = self.stop.wait_for(|stop| *stop) => false,
        };
        if woken {
            sleep(TOGETHER).await;
        }
        woken
    }

    fn farewell(&mut self) -> String {
        self.end = End::Decided;
        let path = sign_in_path();
        format!(
            "<p class=\"notice bad\">Your session has ended. <a href=\"{path}\">Sign in again</a></p>"
        )
    }

    /// Gone, or not to be read now: said once, in place of what was there.
    fn failed(&mut self, trouble: Trouble) -> String {
        self.end = End::Decided;
        match trouble {
            Trouble::Refused(crate::app::Refusal::Fault(_)) | Trouble::NothingThere => {
                "<p class=\"notice bad\">This is not there any more.</p>".into()
            }
            Trouble::Refused(crate::app::Refusal::Error(_))
            | Trouble::Forged
            | Trouble::World(_) => {
                let _ = trouble.into_response();
                "<p class=\"notice bad\">This page cannot follow what happens now. Load it again.</p>"
                    .into()
            }
        }
    }
}
