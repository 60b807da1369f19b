//! Rows of documents, of the agents' answers, and of what is to be planned anew.

use super::{Error, Tx, row::Columns, statements};
use directlink_model::{
    connection::PortRef,
    ids::{NetId, PortName, RouterName},
    plan::Scope,
};
use directlink_telemetry::Origin;
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};
use uuid::Uuid;

statements! {
    GENERATION = "SELECT generation, document FROM plan WHERE router = $1 AND scope = $2";
    PUT = "INSERT INTO plan (router, scope, generation, document, planned_us) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (router, scope) DO UPDATE SET generation = excluded.generation,
               document = excluded.document, planned_us = excluded.planned_us";
    GENERATIONS = "SELECT scope, generation FROM plan WHERE router = $1";
    GENERATIONS_SINCE = "SELECT scope, generation FROM plan WHERE router = $1 AND planned_us >= $2";
    CHANGES = "SELECT COUNT(*) AS scopes, CAST(COALESCE(SUM(generation), 0) AS BIGINT) AS generations,
                      MAX(planned_us) AS latest FROM plan WHERE router = $1";
    EVERY_SCOPE = "SELECT p.router, p.scope, p.generation, a.generation AS answered, a.failure FROM plan p
                   LEFT JOIN plan_answer a ON a.router = p.router AND a.scope = p.scope
                   ORDER BY p.router, p.scope";
    SCOPES_OF = "SELECT p.router, p.scope, p.generation, a.generation AS answered, a.failure FROM plan p
                 LEFT JOIN plan_answer a ON a.router = p.router AND a.scope = p.scope
                 WHERE p.router = $1 ORDER BY p.scope";
    STEPS = "SELECT p.router, COUNT(*) AS scopes, COUNT(a.failure) AS failed,
                    COUNT(CASE WHEN a.failure IS NULL AND a.generation = p.generation THEN 1 END) AS in_step
             FROM plan p LEFT JOIN plan_answer a ON a.router = p.router AND a.scope = p.scope GROUP BY p.router";
    AMISS = "SELECT p.scope, a.generation, a.failure FROM plan p
             LEFT JOIN plan_answer a ON a.router = p.router AND a.scope = p.scope
             WHERE p.router = $1 AND (a.generation IS NULL OR a.generation <> p.generation OR a.failure IS NOT NULL)";
    PUT_ANSWER = "INSERT INTO plan_answer (router, scope, generation, failure, answered_us) VALUES ($1, $2, $3, $4, $5)
                  ON CONFLICT (router, scope) DO UPDATE SET generation = excluded.generation,
                      failure = excluded.failure, answered_us = excluded.answered_us";
    NETS_OF_PORT = "SELECT net FROM port_net WHERE router = $1 AND port = $2";
    ADD_NET_OF_PORT = "INSERT INTO port_net (router, port, net) VALUES ($1, $2, $3)";
    DROP_NET_OF_PORT = "DELETE FROM port_net WHERE router = $1 AND port = $2 AND net = $3";
    ROUTERS_OF_NET = "SELECT DISTINCT r.name, r.vtep FROM port_net p JOIN router r ON r.name = p.router
                      WHERE p.net = $1 ORDER BY r.name";
    CARRIES_NET = "SELECT COUNT(*) AS n FROM port_net WHERE router = $1 AND net = $2";
    CARRIED_NETS = "SELECT DISTINCT net FROM port_net ORDER BY net";
    MARK_PORT = "INSERT INTO dirty_port (router, port, mark) VALUES ($1, $2, $3)";
    MARK_NET = "INSERT INTO dirty_net (net, mark) VALUES ($1, $2)";
    MARK_PORTS_OF_GATEWAY = "INSERT INTO dirty_port (router, port, mark)
        SELECT DISTINCT c.router, c.port, CAST($2 AS TEXT) FROM interface i
        LEFT JOIN hosted_connection h ON h.connection = i.connection
        JOIN connection c ON c.id = COALESCE(h.parent, i.connection)
        WHERE i.gateway = $1 AND c.router IS NOT NULL AND c.port_freed_us IS NULL";
    DIRTY_PORTS = "SELECT DISTINCT router, port FROM dirty_port ORDER BY router, port LIMIT $1";
    DIRTY_NETS = "SELECT DISTINCT net FROM dirty_net ORDER BY net LIMIT $1";
    CLEAN_PORT = "DELETE FROM dirty_port WHERE router = $1 AND port = $2 RETURNING mark";
    CLEAN_NET = "DELETE FROM dirty_net WHERE net = $1 RETURNING mark";
}

/// A document as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) generation: u64,
    /// JSON of [`directlink_model::plan::Document`].
    pub(crate) document: String,
}

pub(crate) async fn stored(
    db: &mut AnyConnection,
    router: &RouterName,
    scope: &Scope,
) -> Result<Option<Stored>, Error> {
    query(GENERATION)
        .bind(router.as_str())
        .bind(scope.to_string())
        .fetch_optional(db)
        .await?
        .map(|row| {
            Ok(Stored { generation: row.narrow("generation")?, document: row.text("document")? })
        })
        .transpose()
}

