//! The task of one port: its machine, its socket, and its row for the forwarding.

use super::{
    Member, Table, Told, lock,
    socket::{Link, PortSocket},
};
use crate::clock;
use directlink_bgp::lacp::{Information, Input, Pdu, Port, Status};
use directlink_dataplane::BundledPort;
use directlink_model::ids::PortName;
use futures::{StreamExt as _, channel::mpsc};
use nix::net::if_::if_nametoindex;
use std::{
    collections::BTreeSet,
    io,
    time::{Duration, Instant},
};

/// Half of what the forwarding takes for silence.
const ALIVE_EACH: Duration = Duration::from_secs(1);
/// More than an LACPDU.
const FRAME_BYTES: usize = 256;

pub(super) struct Speaker {
    name: PortName,
    member: Member,
    machine: Port,
    socket: Option<PortSocket>,
    /// Whose row it is, also while the socket is lost. None: there was no link yet.
    link: Option<Link>,
    table: Table,
    told: Told,
    seen: Option<Status>,
    epoch: Instant,
    alive_at: Instant,
}

impl Speaker {
    pub(super) fn new(name: PortName, member: Member, (table, told): (Table, Told)) -> Self {
        let now = clock::instant();
        Self {
            machine: Port::new(member.actor, member.role),
            name,
            member,
            socket: None,
            link: None,
            table,
            told,
            seen: None,
            epoch: now,
            alive_at: now,
        }
    }

    /// Until nobody is left who could wish anything.
    pub(super) async fn run(mut self, mut wishes: mpsc::UnboundedReceiver<Member>) {
        let mut frame = [0; FRAME_BYTES];
        loop {
            let deadline = self.machine.deadline().map(|at| self.epoch + at);
            let wake = deadline.map_or(self.alive_at, |deadline| deadline.min(self.alive_at));
            tokio::select! {
                wish = wishes.next() => match wish {
                    Some(member) => self.obey(member),
                    None => return,
                },
                heard = hear(self.socket.as_ref(), &mut frame) => self.heard(heard),
                () = tokio::time::sleep_until(wake.into()) => self.handle(Input::Tick),
            }
            self.live();
        }
    }

    fn obey(&mut self, member: Member) {
        let (role, light) = (member.role, member.light);
        self.member = member;
        self.handle(Input::Role(role));
        self.handle(Input::Light(light));
    }

    fn heard(&mut self, heard: io::Result<&[u8]>) {
        match heard.map(Pdu::parse) {
            Ok(Ok(pdu)) => self.handle(Input::Heard(&pdu)),
            Ok(Err(error)) => tracing::debug!(port = %self.name, %error, "not LACP"),
            Err(error) => self.lose_socket(&error),
        }
    }

    /// It is opened again at the next beat.
    fn lose_socket(&mut self, error: &io::Error) {
        tracing::warn!(port = %self.name, %error, "LACP has lost its link");
        self.socket = None;
    }

    fn now(&self) -> Duration {
        clock::instant().saturating_duration_since(self.epoch)
    }

    /// Whoever hears a PDU sends by what it says, and whoever is told acts on it: before either it is written
    /// down for the packets.
    fn handle(&mut self, input: Input<'_>) {
        let before = (self.machine.actor(), self.machine.partner());
        let pdu = self.machine.handle(input, self.now());
        if before != (self.machine.actor(), self.machine.partner()) {
            self.write_down();
        }
        if let (Some(pdu), Some(socket)) = (pdu, &self.socket)
            && let Err(error) = socket.send(&pdu.bytes())
        {
            self.lose_socket(&error);
        }
        // Before it has a link it knows less than what was left there.
        if self.link.is_some() {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let status = self.machine.status();
        if self.seen.replace(status) != Some(status) {
            tracing::info!(port = %self.name, ?status, "LACP");
            (self.told)(&self.name, status);
        }
    }

    /// Each second: whoever is silent for longer is spoken for.
    fn live(&mut self) {
        let now = clock::instant();
        if now < self.alive_at {
            return;
        }
        self.alive_at = now + ALIVE_EACH;
        if self.socket.is_none() {
            self.open();
        }
        self.write_down();
    }

    /// The first time it goes on as it was left.
    fn open(&mut self) {
        match PortSocket::open(self.name.as_str()) {
            Ok(socket) => {
                let link = socket.link;
                self.socket = Some(socket);
                if self.link.replace(link).is_none() {
                    self.resume(link);
                }
                self.obey(self.member.clone());
            }
            Err(error) => tracing::debug!(port = %self.name, %error, "LACP has no link yet"),
        }
    }

    fn resume(&mut self, link: Link) {
        let Ok(Some(row)) = lock(&self.table).get(link.ifindex) else { return };
        let [said, heard] = [row.said, row.heard].map(Information::from_bytes);
        if said.is_same_port(&self.member.actor) && heard != Information::default() {
            self.machine = Port::resume(said, heard, self.member.role, self.now());
        }
    }

    fn write_down(&self) {
        let Some(Link { ifindex, mac }) = self.link else { return };
        let row = BundledPort {
            mac,
            said: self.machine.actor().bytes(),
            heard: self.machine.partner().bytes(),
            ports: indices(&self.member.ports),
            alive: clock::monotonic(),
        };
        if let Err(error) = lock(&self.table).put(ifindex, &row) {
            tracing::warn!(port = %self.name, %error, "nobody will speak LACP for it");
        }
    }
}

/// Those that are there.
fn indices(ports: &BTreeSet<PortName>) -> [u32; BundledPort::PORTS_MAX] {
    let mut indices = [0; BundledPort::PORTS_MAX];
    let there = ports.iter().filter_map(|port| if_nametoindex(port.as_str()).ok());
    indices.iter_mut().zip(there).for_each(|(index, it)| *index = it);
    indices
}

async fn hear<'f>(socket: Option<&PortSocket>, frame: &'f mut [u8]) -> io::Result<&'f [u8]> {
    match socket {
        Some(socket) => socket.receive(frame).await,
        None => std::future::pending().await,
    }
}
