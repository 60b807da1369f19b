//! One run: everything that there is, what is to happen when, and the loop that lets it happen.

use crate::{
    Run,
    commands::{Command, Reply},
    dice::Dice,
    faults::{Fault, Faults},
    lines::{Line, Stream},
    log::Log,
    memory::Memory,
    people::{Operation, Outcome, People},
    servers::Server,
    sky::Sky,
    template::Template,
    wishes::Habits,
};
use directlink_channel::{FromRouter, Hello, ToRouter};
use directlink_model::ids::PortName;
use directlink_server::{
    app::App,
    chance::Chance,
    clock::Clock,
    store::{Address, Store},
};
use jiff::SignedDuration;
use std::{collections::BTreeMap, error::Error, sync::Arc, time::Duration};
use tempfile::TempDir;

pub(crate) type Any = Box<dyn Error + Send + Sync>;

/// So long people act and things fail.
const STORM: Duration = Duration::from_secs(45);
/// So long it may take afterwards until all is as it should be.
const SETTLE_WITHIN: Duration = Duration::from_secs(420);
/// So long after its death nobody takes an agent for alive.
const FORGOTTEN: Duration = Duration::from_secs(40);
const CHECK_EVERY: Duration = Duration::from_secs(10);

pub(crate) struct Sim<'t> {
    pub(crate) template: &'t Template,
    pub(crate) dice: Dice,
    pub(crate) chance: Chance,
    pub(crate) now: Duration,
    /// All clocks of servers are ahead by so much.
    pub(crate) ahead: SignedDuration,
    queue: BTreeMap<(Duration, u64), Event>,
    number: u64,
    pub(crate) dir: TempDir,
    /// Without weather.
    pub(crate) calm_store: Store,
    pub(crate) store: Store,
    pub(crate) sky: Arc<Sky>,
    pub(crate) servers: Vec<Server>,
    pub(crate) lines: Vec<Line>,
    pub(crate) streams: BTreeMap<u64, Stream>,
    pub(crate) streams_ever: u64,
    /// Until when nothing goes between a router and a server.
    pub(crate) cuts: BTreeMap<(usize, usize), Duration>,
    pub(crate) people: People,
    pub(crate) habits: Habits,
    pub(crate) faults: Faults,
    /// Nothing fails any more, and nobody changes anything.
    pub(crate) is_calm: bool,
    pub(crate) memory: Memory,
    /// Who looks at all of it, and how far their clock was moved.
    pub(crate) auditor: Option<(App, Clock, SignedDuration)>,
    pub(crate) log: Log,
}

/// What happens at a moment.
pub(crate) enum Event {
    // People and what they ask.
    Act(usize),
    Request { server: usize, operation: usize, command: Command },
    Answer { operation: usize, reply: Reply },
    GiveUp { operation: usize },
    Light { router: usize, port: PortName, on: bool },
    // Servers.
    Start { server: usize },
    Beat { server: usize, life: u64, count: u64 },
    Pass { server: usize, life: u64 },
    Look { server: usize, life: u64 },
    Tell { stream: u64 },
    // Routers and their streams.
    StartAgent { router: usize },
    Started { router: usize, start: u64 },
    Dial { router: usize, attempt: u64 },
    Hello { router: usize, server: usize, attempt: u64, hello: Hello },
    Refused { router: usize, attempt: u64 },
    Opened { router: usize, stream: u64, attempt: u64 },
    ToServer { stream: u64, message: FromRouter },
    ToRouter { stream: u64, message: ToRouter },
    LostAtServer { stream: u64 },
    LostAtRouter { stream: u64 },
    // The world against them.
    Strike,
    Mend(Fault),
    Check,
}

impl<'t> Sim<'t> {
    pub(crate) async fn new(template: &'t Template, seed: u64) -> Result<Self, Any> {
        let mut dice = Dice::new(seed);
        let dir = template.copy()?;
        let many = 1 + dice.below(3);
        let sky = Arc::new(Sky::new(many > 1));
        let calm_store = Store::open(&Address::Sqlite(dir.path().join("region.db"))).await?;
        let store = calm_store.clone().in_weather(sky.clone());
        let lines = template.routers.iter().map(|place| Line::new(place, dir.path())).collect();
        let chance = Chance::from_seed(dice.bits());
        let faults = Faults::draw(&mut dice, many);
        let habits = Habits::draw(&mut dice);
        let mut sim = Self {
            template,
            chance,
            now: Duration::ZERO,
            ahead: SignedDuration::ZERO,
            queue: BTreeMap::new(),
            number: 0,
            dir,
            calm_store,
            store,
            sky,
            servers: (0..many).map(|_| Server::default()).collect(),
            lines,
            streams: BTreeMap::new(),
            streams_ever: 0,
            cuts: BTreeMap::new(),
            people: People::new(template),
            habits,
            faults,
            is_calm: false,
            memory: Memory::default(),
            auditor: None,
            log: Log::default(),
            dice,
        };
        sim.log.note(sim.now, format_args!("{many} servers, {:?}, {:?}", sim.faults, sim.habits));
        for server in 0..many {
            sim.at(Duration::ZERO, Event::Start { server });
        }
        for router in 0..sim.lines.len() {
            sim.at(Duration::from_millis(10), Event::StartAgent { router });
        }
        for actor in 0..=template.accounts.len() {
            sim.at(Duration::from_millis(100), Event::Act(actor));
        }
        sim.at(Duration::from_secs(2), Event::Strike);
        sim.at(CHECK_EVERY, Event::Check);
        Ok(sim)
    }

