//! Rows of what servers on one database have to know of each other's agents.

use super::{Error, Tx, row::Columns, statements};
use directlink_model::{
    connection::PortRef,
    evidence::Transceiver,
    ids::{PortName, RouterName},
    report::PortReport,
};
use jiff::Timestamp;
use sqlx::{AnyConnection, any::AnyRow, query};
use uuid::Uuid;

statements! {
    ATTACH = "INSERT INTO agent (router, stream, build, seen_us, is_attached) VALUES ($1, $2, $3, $4, 1)
              ON CONFLICT (router) DO UPDATE SET stream = excluded.stream, build = excluded.build,
                  seen_us = excluded.seen_us, is_attached = 1";
    SEE = "UPDATE agent SET seen_us = $3 WHERE router = $1 AND stream = $2";
    DETACH = "UPDATE agent SET is_attached = 0 WHERE router = $1 AND stream = $2";
    IS_CURRENT = "SELECT COUNT(*) AS n FROM agent WHERE router = $1 AND stream = $2";
    AGENTS = "SELECT router, build, seen_us, is_attached FROM agent";
    PUT_REPORT = "INSERT INTO port_report (router, port, light, transceiver, document) VALUES ($1, $2, $3, $4, $5)
                  ON CONFLICT (router, port) DO UPDATE SET light = excluded.light,
                      transceiver = excluded.transceiver, document = excluded.document";
    REPORT = "SELECT document FROM port_report WHERE router = $1 AND port = $2";
    SIGNALS = "SELECT router, port, light, transceiver FROM port_report";
}

/// A router's agent, as its server last said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgentRow {
    pub(crate) router: RouterName,
    pub(crate) build: String,
    pub(crate) seen_at: Timestamp,
    pub(crate) is_attached: bool,
}

/// What is asked of many ports at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) port: PortRef,
    pub(crate) light: bool,
    pub(crate) transceiver: Option<Transceiver>,
}

/// This stream is the router's from now on; what comes on another is not taken any more.
pub(crate) async fn attach(
    tx: &mut Tx,
    (router, stream): (&RouterName, Uuid),
    build: &str,
    now: Timestamp,
) -> Result<(), Error> {
    query(ATTACH)
        .bind(router.as_str())
        .bind(stream.to_string())
        .bind(build)
        .bind(now.as_microsecond())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(crate) async fn see(
    tx: &mut Tx,
    (router, stream): (&RouterName, Uuid),
    at: Timestamp,
) -> Result<(), Error> {
    query(SEE)
        .bind(router.as_str())
        .bind(stream.to_string())
        .bind(at.as_microsecond())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(crate) async fn detach(
    tx: &mut Tx,
    (router, stream): (&RouterName, Uuid),
) -> Result<(), Error> {
    query(DETACH).bind(router.as_str()).bind(stream.to_string()).execute(&mut **tx).await?;
    Ok(())
}

/// Whether no later stream is the router's.
pub(crate) async fn is_current(
    db: &mut AnyConnection,
    (router, stream): (&RouterName, Uuid),
) -> Result<bool, Error> {
    let row =
        query(IS_CURRENT).bind(router.as_str()).bind(stream.to_string()).fetch_one(db).await?;
    row.yes("n")
}

pub(crate) async fn agents(db: &mut AnyConnection) -> Result<Vec<AgentRow>, Error> {
    let read = |row: &AnyRow| {
        Ok(AgentRow {
            router: row.word("router")?,
            build: row.text("build")?,
            seen_at: row.time("seen_us")?,
            is_attached: row.yes("is_attached")?,
        })
    };
    query(AGENTS).fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn put_report(
    tx: &mut Tx,
    port: &PortRef,
    report: &PortReport,
) -> Result<(), Error> {
    let transceiver = report.evidence.transceiver.as_ref();
    query(PUT_REPORT)
        .bind(port.router.as_str())
        .bind(port.port.as_str())
        .bind(i64::from(report.light))
        .bind(transceiver.map(serde_json::to_string).transpose()?)
        .bind(serde_json::to_string(report)?)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(crate) async fn report(
    db: &mut AnyConnection,
    port: &PortRef,
) -> Result<Option<PortReport>, Error> {
    let row = query(REPORT).bind(port.router.as_str()).bind(port.port.as_str());
    let row = row.fetch_optional(db).await?;
    row.map(|row| Ok(serde_json::from_str(row.str("document")?)?)).transpose()
}

pub(crate) async fn signals(db: &mut AnyConnection) -> Result<Vec<Signal>, Error> {
    let read = |row: &AnyRow| {
        let router = row.word("router")?;
        let transceiver = row.str_or_null("transceiver")?.map(serde_json::from_str).transpose()?;
        let port = PortRef { router, port: row.word::<PortName>("port")? };
        Ok(Signal { port, light: row.yes("light")?, transceiver })
    };
    query(SIGNALS).fetch_all(db).await?.iter().map(read).collect()
}
