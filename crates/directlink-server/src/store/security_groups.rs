//! Rows of security groups and their rules.

use super::{
    Error,
    row::{Columns, unreadable},
    statements,
};
use directlink_model::{
    ids::{AccountId, NetId, NicId, SecurityGroupId, SecurityGroupRuleId},
    security_group::{Flow, SecurityGroup, SecurityGroupRule},
};
use sqlx::{AnyConnection, any::AnyRow, query};
use std::collections::BTreeMap;

statements! {
    INSERT = "INSERT INTO security_group (id, account, net, name, description, created_us)
              VALUES ($1, $2, $3, $4, $5, $6)";
    INSERT_RULE = "INSERT INTO security_group_rule (id, security_group, flow, permission, position)
                   VALUES ($1, $2, $3, $4, $5)";
    BY_ID = "SELECT * FROM security_group WHERE id = $1";
    BY_NAME = "SELECT id FROM security_group WHERE net = $1 AND name = $2";
    OF_ACCOUNT = "SELECT * FROM security_group WHERE account = $1 ORDER BY created_us, id";
    OF_NET = "SELECT * FROM security_group WHERE net = $1 ORDER BY created_us, id";
    RULES_OF_GROUP = "SELECT * FROM security_group_rule WHERE security_group = $1 ORDER BY position";
    RULES_OF_ACCOUNT = "SELECT r.* FROM security_group_rule r JOIN security_group g ON g.id = r.security_group
                        WHERE g.account = $1 ORDER BY r.security_group, r.position";
    RULES_OF_NET = "SELECT r.* FROM security_group_rule r JOIN security_group g ON g.id = r.security_group
                    WHERE g.net = $1 ORDER BY r.security_group, r.position";
    ID_BY_ACCOUNT_AND_NAME = "SELECT id FROM security_group WHERE account = $1 AND name = $2 ORDER BY created_us, id";
    NIC_WITH = "SELECT nic FROM nic_group WHERE security_group = $1 ORDER BY nic";
    DELETE_RULE = "DELETE FROM security_group_rule WHERE id = $1";
    DELETE_RULES = "DELETE FROM security_group_rule WHERE security_group = $1";
    DELETE = "DELETE FROM security_group WHERE id = $1";
    LAST_POSITION = "SELECT COALESCE(MAX(position), -1) AS n FROM security_group_rule WHERE security_group = $1";
    DELETE_RULES_OF_NET = "DELETE FROM security_group_rule
                           WHERE security_group IN (SELECT id FROM security_group WHERE net = $1)";
    DELETE_OF_NET = "DELETE FROM security_group WHERE net = $1";
}

/// With its rules.
pub(crate) async fn insert(db: &mut AnyConnection, group: &SecurityGroup) -> Result<(), Error> {
    query(INSERT)
        .bind(group.id.to_string())
        .bind(group.account.to_string())
        .bind(group.net.to_string())
        .bind(group.name.as_str())
        .bind(group.description.as_str())
        .bind(group.created_at.as_microsecond())
        .execute(&mut *db)
        .await?;
    for (position, rule) in group.rules.iter().enumerate() {
        insert_rule(db, group.id, rule, position).await?;
    }
    Ok(())
}

