//! Orders, ports and the ends of connections.

use super::*;

#[tokio::test]
async fn a_connection_goes_from_its_order_to_its_end_and_its_port_is_free_when_dark() {
    let b = Bench::new().await;
    let c = b.order().await;
    assert_eq!(c.state, ConnectionState::Requested);
    let id = c.connection.id;
    let approved = b.app.approve_order(ApproveOrder { connection: id, port: None }).await.unwrap();
    assert_eq!(approved.state, ConnectionState::Pending);
    assert_eq!(approved.connection.approval.unwrap().port, port("par1-r1/p0"));
    let mut seen = vec![];
    for light in [false, true, false, true] {
        b.say(light, &[]).await;
        seen.push(b.connection(id).await.state.as_str());
    }
    assert_eq!(seen, ["pending", "available", "down", "available"]);
    b.app.delete_connection(&b.alice(), id).await.unwrap();
    assert_eq!(b.connection(id).await.state, ConnectionState::Deleting);
    // An old report: the router has not yet applied the plan without it.
    b.report(true, BTreeMap::new()).await;
    assert_eq!(b.connection(id).await.state, ConnectionState::Deleting);
    b.say(true, &[]).await;
    assert_eq!(b.connection(id).await.state, ConnectionState::Deleted);
    let next = b.order().await.connection.id;
    let on_p0 = ApproveOrder { connection: next, port: Some(port("par1-r1/p0")) };
    assert_eq!(fault(b.app.approve_order(on_p0.clone()).await), "PortTaken", "still lit");
    b.say(false, &[]).await;
    assert_eq!(fault(b.app.approve_order(on_p0).await), "ok");
    b.wait(SignedDuration::from_mins(59));
    assert_eq!(b.connection(id).await.state, ConnectionState::Deleted, "still listed");
    b.wait(SignedDuration::from_mins(1));
    let left = b.app.connections(&b.alice(), None).await.unwrap();
    assert_eq!(left.iter().map(|v| v.connection.id).collect::<Vec<_>>(), [next]);
}

#[tokio::test]
async fn a_region_without_a_location_has_no_capacity_and_one_with_some_has_not_that_one() {
    let dir = tempfile::tempdir().unwrap();
    let empty = app_in(&dir).await;
    let account = empty.add_account(AddAccount::default()).await.unwrap().account.id;
    let b = Bench::new().await;
    for (app, account, location, expected) in [
        (&empty, account, "PAR1", "NoCapacity"),
        (&empty, account, "no such site", "NoSuchLocation"),
        (&b.app, b.alice, "LON9", "NoSuchLocation"),
    ] {
        let order = OrderConnection {
            name: "fibre".into(),
            location: location.into(),
            bandwidth: Bandwidth::OneGbps,
            lag: None,
            tags: TagSet::default(),
            needs: Needs::default(),
        };
        let context = app.context(Caller { account }, false);
        assert_eq!(fault(app.order_connection(&context, order).await), expected, "{location}");
    }
}

#[tokio::test]
async fn an_order_that_nobody_approved_is_deleted_at_once() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    let deleted = b.app.delete_connection(&b.alice(), id).await.unwrap();
    assert_eq!(deleted.state, ConnectionState::Deleted);
    assert_eq!(fault(b.app.delete_connection(&b.alice(), id).await), "NoSuchConnection");
}