pub(crate) async fn put(
    db: &mut AnyConnection,
    router: &RouterName,
    scope: &Scope,
    plan: &Stored,
    now: Timestamp,
) -> Result<(), Error> {
    query(PUT)
        .bind(router.as_str())
        .bind(scope.to_string())
        .bind(as_i64(plan.generation))
        .bind(plan.document.as_str())
        .bind(now.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}

pub(crate) async fn generations(
    db: &mut AnyConnection,
    router: &RouterName,
) -> Result<BTreeMap<Scope, u64>, Error> {
    let rows = query(GENERATIONS).bind(router.as_str()).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.word("scope")?, row.narrow("generation")?))).collect()
}

/// Those that were planned then or later, by the clock of whoever planned them.
pub(crate) async fn generations_since(
    db: &mut AnyConnection,
    router: &RouterName,
    then: Changes,
) -> Result<BTreeMap<Scope, u64>, Error> {
    let since = then.latest_us.unwrap_or(i64::MIN);
    let rows = query(GENERATIONS_SINCE).bind(router.as_str()).bind(since).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.word("scope")?, row.narrow("generation")?))).collect()
}

/// How far a router's documents have come: another if any of them is. A generation only grows, no scope is forgotten, and
/// what a failover takes back is not planned again in the same microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    scopes: u64,
    generations: u64,
    latest_us: Option<i64>,
}

impl Changes {
    /// Whether these are all that there is.
    pub(crate) fn are(self, held: &BTreeMap<Scope, u64>) -> bool {
        let scopes = u64::try_from(held.len()).unwrap_or(u64::MAX);
        (scopes, held.values().sum()) == (self.scopes, self.generations)
    }
}

pub(crate) async fn changes(db: &mut AnyConnection, router: &RouterName) -> Result<Changes, Error> {
    let row = query(CHANGES).bind(router.as_str()).fetch_one(db).await?;
    Ok(Changes {
        scopes: row.narrow("scopes")?,
        generations: row.narrow("generations")?,
        latest_us: row.number_or_null("latest")?,
    })
}

/// A document's generation, and what the router's agent has answered to it.
#[derive(Clone, Debug)]
pub(crate) struct ScopeRow {
    pub(crate) router: RouterName,
    pub(crate) scope: Scope,
    pub(crate) generation: u64,
    pub(crate) answered: Option<u64>,
    pub(crate) failure: Option<String>,
}

pub(crate) async fn every_scope(db: &mut AnyConnection) -> Result<Vec<ScopeRow>, Error> {
    query(EVERY_SCOPE).fetch_all(db).await?.iter().map(read_scope).collect()
}

pub(crate) async fn scopes_of(
    db: &mut AnyConnection,
    router: &RouterName,
) -> Result<Vec<ScopeRow>, Error> {
    query(SCOPES_OF).bind(router.as_str()).fetch_all(db).await?.iter().map(read_scope).collect()
}

fn read_scope(row: &AnyRow) -> Result<ScopeRow, Error> {
    Ok(ScopeRow {
        router: row.word("router")?,
        scope: row.word("scope")?,
        generation: row.narrow("generation")?,
        answered: row.number_or_null("answered")?.and_then(|n| u64::try_from(n).ok()),
        failure: row.text_or_null("failure")?,
    })
}

/// How far a router is with its documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    pub documents: usize,
    pub in_step: usize,
    pub failed: usize,
}

pub(crate) async fn steps(db: &mut AnyConnection) -> Result<Vec<(RouterName, Steps)>, Error> {
    let read = |row: &AnyRow| {
        let [documents, in_step, failed] =
            [row.narrow("scopes")?, row.narrow("in_step")?, row.narrow("failed")?];
        Ok((row.word("router")?, Steps { documents, in_step, failed }))
    };
    query(STEPS).fetch_all(db).await?.iter().map(read).collect()
}

/// An agent's answer: the generation it has applied, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) generation: u64,
    pub(crate) failure: Option<String>,
}

