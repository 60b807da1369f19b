//! Who is let in, for how long, and which forms are taken.

use super::*;
use crate::app::{
    AddAccount,
    sessions::{Door, IDLE, LONGEST, Look},
    tests::app_in,
};
use jiff::SignedDuration;

async fn with_password(b: &Bench) -> AccountId {
    let account = AddAccount {
        email: Some("ann@example.com".into()),
        password: Some("correct horse".to_owned().into()),
    };
    b.app.add_account(account).await.unwrap().account.id
}

async fn sign_in(browser: &Browser, email: &str, password: &str, next: &str) -> Seen {
    let fields = [("email", email), ("password", password), ("next", next)];
    browser.post_with("/cockpit/sign-in", "", &fields, &[]).await
}

#[tokio::test]
async fn the_right_password_lets_in_and_leads_on_to_our_own_pages_alone() {
    let b = Bench::new().await;
    with_password(&b).await;
    let stranger = Browser::stranger(&b);
    for (email, password, next, status, location) in [
        ("ann@example.com", "correct horse", "", 303, "/cockpit"),
        (
            "ann@example.com",
            "correct horse",
            "/cockpit/interfaces?q=a",
            303,
            "/cockpit/interfaces?q=a",
        ),
        ("ann@example.com", "correct horse", "//evil.example", 303, "/cockpit"),
        ("ann@example.com", "wrong", "", 401, ""),
        ("bob@example.com", "correct horse", "", 401, ""),
        ("", "", "", 401, ""),
    ] {
        let seen = sign_in(&stranger, email, password, next).await;
        assert_eq!((seen.status.as_u16(), seen.location()), (status, location), "{email} {next}");
        assert_eq!(seen.headers.contains_key(header::SET_COOKIE), status == 303);
        seen.lacks("correct horse");
    }
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_secure_behind_https() {
    let b = Bench::new().await;
    with_password(&b).await;
    let stranger = Browser::stranger(&b);
    let fields = [("email", "ann@example.com"), ("password", "correct horse")];
    for (headers, secure) in [(&[][..], false), (&[("x-forwarded-proto", "https")][..], true)] {
        let seen = stranger.post_with("/cockpit/sign-in", "", &fields, headers).await;
        let cookie = seen.headers[header::SET_COOKIE].to_str().unwrap();
        for word in ["HttpOnly", "SameSite=Lax", "Path=/cockpit", "Max-Age=43200"] {
            assert!(cookie.contains(word), "{cookie}");
        }
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
        let key = cookie.split(['=', ';']).nth(1).unwrap();
        assert_eq!(key.len(), 64, "256 bits");
    }
}

#[tokio::test]
async fn four_wrong_passwords_lock_the_address_at_both_doors_of_the_customers() {
    let b = Bench::new().await;
    with_password(&b).await;
    let stranger = Browser::stranger(&b);
    for _ in 0..4 {
        sign_in(&stranger, "ann@example.com", "guess", "").await.has("is wrong");
    }
    let seen = sign_in(&stranger, "ann@example.com", "correct horse", "").await;
    assert_eq!(seen.status, StatusCode::UNAUTHORIZED);
    seen.has("Too many wrong attempts");
}

#[tokio::test]
async fn another_sites_form_signs_nobody_in() {
    let b = Bench::new().await;
    with_password(&b).await;
    let stranger = Browser::stranger(&b);
    let fields = [("email", "ann@example.com"), ("password", "correct horse")];
    for headers in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let seen = stranger.post_with("/cockpit/sign-in", "", &fields, &[headers]).await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN, "{headers:?}");
        assert!(!seen.headers.contains_key(header::SET_COOKIE));
    }
}

