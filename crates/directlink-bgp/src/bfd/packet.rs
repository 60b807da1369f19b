//! The BFD Control packet (RFC 5880 §4.1), and those checks of its reception (§6.8.6) that need
//! nothing but the packet.
//!
//! ```text
//!   0                8               16              24            31
//!   │Vers 3│ Diag 5  │Sta 2│P F C A D M│ Detect Mult │   Length     │
//!   │                      My Discriminator                         │
//!   │                     Your Discriminator                        │
//!   │              Desired Min TX Interval (microseconds)           │
//!   │              Required Min RX Interval                         │
//!   │              Required Min Echo RX Interval                    │
//! ```

use std::{fmt, num::NonZeroU8, num::NonZeroU32};
use thiserror::Error;

/// A packet that can be acted on: what a malformed one could hold, this cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    pub diagnostic: Diagnostic,
    pub state: State,
    /// P: the sender asks for an answer at once.
    pub poll: bool,
    /// F: this is that answer.
    pub r#final: bool,
    /// C: the sender's BFD lives on when its control plane does not.
    pub control_plane_independent: bool,
    /// D: the sender is in demand mode.
    pub demand: bool,
    pub detect_mult: NonZeroU8,
    pub my_discriminator: NonZeroU32,
    /// `None` until the sender has heard of us.
    pub your_discriminator: Option<NonZeroU32>,
    pub desired_min_tx_micros: u32,
    pub required_min_rx_micros: u32,
    pub required_min_echo_rx_micros: u32,
}

/// RFC 5880 §4.1, Sta.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    AdminDown,
    Down,
    Init,
    Up,
}

/// RFC 5880 §4.1, Diag: why the sender's session last changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Diagnostic {
    None,
    ControlDetectionTimeExpired,
    EchoFunctionFailed,
    NeighborSignaledSessionDown,
    ForwardingPlaneReset,
    PathDown,
    ConcatenatedPathDown,
    AdministrativelyDown,
    ReverseConcatenatedPathDown,
    /// Reserved: to be taken as it comes.
    Other(u8),
}

/// Why a packet was passed over, in the order of RFC 5880 §6.8.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Discard {
    #[error("its version is not 1")]
    Version,
    #[error("its Length is below the least")]
    LengthTooSmall,
    #[error("its Length is beyond what came")]
    LengthBeyondPayload,
    #[error("its Detect Mult is zero")]
    DetectMultZero,
    #[error("its Multipoint bit is set")]
    Multipoint,
    #[error("its My Discriminator is zero")]
    MyDiscriminatorZero,
    #[error("its Your Discriminator is not ours")]
    UnknownSession,
    #[error("its Your Discriminator is zero though its state is neither Down nor AdminDown")]
    YourDiscriminatorZero,
    #[error("it is authenticated, which this session is not")]
    Authenticated,
    #[error("our own session is administratively down")]
    AdminDown,
}

/// The mandatory section, which is all that we send.
pub const PACKET_BYTES: usize = 24;

