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
        .has("href=\"/cockpit/routers/par4-r1\"")
        .has("not connected")
        .has(" documents")
        .has("behind");
    let one = operator.get("/cockpit/routers/par1-r1").await;
    one.has("port/p0").has(&format!("net/{net}")).has("behind").has(&connection.to_string());
    for nothing in ["/cockpit/routers/par9-r1", "/cockpit/routers/%3Cb%3E"] {
        assert_eq!(operator.get(nothing).await.status, StatusCode::NOT_FOUND, "{nothing}");
    }
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

#[tokio::test]
async fn the_inventory_is_filled_in_and_an_approval_and_a_letter_name_its_places() {
    let b = Bench::new().await;
    let operator = Browser::operator(&b).await;
    operator.get("/cockpit/inventory").await.has("It has no meet-me room yet").has("par4-r1/p0");
    let send = async |form: &str, fields: &[(&str, &str)]| {
        operator.post(&format!("/cockpit/inventory/{form}"), fields).await
    };
    for (form, fields, field, text) in [
        ("rooms", &[("room", "PAR1")][..], "room", "LOCATION/ROOM"),
        ("rooms", &[("room", "LON9/MMR-1")], "room", "exist"),
        ("panels", &[("panel", "PAR1/MMR-1/PP-07"), ("positions", "x")], "positions", "number"),
        ("panels", &[("panel", "PAR1/MMR-1/PP-07"), ("positions", "24")], "panel", "exist"),
        ("ports", &[("port", "p0")], "port", "ROUTER/PORT"),
        ("ports", &[("port", "par1-r1/p0"), ("position", "PAR1/MMR-1/PP-07/1")], "port", "exist"),
        ("ports", &[("port", "par1-r1/p0"), ("optics", "1000BASE-T")], "optics", "1000BASE-LX"),
    ] {
        let seen = send(form, fields).await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(seen.complaint(field).contains(text), "{fields:?}: {}", seen.html);
    }
    send("rooms", &[("room", "PAR1/MMR-1"), ("data_centre", "Magny <1>")]).await;
    send("panels", &[("panel", "PAR1/MMR-1/PP-07"), ("positions", "24")]).await;
    let wired = [("port", "par1-r1/p0"), ("position", "PAR1/MMR-1/PP-07/12")];
    let done = send("ports", &wired).await;
    let page = operator.get(done.location()).await;
    page.has("The inventory is changed").has("Magny &#60;1&#62;").has("23 bare");
    page.has("Its inventory is kept");
    let id = b.order().await.connection.id;
    operator.get(&format!("/cockpit/orders/{id}")).await.has(", at PAR1/MMR-1/PP-07/12.");
    operator.post(&format!("/cockpit/orders/{id}"), &[("port", "par1-r1/p0")]).await;
    operator.get("/cockpit/inventory").await.has(&format!("subject={id}"));
    let list = operator.get("/cockpit/cross-connects").await;
    list.has("PAR1/MMR-1/PP-07/12").has("awaited");
    let path = format!("/cockpit/cross-connects/{id}");
    let unnamed = operator.post(&format!("{path}/patch"), &[("by", "")]).await;
    unnamed.has("1 to 255 characters");
    let done = operator.post(&format!("{path}/patch"), &[("by", "Ann")]).await;
    operator.get(done.location()).await.has("The cross-connect is recorded").has("Ann");
    operator.post(&format!("{path}/unpatch"), &[("by", "Ann")]).await.has("lives");
}

#[tokio::test]
async fn a_letter_is_sent_again_and_renewed_by_a_button() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    let operator = Browser::operator(&b).await;
    operator.get("/cockpit/letters").await.has("No letter was issued yet");
    operator.post(&format!("/cockpit/orders/{id}"), &[("port", "par1-r1/p0")]).await;
    let page = operator.get("/cockpit/letters").await;
    page.has(&id.to_string()).has("valid").has("Send again").has("Renew");
    let path = format!("/cockpit/letters/{id}");
    b.wait(jiff::SignedDuration::from_secs(1));
    let done = operator.post(&path, &[("act", "send")]).await;
    operator.get(done.location()).await.has("goes out by mail once more");
    b.wait(jiff::SignedDuration::from_hours(90 * 24));
    operator.get("/cockpit/letters").await.has("run out").lacks("Send again");
    operator.post(&path, &[("act", "send")]).await.has("Renew it");
    let done = operator.post(&path, &[("act", "renew")]).await;
    operator.get(done.location()).await.has("The letter is renewed").has("valid");
}

#[tokio::test]
async fn the_operator_reads_what_a_customer_told_with_the_order() {
    let b = Bench::new().await;
    let customer = Browser::of(&b, b.alice).await;
    let mut fields = vec![
        ("name", "to the cloud"),
        ("location", "PAR1"),
        ("bandwidth", "1Gbps"),
        ("reach", "router"),
        ("provider", "Fibres & Co"),
        ("hosting", "yes"),
    ];
    let contrary = customer.post("/cockpit/connections", &fields).await;
    assert!(contrary.complaint("provider").contains("needs no provider"), "{}", contrary.html);
    contrary.has("value=\"router\" checked");
    fields[3].1 = "fibre";
    assert_eq!(customer.post("/cockpit/connections", &fields).await.status, StatusCode::SEE_OTHER);
    let told = "a network provider brings a fibre there; provider Fibres &#38; Co; wishes to host";
    Browser::operator(&b).await.get("/cockpit").await.has(told);
}

#[tokio::test]
async fn a_drain_is_planned_forced_seen_by_its_customer_and_ended() {
    let b = Bench::new().await;
    let Things { interface, .. } = things(&b).await;
    b.say(true, &[interface]).await;
    let operator = Browser::operator(&b).await;
    let path = "/cockpit/maintenance";
    operator.get(path).await.has("Nothing is drained, and nothing is planned.");
    for (target, from, field, text) in [
        ("", "", "target", "interface, connection, router or location"),
        ("router par9-r1", "", "target", "par9-r1"),
        ("router par1-r1", "tomorrow", "from", "tomorrow"),
        ("router par1-r1", "", "target", "the last way from vpc-"),
    ] {
        let wish = [("target", target), ("from", from), ("reason", "line card")];
        let seen = operator.post(path, &wish).await;
        assert!(seen.complaint(field).contains(text), "{target} {from}: {}", seen.html);
    }
    let wish = [("target", "router par1-r1"), ("reason", "line <card>"), ("force", "yes")];
    let done = operator.post(path, &wish).await;
    crate::reconcile::pass(&b.app).await.unwrap();
    let seen = operator.get(done.location()).await;
    seen.has("The maintenance is recorded").has("running").has("moving").has("line &#60;card&#62;");
    let alice = Browser::of(&b, b.alice).await;
    alice.get("/cockpit").await.has("router par1-r1").has("maintenance");
    alice.get(path).await.has("running").has(&interface.to_string());
    alice
        .get(&format!("/cockpit/interfaces/{interface}"))
        .await
        .has("traffic moves to your other ways");
    let bob = Browser::of(&b, b.bob).await;
    bob.get(path).await.has("No work is planned").lacks("line &#60;card");
    let id = b.app.maintenances().await.unwrap()[0].maintenance.id;
    let ended = operator.post(&format!("{path}/{id}/end"), &[]).await;
    operator.get(ended.location()).await.has("ended");
    let again = operator.post(&format!("{path}/{id}/end"), &[]).await;
    assert!(again.html.contains("what is ended is"), "{}", again.html);
}
