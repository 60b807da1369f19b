//! One TCP connection of a session: what is queued, and how it is closed so that a last
//! NOTIFICATION still arrives.
//!
//! ```text
//!   Open ──close──► Flushing ──queue empty──► Lingering ──peer closed, or too slow──► dropped
//! ```
//!
//! Lingering reads and drops: closing a socket with unread bytes makes the kernel send RST, and
//! RST makes the other side throw away what it has not read yet, our last words included.

use bytes::{Buf, Bytes};
use directlink_bgp::ConnId;
use socket2::SockRef;
use std::{
    collections::VecDeque,
    io,
    net::Shutdown,
    task::{Context, Poll},
    time::Duration,
};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnId,
    pub(super) stream: TcpStream,
    queue: VecDeque<Bytes>,
    state: Closing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    Open,
    Flushing { until: Duration },
    Lingering { until: Duration },
}

/// What a connection can do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    Read,
    Write,
}

/// What came of reading.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Bytes(usize),
    Nothing,
    /// Closed or broken, in the system's words.
    Over(String),
}

impl Connection {
    pub(super) const fn new(id: ConnId, stream: TcpStream) -> Self {
        Self { id, stream, queue: VecDeque::new(), state: Closing::Open }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == Closing::Open
    }

    pub(super) fn queue(&mut self, bytes: Bytes) {
        self.queue.push_back(bytes);
    }

    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Ready> {
        if !self.queue.is_empty() && self.stream.poll_write_ready(cx).is_ready() {
            return Poll::Ready(Ready::Write);
        }
        // While flushing, the peer's words do not matter, and must not keep us busy.
        let reads = !matches!(self.state, Closing::Flushing { .. });
        if reads && self.stream.poll_read_ready(cx).is_ready() {
            return Poll::Ready(Ready::Read);
        }
        Poll::Pending
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> Read {
        match self.stream.try_read(buffer) {
            Ok(0) => Read::Over("closed by the peer".to_owned()),
            Ok(length) => Read::Bytes(length),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::Nothing,
            Err(error) => Read::Over(error.to_string()),
        }
    }

    /// Writes what the system takes; how much that was.
    pub(super) fn write(&mut self, now: Duration) -> io::Result<usize> {
        let mut written = 0;
        while let Some(front) = self.queue.front_mut() {
            match self.stream.try_write(front) {
                Ok(length) => {
                    written += length;
                    front.advance(length);
                    if front.is_empty() {
                        self.queue.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if self.queue.is_empty() && matches!(self.state, Closing::Flushing { .. }) {
            self.linger(now);
        }
        Ok(written)
    }

    /// Ends the connection once its queue is written.
    pub(super) fn close(&mut self, now: Duration) {
        match (self.is_open(), self.queue.is_empty()) {
            (false, _) => {}
            (true, false) => self.state = Closing::Flushing { until: now + FLUSH_TIME },
            (true, true) => self.linger(now),
        }
    }

    /// When it is dropped, whatever the peer does.
    pub(super) const fn deadline(&self) -> Option<Duration> {
        match self.state {
            Closing::Open => None,
            Closing::Flushing { until } | Closing::Lingering { until } => Some(until),
        }
    }

    fn linger(&mut self, now: Duration) {
        // If this fails the connection is broken, and the next read says so.
        drop(SockRef::from(&self.stream).shutdown(Shutdown::Write));
        self.state = Closing::Lingering { until: now + LINGER_TIME };
    }
}

const FLUSH_TIME: Duration = Duration::from_secs(5);
const LINGER_TIME: Duration = Duration::from_secs(1);
