//! What would come of a change: gathers the world that the asker may know, and asks the model.

use super::{App, Refusal, maintenance::check_target};
use crate::store::{
    AnyConnection, connections, interfaces, maintenance, nets, nics, security_groups, sites,
};
use directlink_model::{
    Fault,
    ids::{AccountId, ConnectionId, NetId},
    maintenance::Target,
    what_if::{Change, Effect, NewWays, Place, World, what_if},
};
use directlink_net::IpNet;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// A hypothetical command, as it is asked about.
#[derive(Clone, Debug)]
pub enum Hypothesis {
    Change(Change),
    /// An interface on this connection, to this Net.
    Interface {
        connection: ConnectionId,
        net: NetId,
        prefixes: Option<BTreeSet<IpNet>>,
    },
}

impl App {
    /// On the Nets of `account`; for the operator on everybody's.
    pub async fn what_if(
        &self,
        account: Option<AccountId>,
        hypothesis: Hypothesis,
    ) -> Result<Vec<Effect>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let world = world(&mut db, account, self.now()).await?;
        let change = match hypothesis {
            Hypothesis::Change(change) => change,
            Hypothesis::Interface { connection, net, prefixes } => {
                let found = connections::by_id(&mut db, connection).await?;
                let own = found.filter(|it| account.is_none_or(|account| it.account == account));
                let on = own.ok_or(Fault::NoSuchConnection(connection))?;
                let router = on.approval.map(|approval| approval.port.router);
                let (net, location) = (Some(net), on.location);
                Change::NewWays(NewWays { net, location, router, prefixes })
            }
        };
        check(&mut db, account, (&world, &change)).await?;
        Ok(what_if(&world, &change))
    }
}

/// What is named must be there, and the asker's.
async fn check(
    db: &mut AnyConnection,
    account: Option<AccountId>,
    (world, change): (&World, &Change),
) -> Result<(), Refusal> {
    let is_theirs = |owners: &[AccountId]| account.is_none_or(|account| owners.contains(&account));
    match change {
        Change::Nothing => {}
        Change::Gone(target) => {
            check_target(db, target).await?;
            match target {
                Target::Interface(id) => {
                    let owner = interfaces::by_id(db, *id).await?.map(|it| it.owner);
                    if !is_theirs(owner.as_slice()) {
                        return Err(Fault::NoSuchInterface(*id).into());
                    }
                }
                Target::Connection(id) => {
                    let owner = connections::by_id(db, *id).await?.map(|it| it.account);
                    if !is_theirs(owner.as_slice()) {
                        return Err(Fault::NoSuchConnection(*id).into());
                    }
                }
                Target::Router(_) | Target::Location(_) => {}
            }
        }
        Change::NewWays(NewWays { net, location, .. }) => {
            let found = sites::location(db, location.as_str()).await?;
            found.ok_or_else(|| Fault::NoSuchLocation(location.to_string()))?;
            if let Some(net) = net.filter(|net| !world.nets.contains_key(net)) {
                return Err(Fault::NoSuchNet(net).into());
            }
        }
        Change::AddRule(group, ..) | Change::RemoveRule(group, ..) => {
            let mut groups = world.nets.values().flat_map(|place| &place.groups);
            if !groups.any(|it| it.id == *group) {
                return Err(Fault::NoSuchSecurityGroup(*group).into());
            }
        }
    }
    Ok(())
}

async fn world(
    db: &mut AnyConnection,
    account: Option<AccountId>,
    now: Timestamp,
) -> Result<World, Refusal> {
    let ways = maintenance::ways(db, account, now).await?;
    let all = match account {
        Some(account) => nets::of_account(db, account).await?,
        None => nets::every(db).await?,
    };
    let mut world = World { ways, ..World::default() };
    for net in all {
        let nics = nics::of_net(db, net.id).await?;
        let groups = security_groups::of_net(db, net.id).await?;
        world.nets.insert(net.id, Place { owner: net.account, nics, groups });
    }
    Ok(world)
}
