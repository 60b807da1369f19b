//! What an account is told by mail: why, about what, and since when it is so.
//!
//! The moment is that of the fact, not that of the telling: the same fact gives the same notice,
//! however often one looks, and so each is sent once.

use crate::ids::{AccountId, ConnectionId};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

/// Why an account is written to, and about what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// The order is approved; the letter goes along.
    LetterIssued(ConnectionId),
    /// The order is refused, for a reason.
    OrderRefused(ConnectionId),
}

/// To whom, and the moment of the fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    pub occasion: Occasion,
    pub to: AccountId,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{kind}' of '{subject}' is not an occasion")]
pub struct BadOccasion {
    kind: String,
    subject: String,
}

impl Occasion {
    /// Its word, without what it is about.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::LetterIssued(_) => "loa",
            Self::OrderRefused(_) => "order refused",
        }
    }

    /// The id of what it is about.
    pub fn subject(self) -> String {
        match self {
            Self::LetterIssued(id) | Self::OrderRefused(id) => id.to_string(),
        }
    }

    /// Out of its two words again.
    pub fn read(kind: &str, subject: &str) -> Result<Self, BadOccasion> {
        let bad = || BadOccasion { kind: kind.into(), subject: subject.into() };
        let connection = || subject.parse::<ConnectionId>().map_err(|_| bad());
        match kind {
            "loa" => connection().map(Self::LetterIssued),
            "order refused" => connection().map(Self::OrderRefused),
            _ => Err(bad()),
        }
    }
}

/// A relay that does not take a mail is asked again for so long (RFC 5321, 4.5.4.1: 4 to 5 days).
pub const TRY_FOR: SignedDuration = SignedDuration::from_hours(5 * 24);

/// The longest pause between two attempts.
const PAUSE_MAX: SignedDuration = SignedDuration::from_mins(15);

/// The pause after so many attempts: 2 seconds, doubled each time.
pub fn pause_after(attempts: u32) -> SignedDuration {
    let seconds = 1i64.checked_shl(attempts.clamp(1, 32)).unwrap_or(i64::MAX);
    SignedDuration::from_secs(seconds).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_occasion_is_read_back_from_its_words_and_nothing_else_is() {
        let connection = ConnectionId::from_bits(7);
        let all = [Occasion::LetterIssued(connection), Occasion::OrderRefused(connection)];
        for occasion in all {
            assert_eq!(Occasion::read(occasion.kind(), &occasion.subject()), Ok(occasion));
        }
        for (kind, subject) in [("loa", "dxvif-00000007"), ("loa", ""), ("spam", "dxcon-00000007")]
        {
            assert!(Occasion::read(kind, subject).is_err(), "{kind} {subject}");
        }
    }

    #[test]
    fn pauses_double_to_a_quarter_of_an_hour() {
        let seconds: Vec<_> =
            [0, 1, 2, 3, 9, 10, 400, u32::MAX].map(|n| pause_after(n).as_secs()).into();
        assert_eq!(seconds, [2, 2, 4, 8, 512, 900, 900, 900]);
    }
}
