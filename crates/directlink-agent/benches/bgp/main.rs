//! BGP sessions until everything that was announced forwards, against BIRD and FRR on the same feed.
//!
//! ```text
//!   customers (feed.rs), one task each ══ Established, silent ══► the router under test
//!      all tables at once ─► UPDATEs ─► Adj-RIB-In, policy, best path ─► rows in the kernel
//! ```
//! Ours is measured until every row is in the kernel's tables, as packets find them; BIRD and FRR, which cannot be
//! asked while they work, until they are quiet. CPU is the process's own clock over that time and until quiet.
//!
//! `make bench-bgp` as root; after `--`: `--directlink PATH`, `--rounds N`, `--vlans N` of the full port, and names of parts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod daemons;
mod feed;
mod full;
mod gauge;
mod place;
mod router;
#[path = "../../tests/agent/server.rs"]
#[allow(dead_code)]
mod server;

use daemons::Daemon;
use feed::Feed;
use gauge::{Gauge, Sample};
use router::Router;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

struct Asked {
    directlink: PathBuf,
    rounds: usize,
    vlans: u16,
    parts: Vec<String>,
}

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let directlink = "target/release/directlink".into();
    let mut asked = Asked { directlink, rounds: 3, vlans: full::VLANS, parts: vec![] };
    let mut is_bench = false;
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "--bench" => is_bench = true,
            "--directlink" => asked.directlink = arguments.next().unwrap().into(),
            "--rounds" => asked.rounds = arguments.next().unwrap().parse().unwrap(),
            "--vlans" => asked.vlans = arguments.next().unwrap().parse().unwrap(),
            part => asked.parts.push(part.to_owned()),
        }
    }
    // `cargo test --benches` and the like: nothing to do then.
    if !is_bench {
        return;
    }
    let wants = |part: &str| asked.parts.is_empty() || asked.parts.iter().any(|p| p == part);
    if wants("sessions") {
        compare(
            &asked,
            "1,000 sessions x 100 prefixes",
            (1000, 100),
            &[Daemon::Bird, Daemon::BirdForwarding, Daemon::Frr],
        );
    }
    if wants("prefixes") {
        compare(
            &asked,
            "1 session x 1,000,000 prefixes",
            (1, 1_000_000),
            &[Daemon::Bird, Daemon::BirdForwarding, Daemon::Frr],
        );
    }
    if wants("full") {
        runtime().block_on(full::full(&asked));
    }
}

fn compare(asked: &Asked, what: &str, (sessions, prefixes): (u16, u32), daemons: &[Daemon]) {
    println!("\n{what}");
    let mut rows: Vec<(&str, Vec<Sample>)> = vec![("DirectLink, into packet tables", vec![])];
    rows.extend(daemons.iter().map(|daemon| (daemon.name(), vec![])));
    for round in 0..asked.rounds {
        rows[0].1.push(ours(asked, sessions, prefixes));
        for (daemon, row) in daemons.iter().zip(&mut rows[1..]) {
            // It takes long, and is far from the others.
            if *daemon != Daemon::Frr || round == 0 {
                row.1.push(daemon.measure(sessions, prefixes));
            }
        }
    }
    let ours = medians(&rows[0].1);
    println!("{:32} {:>8} {:>8} {:>8}   to ours", "", "seconds", "CPU-s", "RSS MB");
    for (name, samples) in &rows {
        let it = medians(samples);
        println!(
            "{name:32} {:8.2} {:8.2} {:8.0}   {:5.2} {:5.2} {:5.2}",
            it[0],
            it[1],
            it[2],
            it[0] / ours[0],
            it[1] / ours[1],
            it[2] / ours[2]
        );
    }
}

fn medians(samples: &[Sample]) -> [f64; 3] {
    let median = |read: fn(&Sample) -> f64| {
        let mut all: Vec<_> = samples.iter().map(read).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    [median(|s| s.wall.as_secs_f64()), median(|s| s.cpu.as_secs_f64()), median(|s| s.rss_mb)]
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn ours(asked: &Asked, sessions: u16, prefixes: u32) -> Sample {
    runtime().block_on(async {
        let router = Router::start(&asked.directlink, sessions, prefixes.max(100)).await;
        let (sample, feed) = measure(&router, prefixes);
        feed.end();
        sample
    })
}

/// What it costs to take all tables. The sessions are still up then.
fn measure(router: &Router, prefixes: u32) -> (Sample, Feed) {
    let mut feed = Feed::establish(&router.place.netns("c"), router.customers(), prefixes);
    let (gauge, rows) = (Gauge(router.pid()), router.rows());
    gauge.until_quiet(Instant::now(), Duration::ZERO);
    let (began, used) = (Instant::now(), gauge.cpu());
    feed.go();
    let mut from = 0;
    while !rows.are_there(&mut from, SAMPLED, router.vlans, prefixes) {
        std::thread::sleep(Duration::from_millis(1));
        feed.check();
        assert!(began.elapsed() < Duration::from_secs(120), "rows are missing");
    }
    let wall = began.elapsed();
    let (_, cpu) = gauge.until_quiet(began, used);
    let rss_mb = gauge.rss_mb();
    feed.check();
    assert!(rows.are_there(&mut 0, 1, router.vlans, prefixes), "rows are missing between others");
    eprintln!("  ours: {wall:.2?} {cpu:.2?} {rss_mb:.0} MB");
    (Sample { wall, cpu, rss_mb }, feed)
}

/// Which rows are waited for: each is looked up by the bench, on the same processors.
const SAMPLED: u64 = 37;
