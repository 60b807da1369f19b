//! The feed of one station, over a real socket.

use super::*;
use crate::speaker::fixture::Monitored;
use tokio::{io::AsyncReadExt as _, net::TcpListener};

/// A station that has been dialled, and reads what it is told when the test wants it.
struct Heard(TcpStream);

impl Heard {
    async fn of(listener: &TcpListener) -> Self {
        Self(timeout(PATIENCE, listener.accept()).await.unwrap().unwrap().0)
    }

    /// The type, flags and length of the next messages, `None` at the end.
    async fn next(&mut self) -> Option<(u8, u8, usize)> {
        let mut header = [0; 6];
        timeout(PATIENCE, self.0.read_exact(&mut header)).await.unwrap().ok()?;
        let [version, a, b, c, d, kind] = header;
        assert_eq!(version, 3);
        let mut rest = vec![0; u32::from_be_bytes([a, b, c, d]) as usize - 6];
        timeout(PATIENCE, self.0.read_exact(&mut rest)).await.unwrap().ok()?;
        let has_flags = kind < INITIATION;
        Some((kind, if has_flags { rest[1] } else { 0 }, rest.len() + 6))
    }

    async fn kinds(&mut self, count: usize) -> Vec<(u8, u8)> {
        let mut kinds = Vec::new();
        for _ in 0..count {
            kinds.extend(self.next().await.map(|(kind, flags, _)| (kind, flags)));
        }
        kinds
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const ROUTES: u8 = 0;
const PEER_DOWN: u8 = 2;
const PEER_UP: u8 = 3;
const INITIATION: u8 = 4;
const TERMINATION: u8 = 5;
/// The three tables of a peer.
const PRE: u8 = 0;
const POST: u8 = 0x40;
const OUT: u8 = 0x50;

async fn stations(monitor: &Arc<Monitor>) -> (TcpListener, Stations) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stations = vec![listener.local_addr().unwrap().to_string()];
    let config = BmpConfig { stations, ..BmpConfig::default() };
    let stations = Stations::start(&config, &"par1-r1".parse().unwrap(), monitor);
    (listener, stations)
}

#[tokio::test]
async fn a_station_is_told_the_tables_then_each_change_and_that_we_go() {
    let mut session = Monitored::new();
    session.announces(1, 1);
    let (listener, stations) = stations(&session.monitor).await;
    let mut heard = Heard::of(&listener).await;
    let tables = [(INITIATION, 0), (PEER_UP, 0), (ROUTES, PRE), (ROUTES, POST)];
    let ends = [(ROUTES, PRE), (ROUTES, POST), (ROUTES, OUT)];
    assert_eq!(heard.kinds(7).await, [&tables[..], &ends].concat());
    session.announces(2, 1);
    assert_eq!(heard.kinds(2).await, [(ROUTES, PRE), (ROUTES, POST)]);
    session.ends();
    assert_eq!(heard.kinds(1).await, [(PEER_DOWN, 0)]);
    drop(stations);
    assert_eq!(heard.kinds(2).await, [(TERMINATION, 0)], "and the connection ends");
}

#[tokio::test]
async fn a_station_that_closes_is_dialled_again_and_told_all_again() {
    let session = Monitored::new();
    let (listener, _stations) = stations(&session.monitor).await;
    for _ in 0..2 {
        let mut heard = Heard::of(&listener).await;
        assert_eq!(heard.kinds(2).await, [(INITIATION, 0), (PEER_UP, 0)]);
    }
}

/// It is told so much that no buffer of the system's holds it.
#[tokio::test]
async fn a_station_that_does_not_read_loses_its_connection_and_is_told_all_on_the_next() {
    let mut session = Monitored::new();
    let (listener, _stations) = stations(&session.monitor).await;
    let deaf = Heard::of(&listener).await;
    let next = async {
        loop {
            // Each time as many messages as prefixes are named, of some eighty octets each.
            session.announces(1, 100_000);
            if let Ok(next) = timeout(Duration::from_millis(20), listener.accept()).await {
                return Heard(next.unwrap().0);
            }
        }
    };
    let mut heard = timeout(PATIENCE, next).await.unwrap();
    drop(deaf);
    let tables = [(INITIATION, 0), (PEER_UP, 0), (ROUTES, PRE), (ROUTES, POST)];
    assert_eq!(heard.kinds(4).await, tables);
}
