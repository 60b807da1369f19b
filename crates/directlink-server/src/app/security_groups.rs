//! Security groups and their rules.

use super::{App, Context, Refusal, check_name, chosen, nets::own as own_net, write_tx};
use crate::store::{Tx, journal, plans, security_groups};
use directlink_model::{
    Fault,
    command::{AddSecurityGroupRules, CreateSecurityGroup},
    ids::{SecurityGroupId, SecurityGroupRuleId},
    security_group::{Flow, SecurityGroup, SecurityGroupRule},
};

/// The name of the group that each Net has from the start.
pub(super) const DEFAULT_NAME: &str = "default";

impl App {
    /// A group that admits nothing and lets everything out.
    pub async fn create_security_group(
        &self,
        ctx: &Context,
        c: CreateSecurityGroup,
    ) -> Result<SecurityGroup, Refusal> {
        check_name("SecurityGroupName", &c.name)?;
        check_name("Description", &c.description)?;
        write_tx!(self, ctx.dry_run, |tx| {
            let net = own_net(tx, ctx, c.net).await?.id;
            if security_groups::by_name(tx, net, &c.name).await?.is_some() {
                return Err(Fault::SecurityGroupExists { name: c.name.clone(), net }.into());
            }
            let group = SecurityGroup {
                id: SecurityGroupId::from_bits(rand::random()),
                account: ctx.caller.account,
                net,
                name: c.name.clone(),
                description: c.description.clone(),
                rules: vec![SecurityGroupRule {
                    id: SecurityGroupRuleId::from_bits(rand::random()),
                    flow: Flow::Outbound,
                    permission: SecurityGroup::default_outbound(),
                }],
                created_at: ctx.now,
            };
            security_groups::insert(tx, &group).await?;
            record(tx, ctx, group.id, "security group created").await?;
            Ok(group)
        })
    }

    /// Further permissions.
    pub async fn add_security_group_rules(
        &self,
        ctx: &Context,
        c: AddSecurityGroupRules,
    ) -> Result<SecurityGroup, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let mut group = own(tx, ctx, c.group).await?;
            for permission in &c.permissions {
                let is_same =
                    |r: &SecurityGroupRule| r.flow == c.flow && r.permission == *permission;
                if group.rules.iter().any(is_same) {
                    return Err(Fault::RuleExists(group.id).into());
                }
                let id = SecurityGroupRuleId::from_bits(rand::random());
                let rule = SecurityGroupRule { id, flow: c.flow, permission: permission.clone() };
                security_groups::insert_rule(tx, group.id, &rule, group.rules.len()).await?;
                group.rules.push(rule);
            }
            plans::mark_net(tx, group.net).await?;
            record(tx, ctx, group.id, "security group rules added").await?;
            Ok(group)
        })
    }

    /// The caller's, in order of creation.
    pub async fn security_groups(
        &self,
        ctx: &Context,
        ids: Option<&[SecurityGroupId]>,
    ) -> Result<Vec<SecurityGroup>, Refusal> {
        let mut db = self.store().snapshot().await?;
        let all = security_groups::of_account(&mut db, ctx.caller.account).await?;
        Ok(chosen(all, ids, |group| group.id))
    }
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
