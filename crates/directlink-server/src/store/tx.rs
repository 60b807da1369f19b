//! A write transaction, whatever database it is of.

use super::{
    Error,
    editions::Touched,
    journal::Unwritten,
    postgres::Work,
    weather::{self, Sky},
    writer::Turn,
};
use directlink_model::{ids::RouterName, plan::Scope};
use directlink_telemetry::Origin;
use sqlx::AnyConnection;
use std::ops::{Deref, DerefMut};

/// Dropped without commit, it never was.
pub struct Tx {
    seat: Seat,
    /// Something was marked for planning: whoever commits wakes the loop.
    pub(crate) marked: bool,
    /// Something is to be mailed: whoever commits wakes the worker.
    pub(crate) posted: bool,
    /// Documents that came of calls which are followed: whoever commits says so to those who send them.
    pub(crate) planned: Vec<Planned>,
    /// What it changes of that which is kept in memory. Whoever does not say so changes all.
    pub(crate) touched: Touched,
    /// What it did, for the journal.
    pub(super) events: Vec<Unwritten>,
    sky: Sky,
}

/// A document, and the span in which it was made.
pub(crate) struct Planned {
    pub(crate) router: RouterName,
    pub(crate) scope: Scope,
    pub(crate) generation: u64,
    pub(crate) origin: Origin,
}

enum Seat {
    Desk(Turn),
    Work(Work),
}

impl Tx {
    pub(super) fn at_desk(turn: Turn) -> Self {
        Self::new(Seat::Desk(turn))
    }

    pub(super) fn at_work(work: Work) -> Self {
        Self::new(Seat::Work(work))
    }

    fn new(seat: Seat) -> Self {
        let (touched, events) = (Touched::default(), Vec::new());
        let planned = Vec::new();
        Self { seat, marked: false, posted: false, planned, touched, events, sky: None }
    }

    pub(super) fn under(self, sky: Sky) -> Self {
        Self { sky, ..self }
    }

    /// # Errors
    /// Nothing of it is kept, except where the error is [`Error::Unknown`].
    pub async fn commit(mut self) -> Result<(), Error> {
        match self.sky.take() {
            Some(weather) => weather::commit(&*weather, self).await,
            None => self.keep().await,
        }
    }

    /// A COMMIT, in earnest.
    pub(super) async fn keep(self) -> Result<(), Error> {
        match self.seat {
            Seat::Desk(turn) => turn.commit(self.touched, self.events).await,
            Seat::Work(work) => work.commit(self.events).await,
        }
    }

    pub async fn rollback(self) {
        match self.seat {
            Seat::Desk(turn) => turn.rollback().await,
            Seat::Work(work) => work.rollback().await,
        }
    }
}

impl Deref for Tx {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        match &self.seat {
            Seat::Desk(turn) => turn,
            Seat::Work(work) => work,
        }
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match &mut self.seat {
            Seat::Desk(turn) => turn,
            Seat::Work(work) => work,
        }
    }
}
