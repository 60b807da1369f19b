//! Long lists, a page at a time: the database narrows and orders, the rules choose by state.
//!
//! A page goes on after the last row of the one before, whatever came or went meanwhile. A state is
//! no column, so a list that is narrowed by it is walked in chunks until a page is full.

use super::{
    App, Context, Refusal, connections::view as connection_view, interfaces::view as interface_view,
};
use crate::store::{
    connections, interface_pages,
    interfaces::GoneBefore,
    row_pages::{After, Narrowed},
};
use directlink_model::{
    connection::{Connection, ConnectionState},
    ids::{AccountId, ConnectionId},
    view::{ConnectionView, InterfaceView},
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    str::FromStr,
};

/// Where a page begins: after this row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    at: Timestamp,
    id: String,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    pub after: Option<Cursor>,
    /// Some column has it, in whatever case; empty: all.
    pub text: &'a str,
    pub rows: usize,
}

#[derive(Clone, Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Where the next one begins, if there is more.
    pub next: Option<Cursor>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.as_microsecond(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (us, id) = text.split_once('.').ok_or(())?;
        let us = us.parse().map_err(|_| ())?;
        let at = Timestamp::from_microsecond(us).map_err(|_| ())?;
        Ok(Self { at, id: id.to_owned() })
    }
}

impl App {
    /// Of the caller's connections those that are admitted.
    pub async fn connections_page(
        &self,
        ctx: &Context,
        wanted: &Wanted<'_>,
        admits: impl Fn(&ConnectionView) -> bool + Send,
    ) -> Result<Page<ConnectionView>, Refusal> {
        self.page_of_connections((Some(ctx.caller.account), ctx.now), wanted, admits).await
    }

    /// Of everybody's; for the operator.
    pub async fn all_connections_page(
        &self,
        wanted: &Wanted<'_>,
        admits: impl Fn(&ConnectionView) -> bool + Send,
    ) -> Result<Page<ConnectionView>, Refusal> {
        self.page_of_connections((None, self.now()), wanted, admits).await
    }

    /// Of the interfaces that the caller may see those that are admitted.
    pub async fn interfaces_page(
        &self,
        ctx: &Context,
        wanted: &Wanted<'_>,
        admits: impl Fn(&InterfaceView) -> bool + Send,
    ) -> Result<Page<InterfaceView>, Refusal> {
        self.page_of_interfaces((Some(ctx.caller.account), ctx.now), wanted, admits).await
    }

    /// Of everybody's; for the operator.
    pub async fn all_interfaces_page(
        &self,
        wanted: &Wanted<'_>,
        admits: impl Fn(&InterfaceView) -> bool + Send,
    ) -> Result<Page<InterfaceView>, Refusal> {
        self.page_of_interfaces((None, self.now()), wanted, admits).await
    }

    /// How many interfaces live on each of these.
    pub async fn interface_counts(
        &self,
        connections: impl Iterator<Item = ConnectionId> + Send,
    ) -> Result<BTreeMap<ConnectionId, usize>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let mut counts = BTreeMap::new();
        for id in connections {
            counts.insert(id, interface_pages::count_live_on(&mut db, id).await?);
        }
        Ok(counts)
    }

    /// The queue of orders, the oldest first.
    pub async fn requested_orders(&self) -> Result<Vec<ConnectionView>, Refusal> {
        let now = self.now();
        let mut db = self.store().reader().await?;
        let found = connections::requested(&mut db).await?;
        let views = found.into_iter().map(|c| connection_view(c.as_of(now)));
        Ok(views.filter(|view| view.state == ConnectionState::Requested).collect())
    }

    async fn page_of_connections(
        &self,
        (account, now): (Option<AccountId>, Timestamp),
        wanted: &Wanted<'_>,
        admits: impl Fn(&ConnectionView) -> bool + Send,
    ) -> Result<Page<ConnectionView>, Refusal> {
        let mut page = Filling::new(wanted);
        let gone = self.gone_before(now);
        let mut db = self.store().snapshot().await?;
        while !page.full {
            let narrowed = page.narrowed(account, gone);
            let chunk = connections::page(&mut db, &narrowed).await?;
            page.ends_with(chunk.len());
            for c in chunk {
                let cursor = Cursor { at: c.requested_at, id: c.id.to_string() };
                let view = connection_view(c.as_of(now));
                let admitted = gone.shows_connection(&view.connection) && admits(&view);
                page.take(cursor, admitted.then_some(view));
            }
        }
        Ok(page.page)
    }

    async fn page_of_interfaces(
        &self,
        (account, now): (Option<AccountId>, Timestamp),
        wanted: &Wanted<'_>,
        admits: impl Fn(&InterfaceView) -> bool + Send,
    ) -> Result<Page<InterfaceView>, Refusal> {
        let mut page = Filling::new(wanted);
        let gone = self.gone_before(now);
        let mut db = self.store().snapshot().await?;
        let mut known: BTreeMap<ConnectionId, Option<Connection>> = BTreeMap::new();
        while !page.full {
            let narrowed = page.narrowed(account, gone);
            let chunk = interface_pages::page(&mut db, &narrowed).await?;
            page.ends_with(chunk.len());
            for i in chunk {
                let cursor = Cursor { at: i.created_at, id: i.id.to_string() };
                let connection = match known.entry(i.connection) {
                    Entry::Occupied(known) => known.get().clone(),
                    Entry::Vacant(place) => {
                        place.insert(connections::by_id(&mut db, i.connection).await?).clone()
                    }
                };
                let view = connection.map(|connection| interface_view(i, connection, now));
                page.take(cursor, view.filter(&admits));
            }
        }
        Ok(page.page)
    }
}

/// A page that is being filled.
struct Filling<'a, T> {
    page: Page<T>,
    text: &'a str,
    rows: usize,
    /// Rows that are read at once: a page, and whether there is more.
    chunk: usize,
    /// The last row looked at, and the last taken.
    at: Option<Cursor>,
    last: Option<Cursor>,
    full: bool,
}

impl<'a, T> Filling<'a, T> {
    fn new(wanted: &Wanted<'a>) -> Self {
        Self {
            page: Page { rows: vec![], next: None },
            text: wanted.text,
            rows: wanted.rows,
            chunk: wanted.rows + 1,
            at: wanted.after.clone(),
            last: None,
            full: false,
        }
    }

    fn narrowed(&self, account: Option<AccountId>, gone: GoneBefore) -> Narrowed {
        let after = self.at.as_ref().map(|at| After { at: at.at, id: at.id.clone() });
        Narrowed { account, gone, after, text: self.text.to_owned(), rows: self.chunk }
    }

    /// A chunk that is not whole is the last.
    fn ends_with(&mut self, chunk: usize) {
        self.full = chunk < self.chunk;
    }

    fn take(&mut self, cursor: Cursor, row: Option<T>) {
        if let Some(row) = row {
            if self.page.rows.len() < self.rows {
                self.page.rows.push(row);
                self.last = Some(cursor.clone());
            } else if self.page.next.is_none() {
                self.page.next.clone_from(&self.last);
                self.full = true;
            }
        }
        self.at = Some(cursor);
    }
}
