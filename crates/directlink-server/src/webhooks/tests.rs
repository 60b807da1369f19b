//! Webhooks of a Region against receivers on loopback.

use super::*;
use crate::{
    app::{
        Added,
        tests::{Bench, app_in},
    },
    store::webhooks::Webhook,
};
use axum::{Router, body::Bytes, extract::State, routing::post as on_post};
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;

/// What it was told, and what it answers next.
#[derive(Clone)]
struct Receiver {
    address: SocketAddr,
    inner: Arc<Mutex<(Vec<Told>, StatusCode)>>,
}

#[derive(Clone, Debug)]
struct Told {
    id: String,
    seconds: i64,
    signature: String,
    body: String,
}

impl Receiver {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Arc::new(Mutex::new((Vec::new(), StatusCode::NO_CONTENT)));
        let receiver = Self { address: listener.local_addr().unwrap(), inner };
        let router = Router::new().route("/hook", on_post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        receiver
    }

    fn answers(&self, status: StatusCode) {
        self.inner.lock().unwrap().1 = status;
    }

    fn told(&self) -> Vec<Told> {
        self.inner.lock().unwrap().0.clone()
    }

    fn kinds(&self) -> Vec<String> {
        self.told().iter().map(|told| told.json()["type"].as_str().unwrap().to_owned()).collect()
    }
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let told = Told {
        id: header("webhook-id"),
        seconds: header("webhook-timestamp").parse().unwrap(),
        signature: header("webhook-signature"),
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let mut inner = receiver.inner.lock().unwrap();
    inner.0.push(told);
    inner.1
}

/// Loopback is allowed.
fn allowing() -> Post {
    Post::new(vec!["127.0.0.0/8".parse().unwrap()])
}

async fn hook(b: &Bench, receiver: &Receiver) -> Webhook {
    let target = Target::new(&format!("http://{}/hook", receiver.address)).unwrap();
    match b.app.add_webhook(b.alice, &target).await.unwrap() {
        Added::Webhook(webhook) => *webhook,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_account_is_told_in_order_what_happens_to_its_own_and_each_message_is_signed() {
    let (b, receiver, post) = (Bench::new().await, Receiver::new().await, allowing());
    b.order().await;
    b.wait(SignedDuration::from_secs(1));
    let webhook = hook(&b, &receiver).await;
    let mut seen = Seen::default();
    let id = b.lit().await;
    b.app
        .add_location(directlink_model::command::AddLocation {
            code: "PAR9".parse().unwrap(),
            name: "Another site".into(),
            subregion: "eu-west-2c".parse().unwrap(),
        })
        .await
        .unwrap();
    assert_eq!(round(&b.app, &post, &mut seen).await.unwrap(), None);
    b.say(false, &[]).await;
    round(&b.app, &post, &mut seen).await.unwrap();
    // What was before it is not told, nor what is not the account's.
    let kinds = receiver.kinds();
    let expected =
        ["connection.ordered", "order.approved", "connection.available", "connection.down"];
    assert_eq!(kinds, expected);
    for told in receiver.told() {
        let Told { id, seconds, signature, body } = &told;
        assert_eq!(*signature, signature::signature(&webhook.secret, id, *seconds, body));
        assert!((b.app.machine_now().as_second() - seconds).abs() < 60);
    }
    let last = receiver.told().pop().unwrap().json();
    assert_eq!(last["data"]["id"], id.to_string());
    assert_eq!(last["data"]["why"], "no light");
    let messages = b.app.webhook_messages(webhook.id).await.unwrap();
    assert!(messages.iter().all(|message| message.sent_at.is_some() && message.attempts == 1));
}

#[tokio::test]
async fn what_is_not_taken_is_told_again_later_under_the_same_id_and_nothing_overtakes_it() {
    let (b, receiver, post) = (Bench::new().await, Receiver::new().await, allowing());
    let webhook = hook(&b, &receiver).await;
    let mut seen = Seen::default();
    b.lit().await;
    receiver.answers(StatusCode::SERVICE_UNAVAILABLE);
    for pause in [2, 4, 8] {
        let before = b.app.now();
        let next = round(&b.app, &post, &mut seen).await.unwrap().unwrap();
        // The clock goes on meanwhile.
        let wait = next.duration_since(before).as_secs();
        assert!((pause..pause + 2).contains(&wait), "{wait} and not {pause} s");
        assert_eq!(round(&b.app, &post, &mut seen).await.unwrap(), Some(next), "it waits");
        b.wait(SignedDuration::from_secs(pause));
    }
    assert_eq!(receiver.kinds(), ["connection.ordered"; 3]);
    let ids: Vec<_> = receiver.told().into_iter().map(|told| told.id).collect();
    assert_eq!([&ids[0]; 3], [&ids[0], &ids[1], &ids[2]]);
    let failure = b.app.webhook_messages(webhook.id).await.unwrap().pop().unwrap().failure;
    assert_eq!(failure.as_deref(), Some("it answered 503 Service Unavailable"));
    receiver.answers(StatusCode::OK);
    round(&b.app, &post, &mut seen).await.unwrap();
    let expected = ["connection.ordered", "order.approved", "connection.available"];
    assert_eq!(receiver.kinds()[3..], expected);
}

#[tokio::test]
async fn a_server_that_is_killed_loses_no_message_and_tells_none_anew_that_was_taken() {
    let (b, receiver, post) = (Bench::new().await, Receiver::new().await, allowing());
    hook(&b, &receiver).await;
    b.order().await;
    round(&b.app, &post, &mut Seen::default()).await.unwrap();
    assert_eq!(receiver.kinds(), ["connection.ordered"]);
    // The act was kept, and its server died before it looked.
    b.lit().await;
    let again = app_in(&b.dir).await;
    round(&again, &post, &mut Seen::default()).await.unwrap();
    let all = receiver.kinds();
    assert_eq!(all[1..], ["connection.ordered", "order.approved", "connection.available"]);
    // Another died after it had written an attempt down: somebody may be at it.
    b.say(false, &[]).await;
    let mut seen = Seen::default();
    owe(&again, &mut seen).await.unwrap();
    let mut db = again.parts().store.reader().await.unwrap();
    let [message] = webhooks::due(&mut db, again.now()).await.unwrap().try_into().unwrap();
    drop(db);
    let held = again.now() + ATTEMPT_HELD;
    write_tx!(again, false, store::Error, |tx| { webhooks::claim(tx, &message, held).await })
        .unwrap();
    assert_eq!(round(&again, &post, &mut seen).await.unwrap(), Some(held));
    again.parts().clock.advance(ATTEMPT_HELD);
    round(&again, &post, &mut seen).await.unwrap();
    let last = receiver.told().pop().unwrap();
    assert_eq!((last.id, receiver.told().len()), (message.id.to_string(), 5));
}

#[tokio::test]
async fn nothing_of_the_operators_own_network_is_dialled() {
    let (b, receiver) = (Bench::new().await, Receiver::new().await);
    let post = Post::new(vec![]);
    let port = receiver.address.port();
    let mut hooks = Vec::new();
    for (url, why) in [
        (format!("http://127.0.0.1:{port}/hook"), "its address is not on the public Internet"),
        (format!("https://[::ffff:127.0.0.1]:{port}/"), "its address is not on the public"),
        (format!("https://localhost:{port}/hook"), "its address is not on the public Internet"),
        (format!("http://localhost:{port}/hook"), "use https://"),
        ("https://169.254.169.254/latest/meta-data/".to_owned(), "its address is not on the"),
    ] {
        let target = Target::new(&url).unwrap();
        let Added::Webhook(webhook) = b.app.add_webhook(b.alice, &target).await.unwrap() else {
            panic!("{url}")
        };
        hooks.push((webhook.id, url, why));
    }
    b.order().await;
    round(&b.app, &post, &mut Seen::default()).await.unwrap();
    for (id, url, why) in hooks {
        let message = b.app.webhook_messages(id).await.unwrap().pop().unwrap();
        let failure = message.failure.unwrap();
        assert!(failure.contains(why), "{url}: {failure}");
    }
    assert!(receiver.told().is_empty());
}

#[tokio::test]
async fn a_receiver_that_is_dead_keeps_nobody_elses_messages_back() {
    let (b, receiver, post) = (Bench::new().await, Receiver::new().await, allowing());
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let dead = Target::new(&format!("http://{closed}/")).unwrap();
    b.app.add_webhook(b.alice, &dead).await.unwrap();
    hook(&b, &receiver).await;
    b.lit().await;
    round(&b.app, &post, &mut Seen::default()).await.unwrap();
    assert_eq!(receiver.told().len(), 3);
}

#[tokio::test]
async fn one_that_is_removed_is_told_nothing_more_and_no_list_shows_a_secret() {
    let (b, receiver, post) = (Bench::new().await, Receiver::new().await, allowing());
    let webhook = hook(&b, &receiver).await;
    b.order().await;
    assert!(b.app.remove_webhook(webhook.id).await.unwrap());
    assert!(!b.app.remove_webhook(webhook.id).await.unwrap());
    round(&b.app, &post, &mut Seen::default()).await.unwrap();
    assert!(receiver.told().is_empty());
    assert!(b.app.webhooks(None).await.unwrap().is_empty());
    let shown = format!("{webhook:?}");
    assert!(!shown.contains(webhook.secret.expose_secret()), "{shown}");
}

#[test]
fn a_kind_is_what_happened_in_one_word() {
    for (what, kind) in [
        ("connection down", "connection.down"),
        ("interface deletion asked", "interface.deletion_asked"),
        ("interface MTU changed", "interface.mtu_changed"),
        ("cross-connect patched", "cross_connect.patched"),
        ("dxpeer-0000000a deleted", "bgp_peer.deleted"),
        ("loa mailed", "loa.mailed"),
    ] {
        assert_eq!(kind_of(what), kind);
    }
}
