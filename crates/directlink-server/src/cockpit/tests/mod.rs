//! Cockpit as a browser would ask it: a real store, the real routers, no socket.

mod door;
mod forms;
mod hanging;
mod isolation;
mod live;
mod operator;
mod pages;

use crate::{
    api,
    app::{
        sessions::Visitor,
        tests::{Bench, interface},
    },
    config::Doors,
};
use axum::{Router, body::Body};
use directlink_model::{
    command::{CreateInterface, CreateSubnet},
    ids::{AccountId, ConnectionId, GatewayId, InterfaceId, NetId},
};
use http::{HeaderMap, Method, Request, StatusCode, header};
use secrecy::ExposeSecret;
use tower::ServiceExt;

/// What came back.
struct Seen {
    status: StatusCode,
    headers: HeaderMap,
    html: String,
}

impl Seen {
    fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn has(&self, text: &str) -> &Self {
        assert!(self.html.contains(text), "'{text}' is not in {} {}", self.status, self.html);
        self
    }

    #[track_caller]
    fn lacks(&self, text: &str) -> &Self {
        assert!(!self.html.contains(text), "'{text}' is in {}", self.html);
        self
    }

    /// What stands beside a field.
    fn complaint(&self, field: &str) -> &str {
        let mark = format!("id=\"e-{field}\">");
        let after = self.html.split_once(&mark).map_or("", |(_, after)| after);
        after.split_once("</p>").map_or("", |(text, _)| text)
    }
}

/// A browser at one of the two doors.
struct Browser {
    router: Router,
    cookie: String,
}

impl Browser {
    fn stranger(b: &Bench) -> Self {
        Self { router: api::front(b.app.clone(), Doors::default()), cookie: String::new() }
    }

    async fn of(b: &Bench, account: AccountId) -> Self {
        let now = b.app.machine_now();
        let key = b.app.begin_session(Visitor::Account(account), now).await.unwrap();
        let cookie = format!("directlink-session={}", key.expose_secret());
        Self { router: api::front(b.app.clone(), Doors::default()), cookie }
    }

    async fn operator(b: &Bench) -> Self {
        let key = b.app.begin_session(Visitor::Operator, b.app.machine_now()).await.unwrap();
        let cookie = format!("directlink-operator={}", key.expose_secret());
        Self { router: api::operator(b.app.clone()), cookie }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Seen {
        let mut request =
            Request::builder().method(method).uri(path).header("host", "cockpit.test");
        if !self.cookie.is_empty() {
            request = request.header("cookie", format!("theme=dark; {}", self.cookie));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let html = String::from_utf8_lossy(&bytes).into_owned();
        Seen { status: head.status, headers: head.headers, html }
    }

    async fn get(&self, path: &str) -> Seen {
        self.ask(Method::GET, path, &[], String::new()).await
    }

    /// The token that this session's forms hold.
    async fn token(&self) -> String {
        let page = self.get("/cockpit").await;
        let after = page.html.split_once("name=\"csrf\" value=\"").map_or("", |(_, after)| after);
        after.split_once('"').map_or(String::new(), |(token, _)| token.to_owned())
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let token = self.token().await;
        self.post_with(path, &token, fields, &[]).await
    }

    async fn post_with(
        &self,
        path: &str,
        token: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Seen {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", token);
        form.extend_pairs(fields);
        self.ask(Method::POST, path, headers, form.finish()).await
    }
}

/// Alice's: a lit connection, a Net with a Subnet and a gateway, and an interface with a key.
struct Things {
    connection: ConnectionId,
    net: NetId,
    gateway: GatewayId,
    interface: InterfaceId,
}

const KEY: &str = "tgyn26example";

async fn things(b: &Bench) -> Things {
    let connection = b.lit().await;
    let (net, gateway) = b.net().await;
    let range = "10.0.1.0/24".parse().unwrap();
    b.app.create_subnet(&b.alice(), CreateSubnet { net, range, subregion: None }).await.unwrap();
    let made = b.app.create_interface(&b.alice(), interface(connection, Some(gateway))).await;
    Things { connection, net, gateway, interface: made.unwrap().interface.id }
}

/// Offered to Bob on Alice's connection.
async fn offered(b: &Bench, connection: ConnectionId) -> InterfaceId {
    let vlan = 102u16.try_into().unwrap();
    let offer = CreateInterface { owner: Some(b.bob), vlan, ..interface(connection, None) };
    b.app.create_interface(&b.alice(), offer).await.unwrap().interface.id
}
