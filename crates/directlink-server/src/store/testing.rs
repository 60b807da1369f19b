//! Databases for tests: files; with DIRECTLINK_TEST_STORE=postgres, databases of a PostgreSQL of the test run's own.

use super::{Address, Store, address::options};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};
use std::{
    env,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

/// Which database the tests of this run have.
pub(crate) fn is_postgres() -> bool {
    match env::var("DIRECTLINK_TEST_STORE").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("DIRECTLINK_TEST_STORE is {other}: give sqlite or postgres"),
    }
}

/// The one that belongs to a folder, new or as it was left.
pub(crate) async fn open(dir: &Path) -> Store {
    Store::open(&address(dir).await).await.unwrap()
}

/// What was written to the one of this folder so far: another after each act.
pub(crate) async fn written(store: &Store, dir: &Path) -> Vec<u8> {
    if !is_postgres() {
        return std::fs::read(dir.join("region.db-wal")).unwrap();
    }
    let mut db = store.reader().await.unwrap();
    let acts = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM act").fetch_one(&mut *db);
    acts.await.unwrap().to_be_bytes().into()
}

/// Where that is.
pub(crate) async fn address(dir: &Path) -> Address {
    match is_postgres() {
        true => database(dir).await,
        false => file(dir),
    }
}

pub(crate) fn file(dir: &Path) -> Address {
    Address::Sqlite(dir.join("region.db"))
}

/// A database of the cluster, for the folder alone.
pub(crate) async fn database(dir: &Path) -> Address {
    sqlx::any::install_default_drivers();
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(dir);
    let name = format!("test_{hash:016x}");
    let cluster = cluster();
    let mut db = AnyConnection::connect_with(&options(cluster).unwrap()).await.unwrap();
    let make = format!("CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C'");
    if let Err(error) = db.execute(AssertSqlSafe(make)).await {
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .unwrap_or_default();
        assert_eq!(code, "42P04", "{error}");
    }
    db.close().await.unwrap();
    cluster.replace("/postgres?", &format!("/{name}?")).parse().unwrap()
}

/// Of the run (scripts/with-postgres); of this process alone, where the run has none.
fn cluster() -> &'static str {
    static CLUSTER: OnceLock<(String, Option<Child>)> = OnceLock::new();
    let begin = || match env::var("DIRECTLINK_TEST_POSTGRES") {
        Ok(url) => (url, None),
        Err(_) => {
            // It ends with its standard input, which this process holds for as long as it lives.
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/with-postgres");
            let mut child = Command::new(script)
                .args(["sh", "-c", "echo $DIRECTLINK_TEST_POSTGRES; cat"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut url = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
            assert!(url.starts_with("postgres:"), "scripts/with-postgres says {url:?}");
            (url.trim().to_owned(), Some(child))
        }
    };
    &CLUSTER.get_or_init(begin).0
}
