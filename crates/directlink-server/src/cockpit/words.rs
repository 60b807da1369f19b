//! How things are said: states with their colour and the guide's sentence, times, counts.

use crate::app::Event;
use askama::Template;
use directlink_model::{
    connection::ConnectionState,
    fault::Quota,
    figures::went_on,
    interface::{Confirmation, Interface, InterfaceState},
};
use jiff::{SignedDuration, Timestamp};

/// A state: never told by its colour alone.
#[derive(Clone, Copy, Debug, Template)]
#[template(source = "<span class=\"badge {{ tone }}\">{{ text }}</span>", ext = "html")]
pub(super) struct Badge {
    pub(super) tone: &'static str,
    pub(super) text: &'static str,
}

const GOOD: &str = "good";
const WAIT: &str = "wait";
const BAD: &str = "bad";
const GONE: &str = "gone";

pub(super) const fn connection_badge(state: ConnectionState) -> Badge {
    Badge { tone: connection_tone(state), text: state.as_str() }
}

pub(super) const fn connection_tone(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Ordering | ConnectionState::Requested | ConnectionState::Pending => WAIT,
        ConnectionState::Available => GOOD,
        ConnectionState::Down => BAD,
        ConnectionState::Deleting | ConnectionState::Deleted | ConnectionState::Rejected => GONE,
    }
}

pub(super) const fn interface_badge(state: InterfaceState) -> Badge {
    Badge { tone: interface_tone(state), text: state.as_str() }
}

pub(super) const fn interface_tone(state: InterfaceState) -> &'static str {
    match state {
        InterfaceState::Confirming | InterfaceState::Pending | InterfaceState::Testing => WAIT,
        InterfaceState::Available => GOOD,
        InterfaceState::Down => BAD,
        InterfaceState::Deleting
        | InterfaceState::Deleted
        | InterfaceState::Rejected
        | InterfaceState::Expired => GONE,
    }
}

pub(super) const fn yes_badge(
    yes: bool,
    (text_yes, text_no): (&'static str, &'static str),
) -> Badge {
    match yes {
        true => Badge { tone: GOOD, text: text_yes },
        false => Badge { tone: BAD, text: text_no },
    }
}

/// The guide's sentence on a connection's state.
pub(super) const fn connection_says(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Ordering => {
            "Another account offers you a share of its fibre. Accept it within 7 days, or reject it."
        }
        ConnectionState::Requested => {
            "You have requested this connection. It stays requested until the operator sends you the Letter of Authorization."
        }
        ConnectionState::Pending => {
            "The operator has approved this connection and has sent you the Letter of Authorization. Give it to your network service provider, who asks the data centre to connect your fibre."
        }
        ConnectionState::Available => {
            "The network link is plugged to both your router and the DirectLink router, and the connection is ready for use."
        }
        ConnectionState::Down => "The network link is down: the DirectLink router sees no light.",
        ConnectionState::Deleting => {
            "You requested to delete this connection. It stays deleting until its router has let go of it."
        }
        ConnectionState::Deleted => "The connection is deleted.",
        ConnectionState::Rejected => {
            "The operator refused the order, or the share of another account's fibre was rejected, withdrawn, or not confirmed in time."
        }
    }
}

/// The guide's sentence on an interface's state.
pub(super) const fn interface_says(state: InterfaceState) -> &'static str {
    match state {
        InterfaceState::Confirming => {
            "The interface is pending confirmation from its owner. After 7 days without it, it expires."
        }
        InterfaceState::Pending => {
            "The interface stays pending until both your router and the DirectLink router are configured."
        }
        InterfaceState::Available => "The interface forwards traffic.",
        InterfaceState::Down => {
            "The interface has worked before, and does not forward traffic now."
        }
        InterfaceState::Testing => {
            "A failover test keeps the BGP session shut for a while, as you asked."
        }
        InterfaceState::Deleting => {
            "The interface stays deleting until its configuration is gone from the DirectLink router."
        }
        InterfaceState::Deleted => "The interface is deleted and cannot forward traffic any more.",
        InterfaceState::Rejected => "The interface was deleted while it was confirming.",
        InterfaceState::Expired => {
            "Its owner has not confirmed it within 7 days. It can no longer be used: create a new one."
        }
    }
}

/// A moment.
#[derive(Clone, Debug, Template)]
#[template(source = "<time datetime=\"{{ iso }}\">{{ text }}</time>", ext = "html")]
pub(super) struct When {
    iso: String,
    text: String,
}

