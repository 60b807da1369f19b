//! The customers' side of many sessions in one task each: OPEN, then nothing but keepalives until
//! all tables go out at once.
//!
//! Written by hand and not with `directlink-bgp`: whoever is measured must not agree with the feed
//! because both are wrong alike, and the same bytes go to all.

use super::place;
use std::{
    io,
    net::Ipv4Addr,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::{Semaphore, mpsc, watch},
};

pub(crate) const CUSTOMER_ASN: u16 = 65001;
pub(crate) const ROUTER_ASN: u16 = 50624;

/// Of the n-th session, the router's end.
pub(crate) fn router(n: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(0xac10_0001 + 4 * u32::from(n))
}

/// And the customer's.
pub(crate) fn own(n: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(0xac10_0002 + 4 * u32::from(n))
}

/// One customer's router.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    /// Where each has its own.
    pub(crate) link: Option<String>,
    pub(crate) own: Ipv4Addr,
    pub(crate) router: Ipv4Addr,
}

/// A feed whose sessions are all up, and wait.
pub(crate) struct Feed {
    go: watch::Sender<bool>,
    ended: mpsc::Receiver<String>,
    /// The runtime ends when this is dropped.
    _stop: tokio::sync::oneshot::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// Returns when all of them are Established.
    pub(crate) fn establish(netns: &str, customers: Vec<Customer>, prefixes: u32) -> Self {
        let netns = netns.to_owned();
        let (go, started) = watch::channel(false);
        let (up, ups) = std::sync::mpsc::channel();
        let (end, ended) = mpsc::channel(1);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let count = customers.len();
        let thread = thread::spawn(move || {
            place::enter(&netns);
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            // BIRD has a listen backlog of 8: more at once would measure SYN retransmission.
            let dialling = Arc::new(Semaphore::new(4));
            for customer in customers {
                let table = table(customer.own, prefixes);
                let (dialling, started) = (dialling.clone(), started.clone());
                let (up, end) = (up.clone(), end.clone());
                runtime.spawn(async move {
                    let session = speak(customer, &table, &dialling, started, up).await;
                    let _ = end.try_send(format!("{session:?}"));
                });
            }
            let _ = runtime.block_on(stopped);
        });
        let deadline = Instant::now() + Duration::from_secs(120);
        for n in 0..count {
            let left = deadline.saturating_duration_since(Instant::now());
            if ups.recv_timeout(left).is_err() {
                panic!("{n} of {count} sessions came up");
            }
        }
        Self { go, ended, _stop: stop, thread: Some(thread) }
    }

    /// All tables go out now.
    pub(crate) fn go(&self) {
        self.go.send_replace(true);
    }

    /// # Panics
    /// A session has ended.
    pub(crate) fn check(&mut self) {
        if let Ok(why) = self.ended.try_recv() {
            panic!("a session ended: {why}");
        }
    }

    pub(crate) fn end(self) {
        let Self { _stop: stop, thread, .. } = self;
        drop(stop);
        thread.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

async fn speak(
    customer: Customer,
    table: &[u8],
    dialling: &Semaphore,
    mut started: watch::Receiver<bool>,
    up: std::sync::mpsc::Sender<()>,
) -> io::Result<()> {
    let mut stream = establish(&customer, dialling).await;
    up.send(()).unwrap();
    let mut buffer = [0; 4096];
    let mut has_sent = false;
    // Of its own, whatever comes meanwhile: hold time is 90 s.
    let mut keepalive = tokio::time::interval(Duration::from_secs(25));
    loop {
        tokio::select! {
            _ = started.changed(), if !has_sent => {
                has_sent = true;
                stream.write_all(table).await?;
                stream.write_all(&message(UPDATE, &[0, 0, 0, 0])).await?;
            }
            length = stream.read(&mut buffer) => {
                match length? {
                    // FRR does that sometimes, soon after it has taken its configuration.
                    0 if !has_sent => stream = establish(&customer, dialling).await,
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    _ => {}
                }
            }
            _ = keepalive.tick() => {
                stream.write_all(&message(KEEPALIVE, &[])).await?;
            }
        }
    }
}

async fn establish(customer: &Customer, dialling: &Semaphore) -> TcpStream {
    let _turn = dialling.acquire().await.unwrap();
    loop {
        match connect(customer).await {
            Ok(stream) => return stream,
            // It does not listen yet, or has no session for us yet.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connect(customer: &Customer) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(link) = &customer.link {
        socket.bind_device(Some(link.as_bytes()))?;
    }
    socket.set_reuseaddr(true)?;
    socket.bind((customer.own, 0).into())?;
    let mut stream = socket.connect((customer.router, 179).into()).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&open(customer.own)).await?;
    stream.write_all(&message(KEEPALIVE, &[])).await?;
    // OPEN, and the KEEPALIVE that takes ours.
    for expected in [OPEN, KEEPALIVE] {
        let mut header = [0; 19];
        stream.read_exact(&mut header).await?;
        let mut body = vec![0; usize::from(u16::from_be_bytes([header[16], header[17]])) - 19];
        stream.read_exact(&mut body).await?;
        if header[18] != expected {
            return Err(io::Error::other(format!("message {} {body:?}", header[18])));
        }
    }
    Ok(stream)
}

const OPEN: u8 = 1;
const UPDATE: u8 = 2;
const KEEPALIVE: u8 = 4;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).unwrap();
    [&[0xff; 16][..], &length.to_be_bytes(), &[kind], body].concat()
}

/// IPv4 unicast, AS numbers of four octets, graceful restart as a helper (so that End-of-RIB counts).
fn open(own: Ipv4Addr) -> Vec<u8> {
    let asn = CUSTOMER_ASN.to_be_bytes();
    let capabilities = [1, 4, 0, 1, 0, 1, 65, 4, 0, 0, asn[0], asn[1], 64, 2, 0, 0];
    let mut body = vec![4, asn[0], asn[1], 0, 90];
    body.extend(own.octets());
    let length = capabilities.len() as u8;
    body.extend([length + 2, 2, length]);
    body.extend(capabilities);
    message(OPEN, &body)
}

/// Prefixes of an UPDATE, which share a set of attributes that no other has.
pub(crate) const SHARED: u32 = 5;

/// The n-th prefix of every table: a /24 from 16.0.0.0 on.
pub(crate) const fn prefix(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x1000_0000 + (n << 8))
}

/// So many /24, five to an UPDATE.
fn table(next_hop: Ipv4Addr, prefixes: u32) -> Vec<u8> {
    let mut table = Vec::new();
    let asn = u32::from(CUSTOMER_ASN).to_be_bytes();
    for first in (0..prefixes).step_by(SHARED as usize) {
        let set = first / SHARED;
        let mut attributes = vec![0x40, 1, 1, 0, 0x40, 2, 14, 2, 3];
        attributes.extend(asn);
        attributes.extend((64_600 + set % 100).to_be_bytes());
        attributes.extend((64_800 + set % 7).to_be_bytes());
        attributes.extend([0x40, 3, 4]);
        attributes.extend(next_hop.octets());
        attributes.extend([0x80, 4, 4]);
        attributes.extend(set.to_be_bytes());
        let mut body = vec![0, 0];
        body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
        body.extend(attributes);
        for n in first..prefixes.min(first + SHARED) {
            body.push(24);
            body.extend(&prefix(n).octets()[..3]);
        }
        table.extend(message(UPDATE, &body));
    }
    table
}
