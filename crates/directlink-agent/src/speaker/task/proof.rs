//! Somebody looks: a session that is up says something at once, to see whether it is heard; one that is
//! down dials.

use super::{LiveSocket, Task};
use bytes::Bytes;
use directlink_bgp::{ConnId, Input};
use std::{os::fd::AsFd as _, time::Duration};

/// RFC 4271 §4.4.
const KEEPALIVE: [u8; 19] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0, 19, 4,
];

/// RFC 4271 §4.4: so long between two at least.
const BETWEEN: Duration = Duration::from_secs(1);

impl Task {
    /// Of a session that is up, whoever looks gets the socket, with a KEEPALIVE on its way; one that is
    /// not dials.
    pub(super) fn prove(&mut self, now: Duration) {
        if self.looks.is_none() || self.proof_due().is_some_and(|due| now < due) {
            return;
        }
        let status = self.peer.status(now);
        let socket = match status.session.filter(|_| status.established_at.is_some()) {
            Some(conn) => self.say_keepalive(now, conn),
            None => {
                self.peer.handle(now, Input::Hurry);
                None
            }
        };
        if let Some(answer) = self.looks.take() {
            // Who does not wait any more needs none.
            let _ = answer.send(socket);
        }
    }

    fn say_keepalive(&mut self, now: Duration, conn: ConnId) -> Option<LiveSocket> {
        let connection = self.connection_mut(conn)?;
        let socket = connection.stream.as_fd().try_clone_to_owned().ok()?;
        connection.queue(Bytes::from_static(&KEEPALIVE));
        self.write(now, conn);
        self.proved_at = Some(now);
        Some(LiveSocket(socket))
    }

    /// When whoever waits gets an answer.
    pub(super) fn proof_due(&self) -> Option<Duration> {
        self.proved_at.map(|at| at + BETWEEN).filter(|_| self.looks.is_some())
    }
}
