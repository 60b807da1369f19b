//! A whole Region in a test: real store, real signatures, no socket. Requests go straight into the
//! routers; every answer of a customer API is held against the published description of that API.

mod published;

pub(super) use published::{AWS, OAPI, code_types};

use super::{front, operator};
use crate::{
    app::{App, Parts},
    auth::sigv4::tests::Signer,
    ca::{Authorities, Authority},
    clock::Clock,
    config::{Doors, Rules},
    reconcile::{self, Agents},
    store::testing,
    throttle::Limit,
};
use axum::{Router, body::Body, extract::Request};
use directlink_model::{
    connection::PortRef,
    ids::InterfaceId,
    location::Region,
    report::{InterfaceReport, LearnedRoute, PortReport, SessionReport},
};
use directlink_net::{Asn, IpNet, Mac, RegionAsn};
use http::{HeaderMap, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tower::ServiceExt;

pub(super) const TOKEN: &str = "the operator's token";

/// An account's secrets, as the operator's API gave them.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) account: String,
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) login: String,
    pub(super) password: String,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Answer {
    /// Of the OUTSCALE API: `0` where nothing was refused.
    pub(super) fn code(&self) -> u32 {
        let code = self.body["Errors"][0]["Code"].as_str();
        code.map_or(0, |code| code.parse().unwrap())
    }

    /// Of the AWS face: type and text; empty where nothing was refused.
    pub(super) fn refusal(&self) -> (&str, &str) {
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        (text("__type"), text("message"))
    }
}

/// A Region eu-west-2 with PAR1 and PAR4, a router at each, and two accounts.
pub(super) struct TestRegion {
    pub(super) app: App,
    pub(super) owner: Keys,
    pub(super) guest: Keys,
    front: Router,
    operator: Router,
    _dir: TempDir,
}

impl TestRegion {
    pub(super) async fn new() -> Self {
        let off = Limit::Off;
        Self::with(Doors { account_rate: off, address_rate: off, ..Doors::default() }).await
    }

    pub(super) async fn with(doors: Doors) -> Self {
        let dir = TempDir::new().unwrap();
        let app = App::new(Parts {
            region: Region {
                name: "eu-west-2".parse().unwrap(),
                asn: RegionAsn(Asn::try_from(50624u32).unwrap()),
                ipv6: Some("fd44:4c00::/24".parse().unwrap()),
            },
            rules: Rules::default(),
            clock: Clock::stopped_at("2026-11-23T12:00:00Z".parse().unwrap()),
            chance: crate::chance::Chance::of_machine(),
            store: testing::open(dir.path()).await,
            authorities: Authorities::of(Authority::make(Timestamp::UNIX_EPOCH).unwrap()),
            links: crate::config::Links::to("https://directlink.example"),
            operator_token: TOKEN.into(),
            agents: Agents::default(),
            api_logs: crate::app::ApiLogs::default(),
            figures: crate::app::Figures::default(),
            wake: Notify::new(),
            wake_mail: Notify::new(),
            drain: watch::Sender::new(false),
            stop: watch::Sender::new(false),
        });
        let (front, operator) = (front(app.clone(), doors), operator(app.clone()));
        for (n, (code, subregion)) in
            [("PAR1", "eu-west-2a"), ("PAR4", "eu-west-2b")].into_iter().enumerate()
        {
            let location = json!({"code": code, "name": "A site, France", "subregion": subregion});
            let router = format!("{}-r1", code.to_lowercase());
            let vtep = format!("10.255.0.{}", n + 1);
            let ports =
                ["p0", "p1"].map(|p| json!({"port": format!("{router}/{p}"), "speed": "1Gbps"}));
            ask(&operator, "locations", location).await;
            ask(&operator, "routers", json!({"name": router, "location": code, "vtep": vtep}))
                .await;
            for port in ports {
                ask(&operator, "ports", port).await;
            }
        }
        let owner = keys(&ask(&operator, "accounts", json!({})).await);
        let guest = keys(&ask(&operator, "accounts", json!({})).await);
        Self { app, owner, guest, front, operator, _dir: dir }
    }

    pub(super) async fn operator(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = operator_request(method, path, TOKEN, body);
        send(&self.operator, request).await
    }

    /// The Region's clock goes on.
    pub(super) async fn later(&self, seconds: i64) {
        self.app.advance_clock(SignedDuration::from_secs(seconds)).await.unwrap();
    }

    /// With another token.
    pub(super) async fn stranger(&self, path: &str, token: &str) -> Answer {
        send(&self.operator, operator_request(Method::GET, path, token, json!({}))).await
    }

    /// Any request at all, to the customers' listener.
    pub(super) async fn raw(&self, request: Request<Body>) -> Answer {
        send(&self.front, request).await
    }