/// To the second, in UTC, as logs have it.
pub(super) fn when(at: Timestamp) -> When {
    When {
        iso: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        text: at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    }
}

/// What remains, in its two largest units.
pub(super) fn left(until: Timestamp, now: Timestamp) -> String {
    let left = until.duration_since(now).max(SignedDuration::ZERO);
    let (days, hours, minutes) = (left.as_hours() / 24, left.as_hours() % 24, left.as_mins() % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => "less than a minute".into(),
        (0, 0, minutes) => count(minutes, "minute"),
        (0, hours, minutes) => format!("{} {}", count(hours, "hour"), count(minutes, "minute")),
        (days, hours, _) => format!("{} {}", count(days, "day"), count(hours, "hour")),
    }
}

pub(super) fn count(n: i64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

/// How long a hosted interface still waits for its owner.
pub(super) fn confirmation_left(interface: &Interface, now: Timestamp) -> Option<String> {
    match interface.confirmation {
        Confirmation::AwaitedUntil(until) => Some(left(until, now)),
        Confirmation::Given | Confirmation::ExpiredAt(_) | Confirmation::RejectedAt(_) => None,
    }
}

/// A line of a history.
pub(super) struct EventLine {
    pub(super) when: When,
    pub(super) what: String,
    pub(super) who: String,
    pub(super) why: String,
    pub(super) subject: String,
    pub(super) tone: &'static str,
}

pub(super) fn event_line(event: Event) -> EventLine {
    let Event { at, actor, subject, what, why } = event;
    let who = match actor.as_str() {
        "time" => "a deadline".to_owned(),
        "mail" => "the mail".to_owned(),
        "operator" => "the operator".to_owned(),
        account if account.bytes().all(|b| b.is_ascii_digit()) => format!("account {account}"),
        router => router.to_owned(),
    };
    // A request's number is a cause for those who read logs.
    let why = match why.len() == 36 && why.bytes().filter(|b| *b == b'-').count() == 4 {
        true => format!("request {why}"),
        false => why,
    };
    EventLine { when: when(at), tone: event_tone(&what), what, who, why, subject }
}

fn event_tone(what: &str) -> &'static str {
    match what.rsplit(' ').next() {
        Some("available" | "confirmed" | "approved") => GOOD,
        Some("down" | "expired" | "rejected") => BAD,
        Some("deleted" | "deleting" | "asked") => GONE,
        Some(_) | None => WAIT,
    }
}

/// A verdict on packets: whether they went on, and what became of them.
pub(super) struct VerdictLine {
    pub(super) went_on: bool,
    pub(super) name: String,
    pub(super) packets: u64,
}

pub(super) fn verdict_line((name, packets): (&String, &u64)) -> VerdictLine {
    let went_on = went_on(name);
    VerdictLine { went_on, name: name.replace('_', " "), packets: *packets }
}

/// For a column of numbers.
pub(super) fn quota_words(quota: Quota) -> String {
    let text = quota.to_string();
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    first + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_in_two_units() {
        let now = Timestamp::UNIX_EPOCH;
        for (seconds, text) in [
            (-5, "less than a minute"),
            (59, "less than a minute"),
            (60, "1 minute"),
            (3_600, "1 hour 0 minutes"),
            (7_260, "2 hours 1 minute"),
            (86_400, "1 day 0 hours"),
            (604_799, "6 days 23 hours"),
        ] {
            assert_eq!(left(now + SignedDuration::from_secs(seconds), now), text, "{seconds}");
        }
    }

    #[test]
    fn a_requests_number_is_called_one_and_a_cause_is_left_as_it_is() {
        let line = |actor: &str, why: &str| {
            let (actor, why) = (actor.into(), why.into());
            let (subject, what) = ("dxvif-1".into(), "interface down".into());
            let line = event_line(Event { at: Timestamp::UNIX_EPOCH, actor, subject, what, why });
            format!("{} | {} | {}", line.who, line.why, line.tone)
        };
        assert_eq!(line("router par1-r1", "no light"), "router par1-r1 | no light | bad");
        assert_eq!(
            line("012345678901", "550e8400-e29b-41d4-a716-446655440000"),
            "account 012345678901 | request 550e8400-e29b-41d4-a716-446655440000 | bad"
        );
    }
}
