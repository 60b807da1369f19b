//! Enrolment, renewal and revocation as a router sees them: real TLS, real certificates.

use super::*;
use crate::{config::Rules, store::certificates};
use directlink_channel::{EnrolRequest, Issued, RenewRequest, enrolment_client::EnrolmentClient};
use directlink_model::enrolment::Token;
use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tonic::Request;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn signing_request(key: &KeyPair) -> Vec<u8> {
    CertificateParams::default().serialize_request(key).unwrap().der().to_vec()
}

fn identity(issued: &Issued, key: &KeyPair) -> RouterIdentity {
    RouterIdentity {
        ca_pem: issued.ca_pem.clone(),
        certificate_pem: issued.certificate_pem.clone(),
        key_pem: key.serialize_pem().into(),
    }
}

impl Region {
    async fn token(&self, router: &str) -> Token {
        let router = router.parse().unwrap();
        self.running.app.enrol_router(&router, HOUR).await.unwrap().token
    }

    pub(super) async fn enrol(
        &self,
        router: &str,
        secret: Option<&str>,
    ) -> Result<RouterIdentity, Status> {
        let key = KeyPair::generate().unwrap();
        let mut client = EnrolmentClient::new(self.channel(None).await.unwrap());
        let mut request = Request::new(EnrolRequest {
            router: router.into(),
            signing_request: signing_request(&key),
        });
        if let Some(secret) = secret {
            let bearer = format!("Bearer {secret}").parse().unwrap();
            request.metadata_mut().insert("authorization", bearer);
        }
        let issued = client.enrol(request).await?.into_inner();
        Ok(identity(&issued, &key))
    }

    pub(super) async fn renew(
        &self,
        shown: Option<&RouterIdentity>,
    ) -> Result<RouterIdentity, Status> {
        let key = KeyPair::generate().unwrap();
        let channel = self.channel(shown).await.map_err(Status::unavailable)?;
        let request = RenewRequest { signing_request: signing_request(&key) };
        let issued = EnrolmentClient::new(channel).renew(request).await?.into_inner();
        Ok(identity(&issued, &key))
    }
}

/// Until the server ends it, and no plan meanwhile is one too many.
async fn ends(agent: &mut FakeAgent) {
    let end = async { while let Ok(Some(_)) = agent.heard.message().await {} };
    tokio::time::timeout(Duration::from_secs(10), end).await.expect("cut in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_enrols_with_its_token_once_and_speaks_for_itself_alone() {
    let region = Region::new().await;
    let token = region.token("r1").await;
    let secret = Some(token.expose_secret());
    for (router, secret) in [("r1", None), ("r1", Some("wrong")), ("r2", secret)] {
        let refused = region.enrol(router, secret).await.err().unwrap();
        assert!(matches!(refused.code(), Code::Unauthenticated | Code::PermissionDenied));
    }
    let enrolled = region.enrol("r1", secret).await.unwrap();
    let mut agent = region.attach(&enrolled, "r1", &[]).await.unwrap();
    agent.port_plan().await;
    let other = region.attach(&enrolled, "r2", &[]).await.err().unwrap();
    assert_eq!(other.code(), Code::PermissionDenied, "{other}");
    let again = region.enrol("r1", secret).await.err().unwrap();
    assert_eq!(again.code(), Code::PermissionDenied, "{again}");
    // The identity that was made with the router is worth nothing any more.
    let old = region.attach(&region.identities[0], "r1", &[]).await.err().unwrap();
    assert_eq!(old.code(), Code::Unauthenticated, "{old}");
    region.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_shows_the_authority_that_the_token_names() {
    let region = Region::new().await;
    let token = region.token("r1").await;
    let ca = CertificateDer::from_pem_slice(region.identities[0].ca_pem.as_bytes()).unwrap();
    assert_eq!(token.authority, crate::ca::fingerprint(&ca));
    region.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_while_its_stream_goes_on() {
    let region = Region::new().await;
    let mut agent = region.attach(&region.identities[0], "r1", &[]).await.unwrap();
    agent.port_plan().await;
    let next = region.renew(Some(&region.identities[0])).await.unwrap();
    // The stream is as alive as before,
    let id = region.ordered().await;
    let approve = ApproveOrder { connection: id, port: Some(port("r1")) };
    region.running.app.approve_order(approve).await.unwrap();
    assert_eq!(agent.port_plan().await.1.connection.unwrap().id, id);
    // both identities are good, and the new one renews itself.
    for shown in [&region.identities[0], &next] {
        assert!(region.attach(shown, "r1", &[]).await.is_ok());
    }
    assert!(region.renew(Some(&next)).await.is_ok());
    let nobody = region.renew(None).await.err().unwrap();
    assert_eq!(nobody.code(), Code::Unauthenticated, "{nobody}");
    region.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_router_is_cut_off_at_once_and_comes_back_with_a_token() {
    let region = Region::new().await;
    let app = &region.running.app;
    let router = "r1".parse().unwrap();
    let renewed = region.renew(Some(&region.identities[0])).await.unwrap();
    let mut agent = region.attach(&renewed, "r1", &[]).await.unwrap();
    let mut other = region.attach(&region.identities[1], "r2", &[]).await.unwrap();
    agent.port_plan().await;
    other.port_plan().await;
    app.revoke_router(&router).await.unwrap();
    ends(&mut agent).await;
    for shown in [&region.identities[0], &renewed] {
        let refused = region.attach(shown, "r1", &[]).await.err().unwrap();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
        let refused = region.renew(Some(shown)).await.err().unwrap();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    }
    let view = app.routers().await.unwrap();
    assert!(view.iter().any(|it| it.router.name.as_str() == "r2" && it.agent.connected));
    let token = region.token("r1").await;
    let anew = region.enrol("r1", Some(token.expose_secret())).await.unwrap();
    let mut agent = region.attach(&anew, "r1", &[]).await.unwrap();
    agent.port_plan().await;
    region.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_certificate_gets_no_plan_and_who_has_run_out_no_connection() {
    let region = Region::new().await;
    let mut nobody = region.dial(None).await.unwrap();
    let hello = message(Message::Hello(Hello { router: "r1".into(), ..Hello::default() }));
    let refused = nobody.attach(futures::stream::iter([hello])).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    region.running.stop().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = ServeConfig::new(dir.path().to_owned(), crate::app::tests::region());
    // Run out before it is made.
    config.rules =
        Rules { router_certificate_life: -SignedDuration::from_hours(1), ..Rules::default() };
    let region = Region::with(config, dir).await;
    let refused = region.attach(&region.identities[0], "r1", &[]).await;
    assert!(refused.is_err(), "TLS takes no certificate that has run out");
    let mut db = region.running.app.parts().store.reader().await.unwrap();
    assert_eq!(certificates::standings(&mut db).await.unwrap().len(), 2);
    drop(db);
    region.running.stop().await;
}
