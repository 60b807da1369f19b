//! What is kept in memory of the database, and only for as long as it is what the database says.
//!
//! Who signs and what an account has are asked again and again, and seldom change. An answer is
//! kept with the [edition](super::editions) that it was read in; a commit that changes it, whoever
//! asked for that, ends the edition. So nothing here can be stale, and nothing has to be told.

use super::{
    Error, Store, accounts, connections,
    editions::{Edition, Editions},
    interfaces::GoneBefore,
    tag_sets,
};
use bytes::Bytes;
use directlink_model::{
    account::{AccessKey, SecretKey},
    connection::Connection,
    ids::AccountId,
    interface::Confirmation,
    tag_set::TagSet,
};
use jiff::Timestamp;
use std::{
    borrow::{Borrow, Cow},
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// So many access keys, and so many rows of accounts' lists, are kept at most.
const KEYS_MAX: usize = 10_000;
const ROWS_MAX: usize = 100_000;
/// A list's text is kept beside it if it has no more bytes than this for each row.
const TEXT_OF_ROW_MAX: usize = 1024;

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
    text: Mutex<Option<Text>>,
}

/// What was last made of all the connections that show.
#[derive(Debug)]
struct Text {
    /// What the text is, for whoever makes such texts.
    kind: &'static str,
    /// Of so many connections, each as it is stored.
    shown: usize,
    bytes: Bytes,
}

impl Kept {
    /// Of a database that others write to as well.
    pub(super) fn nothing() -> Self {
        Self { editions: Editions::never(), ..Self::default() }
    }
}

impl Lines {
    pub(super) fn new(connections: Vec<Connection>, tags: BTreeMap<String, TagSet>) -> Self {
        Self { connections, tags, text: Mutex::default() }
    }

    /// What `write` makes of all that show now and of the tags, and of nothing else that changes.
    /// It is not asked again while they are the same.
    ///
    /// Time alone changes a list in two ways. An offer lapses: then nothing is kept. Something is
    /// hidden: as each hides at a moment of its own, as many that show are the same that show.
    pub(crate) fn text<E>(
        &self,
        kind: &'static str,
        (gone, now): (GoneBefore, Timestamp),
        write: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Bytes, E> {
        let (mut shown, mut as_stored) = (0, true);
        for connection in self.connections(gone, now) {
            shown += 1;
            as_stored &= matches!(connection, Cow::Borrowed(_));
        }
        if !as_stored {
            return write();
        }
        if let Some(text) = &*self.last_text()
            && (text.kind, text.shown) == (kind, shown)
        {
            return Ok(text.bytes.clone());
        }
        let bytes = write()?;
        if bytes.len() <= (1 + shown) * TEXT_OF_ROW_MAX {
            *self.last_text() = Some(Text { kind, shown, bytes: bytes.clone() });
        }
        Ok(bytes)
    }

    fn last_text(&self) -> MutexGuard<'_, Option<Text>> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As they read now, without those that a final state has hidden.
    pub(crate) fn connections(
        &self,
        gone: GoneBefore,
        now: Timestamp,
    ) -> impl Iterator<Item = Cow<'_, Connection>> {
        let connections = self.connections.iter().map(move |c| as_of(c, now));
        connections.filter(move |c| gone.shows_connection(c))
    }
}

/// Few change by time alone: offers that nobody takes.
fn as_of(connection: &Connection, now: Timestamp) -> Cow<'_, Connection> {
    match connection.offer() {
        Some(Confirmation::AwaitedUntil(until)) if now >= until => {
            Cow::Owned(connection.clone().as_of(now))
        }
        Some(_) | None => Cow::Borrowed(connection),
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

    /// The account's lines; connections that are gone may be missing.
    pub(crate) async fn lines(
        &self,
        account: AccountId,
        gone: GoneBefore,
    ) -> Result<Arc<Lines>, Error> {
        let edition = self.kept.editions.of_lines(account);
        if let Some(kept) = self.kept.lines.find(&account, edition) {
            return Ok(kept);
        }
        let mut db = self.reader().await?;
        let connections = connections::of_account(&mut db, account, gone).await?;
        let tags = tag_sets::of_account(&mut db, account).await?;
        drop(db);
        let rows = 1 + connections.len() + tags.len();
        let lines = Arc::new(Lines::new(connections, tags));
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
    use directlink_model::{
        connection::Bandwidth,
        hosting::{Capacity, Hosting},
        ids::ConnectionId,
    };
    use std::cell::Cell;

    const OWNER: AccountId = AccountId::from_number(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn connection(n: u32, deleted_at: Option<Timestamp>) -> Connection {
        Connection {
            id: ConnectionId::from_bits(n),
            account: OWNER,
            name: format!("connection {n}"),
            location: "PAR1".parse().unwrap(),
            bandwidth: Bandwidth::OneGbps,
            lag: None,
            requested_at: at(0),
            approval: None,
            refused: None,
            light: None,
            is_bundled: false,
            delete_asked_at: deleted_at,
            deleted_at,
            hosting: None,
        }
    }

    #[test]
    fn a_text_is_kept_until_an_offer_lapses_or_something_is_hidden_and_is_never_another() {
        let hosting = Hosting {
            parent: ConnectionId::from_bits(9),
            partner: OWNER,
            vlan: 100u16.try_into().unwrap(),
            capacity: Capacity::Mbps50,
            offer: Confirmation::AwaitedUntil(at(50)),
        };
        let offer = Connection { hosting: Some(hosting), ..connection(3, None) };
        let deleted = [connection(1, Some(at(10))), connection(2, Some(at(30)))];
        let lines = Lines::new([&deleted[..], &[offer]].concat(), BTreeMap::new());
        // Hidden are those of 10 and 30 from 20 and 40 on; the offer lapses at 50, is hidden at 60.
        let mut written = vec![];
        for second in [11, 11, 19, 20, 21, 39, 40, 49, 50, 50, 59, 60, 61, 60, 41, 41, 12] {
            let (gone, now) = (at(second - 10), at(second));
            let gone = GoneBefore { deleted: gone, lapsed: gone };
            let is_asked = Cell::new(false);
            let write = || {
                is_asked.set(true);
                let all: Vec<_> = lines.connections(gone, now).collect();
                Ok::<Bytes, ()>(format!("{all:?}").into())
            };
            let text = lines.text("all", (gone, now), write);
            written.extend(is_asked.get().then_some(second));
            assert_eq!(text, write(), "{second}");
        }
        assert_eq!(written, [11, 20, 40, 50, 50, 59, 60, 41, 12]);
        let gone = GoneBefore { deleted: at(2), lapsed: at(2) };
        let other = lines.text("other", (gone, at(12)), || Ok::<_, ()>("other".into()));
        assert_eq!(other, Ok("other".into()), "another kind of text");
        let long = Bytes::from(vec![b' '; 5000]);
        for _ in 0..2 {
            let text = lines.text("long", (gone, at(12)), || Ok::<_, ()>(long.clone()));
            assert_eq!(text, Ok(long.clone()));
            assert_ne!(lines.last_text().as_ref().map(|text| text.kind), Some("long"));
        }
    }

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
