//! Maintenances: what the operator plans, begins and ends, and what customers may know of it. That
//! time is come is the reconcile loop's to notice.

use super::{App, Context, Refusal, write_tx};
use crate::store::{
    self, AnyConnection, Tx, connections, interfaces,
    journal::{self, Actor},
    maintenance::{self, Holdings, Placed},
    sites,
};
use directlink_model::{
    Fault,
    coverage::{self, Shade, Way},
    fault::MaintenanceFault,
    ids::MaintenanceId,
    maintenance::{Maintenance, State, Target, Wish},
    notice::Notice,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// A list shows so many.
pub const MAINTENANCES_MAX: usize = 200;
/// What is over is told of for so long.
const SHOWN_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A maintenance, what is there, and what it does to Nets.
#[derive(Clone, Debug)]
pub struct MaintenanceView {
    pub maintenance: Maintenance,
    pub state: State,
    pub(crate) interfaces: Vec<Placed>,
    /// Nets that lose their last way, or prefixes, while everything there is drained.
    pub shades: Vec<Shade>,
}

impl App {
    /// Begins now, or at a stated time. One that takes a Net's last way is refused unless it is
    /// `forced`: as things are now, for what is planned as well.
    pub async fn plan_maintenance(
        &self,
        wish: Wish,
        (forced, dry_run): (bool, bool),
    ) -> Result<MaintenanceView, Refusal> {
        super::operator::check_reason(&wish.reason)?;
        let now = self.now();
        let view = write_tx!(self, dry_run, |tx| {
            check_target(tx, &wish.target).await?;
            let id = MaintenanceId::from_bits(self.draw());
            let mut it = Maintenance::plan(id, wish.clone(), now)?;
            it.step(now);
            let shades = shades_of(tx, &it.target, now).await?;
            let dark: Vec<_> = shades.iter().filter(|it| it.is_dark).map(|it| it.net).collect();
            if !dark.is_empty() && !forced && !dry_run {
                return Err(Fault::from(MaintenanceFault::GoesDark(dark)).into());
            }
            maintenance::insert(tx, &it).await?;
            tx.marked = true;
            record(tx, &it, now).await?;
            let interfaces = maintenance::on_target(tx, &it.target).await?;
            Ok(MaintenanceView { state: it.state(now), maintenance: it, interfaces, shades })
        })?;
        self.parts().wake_mail.notify_one();
        Ok(view)
    }

    /// The work is done: traffic may come back.
    pub async fn end_maintenance(&self, id: MaintenanceId) -> Result<MaintenanceView, Refusal> {
        self.change_maintenance(id, Maintenance::end).await
    }

    pub async fn cancel_maintenance(&self, id: MaintenanceId) -> Result<MaintenanceView, Refusal> {
        self.change_maintenance(id, Maintenance::cancel).await
    }

    /// To another time.
    pub async fn move_maintenance(
        &self,
        id: MaintenanceId,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<MaintenanceView, Refusal> {
        self.change_maintenance(id, |it, now| it.reschedule(from, until, now)).await
    }

    /// The latest first.
    pub async fn maintenances(&self) -> Result<Vec<MaintenanceView>, Refusal> {
        let now = self.now();
        let mut db = self.store().snapshot().await?;
        let mut views = vec![];
        for it in maintenance::latest(&mut db, Timestamp::MIN, MAINTENANCES_MAX).await? {
            views.push(view(&mut db, it, now).await?);
        }
        Ok(views)
    }

    pub async fn maintenance(&self, id: MaintenanceId) -> Result<MaintenanceView, Refusal> {
        let mut db = self.store().snapshot().await?;
        let it = maintenance::by_id(&mut db, id).await?.ok_or(MaintenanceFault::NoSuch(id));
        view(&mut db, it.map_err(Fault::from)?, self.now()).await
    }

    /// Those on something of the caller's, the latest first, with what of theirs is there.
    pub async fn own_maintenances(&self, ctx: &Context) -> Result<Vec<MaintenanceView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let account = ctx.caller.account;
        let held = Holdings::of(&mut db, account).await?;
        let ways = maintenance::ways(&mut db, Some(account), ctx.now).await?;
        let mut views = vec![];
        let since = ctx.now - SHOWN_AFTER;
        for it in maintenance::latest(&mut db, since, MAINTENANCES_MAX).await? {
            let Some(mut interfaces) = held.on(&it.target) else { continue };
            let state = it.state(ctx.now);
            if state == State::Ended {
                interfaces.retain(|placed| placed.interface.drain.is_some());
            }
            let shades = match state {
                State::Planned => coverage::without(&ways, |way| way.is_on(&it.target)),
                State::Running | State::Ended | State::Cancelled => vec![],
            };
            views.push(MaintenanceView { maintenance: it, state, interfaces, shades });
        }
        Ok(views)
    }

    /// What the loss of a location, or of a router, would do to the caller's Nets.
    pub async fn own_weak_points(
        &self,
        ctx: &Context,
    ) -> Result<Vec<(Target, Vec<Shade>)>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let ways = maintenance::ways(&mut db, Some(ctx.caller.account), ctx.now).await?;
        Ok(coverage::weak_points(&ways))
    }

    async fn change_maintenance(
        &self,
        id: MaintenanceId,
        change: impl Fn(&mut Maintenance, Timestamp) -> Result<(), Fault>,
    ) -> Result<MaintenanceView, Refusal> {
        let now = self.now();
        let view = write_tx!(self, false, |tx| {
            let it = maintenance::by_id(tx, id).await?.ok_or(MaintenanceFault::NoSuch(id));
            let mut it = it.map_err(Fault::from)?;
            change(&mut it, now)?;
            it.step(now);
            maintenance::update(tx, &it).await?;
            tx.marked = true;
            record(tx, &it, now).await?;
            view(tx, it, now).await
        })?;
        self.parts().wake_mail.notify_one();
        Ok(view)
    }

    /// What is to be told of maintenances by now, whether or not it was.
    pub(crate) async fn notices_of_maintenances(
        &self,
        db: &mut AnyConnection,
        now: Timestamp,
    ) -> Result<Vec<Notice>, store::Error> {
        let mut notices = vec![];
        for it in maintenance::latest(db, now - TOLD_AFTER, MAINTENANCES_MAX).await? {
            for account in maintenance::accounts_on(db, &it.target).await? {
                notices.extend(it.notices(account, now));
            }
        }
        Ok(notices)
    }
}

