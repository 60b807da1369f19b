//! How something that is kept in memory knows that it is still what the database says.
//!
//! ```text
//!   an act says whose facts it changes: all (unless it says so), one account's, none
//!
//!   writer   odd ── COMMIT ── even, and another than before ──► the act is answered
//!   reader   note the edition, if even ─► read the database ─► keep what was read, with the edition
//!   later    the edition is the noted one: nothing was committed since the reading began
//! ```
//!
//! While a COMMIT is under way its facts have no edition, so nobody is told what was before it by
//! memory after another was told what is behind it by the database. It is one process that writes:
//! several servers on one database keep nothing.

use directlink_model::ids::AccountId;
use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

/// Accounts that share a counter are only read anew more often than needed.
const SLOTS: usize = 1024;

/// Whose facts an act changes, as far as they are kept in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Touched {
    #[default]
    All,
    /// Connections of this account, and its tags.
    LinesOf(AccountId),
    None,
}

/// Equal ones: nothing was committed between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edition {
    all: u64,
    of: u64,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Editions(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    all: AtomicU64,
    of: [AtomicU64; SLOTS],
}

/// A COMMIT under way.
#[derive(Debug)]
pub(super) struct Changing {
    editions: Editions,
    all: bool,
    slots: Vec<usize>,
}

impl Default for Editions {
    fn default() -> Self {
        Self(Arc::new(Counters {
            all: AtomicU64::new(0),
            of: [const { AtomicU64::new(0) }; SLOTS],
        }))
    }
}

impl Editions {
    /// Nothing ever has one.
    pub(super) fn never() -> Self {
        let editions = Self::default();
        editions.0.all.store(1, SeqCst);
        editions
    }

    /// Of what no act changes without saying that it changes all. `None`: it is being changed.
    pub(crate) fn of_all(&self) -> Option<Edition> {
        let all = settled(&self.0.all)?;
        Some(Edition { all, of: 0 })
    }

    /// Of the lines of an account. `None`: they are being changed.
    pub(crate) fn of_lines(&self, account: AccountId) -> Option<Edition> {
        let (all, of) = (settled(&self.0.all)?, settled(&self.0.of[slot(account)])?);
        Some(Edition { all, of })
    }

    /// For as long as the COMMIT runs.
    pub(super) fn changing(&self, touched: impl Iterator<Item = Touched>) -> Changing {
        let (mut all, mut slots) = (false, Vec::new());
        for touched in touched {
            match touched {
                Touched::All => all = true,
                Touched::LinesOf(account) => slots.push(slot(account)),
                Touched::None => {}
            }
        }
        slots.sort_unstable();
        slots.dedup();
        let changing = Changing { editions: self.clone(), all, slots };
        changing.turn();
        changing
    }
}

impl Changing {
    /// From even to odd, and back.
    fn turn(&self) {
        let counters = &self.editions.0;
        let of = self.slots.iter().map(|slot| &counters.of[*slot]);
        for counter in of.chain(self.all.then_some(&counters.all)) {
            counter.fetch_add(1, SeqCst);
        }
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.turn();
    }
}

fn settled(counter: &AtomicU64) -> Option<u64> {
    let count = counter.load(SeqCst);
    count.is_multiple_of(2).then_some(count)
}

fn slot(account: AccountId) -> usize {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(account);
    // The remainder is smaller than an index.
    (hash % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: AccountId = AccountId::from_number(1);
    const OTHER: AccountId = AccountId::from_number(2);

    #[test]
    fn an_edition_ends_when_a_commit_that_touches_it_begins_and_another_is_there_when_it_ends() {
        for (touched, all_stays, one_stays, other_stays) in [
            (vec![], true, true, true),
            (vec![Touched::None], true, true, true),
            (vec![Touched::LinesOf(ONE)], true, false, true),
            (vec![Touched::LinesOf(ONE), Touched::None, Touched::LinesOf(ONE)], true, false, true),
            (vec![Touched::LinesOf(OTHER), Touched::All], false, false, false),
            (vec![Touched::All, Touched::All], false, false, false),
        ] {
            let editions = Editions::default();
            let seen = || [editions.of_all(), editions.of_lines(ONE), editions.of_lines(OTHER)];
            let before = seen();
            assert!(before.iter().all(Option::is_some));
            let changing = editions.changing(touched.iter().copied());
            let during = seen();
            drop(changing);
            let after = seen();
            for (n, stays) in [all_stays, one_stays, other_stays].into_iter().enumerate() {
                assert_eq!(during[n].is_some(), stays, "{touched:?} {n}");
                assert_eq!(after[n] == before[n], stays, "{touched:?} {n}");
                assert!(after[n].is_some(), "{touched:?} {n}");
            }
        }
    }
}
