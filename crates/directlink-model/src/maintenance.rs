//! Maintenance: work on something of the Region's, at a stated time or from now on. While it runs,
//! every interface there is drained ([`crate::drain`]); when it ends they come back.
//!
//! ```text
//!   planned ── its time has come ──► running ── its end has come, or ended by hand ──► ended
//!      │ cancelled, or over before it began
//!      ▼
//!   cancelled
//! ```
//!
//! What the operator drains by hand is one that begins at once and ends when he says so.

use crate::{
    fault::{Fault, MaintenanceFault},
    ids::{AccountId, ConnectionId, InterfaceId, LocationCode, MaintenanceId, RouterName},
    notice::{Notice, Occasion},
};
use jiff::{SignedDuration, Timestamp};
use std::{fmt, str::FromStr};

/// So long before it begins its customers are reminded of it.
pub const BEGINS_SOON: SignedDuration = SignedDuration::from_hours(3 * 24);
/// No window is longer.
pub const LENGTH_MAX: SignedDuration = SignedDuration::from_hours(31 * 24);

/// What is worked on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    Location(LocationCode),
    Router(RouterName),
    /// Its interfaces, and those of the connections that it hosts.
    Connection(ConnectionId),
    Interface(InterfaceId),
}

/// The facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    pub id: MaintenanceId,
    pub target: Target,
    pub reason: String,
    pub from: Timestamp,
    /// `None`: until the operator ends it.
    pub until: Option<Timestamp>,
    /// How long an interface's traffic has to move by itself.
    pub at_most: SignedDuration,
    pub planned_at: Timestamp,
    /// When its time was last changed.
    pub moved_at: Option<Timestamp>,
    // Stamped once, each.
    pub begun_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub cancelled_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    Planned,
    Running,
    Ended,
    Cancelled,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub target: Target,
    pub reason: String,
    /// `None`: now.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub at_most: SignedDuration,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Ended => "ended",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Target {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Interface(_) => "interface",
            Self::Connection(_) => "connection",
            Self::Router(_) => "router",
            Self::Location(_) => "location",
        }
    }

    /// Which one.
    pub fn name(&self) -> String {
        match self {
            Self::Interface(id) => id.to_string(),
            Self::Connection(id) => id.to_string(),
            Self::Router(name) => name.to_string(),
            Self::Location(code) => code.to_string(),
        }
    }

    /// Out of its two words again.
    ///
    /// # Errors
    /// There is no such kind, or the kind has no such names.
    pub fn read(kind: &str, name: &str) -> Result<Self, Fault> {
        fn word<T: FromStr<Err: fmt::Display>>(name: &str) -> Result<T, Fault> {
            name.parse().map_err(|why: T::Err| Fault::BadValue {
                parameter: "target",
                given: name.into(),
                expected: why.to_string(),
            })
        }
        match kind {
            "interface" => word(name).map(Self::Interface),
            "connection" => word(name).map(Self::Connection),
            "router" => word(name).map(Self::Router),
            "location" => word(name).map(Self::Location),
            _ => Err(Fault::BadValue {
                parameter: "target",
                given: kind.into(),
                expected: "it is interface, connection, router or location".into(),
            }),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

impl Maintenance {
    pub fn plan(id: MaintenanceId, wish: Wish, now: Timestamp) -> Result<Self, Fault> {
        let Wish { target, reason, from, until, at_most } = wish;
        let from = from.unwrap_or(now);
        check_window(from, until, now)?;
        let good = (SignedDuration::ZERO..=crate::drain::AT_MOST_MAX).contains(&at_most);
        if !good {
            return Err(Fault::BadValue {
                parameter: "at_most_seconds",
                given: at_most.as_secs().to_string(),
                expected: "traffic has at most a day to move".into(),
            });
        }
        Ok(Self {
            id,
            target,
            reason,
            from,
            until,
            at_most,
            planned_at: now,
            moved_at: None,
            begun_at: None,
            ended_at: None,
            cancelled_at: None,
        })
    }

    pub fn state(&self, now: Timestamp) -> State {
        let is_over = self.until.is_some_and(|until| now >= until);
        match (self.cancelled_at, self.ended_at, self.begun_at) {
            (Some(_), _, _) => State::Cancelled,
            (None, Some(_), _) => State::Ended,
            (None, None, Some(_)) if is_over => State::Ended,
            (None, None, Some(_)) => State::Running,
            (None, None, None) if is_over => State::Cancelled,
            (None, None, None) if now >= self.from => State::Running,
            (None, None, None) => State::Planned,
        }
    }

    /// Stamps what time has made of it. Whether that is news.
    pub fn step(&mut self, now: Timestamp) -> bool {
        let before = (self.begun_at, self.ended_at, self.cancelled_at);
        match self.state(now) {
            State::Planned => {}
            State::Running => _ = self.begun_at.get_or_insert(now),
            State::Ended => _ = self.ended_at.get_or_insert(now),
            State::Cancelled => _ = self.cancelled_at.get_or_insert(now),
        }
        before != (self.begun_at, self.ended_at, self.cancelled_at)
    }

    /// When time alone makes something of it.
    pub fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        match self.state(now) {
            State::Planned => Some(self.from),
            State::Running => self.until,
            State::Ended | State::Cancelled => None,
        }
    }

    /// The work is done.
    pub fn end(&mut self, now: Timestamp) -> Result<(), Fault> {
        match self.state(now) {
            State::Running => {
                self.begun_at.get_or_insert(now);
                self.ended_at = Some(now);
                Ok(())
            }
            state => Err(MaintenanceFault::NotRunning { id: self.id, state }.into()),
        }
    }

    /// It will not be.
    pub fn cancel(&mut self, now: Timestamp) -> Result<(), Fault> {
        match self.state(now) {
            State::Planned => {
                self.cancelled_at = Some(now);
                Ok(())
            }
            state => Err(MaintenanceFault::NotPlanned { id: self.id, state }.into()),
        }
    }

    /// To another time; of one that runs only the end can be moved.
    pub fn reschedule(
        &mut self,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let state = self.state(now);
        match (state, from) {
            (State::Planned, _) | (State::Running, None) => {}
            _ => return Err(MaintenanceFault::NotPlanned { id: self.id, state }.into()),
        }
        let length = self.until.map(|until| until.duration_since(self.from));
        let from = from.unwrap_or(self.from);
        let until = until.or_else(|| length.map(|length| from + length));
        check_window(from, until, if state == State::Running { from } else { now })?;
        if until.is_some_and(|until| until <= now) {
            return Err(too_early("until", until.unwrap_or(now)));
        }
        (self.from, self.until, self.moved_at) = (from, until, Some(now));
        Ok(())
    }

    /// What one of its customers is told by now: each moment is that of a fact, and so told once.
    pub fn notices(&self, to: AccountId, now: Timestamp) -> Vec<Notice> {
        let id = self.id;
        let notice = |occasion, at| Notice { occasion, to, at };
        let is_ahead = self.from > self.planned_at;
        let told_at = self.moved_at.unwrap_or(self.planned_at);
        let mut notices = vec![];
        match self.state(now) {
            State::Planned => {
                notices.push(match self.moved_at {
                    None => notice(Occasion::MaintenancePlanned(id), self.planned_at),
                    Some(at) => notice(Occasion::MaintenanceMoved(id), at),
                });
                let soon = self.from - BEGINS_SOON;
                if now >= soon && told_at < soon {
                    notices.push(notice(Occasion::MaintenanceSoon(id), self.from));
                }
            }
            State::Running => {
                let begun = self.begun_at.map(|at| notice(Occasion::MaintenanceBegun(id), at));
                notices.extend(begun);
            }
            State::Ended => {
                let ended = self.ended_at.map(|at| notice(Occasion::MaintenanceEnded(id), at));
                notices.extend(ended);
            }
            State::Cancelled if is_ahead => {
                let at = self.cancelled_at;
                notices.extend(at.map(|at| notice(Occasion::MaintenanceCancelled(id), at)));
            }
            State::Cancelled => {}
        }
        notices
    }
}

fn check_window(from: Timestamp, until: Option<Timestamp>, now: Timestamp) -> Result<(), Fault> {
    if from < now {
        return Err(too_early("from", from));
    }
    match until {
        Some(until) if until <= from => Err(Fault::BadValue {
            parameter: "until",
            given: until.to_string(),
            expected: "it is after 'from'".into(),
        }),
        Some(until) if until.duration_since(from) > LENGTH_MAX => Err(Fault::BadValue {
            parameter: "until",
            given: until.to_string(),
            expected: "a maintenance lasts 31 days at most".into(),
        }),
        Some(_) | None => Ok(()),
    }
}

fn too_early(parameter: &'static str, given: Timestamp) -> Fault {
    let expected = "it is not in the past".into();
    Fault::BadValue { parameter, given: given.to_string(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn wish(from: Option<i64>, until: Option<i64>) -> Wish {
        Wish {
            target: Target::read("router", "par1-r1").unwrap(),
            reason: "new line card".into(),
            from: from.map(at),
            until: until.map(at),
            at_most: SignedDuration::from_secs(60),
        }
    }

    fn planned(from: Option<i64>, until: Option<i64>) -> Result<Maintenance, Fault> {
        Maintenance::plan(MaintenanceId::from_bits(1), wish(from, until), at(0))
    }

    fn told(it: &Maintenance, second: i64) -> Vec<(&'static str, i64)> {
        let notices = it.notices(AccountId::from_number(1), at(second));
        notices.iter().map(|n| (n.occasion.kind(), n.at.as_second())).collect()
    }

    #[test]
    fn a_window_begins_and_ends_to_the_second_and_its_customers_hear_of_each() {
        let mut it = planned(Some(10 * DAY), Some(10 * DAY + HOUR)).unwrap();
        let rows = [
            (0, State::Planned, &[("maintenance planned", 0)][..]),
            (7 * DAY - 1, State::Planned, &[("maintenance planned", 0)]),
            (
                7 * DAY,
                State::Planned,
                &[("maintenance planned", 0), ("maintenance soon", 10 * DAY)],
            ),
            (10 * DAY, State::Running, &[("maintenance begun", 10 * DAY)]),
            (10 * DAY + HOUR - 1, State::Running, &[("maintenance begun", 10 * DAY)]),
            (10 * DAY + HOUR, State::Ended, &[("maintenance ended", 10 * DAY + HOUR)]),
            (11 * DAY, State::Ended, &[("maintenance ended", 10 * DAY + HOUR)]),
        ];
        for (second, state, notices) in rows {
            it.step(at(second));
            assert_eq!(
                (it.state(at(second)), told(&it, second)),
                (state, notices.to_vec()),
                "{second}"
            );
            assert!(!it.step(at(second)), "once");
        }
        assert_eq!(it.state(at(0)), State::Ended, "a clock that steps back begins nothing again");
    }

    #[test]
    fn by_hand_it_begins_at_once_and_lasts_until_it_is_ended() {
        let mut it = planned(None, None).unwrap();
        assert_eq!((it.state(at(0)), it.deadline(at(0))), (State::Running, None));
        assert!(it.step(at(0)));
        assert_eq!(it.state(at(900 * DAY)), State::Running);
        assert!(it.cancel(at(5)).is_err());
        it.end(at(7)).unwrap();
        assert_eq!(told(&it, 8), [("maintenance ended", 7)]);
        assert!(it.end(at(9)).is_err());
    }

    #[test]
    fn it_is_moved_with_its_length_and_cancelled_while_it_is_planned() {
        let mut it = planned(Some(2 * DAY), Some(2 * DAY + HOUR)).unwrap();
        it.reschedule(Some(at(9 * DAY)), None, at(5)).unwrap();
        assert_eq!((it.from, it.until), (at(9 * DAY), Some(at(9 * DAY + HOUR))));
        assert_eq!(told(&it, 6), [("maintenance moved", 5)]);
        assert_eq!(told(&it, 6 * DAY)[1], ("maintenance soon", 9 * DAY));
        it.cancel(at(DAY)).unwrap();
        assert_eq!(told(&it, DAY + 1), [("maintenance cancelled", DAY)]);
        assert!(it.reschedule(Some(at(20 * DAY)), None, at(DAY + 1)).is_err());
        let mut running = planned(None, Some(HOUR)).unwrap();
        running.step(at(0));
        assert!(running.reschedule(Some(at(DAY)), None, at(5)).is_err());
        assert!(running.reschedule(None, Some(at(4)), at(5)).is_err());
        running.reschedule(None, Some(at(2 * HOUR)), at(5)).unwrap();
        assert_eq!(running.deadline(at(6)), Some(at(2 * HOUR)));
    }

    #[test]
    fn a_window_is_ahead_and_has_a_length() {
        for (from, until, good) in [
            (Some(DAY), Some(DAY + 1), true),
            (Some(DAY), None, true),
            (Some(-1), Some(DAY), false),
            (Some(DAY), Some(DAY), false),
            (Some(0), Some(31 * DAY), true),
            (Some(0), Some(31 * DAY + 1), false),
        ] {
            assert_eq!(planned(from, until).is_ok(), good, "{from:?} {until:?}");
        }
    }

    #[test]
    fn one_that_nobody_looked_at_while_it_should_have_run_never_was() {
        let mut it = planned(Some(DAY), Some(2 * DAY)).unwrap();
        assert!(it.step(at(3 * DAY)));
        assert_eq!((it.state(at(3 * DAY)), it.begun_at), (State::Cancelled, None));
    }

    #[test]
    fn a_target_is_read_back_from_its_words() {
        for (kind, name) in [
            ("interface", "dxvif-00000001"),
            ("connection", "dxcon-00000001"),
            ("router", "par1-r1"),
            ("location", "PAR1"),
        ] {
            let target = Target::read(kind, name).unwrap();
            assert_eq!((target.kind(), target.name()), (kind, name.to_owned()));
        }
        for (kind, name) in [("interface", "dxcon-00000001"), ("router", "../x"), ("host", "a")] {
            assert!(Target::read(kind, name).is_err(), "{kind} {name}");
        }
    }
}
