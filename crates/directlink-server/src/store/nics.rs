//! Rows of NICs, and of their security groups' names.

use super::{Error, row::Columns, statements};
use directlink_model::{
    ids::{AccountId, NetId, NicId, SecurityGroupId, SubnetId},
    net::Nic,
};
use sqlx::{AnyConnection, any::AnyRow, query};
use std::{collections::BTreeMap, net::Ipv4Addr};

statements! {
    INSERT = "INSERT INTO nic (id, account, subnet, net, address, mac, description, created_us)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    INSERT_GROUP = "INSERT INTO nic_group (nic, security_group) VALUES ($1, $2)";
    DELETE = "DELETE FROM nic WHERE id = $1";
    DELETE_GROUPS = "DELETE FROM nic_group WHERE nic = $1";
    DESCRIBE = "UPDATE nic SET description = $2 WHERE id = $1";
    PLACE = "UPDATE nic SET vtep = $2 WHERE id = $1";
    BY_ID = "SELECT * FROM nic WHERE id = $1";
    OF_ACCOUNT = "SELECT * FROM nic WHERE account = $1 ORDER BY created_us, id";
    OF_NET = "SELECT * FROM nic WHERE net = $1 ORDER BY created_us, id";
    EVERY = "SELECT * FROM nic ORDER BY created_us, id";
    ADDRESSES = "SELECT address FROM nic WHERE subnet = $1";
    GROUPS_OF_NIC = "SELECT nic, security_group FROM nic_group WHERE nic = $1 ORDER BY security_group";
    GROUPS_OF_ACCOUNT = "SELECT g.nic, g.security_group FROM nic_group g JOIN nic n ON n.id = g.nic
                         WHERE n.account = $1 ORDER BY g.security_group";
    GROUPS_OF_NET = "SELECT g.nic, g.security_group FROM nic_group g JOIN nic n ON n.id = g.nic
                     WHERE n.net = $1 ORDER BY g.security_group";
    GROUPS_OF_EVERY = "SELECT nic, security_group FROM nic_group ORDER BY security_group";
}

pub(crate) async fn insert(db: &mut AnyConnection, nic: &Nic) -> Result<(), Error> {
    query(INSERT)
        .bind(nic.id.to_string())
        .bind(nic.account.to_string())
        .bind(nic.subnet.to_string())
        .bind(nic.net.to_string())
        .bind(nic.address.to_string())
        .bind(nic.mac.to_string())
        .bind(nic.description.as_str())
        .bind(nic.created_at.as_microsecond())
        .execute(&mut *db)
        .await?;
    insert_groups(db, nic).await
}

async fn insert_groups(db: &mut AnyConnection, nic: &Nic) -> Result<(), Error> {
    for group in &nic.security_groups {
        query(INSERT_GROUP)
            .bind(nic.id.to_string())
            .bind(group.to_string())
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// What its owner may change: description and groups.
pub(crate) async fn update(db: &mut AnyConnection, nic: &Nic) -> Result<(), Error> {
    let id = nic.id.to_string();
    query(DESCRIBE).bind(id.as_str()).bind(nic.description.as_str()).execute(&mut *db).await?;
    query(DELETE_GROUPS).bind(id).execute(&mut *db).await?;
    insert_groups(db, nic).await
}

pub(crate) async fn delete(db: &mut AnyConnection, id: NicId) -> Result<(), Error> {
    query(DELETE_GROUPS).bind(id.to_string()).execute(&mut *db).await?;
    query(DELETE).bind(id.to_string()).execute(db).await?;
    Ok(())
}

pub(crate) async fn place(
    db: &mut AnyConnection,
    id: NicId,
    vtep: Option<Ipv4Addr>,
) -> Result<(), Error> {
    query(PLACE).bind(id.to_string()).bind(vtep.map(|vtep| vtep.to_string())).execute(db).await?;
    Ok(())
}

pub(crate) async fn by_id(db: &mut AnyConnection, id: NicId) -> Result<Option<Nic>, Error> {
    let id = id.to_string();
    let row = query(BY_ID).bind(id.as_str()).fetch_optional(&mut *db).await?;
    let groups = query(GROUPS_OF_NIC).bind(id).fetch_all(db).await?;
    Ok(assemble(row.as_slice(), &groups)?.pop())
}

pub(crate) async fn of_account(
    db: &mut AnyConnection,
    account: AccountId,
) -> Result<Vec<Nic>, Error> {
    let account = account.to_string();
    let rows = query(OF_ACCOUNT).bind(account.as_str()).fetch_all(&mut *db).await?;
    let groups = query(GROUPS_OF_ACCOUNT).bind(account).fetch_all(db).await?;
    assemble(&rows, &groups)
}

pub(crate) async fn of_net(db: &mut AnyConnection, net: NetId) -> Result<Vec<Nic>, Error> {
    let net = net.to_string();
    let rows = query(OF_NET).bind(net.as_str()).fetch_all(&mut *db).await?;
    let groups = query(GROUPS_OF_NET).bind(net).fetch_all(db).await?;
    assemble(&rows, &groups)
}

pub(crate) async fn every(db: &mut AnyConnection) -> Result<Vec<Nic>, Error> {
    let rows = query(EVERY).fetch_all(&mut *db).await?;
    let groups = query(GROUPS_OF_EVERY).fetch_all(db).await?;
    assemble(&rows, &groups)
}

pub(crate) async fn addresses(
    db: &mut AnyConnection,
    subnet: SubnetId,
) -> Result<Vec<Ipv4Addr>, Error> {
    let rows = query(ADDRESSES).bind(subnet.to_string()).fetch_all(db).await?;
    rows.iter().map(|row| row.word("address")).collect()
}

fn assemble(rows: &[AnyRow], groups: &[AnyRow]) -> Result<Vec<Nic>, Error> {
    let mut of_nic: BTreeMap<NicId, Vec<SecurityGroupId>> = BTreeMap::new();
    for row in groups {
        of_nic.entry(row.word("nic")?).or_default().push(row.word("security_group")?);
    }
    rows.iter()
        .map(|row| {
            let id = row.word("id")?;
            Ok(Nic {
                id,
                account: row.word("account")?,
                subnet: row.word("subnet")?,
                net: row.word("net")?,
                address: row.word("address")?,
                mac: row.word("mac")?,
                description: row.text("description")?,
                security_groups: of_nic.remove(&id).unwrap_or_default(),
                vtep: row.word_or_null("vtep")?,
                created_at: row.time("created_us")?,
            })
        })
        .collect()
}
