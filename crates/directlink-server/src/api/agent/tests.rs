//! The channel as an agent sees it: a real server on a free port of loopback, real certificates.

mod authorities;
mod enrolment;
mod own;

use crate::{
    app::{AddAccount, Identity as RouterIdentity},
    config::ServeConfig,
    serve::{Running, serve},
};
use directlink_channel::{
    Ack, Answer, COMPLETES_REPORTS, FromRouter, GIVES_TURNS, Hello, Nack, Plan, Report, ToRouter,
    agent_client::AgentClient, from_router::Message, to_router,
};
use directlink_model::{
    account::Caller,
    command::{AddLocation, AddPort, AddRouter, ApproveOrder, OrderConnection},
    connection::{Bandwidth, ConnectionState, PortRef},
    ids::{AccountId, ConnectionId},
    needs::Needs,
    plan::{Document, PortPlan},
    report::PortReport,
    tag_set::TagSet,
};
use secrecy::ExposeSecret;
use std::{collections::HashMap, time::Duration};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Status, Streaming,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

struct Region {
    running: Running,
    account: AccountId,
    identities: Vec<RouterIdentity>,
    _dir: TempDir,
}

impl Region {
    /// Routers r1 and r2 with a port p0 each.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = ServeConfig::new(dir.path().to_owned(), crate::app::tests::region());
        Self::with(config, dir).await
    }

    async fn with(mut config: ServeConfig, dir: TempDir) -> Self {
        config.virtual_clock = true;
        config.store = Some(crate::store::testing::address(dir.path()).await);
        let running = serve(config).await.unwrap();
        let app = &running.app;
        let location = AddLocation {
            code: "PAR1".parse().unwrap(),
            name: "A site, France".into(),
            subregion: "eu-west-2a".parse().unwrap(),
        };
        app.add_location(location).await.unwrap();
        let mut identities = vec![];
        for n in 1..=2u8 {
            let router = AddRouter {
                name: format!("r{n}").parse().unwrap(),
                location: "PAR1".parse().unwrap(),
                vtep: [10, 255, 0, n].into(),
            };
            identities.push(app.add_router(router).await.unwrap().identity);
            let port = port(&format!("r{n}"));
            app.add_port(AddPort { port, speed: Bandwidth::OneGbps, optics: None, position: None })
                .await
                .unwrap();
        }
        let account = app.add_account(AddAccount::default()).await.unwrap().account.id;
        Self { running, account, identities, _dir: dir }
    }

    async fn dial(
        &self,
        identity: Option<&RouterIdentity>,
    ) -> Result<AgentClient<Channel>, String> {
        self.channel(identity).await.map(AgentClient::new)
    }

    /// A channel that shows `identity`, or none.
    async fn channel(&self, identity: Option<&RouterIdentity>) -> Result<Channel, String> {
        let address = self.running.listening.agents;
        let mut tls = ClientTlsConfig::new()
            .domain_name("localhost")
            .ca_certificate(Certificate::from_pem(&identity.unwrap_or(&self.identities[0]).ca_pem));
        if let Some(identity) = identity {
            let key = identity.key_pem.expose_secret();
            tls = tls.identity(Identity::from_pem(&identity.certificate_pem, key));
        }
        let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
        let endpoint = endpoint.tls_config(tls).unwrap();
        endpoint.connect().await.map_err(|e| format!("{e:?}"))
    }

    async fn attach(
        &self,
        identity: &RouterIdentity,
        router: &str,
        held: &[(&str, u64)],
    ) -> Result<FakeAgent, Status> {
        self.attach_as(identity, router, held, &[]).await
    }

    async fn attach_trusting(
        &self,
        identity: &RouterIdentity,
        router: &str,
        trusts: &[&str],
    ) -> Result<FakeAgent, Status> {
        self.attach_as(identity, router, &[], trusts).await
    }

    async fn attach_as(
        &self,
        identity: &RouterIdentity,
        router: &str,
        held: &[(&str, u64)],
        trusts: &[&str],
    ) -> Result<FakeAgent, Status> {
        let mut client = self.dial(Some(identity)).await.map_err(Status::unavailable)?;
        let (say, said) = mpsc::channel(64);
        let hello = Hello {
            router: router.into(),
            build: "test".into(),
            held: held
                .iter()
                .map(|(scope, n)| ((*scope).to_owned(), *n))
                .collect::<HashMap<_, _>>(),
            answers: vec!["ping".into()],
            trusts: trusts.iter().map(ToString::to_string).collect(),
            waits: false,
        };
        say.send(message(Message::Hello(hello))).await.unwrap();
        let heard = client.attach(ReceiverStream::new(said)).await?.into_inner();
        Ok(FakeAgent { say, heard })
    }

    async fn ordered(&self) -> ConnectionId {
        let order = OrderConnection {
            name: "x".into(),
            location: "PAR1".into(),
            bandwidth: Bandwidth::OneGbps,
            lag: None,
            tags: TagSet::default(),
            needs: Needs::default(),
        };
        let ctx = self.running.app.context(Caller { account: self.account }, false);
        self.running.app.order_connection(&ctx, order).await.unwrap().connection.id
    }

    /// Looks until it is so; a report is folded as it arrives, so this takes milliseconds.
    async fn until_state(&self, id: ConnectionId, wanted: ConnectionState) {
        let look = async {
            loop {
                let all = self.running.app.all_connections(Some(&[id])).await.unwrap();
                if all.first().is_some_and(|view| view.state == wanted) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), look).await.expect("the state in time");
    }
}

