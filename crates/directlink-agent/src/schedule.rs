//! What the agent has to do, and when. Pure: a handful of chores, each due or not.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// In the order in which they are done if several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Chore {
    /// Wanted against observed.
    Pass,
    /// Routes and sources.
    Rows,
    /// Neighbours and verdicts.
    Facts,
    /// The next pass looks into interfaces that nothing is known to have changed of, some in each turn; with
    /// the first of them the rows are listed anew.
    Audit,
    /// Rows from before a restart that nobody confirmed.
    Settle,
    /// The hosts of routers that are dead.
    Announce,
    /// Every port, to the server.
    Report,
}

/// How long to wait before the next look of a kind at so many interfaces that took so long: between `least`
/// and `most`, and no look costs more than half a percent of a processor. Of thousands, whose counters
/// hardly anybody watches all, each is looked at less often than that would allow.
pub(crate) fn pause([least, most]: [Duration; 2], interfaces: usize, took: Duration) -> Duration {
    let each = u32::try_from(interfaces).unwrap_or(u32::MAX).saturating_mul(EACH_MILLIS);
    (took * 200).max(Duration::from_millis(each.into())).clamp(least, most)
}

/// 4,094 interfaces are half a minute.
const EACH_MILLIS: u32 = 7;

/// How long to wait at least, whatever happens meanwhile: while thousands of sessions come up, or tell
/// their tables, looking and telling do not take the processor from what is looked at.
pub(crate) fn rest(took: Duration) -> Duration {
    (took * 9).min(Duration::from_secs(2))
}

#[derive(Debug, Default)]
pub(crate) struct Schedule {
    due: BTreeMap<Chore, Instant>,
    rests: BTreeMap<Chore, Instant>,
}

impl Schedule {
    /// From now on it is not due before that.
    pub(crate) fn rest(&mut self, chore: Chore, until: Instant) {
        self.rests.insert(chore, until);
    }

    /// Not later than that, unless it rests.
    pub(crate) fn at(&mut self, chore: Chore, when: Instant) {
        let when = self.rests.get(&chore).map_or(when, |until| when.max(*until));
        let due = self.due.entry(chore).or_insert(when);
        *due = when.min(*due);
    }

    pub(crate) fn after(&mut self, chore: Chore, now: Instant, wait: Duration) {
        self.at(chore, now + wait);
    }

    /// The next that is due, which is then no longer so.
    pub(crate) fn take(&mut self, now: Instant, may: impl Fn(Chore) -> bool) -> Option<Chore> {
        let chore = self.due.iter().find(|(chore, when)| **when <= now && may(**chore));
        let chore = chore.map(|(chore, _)| *chore)?;
        self.due.remove(&chore);
        Some(chore)
    }

    /// When to look again.
    pub(crate) fn next(&self, may: impl Fn(Chore) -> bool) -> Option<Instant> {
        self.due.iter().filter(|(chore, _)| may(**chore)).map(|(_, when)| *when).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_long_look_or_one_at_many_is_taken_seldom_but_is_taken() {
        let span = [2, 60].map(Duration::from_secs);
        let table = [
            (1, 1, 2000),
            (1, 10, 2000),
            (1, 50, 10_000),
            (1, 1000, 60_000),
            (200, 1, 2000),
            (1000, 1, 7000),
            (1000, 50, 10_000),
            (4094, 1, 28_658),
            (usize::MAX, 1, 60_000),
        ];
        for (interfaces, took, wait) in table {
            let pause = pause(span, interfaces, Duration::from_millis(took));
            assert_eq!(pause.as_millis(), wait, "{interfaces} in {took} ms");
        }
    }

    #[test]
    fn what_rests_waits_however_often_it_is_asked_for() {
        let now = clock::instant();
        let mut schedule = Schedule::default();
        schedule.rest(Chore::Report, now + rest(Duration::from_millis(30)));
        schedule.at(Chore::Report, now);
        schedule.at(Chore::Rows, now);
        assert_eq!(schedule.take(now, |_| true), Some(Chore::Rows));
        assert_eq!(schedule.next(|_| true), Some(now + Duration::from_millis(270)));
        assert_eq!(rest(Duration::from_secs(9)), Duration::from_secs(2), "within reason");
    }

    #[test]
    fn chores_come_when_due_once_and_in_order() {
        let now = clock::instant();
        let (soon, late) = (Duration::from_secs(1), Duration::from_secs(9));
        let mut schedule = Schedule::default();
        schedule.after(Chore::Facts, now, soon);
        schedule.after(Chore::Pass, now, soon);
        schedule.after(Chore::Pass, now, late);
        assert_eq!(schedule.next(|_| true), Some(now + soon));
        assert_eq!(schedule.take(now, |_| true), None);
        assert_eq!(schedule.next(|chore| chore != Chore::Pass), Some(now + soon));
        let then = now + soon;
        assert_eq!(schedule.take(then, |_| true), Some(Chore::Pass));
        assert_eq!(schedule.take(then, |chore| chore != Chore::Facts), None);
        assert_eq!(schedule.take(then, |_| true), Some(Chore::Facts));
        assert_eq!(schedule.take(then + late, |_| true), None);
    }
}
