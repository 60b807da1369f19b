//! Seeds of the simulation: each a run of its own, and the same run again.
#![allow(clippy::unwrap_used)]

use directlink_sim::{Failure, Run, Template, run};
use std::{
    env,
    future::Future,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

/// `DIRECTLINK_SEED=n` runs this one, `DIRECTLINK_SEEDS=n` those below it, from `DIRECTLINK_FIRST_SEED=n` on: where a
/// run of many has found something.
const SEEDS: u64 = 200;
const THREADS: usize = 2;
/// A whole Region is one future here, whose frames are large where nothing is optimised.
const STACK: usize = 32 << 20;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

/// On a thread of its own: a run is one thread's.
fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

/// Until one fails: more failures say nothing new. Seeds before the first that fails have all been run.
fn run_all(seeds: &[u64]) -> (Vec<Run>, Vec<Failure>) {
    let (next, has_failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let worker = || {
        block(async {
            let template = Template::new().await.unwrap();
            let (mut runs, mut failures) = (vec![], vec![]);
            while let Some(&seed) =
                usize::try_from(next.fetch_add(1, Ordering::SeqCst)).ok().and_then(|n| seeds.get(n))
            {
                match run(&template, seed).await {
                    Ok(run) => runs.push(run),
                    Err(failure) => {
                        failures.push(failure);
                        has_failed.store(true, Ordering::SeqCst);
                    }
                }
                if has_failed.load(Ordering::SeqCst) {
                    break;
                }
            }
            (runs, failures)
        })
    };
    let both = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker);
        let workers: Vec<_> = (0..THREADS).map(spawn).collect::<Result<_, _>>().unwrap();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    let (runs, failures): (Vec<_>, Vec<_>) = both.into_iter().unzip();
    let mut failures: Vec<_> = failures.into_iter().flatten().collect();
    failures.sort_by_key(|failure: &Failure| failure.seed);
    (runs.concat(), failures)
}

#[test]
fn whatever_fails_all_comes_right_and_nothing_acknowledged_is_lost() {
    let seeds: Vec<u64> = match number("DIRECTLINK_SEED") {
        Some(seed) => vec![seed],
        None => {
            let first = number("DIRECTLINK_FIRST_SEED").unwrap_or(0);
            (first..number("DIRECTLINK_SEEDS").unwrap_or(SEEDS)).collect()
        }
    };
    assert!(
        !seeds.is_empty(),
        "no seed is below DIRECTLINK_SEEDS and from DIRECTLINK_FIRST_SEED on"
    );
    let (runs, failures) = run_all(&seeds);
    let sum = |of: fn(&Run) -> u64| runs.iter().map(of).sum::<u64>();
    println!(
        "{} seeds, settled after {} s on average: {} events, {} operations ({} acknowledged), {} strokes, {} interfaces forwarded",
        runs.len(),
        sum(|run| run.settled_at.as_secs()) / (runs.len() as u64).max(1),
        sum(|run| run.events),
        sum(|run| run.operations as u64),
        sum(|run| run.acknowledged as u64),
        sum(|run| run.strokes),
        sum(|run| run.forwarded as u64),
    );
    if let Some(first) = failures.first() {
        let all: Vec<_> =
            failures.iter().map(|it| format!("seed {}: {}", it.seed, it.what)).collect();
        panic!(
            "{first:?}\n\n{} of {} seeds fail (or more):\n{}\n\nreplay one: DIRECTLINK_SEED={} cargo nextest run -E 'binary(seeds)'",
            all.len(),
            seeds.len(),
            all.join("\n"),
            first.seed
        );
    }
    if seeds.len() >= 50 {
        // Otherwise nothing much was tried.
        assert!(
            runs.iter().any(|run| run.strokes > 0)
                && sum(|run| run.forwarded as u64) > seeds.len() as u64 / 2
        );
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [1, 2, 3] {
        let [one, other] = [(); 2].map(|()| run_all(&[seed]));
        assert_eq!(one.0, other.0, "seed {seed}");
    }
}