struct FakeAgent {
    say: mpsc::Sender<FromRouter>,
    heard: Streaming<ToRouter>,
}

impl FakeAgent {
    async fn next(&mut self) -> to_router::Message {
        let next = tokio::time::timeout(Duration::from_secs(10), self.heard.message()).await;
        next.expect("a message in time").unwrap().unwrap().message.unwrap()
    }

    async fn plan(&mut self) -> Plan {
        match self.next().await {
            to_router::Message::Plan(plan) => plan,
            other => panic!("{other:?}"),
        }
    }

    async fn port_plan(&mut self) -> (u64, PortPlan) {
        let plan = self.plan().await;
        match serde_json::from_slice(&plan.document).unwrap() {
            Document::Port(port) => (plan.generation, port),
            Document::Net(net) => panic!("{net:?}"),
        }
    }

    async fn report(&self, applied_generation: u64, light: bool) {
        for said in Self::reported(applied_generation, light) {
            self.say.send(said).await.unwrap();
        }
    }

    /// In two parts, as a long one comes.
    fn reported(applied_generation: u64, light: bool) -> [FromRouter; 2] {
        let report = PortReport {
            port: "p0".parse().unwrap(),
            applied_generation,
            light,
            interfaces: [].into(),
            unchanged: [].into(),
            evidence: Default::default(),
        };
        let document = serde_json::to_vec(&report).unwrap();
        let (first, second) = document.split_at(document.len() / 2);
        [(first, true), (second, false)].map(|(part, continues)| {
            message(Message::Report(Report { document: part.into(), continues }))
        })
    }
}

fn message(message: Message) -> FromRouter {
    FromRouter { message: Some(message) }
}

