//! The outbox against a folder and relays that answer badly, on a clock that moves when told to.

use super::*;
use crate::{
    app::{
        AddAccount, MailView,
        tests::{Bench, interface},
    },
    config::{self, MailWay, Relay, RelaySecurity},
    loa::tests::text_of,
    reconcile,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use directlink_model::{
    command::{ApproveOrder, CreateInterface, RefuseOrder},
    ids::AccountId,
};
use std::{fs, net::SocketAddr, path::Path};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

fn mailer(b: &Bench, way: MailWay) -> Mailer {
    let from: Mailbox = "DirectLink <desk@directlink.example>".parse().unwrap();
    let config = config::Mail { from: None, way };
    Mailer { post: Post::open(&config, &folder(b), &from).unwrap(), from }
}

fn folder(b: &Bench) -> std::path::PathBuf {
    b.dir.path().join("mail")
}

fn relay(at: SocketAddr) -> MailWay {
    MailWay::Relay(Relay {
        host: at.ip().to_string(),
        port: Some(at.port()),
        security: RelaySecurity::None,
        ca_file: None,
        login: None,
    })
}

fn arrived(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("new")).unwrap();
    entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

async fn approved(b: &Bench) -> directlink_model::ids::ConnectionId {
    let connection = b.order().await.connection.id;
    b.app.approve_order(ApproveOrder { connection, port: None }).await.unwrap();
    connection
}

async fn only_mail(b: &Bench) -> MailView {
    let mut mails = b.app.mails().await.unwrap();
    assert_eq!(mails.len(), 1);
    mails.remove(0)
}

/// The attachment of a mail as text.
fn pdf_text(mail: &str) -> String {
    let (_, part) = mail.split_once("application/pdf").unwrap();
    let (_, body) = part.split_once("\r\n\r\n").unwrap();
    let (body, _) = body.split_once("\r\n--").unwrap();
    text_of(&BASE64_STANDARD.decode(body.replace("\r\n", "")).unwrap())
}

#[tokio::test]
async fn the_letter_of_an_approved_order_is_mailed_once_with_the_letter_in_it() {
    let b = Bench::new().await;
    let id = approved(&b).await;
    let mailer = mailer(&b, MailWay::Maildir(None));
    round(&b.app, &mailer).await.unwrap();
    b.wait(SignedDuration::from_hours(24));
    assert_eq!(round(&b.app, &mailer).await.unwrap(), None, "nothing is left to be done");
    let mail = only_mail(&b).await;
    let [text] = arrived(&folder(&b)).try_into().unwrap();
    for expected in [
        format!("To: {}\r\n", mail.email),
        format!("Message-ID: <{}@directlink.example>\r\n", mail.mail.id),
        format!("Subject: Letter of Authorization for {id} (to the cloud)\r\n"),
        "Auto-Submitted: auto-generated\r\n".into(),
        format!("filename=\"loa-{id}.pdf\""),
    ] {
        assert!(text.contains(&expected), "{expected}: {text}");
    }
    assert!(pdf_text(&text).contains(&format!("Circuit ID {id}")));
    assert!(mail.mail.sent_at.is_some() && mail.mail.failure.is_none());
    let history = b.app.connection_history(&b.alice(), id).await.unwrap();
    assert!(history.iter().any(|event| event.what == "loa mailed" && event.actor == "mail"));
}

#[tokio::test]
async fn an_attempt_that_nobody_ended_is_made_again_under_the_same_message_id() {
    let b = Bench::new().await;
    approved(&b).await;
    let mailer = mailer(&b, MailWay::Maildir(None));
    let mail = only_mail(&b).await.mail;
    // As a server that died after it had written the attempt down, and sent.
    let (app, now) = (&b.app, b.app.now());
    write_tx!(app, false, store::Error, |tx| {
        outbox::claim(tx, &mail, now + ATTEMPT_HELD).await
    })
    .unwrap();
    let wait = round(app, &mailer).await.unwrap().unwrap().duration_since(now);
    assert_eq!(wait, ATTEMPT_HELD, "another server may be at it");
    assert_eq!(arrived(&folder(&b)).len(), 0);
    b.wait(ATTEMPT_HELD);
    round(app, &mailer).await.unwrap();
    let [text] = arrived(&folder(&b)).try_into().unwrap();
    assert!(text.contains(&format!("Message-ID: <{}@", mail.id)));
    assert_eq!(only_mail(&b).await.mail.attempts, 2);
}

#[tokio::test]
async fn of_two_servers_one_makes_the_attempt() {
    let b = Bench::new().await;
    approved(&b).await;
    let (app, now, mail) = (&b.app, b.app.now(), only_mail(&b).await.mail);
    let mut claimed = vec![];
    for _ in 0..2 {
        let outcome = write_tx!(app, false, store::Error, |tx| {
            outbox::claim(tx, &mail, now + ATTEMPT_HELD).await
        });
        claimed.push(outcome.unwrap());
    }
    assert_eq!(claimed, [true, false]);
}

#[tokio::test]
async fn a_relay_that_is_away_is_asked_again_with_pauses_that_grow_and_the_letter_arrives_then() {
    let b = Bench::new().await;
    approved(&b).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = relay(listener.local_addr().unwrap());
    drop(listener);
    let mailer = mailer(&b, away);
    let mut pauses = vec![];
    for _ in 0..4 {
        round(&b.app, &mailer).await.unwrap();
        let mail = only_mail(&b).await.mail;
        assert!(mail.failure.as_deref().is_some_and(|why| why.starts_with("the relay: ")));
        let pause = mail.next_try_at.duration_since(b.app.now());
        pauses.push(pause.as_secs() + 1);
        b.wait(pause + SignedDuration::from_millis(1));
    }
    assert_eq!(pauses, [2, 4, 8, 16]);
    let folder_mailer = self::mailer(&b, MailWay::Maildir(None));
    round(&b.app, &folder_mailer).await.unwrap();
    assert_eq!(arrived(&folder(&b)).len(), 1);
    assert_eq!(only_mail(&b).await.mail.attempts, 5);
}

/// A relay that takes every mail's recipient badly.
async fn refusing_relay() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (reading, mut writing) = stream.into_split();
            let mut lines = BufReader::new(reading).lines();
            writing.write_all(b"220 here\r\n").await.unwrap();
            while let Ok(Some(line)) = lines.next_line().await {
                let answer: &[u8] = match line.split([' ', ':']).next() {
                    Some("EHLO" | "MAIL" | "RSET" | "NOOP") => b"250 yes\r\n",
                    Some("RCPT") => b"550 nobody of that name\r\n",
                    _ => b"221 bye\r\n",
                };
                if writing.write_all(answer).await.is_err() {
                    break;
                }
            }
        }
    });
    at
}

