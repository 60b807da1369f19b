//! The LACPDU (IEEE 802.1AX-2020 §6.4.2), without its Ethernet header.
//!
//! ```text
//!   0        1         2                  22                   42                58         60       110
//!   │Subtype1│Version 1│ Actor: 1, 20, …  │ Partner: 2, 20, …  │ Collector: 3, 16│ End: 0, 0│ zeros   │
//!                        │ system priority 2│ system 6│ key 2│ port priority 2│ port 2│ states 1│ 3 │
//! ```

use directlink_net::Mac;
use std::fmt;
use thiserror::Error;

/// What one end says of itself, or of what it heard of the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Information {
    pub system_priority: u16,
    pub system: [u8; 6],
    pub key: u16,
    pub port_priority: u16,
    pub port: u16,
    pub states: States,
}

impl Information {
    /// Whether both are the same port in the same bundle, whatever it is doing.
    pub fn is_same_port(&self, other: &Self) -> bool {
        Self { states: States::default(), ..*self } == Self { states: States::default(), ..*other }
    }

    pub(super) const fn mac(&self) -> Mac {
        Mac(self.system)
    }
}

/// The flags of an end, one bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct States(pub u8);

impl States {
    /// It speaks unasked.
    pub const ACTIVITY: Self = Self(1);
    /// It wants to hear each second, and gives up after three.
    pub const SHORT_TIMEOUT: Self = Self(2);
    /// It may be bundled with others.
    pub const AGGREGATION: Self = Self(4);
    /// It is in the bundle.
    pub const SYNCHRONIZATION: Self = Self(8);
    pub const COLLECTING: Self = Self(16);
    pub const DISTRIBUTING: Self = Self(32);
    /// It has not heard of the other end.
    pub const DEFAULTED: Self = Self(64);
    pub const EXPIRED: Self = Self(128);

    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn only(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    pub(super) const fn set(self, other: Self, to: bool) -> Self {
        if to { self.with(other) } else { self.without(other) }
    }
}

impl fmt::Debug for States {
    /// As tools of the field write it: a letter for each flag that is set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = "ASGNCDFE".chars().enumerate();
        letters.filter(|(bit, _)| self.0 >> bit & 1 == 1).try_for_each(|(_, it)| write!(f, "{it}"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pdu {
    /// The sender.
    pub actor: Information,
    /// What the sender heard of us.
    pub partner: Information,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadPdu {
    #[error("it is shorter than an LACPDU's actor and partner")]
    Short,
    /// Marker, OAM and others go to the same address.
    #[error("its subtype is not LACP's")]
    Subtype,
    #[error("its version is 0")]
    Version,
    #[error("its parts are not an actor and a partner of 20 octets")]
    Parts,
}

pub const PDU_BYTES: usize = 110;

const SUBTYPE: u8 = 1;
const VERSION: u8 = 1;
const ACTOR: [u8; 2] = [1, 20];
const PARTNER: [u8; 2] = [2, 20];
const COLLECTOR: [u8; 2] = [3, 16];
const ACTOR_AT: usize = 2;
const PARTNER_AT: usize = 22;
const COLLECTOR_AT: usize = 42;
/// Behind a part's type and length.
const INFORMATION_BYTES: usize = 15;

impl Pdu {
    /// What follows the Ethernet header. A later version's PDU is read as this one's (§6.4.2.3).
    ///
    /// # Errors
    /// The first of [`BadPdu`] that it is.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadPdu> {
        match bytes {
            [] | [_] => Err(BadPdu::Short),
            [SUBTYPE, 0, ..] => Err(BadPdu::Version),
            [SUBTYPE, ..] => Ok(Self {
                actor: Self::part(bytes, ACTOR_AT, ACTOR)?,
                partner: Self::part(bytes, PARTNER_AT, PARTNER)?,
            }),
            _ => Err(BadPdu::Subtype),
        }
    }

    fn part(bytes: &[u8], at: usize, kind: [u8; 2]) -> Result<Information, BadPdu> {
        let part = bytes.get(at..at + 20).ok_or(BadPdu::Short)?;
        if part[..2] != kind {
            return Err(BadPdu::Parts);
        }
        let said = part[2..].first_chunk().ok_or(BadPdu::Short)?;
        Ok(Information::from_bytes(*said))
    }

    pub fn bytes(&self) -> [u8; PDU_BYTES] {
        let mut bytes = [0; PDU_BYTES];
        bytes[..2].copy_from_slice(&[SUBTYPE, VERSION]);
        for (at, kind, said) in
            [(ACTOR_AT, ACTOR, &self.actor), (PARTNER_AT, PARTNER, &self.partner)]
        {
            bytes[at..at + 2].copy_from_slice(&kind);
            bytes[at + 2..at + 2 + INFORMATION_BYTES].copy_from_slice(&said.bytes());
        }
        bytes[COLLECTOR_AT..COLLECTOR_AT + 2].copy_from_slice(&COLLECTOR);
        bytes
    }
}

impl Information {
    /// As it stands in a PDU, behind type and length.
    pub fn bytes(&self) -> [u8; INFORMATION_BYTES] {
        let mut bytes = [0; INFORMATION_BYTES];
        bytes[..2].copy_from_slice(&self.system_priority.to_be_bytes());
        bytes[2..8].copy_from_slice(&self.system);
        bytes[8..10].copy_from_slice(&self.key.to_be_bytes());
        bytes[10..12].copy_from_slice(&self.port_priority.to_be_bytes());
        bytes[12..14].copy_from_slice(&self.port.to_be_bytes());
        bytes[14] = self.states.0;
        bytes
    }

    pub const fn from_bytes(bytes: [u8; INFORMATION_BYTES]) -> Self {
        let [p0, p1, a, b, c, d, e, f, k0, k1, q0, q1, n0, n1, states] = bytes;
        Self {
            system_priority: u16::from_be_bytes([p0, p1]),
            system: [a, b, c, d, e, f],
            key: u16::from_be_bytes([k0, k1]),
            port_priority: u16::from_be_bytes([q0, q1]),
            port: u16::from_be_bytes([n0, n1]),
            states: States(states),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By hand, after the standard's figure: without the collector's reserved octets and the end.
    const CAPTURED: &str = "0101\
        01148000000c29aabbcc000d80000011 3d000000\
        0214ffff02444c0000070001 00ff00023f000000\
        0310000000000000000000000000000000000000";

    fn octets(text: &str) -> Vec<u8> {
        let digits: Vec<char> = text.chars().filter(char::is_ascii_hexdigit).collect();
        let pair = |two: &[char]| {
            u8::from_str_radix(&two.iter().collect::<String>(), 16).expect("two digits")
        };
        digits.chunks(2).map(pair).collect()
    }

    #[test]
    fn a_pdu_is_read_field_by_field() {
        let pdu = Pdu::parse(&octets(CAPTURED)).unwrap();
        assert_eq!(
            pdu.actor,
            Information {
                system_priority: 0x8000,
                system: [0x00, 0x0c, 0x29, 0xaa, 0xbb, 0xcc],
                key: 13,
                port_priority: 0x8000,
                port: 17,
                states: States(0x3d),
            }
        );
        assert_eq!((pdu.partner.key, pdu.partner.port_priority, pdu.partner.port), (1, 255, 2));
        assert_eq!(format!("{:?} {:?}", pdu.actor.states, pdu.partner.states), "AGNCD ASGNCD");
    }

    #[test]
    fn what_is_no_pdu_says_why() {
        let good = octets(CAPTURED);
        let with = |at: usize, octet: u8| {
            let mut bytes = good.clone();
            bytes[at] = octet;
            Pdu::parse(&bytes)
        };
        assert!(with(1, 2).is_ok(), "a later version");
        for (bad, why) in [
            (Pdu::parse(&[]), BadPdu::Short),
            (Pdu::parse(&good[..1]), BadPdu::Short),
            (Pdu::parse(&good[..41]), BadPdu::Short),
            (with(0, 2), BadPdu::Subtype),
            (with(1, 0), BadPdu::Version),
            (with(2, 2), BadPdu::Parts),
            (with(3, 19), BadPdu::Parts),
            (with(22, 1), BadPdu::Parts),
            (with(23, 21), BadPdu::Parts),
        ] {
            assert_eq!(bad, Err(why));
        }
    }

    fn information() -> impl Strategy<Value = Information> {
        let words = (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>());
        (words, any::<[u8; 6]>(), any::<u8>()).prop_map(|(words, system, states)| Information {
            system_priority: words.0,
            system,
            key: words.1,
            port_priority: words.2,
            port: words.3,
            states: States(states),
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(actor in information(), partner in information()) {
            let pdu = Pdu { actor, partner };
            prop_assert_eq!(Pdu::parse(&pdu.bytes()), Ok(pdu));
        }

        #[test]
        fn no_octets_panic(bytes in proptest::collection::vec(any::<u8>(), 0..130)) {
            Pdu::parse(&bytes).ok();
        }
    }
}
