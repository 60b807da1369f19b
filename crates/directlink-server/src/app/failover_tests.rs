//! Failover tests: start, stop, look back. That one is over is the reconcile loop's to notice.

use super::{
    App, Context, Refusal,
    interfaces::{mark, record, visible},
    write_tx,
};
use crate::store::{Error, Tx, failover_tests, interfaces};
use directlink_model::{
    Fault,
    command::StartFailoverTest,
    failover::{FailoverTest, HISTORY_KEPT},
    ids::{FailoverTestId, InterfaceId},
};
use jiff::Timestamp;

impl App {
    /// Shuts sessions of an interface for a while. Its owner's alone to ask.
    pub async fn start_failover_test(
        &self,
        ctx: &Context,
        c: StartFailoverTest,
    ) -> Result<FailoverTest, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let (mut interface, connection) = visible(tx, ctx, c.interface).await?;
            if interface.owner != ctx.caller.account {
                return Err(Fault::NoSuchInterface(c.interface).into());
            }
            let id = FailoverTestId::from_bits(self.draw());
            // One that is over, and that the loop has not seen yet, is over now.
            end_test(tx, c.interface, ctx.now).await?;
            let test = FailoverTest::start(id, &mut interface, &c.peers, c.minutes, ctx.now)?;
            failover_tests::forget(tx, ctx.now - HISTORY_KEPT).await?;
            failover_tests::insert(tx, &test).await?;
            interfaces::update(tx, &interface).await?;
            mark(tx, &connection).await?;
            record(tx, ctx, c.interface, "failover test started").await?;
            Ok(test)
        })
    }

    /// Lets them in again before their time.
    pub async fn stop_failover_test(
        &self,
        ctx: &Context,
        id: InterfaceId,
    ) -> Result<FailoverTest, Refusal> {
        write_tx!(self, ctx.dry_run, |tx| {
            let (mut interface, connection) = visible(tx, ctx, id).await?;
            if interface.owner != ctx.caller.account {
                return Err(Fault::NoSuchInterface(id).into());
            }
            let ended = end_test(tx, id, ctx.now).await?;
            let test = ended.filter(|test| test.ended.is_some_and(|ended| ended.early));
            let test = test.ok_or(Fault::NoTestRunning(id))?;
            interface.end_test();
            interfaces::update(tx, &interface).await?;
            mark(tx, &connection).await?;
            record(tx, ctx, id, "failover test stopped").await?;
            Ok(test)
        })
    }

    /// Those of the last year on the caller's interfaces, in order of their beginning.
    pub async fn failover_tests(&self, ctx: &Context) -> Result<Vec<FailoverTest>, Refusal> {
        let mut db = self.store().reader().await?;
        let since = ctx.now - HISTORY_KEPT;
        Ok(failover_tests::of_owner(&mut db, ctx.caller.account, since).await?)
    }
}

/// Stamps the end of the interface's test, if one has none yet.
pub(super) async fn end_test(
    tx: &mut Tx,
    interface: InterfaceId,
    now: Timestamp,
) -> Result<Option<FailoverTest>, Error> {
    let Some(mut test) = failover_tests::running(tx, interface).await? else { return Ok(None) };
    test.end(now);
    failover_tests::end(tx, &test).await?;
    Ok(Some(test))
}
