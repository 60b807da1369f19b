//! How a task comes to its connections: it dials, and listens for who dials.

use super::{Listening, Task};
use crate::speaker::socket::SocketConfig;
use directlink_bgp::{ConnId, DialFailure, Input};
use futures::{FutureExt as _, future::BoxFuture};
use std::{io, net::SocketAddr, time::Duration};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tracing::debug;

impl Task {
    pub(super) fn dial(&self) -> BoxFuture<'static, io::Result<TcpStream>> {
        let (doorway, netns) = (self.shared.doorway.clone(), self.config.netns.clone());
        let config = SocketConfig::from(&self.config);
        let dial = async move {
            let peer = config.peer();
            let socket = doorway.within(netns, move || config.for_dialling()).await?;
            TcpSocket::from_std_stream(socket).connect(peer).await
        };
        dial.boxed()
    }

    pub(super) fn dialled(&mut self, now: Duration, conn: ConnId, result: io::Result<TcpStream>) {
        self.dial = None;
        match result {
            Ok(stream) => self.opened(now, conn, stream),
            Err(error) => self.peer.handle(now, Input::ConnectFailed(conn, dial_failure(&error))),
        }
    }

    pub(super) fn listen(&self) -> BoxFuture<'static, io::Result<TcpListener>> {
        let (doorway, netns) = (self.shared.doorway.clone(), self.config.netns.clone());
        let config = SocketConfig::from(&self.config);
        let listen = async move {
            TcpListener::from_std(doorway.within(netns, move || config.listen()).await?)
        };
        listen.boxed()
    }

    pub(super) fn listening(&mut self, now: Duration, result: io::Result<TcpListener>) {
        self.listening = match result {
            Ok(listener) => Listening::Open(listener),
            Err(error) => {
                debug!(id = %self.config.id, %error, "cannot listen yet");
                Listening::Wait { until: now + LISTEN_RETRY }
            }
        };
    }

    pub(super) fn accepted(&mut self, now: Duration, result: io::Result<(TcpStream, SocketAddr)>) {
        match result {
            Ok((stream, from)) if from.ip() == self.config.peer_addr => {
                if self.connections.len() < CONNECTIONS_MAX {
                    self.accepted += 1;
                    self.opened(now, ConnId::Theirs(self.accepted), stream);
                }
            }
            Ok((_, from)) => {
                debug!(id = %self.config.id, %from, "a connection from another address was closed");
            }
            Err(error) => {
                debug!(id = %self.config.id, %error, "cannot accept");
                self.listening = Listening::Wait { until: now + LISTEN_RETRY };
            }
        }
    }
}

fn dial_failure(error: &io::Error) -> DialFailure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DialFailure::Refused,
        io::ErrorKind::TimedOut => DialFailure::NoAnswer,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            DialFailure::Unreachable
        }
        _ => DialFailure::Other(error.to_string()),
    }
}

/// The address of a new interface comes a moment after its namespace.
const LISTEN_RETRY: Duration = Duration::from_secs(1);

/// One that is open, one of each direction on its way, and some that linger.
const CONNECTIONS_MAX: usize = 8;
