//! Routers, their agents' lives, and the streams to servers: in order, delayed, held where they are cut, broken at one
//! end before the other.

use crate::{
    region::{Any, Event, Sim},
    template::{Place, START},
};
use directlink_agent::simulated::Router;
use directlink_channel::{FromRouter, Hello, ToRouter, from_router, to_router};
use directlink_model::{ids::PortName, report::PortReport};
use directlink_server::api::agent::{Session, Shown};
use std::{path::Path, time::Duration};
use tokio::sync::mpsc;

pub(crate) struct Line {
    pub(crate) router: Router,
    pub(crate) stream: Option<u64>,
    /// Which try it is; one that is answered late is another's.
    attempt: u64,
    failures: u32,
    /// Its agent starts no more.
    pub(crate) is_over: bool,
}

pub(crate) struct Stream {
    router: usize,
    pub(crate) server: usize,
    /// The server's end; `None`: gone.
    pub(crate) session: Option<Session>,
    outbound: mpsc::Receiver<ToRouter>,
    pub(crate) tell_due: bool,
    /// When what was last sent arrives, up and down.
    last: [Duration; 2],
}

/// Whoever hears nothing for so long knows that the stream is dead.
pub(crate) const SILENCE: Duration = Duration::from_secs(20);
/// More than a server ever has to say at once.
const QUEUE: usize = 4096;

impl Line {
    pub(crate) fn new(place: &Place, dir: &Path) -> Self {
        let ledger = dir.join(place.name.as_str());
        let router = Router::new(place.name.clone(), place.vtep, &place.ports, (ledger, START));
        Self { router, stream: None, attempt: 0, failures: 0, is_over: false }
    }
}