#[tokio::test]
async fn a_session_ends_when_nobody_looks_and_after_a_day_and_outlives_a_restart() {
    let b = Bench::new().await;
    let begun = b.app.machine_now();
    let begin = async || b.app.begin_session(Visitor::Account(b.alice), begun).await.unwrap();
    let minute = SignedDuration::from_mins(1);
    let look = async |app: &crate::app::App, key: &str, look, after| {
        app.session((Door::Customers, key), look, begun + after).await.unwrap().is_some()
    };
    let idle = begin().await;
    assert!(look(&b.app, idle.expose_secret(), Look::ByHand, IDLE - minute).await);
    assert!(
        look(&b.app, idle.expose_secret(), Look::ByHand, 2 * (IDLE - minute)).await,
        "was seen"
    );
    assert!(!look(&b.app, idle.expose_secret(), Look::ByHand, 3 * IDLE).await);
    let stream = begin().await;
    assert!(look(&b.app, stream.expose_secret(), Look::ByItself, IDLE - minute).await);
    assert!(
        !look(&b.app, stream.expose_secret(), Look::ByItself, IDLE).await,
        "streams are nobody"
    );
    let busy = begin().await;
    let mut after = SignedDuration::ZERO;
    while after < LONGEST {
        assert!(look(&b.app, busy.expose_secret(), Look::ByHand, after).await, "{after:#}");
        after += IDLE - minute;
    }
    assert!(!look(&b.app, busy.expose_secret(), Look::ByHand, LONGEST).await);
    let kept = begin().await;
    let again = app_in(&b.dir).await;
    assert!(look(&again, kept.expose_secret(), Look::ByHand, minute).await);
}

#[tokio::test]
async fn who_signs_out_is_out_and_who_is_out_is_sent_to_the_door() {
    let b = Bench::new().await;
    let alice = Browser::of(&b, b.alice).await;
    assert_eq!(alice.get("/cockpit").await.status, StatusCode::OK);
    let out = alice.post("/cockpit/sign-out", &[]).await;
    assert_eq!((out.status, out.location()), (StatusCode::SEE_OTHER, "/cockpit/sign-in"));
    assert!(out.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    for (path, location) in [
        ("/cockpit", "/cockpit/sign-in"),
        ("/cockpit/interfaces?q=a", "/cockpit/sign-in?next=%2Fcockpit%2Finterfaces%3Fq%3Da"),
    ] {
        let seen = alice.get(path).await;
        assert_eq!((seen.status, seen.location()), (StatusCode::SEE_OTHER, location));
    }
    assert_eq!(alice.get("/cockpit/live").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_customers_key_opens_nothing_at_the_operators_door_nor_the_other_way_round() {
    let b = Bench::new().await;
    let now = b.app.machine_now();
    for visitor in [Visitor::Account(b.alice), Visitor::Operator] {
        let key = b.app.begin_session(visitor, now).await.unwrap();
        let key = key.expose_secret();
        let cookie = format!("directlink-session={key}; directlink-operator={key}");
        let customers =
            Browser { router: api::front(b.app.clone(), Doors::default()), cookie: cookie.clone() };
        let operators = Browser { router: api::operator(b.app.clone()), cookie };
        let lets_in = [customers.get("/cockpit").await, operators.get("/cockpit").await]
            .map(|seen| seen.status == StatusCode::OK);
        assert_eq!(lets_in, [visitor != Visitor::Operator, visitor == Visitor::Operator]);
    }
}

#[tokio::test]
async fn a_form_without_its_own_sessions_token_changes_nothing() {
    let b = Bench::new().await;
    let (alice, bob) = (Browser::of(&b, b.alice).await, Browser::of(&b, b.bob).await);
    let (own, bobs) = (alice.token().await, bob.token().await);
    let order = [("name", "forged"), ("location", "PAR1"), ("bandwidth", "1Gbps")];
    for (token, headers, taken) in [
        ("", &[][..], false),
        (bobs.as_str(), &[][..], false),
        (own.as_str(), &[("sec-fetch-site", "cross-site")][..], false),
        (own.as_str(), &[("origin", "https://evil.example")][..], false),
        (own.as_str(), &[("origin", "http://cockpit.test")][..], true),
    ] {
        let seen = alice.post_with("/cockpit/connections", token, &order, headers).await;
        let made = b.app.connections(&b.alice(), None).await.unwrap().len();
        assert_eq!(
            (seen.status == StatusCode::SEE_OTHER, made == 1),
            (taken, taken),
            "{headers:?}"
        );
        assert_eq!(seen.status == StatusCode::FORBIDDEN, !taken);
    }
}
