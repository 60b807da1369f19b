//! The path under a BGP session, as BFD sees it.

use super::SessionConfig;
use super::bfd::{Bfd, Place, View, Watched};
use directlink_bgp::bfd::Status;
use futures::Stream as _;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio_stream::wrappers::WatchStream;

pub(super) struct Path {
    watched: Watched,
    news: WatchStream<View>,
    /// What its session was last told.
    seen: View,
}

impl Path {
    /// `None` where it is not to be watched.
    pub(super) fn of(config: &SessionConfig, bfd: &Bfd) -> Option<Self> {
        let watched = bfd.watch(place(config), config.bfd?);
        let seen = *watched.view.borrow();
        let news = WatchStream::from_changes(watched.view.clone());
        let path = Self { watched, news, seen };
        path.configure(config);
        Some(path)
    }

    /// Whether what watches the path of `a` can watch that of `b`.
    pub(super) fn is_same(a: &SessionConfig, b: &SessionConfig) -> bool {
        place(a) == place(b) && a.bfd.is_some() == b.bfd.is_some()
    }

    /// A session that is shut on purpose needs no path, and says so.
    pub(super) fn configure(&self, config: &SessionConfig) {
        if let Some(settings) = config.bfd {
            self.watched.configure(settings);
        }
        self.watched.enable(config.shutdown.is_none());
    }

    pub(super) const fn status(&self) -> Status {
        self.seen.status
    }

    /// There is news; true if it is that the path failed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        match Pin::new(&mut self.news).poll_next(cx) {
            Poll::Ready(Some(view)) => {
                let failed = view.failures > self.seen.failures;
                self.seen = view;
                Poll::Ready(failed)
            }
            // Its thread has left: there is no more news, and nobody to tell.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

fn place(config: &SessionConfig) -> Place {
    let SessionConfig { netns, local_addr, peer_addr, forwarding, .. } = config;
    let netns = netns.clone();
    Place { netns, local: *local_addr, peer: *peer_addr, forwarding: *forwarding }
}
