//! Who writes down a session for the forwarding, which keeps it Up while this process is away or
//! late, and reads what it left.
//!
//! The session's time begins with this process, the forwarding's with the machine.

use super::Place;
use crate::clock;
use directlink_bgp::bfd::{Diagnostic, Kept, Packet, State};
use directlink_dataplane::{InterfaceNumber, StandIn, StandIns};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub(super) struct Keeper {
    table: Arc<Mutex<StandIns>>,
    interface: InterfaceNumber,
    router: IpAddr,
    customer: IpAddr,
    has_row: bool,
}

/// As long as customers keep our routes for us (RFC 4724): who is away for longer has lost them.
const PATIENCE: Duration = Duration::from_secs(120);

impl Keeper {
    /// `None` where the forwarding cannot speak for us: no interface of its.
    pub(super) fn new(table: Arc<Mutex<StandIns>>, place: &Place) -> Option<Self> {
        let interface = place.forwarding?;
        let (router, customer) = (place.local, place.peer);
        Some(Self { table, interface, router, customer, has_row: true })
    }

    /// The session as it was left, and the port that it was spoken from.
    pub(super) fn kept(&self, now: Duration) -> Option<(Kept, u16)> {
        let row = self.row().filter(|row| row.router == self.router)?;
        if clock::monotonic().saturating_sub(row.sent) > row.patience {
            return None;
        }
        let remote = Packet {
            diagnostic: Diagnostic::None,
            state: State::Up,
            poll: false,
            r#final: false,
            control_plane_independent: false,
            demand: false,
            detect_mult: row.their_detect_mult,
            my_discriminator: row.their_discriminator,
            your_discriminator: Some(row.discriminator),
            desired_min_tx_micros: row.their_desired_tx_micros,
            required_min_rx_micros: row.their_required_rx_micros,
            required_min_echo_rx_micros: 0,
        };
        let kept = Kept {
            discriminator: row.discriminator,
            detect_mult: row.detect_mult,
            desired_min_tx_micros: row.desired_tx_micros,
            required_min_rx_micros: row.required_rx_micros,
            transmit_interval: row.silence,
            remote,
            heard_at: ours(row.heard, now),
        };
        Some((kept, row.source_port))
    }

    /// When the forwarding, or this process, last heard the customer.
    pub(super) fn heard(&self, now: Duration) -> Option<Duration> {
        self.has_row.then(|| self.row()).flatten().map(|row| ours(row.heard, now))
    }

    /// Writes the session down as it is; one that cannot be kept is taken away.
    pub(super) fn keep(
        &mut self,
        kept: Option<Kept>,
        has_sent: bool,
        source_port: Option<u16>,
        now: Duration,
    ) {
        let done = match kept.zip(source_port) {
            Some((kept, source_port)) if has_sent => {
                self.has_row = true;
                let row = self.written(&kept, source_port, now);
                self.table().put(self.interface, self.customer, &row)
            }
            None if self.has_row => {
                self.has_row = false;
                self.table().remove(self.interface, self.customer)
            }
            Some(_) | None => Ok(()),
        };
        if let Err(error) = done {
            tracing::warn!(peer = %self.customer, %error, "nobody keeps its BFD session");
        }
    }

    fn written(&self, kept: &Kept, source_port: u16, now: Duration) -> StandIn {
        let sent = clock::monotonic();
        StandIn {
            router: self.router,
            source_port,
            discriminator: kept.discriminator,
            detect_mult: kept.detect_mult,
            desired_tx_micros: kept.desired_min_tx_micros,
            required_rx_micros: kept.required_min_rx_micros,
            their_discriminator: kept.remote.my_discriminator,
            their_detect_mult: kept.remote.detect_mult,
            their_desired_tx_micros: kept.remote.desired_min_tx_micros,
            their_required_rx_micros: kept.remote.required_min_rx_micros,
            sent,
            silence: kept.transmit_interval,
            patience: PATIENCE,
            heard: sent.saturating_sub(now.saturating_sub(kept.heard_at)),
        }
    }

    fn row(&self) -> Option<StandIn> {
        match self.table().get(self.interface, self.customer) {
            Ok(row) => row,
            Err(error) => {
                tracing::warn!(peer = %self.customer, %error, "its BFD session is not to be read");
                None
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, StandIns> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was before this process began is at its beginning: a customer who spoke meanwhile is given
/// a detection time more.
fn ours(at: Duration, now: Duration) -> Duration {
    now.saturating_sub(clock::monotonic().saturating_sub(at))
}