#[tokio::test]
async fn one_that_is_refused_for_five_days_is_given_up_and_told_of() {
    let b = Bench::new().await;
    let id = approved(&b).await;
    let mailer = mailer(&b, relay(refusing_relay().await));
    round(&b.app, &mailer).await.unwrap();
    let mail = only_mail(&b).await.mail;
    assert!(mail.failure.as_deref().is_some_and(|why| why.contains("550")), "{:?}", mail.failure);
    assert_eq!(mail.dropped_at, None, "a relay that is set up badly must not lose a letter");
    b.wait(TRY_FOR);
    round(&b.app, &mailer).await.unwrap();
    let mail = only_mail(&b).await.mail;
    assert!(mail.failure.as_deref().is_some_and(|why| why.starts_with("given up after 2")));
    assert!(mail.dropped_at.is_some() && mail.sent_at.is_none());
    let history = b.app.connection_history(&b.alice(), id).await.unwrap();
    assert!(history.iter().any(|event| event.what == "loa not mailed"));
    b.wait(SignedDuration::from_hours(1));
    assert_eq!(round(&b.app, &mailer).await.unwrap(), None);
}

#[tokio::test]
async fn a_letter_that_authorises_nothing_any_more_is_not_sent() {
    let b = Bench::new().await;
    let id = approved(&b).await;
    b.app.delete_connection(&b.alice(), id).await.unwrap();
    round(&b.app, &mailer(&b, MailWay::Maildir(None))).await.unwrap();
    let mail = only_mail(&b).await.mail;
    assert!(mail.dropped_at.is_some(), "{mail:?}");
    assert_eq!(arrived(&folder(&b)).len(), 0);
}

#[tokio::test]
async fn an_account_whose_login_is_no_address_gets_none_and_others_do() {
    let b = Bench::new().await;
    let nobody = AddAccount { email: Some("not an address".into()), password: None };
    let nobody = b.app.add_account(nobody).await.unwrap().account.id;
    let mail = |to, at| {
        let id = directlink_model::ids::ConnectionId::from_bits(1);
        let occasion = directlink_model::notice::Occasion::LetterIssued(id);
        directlink_model::notice::Notice { occasion, to, at }
    };
    let (app, now) = (&b.app, b.app.now());
    write_tx!(app, false, store::Error, |tx| { outbox::post(tx, mail(nobody, now), now).await })
        .unwrap();
    approved(&b).await;
    round(app, &mailer(&b, MailWay::Maildir(None))).await.unwrap();
    assert_eq!(arrived(&folder(&b)).len(), 1);
}

#[tokio::test]
async fn a_refusal_is_mailed_with_its_reason() {
    let b = Bench::new().await;
    let connection = b.order().await.connection.id;
    let refuse = RefuseOrder { connection, reason: "No room before June.".into() };
    b.app.refuse_order(refuse).await.unwrap();
    round(&b.app, &mailer(&b, MailWay::Maildir(None))).await.unwrap();
    let [text] = arrived(&folder(&b)).try_into().unwrap();
    assert!(text.contains(&format!("Subject: Your order {connection} (to the cloud) is refused")));
    assert!(text.contains("\r\n\r\nNo room before June.\r\n"), "{text}");
}

