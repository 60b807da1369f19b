//! The end of failover tests whose time is over: stamped once, and the session let in again.

use crate::{
    app::{App, write_tx},
    store::{Error, connections, failover_tests, interfaces, journal, plans},
};
use tracing::info;

pub(super) async fn end_overdue(app: &App) -> Result<(), Error> {
    loop {
        let now = app.now();
        let mut db = app.parts().store.reader().await?;
        if failover_tests::overdue(&mut db, now).await?.is_empty() {
            return Ok(());
        }
        drop(db);
        write_tx!(app, false, Error, |tx| {
            for mut test in failover_tests::overdue(tx, now).await? {
                test.end(now);
                failover_tests::end(tx, &test).await?;
                let Some(mut interface) = interfaces::by_id(tx, test.interface).await? else {
                    continue;
                };
                if interface.end_test() {
                    interfaces::update(tx, &interface).await?;
                    let connection = connections::by_id(tx, interface.connection).await?;
                    if let Some(approval) = connection.and_then(|c| c.approval) {
                        plans::mark_port(tx, &approval.port).await?;
                    }
                }
                let who = (&journal::Actor::Time, now);
                journal::record(tx, who, test.interface, "failover test completed", test.id)
                    .await?;
                info!(interface = %test.interface, test = %test.id, "failover test completed");
            }
            Ok(())
        })?;
    }
}
