//! The task of one interface: carries events to its [`Peer`] and the peer's wishes to sockets.
//!
//! One poll looks at everything the session has (commands, up to a few connections, a dial, the
//! listener, one timer), and the first that is ready becomes an event. Nothing is spawned and no
//! buffer is kept while nothing happens, so that thousands of idle sessions cost little.

mod opening;
mod proof;

use super::board::Enrolment;
use super::connection::{Connection, Read, Ready};
use super::monitor::{Came, Told};
use super::path::Path;
use super::{Command, LiveSocket, SessionConfig, SessionRoutes, Shared, sockopt};
use crate::clock;
use directlink_bgp::{ConnId, DialFailure, Input, Negotiated, Output, Peer, Stop, bmp::PeerDown};
use directlink_model::report::ROUTES_LISTED_MAX;
use futures::{StreamExt as _, channel::mpsc::UnboundedReceiver, future::BoxFuture};
use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::{Instant, Sleep},
};
use tracing::{debug, info, warn};

/// A session that is over when the future is: when it is ended, or the speaker is gone. The future
/// holds the task and nothing beside it.
pub(super) fn run(
    config: SessionConfig,
    enrolment: Enrolment,
    shared: Shared,
    inbox: UnboundedReceiver<Command>,
) -> impl Future<Output = ()> {
    let mut task = Task::new(config, enrolment, shared, inbox);
    async move { task.run().await }
}

struct Task {
    config: SessionConfig,
    enrolment: Enrolment,
    shared: Shared,
    inbox: UnboundedReceiver<Command>,
    peer: Peer,
    path: Option<Path>,
    listening: Listening,
    dial: Option<(ConnId, BoxFuture<'static, io::Result<TcpStream>>)>,
    connections: Vec<Connection>,
    accepted: u64,
    sleep: Pin<Box<Sleep>>,
    sleeps_until: Duration,
    ending: bool,
    /// When a KEEPALIVE was last said for somebody who looks, and who waits for the next.
    proved_at: Option<Duration>,
    looks: Option<oneshot::Sender<Option<LiveSocket>>>,
}

enum Listening {
    /// The address may not be there yet.
    Wait {
        until: Duration,
    },
    Opening(BoxFuture<'static, io::Result<TcpListener>>),
    Open(TcpListener),
    Ended,
}

enum Event {
    Command(Command),
    SpeakerGone,
    Ready(ConnId, Ready),
    Dialled(ConnId, io::Result<TcpStream>),
    Listening(io::Result<TcpListener>),
    Accepted(io::Result<(TcpStream, SocketAddr)>),
    /// BFD has news of the path; `failed`: that it is dead.
    Path {
        failed: bool,
    },
    Deadline,
}

impl Task {
    fn new(
        config: SessionConfig,
        enrolment: Enrolment,
        shared: Shared,
        inbox: UnboundedReceiver<Command>,
    ) -> Self {
        let now = shared.now();
        let mut peer = Peer::new(config.peer());
        if shared.monitor.is_some() {
            peer.watch_routes();
        }
        shared.board.assign(enrolment, config.net, &peer.offers());
        Self {
            path: Path::of(&config, &shared.bfd),
            peer,
            sleep: Box::pin(tokio::time::sleep_until(shared.at(now))),
            sleeps_until: now,
            config,
            enrolment,
            shared,
            inbox,
            listening: Listening::Wait { until: now },
            dial: None,
            connections: Vec::new(),
            accepted: 0,
            ending: false,
            proved_at: None,
            looks: None,
        }
    }

