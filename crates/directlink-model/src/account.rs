//! Accounts and the keys that they sign with.

use crate::ids::AccountId;
use jiff::Timestamp;
use std::fmt;

/// Who is asking. Proven by a signature or a password, once, at the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: AccountId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// E-mail address: the login.
    pub email: String,
    pub created_at: Timestamp,
}

/// An access key without its secret: what may be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// 20 characters, A–Z and 0–9.
    pub id: String,
    pub account: AccountId,
    pub active: bool,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// A word that its owner knows it by.
    pub tag: Option<String>,
}

impl AccessKey {
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.active && self.expires_at.is_none_or(|end| now < end)
    }
}

/// The 40 characters that sign. Shown once, when made.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(String);

impl SecretKey {
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}
