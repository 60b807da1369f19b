//! The end of offers that nobody took: hosted interfaces, hosted connections. They read as over
//! already; stamped, they are over whatever the clock does.

use crate::{
    app::{
        App,
        wires::{expire, lapse},
        write_tx,
    },
    store::{AnyConnection, Error, connections, hosted_connections, interfaces},
};
use jiff::Timestamp;
use tracing::info;

pub(super) async fn end_overdue(app: &App) -> Result<(), Error> {
    loop {
        let now = app.now();
        let mut db = app.parts().store.reader().await?;
        if interfaces::overdue(&mut db, now).await?.is_empty()
            && connections::overdue(&mut db, now).await?.is_empty()
        {
            return Ok(());
        }
        drop(db);
        write_tx!(app, false, Error, |tx| {
            for mut interface in interfaces::overdue(tx, now).await? {
                expire(tx, &mut interface, now).await?;
                info!(interface = %interface.id, "expired: its owner did not confirm it in time");
            }
            for mut hosted in connections::overdue(tx, now).await? {
                lapse(tx, &mut hosted, now).await?;
                info!(connection = %hosted.id, "rejected: its customer did not confirm it in time");
            }
            Ok(())
        })?;
    }
}

/// When the next one is over.
pub(super) async fn next_deadline(db: &mut AnyConnection) -> Result<Option<Timestamp>, Error> {
    let interfaces = interfaces::next_deadline(db).await?;
    let hosted = hosted_connections::next_deadline(db).await?;
    Ok(interfaces.into_iter().chain(hosted).min())
}
