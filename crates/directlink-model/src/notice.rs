//! What an account is told by mail: why, about what, and since when it is so.
//!
//! The moment is that of the fact, not that of the telling: the same fact gives the same notice,
//! however often one looks, and so each is sent once.

use crate::{
    connection::{Connection, ConnectionState, Standing},
    ids::{AccountId, ConnectionId, InterfaceId, MaintenanceId},
    interface::{Confirmation, Interface},
};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

/// Why an account is written to, and about what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// The order is approved; the letter goes along.
    LetterIssued(ConnectionId),
    /// The order is refused, for a reason.
    OrderRefused(ConnectionId),
    /// The letter will run out, and no fibre is plugged.
    LetterEnding(ConnectionId),
    /// It has run out.
    LetterLapsed(ConnectionId),
    /// There is light: for the first time, or again after it was told that there was none.
    ConnectionAvailable(ConnectionId),
    /// There has been no light for a while.
    ConnectionDown(ConnectionId),
    /// Another account offers an interface.
    InterfaceWaiting(InterfaceId),
    /// The offer ends in a day.
    InterfaceExpiring(InterfaceId),
    /// It has ended.
    InterfaceExpired(InterfaceId),
    /// Work is planned on what carries something of theirs.
    MaintenancePlanned(MaintenanceId),
    /// To another time.
    MaintenanceMoved(MaintenanceId),
    /// It begins in a few days.
    MaintenanceSoon(MaintenanceId),
    MaintenanceBegun(MaintenanceId),
    MaintenanceEnded(MaintenanceId),
    /// It will not be.
    MaintenanceCancelled(MaintenanceId),
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
            Self::LetterEnding(_) => "loa ending",
            Self::LetterLapsed(_) => "loa run out",
            Self::ConnectionAvailable(_) => "connection available",
            Self::ConnectionDown(_) => "connection down",
            Self::InterfaceWaiting(_) => "interface waiting",
            Self::InterfaceExpiring(_) => "interface expiring",
            Self::InterfaceExpired(_) => "interface expired",
            Self::MaintenancePlanned(_) => "maintenance planned",
            Self::MaintenanceMoved(_) => "maintenance moved",
            Self::MaintenanceSoon(_) => "maintenance soon",
            Self::MaintenanceBegun(_) => "maintenance begun",
            Self::MaintenanceEnded(_) => "maintenance ended",
            Self::MaintenanceCancelled(_) => "maintenance cancelled",
        }
    }

    /// The id of what it is about.
    pub fn subject(self) -> String {
        match self {
            Self::LetterIssued(id)
            | Self::OrderRefused(id)
            | Self::LetterEnding(id)
            | Self::LetterLapsed(id)
            | Self::ConnectionAvailable(id)
            | Self::ConnectionDown(id) => id.to_string(),
            Self::InterfaceWaiting(id)
            | Self::InterfaceExpiring(id)
            | Self::InterfaceExpired(id) => id.to_string(),
            Self::MaintenancePlanned(id)
            | Self::MaintenanceMoved(id)
            | Self::MaintenanceSoon(id)
            | Self::MaintenanceBegun(id)
            | Self::MaintenanceEnded(id)
            | Self::MaintenanceCancelled(id) => id.to_string(),
        }
    }

    /// Out of its two words again.
    pub fn read(kind: &str, subject: &str) -> Result<Self, BadOccasion> {
        let bad = || BadOccasion { kind: kind.into(), subject: subject.into() };
        let connection = || subject.parse::<ConnectionId>().map_err(|_| bad());
        let interface = || subject.parse::<InterfaceId>().map_err(|_| bad());
        let maintenance = || subject.parse::<MaintenanceId>().map_err(|_| bad());
        match kind {
            "loa" => connection().map(Self::LetterIssued),
            "order refused" => connection().map(Self::OrderRefused),
            "loa ending" => connection().map(Self::LetterEnding),
            "loa run out" => connection().map(Self::LetterLapsed),
            "connection available" => connection().map(Self::ConnectionAvailable),
            "connection down" => connection().map(Self::ConnectionDown),
            "interface waiting" => interface().map(Self::InterfaceWaiting),
            "interface expiring" => interface().map(Self::InterfaceExpiring),
            "interface expired" => interface().map(Self::InterfaceExpired),
            "maintenance planned" => maintenance().map(Self::MaintenancePlanned),
            "maintenance moved" => maintenance().map(Self::MaintenanceMoved),
            "maintenance soon" => maintenance().map(Self::MaintenanceSoon),
            "maintenance begun" => maintenance().map(Self::MaintenanceBegun),
            "maintenance ended" => maintenance().map(Self::MaintenanceEnded),
            "maintenance cancelled" => maintenance().map(Self::MaintenanceCancelled),
            _ => Err(bad()),
        }
    }
}

