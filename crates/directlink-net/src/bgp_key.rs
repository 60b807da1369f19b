//! The shared secret of a BGP session (TCP MD5 signature, RFC 2385).

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use subtle::ConstantTimeEq;
use thiserror::Error;

/// 1 to 80 printable ASCII characters without spaces: what Linux (`TCP_MD5SIG_MAXKEYLEN`),
/// and every router vendor, can hold. Never shown by `Debug`; serialised only into the
/// plan (over mTLS), the ledger (mode 0600) and the owner's own answers.
#[derive(Clone)]
pub struct BgpKey(SecretString);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a BGP key has 1 to 80 printable ASCII characters without spaces")]
pub struct BadBgpKey;

impl BgpKey {
    pub const LENGTH_MAX: usize = 80;

    /// The characters themselves. For the kernel, and for the one who may see them.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl TryFrom<String> for BgpKey {
    type Error = BadBgpKey;
    fn try_from(text: String) -> Result<Self, BadBgpKey> {
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        match fits && text.bytes().all(|b| b.is_ascii_graphic()) {
            true => Ok(Self(text.into())),
            false => Err(BadBgpKey),
        }
    }
}

impl TryFrom<&str> for BgpKey {
    type Error = BadBgpKey;
    fn try_from(text: &str) -> Result<Self, BadBgpKey> {
        text.to_owned().try_into()
    }
}

impl PartialEq for BgpKey {
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for BgpKey {}

impl fmt::Debug for BgpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BgpKey(…)")
    }
}

impl Serialize for BgpKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for BgpKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_and_alphabet_are_checked() {
        for (text, good) in [
            (String::new(), false),
            ("k".into(), true),
            ("tgyn26example".into(), true),
            ("with space".into(), false),
            ("é".into(), false),
            ("x".repeat(80), true),
            ("x".repeat(81), false),
        ] {
            assert_eq!(BgpKey::try_from(text.clone()).is_ok(), good, "{text:?}");
        }
    }

    #[test]
    fn debug_never_shows_the_key() {
        let key = BgpKey::try_from("tgyn26example").unwrap();
        assert!(!format!("{key:?}").contains("tgyn26"));
    }
}
