//! One of two ways is lost, and packets go by the other: the short form of `make bench-failover`.

use crate::failover::{Loss, Ours, lose};
use anyhow::{Result, ensure};
use std::time::Duration;

/// Far more than it takes, for a machine that does much else.
const LIMIT: Duration = Duration::from_millis(500);

#[test]
fn a_way_that_is_lost_is_replaced_by_the_other() -> Result<()> {
    let ours = Ours::new()?;
    for loss in Loss::ALL {
        let took = lose(&ours, loss)?;
        eprintln!("{loss}: no packet for {took:?}");
        ensure!(took < LIMIT, "{loss}: no packet for {took:?}");
    }
    Ok(())
}
