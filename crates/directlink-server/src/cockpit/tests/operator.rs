//! The operator's pages.

use super::*;

#[tokio::test]
async fn the_operator_signs_in_with_the_token_alone() {
    let b = Bench::new().await;
    let stranger = Browser { router: api::operator(b.app.clone()), cookie: String::new() };
    for (token, status) in [("token", 303), ("guess", 401), ("", 401)] {
        let seen = stranger.post_with("/cockpit/sign-in", "", &[("token", token)], &[]).await;
        assert_eq!(seen.status.as_u16(), status, "{token}");
        assert_eq!(seen.headers.contains_key(header::SET_COOKIE), status == 303);
    }
    for path in ["/cockpit", "/cockpit/routers", "/cockpit/accounts", "/cockpit/trail"] {
        assert_eq!(stranger.get(path).await.status, StatusCode::SEE_OTHER, "{path}");
    }
}

#[tokio::test]
async fn an_order_is_approved_with_a_port_that_fits_and_others_are_closed() {
    let b = Bench::new().await;
    let taken = b.lit().await;
    let id = b.order().await.connection.id;
    let operator = Browser::operator(&b).await;
    operator.get("/cockpit").await.has(&id.to_string()).has("2 free").has("2 of 3 × 1Gbps");
    let path = format!("/cockpit/orders/{id}");
    let form = operator.get(&path).await;
    form.has(&format!("Taken by {taken}."))
        .has("Has 10GBASE-LR")
        .has("value=\"par1-r1/p1\" checked");
    form.lacks("par4-r1");
    for (port, text) in [
        ("", "Choose a port."),
        ("nonsense", "Choose a port."),
        ("par1-r1/p0", "is already taken"),
        ("par1-r1/p3", "the order needs 1000BASE-LX"),
        ("par4-r1/p0", "it is at PAR4"),
        ("par1-r1/p9", "exist"),
    ] {
        let seen = operator.post(&path, &[("port", port)]).await;
        assert!(seen.complaint("port").contains(text), "{port}: {}", seen.html);
    }
    let approved = operator.post(&path, &[("port", "par1-r1/p1")]).await;
    operator.get(approved.location()).await.has("The order is approved").has("No order waits");
    assert_eq!(operator.get(&path).await.status, StatusCode::CONFLICT);
    Browser::of(&b, b.alice)
        .await
        .get(&format!("/cockpit/connections/{id}"))
        .await
        .has("par1-r1/p1")
        .has("Letter of Authorization (PDF)");
}

#[tokio::test]
async fn an_order_is_refused_with_a_reason_that_its_customer_reads() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    let operator = Browser::operator(&b).await;
    let path = format!("/cockpit/orders/{id}/refuse");
    let seen = operator.post(&path, &[("reason", " ")]).await;
    assert!(seen.complaint("reason").contains("1 to 500 characters"), "{}", seen.html);
    let done = operator.post(&path, &[("reason", "No <b>room</b> before June")]).await;
    operator.get(done.location()).await.has("The order is refused").has("No order waits");
    operator.get("/cockpit/mail").await.has("order refused").has(&id.to_string()).has("waits");
    Browser::of(&b, b.alice)
        .await
        .get(&format!("/cockpit/connections/{id}"))
        .await
        .has("rejected")
        .has("No &#60;b&#62;room&#60;/b&#62; before June")
        .lacks("Delete</a>");
}

#[tokio::test]
async fn routers_accounts_and_the_trail_tell_what_is_known() {
    let b = Bench::new().await;
    let Things { connection, interface, net, .. } = things(&b).await;
    b.say(true, &[interface]).await;
    let operator = Browser::operator(&b).await;
    let routers = operator.get("/cockpit/routers").await;
    routers
        .has("par4-r1")
        .has("not connected")
        .has("port/p0")
        .has(&format!("net/{net}"))
        .has("behind");
    let lines = operator.get("/cockpit/interfaces").await;
    lines.has(&interface.to_string()).has(&b.alice.to_string()).lacks(KEY);
    operator.get("/cockpit/connections?q=nothing").await.has("No connection fits");
    let account = format!("/cockpit/accounts/{}", b.alice);
    operator.get(&account).await.has("DirectLinks per account");
    let set =
        async |limit| operator.post(&account, &[("quota", "connections"), ("limit", limit)]).await;
    set("many").await.has("&#39;many&#39; is not a number");
    let done = set("1").await;
    operator.get(done.location()).await.has("The quota is set").has("1 full");
    let trail = operator.get("/cockpit/trail").await;
    trail.has("quota set").has("connections 1").has("order approved").has("the operator");
    let one = operator.get(&format!("/cockpit/trail?subject={connection}")).await;
    one.has("connection ordered").lacks("quota set");
    assert_eq!(operator.get("/cockpit/accounts/000000000000").await.status, StatusCode::NOT_FOUND);
}
