//! What is another account's is not there.

use super::*;

#[tokio::test]
async fn another_accounts_objects_are_not_there_whatever_is_asked_of_them() {
    let b = Bench::new().await;
    let Things { connection, interface, .. } = things(&b).await;
    let bob = Browser::of(&b, b.bob).await;
    let peer = directlink_model::bgp_peer::first_peer(interface);
    let before = b.app.audit_trail(None, jiff::Timestamp::MAX).await.unwrap().len();
    for path in [
        format!("/cockpit/connections/{connection}"),
        format!("/cockpit/connections/{connection}/edit"),
        format!("/cockpit/connections/{connection}/delete"),
        format!("/cockpit/connections/{connection}/loa.pdf"),
        format!("/cockpit/connections/{connection}/figures"),
        format!("/cockpit/connections/{connection}/diagnosis"),
        format!("/cockpit/interfaces/{interface}/figures?over=24h"),
        format!("/cockpit/interfaces/{interface}"),
        format!("/cockpit/interfaces/{interface}/edit"),
        format!("/cockpit/interfaces/{interface}/delete"),
        format!("/cockpit/interfaces/{interface}/accept"),
        format!("/cockpit/interfaces/{interface}/router"),
        format!("/cockpit/interfaces/{interface}/glass"),
        format!("/cockpit/interfaces/{interface}/diagnosis"),
        format!("/cockpit/interfaces/{interface}/peers/new"),
        format!("/cockpit/interfaces/{interface}/peers/{peer}/delete"),
    ] {
        let seen = bob.get(&path).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{path}");
        seen.lacks("to the cloud").lacks(KEY);
    }
    let fields = [("name", "mine"), ("mtu", "1400"), ("gateway", "vgw-00000001"), ("do", "reveal")];
    for path in [
        format!("/cockpit/connections/{connection}/edit"),
        format!("/cockpit/connections/{connection}/delete"),
        format!("/cockpit/connections/{connection}/accept"),
        format!("/cockpit/interfaces/{interface}/edit"),
        format!("/cockpit/interfaces/{interface}/delete"),
        format!("/cockpit/interfaces/{interface}/accept"),
        format!("/cockpit/interfaces/{interface}/router"),
        format!("/cockpit/interfaces/{interface}/key"),
        format!("/cockpit/interfaces/{interface}/glass"),
        format!("/cockpit/interfaces/{interface}/peers"),
        format!("/cockpit/interfaces/{interface}/peers/{peer}/delete"),
    ] {
        let seen = bob.post(&path, &fields).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{path}");
        seen.lacks(KEY);
    }
    for path in
        ["/cockpit", "/cockpit/connections", "/cockpit/interfaces", "/cockpit/interfaces/new"]
    {
        let seen = bob.get(path).await;
        seen.lacks(&connection.to_string()).lacks(&interface.to_string());
    }
    let after = b.app.audit_trail(None, jiff::Timestamp::MAX).await.unwrap().len();
    assert_eq!(before, after, "and nothing happened");
}

#[tokio::test]
async fn a_hosted_interface_shows_to_both_and_its_connection_and_key_to_their_owners_alone() {
    let b = Bench::new().await;
    let Things { connection, .. } = things(&b).await;
    let interface = offered(&b, connection).await;
    let (alice, bob) = (Browser::of(&b, b.alice).await, Browser::of(&b, b.bob).await);
    let page = format!("/cockpit/interfaces/{interface}");
    bob.get(&page).await.has("hosted by account").has("Accept").lacks(KEY);
    alice.get(&page).await.has("hosted for account").lacks(&format!("{page}/accept")).lacks(KEY);
    assert_eq!(alice.get(&format!("{page}/accept")).await.status, StatusCode::NOT_FOUND);
    let connection = format!("/cockpit/connections/{connection}");
    assert_eq!(bob.get(&connection).await.status, StatusCode::NOT_FOUND);
    bob.get(&page).await.lacks(&format!("href=\"{connection}\""));
    bob.post(&format!("{page}/key"), &[]).await.has(KEY);
    assert_eq!(alice.post(&format!("{page}/key"), &[]).await.status, StatusCode::NOT_FOUND);
    let reveal = [("do", "reveal"), ("software", "frr")];
    bob.post(&format!("{page}/router"), &reveal).await.has(KEY);
    alice.post(&format!("{page}/router"), &reveal).await.lacks(KEY);
}

#[tokio::test]
async fn a_key_stands_on_no_page_but_where_its_owner_asked_for_it() {
    let b = Bench::new().await;
    let Things { connection, interface, .. } = things(&b).await;
    let alice = Browser::of(&b, b.alice).await;
    let page = format!("/cockpit/interfaces/{interface}");
    for path in [
        "/cockpit".to_owned(),
        format!("/cockpit/connections/{connection}"),
        page.clone(),
        format!("{page}/edit"),
        format!("{page}/delete"),
        format!("{page}/router?software=bird"),
        format!("{page}/router?software=bird&download=1"),
    ] {
        alice.get(&path).await.lacks(KEY);
    }
    alice.get(&page).await.has("••••");
    let shown = alice.post(&format!("{page}/key"), &[]).await;
    shown.has(KEY);
    assert_eq!(shown.headers[header::CACHE_CONTROL], "no-store");
    alice.get(&format!("{page}/router?software=bird")).await.has("KEY-OF-THE-INTERFACE");
    let reveal = [("do", "reveal"), ("software", "bird")];
    alice.post(&format!("{page}/router"), &reveal).await.has(KEY).lacks("KEY-OF-THE-INTERFACE");
}

#[tokio::test]
async fn a_webhook_shows_its_secret_once_and_to_its_account_alone() {
    let b = Bench::new().await;
    let (alice, bob) = (Browser::of(&b, b.alice).await, Browser::of(&b, b.bob).await);
    let wrong = alice.post("/cockpit/webhooks", &[("url", "ftp://example.com/")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!wrong.complaint("url").is_empty());
    let url = "https://hooks.example.com/dl";
    alice.post("/cockpit/webhooks", &[("url", url)]).await.has(url).has("whsec_");
    let own = b.app.webhooks(Some(b.alice)).await.unwrap();
    let [webhook] = &own[..] else { panic!("one") };
    let page = format!("/cockpit/webhooks/{}", webhook.id);
    alice.get("/cockpit/webhooks").await.has(&page).lacks("whsec_");
    alice.get(&page).await.has(url).lacks("whsec_");
    bob.get("/cockpit/webhooks").await.lacks(url);
    assert_eq!(bob.get(&page).await.status, StatusCode::NOT_FOUND);
    let remove = format!("{page}/remove");
    assert_eq!(bob.post(&remove, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(b.app.webhooks(None).await.unwrap().len(), 1);
    assert_eq!(alice.post(&remove, &[]).await.status, StatusCode::SEE_OTHER);
    assert!(b.app.webhooks(None).await.unwrap().is_empty());
}
