//! What is kept in memory of the database, and only for as long as it is what the database says.
//!
//! Who signs and what an account has are asked again and again, and seldom change. An answer is
//! kept with the [edition](super::editions) that it was read in; a commit that changes it, whoever
//! asked for that, ends the edition. So nothing here can be stale, and nothing has to be told.

use super::{
    Error, Store, accounts, connections,
    editions::{Edition, Editions},
    tag_sets,
};
use directlink_model::{
    account::{AccessKey, SecretKey},
    connection::Connection,
    ids::AccountId,
    tag_set::TagSet,
};
use jiff::Timestamp;
use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// So many access keys, and so many rows of accounts' lists, are kept at most.
const KEYS_MAX: usize = 10_000;
const ROWS_MAX: usize = 100_000;

/// What of the database is in memory.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) editions: Editions,
    keys: Shelf<String, (AccessKey, SecretKey)>,
    lines: Shelf<AccountId, Lines>,
}

/// An account's connections, in order of creation, and what tags it keeps with its connections and
/// interfaces, by their ids.
#[derive(Debug)]
pub(crate) struct Lines {
    connections: Vec<Connection>,
    pub(crate) tags: BTreeMap<String, TagSet>,
}

impl Lines {
    /// Without those deleted before `gone_before`.
    pub(crate) fn connections(&self, gone_before: Timestamp) -> impl Iterator<Item = &Connection> {
        let is_there = move |c: &&Connection| c.deleted_at.is_none_or(|at| at > gone_before);
        self.connections.iter().filter(is_there)
    }
}

impl Store {
    /// The access key of this id, with its secret.
    pub(crate) async fn access_key(
        &self,
        id: &str,
    ) -> Result<Option<Arc<(AccessKey, SecretKey)>>, Error> {
        let edition = self.kept.editions.of_all();
        if let Some(kept) = self.kept.keys.find(id, edition) {
            return Ok(Some(kept));
        }
        let found = accounts::key_by_id(&mut *self.reader().await?, id).await?.map(Arc::new);
        if let Some(found) = &found {
            self.kept.keys.keep(id.to_owned(), edition, found, KEYS_MAX, 1);
        }
        Ok(found)
    }

    /// The account's lines, if they are in memory.
    pub(crate) fn kept_lines(&self, account: AccountId) -> Option<Arc<Lines>> {
        self.kept.lines.find(&account, self.kept.editions.of_lines(account))
    }

    /// The account's lines; connections deleted before `gone_before` may be missing.
    pub(crate) async fn lines(
        &self,
        account: AccountId,
        gone_before: Timestamp,
    ) -> Result<Arc<Lines>, Error> {
        let edition = self.kept.editions.of_lines(account);
        if let Some(kept) = self.kept.lines.find(&account, edition) {
            return Ok(kept);
        }
        let mut db = self.reader().await?;
        let connections = connections::of_account(&mut db, account, gone_before).await?;
        let tags = tag_sets::of_account(&mut db, account).await?;
        drop(db);
        let rows = 1 + connections.len() + tags.len();
        let lines = Arc::new(Lines { connections, tags });
        self.kept.lines.keep(account, edition, &lines, ROWS_MAX, rows);
        Ok(lines)
    }
}

/// Things with the editions that they are true in. Full, it is emptied: nobody needs it.
struct Shelf<K, V>(Mutex<Things<K, V>>);

struct Things<K, V> {
    all: HashMap<K, (Edition, Arc<V>)>,
    weight: usize,
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Things { all: HashMap::new(), weight: 0 }))
    }
}

impl<K: Eq + Hash, V> Shelf<K, V> {
    fn find<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Option<Edition>) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        let things = self.things();
        let (edition, kept) = things.all.get(key)?;
        (Some(*edition) == now).then(|| Arc::clone(kept))
    }

    /// `edition`: noted before the reading began. One that weighs too much is not kept.
    fn keep(&self, key: K, edition: Option<Edition>, value: &Arc<V>, max: usize, weight: usize) {
        let Some(edition) = edition.filter(|_| weight <= max / 4) else { return };
        let mut things = self.things();
        // What is replaced still counts: so the shelf is emptied a little early, and never late.
        things.weight += weight;
        if things.weight > max {
            things.all.clear();
            things.weight = weight;
        }
        things.all.insert(key, (edition, Arc::clone(value)));
    }

    fn things(&self) -> MutexGuard<'_, Things<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shelf_keeps_no_more_than_it_may_and_nothing_of_another_edition() {
        let editions = Editions::default();
        let now = editions.of_all();
        let shelf = Shelf::<u32, u32>::default();
        for n in 0..1000 {
            shelf.keep(n, now, &Arc::new(n), 40, 3);
            assert_eq!(shelf.find(&n, now).as_deref(), Some(&n));
            assert!(shelf.things().all.len() <= 40 / 3);
        }
        shelf.keep(1, now, &Arc::new(1), 40, 11);
        assert_eq!(shelf.find(&1, now), None, "too heavy");
        shelf.keep(2, None, &Arc::new(2), 40, 1);
        assert_eq!(shelf.find(&2, now), None, "read while it was changed");
        shelf.keep(3, now, &Arc::new(3), 40, 1);
        assert_eq!(shelf.find(&3, None), None, "being changed");
        drop(editions.changing([super::super::editions::Touched::All].into_iter()));
        assert_eq!(shelf.find(&3, editions.of_all()), None, "changed");
    }
}
