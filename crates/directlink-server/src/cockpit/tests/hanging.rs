//! A database that says nothing any more.

use super::*;
use crate::{
    app::tests::app_on,
    store::{
        Store,
        way::{Fault, Way},
    },
};
use futures::future::join_all;
use std::time::Duration;
use tokio::time::timeout;

const TOKEN: (&str, &str) = ("authorization", "Bearer token");

#[tokio::test]
async fn pages_forms_and_the_operators_reads_end_although_the_database_hangs() {
    let dir = tempfile::tempdir().unwrap();
    let (address, way) = Way::to(dir.path(), "").await;
    let store = Store::open(&address).await.unwrap();
    let b = Bench::of(app_on(store), dir).await;
    let (customer, operator) = (Browser::of(&b, b.alice).await, Browser::operator(&b).await);
    let gets = [
        (&customer, "/cockpit"),
        (&customer, "/cockpit/connections/new"),
        (&customer, "/cockpit/connections/live"),
        (&operator, "/cockpit"),
        (&operator, "/cockpit/routers"),
        (&operator, "/operator/v1/routers"),
    ];
    let ask = async |(browser, path): (&Browser, &str)| match path.ends_with("/live") {
        // One that goes well does not end.
        true => StatusCode::OK,
        false => browser.ask(Method::GET, path, &[TOKEN], String::new()).await.status,
    };
    for get in gets {
        assert_eq!(ask(get).await, StatusCode::OK, "{}", get.1);
    }
    let token = customer.token().await;
    way.set(Fault::Hang);
    let form = customer.post_with("/cockpit/connections", &token, &[], &[]);
    let gets = join_all(gets.map(async |(browser, path)| {
        (path, browser.ask(Method::GET, path, &[TOKEN], String::new()).await.status)
    }));
    // A read has ten seconds.
    let (seen, form) = timeout(Duration::from_secs(15), futures::future::join(gets, form))
        .await
        .expect("an end of all");
    for (path, status) in seen {
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
    }
    assert_eq!(form.status, StatusCode::INTERNAL_SERVER_ERROR);
}
