//! What time alone makes worth telling: looked for now and then, put down once.

use crate::{
    app::{App, write_tx},
    store::{self, connections, interfaces, outbox},
};
use directlink_model::notice::{OFFER_ENDS_SOON, of_connection, of_offer};

/// A second look finds nothing: what is put down is known by its facts.
pub(crate) async fn put_down(app: &App) -> Result<(), store::Error> {
    let (now, down_after) = (app.now(), app.parts().rules.tell_down_after);
    let mut db = app.parts().store.snapshot().await?;
    let mut owed = Vec::new();
    for connection in connections::dark(&mut db).await? {
        owed.extend(of_connection(&connection.as_of(now), down_after, now));
    }
    for interface in interfaces::awaited_until(&mut db, now + OFFER_ENDS_SOON).await? {
        owed.extend(of_offer(&interface, now));
    }
    owed.extend(app.notices_of_maintenances(&mut db, now).await?);
    let mut news = Vec::new();
    for notice in owed {
        if !outbox::is_told(&mut db, notice).await? {
            news.push(notice);
        }
    }
    drop(db);
    if news.is_empty() {
        return Ok(());
    }
    write_tx!(app, false, store::Error, |tx| {
        for notice in &news {
            outbox::post(tx, *notice, now).await?;
        }
        Ok(())
    })
}
