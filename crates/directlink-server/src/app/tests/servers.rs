//! Two servers on one database: what one gives the other does not give again, and each knows what the other's agents say.

use super::*;
use crate::ca::fingerprint;
use crate::reconcile::fleet;
use crate::store::{Store, testing};
use directlink_model::evidence::{PortEvidence, Transceiver};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use uuid::Uuid;

/// A server more on the database of the first.
async fn second(db: &TempDir) -> App {
    app_on(Store::open(&testing::database(db.path()).await).await.unwrap())
}

struct Two {
    one: Bench,
    other: App,
    _db: TempDir,
}

impl Two {
    async fn new() -> Self {
        let [db, dir] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let first = app_on(Store::open(&testing::database(db.path()).await).await.unwrap());
        let one = Bench::of(first, dir).await;
        let app = second(&db).await;
        Self { one, other: app, _db: db }
    }

    fn apps(&self) -> [&App; 2] {
        [&self.one.app, &self.other]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_and_a_vlan_are_given_once_whichever_servers_are_asked() {
    let two = Two::new().await;
    let b = &two.one;
    let orders = join_all((0..8).map(|_| b.order())).await;
    let approve = |(n, order): (usize, &ConnectionView)| {
        let approve = ApproveOrder { connection: order.connection.id, port: None };
        let app = two.apps()[n % 2].clone();
        async move { app.approve_order(approve).await }
    };
    let approved = join_all(orders.iter().enumerate().map(approve)).await;
    let ports: Vec<_> = approved
        .iter()
        .filter_map(|one| Some(one.as_ref().ok()?.connection.approval.as_ref()?.port.clone()))
        .collect();
    assert_eq!(ports.len(), 3, "as many as there are: {approved:?}");
    assert!(ports.iter().all(|port| ports.iter().filter(|other| *other == port).count() == 1));
    let mut lines = approved.into_iter().filter_map(Result::ok);
    let on_first = |it: &ConnectionView| {
        it.connection.approval.as_ref().is_some_and(|it| it.port == port("par1-r1/p0"))
    };
    let line = lines.find(on_first).unwrap().connection.id;
    b.say(true, &[]).await;
    let (_, gateway) = b.net().await;
    let create = |n: usize| {
        let app = two.apps()[n % 2].clone();
        let ctx = app.context(Caller { account: b.alice }, false);
        async move { app.create_interface(&ctx, interface(line, Some(gateway))).await }
    };
    let made = join_all((0..6).map(create)).await;
    assert_eq!(made.iter().filter(|one| one.is_ok()).count(), 1, "{made:?}");
}

fn said(generation: u64, evidence: PortEvidence) -> PortReport {
    PortReport {
        port: "p0".parse().unwrap(),
        applied_generation: generation,
        light: true,
        interfaces: BTreeMap::new(),
        unchanged: [].into(),
        evidence,
    }
}

#[tokio::test]
async fn each_server_knows_what_the_agents_of_the_other_say() {
    let two = Two::new().await;
    let [one, other] = two.apps();
    let (router, stream) = ("par1-r1".parse().unwrap(), Uuid::now_v7());
    assert!(other.attached((&router, "its certificate"), stream, "1.2.3").await.unwrap());
    let _plans = other.parts().agents.attach((&router, stream), ("1.2.3", &[]), other.now());
    let at = port("par1-r1/p0");
    let optics = |serial: &str| PortEvidence {
        transceiver: Some(Transceiver { serial: Some(serial.into()), ..Transceiver::default() }),
        ..PortEvidence::default()
    };
    // The second is no news: it is shown a moment later.
    for serial in ["A1", "B2"] {
        take_report(other, &at, said(0, optics(serial))).await.unwrap();
        fleet::exchange(other).await.unwrap();
        fleet::exchange(one).await.unwrap();
        let view = one.parts().agents.view(&router);
        assert!(view.connected && view.build.as_deref() == Some("1.2.3"), "{view:?}");
        assert_eq!(one.parts().agents.light(&at), Some(true));
        let seen = one.parts().agents.transceiver(&at).and_then(|it| it.serial);
        assert_eq!(seen.as_deref(), Some(serial));
        let mut db = one.parts().store.reader().await.unwrap();
        let report = one.last_report(&mut db, &at).await.unwrap().unwrap();
        assert_eq!(report.evidence, optics(serial));
    }
    other.parts().agents.detach(&router, stream);
    other.detached(&router, stream).await.unwrap();
    fleet::exchange(one).await.unwrap();
    assert!(!one.parts().agents.view(&router).connected);
}

#[tokio::test]
async fn what_a_router_said_on_an_earlier_stream_is_not_taken() {
    let two = Two::new().await;
    let [one, other] = two.apps();
    let id = two.one.lit().await;
    let (router, at) = ("par1-r1".parse().unwrap(), port("par1-r1/p0"));
    let mut streams = vec![];
    for app in [one, other] {
        let stream = Uuid::now_v7();
        assert!(app.attached((&router, "its certificate"), stream, "1").await.unwrap());
        streams.push(app.parts().agents.attach((&router, stream), ("1", &[]), app.now()));
    }
    let dark = PortReport { light: false, ..said(1, PortEvidence::default()) };
    let refused = take_report(one, &at, dark.clone()).await;
    assert!(matches!(refused, Err(reconcile::ReportError::Superseded)), "{refused:?}");
    assert_eq!(two.one.connection(id).await.state, ConnectionState::Available);
    take_report(other, &at, dark).await.unwrap();
    assert_eq!(two.one.connection(id).await.state, ConnectionState::Down);
}

#[tokio::test]
async fn what_a_router_says_again_is_news_where_another_server_has_heard_it_meanwhile() {
    let two = Two::new().await;
    let [one, other] = two.apps();
    let id = two.one.lit().await;
    let (router, at) = ("par1-r1".parse().unwrap(), port("par1-r1/p0"));
    let generation = two.one.generation("port/p0").await;
    let lit = said(generation, PortEvidence::default());
    let dark = PortReport { light: false, ..lit.clone() };
    for (app, report, state) in [
        (one, &lit, ConnectionState::Available),
        (other, &dark, ConnectionState::Down),
        (one, &lit, ConnectionState::Available),
        (other, &dark, ConnectionState::Down),
    ] {
        let stream = Uuid::now_v7();
        assert!(app.attached((&router, "its certificate"), stream, "1").await.unwrap());
        let attachment = app.parts().agents.attach((&router, stream), ("1", &[]), app.now());
        take_report(app, &at, report.clone()).await.unwrap();
        assert_eq!(two.one.connection(id).await.state, state);
        let mut db = one.parts().store.reader().await.unwrap();
        let shown = store::fleet::report(&mut db, &at).await.unwrap().unwrap();
        assert_eq!(shown.light, report.light, "others read what was said last");
        app.parts().agents.detach(&router, stream);
        app.detached(&router, stream).await.unwrap();
        drop(attachment);
    }
}

#[tokio::test]
async fn what_one_server_deletes_ends_when_the_other_hears_that_it_is_gone() {
    let two = Two::new().await;
    let (b, [one, other]) = (&two.one, two.apps());
    let line = b.order().await.connection.id;
    let approve = ApproveOrder { connection: line, port: Some(port("par1-r1/p0")) };
    one.approve_order(approve).await.unwrap();
    reconcile::pass(one).await.unwrap();
    // The router's agent is at the other one, and does as it is told.
    let at = port("par1-r1/p0");
    let generation = b.generation("port/p0").await;
    take_report(other, &at, said(generation, PortEvidence::default())).await.unwrap();
    let (_, gateway) = b.net().await;
    let wanted = interface(line, Some(gateway));
    let id = one.create_interface(&b.alice(), wanted).await.unwrap().interface.id;
    one.delete_interface(&b.alice(), id).await.unwrap();
    reconcile::pass(one).await.unwrap();
    let generation = b.generation("port/p0").await;
    take_report(other, &at, said(generation, PortEvidence::default())).await.unwrap();
    assert_eq!(b.state(id).await, InterfaceState::Deleted);
}

#[tokio::test]
async fn what_one_server_revokes_no_other_hears_any_more() {
    let two = Two::new().await;
    let [one, other] = two.apps();
    let (router, at) = ("par1-r1".parse().unwrap(), port("par1-r1/p0"));
    let shown = other.renew_identity(&router).await.unwrap().certificate_pem;
    let shown = CertificateDer::from_pem_slice(shown.as_bytes()).unwrap();
    let shown = fingerprint(&shown);
    let stream = Uuid::now_v7();
    assert!(other.attached((&router, &shown), stream, "1").await.unwrap());
    let _plans = other.parts().agents.attach((&router, stream), ("1", &[]), other.now());
    take_report(other, &at, said(0, PortEvidence::default())).await.unwrap();
    one.revoke_router(&router).await.unwrap();
    let dark = PortReport { light: false, ..said(0, PortEvidence::default()) };
    let refused = take_report(other, &at, dark).await;
    assert!(matches!(refused, Err(reconcile::ReportError::Superseded)), "{refused:?}");
    assert!(!other.attached((&router, &shown), Uuid::now_v7(), "1").await.unwrap());
    fleet::exchange(one).await.unwrap();
    assert!(!one.parts().agents.view(&router).connected);
}

#[tokio::test]
async fn an_authority_that_one_server_adds_the_other_trusts() {
    let two = Two::new().await;
    let [one, other] = two.apps();
    authorities::keep_signer(one).await;
    let new = one.add_authority().await.unwrap();
    one.use_authority(&new, true).await.unwrap();
    other.look_at_authorities().await.unwrap();
    assert_eq!(other.parts().authorities.now().signer.id, new);
}
