//! What goes wrong, as the seed says: of all kinds some, so that rare ones meet each other.

use crate::{
    dice::Dice,
    lines::SILENCE,
    region::{Any, Event, Sim},
};
use directlink_model::ids::PortName;
use directlink_server::store::weather::Ending;
use jiff::SignedDuration;
use std::{path::PathBuf, time::Duration};

/// Which kinds a run has, and how often.
#[derive(Debug)]
pub(crate) struct Faults {
    kinds: Vec<Kind>,
    every: Duration,
    /// So many of a hundred messages between people and servers are lost.
    pub(crate) loss: u32,
    /// Servers plan everything anew from time to time. It would hide a mark that was missed.
    pub(crate) plans_anew: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    KillServer,
    KillAgent,
    Reboot,
    DamageLedger,
    Cut,
    Isolate,
    Reset,
    ClockJump,
    SevenDays,
    Darkness,
    Vex,
    // Of a cluster.
    Failover,
    CommitLost,
    CommitUnknown,
    // A process dies in the midst of an act.
    DieBeforeCommit,
    DieAfterCommit,
    DieAsking,
}

/// What is mended later.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Cut(usize, usize),
    Failover,
    Vex(usize),
}

const ALL: [Kind; 17] = [
    Kind::KillServer,
    Kind::KillAgent,
    Kind::Reboot,
    Kind::DamageLedger,
    Kind::Cut,
    Kind::Isolate,
    Kind::Reset,
    Kind::ClockJump,
    Kind::SevenDays,
    Kind::Darkness,
    Kind::Vex,
    Kind::Failover,
    Kind::CommitLost,
    Kind::CommitUnknown,
    Kind::DieBeforeCommit,
    Kind::DieAfterCommit,
    Kind::DieAsking,
];

impl Faults {
    pub(crate) fn draw(dice: &mut Dice, servers: usize) -> Self {
        let needs_cluster =
            |kind: &Kind| matches!(kind, Kind::Failover | Kind::CommitLost | Kind::CommitUnknown);
        let kinds = ALL.into_iter().filter(|kind| servers > 1 || !needs_cluster(kind));
        let kinds = kinds.filter(|_| dice.percent(40)).collect();
        let every = dice.millis(700..6000);
        let (loss, plans_anew) = ([0, 2, 10][dice.below(3)], dice.percent(30));
        Self { kinds, every, loss, plans_anew }
    }
}

impl Sim<'_> {
    pub(crate) async fn strike(&mut self) -> Result<(), Any> {
        if self.is_calm {
            return Ok(());
        }
        let most = 2 * u64::try_from(self.faults.every.as_millis()).unwrap_or(1000);
        let wait = self.dice.millis(1..most);
        self.after(wait, Event::Strike);
        let Some(&kind) = self.dice.pick(&self.faults.kinds) else { return Ok(()) };
        self.log.note(self.now, format_args!("fault: {kind:?}"));
        let (server, router) =
            (self.dice.below(self.servers.len()), self.dice.below(self.lines.len()));
        match kind {
            Kind::KillServer => self.kill_server(server).await?,
            Kind::KillAgent | Kind::Reboot | Kind::DamageLedger => {
                self.kill_agent(router, kind == Kind::Reboot);
                if kind == Kind::DamageLedger {
                    self.damage(router)?;
                    self.forget_held(router);
                }
                let wait = self.dice.millis(100..20_000);
                self.after(wait, Event::StartAgent { router });
            }
            Kind::Cut => self.cut(router, server),
            Kind::Isolate => (0..self.lines.len()).for_each(|router| self.cut(router, server)),
            Kind::Reset => {
                for stream in self.streams_between(router, server) {
                    self.lose_at_router(stream)?;
                }
            }
            Kind::ClockJump => {
                let jump = self.dice.millis(100..3_600_000);
                self.servers[server].skew += SignedDuration::try_from(jump)?;
            }
            Kind::SevenDays => self.ahead += SignedDuration::from_hours(7 * 24 + 1),
            Kind::Darkness => self.darken()?,
            Kind::Vex => {
                let (failures, at_once) = (self.dice.below(4), 1 + self.dice.below(5));
                let failures = u32::try_from(failures)?;
                self.lines[router].router.vex(failures, at_once);
                let wait = self.dice.millis(1000..10_000);
                self.after(wait, Event::Mend(Fault::Vex(router)));
            }
            _ => self.strike_store(kind),
        }
        Ok(())
    }

    fn strike_store(&mut self, kind: Kind) {
        let wait = u32::try_from(self.dice.below(12)).unwrap_or(0);
        let kept = self.dice.percent(50);
        match kind {
            Kind::Failover => {
                self.sky.set_away(true);
                let wait = self.dice.millis(200..12_000);
                self.after(wait, Event::Mend(Fault::Failover));
            }
            Kind::CommitLost => self.sky.end_like(wait, Ending::Lost),
            Kind::CommitUnknown => self.sky.end_like(wait, Ending::Unknown { kept }),
            Kind::DieBeforeCommit => self.sky.end_like(wait, Ending::Silent { kept: false }),
            Kind::DieAfterCommit => self.sky.end_like(wait, Ending::Silent { kept: true }),
            _ => self.sky.fall_silent(wait * 3),
        }
    }

    pub(crate) fn mend(&mut self, fault: Fault) -> Result<(), Any> {
        self.log.note(self.now, format_args!("mended: {fault:?}"));
        match fault {
            Fault::Cut(router, server) => drop(self.cuts.remove(&(router, server))),
            Fault::Failover => drop(self.sky.set_away(false)),
            Fault::Vex(router) => self.lines[router].router.vex(0, usize::MAX),
        }
        Ok(())
    }

    /// Nothing goes between the two for a while. If it is long, both notice, each in its own time.
    fn cut(&mut self, router: usize, server: usize) {
        let time = self.dice.millis(200..50_000);
        if self.cuts.contains_key(&(router, server)) {
            return;
        }
        self.cuts.insert((router, server), self.now + time);
        self.after(time, Event::Mend(Fault::Cut(router, server)));
        if time < SILENCE {
            return;
        }
        for stream in self.streams_between(router, server) {
            let [at_server, at_router] = [0, 1].map(|_| SILENCE + self.dice.millis(0..10_000));
            self.after(at_server, Event::LostAtServer { stream });
            self.after(at_router, Event::LostAtRouter { stream });
        }
    }

    /// A fibre is pulled, and plugged again.
    fn darken(&mut self) -> Result<(), Any> {
        let plugged: Vec<(usize, PortName)> = self.people.plugged();
        let Some((router, port)) = self.dice.pick(&plugged).cloned() else { return Ok(()) };
        let wait = self.dice.millis(100..15_000);
        let on = Event::Light { router, port: port.clone(), on: true };
        self.after(wait, on);
        self.shine(router, &port, false)
    }

    /// One of the documents on a dead agent's disk is cut short.
    fn damage(&mut self, router: usize) -> Result<(), Any> {
        let dir = self.dir.path().join(self.lines[router].router.name().as_str()).join("plans");
        let mut files: Vec<PathBuf> = Vec::new();
        for kind in ["port", "net"] {
            let entries = std::fs::read_dir(dir.join(kind))?;
            files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        }
        files.sort();
        if let Some(file) = self.dice.pick(&files) {
            let text = std::fs::read(file)?;
            std::fs::write(file, &text[..text.len() / 2])?;
        }
        Ok(())
    }
}