impl Sim<'_> {
    pub(crate) fn delay(&mut self) -> Duration {
        match !self.is_calm && self.dice.percent(5) {
            true => self.dice.millis(200..3000),
            false => self.dice.millis(1..20),
        }
    }

    /// Lets a router do what is due, and sends what it says.
    pub(crate) fn run_router(&mut self, router: usize) -> Result<(), Any> {
        self.lines[router].router.run(self.now);
        self.flush(router)?;
        self.check_firm(router)
    }

    fn flush(&mut self, router: usize) -> Result<(), Any> {
        let said = self.lines[router].router.take_said();
        self.check_said(router, &said)?;
        let Some(stream) = self.lines[router].stream else { return Ok(()) };
        for message in said {
            let when = self.arrival(stream, 0);
            if let Some(from_router::Message::Ack(ack)) = &message.message {
                let (scope, generation) = (&ack.scope, ack.generation);
                let what = format_args!("router {router} has applied {scope} {generation}");
                self.log.note(self.now, what);
            }
            self.at(when, Event::ToServer { stream, message });
        }
        Ok(())
    }

    /// When what is sent now arrives.
    fn arrival(&mut self, stream: u64, way: usize) -> Duration {
        let delay = self.delay();
        let Some(it) = self.streams.get_mut(&stream) else { return self.now + delay };
        let cut = self.cuts.get(&(it.router, it.server)).copied().unwrap_or_default();
        let when = (self.now + delay).max(it.last[way]).max(cut);
        it.last[way] = when;
        when
    }

    pub(crate) fn start_agent(&mut self, router: usize) -> Result<(), Any> {
        let line = &self.lines[router];
        if line.is_over || line.router.is_agent_alive() {
            return Ok(());
        }
        self.lines[router].router.run(self.now);
        self.remember_carried(router);
        self.lines[router].router.start_agent()?;
        self.check_held(router)?;
        let line = &mut self.lines[router];
        line.attempt += 1;
        let attempt = line.attempt;
        self.log.note(self.now, format_args!("agent {router} starts"));
        self.after(Duration::ZERO, Event::Dial { router, attempt });
        self.run_router(router)
    }

    /// The agent's process is dead; its kernel closes the stream.
    pub(crate) fn kill_agent(&mut self, router: usize, reboot: bool) {
        self.lines[router].router.run(self.now);
        self.remember_held(router);
        let line = &mut self.lines[router];
        if reboot {
            line.router.reboot();
            self.memory.firm.retain(|_, (its, _)| *its != router);
        } else {
            line.router.kill_agent();
        }
        line.attempt += 1;
        if let Some(stream) = line.stream.take() {
            let when = self.arrival(stream, 0);
            self.at(when, Event::LostAtServer { stream });
        }
    }

    pub(crate) fn dial(&mut self, router: usize, attempt: u64) {
        let line = &self.lines[router];
        if line.attempt != attempt || line.stream.is_some() {
            return;
        }
        let Some(hello) = line.router.hello() else { return };
        let server = self.dice.below(self.servers.len());
        if self.cuts.contains_key(&(router, server)) {
            return self.after(Duration::from_secs(5), Event::Refused { router, attempt });
        }
        let wait = self.delay();
        self.after(wait, Event::Hello { router, server, attempt, hello });
    }

    pub(crate) fn dial_again(&mut self, router: usize, attempt: u64) {
        let line = &mut self.lines[router];
        if line.attempt != attempt {
            return;
        }
        line.attempt += 1;
        line.failures = (line.failures + 1).min(4);
        let (attempt, longest) = (line.attempt, 400 << line.failures);
        let wait = self.dice.millis(longest / 2..longest);
        self.after(wait, Event::Dial { router, attempt });
    }

    /// A Hello arrives.
    pub(crate) async fn open(
        &mut self,
        router: usize,
        server: usize,
        attempt: u64,
        hello: Hello,
    ) -> Result<(), Any> {
        let (outbound, plans) = mpsc::channel(QUEUE);
        let name = self.lines[router].router.name().clone();
        let wait = self.delay();
        let Some(app) = self.app(server) else {
            self.after(wait, Event::Refused { router, attempt });
            return Ok(());
        };
        // Nobody is revoked here.
        let shown = Shown { fingerprint: name.to_string(), authority: None };
        let session = match self.alive(Session::open(app, (name, shown), hello, outbound)).await {
            None => {
                self.after(wait, Event::Refused { router, attempt });
                return self.kill_server(server).await;
            }
            Some(Err(error)) => {
                self.log.note(self.now, format_args!("server {server} refuses {router}: {error}"));
                self.after(wait, Event::Refused { router, attempt });
                return Ok(());
            }
            Some(Ok(None)) => {
                self.after(wait, Event::Refused { router, attempt });
                return Ok(());
            }
            Some(Ok(Some(session))) => session,
        };
        self.streams_ever += 1;
        let stream = self.streams_ever;
        let it = Stream {
            router,
            server,
            session: Some(session),
            outbound: plans,
            tell_due: true,
            last: [self.now; 2],
        };
        self.streams.insert(stream, it);
        self.log.note(self.now, format_args!("stream {stream} of router {router} to {server}"));
        let when = self.arrival(stream, 1);
        self.at(when, Event::Opened { router, stream, attempt });
        self.after(Duration::ZERO, Event::Tell { stream });
        Ok(())
    }

    pub(crate) fn opened(&mut self, router: usize, stream: u64, attempt: u64) -> Result<(), Any> {
        if !self.streams.contains_key(&stream) {
            // It broke before its agent heard of it.
            self.dial_again(router, attempt);
            return Ok(());
        }
        let line = &mut self.lines[router];
        if line.attempt != attempt || !line.router.is_agent_alive() {
            self.after(Duration::ZERO, Event::LostAtServer { stream });
            return Ok(());
        }
        (line.stream, line.failures) = (Some(stream), 0);
        line.router.run(self.now);
        line.router.attached();
        self.run_router(router)
    }

    pub(crate) async fn arrive_at_server(
        &mut self,
        stream: u64,
        message: FromRouter,
    ) -> Result<(), Any> {
        let Some(it) = self.streams.get_mut(&stream) else { return Ok(()) };
        let (server, router) = (it.server, it.router);
        let Some(mut session) = it.session.take() else { return Ok(()) };
        // For its time.
        if self.app(server).is_none() {
            return Ok(());
        }
        let light = light_told(&message);
        let heard = self.alive(session.hear(message)).await;
        let end = match heard {
            Some(Ok(None)) => {
                self.remember_light(router, light);
                None
            }
            Some(Ok(Some(end))) => Some(end),
            Some(Err(error)) => Some(error.to_string()),
            None => {
                self.put_back(stream, session);
                return self.kill_server(server).await;
            }
        };
        self.put_back(stream, session);
        self.pass_soon(server);
        if let Some(end) = end {
            self.log.note(self.now, format_args!("stream {stream} ends: {end}"));
            self.lose_at_server(stream).await;
        }
        Ok(())
    }

    /// What servers know of light from now on.
    fn remember_light(&mut self, router: usize, light: Option<(PortName, bool)>) {
        let told = &mut self.memory.told_lit;
        match light {
            Some((port, true)) => drop(told.entry((router, port)).or_insert(self.now)),
            Some((port, false)) => drop(told.remove(&(router, port))),
            None => {}
        }
    }

    fn put_back(&mut self, stream: u64, session: Session) {
        if let Some(it) = self.streams.get_mut(&stream) {
            it.session = Some(session);
        }
    }

    /// A server sends what its agent does not hold.
    pub(crate) async fn tell(&mut self, stream: u64) -> Result<(), Any> {
        let Some(it) = self.streams.get_mut(&stream) else { return Ok(()) };
        it.tell_due = false;
        let server = it.server;
        let Some(mut session) = it.session.take() else { return Ok(()) };
        if self.app(server).is_none() {
            return Ok(());
        }
        let told = self.alive(session.tell()).await;
        self.put_back(stream, session);
        match told {
            None => return self.kill_server(server).await,
            Some(Err(error)) => {
                self.log.note(self.now, format_args!("stream {stream} ends: {error}"));
                self.lose_at_server(stream).await;
                return Ok(());
            }
            Some(Ok(_)) => {}
        }
        while let Some(message) =
            self.streams.get_mut(&stream).and_then(|it| it.outbound.try_recv().ok())
        {
            let when = self.arrival(stream, 1);
            self.at(when, Event::ToRouter { stream, message });
        }
        Ok(())
    }

    pub(crate) fn arrive_at_router(&mut self, stream: u64, message: ToRouter) -> Result<(), Any> {
        let Some(router) = self.streams.get(&stream).map(|it| it.router) else { return Ok(()) };
        let line = &mut self.lines[router];
        if line.stream != Some(stream) {
            return Ok(());
        }
        if let Some(to_router::Message::Plan(plan)) = message.message {
            let (scope, generation) = (&plan.scope, plan.generation);
            self.log.note(self.now, format_args!("router {router} hears {scope} {generation}"));
            line.router.run(self.now);
            line.router.take_plan(plan);
            self.run_router(router)?;
        }
        Ok(())
    }

    /// The server's end is no more, and tells the other as far as anything gets there.
    pub(crate) async fn lose_at_server(&mut self, stream: u64) {
        let Some(it) = self.streams.get_mut(&stream) else { return };
        if it.session.take().is_some() {
            self.rest().await;
        }
        let when = self.arrival(stream, 1);
        self.at(when, Event::LostAtRouter { stream });
    }

    pub(crate) fn lose_at_router(&mut self, stream: u64) -> Result<(), Any> {
        let Some(router) = self.streams.get(&stream).map(|it| it.router) else { return Ok(()) };
        let is_open = self.streams.get(&stream).is_some_and(|it| it.session.is_some());
        if is_open {
            let when = self.arrival(stream, 0);
            self.at(when, Event::LostAtServer { stream });
        }
        let line = &mut self.lines[router];
        if line.stream == Some(stream) {
            line.stream = None;
            line.router.lost();
            let attempt = line.attempt;
            self.dial_again(router, attempt);
        }
        if !is_open {
            self.streams.remove(&stream);
        }
        Ok(())
    }

    pub(crate) fn shine(&mut self, router: usize, port: &PortName, on: bool) -> Result<(), Any> {
        // A fibre that was taken out meanwhile brings none back.
        let on = on && self.people.is_plugged(router, port);
        self.log.note(self.now, format_args!("light {router}/{port} {on}"));
        if !on {
            self.memory.dark.insert((router, port.clone()), self.now);
        }
        let line = &mut self.lines[router];
        line.router.run(self.now);
        line.router.set_light(port, on);
        self.run_router(router)
    }

    /// The stream of a router, if it has one, with its server.
    pub(crate) fn streams_between(&self, router: usize, server: usize) -> Vec<u64> {
        let between = |it: &&u64| {
            self.streams.get(*it).is_some_and(|it| (it.router, it.server) == (router, server))
        };
        self.streams.keys().filter(between).copied().collect()
    }
}

/// Whether the port that the message is about is said to have light.
fn light_told(message: &FromRouter) -> Option<(PortName, bool)> {
    let Some(from_router::Message::Report(report)) = &message.message else { return None };
    let report: PortReport = serde_json::from_slice(&report.document).ok()?;
    Some((report.port, report.light))
}