    /// A signed call of the OUTSCALE API.
    pub(super) async fn oapi(&self, keys: &Keys, action: &str, body: Value) -> Answer {
        let path = format!("/api/v1/{action}");
        let headers = [("content-type", "application/json")];
        let request = self.signed(keys, &path, &headers, body.to_string());
        let answer = self.raw(request).await;
        OAPI.check_answer(action, answer.status, &answer.body);
        answer
    }

    /// One that must go well.
    pub(super) async fn good(&self, keys: &Keys, action: &str, body: Value) -> Value {
        let answer = self.oapi(keys, action, body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{action} {body}: {}", answer.body);
        answer.body
    }

    /// A signed call of the AWS face.
    pub(super) async fn aws(&self, keys: &Keys, operation: &str, body: Value) -> Answer {
        let target = format!("OvertureService.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &target)];
        let answer = self.raw(self.signed(keys, "/", &headers, body.to_string())).await;
        for name in ["x-amzn-requestid", "x-amz-requestid"] {
            assert!(answer.headers.contains_key(name), "{operation}: no {name}");
        }
        AWS.check_answer(operation, answer.status, &answer.body);
        answer
    }

    pub(super) fn signed(
        &self,
        keys: &Keys,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Request<Body> {
        let mut all = vec![("host", "127.0.0.1:18099")];
        all.extend(headers);
        let signer = Signer {
            access_key: &keys.access_key,
            secret_key: &keys.secret_key,
            region: "eu-west-2",
            service: "api",
            now: self.app.machine_now(),
        };
        let signed = signer.sign(path, &all, body.as_bytes());
        let mut request = Request::post(path);
        for (name, value) in all.iter().copied().chain(signed.iter().map(|(n, v)| (&**n, &**v))) {
            request = request.header(name, value);
        }
        request.body(body.into()).unwrap()
    }

    /// Orders a connection, has it approved, and plugs it.
    pub(super) async fn plugged(&self, keys: &Keys) -> (String, PortRef) {
        let order = json!({"Location": "PAR1", "Bandwidth": "1Gbps", "DirectLinkName": "fibre"});
        let made = self.good(keys, "CreateDirectLink", order).await;
        let id = made["DirectLink"]["DirectLinkId"].as_str().unwrap().to_owned();
        let approved =
            self.operator(Method::POST, &format!("orders/{id}/approve"), json!({})).await;
        let port = approved.body["port"].as_str().unwrap();
        let (router, port) = port.split_once('/').unwrap();
        let port = PortRef { router: router.parse().unwrap(), port: port.parse().unwrap() };
        self.report(&port, true, &[]).await;
        (id, port)
    }

    /// What the port's router says: light, and interfaces that work, each with a learned prefix.
    pub(super) async fn report(&self, port: &PortRef, light: bool, working: &[(&str, &str)]) {
        let interfaces: BTreeMap<InterfaceId, _> =
            working.iter().map(|(id, prefix)| (id.parse().unwrap(), works(prefix))).collect();
        self.report_all(port, light, interfaces).await;
    }

    pub(super) async fn report_all(
        &self,
        port: &PortRef,
        light: bool,
        interfaces: BTreeMap<InterfaceId, InterfaceReport>,
    ) {
        reconcile::pass(&self.app).await.unwrap();
        let applied_generation = i64::MAX.unsigned_abs();
        let report = PortReport {
            port: port.port.clone(),
            applied_generation,
            light,
            interfaces,
            unchanged: [].into(),
            evidence: Default::default(),
        };
        reconcile::take_report(&self.app, port, report).await.unwrap();
    }
}

fn works(prefix: &str) -> InterfaceReport {
    let prefix: IpNet = prefix.parse().unwrap();
    let session = SessionReport { state: SessionReport::ESTABLISHED.into(), ..Default::default() };
    InterfaceReport {
        configured: true,
        session,
        neighbour: Some(Mac([2, 0, 0, 0, 0, 1])),
        rows_in_kernel: true,
        advertised: vec!["10.0.0.0/16".parse().unwrap()],
        learned: vec![LearnedRoute {
            prefix,
            as_path: vec![65000],
            med: None,
            local_pref: 100,
            best: true,
        }],
        ..Default::default()
    }
}

fn keys(made: &Value) -> Keys {
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    Keys {
        account: text("id"),
        access_key: text("access_key"),
        secret_key: text("secret_key"),
        login: text("login"),
        password: text("password"),
    }
}

fn operator_request(method: Method, path: &str, token: &str, body: Value) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(format!("/operator/v1/{path}"))
        .header("authorization", format!("Bearer {token}"))
        .body(body.to_string().into())
        .unwrap()
}

async fn ask(operator: &Router, path: &str, body: Value) -> Value {
    let answer = send(operator, operator_request(Method::POST, path, TOKEN, body)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{path}: {}", answer.body);
    answer.body
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status: head.status, headers: head.headers, body }
}
