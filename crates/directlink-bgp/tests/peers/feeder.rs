//! One peer, and a hand that types the other side's messages.

use crate::{messages, seconds};
use directlink_bgp::{ConnId, Input, Output, Peer, PeerConfig};
use rustbgpd_wire::{Message, decode_message};
use std::time::Duration;

pub(crate) const CONN: ConnId = ConnId::Theirs(1);

pub(crate) struct Feeder {
    pub(crate) peer: Peer,
    pub(crate) now: Duration,
}

impl Feeder {
    /// With the customer's connection open and our OPEN sent.
    pub(crate) fn open_sent(config: PeerConfig) -> Self {
        let mut feeder = Self { peer: Peer::new(config), now: seconds(1) };
        feeder.input(Input::Start);
        feeder.input(Input::Opened(CONN));
        feeder
    }

    pub(crate) fn established(config: PeerConfig) -> Self {
        Self::established_with(config, &messages::open())
    }

    pub(crate) fn established_with(config: PeerConfig, open: &[u8]) -> Self {
        let mut feeder = Self::open_sent(config);
        feeder.type_in(open);
        let outputs = feeder.type_in(&messages::keepalive());
        assert!(outputs.iter().any(|o| matches!(o, Output::Established(..))), "{outputs:?}");
        feeder
    }

    pub(crate) fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.peer.handle(self.now, input);
        std::iter::from_fn(|| self.peer.poll_output()).collect()
    }

    pub(crate) fn type_in(&mut self, bytes: &[u8]) -> Vec<Output> {
        self.input(Input::Received(CONN, bytes))
    }

    pub(crate) fn refusals(&self) -> Vec<(String, Option<&'static str>)> {
        let row = |route: directlink_bgp::LearnedRoute| {
            (route.prefix.to_string(), route.refused.map(directlink_bgp::Refusal::name))
        };
        self.peer.routes().into_iter().map(row).collect()
    }
}

/// What was sent, decoded.
pub(crate) fn sent(outputs: &[Output]) -> Vec<Message> {
    let bytes = outputs.iter().filter_map(|output| match output {
        Output::Send(_, bytes) => Some(bytes.clone()),
        _ => None,
    });
    bytes.map(|mut bytes| decode_message(&mut bytes, 4096).unwrap()).collect()
}