/// What was mailed, oldest first, as kind and account; all of it is sent.
async fn told(b: &Bench, mailer: &Mailer) -> Vec<(&'static str, AccountId)> {
    for _ in 0..2 {
        round(&b.app, mailer).await.unwrap();
    }
    let mails = b.app.mails().await.unwrap();
    assert!(mails.iter().all(|view| view.mail.sent_at.is_some()), "{mails:?}");
    let word = |view: &MailView| (view.mail.notice.occasion.kind(), view.mail.notice.to);
    mails.iter().rev().map(word).collect()
}

#[tokio::test]
async fn a_connections_life_is_told_each_turn_once() {
    let b = Bench::new().await;
    let mailer = mailer(&b, MailWay::Maildir(None));
    let id = b.lit().await;
    let mut expected = vec!["loa", "connection available"];
    let seen = async || {
        let seen = told(&b, &mailer).await;
        assert!(seen.iter().all(|(_, to)| *to == b.alice));
        seen.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
    };
    assert_eq!(seen().await, expected);
    // A blink is nobody's concern.
    b.say(false, &[]).await;
    b.wait(SignedDuration::from_mins(4));
    assert_eq!(seen().await, expected);
    b.say(true, &[]).await;
    b.wait(SignedDuration::from_mins(10));
    assert_eq!(seen().await, expected);
    b.say(false, &[]).await;
    b.wait(SignedDuration::from_mins(6));
    expected.push("connection down");
    assert_eq!(seen().await, expected);
    b.wait(SignedDuration::from_hours(48));
    assert_eq!(seen().await, expected);
    b.say(true, &[]).await;
    expected.push("connection available");
    assert_eq!(seen().await, expected);
    let texts = arrived(&folder(&b)).concat();
    assert!(texts.contains(&format!("Subject: Your connection {id} (to the cloud) is down")));
}

#[tokio::test]
async fn an_order_that_is_not_plugged_is_called_to_mind_and_stays() {
    let b = Bench::new().await;
    let mailer = mailer(&b, MailWay::Maildir(None));
    let id = approved(&b).await;
    let mut seen = vec![];
    for days in [75, 2, 14, 30] {
        seen.push(told(&b, &mailer).await.len());
        b.wait(SignedDuration::from_hours(days * 24));
    }
    assert_eq!(seen, [1, 1, 2, 3]);
    let kinds: Vec<_> = told(&b, &mailer).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["loa", "loa ending", "loa run out"]);
    assert_eq!(b.app.overdue_orders().await.unwrap()[0].connection.id, id);
}

#[tokio::test]
async fn an_offered_interface_is_told_when_it_waits_when_it_will_not_for_long_and_when_it_is_over()
{
    let b = Bench::new().await;
    let mailer = mailer(&b, MailWay::Maildir(None));
    let connection = b.lit().await;
    let before = told(&b, &mailer).await.len();
    let offer = CreateInterface { owner: Some(b.bob), ..interface(connection, None) };
    let id = b.app.create_interface(&b.alice(), offer).await.unwrap().interface.id;
    let news = async || told(&b, &mailer).await.split_off(before);
    assert_eq!(news().await, [("interface waiting", b.bob)]);
    b.wait(SignedDuration::from_hours(5 * 24));
    assert_eq!(news().await.len(), 1);
    b.wait(SignedDuration::from_hours(25));
    assert_eq!(news().await[1..], [("interface expiring", b.bob)]);
    b.wait(SignedDuration::from_hours(24));
    reconcile::pass(&b.app).await.unwrap();
    let mut last = news().await.split_off(2);
    last.sort_by_key(|(_, to)| *to == b.bob);
    assert_eq!(last, [("interface expired", b.alice), ("interface expired", b.bob)]);
    b.wait(SignedDuration::from_hours(24));
    reconcile::pass(&b.app).await.unwrap();
    assert_eq!(news().await.len(), 4);
    let texts = arrived(&folder(&b)).concat();
    assert!(texts.contains(&format!("offers you the interface {id}")), "{texts}");
}

#[tokio::test]
async fn what_is_no_longer_so_is_not_told() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let offer = CreateInterface { owner: Some(b.bob), ..interface(connection, None) };
    let id = b.app.create_interface(&b.alice(), offer).await.unwrap().interface.id;
    b.app.delete_interface(&b.ctx(b.bob), id).await.unwrap();
    round(&b.app, &mailer(&b, MailWay::Maildir(None))).await.unwrap();
    let mails = b.app.mails().await.unwrap();
    assert_eq!(mails[0].mail.failure.as_deref(), Some("it is so no more"));
    assert!(mails[0].mail.dropped_at.is_some());
}

#[test]
fn a_password_is_not_sent_in_clear() {
    let from: Mailbox = "desk@directlink.example".parse().unwrap();
    let login = Some(("desk".to_owned(), "secret".into()));
    let MailWay::Relay(relay) = relay("127.0.0.1:25".parse().unwrap()) else { unreachable!() };
    let way = MailWay::Relay(Relay { login, ..relay });
    let config = config::Mail { from: None, way };
    assert!(!format!("{config:?}").contains("secret"));
    let opened = Post::open(&config, Path::new("/nowhere"), &from);
    assert!(matches!(opened, Err(Error::PasswordInClear)));
}
