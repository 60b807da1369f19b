//! Where a Region's facts are: a file of this machine, or a PostgreSQL cluster.

use secrecy::{ExposeSecret, SecretString};
use sqlx::any::AnyConnectOptions;
use std::{fmt, path::PathBuf, str::FromStr};
use thiserror::Error;

/// `sqlite:PATH`, or `postgres://USER@HOST[:PORT][,HOST[:PORT]…]/DATABASE[?…]`.
#[derive(Clone, Debug)]
pub enum Address {
    Sqlite(PathBuf),
    Postgres(Cluster),
}

/// The nodes of a PostgreSQL cluster, of which one takes writes. A password stays out of `Debug` and `Display`.
#[derive(Clone)]
pub struct Cluster {
    /// An address of each, in the order given.
    nodes: Vec<SecretString>,
    shown: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadAddress {
    #[error("give sqlite:PATH, or postgres://USER@HOST[:PORT][,HOST[:PORT]…]/DATABASE")]
    Form,
    #[error("'{0}' is no address of a PostgreSQL database: {1}")]
    Node(String, String),
}

impl Cluster {
    pub(super) fn nodes(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(ExposeSecret::expose_secret)
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return match path {
                "" => Err(BadAddress::Form),
                path => Ok(Self::Sqlite(path.into())),
            };
        }
        let (scheme, rest) = text.split_once("://").ok_or(BadAddress::Form)?;
        if !matches!(scheme, "postgres" | "postgresql") {
            return Err(BadAddress::Form);
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (who, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let at = if who.is_empty() { "" } else { "@" };
        let (user, query) = (who.split(':').next().unwrap_or_default(), rest.split('?').next());
        let shown = format!("postgres://{user}{at}{hosts}{}", query.unwrap_or_default());
        let mut nodes = Vec::new();
        for host in hosts.split(',') {
            let node = format!("postgres://{who}{at}{host}{rest}");
            let read = sqlx::postgres::PgConnectOptions::from_str(&node).map(drop);
            // The whole is not repeated: a password is in it.
            read.map_err(|why| BadAddress::Node(host.to_owned(), why.to_string()))?;
            nodes.push(node.into());
        }
        Ok(Self::Postgres(Cluster { nodes, shown }))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(cluster) => write!(f, "{cluster}"),
        }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cluster({})", self.shown)
    }
}

/// For sqlx, without a line in the log for each statement.
pub(super) fn options(url: &str) -> Result<AnyConnectOptions, sqlx::Error> {
    Ok(sqlx::ConnectOptions::disable_statement_logging(url.parse::<AnyConnectOptions>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_file_or_the_nodes_of_a_cluster_and_nobody_reads_its_password() {
        for (text, shown, nodes) in [
            ("sqlite:/a/b.db", "sqlite:/a/b.db", vec![]),
            ("postgres://u@h/d", "postgres://u@h/d", vec!["postgres://u@h/d"]),
            (
                "postgresql://u:tops@a:1,b:2/d?sslmode=require&password=tops",
                "postgres://u@a:1,b:2/d",
                vec![
                    "postgres://u:tops@a:1/d?sslmode=require&password=tops",
                    "postgres://u:tops@b:2/d?sslmode=require&password=tops",
                ],
            ),
            ("postgres:///d?host=/run", "postgres:///d", vec!["postgres:///d?host=/run"]),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("tops"), "{address:?}");
            match &address {
                Address::Sqlite(_) => assert!(nodes.is_empty()),
                Address::Postgres(cluster) => {
                    assert_eq!(cluster.nodes().collect::<Vec<_>>(), nodes);
                }
            }
        }
        for bad in ["", "sqlite:", "region.db", "mysql://h/d", "postgres:h/d"] {
            assert_eq!(bad.parse::<Address>().unwrap_err(), BadAddress::Form, "{bad}");
        }
        let bad = "postgres://u:tops@h:99999/d".parse::<Address>().unwrap_err();
        assert!(!bad.to_string().contains("tops"), "{bad}");
    }
}
