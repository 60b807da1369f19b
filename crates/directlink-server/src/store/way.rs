//! For tests: a way to a database that breaks when it is told to.
//!
//! ```text
//!   server ── TCP, a port of its own ──► Way ── socket ──► PostgreSQL
//!                                         └ Fault: once, at the next COMMIT; or a silence that lasts
//! ```

use super::{Address, testing};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream, UnixStream},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The connection breaks before the next COMMIT gets through.
    CutBefore,
    /// It gets through, and its answer does not.
    CutAfter,
    /// It does not get through, and nobody hears of that.
    Swallow,
    /// From now on nothing gets through, and no connection breaks.
    Hang,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Way(Arc<Mutex<Fault>>);

impl Way {
    /// The database of a folder, by TCP and by a way that breaks, after those nodes that are named in `dead`.
    pub(crate) async fn to(dir: &Path, dead: &str) -> (Address, Self) {
        let Address::Postgres(cluster) = testing::database(dir).await else {
            unreachable!("a cluster")
        };
        let url = cluster.nodes().next().unwrap().to_owned();
        let (url, folder) = url.split_once("?host=").unwrap();
        let way = Self(Arc::new(Mutex::new(Fault::None)));
        let port = way.clone().open(Path::new(folder).join(".s.PGSQL.5432")).await;
        let nodes = format!("@{dead}127.0.0.1:{port}");
        (url.replace("@localhost", &nodes).parse().unwrap(), way)
    }

    pub(crate) fn set(&self, fault: Fault) {
        *self.0.lock().unwrap() = fault;
    }

    /// What happens to what is said now. Of a COMMIT it happens once.
    fn fault_of(&self, said: &[u8]) -> Fault {
        let mut fault = self.0.lock().unwrap();
        let is_commit = said.windows(8).any(|window| window == b"; COMMIT");
        match *fault {
            Fault::Hang => Fault::Hang,
            _ if is_commit => std::mem::replace(&mut fault, Fault::None),
            _ => Fault::None,
        }
    }

    async fn open(self, socket: PathBuf) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(self.clone().carry(client, server));
            }
        });
        port
    }

    async fn carry(self, client: TcpStream, server: UnixStream) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let back = tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
        let mut buffer = vec![0; 1 << 16];
        while let Ok(n @ 1..) = from_client.read(&mut buffer).await {
            let said = &buffer[..n];
            match self.fault_of(said) {
                Fault::CutBefore => break,
                Fault::CutAfter => {
                    // Nothing that the server says now comes back.
                    back.abort();
                    let _ = back.await;
                    to_server.write_all(said).await.unwrap();
                    // It ends the connection when it has done what came before.
                    to_server.write_all(b"X\0\0\0\x04").await.unwrap();
                    return;
                }
                Fault::Swallow | Fault::Hang => {}
                Fault::None => to_server.write_all(said).await.unwrap(),
            }
        }
        back.abort();
    }
}
