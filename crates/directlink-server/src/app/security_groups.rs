//! Security groups and their rules.

use super::{App, Context, Refusal, check_name, chosen, nets::own as own_net, write_tx};
use crate::store::{Tx, journal, plans, security_groups, tags};
use directlink_model::{
    Fault,
    command::{AddSecurityGroupRules, CreateSecurityGroup, RemoveSecurityGroupRules},
    fault::GroupFault,
    ids::{SecurityGroupId, SecurityGroupRuleId},
    quota::Quota,
    security_group::{Flow, SecurityGroup, SecurityGroupRule},
    view::SecurityGroupView,
};
use std::collections::BTreeMap;

/// The name of the group that each Net has from the start.
pub(super) const DEFAULT_NAME: &str = "default";

impl App {
    /// A group that admits nothing and lets everything out.
    pub async fn create_security_group(
        &self,
        ctx: &Context,
        c: CreateSecurityGroup,
    ) -> Result<SecurityGroupView, Refusal> {
        check_name("SecurityGroupName", &c.name)?;
        check_name("Description", &c.description)?;
        write_tx!(self, ctx.dry_run, |tx| {
            let net = own_net(tx, ctx, c.net).await?.id;
            if security_groups::by_name(tx, net, &c.name).await?.is_some() {
                return Err(Fault::SecurityGroupExists { name: c.name.clone(), net }.into());
            }
            self.check_one_more(tx, ctx.caller.account, Quota::SecurityGroups).await?;
            let group = SecurityGroup {
                id: SecurityGroupId::from_bits(self.draw()),
                account: ctx.caller.account,
                net,
                name: c.name.clone(),
                description: c.description.clone(),
                rules: vec![SecurityGroupRule {
                    id: SecurityGroupRuleId::from_bits(self.draw()),
                    flow: Flow::Outbound,
                    admission: SecurityGroup::default_outbound(),
                }],
                created_at: ctx.now,
            };
            security_groups::insert(tx, &group).await?;
            record(tx, ctx, group.id, "security group created").await?;
            Ok(view(group, &[]))
        })
    }

    /// Refused while a NIC has it or another group's rules name it.
    pub async fn delete_security_group(
        &self,
        ctx: &Context,
        id: SecurityGroupId,
    ) -> Result<(), Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let group = own(tx, ctx, id).await?;
            let nic = security_groups::nic_with(tx, id).await?;
            let sisters = security_groups::of_net(tx, group.net).await?;
            group.check_deletable(group.name == DEFAULT_NAME, nic, &sisters)?;
            security_groups::delete(tx, id).await?;
            tags::remove_all(tx, id).await?;
            plans::mark_net(tx, group.net).await?;
            record(tx, ctx, id, "security group deleted").await?;
            Ok(())
        })
    }

    /// The caller's group of this name, in whichever Net.
    pub async fn security_group_named(
        &self,
        ctx: &Context,
        name: &str,
    ) -> Result<SecurityGroupId, Refusal> {
        let mut db = self.store().reader().await?;
        let found = security_groups::of_name(&mut db, ctx.caller.account, name).await?;
        let name = name.to_owned();
        match found[..] {
            [] => Err(Fault::Group(GroupFault::NoSuchName(name)).into()),
            [id] => Ok(id),
            _ => Err(Fault::Group(GroupFault::Ambiguous { name, count: found.len() }).into()),
        }
    }

    /// Further rules. A group named in one must be of the same Net.
    pub async fn add_security_group_rules(
        &self,
        ctx: &Context,
        c: AddSecurityGroupRules,
    ) -> Result<SecurityGroupView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut group = own(tx, ctx, c.group).await?;
            for member in c.admissions.iter().filter_map(|a| a.other.group()) {
                let member = own(tx, ctx, member).await?;
                if member.net != group.net {
                    let (group, net) = (member.id, group.net);
                    return Err(Fault::SecurityGroupElsewhere { group, net }.into());
                }
            }
            let first = security_groups::next_position(tx, group.id).await?;
            for (position, admission) in (first..).zip(&c.admissions) {
                let id = SecurityGroupRuleId::from_bits(self.draw());
                let rule = group.add(id, c.flow, *admission)?;
                security_groups::insert_rule(tx, group.id, &rule, position).await?;
            }
            let (account, count) = (ctx.caller.account, group.rules.len());
            self.check_quota(tx, account, Quota::RulesPerGroup, count).await?;
            plans::mark_net(tx, group.net).await?;
            record(tx, ctx, group.id, "security group rules added").await?;
            let sisters = security_groups::of_net(tx, group.net).await?;
            Ok(view(group, &sisters))
        })
    }

    /// Takes rules away that are exactly these.
    pub async fn remove_security_group_rules(
        &self,
        ctx: &Context,
        c: RemoveSecurityGroupRules,
    ) -> Result<SecurityGroupView, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut group = own(tx, ctx, c.group).await?;
            for rule in &c.rules {
                let id = group.remove(c.flow, rule)?;
                security_groups::delete_rule(tx, id).await?;
            }
            plans::mark_net(tx, group.net).await?;
            record(tx, ctx, group.id, "security group rules removed").await?;
            let sisters = security_groups::of_net(tx, group.net).await?;
            Ok(view(group, &sisters))
        })
    }

    /// The caller's, in order of creation.
    pub async fn security_groups(
        &self,
        ctx: &Context,
        ids: Option<&[SecurityGroupId]>,
    ) -> Result<Vec<SecurityGroupView>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let all = security_groups::of_account(&mut db, ctx.caller.account).await?;
        let names: BTreeMap<_, _> = all.iter().map(|g| (g.id, g.name.clone())).collect();
        let of = |group: SecurityGroup| SecurityGroupView {
            names: named(&group, |id| names.get(&id).cloned()),
            group,
        };
        Ok(chosen(all, ids, |group| group.id).into_iter().map(of).collect())
    }
}

/// With the names of its members, which are among `sisters`.
fn view(group: SecurityGroup, sisters: &[SecurityGroup]) -> SecurityGroupView {
    let name = |id| sisters.iter().find(|s| s.id == id).map(|s| s.name.clone());
    SecurityGroupView { names: named(&group, name), group }
}

fn named(
    group: &SecurityGroup,
    name: impl Fn(SecurityGroupId) -> Option<String>,
) -> BTreeMap<SecurityGroupId, String> {
    group.members().filter_map(|id| Some((id, name(id)?))).collect()
}

/// The caller's group of this id.
pub(super) async fn own(
    tx: &mut Tx,
    ctx: &Context,
    id: SecurityGroupId,
) -> Result<SecurityGroup, Refusal> {
    let group = security_groups::by_id(tx, id).await?;
    let own = group.filter(|g| g.account == ctx.caller.account);
    Ok(own.ok_or(Fault::NoSuchSecurityGroup(id))?)
}

async fn record(
    tx: &mut Tx,
    ctx: &Context,
    id: SecurityGroupId,
    what: &str,
) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&ctx.actor(), ctx.now), id, what, ctx.request_id).await?)
}