    async fn run(&mut self) {
        self.open_or_shut(self.shared.now());
        self.settle();
        while !(self.ending && self.connections.is_empty()) {
            let event = poll_fn(|cx| self.poll(cx)).await;
            if matches!(event, Event::SpeakerGone) {
                return;
            }
            self.handle(event);
            self.settle();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if !self.ending
            && let Poll::Ready(command) = self.inbox.poll_next_unpin(cx)
        {
            return Poll::Ready(command.map_or(Event::SpeakerGone, Event::Command));
        }
        if let Some(path) = &mut self.path
            && let Poll::Ready(failed) = path.poll(cx)
        {
            return Poll::Ready(Event::Path { failed });
        }
        for connection in &self.connections {
            if let Poll::Ready(ready) = connection.poll(cx) {
                return Poll::Ready(Event::Ready(connection.id, ready));
            }
        }
        if let Some((conn, dial)) = &mut self.dial
            && let Poll::Ready(result) = dial.as_mut().poll(cx)
        {
            return Poll::Ready(Event::Dialled(*conn, result));
        }
        let listening = match &mut self.listening {
            Listening::Opening(opening) => opening.as_mut().poll(cx).map(Event::Listening),
            Listening::Open(listener) => listener.poll_accept(cx).map(Event::Accepted),
            Listening::Wait { .. } | Listening::Ended => Poll::Pending,
        };
        if listening.is_ready() {
            return listening;
        }
        self.sleep.as_mut().poll(cx).map(|()| Event::Deadline)
    }

    fn handle(&mut self, event: Event) {
        let now = self.shared.now();
        match event {
            Event::Command(command) => self.obey(now, command),
            Event::Ready(conn, Ready::Read) => self.read(now, conn),
            Event::Ready(conn, Ready::Write) => self.write(now, conn),
            Event::Dialled(conn, result) => self.dialled(now, conn, result),
            Event::Listening(result) => self.listening(now, result),
            Event::Accepted(result) => self.accepted(now, result),
            Event::Path { failed: true } => self.peer.handle(now, Input::PathFailed),
            // How it is shows in what is published next.
            Event::Path { failed: false } => {}
            Event::Deadline => self.deadline(now),
            Event::SpeakerGone => {}
        }
    }

    /// Does what the peer wants, until it wants nothing more.
    fn settle(&mut self) {
        let now = self.shared.now();
        while let Some(output) = self.peer.poll_output() {
            self.carry_out(now, output);
        }
        self.tell_routes();
        if !self.ending {
            let bfd = self.path.as_ref().map(Path::status);
            self.shared.board.publish(self.enrolment, self.peer.status(now), bfd);
        }
        let waits = match self.listening {
            Listening::Wait { until } => Some(until),
            _ => None,
        };
        let lingering = self.connections.iter().filter_map(Connection::deadline);
        let deadlines = waits.into_iter().chain(self.proof_due()).chain(self.peer.next_deadline());
        let next = lingering.chain(deadlines).min();
        let next = next.unwrap_or(now + IDLE);
        if next != self.sleeps_until || self.sleep.is_elapsed() {
            self.sleeps_until = next;
            self.sleep.as_mut().reset(self.shared.at(next));
        }
    }

    fn carry_out(&mut self, now: Duration, output: Output) {
        let id = self.config.id;
        match output {
            Output::Connect(conn) => self.dial = Some((conn, self.dial())),
            Output::Send(conn, bytes) => {
                if let Some(connection) = self.connection_mut(conn) {
                    connection.queue(bytes);
                    self.write(now, conn);
                }
            }
            Output::Close(conn) => {
                self.dial.take_if(|(dialled, _)| *dialled == conn);
                if let Some(connection) = self.connection_mut(conn) {
                    connection.close(now);
                }
            }
            Output::Established(conn, agreed) => {
                self.tell_up(conn, &agreed);
                info!(%id, hold_time_seconds = agreed.hold_time_seconds, "BGP session established");
            }
            Output::Down { reason, routes_kept, notification, .. } => {
                if let Some(monitor) = &self.shared.monitor {
                    monitor.down(clock::now(), id, PeerDown::of(&reason, notification.as_ref()));
                }
                info!(%id, %reason, routes_kept, "BGP session down");
            }
            Output::Failed(reason) => debug!(%id, %reason, "BGP session did not come up"),
            Output::Converged(_) => {
                debug!(%id, "the customer's table is complete");
                self.tell_routes();
                if let Some(monitor) = &self.shared.monitor {
                    monitor.converged(clock::now(), id);
                }
            }
            Output::NearLimit { family, max } => {
                warn!(%id, %family, max, "the customer announces nearly as many prefixes as it may");
            }
            Output::Routes(changes) => self.shared.board.update(self.enrolment, &changes),
        }
    }

    /// Whoever monitors the router learns of a session that is up.
    fn tell_up(&self, conn: ConnId, agreed: &Negotiated) {
        let connection = self.connections.iter().find(|connection| connection.id == conn);
        let ends = connection.and_then(|connection| {
            let stream = &connection.stream;
            Some([stream.local_addr().ok()?, stream.peer_addr().ok()?])
        });
        // One that is over again by now is not told of, nor is its end.
        if let (Some(monitor), Some(ends), Some(opens)) =
            (&self.shared.monitor, ends, self.peer.opens())
        {
            let SessionConfig { id, local_asn, peer_addr: address, .. } = self.config;
            let (agreed, offers) = (agreed.clone(), self.peer.offers());
            monitor.up(clock::now(), Came { id, local_asn, address, agreed, ends, opens, offers });
        }
    }

    fn tell_routes(&mut self) {
        let Some(monitor) = &self.shared.monitor else { return };
        let (id, touched, said) = (self.config.id, self.peer.take_touched(), self.peer.take_said());
        if !touched.is_empty() {
            monitor.routes(clock::now(), id, touched);
        }
        if !said.is_empty() {
            let prefixes = self.peer.advertised().count() as u64;
            let all = Told { prefixes, updates: self.peer.retold().into() };
            monitor.said(clock::now(), id, said, all);
        }
    }

    fn obey(&mut self, now: Duration, command: Command) {
        match command {
            Command::Configure(config) => self.configure(now, *config),
            Command::End(stop) => {
                self.ending = true;
                self.listening = Listening::Ended;
                self.path = None;
                self.peer.handle(now, Input::Stop(stop));
            }
            Command::Prove(answer) => {
                self.looks = Some(answer);
                self.prove(now);
            }
            Command::Routes(answer) => {
                let advertised = self.peer.advertised().collect();
                let learned = self.peer.first_routes(ROUTES_LISTED_MAX);
                // Whoever asked may have given up meanwhile.
                drop(answer.send(SessionRoutes { learned, advertised }));
            }
        }
    }

    fn configure(&mut self, now: Duration, config: SessionConfig) {
        let old = std::mem::replace(&mut self.config, config);
        if !self.config.same_sockets(&old) {
            self.leave_sockets(now, "its addresses changed");
        } else if self.config.key != old.key {
            self.change_key(now);
        }
        self.peer.configure(now, self.config.peer());
        match &self.path {
            Some(path) if Path::is_same(&self.config, &old) => path.configure(&self.config),
            Some(_) | None => self.path = Path::of(&self.config, &self.shared.bfd),
        }
        if self.config.shutdown != old.shutdown {
            self.open_or_shut(now);
        }
        if self.config.net != old.net {
            self.shared.board.assign(self.enrolment, self.config.net, &self.peer.offers());
        }
    }

    fn open_or_shut(&mut self, now: Duration) {
        self.peer.handle(
            now,
            match &self.config.shutdown {
                Some(words) => Input::Stop(Stop::Shutdown(words.clone())),
                None => Input::Start,
            },
        );
    }

    /// Open connections take the new key over: if the customer changes it as well before the hold
    /// time is over, the session lives on.
    fn change_key(&mut self, now: Duration) {
        let (peer, key) = (self.config.peer_addr, self.config.key.clone());
        let mut result = Ok(());
        if let Listening::Open(listener) = &self.listening {
            result = sockopt::set_key(listener, peer, key.as_ref());
        } else {
            self.listening = Listening::Wait { until: now };
        }
        for connection in &self.connections {
            if let Err(error) = sockopt::set_key(&connection.stream, peer, key.as_ref()) {
                result = Err(error);
            }
        }
        if let Some((conn, _)) = self.dial.take() {
            self.peer.handle(
                now,
                Input::ConnectFailed(conn, DialFailure::Other("its key changed".to_owned())),
            );
        }
        if let Err(error) = result {
            warn!(id = %self.config.id, %error, "a key could not be changed; the session restarts");
            self.leave_sockets(now, "its key could not be changed");
        }
    }

    fn leave_sockets(&mut self, now: Duration, why: &str) {
        self.listening = Listening::Wait { until: now };
        if let Some((conn, _)) = self.dial.take() {
            self.peer.handle(now, Input::ConnectFailed(conn, DialFailure::Other(why.to_owned())));
        }
        for connection in std::mem::take(&mut self.connections) {
            self.peer.handle(now, Input::Closed(connection.id, why.to_owned()));
        }
    }

    fn read(&mut self, now: Duration, conn: ConnId) {
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS {
            let Some(connection) = self.connections.iter().find(|c| c.id == conn) else { return };
            match connection.read(&mut buffer) {
                Read::Bytes(length) if connection.is_open() => {
                    self.peer.handle(now, Input::Received(conn, &buffer[..length]));
                }
                Read::Bytes(_) => {}
                Read::Nothing => return,
                Read::Over(detail) => return self.over(now, conn, detail),
            }
        }
    }

    fn write(&mut self, now: Duration, conn: ConnId) {
        let Some(connection) = self.connection_mut(conn) else { return };
        match connection.write(now) {
            Ok(written) => self.peer.handle(now, Input::Sent(conn, written)),
            Err(error) => self.over(now, conn, error.to_string()),
        }
    }

    fn over(&mut self, now: Duration, conn: ConnId, detail: String) {
        self.connections.retain(|connection| connection.id != conn);
        self.peer.handle(now, Input::Closed(conn, detail));
    }

    fn opened(&mut self, now: Duration, conn: ConnId, stream: TcpStream) {
        self.connections.reserve_exact(1);
        self.connections.push(Connection::new(conn, stream));
        self.peer.handle(now, Input::Opened(conn));
    }

    fn deadline(&mut self, now: Duration) {
        self.connections.retain(|connection| connection.deadline().is_none_or(|at| now < at));
        if matches!(self.listening, Listening::Wait { until } if until <= now) {
            self.listening = Listening::Opening(self.listen());
        }
        self.peer.handle(now, Input::Tick);
        self.prove(now);
    }

    fn connection_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == conn)
    }
}

impl Shared {
    fn at(&self, time: Duration) -> Instant {
        Instant::from_std(self.epoch + time)
    }
}

/// On the stack while it is used, so that idle sessions hold none.
const READ_BYTES: usize = 16 * 1024;

/// For one event: what came, and that there is no more, which would be an event of its own else.
const READS: usize = 2;

/// How long to sleep if there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<A, B, C, D, F>(_: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// There are thousands. Had it also its arguments, it would be half as long again.
    #[test]
    fn a_session_is_kept_once() {
        let (all, task) = (bytes(run), size_of::<Task>());
        assert!(all <= task + 64, "{all} bytes, of which the task is {task}");
    }
}