    /// Schedules an event.
    pub(crate) fn at(&mut self, when: Duration, event: Event) {
        self.number += 1;
        self.queue.insert((when.max(self.now), self.number), event);
    }

    pub(crate) fn after(&mut self, wait: Duration, event: Event) {
        self.at(self.now + wait, event);
    }

    /// The whole run. What is wrong, if anything is.
    pub(crate) async fn run(&mut self) -> Result<(), Any> {
        self.until(STORM, false).await?;
        self.calm();
        self.until(STORM + SETTLE_WITHIN, true).await?;
        if let Some(what) = self.check().await? {
            return Err(format!("not settled after {SETTLE_WITHIN:?}: {what}").into());
        }
        self.check_history().await?;
        self.leave().await
    }

    /// A server dies for good, and an agent that it heard: soon nobody says that the agent is there.
    async fn leave(&mut self) -> Result<(), Any> {
        let is_of_one_time = self.servers.iter().all(|server| server.skew.is_zero());
        let has_others = self.servers.len() > 1 && is_of_one_time;
        let Some(stream) = self.lines[0].stream.filter(|_| has_others) else { return Ok(()) };
        let Some(server) = self.streams.get(&stream).map(|it| it.server) else { return Ok(()) };
        self.log.note(self.now, format_args!("the last of router 0 and server {server}"));
        self.kill_server(server).await?;
        self.kill_agent(0, false);
        self.lines[0].is_over = true;
        self.until(self.now + FORGOTTEN, false).await?;
        for server in 0..self.servers.len() {
            let Some(app) = self.app(server) else { continue };
            let name = self.lines[0].router.name();
            if app.router(name).await?.is_some_and(|view| view.agent.connected) {
                return Err(format!("server {server} says that a dead agent is there").into());
            }
        }
        Ok(())
    }

    async fn until(&mut self, end: Duration, or_settled: bool) -> Result<(), Any> {
        loop {
            let routers = self.lines.iter().enumerate();
            let router = routers.filter_map(|(n, it)| Some((it.router.next_event()?, n))).min();
            let event = self.queue.keys().next().map(|(at, _)| *at);
            let router = router.filter(|(at, _)| event.is_none_or(|event| *at <= event));
            let next = router.map(|(at, _)| at).or(event).unwrap_or(end);
            if next > end {
                self.now = end;
                return Ok(());
            }
            self.now = self.now.max(next);
            if let Some((_, router)) = router {
                self.run_router(router)?;
                continue;
            }
            let Some((_, event)) = self.queue.pop_first() else { return Ok(()) };
            if let Event::Check = event {
                self.after(CHECK_EVERY, Event::Check);
                if self.check().await?.is_none() && or_settled {
                    return Ok(());
                }
                continue;
            }
            self.handle(event).await?;
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), Any> {
        match event {
            Event::Act(actor) => self.act(actor),
            Event::Request { server, operation, command } => {
                self.serve(server, operation, command).await?;
            }
            Event::Answer { operation, reply } => self.hear(operation, reply)?,
            Event::GiveUp { operation } => self.give_up(operation),
            Event::Light { router, port, on } => self.shine(router, &port, on)?,
            Event::Start { server } => self.start_server(server).await?,
            Event::Beat { server, life, count } => self.beat(server, life, count).await?,
            Event::Pass { server, life } => self.pass(server, life).await?,
            Event::Look { server, life } => self.look(server, life),
            Event::Tell { stream } => self.tell(stream).await?,
            Event::StartAgent { router } => self.start_agent(router)?,
            Event::Started { router, start } => self.check_carried(router, start)?,
            Event::Dial { router, attempt } => self.dial(router, attempt),
            Event::Hello { router, server, attempt, hello } => {
                self.open(router, server, attempt, hello).await?;
            }
            Event::Refused { router, attempt } => self.dial_again(router, attempt),
            Event::Opened { router, stream, attempt } => self.opened(router, stream, attempt)?,
            Event::ToServer { stream, message } => self.arrive_at_server(stream, message).await?,
            Event::ToRouter { stream, message } => self.arrive_at_router(stream, message)?,
            Event::LostAtServer { stream } => self.lose_at_server(stream).await,
            Event::LostAtRouter { stream } => self.lose_at_router(stream)?,
            Event::Strike => self.strike().await?,
            Event::Mend(fault) => self.mend(fault)?,
            Event::Check => {}
        }
        Ok(())
    }

    /// Nothing fails any more: what is dead has a start before it, what is cut is whole, what was plugged is lit.
    fn calm(&mut self) {
        self.is_calm = true;
        self.sky.clear();
        self.cuts.clear();
        self.log.note(self.now, format_args!("calm"));
        for line in &mut self.lines {
            line.router.vex(0, usize::MAX);
        }
        for (router, port) in self.people.plugged() {
            self.at(self.now, Event::Light { router, port, on: true });
        }
    }

    /// What it was.
    pub(crate) fn told(&self) -> Run {
        let operations = &self.people.operations;
        let is_done = |it: &&Operation| matches!(it.outcome, Outcome::Done { .. });
        Run {
            digest: self.log.digest(),
            events: self.log.count(),
            settled_at: self.now,
            operations: operations.len(),
            acknowledged: operations.iter().filter(is_done).count(),
            strokes: self.sky.strokes(),
            forwarded: self.memory.firm.len(),
        }
    }

    /// Closes what is open.
    pub(crate) async fn end(&mut self) {
        self.streams.clear();
        self.auditor = None;
        self.servers.iter_mut().for_each(|server| server.app = None);
        self.rest().await;
        self.calm_store.close().await;
    }
}