/// The end of one is told within this time, or not at all.
const TOLD_AFTER: SignedDuration = SignedDuration::from_hours(24);

async fn view(
    db: &mut AnyConnection,
    maintenance: Maintenance,
    now: Timestamp,
) -> Result<MaintenanceView, Refusal> {
    let state = maintenance.state(now);
    let shades = match state {
        State::Planned => shades_of(db, &maintenance.target, now).await?,
        State::Running | State::Ended | State::Cancelled => vec![],
    };
    let mut interfaces = maintenance::on_target(db, &maintenance.target).await?;
    if state == State::Ended {
        interfaces.retain(|placed| placed.interface.drain.is_some());
    }
    Ok(MaintenanceView { maintenance, state, interfaces, shades })
}

/// What the Nets that lead there have left.
async fn shades_of(
    db: &mut AnyConnection,
    target: &Target,
    now: Timestamp,
) -> Result<Vec<Shade>, store::Error> {
    let there = maintenance::on_target(db, target).await?;
    let owners: BTreeSet<_> = there.iter().map(|placed| placed.interface.owner).collect();
    let mut ways: Vec<Way> = vec![];
    for owner in owners {
        ways.extend(maintenance::ways(db, Some(owner), now).await?);
    }
    Ok(coverage::without(&ways, |way| way.is_on(target)))
}

pub(super) async fn check_target(db: &mut AnyConnection, target: &Target) -> Result<(), Refusal> {
    let (is_there, none) = match target {
        Target::Interface(id) => {
            (interfaces::by_id(db, *id).await?.is_some(), Fault::NoSuchInterface(*id))
        }
        Target::Connection(id) => {
            (connections::by_id(db, *id).await?.is_some(), Fault::NoSuchConnection(*id))
        }
        Target::Router(name) => {
            (sites::router(db, name).await?.is_some(), Fault::NoSuchRouter(name.clone()))
        }
        Target::Location(code) => {
            let found = sites::location(db, code.as_str()).await?;
            (found.is_some(), Fault::NoSuchLocation(code.to_string()))
        }
    };
    if is_there { Ok(()) } else { Err(none.into()) }
}

async fn record(tx: &mut Tx, it: &Maintenance, now: Timestamp) -> Result<(), Refusal> {
    let what = format!("maintenance {}", it.state(now));
    let why = format!("{}: {}", it.target, it.reason);
    Ok(journal::record(tx, (&Actor::Operator, now), it.id, &what, why).await?)
}