pub(crate) async fn insert_rule(
    db: &mut AnyConnection,
    group: SecurityGroupId,
    rule: &SecurityGroupRule,
    position: usize,
) -> Result<(), Error> {
    query(INSERT_RULE)
        .bind(rule.id.to_string())
        .bind(group.to_string())
        .bind(flow_text(rule.flow))
        .bind(serde_json::to_string(&rule.admission)?)
        .bind(i64::try_from(position).unwrap_or(i64::MAX))
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn by_id(
    db: &mut AnyConnection,
    id: SecurityGroupId,
) -> Result<Option<SecurityGroup>, Error> {
    let id = id.to_string();
    let row = query(BY_ID).bind(id.as_str()).fetch_optional(&mut *db).await?;
    let rules = query(RULES_OF_GROUP).bind(id).fetch_all(db).await?;
    Ok(assemble(row.as_slice(), &rules)?.pop())
}

pub(crate) async fn by_name(
    db: &mut AnyConnection,
    net: NetId,
    name: &str,
) -> Result<Option<SecurityGroupId>, Error> {
    query(BY_NAME)
        .bind(net.to_string())
        .bind(name)
        .fetch_optional(db)
        .await?
        .map(|row| row.word("id"))
        .transpose()
}

pub(crate) async fn of_account(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<SecurityGroup>, Error> {
    let account = account.to_string();
    let rows = query(OF_ACCOUNT).bind(account.as_str()).fetch_all(&mut *db).await?;
    let rules = query(RULES_OF_ACCOUNT).bind(account).fetch_all(db).await?;
    assemble(&rows, &rules)
}

pub(crate) async fn of_net(
    db: &mut AnyConnection,
    net: NetId,
) -> Result<Vec<SecurityGroup>, Error> {
    let net = net.to_string();
    let rows = query(OF_NET).bind(net.as_str()).fetch_all(&mut *db).await?;
    let rules = query(RULES_OF_NET).bind(net).fetch_all(db).await?;
    assemble(&rows, &rules)
}

/// The account's groups of that name, in all its Nets.
pub(crate) async fn of_name(
    db: &mut AnyConnection,
    account: AccountId,
    name: &str,
) -> Result<Vec<SecurityGroupId>, Error> {
    let rows =
        query(ID_BY_ACCOUNT_AND_NAME).bind(account.to_string()).bind(name).fetch_all(db).await?;
    rows.iter().map(|row| row.word("id")).collect()
}

/// A NIC that has the group, if one has.
pub(crate) async fn nic_with(
    db: &mut AnyConnection,
    id: SecurityGroupId,
) -> Result<Option<NicId>, Error> {
    let row = query(NIC_WITH).bind(id.to_string()).fetch_optional(db).await?;
    row.map(|row| row.word("nic")).transpose()
}

/// Where the next rule of the group goes.
pub(crate) async fn next_position(
    db: &mut AnyConnection,
    id: SecurityGroupId,
) -> Result<usize, Error> {
    let last = query(LAST_POSITION).bind(id.to_string()).fetch_one(db).await?.number("n")?;
    Ok(usize::try_from(last + 1).unwrap_or_default())
}

pub(crate) async fn delete_rule(
    db: &mut AnyConnection,
    id: SecurityGroupRuleId,
) -> Result<(), Error> {
    query(DELETE_RULE).bind(id.to_string()).execute(db).await?;
    Ok(())
}

/// With its rules.
pub(crate) async fn delete(db: &mut AnyConnection, id: SecurityGroupId) -> Result<(), Error> {
    query(DELETE_RULES).bind(id.to_string()).execute(&mut *db).await?;
    query(DELETE).bind(id.to_string()).execute(db).await?;
    Ok(())
}

pub(crate) async fn delete_of_net(db: &mut AnyConnection, net: NetId) -> Result<(), Error> {
    query(DELETE_RULES_OF_NET).bind(net.to_string()).execute(&mut *db).await?;
    query(DELETE_OF_NET).bind(net.to_string()).execute(db).await?;
    Ok(())
}

const fn flow_text(flow: Flow) -> &'static str {
    match flow {
        Flow::Inbound => "inbound",
        Flow::Outbound => "outbound",
    }
}

fn assemble(rows: &[AnyRow], rules: &[AnyRow]) -> Result<Vec<SecurityGroup>, Error> {
    let mut of_group: BTreeMap<SecurityGroupId, Vec<SecurityGroupRule>> = BTreeMap::new();
    for row in rules {
        of_group.entry(row.word("security_group")?).or_default().push(read_rule(row)?);
    }
    rows.iter()
        .map(|row| {
            let id = row.word("id")?;
            Ok(SecurityGroup {
                id,
                account: row.word("account")?,
                net: row.word("net")?,
                name: row.text("name")?,
                description: row.text("description")?,
                rules: of_group.remove(&id).unwrap_or_default(),
                created_at: row.time("created_us")?,
            })
        })
        .collect()
}

fn read_rule(row: &AnyRow) -> Result<SecurityGroupRule, Error> {
    let (flow, permission) = (row.text("flow")?, row.text("permission")?);
    Ok(SecurityGroupRule {
        id: row.word("id")?,
        flow: match flow.as_str() {
            "inbound" => Flow::Inbound,
            "outbound" => Flow::Outbound,
            _ => return Err(unreadable("flow", flow, "neither inbound nor outbound")),
        },
        admission: serde_json::from_str(&permission)
            .map_err(|why| unreadable("permission", &permission, why))?,
    })
}