/// Before its end a letter that nobody used is called to mind, so long.
pub const LETTER_ENDS_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// And an offer that nobody took.
pub const OFFER_ENDS_SOON: SignedDuration = SignedDuration::from_hours(24);

/// What time alone makes of a connection's facts: told when it is dark for longer than `down_after`,
/// and as its letter runs out unused.
pub fn of_connection(
    connection: &Connection,
    down_after: SignedDuration,
    now: Timestamp,
) -> Vec<Notice> {
    let (id, to) = (connection.id, connection.account);
    let notice = |occasion, at| Notice { occasion, to, at };
    match (connection.state(), connection.light) {
        (ConnectionState::Down, Some(light)) if now.duration_since(light.since) > down_after => {
            vec![notice(Occasion::ConnectionDown(id), light.since)]
        }
        (ConnectionState::Pending, _) => match connection.standing(now) {
            Standing::Valid { until } if until.duration_since(now) <= LETTER_ENDS_SOON => {
                vec![notice(Occasion::LetterEnding(id), until)]
            }
            Standing::Lapsed { since } => vec![notice(Occasion::LetterLapsed(id), since)],
            Standing::Valid { .. } | Standing::InUse { .. } | Standing::Withdrawn => vec![],
        },
        _ => vec![],
    }
}

/// What light makes of them: told where the customer waits for it, or knows that there was none.
pub fn of_light((was, is): (&Connection, &Connection), knows_of_dark: bool) -> Option<Notice> {
    let light = is.light.filter(|light| light.on)?;
    let awaited = match was.state() {
        ConnectionState::Pending => true,
        ConnectionState::Down => knows_of_dark,
        ConnectionState::Ordering
        | ConnectionState::Requested
        | ConnectionState::Available
        | ConnectionState::Deleting
        | ConnectionState::Deleted
        | ConnectionState::Rejected => false,
    };
    let (occasion, to) = (Occasion::ConnectionAvailable(is.id), is.account);
    (awaited && is.state() == ConnectionState::Available).then_some(Notice {
        occasion,
        to,
        at: light.since,
    })
}