#[tokio::test]
async fn whoever_holds_a_letter_can_ask_what_it_is_worth_and_nobody_guesses() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    let on_p0 = ApproveOrder { connection: id, port: Some(port("par1-r1/p0")) };
    b.app.approve_order(on_p0).await.unwrap();
    let letter = b.app.letter(&b.alice(), id, None).await.unwrap();
    let address = letter.verify_at.unwrap();
    let token = address.strip_prefix("https://directlink.example/loa/verify/").unwrap();
    let standing = async || {
        let seen = b.app.verify_letter(token).await.unwrap().unwrap();
        assert_eq!(seen.connection.id, id);
        let text = format!("{:?}", seen.standing);
        text.split(' ').next().unwrap().to_owned()
    };
    assert_eq!(standing().await, "Valid");
    for guess in ["", "x", &token[1..], &"0".repeat(40), &token.replace(|_| true, "%")] {
        assert!(b.app.verify_letter(guess).await.unwrap().is_none(), "{guess}");
    }
    assert!(b.app.overdue_orders().await.unwrap().is_empty());
    b.wait(SignedDuration::from_hours(90 * 24));
    assert_eq!(standing().await, "Lapsed");
    assert_eq!(b.app.overdue_orders().await.unwrap()[0].connection.id, id);
    b.say(true, &[]).await;
    assert_eq!(standing().await, "InUse");
    assert!(b.app.overdue_orders().await.unwrap().is_empty());
    b.app.delete_connection(&b.alice(), id).await.unwrap();
    assert_eq!(standing().await, "Withdrawn");
}

#[tokio::test]
async fn letters_from_before_there_were_codes_get_one() {
    let b = Bench::new().await;
    let id = b.lit().await;
    let address = async || b.app.letter(&b.alice(), id, None).await.unwrap().verify_at;
    let first = address().await;
    b.app.complete_letters().await.unwrap();
    assert_eq!(address().await, first, "one that has it keeps it");
    let app = &b.app;
    write_tx!(app, false, |tx| { Ok(store::connections::set_letter_token(tx, id, None).await?) })
        .unwrap();
    assert_eq!(address().await, None);
    b.app.complete_letters().await.unwrap();
    assert!(address().await.is_some_and(|new| Some(new) != first));
}

#[tokio::test]
async fn a_refused_order_is_rejected_says_why_for_a_month_and_holds_nothing() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    let refuse = |reason: &str| RefuseOrder { connection: id, reason: reason.into() };
    for bad in ["", "  ", "two\nlines", &"x".repeat(501)] {
        assert_eq!(fault(b.app.refuse_order(refuse(bad)).await), "BadValue", "{bad:?}");
    }
    let refused = b.app.refuse_order(refuse("No room before June.")).await.unwrap();
    assert_eq!(refused.state, ConnectionState::Rejected);
    assert_eq!(fault(b.app.refuse_order(refuse("again")).await), "ConnectionNotRequested");
    let approve = ApproveOrder { connection: id, port: None };
    assert_eq!(fault(b.app.approve_order(approve).await), "ConnectionNotRequested");
    assert_eq!(fault(b.app.delete_connection(&b.alice(), id).await), "NoSuchConnection");
    let history = b.app.connection_history(&b.alice(), id).await.unwrap();
    assert!(history.iter().any(|event| event.why == "No room before June."));
    for _ in 0..10 {
        b.order().await;
    }
    b.wait(SignedDuration::from_hours(29 * 24));
    // From memory, and from the tables.
    b.app.own_lines(&b.alice()).await.unwrap();
    let said = b.connection(id).await.connection.refused.map(|refused| refused.reason);
    assert_eq!(said.as_deref(), Some("No room before June."));
    b.wait(SignedDuration::from_hours(24));
    assert!(b.app.connections(&b.alice(), Some(&[id])).await.unwrap().is_empty());
}

#[tokio::test]
async fn nobody_is_given_a_port_with_a_fibre_that_was_not_plugged_for_them() {
    let b = Bench::new().await;
    let free = async || b.app.capacity().await.unwrap()[0].stock(Bandwidth::OneGbps).free;
    let approve = |connection, at: Option<&str>| ApproveOrder { connection, port: at.map(port) };
    let first = b.order().await.connection.id;
    assert_eq!(b.take(first, "par1-r1/p0").await, "ok");
    b.app.delete_connection(&b.alice(), first).await.unwrap();
    b.say(false, &[]).await;
    assert_eq!(b.connection(first).await.state, ConnectionState::Deleted);
    let all = free().await;
    // Its letter was read before.
    b.say(true, &[]).await;
    assert_eq!(free().await, all - 1);
    let next = b.order().await.connection.id;
    assert_eq!(b.take(next, "par1-r1/p0").await, "PortDoesNotFit");
    let chosen = b.app.approve_order(approve(next, None)).await.unwrap().connection;
    assert_eq!(chosen.approval.unwrap().port, port("par1-r1/p1"));
    b.say(false, &[]).await;
    assert_eq!(free().await, all - 1, "p1 is taken, and p0 is free");
    // Light that has just gone may come back: other ports come first.
    let mut taken = vec![];
    for _ in 0..2 {
        let id = b.order().await.connection.id;
        let chosen = b.app.approve_order(approve(id, None)).await.unwrap().connection;
        taken.push(chosen.approval.unwrap().port.to_string());
    }
    assert_eq!(taken, ["par1-r1/p2", "par1-r1/p0"]);
}

