//! How long packets are lost when a way is, ours beside BIRD's, as distributions: `make
//! bench-failover`. Rounds of both take turns, so that a busy moment of the machine is a busy one
//! for both.
//!
//! `DIRECTLINK_ROUNDS` says how many rounds of each.

mod birds;

#[path = "../../tests/region/bird.rs"]
mod bird;
#[path = "../../tests/region/failover.rs"]
mod failover;
#[path = "../../tests/region/fixture.rs"]
#[allow(dead_code)] // the tests' own, of which this needs a part
mod fixture;
#[path = "../../tests/region/legs.rs"]
mod legs;
#[path = "../../tests/region/stream.rs"]
#[allow(dead_code)] // as above
mod stream;

use anyhow::{Context as _, Result};
use birds::Birds;
use failover::{Loss, Ours, Ways, lose};
use fixture::Region;
use std::{env, time::Duration};

const ROUNDS: usize = 50;

fn main() -> Result<()> {
    let rounds = match env::var("DIRECTLINK_ROUNDS") {
        Ok(rounds) => rounds.parse().context("DIRECTLINK_ROUNDS")?,
        Err(_) => ROUNDS,
    };
    let beside = Region::up()?;
    let (ours, birds) = (Ours::new()?, Birds::new(&beside)?);
    // Longest time without a packet from host to customer.
    println!("{:28}  {:10} rounds   min   median   p95   max  (ms without a packet)", "", "");
    for loss in Loss::ALL {
        let (mut our_times, mut their_times) = (vec![], vec![]);
        for round in 0..rounds {
            our_times.push(one(&ours, loss, "DirectLink", round)?);
            their_times.push(one(&birds, loss, "BIRD", round)?);
        }
        print(loss, "DirectLink", our_times);
        print(loss, "BIRD", their_times);
    }
    Ok(())
}

fn one(ways: &impl Ways, loss: Loss, who: &str, round: usize) -> Result<Duration> {
    let took = lose(ways, loss).with_context(|| format!("{who}, {loss}, round {round}"))?;
    eprintln!("{who}, {loss}, round {round}: {took:?}");
    Ok(took)
}

fn print(loss: Loss, who: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |hundredth: usize| {
        let index = (times.len() * hundredth).div_ceil(100).saturating_sub(1);
        times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    };
    let [min, median, p95, max] = [0, 50, 95, 100].map(at);
    println!("{loss:28}  {who:10} {:6} {min:5.1} {median:8.1} {p95:5.1} {max:5.1}", times.len());
}
