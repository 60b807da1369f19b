//! Servers: their processes come and go, their clocks are not one, and what they do is the application's own.

use crate::{
    region::{Any, Event, Sim},
    template::{self, START},
};
use directlink_server::{
    api::agent::Session,
    app::App,
    clock::Clock,
    reconcile,
    store::{Address, Store},
};
use jiff::SignedDuration;
use std::{future::Future, time::Duration};

#[derive(Default)]
pub(crate) struct Server {
    /// `None`: it is dead.
    pub(crate) app: Option<App>,
    clock: Option<Clock>,
    /// How far its clock was moved.
    moved: SignedDuration,
    pub(crate) skew: SignedDuration,
    /// Which process it is.
    pub(crate) life: u64,
    pass_due: bool,
}

const BEAT: Duration = Duration::from_secs(5);
/// Beats between two looks although nobody gave a hint.
const LOOK_EVERY: u64 = 3;
/// Beats between two plannings of everything.
const FULL_EVERY: u64 = 60;

impl Sim<'_> {
    /// The server's process, with the time that it is there.
    pub(crate) fn app(&mut self, server: usize) -> Option<App> {
        let it = &mut self.servers[server];
        let app = it.app.clone()?;
        let passed = SignedDuration::try_from(self.now).unwrap_or(SignedDuration::MAX);
        let there = passed + self.ahead + it.skew;
        if let Some(clock) = &it.clock {
            clock.advance(there - it.moved);
            it.moved = there.max(it.moved);
        }
        Some(app)
    }

    /// A piece of a process's work. `None`: it died in the midst.
    pub(crate) async fn alive<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let sky = self.sky.clone();
        let silence = sky.silence();
        tokio::pin!(silence);
        tokio::select! {
            biased;
            done = work => Some(done),
            () = &mut silence => None,
        }
    }

    /// Waits for what others were left to do: whoever goes undoes or ends something in a task.
    pub(crate) async fn rest(&self) {
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        if let Ok(tx) = self.calm_store.begin().await {
            tx.rollback().await;
        }
    }

    pub(crate) async fn start_server(&mut self, server: usize) -> Result<(), Any> {
        if self.servers[server].app.is_some() {
            return Ok(());
        }
        let clock = Clock::stopped_at(START);
        let with = (clock.clone(), self.chance.clone());
        let app = template::app(self.store.clone(), with)?;
        let it = &mut self.servers[server];
        (it.app, it.clock) = (Some(app), Some(clock));
        (it.moved, it.life, it.pass_due) = (SignedDuration::ZERO, it.life + 1, false);
        let life = it.life;
        self.log.note(self.now, format_args!("server {server} starts, life {life}"));
        self.after(Duration::ZERO, Event::Beat { server, life, count: 0 });
        Ok(())
    }

    pub(crate) async fn kill_server(&mut self, server: usize) -> Result<(), Any> {
        if self.servers[server].app.take().is_none() {
            return Ok(());
        }
        self.log.note(self.now, format_args!("server {server} dies"));
        // The dead write no farewell.
        let was_away = self.sky.set_away(true);
        let streams: Vec<u64> =
            self.streams.iter().filter(|(_, it)| it.server == server).map(|(id, _)| *id).collect();
        for id in streams {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.session = None;
            }
            let wait = self.delay();
            self.after(wait, Event::LostAtRouter { stream: id });
        }
        self.rest().await;
        self.sky.set_away(was_away);
        if self.servers.len() == 1 {
            // A process that has its database to itself opens it anew.
            self.auditor = None;
            self.calm_store.close().await;
            let file = Address::Sqlite(self.dir.path().join("region.db"));
            self.calm_store = Store::open(&file).await?;
            self.store = self.calm_store.clone().in_weather(self.sky.clone());
        }
        let wait = self.dice.millis(500..15_000);
        self.after(wait, Event::Start { server });
        Ok(())
    }

    fn lives(&self, server: usize, life: u64) -> bool {
        self.servers[server].life == life && self.servers[server].app.is_some()
    }

    /// What a server does from time to time.
    pub(crate) async fn beat(&mut self, server: usize, life: u64, count: u64) -> Result<(), Any> {
        if !self.lives(server, life) {
            return Ok(());
        }
        let Some(app) = self.app(server) else { return Ok(()) };
        let is_shared = self.servers.len() > 1;
        let plans_anew = self.faults.plans_anew && count.is_multiple_of(FULL_EVERY);
        let work = async {
            if plans_anew {
                reconcile::plan_all(&app).await?;
            }
            if is_shared {
                reconcile::fleet::exchange(&app).await?;
            }
            Ok::<_, directlink_server::store::Error>(())
        };
        match self.alive(work).await {
            None => return self.kill_server(server).await,
            Some(Err(error)) => {
                self.log.note(self.now, format_args!("server {server}: {error}"));
            }
            Some(Ok(())) => {}
        }
        if count.is_multiple_of(LOOK_EVERY) {
            self.look(server, life);
        }
        self.after(BEAT, Event::Beat { server, life, count: count + 1 });
        self.pass(server, life).await
    }

    /// If an act has woken the loop of its server, that comes in a moment.
    pub(crate) fn pass_soon(&mut self, server: usize) {
        let it = &mut self.servers[server];
        let is_woken = it.app.as_ref().is_some_and(reconcile::is_woken);
        if is_woken && !std::mem::replace(&mut it.pass_due, true) {
            let life = it.life;
            let wait = self.dice.millis(1..60);
            self.after(wait, Event::Pass { server, life });
        }
    }

    pub(crate) async fn pass(&mut self, server: usize, life: u64) -> Result<(), Any> {
        if !self.lives(server, life) {
            return Ok(());
        }
        self.servers[server].pass_due = false;
        let Some(app) = self.app(server) else { return Ok(()) };
        match self.alive(reconcile::pass(&app)).await {
            None => return self.kill_server(server).await,
            Some(Err(error)) => {
                self.log.note(self.now, format_args!("server {server}: a pass failed: {error}"));
            }
            Some(Ok(_)) => {}
        }
        self.tell_soon(server);
        // A hint may be lost.
        for other in (0..self.servers.len()).filter(|other| *other != server) {
            if self.is_calm || self.dice.percent(80) {
                let (life, wait) = (self.servers[other].life, self.dice.millis(1..40));
                self.after(wait, Event::Look { server: other, life });
            }
        }
        Ok(())
    }

    /// A hint came that documents have changed.
    pub(crate) fn look(&mut self, server: usize, life: u64) {
        if self.lives(server, life)
            && let Some(app) = &self.servers[server].app
        {
            reconcile::look(app);
            self.tell_soon(server);
        }
    }

    fn tell_soon(&mut self, server: usize) {
        let of_it = self.streams.iter_mut().filter(|(_, it)| it.server == server);
        let mut woken = Vec::new();
        for (id, stream) in of_it {
            let is_woken = stream.session.as_ref().is_some_and(Session::is_woken);
            if is_woken && !std::mem::replace(&mut stream.tell_due, true) {
                woken.push(*id);
            }
        }
        for stream in woken {
            let wait = self.dice.millis(0..5);
            self.after(wait, Event::Tell { stream });
        }
    }
}