impl Packet {
    /// The packet in a UDP payload. Octets beyond its own Length are none of its business.
    ///
    /// # Errors
    /// The first check of RFC 5880 §6.8.6 that it fails. Whether Your Discriminator is ours is
    /// asked between these ([`Discard`]'s order), so `is_ours` has to say.
    pub fn parse(
        payload: &[u8],
        is_ours: impl FnOnce(NonZeroU32) -> bool,
    ) -> Result<Self, Discard> {
        let [head, flags, detect_mult, length, rest @ ..] = payload else {
            return Err(Discard::LengthTooSmall);
        };
        let (authenticated, length) = (flags & AUTHENTICATION != 0, usize::from(*length));
        if head >> 5 != VERSION {
            return Err(Discard::Version);
        }
        if length < PACKET_BYTES + if authenticated { 2 } else { 0 } {
            return Err(Discard::LengthTooSmall);
        }
        if length > payload.len() {
            return Err(Discard::LengthBeyondPayload);
        }
        let detect_mult = NonZeroU8::new(*detect_mult).ok_or(Discard::DetectMultZero)?;
        if flags & MULTIPOINT != 0 {
            return Err(Discard::Multipoint);
        }
        let word = |index: usize| {
            rest.chunks_exact(4)
                .nth(index)
                .map_or(0, |word| word.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet)))
        };
        let my_discriminator = NonZeroU32::new(word(0)).ok_or(Discard::MyDiscriminatorZero)?;
        let state = State::from_wire(flags >> 6);
        let your_discriminator = NonZeroU32::new(word(1));
        match your_discriminator {
            Some(discriminator) if !is_ours(discriminator) => return Err(Discard::UnknownSession),
            None if matches!(state, State::Init | State::Up) => {
                return Err(Discard::YourDiscriminatorZero);
            }
            Some(_) | None => {}
        }
        if authenticated {
            return Err(Discard::Authenticated);
        }
        Ok(Self {
            diagnostic: Diagnostic::from_wire(head & 0x1f),
            state,
            poll: flags & POLL != 0,
            r#final: flags & FINAL != 0,
            control_plane_independent: flags & INDEPENDENT != 0,
            demand: flags & DEMAND != 0,
            detect_mult,
            my_discriminator,
            your_discriminator,
            desired_min_tx_micros: word(2),
            required_min_rx_micros: word(3),
            required_min_echo_rx_micros: word(4),
        })
    }

    pub fn encode(&self) -> [u8; PACKET_BYTES] {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = self.state.to_wire() << 6
            | flag(self.poll, POLL)
            | flag(self.r#final, FINAL)
            | flag(self.control_plane_independent, INDEPENDENT)
            | flag(self.demand, DEMAND);
        let mut bytes = [0; PACKET_BYTES];
        bytes[..4].copy_from_slice(&[
            VERSION << 5 | self.diagnostic.to_wire(),
            flags,
            self.detect_mult.get(),
            PACKET_BYTES as u8,
        ]);
        let words = [
            self.my_discriminator.get(),
            self.your_discriminator.map_or(0, NonZeroU32::get),
            self.desired_min_tx_micros,
            self.required_min_rx_micros,
            self.required_min_echo_rx_micros,
        ];
        for (place, word) in bytes[4..].chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }
}

impl State {
    /// As RFC 5880 writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        }
    }

    const fn from_wire(two_bits: u8) -> Self {
        match two_bits & 3 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }

    const fn to_wire(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Diagnostic {
    const fn from_wire(five_bits: u8) -> Self {
        match five_bits {
            0 => Self::None,
            1 => Self::ControlDetectionTimeExpired,
            2 => Self::EchoFunctionFailed,
            3 => Self::NeighborSignaledSessionDown,
            4 => Self::ForwardingPlaneReset,
            5 => Self::PathDown,
            6 => Self::ConcatenatedPathDown,
            7 => Self::AdministrativelyDown,
            8 => Self::ReverseConcatenatedPathDown,
            reserved => Self::Other(reserved),
        }
    }

    const fn to_wire(self) -> u8 {
        match self {
            Self::None => 0,
            Self::ControlDetectionTimeExpired => 1,
            Self::EchoFunctionFailed => 2,
            Self::NeighborSignaledSessionDown => 3,
            Self::ForwardingPlaneReset => 4,
            Self::PathDown => 5,
            Self::ConcatenatedPathDown => 6,
            Self::AdministrativelyDown => 7,
            Self::ReverseConcatenatedPathDown => 8,
            Self::Other(reserved) => reserved & 0x1f,
        }
    }
}

impl fmt::Display for Diagnostic {
    /// In the words of the RFC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "No Diagnostic",
            Self::ControlDetectionTimeExpired => "Control Detection Time Expired",
            Self::EchoFunctionFailed => "Echo Function Failed",
            Self::NeighborSignaledSessionDown => "Neighbor Signaled Session Down",
            Self::ForwardingPlaneReset => "Forwarding Plane Reset",
            Self::PathDown => "Path Down",
            Self::ConcatenatedPathDown => "Concatenated Path Down",
            Self::AdministrativelyDown => "Administratively Down",
            Self::ReverseConcatenatedPathDown => "Reverse Concatenated Path Down",
            Self::Other(reserved) => return write!(f, "reserved diagnostic {reserved}"),
        })
    }
}

const VERSION: u8 = 1;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const INDEPENDENT: u8 = 0x08;
const AUTHENTICATION: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;