/// The last answer to each document that is not just an Ack of its generation; `None`: there is none. Few, as a rule.
pub(crate) async fn amiss(
    db: &mut AnyConnection,
    router: &RouterName,
) -> Result<BTreeMap<Scope, Option<Answer>>, Error> {
    let read = |row: &AnyRow| {
        let generation = row.number_or_null("generation")?.and_then(|n| u64::try_from(n).ok());
        let failure = row.text_or_null("failure")?;
        let answer = generation.map(|generation| Answer { generation, failure });
        Ok((row.word("scope")?, answer))
    };
    query(AMISS).bind(router.as_str()).fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn put_answer(
    db: &mut AnyConnection,
    router: &RouterName,
    scope: &Scope,
    answer: &Answer,
    now: Timestamp,
) -> Result<(), Error> {
    query(PUT_ANSWER)
        .bind(router.as_str())
        .bind(scope.to_string())
        .bind(as_i64(answer.generation))
        .bind(answer.failure.as_deref())
        .bind(now.as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}

/// The Nets that the planned interfaces of the port lead to.
pub(crate) async fn nets_of_port(
    db: &mut AnyConnection,
    port: &PortRef,
) -> Result<BTreeSet<NetId>, Error> {
    let rows = query(NETS_OF_PORT)
        .bind(port.router.as_str())
        .bind(port.port.as_str())
        .fetch_all(db)
        .await?;
    rows.iter().map(|row| row.word("net")).collect()
}

pub(crate) async fn set_net_of_port(
    db: &mut AnyConnection,
    port: &PortRef,
    net: NetId,
    carried: bool,
) -> Result<(), Error> {
    let statement = match carried {
        true => ADD_NET_OF_PORT,
        false => DROP_NET_OF_PORT,
    };
    query(statement)
        .bind(port.router.as_str())
        .bind(port.port.as_str())
        .bind(net.to_string())
        .execute(db)
        .await?;
    Ok(())
}

/// The routers with an interface that leads to the Net, and the address of each on the fabric.
pub(crate) async fn routers_of_net(
    db: &mut AnyConnection,
    net: NetId,
) -> Result<Vec<(RouterName, Ipv4Addr)>, Error> {
    let rows = query(ROUTERS_OF_NET).bind(net.to_string()).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.word("name")?, row.word("vtep")?))).collect()
}

pub(crate) async fn carries_net(
    db: &mut AnyConnection,
    router: &RouterName,
    net: NetId,
) -> Result<bool, Error> {
    let row = query(CARRIES_NET).bind(router.as_str()).bind(net.to_string()).fetch_one(db).await?;
    row.yes("n")
}

pub(crate) async fn carried_nets(db: &mut AnyConnection) -> Result<Vec<NetId>, Error> {
    query(CARRIED_NETS).fetch_all(db).await?.iter().map(|row| row.word("net")).collect()
}

/// A fact that the port's document is made of has changed.
pub(crate) async fn mark_port(tx: &mut Tx, port: &PortRef) -> Result<(), Error> {
    tx.marked = true;
    let (router, port) = (port.router.as_str(), port.port.as_str());
    query(MARK_PORT).bind(router).bind(port).bind(mark()).execute(&mut **tx).await?;
    Ok(())
}

/// A fact that the Net's document is made of has changed.
pub(crate) async fn mark_net(tx: &mut Tx, net: NetId) -> Result<(), Error> {
    tx.marked = true;
    query(MARK_NET).bind(net.to_string()).bind(mark()).execute(&mut **tx).await?;
    Ok(())
}

/// The gateway leads elsewhere: all ports with an interface of it change.
pub(crate) async fn mark_ports_of_gateway(
    tx: &mut Tx,
    gateway: directlink_model::ids::GatewayId,
) -> Result<(), Error> {
    tx.marked = true;
    query(MARK_PORTS_OF_GATEWAY).bind(gateway.to_string()).bind(mark()).execute(&mut **tx).await?;
    Ok(())
}

pub(crate) async fn dirty_ports(
    db: &mut AnyConnection,
    at_most: u32,
) -> Result<Vec<PortRef>, Error> {
    let rows = query(DIRTY_PORTS).bind(i64::from(at_most)).fetch_all(db).await?;
    let read = |row: &AnyRow| {
        Ok(PortRef { router: row.word("router")?, port: row.word::<PortName>("port")? })
    };
    rows.iter().map(read).collect()
}

pub(crate) async fn dirty_nets(db: &mut AnyConnection, at_most: u32) -> Result<Vec<NetId>, Error> {
    let rows = query(DIRTY_NETS).bind(i64::from(at_most)).fetch_all(db).await?;
    rows.iter().map(|row| row.word("net")).collect()
}

/// Takes those marks away that its own act sees: what another act marks meanwhile stays. Which calls they are of, where
/// calls are followed.
pub(crate) async fn clean_port(
    db: &mut AnyConnection,
    port: &PortRef,
) -> Result<Vec<Origin>, Error> {
    let (router, port) = (port.router.as_str(), port.port.as_str());
    origins(&query(CLEAN_PORT).bind(router).bind(port).fetch_all(db).await?)
}

pub(crate) async fn clean_net(db: &mut AnyConnection, net: NetId) -> Result<Vec<Origin>, Error> {
    origins(&query(CLEAN_NET).bind(net.to_string()).fetch_all(db).await?)
}

/// Each is a row of its own, and says which call it came of if that is followed.
fn mark() -> String {
    let number = Uuid::now_v7();
    match Origin::of_current() {
        Some(origin) => format!("{number} {origin}"),
        None => number.to_string(),
    }
}

fn origins(marks: &[AnyRow]) -> Result<Vec<Origin>, Error> {
    let mut origins = Vec::new();
    for row in marks {
        let mark = row.text("mark")?;
        origins.extend(mark.split_once(' ').and_then(|(_, origin)| origin.parse().ok()));
    }
    Ok(origins)
}

/// Generations count changes: they never come near the edge.
fn as_i64(generation: u64) -> i64 {
    i64::try_from(generation).unwrap_or(i64::MAX)
}
