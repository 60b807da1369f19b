//! What every page is, and what some of them tell.

use super::*;
use crate::app::tests::works;
use directlink_model::command::SetQuota;
use directlink_model::figures::{Tally, Traffic};
use directlink_model::report::{InterfaceReport, LearnedRoute, RefusedRoute, SessionReport};
use std::collections::BTreeMap;

#[tokio::test]
async fn no_page_holds_a_script_or_a_style_and_each_says_what_may_be_loaded() {
    let b = Bench::new().await;
    let Things { connection, interface, .. } = things(&b).await;
    let (alice, operator) = (Browser::of(&b, b.alice).await, Browser::operator(&b).await);
    let order = b.order().await.connection.id;
    let (connection, interface) =
        (format!("/cockpit/connections/{connection}"), format!("/cockpit/interfaces/{interface}"));
    let customers = [
        "/cockpit",
        "/cockpit/connections",
        "/cockpit/connections?q=x&state=down",
        "/cockpit/connections/new",
        "/cockpit/maintenance",
        &connection,
        &format!("{connection}/edit"),
        &format!("{connection}/delete"),
        "/cockpit/interfaces",
        "/cockpit/interfaces/new",
        &interface,
        &format!("{interface}/edit"),
        &format!("{interface}/delete"),
        &format!("{interface}/router"),
        "/cockpit/sign-in",
        "/cockpit/nowhere",
        "/cockpit/connections/dxcon-x",
    ]
    .map(str::to_owned);
    let operators = [
        "/cockpit".to_owned(),
        format!("/cockpit/orders/{order}"),
        "/cockpit/connections".into(),
        "/cockpit/interfaces".into(),
        "/cockpit/routers".into(),
        "/cockpit/routers/par1-r1".into(),
        "/cockpit/accounts".into(),
        format!("/cockpit/accounts/{}", b.alice),
        "/cockpit/trail".into(),
        "/cockpit/sign-in".into(),
    ];
    let all =
        customers.iter().map(|path| (&alice, path)).chain(operators.iter().map(|p| (&operator, p)));
    for (browser, path) in all {
        let seen = browser.get(path).await;
        assert_ne!(seen.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        for (name, value) in [
            ("content-security-policy", "default-src 'self'"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert!(seen.headers[name].to_str().unwrap().starts_with(value), "{path}: {name}");
        }
        seen.has("<title>").has("<h1>").has("lang=\"en\"").has("id=\"main\"");
        seen.lacks("<style")
            .lacks(" style=")
            .lacks("<script>")
            .lacks(" onclick")
            .lacks("javascript:");
        assert!(seen.html.len() < 60_000, "{path}: {} bytes", seen.html.len());
    }
}

#[tokio::test]
async fn assets_are_kept_for_good_and_only_at_their_version() {
    let b = Bench::new().await;
    let stranger = Browser::stranger(&b);
    let page = stranger.get("/cockpit/sign-in").await.html;
    let mut weight = page.len();
    for name in
        ["cockpit.css", "htmx.js", "hx-sse.js", "uplot.js", "uplot.css", "graphs.js", "icon.svg"]
    {
        let start = page.find("/cockpit/assets/").unwrap();
        let version = page[start..].split('/').nth(3).unwrap();
        let seen = stranger.get(&format!("/cockpit/assets/{version}/{name}")).await;
        assert_eq!(seen.status, StatusCode::OK, "{name}");
        assert!(seen.headers["cache-control"].to_str().unwrap().contains("immutable"));
        weight += seen.html.len();
        let old = stranger.get(&format!("/cockpit/assets/000000000000/{name}")).await;
        assert_eq!(old.status, StatusCode::NOT_FOUND);
    }
    assert!(weight < 140_000, "{weight} bytes");
}

#[tokio::test]
async fn a_list_is_narrowed_by_words_and_state() {
    let b = Bench::new().await;
    let Things { interface, .. } = things(&b).await;
    let alice = Browser::of(&b, b.alice).await;
    for (path, found) in [
        ("/cockpit/interfaces?q=VLAN+101", true),
        ("/cockpit/interfaces?q=vlan+102", false),
        ("/cockpit/interfaces?q=65000&state=pending", true),
        ("/cockpit/interfaces?state=available", false),
        ("/cockpit/interfaces?q=%3Cscript%3E", false),
    ] {
        let seen = alice.get(path).await;
        assert_eq!(seen.html.contains(&interface.to_string()), found, "{path}");
        seen.lacks("<script>");
    }
}

#[tokio::test]
async fn the_letter_is_a_pdf_of_the_approved_and_of_nobody_else() {
    let b = Bench::new().await;
    let alice = Browser::of(&b, b.alice).await;
    let order = b.order().await.connection.id;
    let letter = alice.get(&format!("/cockpit/connections/{order}/loa.pdf")).await;
    assert_eq!(letter.status, StatusCode::NOT_FOUND);
    let lit = b.lit().await;
    let address = b.app.letter(&b.alice(), lit, None).await.unwrap().verify_at.unwrap();
    let path = address.strip_prefix("https://directlink.example").unwrap();
    let stranger = Browser { router: alice.router.clone(), cookie: String::new() };
    stranger
        .get(path)
        .await
        .has("In use")
        .has(&lit.to_string())
        .has("par1-r1/p0")
        .lacks("to the cloud");
    let guessed = stranger.get(&format!("/loa/verify/{}", "0".repeat(40))).await;
    assert_eq!(guessed.status, StatusCode::NOT_FOUND);
    guessed.has("Do not make the cross-connect");
    let letter = alice.get(&format!("/cockpit/connections/{lit}/loa.pdf")).await;
    assert_eq!(letter.headers[header::CONTENT_TYPE], "application/pdf");
    assert!(letter.html.starts_with("%PDF-"));
}

#[tokio::test]
async fn an_interface_tells_what_is_in_place_its_routes_and_its_packets() {
    let b = Bench::new().await;
    let Things { interface, .. } = things(&b).await;
    let alice = Browser::of(&b, b.alice).await;
    let page = format!("/cockpit/interfaces/{interface}");
    let prefix = |text: &str| text.parse().unwrap();
    let silent = InterfaceReport { configured: true, ..InterfaceReport::default() };
    let shut = InterfaceReport {
        session: SessionReport {
            state: "Active".into(),
            last_error: Some("NOTIFICATION <Bad Peer AS>".into()),
            ..SessionReport::default()
        },
        ..InterfaceReport { neighbour: works().neighbour, ..silent.clone() }
    };
    let busy = InterfaceReport {
        learned: vec![LearnedRoute {
            prefix: prefix("192.168.10.0/24"),
            as_path: vec![65000, 65001],
            med: None,
            local_pref: 100,
            best: true,
        }],
        refused: vec![RefusedRoute {
            prefix: prefix("0.0.0.0/0"),
            reason: "a default route".into(),
            is_echo: false,
        }],
        advertised: vec![prefix("10.0.0.0/16")],
        verdicts: [("denied_by_security_group".to_owned(), 7)].into(),
        session: SessionReport { unlisted_prefixes: 990_000, ..works().session },
        ..works()
    };
    for (report, texts) in [
        (
            silent,
            &[
                "nobody answers for",
                "<span class=\"badge bad\">failed</span> <strong>ARP answered by your router",
            ][..],
        ),
        (shut, &["Active: NOTIFICATION &#60;Bad Peer AS&#62;", "same BGP key on both sides"][..]),
        (
            busy,
            &[
                "192.168.10.0/24",
                "65000 65001",
                "a default route",
                "10.0.0.0/16",
                "denied by security group",
                "dropped",
                "Established",
                "990000 more prefixes",
            ][..],
        ),
    ] {
        b.report(true, BTreeMap::from([(interface, report)])).await;
        let seen = alice.get(&page).await;
        for text in texts {
            seen.has(text);
        }
    }
    alice.get(&page).await.has("interface available").has("by router par1-r1");
}

#[tokio::test]
async fn the_overview_draws_the_way_and_tells_it_in_words() {
    let b = Bench::new().await;
    let alice = Browser::of(&b, b.alice).await;
    alice
        .get("/cockpit")
        .await
        .has("Nothing leads from your network")
        .lacks("<svg viewBox=\"0 0 1180");
    let Things { connection, net, gateway, interface } = things(&b).await;
    b.say(true, &[interface]).await;
    let seen = alice.get("/cockpit").await;
    for text in [
        format!("<a href=\"/cockpit/connections/{connection}\">"),
        format!("<a href=\"/cockpit/interfaces/{interface}\">"),
        format!("{gateway}</text>"),
        format!("{net} 10.0.0.0/16"),
        "10.0.1.0/24 eu-west-2a".into(),
        "port p0 of the DirectLink router par1-r1; it is available.".into(),
        "strand good".into(),
    ] {
        seen.has(&text);
    }
    b.say(false, &[]).await;
    alice.get("/cockpit").await.has("wire bad").has("Wants attention").has("sees no light");
}

#[tokio::test]
async fn a_customer_sees_what_the_account_may_have() {
    let b = Bench::new().await;
    b.order().await;
    let page = Browser::of(&b, b.alice).await.get("/cockpit/quotas").await;
    page.has("DirectLinks per account")
        .has("<td class=\"number\">1</td><td class=\"number\">10</td>");
}

#[tokio::test]
async fn graphs_are_drawn_on_the_server_and_told_to_scripts_as_figures() {
    let b = Bench::new().await;
    let Things { connection, interface, .. } = things(&b).await;
    b.say(true, &[interface]).await;
    let alice = Browser::of(&b, b.alice).await;
    let page = format!("/cockpit/interfaces/{interface}");
    alice.get(&page).await.has("has told nothing of this time yet");
    for n in 1..7 {
        b.wait(jiff::SignedDuration::from_secs(10));
        let from_customer = Tally { packets: n * 100, bytes: n * 125_000 };
        let traffic = Traffic { from_customer, ..Traffic::default() };
        let verdicts = [("denied_by_security_group".to_owned(), n * 3)].into();
        let report = InterfaceReport { traffic, verdicts, ..works() };
        b.report(true, [(interface, report)].into()).await;
    }
    alice
        .get(&page)
        .await
        .has("<path class=\"from\" d=\"M")
        .has("100 kbit/s · 10.0 packets/s")
        .has("established 100 % of 60 seconds")
        .has("Dropped in this time: denied by security group 18.")
        .has("/uplot.js");
    alice.get(&format!("{page}?over=30d")).await.has("The last 30 days").has("figures?over=30d");
    let on = format!("/cockpit/connections/{connection}");
    alice.get(&on).await.has("100 kbit/s").has("<dt>Light").lacks("<dt>BGP");
    alice.get("/cockpit").await.has("100 kbit/s →").lacks("/uplot.js");
    let figures = alice.get(&format!("{page}/figures?over=1h")).await;
    assert_eq!(figures.headers[header::CONTENT_TYPE], "application/json");
    figures.has("\"denied by security group\"").has("100000.0").has("null");
    let stranger = Browser::stranger(&b);
    let unsigned = stranger.get(&format!("{page}/figures")).await;
    assert_eq!(unsigned.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_long_list_is_read_a_page_at_a_time_and_searched_through_all_pages() {
    let b = Bench::new().await;
    let quota = directlink_model::fault::Quota::Connections;
    let more = SetQuota { account: b.alice, quota, limit: Some(200) };
    b.app.set_quota(more).await.unwrap();
    let mut ids = vec![];
    for _ in 0..101 {
        ids.push(b.order().await.connection.id.to_string());
    }
    let alice = Browser::of(&b, b.alice).await;
    let operator = Browser::operator(&b).await;
    for browser in [&alice, &operator] {
        let mut path = "/cockpit/connections".to_owned();
        let mut read = vec![];
        loop {
            let page = browser.get(&path).await.html;
            let mut found: Vec<_> =
                ids.iter().filter(|id| page.contains(&format!(">{id}<"))).collect();
            assert!(found.len() <= 50);
            read.append(&mut found);
            let Some((before, _)) = page.split_once("\">Next page</a>") else { break };
            path = before.rsplit("href=\"").next().unwrap().replace("&#38;", "&");
        }
        read.sort();
        let mut all: Vec<_> = ids.iter().collect();
        all.sort();
        assert_eq!(read, all, "each once");
        let last = format!("/cockpit/connections?q={}", ids[100].to_uppercase());
        browser.get(&last).await.has(&ids[100]).lacks(&ids[0]).lacks("Next page");
        browser.get("/cockpit/connections?q=%25").await.has("No connection fits");
    }
    alice.get("/cockpit/connections?state=deleted").await.has("No connection fits");
    operator.get("/cockpit").await.has(&ids[0]).has(&ids[100]);
}