fn port(router: &str) -> PortRef {
    PortRef { router: router.parse().unwrap(), port: "p0".parse().unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_no_certificate_or_a_strangers_is_refused() {
    let region = Region::new().await;
    let other = Region::new().await;
    for identity in [None, Some(&other.identities[0])] {
        // TLS 1.3: the client may learn of the refusal only with its first answer.
        let refused = match region.dial(identity).await {
            Err(_) => true,
            Ok(mut client) => {
                let hello = message(Message::Hello(Hello::default()));
                client.attach(futures::stream::iter([hello])).await.is_err()
            }
        };
        assert!(refused, "{identity:?}");
    }
    region.running.stop().await;
    other.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_cannot_speak_for_another() {
    let region = Region::new().await;
    let refused = region.attach(&region.identities[0], "r2", &[]).await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    let renewed = region.running.app.renew_identity(&"r1".parse().unwrap()).await.unwrap();
    let old = region.attach(&region.identities[0], "r1", &[]).await.err().unwrap();
    assert_eq!(old.code(), Code::Unauthenticated, "{old}");
    assert!(region.attach(&renewed, "r1", &[]).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_sent_what_it_does_not_hold_and_each_change_once() {
    let region = Region::new().await;
    let mut agent = region.attach(&region.identities[0], "r1", &[]).await.unwrap();
    let (generation, plan) = agent.port_plan().await;
    assert_eq!((generation, plan.connection), (1, None));
    let id = region.ordered().await;
    let approve = ApproveOrder { connection: id, port: Some(port("r1")) };
    region.running.app.approve_order(approve).await.unwrap();
    let (generation, plan) = agent.port_plan().await;
    assert_eq!((generation, plan.connection.unwrap().id), (2, id));
    drop(agent);
    // One that holds it already hears of the next change only.
    let mut agent = region.attach(&region.identities[0], "r1", &[("port/p0", 2)]).await.unwrap();
    let ctx = region.running.app.context(Caller { account: region.account }, false);
    region.running.app.delete_connection(&ctx, id).await.unwrap();
    assert_eq!(agent.port_plan().await.0, 3);
    // One that holds more than was ever given is numbered past.
    let mut agent = region.attach(&region.identities[0], "r1", &[("port/p0", 9)]).await.unwrap();
    assert_eq!(agent.port_plan().await.0, 10);
    region.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_waits_for_its_turn_to_speak_is_given_it() {
    let region = Region::new().await;
    let mut client = region.dial(Some(&region.identities[0])).await.unwrap();
    let (say, said) = mpsc::channel(64);
    let hello = Hello { router: "r1".into(), waits: true, ..Hello::default() };
    say.send(message(Message::Hello(hello))).await.unwrap();
    let response = client.attach(ReceiverStream::new(said)).await.unwrap();
    for word in [GIVES_TURNS, COMPLETES_REPORTS] {
        assert!(response.metadata().contains_key(word));
    }
    let mut agent = FakeAgent { say, heard: response.into_inner() };
    let mut has_plan = false;
    let mut has_turn = false;
    while !(has_plan && has_turn) {
        match agent.next().await {
            to_router::Message::Plan(_) => has_plan = true,
            to_router::Message::Turn(_) => has_turn = true,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_make_a_connection_available_down_and_deleted() {
    let region = Region::new().await;
    let app = &region.running.app;
    let mut agent = region.attach(&region.identities[0], "r1", &[]).await.unwrap();
    agent.plan().await;
    let id = region.ordered().await;
    let approve = ApproveOrder { connection: id, port: Some(port("r1")) };
    app.approve_order(approve).await.unwrap();
    let (generation, _) = agent.port_plan().await;
    for (light, state) in [
        (true, ConnectionState::Available),
        (false, ConnectionState::Down),
        (true, ConnectionState::Available),
    ] {
        agent.report(generation, light).await;
        region.until_state(id, state).await;
    }
    let view = app.routers().await.unwrap().remove(0);
    assert!(view.agent.connected && view.agent.last_seen_at.is_some());
    let ctx = app.context(Caller { account: region.account }, false);
    app.delete_connection(&ctx, id).await.unwrap();
    region.until_state(id, ConnectionState::Deleting).await;
    let (generation, _) = agent.port_plan().await;
    agent.report(generation, false).await;
    region.until_state(id, ConnectionState::Deleted).await;
    assert_eq!(app.routers().await.unwrap()[0].ports[0].connection, None, "the port is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_kept_and_an_agent_that_vanishes_changes_no_state() {
    let region = Region::new().await;
    let app = &region.running.app;
    let mut agent = region.attach(&region.identities[0], "r1", &[]).await.unwrap();
    agent.plan().await;
    let id = region.ordered().await;
    let approve = ApproveOrder { connection: id, port: Some(port("r1")) };
    app.approve_order(approve).await.unwrap();
    let (generation, _) = agent.port_plan().await;
    let scope = || "port/p0".to_owned();
    let nack = Nack { scope: scope(), generation, reason: "no such link".into() };
    agent.say.send(message(Message::Nack(nack))).await.unwrap();
    agent.report(generation, true).await;
    region.until_state(id, ConnectionState::Available).await;
    let seen = app.routers().await.unwrap()[0].agent.scopes[0].clone();
    assert_eq!(seen.failure.as_deref(), Some("no such link"));
    agent.say.send(message(Message::Ack(Ack { scope: scope(), generation }))).await.unwrap();
    agent.report(generation, false).await;
    region.until_state(id, ConnectionState::Down).await;
    agent.report(generation, true).await;
    region.until_state(id, ConnectionState::Available).await;
    drop(agent);
    let gone = async {
        while app.routers().await.unwrap()[0].agent.connected {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("noticed in time");
    let view = app.routers().await.unwrap()[0].agent.clone();
    assert_eq!(
        (view.scopes[0].failure.as_deref(), view.scopes[0].acknowledged_generation),
        (None, Some(generation))
    );
    region.until_state(id, ConnectionState::Available).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_attached_agents_stops() {
    let region = Region::new().await;
    let mut agent = region.attach(&region.identities[0], "r1", &[]).await.unwrap();
    agent.plan().await;
    tokio::time::timeout(Duration::from_secs(10), region.running.stop()).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_goes_by_the_routers_stream_and_its_answer_comes_back_to_who_asked() {
    let region = Region::new().await;
    let mut agent = region.attach(&region.identities[0], "r1", &[]).await.unwrap();
    agent.port_plan().await;
    let agents = &region.running.app.parts().agents;
    let ask = |router: &str, kind| agents.ask(&router.parse().unwrap(), kind, vec![7]);
    let asked = ask("r1", "ping").ok().unwrap();
    let heard = agent.heard.message().await.unwrap().unwrap().message.unwrap();
    let to_router::Message::Question(question) = heard else { panic!("{heard:?}") };
    assert_eq!(question.document, [7]);
    for number in [question.number + 1, question.number] {
        let answer = Answer { number, document: vec![8], file: vec![] };
        agent.say.send(message(Message::Answer(answer))).await.unwrap();
    }
    assert_eq!(asked.await.unwrap().document, [8]);
    assert!(ask("r1", "capture").is_err(), "its agent knows no such question");
    assert!(ask("r2", "ping").is_err(), "its agent is not connected");
    region.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lay_in_an_older_stream_of_the_router_is_not_believed_and_ends_it() {
    let region = Region::new().await;
    let app = &region.running.app;
    let mut older = region.attach(&region.identities[0], "r1", &[]).await.unwrap();
    older.plan().await;
    let id = region.ordered().await;
    let approve = ApproveOrder { connection: id, port: Some(port("r1")) };
    app.approve_order(approve).await.unwrap();
    let (generation, _) = older.port_plan().await;
    let newer =
        region.attach(&region.identities[0], "r1", &[("port/p0", generation)]).await.unwrap();
    let ack = |generation| message(Message::Ack(Ack { scope: "port/p0".into(), generation }));
    newer.say.send(ack(generation)).await.unwrap();
    newer.report(generation, true).await;
    region.until_state(id, ConnectionState::Available).await;
    // All lies there at once: the first of it ends the stream.
    let reported = FakeAgent::reported(generation, false);
    let said: Vec<_> = [ack(generation - 1)].into_iter().chain(reported).collect();
    let places = older.say.reserve_many(said.len()).await.unwrap();
    places.zip(said).for_each(|(place, said)| place.send(said));
    let end = async { while older.heard.message().await.is_ok_and(|said| said.is_some()) {} };
    tokio::time::timeout(Duration::from_secs(10), end).await.expect("it ends");
    let view = app.routers().await.unwrap()[0].agent.clone();
    assert_eq!(view.scopes[0].acknowledged_generation, Some(generation));
    region.until_state(id, ConnectionState::Available).await;
    region.running.stop().await;
}
