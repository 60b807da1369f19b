//! Ethernet addresses (IEEE 802).

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// Six octets, in wire order. Written `02:00:5e:10:00:01`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is not a MAC address: write six hexadecimal pairs, as in 02:00:5e:10:00:01")]
pub struct BadMac(pub String);

impl Mac {
    /// Individual and not all zero: an address that a station can have.
    pub const fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && !matches!(self.0, [0, 0, 0, 0, 0, 0])
    }
}

impl FromStr for Mac {
    type Err = BadMac;
    fn from_str(text: &str) -> Result<Self, BadMac> {
        let bad = || BadMac(text.to_owned());
        let mut octets = [0; 6];
        let mut pairs = text.split(':');
        for octet in &mut octets {
            let pair =
                pairs.next().filter(|p| p.len() == 2 && !p.starts_with('+')).ok_or_else(bad)?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        pairs.next().is_none().then_some(Self(octets)).ok_or_else(bad)
    }
}

impl TryFrom<String> for Mac {
    type Error = BadMac;
    fn try_from(text: String) -> Result<Self, BadMac> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_bad_text_is_refused() {
        for (text, good) in [
            ("02:00:5e:10:00:01", true),
            ("02:00:5e:10:00", false),
            ("02:00:5e:10:00:01:02", false),
            ("2:0:5e:10:0:1", false),
            ("02:00:5e:10:00:zz", false),
            ("+2:00:5e:10:00:01", false),
        ] {
            let parsed = text.parse::<Mac>().map(|m| m.to_string());
            assert_eq!(parsed.as_deref() == Ok(text), good, "{text}");
        }
    }
}