#[tokio::test]
async fn light_that_the_operator_says_is_meant_is_whose_order_gets_the_port_by_name() {
    let b = Bench::new().await;
    b.say(true, &[]).await;
    let id = b.order().await.connection.id;
    assert_eq!(b.take(id, "par1-r1/p0").await, "PortDoesNotFit");
    b.app.release_port(port("par1-r1/p0")).await.unwrap();
    assert_eq!(b.take(id, "par1-r1/p0").await, "ok");
    reconcile::pass(&b.app).await.unwrap();
    assert_eq!(b.connection(id).await.state, ConnectionState::Available);
    // What was meant then is not what is there when it is gone.
    b.app.delete_connection(&b.alice(), id).await.unwrap();
    b.say(true, &[]).await;
    b.say(false, &[]).await;
    b.say(true, &[]).await;
    let next = b.order().await.connection.id;
    assert_eq!(b.take(next, "par1-r1/p0").await, "PortDoesNotFit");
}

#[tokio::test]
async fn the_operator_can_release_the_port_of_a_router_that_never_speaks_again() {
    let b = Bench::new().await;
    let id = b.lit().await;
    assert_eq!(fault(b.app.release_port(port("par1-r1/p0")).await), "PortTaken");
    b.app.delete_connection(&b.alice(), id).await.unwrap();
    b.app.release_port(port("par1-r1/p0")).await.unwrap();
    assert_eq!(b.connection(id).await.state, ConnectionState::Deleted);
    let next = b.order().await.connection.id;
    let on_p0 = ApproveOrder { connection: next, port: Some(port("par1-r1/p0")) };
    assert_eq!(fault(b.app.approve_order(on_p0).await), "ok");
}

#[tokio::test]
async fn an_order_gets_only_a_port_that_fits() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    for (at, expected) in [
        ("par1-r1/p7", "NoSuchPort"),
        ("par4-r1/p0", "PortDoesNotFit"),
        ("par1-r1/p3", "PortDoesNotFit"),
        ("par1-r1/p1", "ok"),
        ("par1-r1/p2", "ConnectionNotRequested"),
    ] {
        let approve = ApproveOrder { connection: id, port: Some(port(at)) };
        assert_eq!(fault(b.app.approve_order(approve).await), expected, "{at}");
    }
    for expected in ["ok", "ok", "NoCapacity"] {
        let next = b.order().await.connection.id;
        let approve = ApproveOrder { connection: next, port: None };
        assert_eq!(fault(b.app.approve_order(approve).await), expected);
    }
}

#[tokio::test]
async fn quotas_count_what_lives() {
    let b = Bench::new().await;
    let mut ids = vec![];
    for _ in 0..10 {
        ids.push(b.order().await.connection.id);
    }
    let order = OrderConnection {
        name: "x".into(),
        location: "PAR1".into(),
        bandwidth: Bandwidth::OneGbps,
        lag: None,
        tags: TagSet::default(),
        needs: Needs::default(),
    };
    assert_eq!(fault(b.app.order_connection(&b.alice(), order.clone()).await), "TooMany");
    b.app.delete_connection(&b.alice(), ids[0]).await.unwrap();
    assert_eq!(fault(b.app.order_connection(&b.alice(), order).await), "ok");
    for expected in ["ok", "ok", "ok", "ok", "ok", "TooMany"] {
        assert_eq!(fault(b.app.create_gateway(&b.alice()).await), expected);
    }
}