/// An offer that waits for its owner, and will not for long.
pub fn of_offer(interface: &Interface, now: Timestamp) -> Option<Notice> {
    let Confirmation::AwaitedUntil(until) = interface.confirmation else { return None };
    let left = until.duration_since(now);
    let (occasion, to) = (Occasion::InterfaceExpiring(interface.id), interface.owner);
    (left.is_positive() && left <= OFFER_ENDS_SOON).then_some(Notice { occasion, to, at: until })
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
    use crate::connection::{Bandwidth, LETTER_VALID, PortRef};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Approved at 0.
    fn pending() -> Connection {
        let port = PortRef { router: "par1-r1".parse().unwrap(), port: "p0".parse().unwrap() };
        let mut connection = Connection {
            id: ConnectionId::from_bits(1),
            account: AccountId::from_number(1),
            name: "to the cloud".into(),
            location: "PAR1".parse().unwrap(),
            bandwidth: Bandwidth::OneGbps,
            lag: None,
            requested_at: at(0),
            approval: None,
            refused: None,
            light: None,
            is_bundled: false,
            delete_asked_at: None,
            deleted_at: None,
            hosting: None,
        };
        connection.approve(port, at(0)).unwrap();
        connection
    }

    const FIVE_MINUTES: SignedDuration = SignedDuration::from_mins(5);

    fn told(connection: &Connection, now: Timestamp) -> Vec<(&'static str, Timestamp)> {
        let notices = of_connection(connection, FIVE_MINUTES, now);
        notices.into_iter().map(|notice| (notice.occasion.kind(), notice.at)).collect()
    }

    #[test]
    fn a_letter_is_called_to_mind_once_before_its_end_and_once_after() {
        let (mut c, end) = (pending(), at(0) + LETTER_VALID);
        let day = SignedDuration::from_hours(24);
        for (days_left, expected) in [
            (90, vec![]),
            (15, vec![]),
            (14, vec![("loa ending", end)]),
            (1, vec![("loa ending", end)]),
            (0, vec![("loa run out", end)]),
            (-99, vec![("loa run out", end)]),
        ] {
            assert_eq!(told(&c, end - day * days_left), expected, "{days_left}");
        }
        c.see_light(true, at(9));
        assert_eq!(told(&c, end), vec![], "it is plugged");
        c.see_light(false, end);
        assert_eq!(told(&c, end + day), vec![("connection down", end)]);
    }

    #[test]
    fn a_dark_connection_is_told_of_when_its_minutes_are_over_and_not_once_it_is_to_go() {
        let mut c = pending();
        c.see_light(true, at(10));
        c.see_light(false, at(20));
        assert_eq!(told(&c, at(20 + 300)), vec![]);
        assert_eq!(told(&c, at(20 + 301)), vec![("connection down", at(20))]);
        assert_eq!(told(&c, at(999_999)), vec![("connection down", at(20))], "the same notice");
        c.ask_delete(0, at(400)).unwrap();
        assert_eq!(told(&c, at(999_999)), vec![]);
    }

    #[test]
    fn light_is_told_of_the_first_time_and_after_darkness_that_was_told_of() {
        let dark = pending();
        let mut lit = dark.clone();
        lit.see_light(true, at(10));
        let first = of_light((&dark, &lit), false).unwrap();
        assert_eq!((first.occasion.kind(), first.at), ("connection available", at(10)));
        let mut down = lit.clone();
        down.see_light(false, at(20));
        let mut again = down.clone();
        again.see_light(true, at(30));
        assert_eq!(of_light((&lit, &down), true), None);
        assert_eq!(of_light((&down, &again), false), None, "a blink");
        assert_eq!(of_light((&down, &again), true).map(|notice| notice.at), Some(at(30)));
    }

    #[test]
    fn an_occasion_is_read_back_from_its_words_and_nothing_else_is() {
        let (connection, interface) = (ConnectionId::from_bits(7), InterfaceId::from_bits(7));
        let all = [
            Occasion::LetterIssued(connection),
            Occasion::OrderRefused(connection),
            Occasion::LetterEnding(connection),
            Occasion::LetterLapsed(connection),
            Occasion::ConnectionAvailable(connection),
            Occasion::ConnectionDown(connection),
            Occasion::InterfaceWaiting(interface),
            Occasion::InterfaceExpiring(interface),
            Occasion::InterfaceExpired(interface),
            Occasion::MaintenancePlanned(MaintenanceId::from_bits(7)),
            Occasion::MaintenanceMoved(MaintenanceId::from_bits(7)),
            Occasion::MaintenanceSoon(MaintenanceId::from_bits(7)),
            Occasion::MaintenanceBegun(MaintenanceId::from_bits(7)),
            Occasion::MaintenanceEnded(MaintenanceId::from_bits(7)),
            Occasion::MaintenanceCancelled(MaintenanceId::from_bits(7)),
        ];
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
