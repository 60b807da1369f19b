//! How a router comes to its certificate and keeps one, as rules on a clock.
//!
//! ```text
//!   operator   token, good for an hour, once ──► the router's disk
//!   router     own key ── token, request ──► certificate ── at 2/3 of its life ──► the next ──► …
//!              key known to no one else         └── revoked: a new token
//! ```
//!
//! A token is `ROUTER.SECRET.AUTHORITY`: whose it is, what proves it, and the SHA-256 of the certificate of the authority
//! that the server must show before it is told the secret (as kubeadm's `--discovery-token-ca-cert-hash`).

use crate::ids::RouterName;
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use thiserror::Error;

/// Of the secret and of the authority's fingerprint: 256 bits in hexadecimal.
const HEX_LEN: usize = 64;

/// Another clock than the one that dates certificates may be so much behind.
const SKEW_MAX: SignedDuration = SignedDuration::from_mins(5);

#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub router: RouterName,
    secret: String,
    /// SHA-256 of the authority's certificate.
    pub authority: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a token is ROUTER.SECRET.AUTHORITY, the last two of 64 hexadecimal digits each")]
pub struct BadToken;

impl Token {
    /// `secret`: 256 bits that nobody can guess.
    pub fn new(router: RouterName, secret: &str, authority: &str) -> Result<Self, BadToken> {
        let is_hex = |text: &str| {
            let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            digits && text.len() == HEX_LEN
        };
        match is_hex(secret) && is_hex(authority) {
            true => Ok(Self { router, secret: secret.into(), authority: authority.into() }),
            false => Err(BadToken),
        }
    }

    pub fn read(text: &str) -> Result<Self, BadToken> {
        let mut parts = text.trim().rsplitn(3, '.');
        let (authority, secret, router) = (parts.next(), parts.next(), parts.next());
        let router = router.and_then(|router| router.parse().ok()).ok_or(BadToken)?;
        Self::new(router, secret.ok_or(BadToken)?, authority.ok_or(BadToken)?)
    }

    /// For the server that has shown its authority, and nobody else.
    pub fn expose_secret(&self) -> &str {
        &self.secret
    }

    /// As it is handed to the router. No `Display`: it must not slip into a log.
    pub fn expose_text(&self) -> String {
        format!("{}.{}.{}", self.router, self.secret, self.authority)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("router", &self.router)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// A token as the Region remembers it: without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    pub router: RouterName,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// SHA-256 of the key that it made a certificate for.
    pub used_by: Option<String>,
}

/// Why a token is worth nothing (any more).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenFault {
    #[error("there is no such token, or no longer")]
    Unknown,
    #[error("the token has run out")]
    RunOut,
    #[error("the token has been used")]
    Used,
}

impl Enrolment {
    /// Whether it makes a certificate for `key`. The key that it was first used for may ask again: the answer may have
    /// been lost on its way, and is worth nothing to who has not the key.
    pub fn admits(&self, key: &str, now: Timestamp) -> Result<(), TokenFault> {
        match &self.used_by {
            Some(other) if other != key => Err(TokenFault::Used),
            _ if self.expires_at <= now => Err(TokenFault::RunOut),
            _ => Ok(()),
        }
    }

    /// Whether somebody can still come with it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.used_by.is_none() && now < self.expires_at
    }
}

/// From when until when a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Validity {
    /// Made now, for so long. Good a moment ago as well, for who has a clock that is behind.
    pub fn beginning(now: Timestamp, life: SignedDuration) -> Self {
        let from = now.checked_sub(SKEW_MAX.min(life / 10)).unwrap_or(Timestamp::MIN);
        let until = now.checked_add(life).unwrap_or(Timestamp::MAX);
        Self { from, until }
    }

    /// At two thirds of its life, so that a third is left for what goes wrong.
    pub fn renew_at(&self) -> Timestamp {
        let life = self.until.duration_since(self.from);
        self.until.checked_sub(life / 3).unwrap_or(self.until)
    }

    /// After a renewal that failed: often enough to come through in what is left, and no more often than needed.
    pub fn retry_in(&self, now: Timestamp) -> SignedDuration {
        let left = self.until.duration_since(now);
        (left / 10).clamp(SignedDuration::from_secs(1), SignedDuration::from_hours(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const AUTHORITY: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_token_is_read_as_it_is_written_and_its_secret_is_not_shown() {
        let token = Token::new("par1-r1".parse().unwrap(), SECRET, AUTHORITY).unwrap();
        assert_eq!(Token::read(&format!("{}\n", token.expose_text())), Ok(token.clone()));
        assert!(!format!("{token:?}").contains(SECRET));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let short = &SECRET[1..];
        for text in [
            String::new(),
            "par1-r1".into(),
            format!("{SECRET}.{AUTHORITY}"),
            format!(".{SECRET}.{AUTHORITY}"),
            format!("par1-r1.{short}.{AUTHORITY}"),
            format!("par1-r1.{SECRET}.{}", AUTHORITY.to_uppercase()),
            format!("par1-r1.{SECRET}.{short}é"),
        ] {
            assert_eq!(Token::read(&text), Err(BadToken), "{text}");
        }
    }

    #[test]
    fn a_token_is_good_once_until_it_runs_out_and_again_for_the_key_that_used_it() {
        let open = Enrolment {
            router: "r1".parse().unwrap(),
            created_at: at(0),
            expires_at: at(100),
            used_by: None,
        };
        let used = Enrolment { used_by: Some("a".into()), ..open.clone() };
        for (enrolment, key, now, wanted) in [
            (&open, "a", 99, Ok(())),
            (&open, "a", 100, Err(TokenFault::RunOut)),
            (&used, "a", 99, Ok(())),
            (&used, "a", 100, Err(TokenFault::RunOut)),
            (&used, "b", 99, Err(TokenFault::Used)),
        ] {
            assert_eq!(enrolment.admits(key, at(now)), wanted, "{key} {now} {enrolment:?}");
        }
        assert!(open.is_open(at(99)) && !open.is_open(at(100)) && !used.is_open(at(0)));
    }

    #[test]
    fn a_certificate_is_renewed_at_two_thirds_of_its_life() {
        let validity = Validity { from: at(0), until: at(90) };
        assert_eq!(validity.renew_at(), at(60));
        let days = Validity::beginning(at(1_000_000), SignedDuration::from_hours(30 * 24));
        assert_eq!(days.from, at(1_000_000) - SKEW_MAX);
        assert_eq!(days.until, at(1_000_000) + SignedDuration::from_hours(30 * 24));
        // A short one is not renewed as soon as it is made.
        let short = Validity::beginning(at(1_000_000), SignedDuration::from_secs(15));
        assert!(short.renew_at() > at(1_000_000));
    }

    #[test]
    fn a_renewal_that_failed_is_tried_again_the_sooner_the_less_time_is_left() {
        let validity = Validity { from: at(0), until: at(30 * 86_400) };
        let table = [(20 * 86_400, 3600), (30 * 86_400 - 600, 60), (30 * 86_400 + 5, 1)];
        for (now, wanted) in table {
            assert_eq!(validity.retry_in(at(now)), SignedDuration::from_secs(wanted), "{now}");
        }
    }
}
