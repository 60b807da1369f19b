//! Who is asking: proven once, at the edge, before a byte of the body is believed.
//!
//! ```text
//!   Authorization: OSC4-HMAC-SHA256 … / AWS4-HMAC-SHA256 …   sigv4    every action
//!   Authorization: Basic …  and X-Osc-Date                   basic    the actions on access keys
//!                                                            lockout  four wrong ones, and wait
//! ```
//!
//! Nothing here asks a clock or a store: time and the secret key are arguments. How a refusal is
//! said (status, code) is each dialect's own, by a total match over [`AuthError`].

pub mod basic;
pub mod lockout;
pub mod sigv4;

use http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use thiserror::Error;

/// What of a request is signed.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    pub method: &'a Method,
    /// As it came: not decoded, not normalised.
    pub path: &'a str,
    /// Without the question mark; empty where there is none.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// Why a request is not believed. The texts are for the caller and tell nothing of the keys we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    #[error("The request has no credentials. Sign it with an access key.")]
    Missing,
    #[error("The Authorization header cannot be read: {0}.")]
    Malformed(&'static str),
    #[error("The request has no {0} header. It must say when it was signed.")]
    NoDate(&'static str),
    #[error("The {0} header is empty.")]
    EmptyDate(&'static str),
    #[error("The {0} header is not a date of the form YYYYMMDDTHHMMSSZ.")]
    BadDate(&'static str),
    #[error("The credential has no date: it reads KEY/YYYYMMDD/REGION/SERVICE/TERMINATOR.")]
    NoScopeDate,
    #[error("The request was signed too long ago. Check the clock of your machine.")]
    TooOld,
    #[error("The request was signed in the future. Check the clock of your machine.")]
    InFuture,
    #[error("The header {0} must be among the signed ones.")]
    NotSigned(&'static str),
    #[error(
        "The header x-amz-content-sha256 is not the hash of the body; an unsigned body is not taken."
    )]
    BodyHash,
    #[error("The access key does not exist, is inactive or has expired.")]
    UnknownKey,
    #[error("The signature does not match. Check the secret key and how the request is signed.")]
    WrongSignature,
    #[error("The login or the password is wrong.")]
    WrongPassword,
    #[error("This action takes no password: sign the request with an access key.")]
    PasswordNotTaken,
    #[error("Too many wrong attempts with these credentials. Wait, then try again.")]
    Locked,
}

impl AuthError {
    /// Whether it counts towards the lock-out: someone may be guessing.
    pub const fn is_wrong_secret(self) -> bool {
        matches!(self, Self::WrongSignature | Self::WrongPassword)
    }
}

/// How old a signature may be. The service that we are compatible with took 800 s and refused a day;
/// AWS says 15 minutes. Short enough that a captured request is soon worthless.
pub const OLDEST: SignedDuration = SignedDuration::from_mins(15);

/// How far ahead of ours the caller's clock may be. That service took 2 s and refused 4 s on one face
/// and took anything on the other; a laptop without NTP drifts further, and a signature from the
/// near future can do no more harm than one from the near past.
pub const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// When the request says it was signed, if that is near `now`. `header` is the brand's date header.
pub fn signed_at(
    headers: &HeaderMap,
    header: &'static str,
    now: Timestamp,
) -> Result<Timestamp, AuthError> {
    let value = headers.get(header).ok_or(AuthError::NoDate(header))?;
    let text = value.to_str().map_err(|_| AuthError::BadDate(header))?.trim();
    if text.is_empty() {
        return Err(AuthError::EmptyDate(header));
    }
    let at = parse_date(text).ok_or(AuthError::BadDate(header))?;
    match now.duration_since(at) {
        age if age > OLDEST => Err(AuthError::TooOld),
        age if age < -AHEAD => Err(AuthError::InFuture),
        _ => Ok(at),
    }
}

fn parse_date(text: &str) -> Option<Timestamp> {
    let basic_form = text.len() == 16
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 => b == b'T',
            15 => b == b'Z',
            _ => b.is_ascii_digit(),
        });
    let date = basic_form.then(|| DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()).flatten()?;
    date.to_zoned_datetime(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_window_is_fifteen_minutes_back_and_five_ahead() {
        let now: Timestamp = "2026-11-23T15:30:00Z".parse().unwrap();
        for (text, expected) in [
            ("20261123T153000Z", Ok("2026-11-23T15:30:00Z")),
            ("20261123T151500Z", Ok("2026-11-23T15:15:00Z")),
            ("20261123T151459Z", Err(AuthError::TooOld)),
            ("20261122T153000Z", Err(AuthError::TooOld)),
            ("20261123T153500Z", Ok("2026-11-23T15:35:00Z")),
            ("20261123T153501Z", Err(AuthError::InFuture)),
            ("", Err(AuthError::EmptyDate("x-osc-date"))),
            ("yesterday", Err(AuthError::BadDate("x-osc-date"))),
            ("20261323T153000Z", Err(AuthError::BadDate("x-osc-date"))),
            ("2026-11-23T15:30Z", Err(AuthError::BadDate("x-osc-date"))),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-osc-date", text.parse().unwrap());
            let expected = expected.map(|at| at.parse().unwrap());
            assert_eq!(signed_at(&headers, "x-osc-date", now), expected, "{text}");
        }
        assert_eq!(
            signed_at(&HeaderMap::new(), "x-osc-date", now),
            Err(AuthError::NoDate("x-osc-date"))
        );
    }
}
