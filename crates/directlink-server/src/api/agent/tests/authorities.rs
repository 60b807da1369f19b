//! One authority takes another's place, as a router sees it.

use super::*;
use crate::config::AuthorityFiles;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::fs;

impl FakeAgent {
    async fn trust(&mut self) -> directlink_channel::Trust {
        let next = tokio::time::timeout(Duration::from_secs(10), self.heard.message()).await;
        match next.expect("a trust in time").unwrap().unwrap().message.unwrap() {
            to_router::Message::Trust(trust) => trust,
            other => panic!("{other:?}"),
        }
    }

    async fn trusts(&self, authorities: &[&str]) {
        let authorities = authorities.iter().map(ToString::to_string).collect();
        let trusted = Message::Trusted(directlink_channel::Trusted { authorities });
        self.say.send(message(trusted)).await.unwrap();
    }
}

/// The listener changes its certificates a moment after the store has them.
async fn soon(is_so: impl AsyncFn() -> bool) {
    let look = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), look).await.expect("so in time");
}

fn count(pem: &str) -> usize {
    pem.matches("BEGIN CERTIFICATE").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_is_told_whom_to_trust_then_to_renew_and_the_old_authority_goes() {
    let region = Region::new().await;
    let app = &region.running.app;
    let old = app.authorities().await.unwrap().remove(0).id;
    let shown = &region.identities[0];
    let mut agent = region.attach_trusting(shown, "r1", &[&old]).await.unwrap();
    agent.port_plan().await;
    // Another router, that never comes, is left out.
    app.revoke_router(&"r2".parse().unwrap()).await.unwrap();
    let new = app.add_authority().await.unwrap();
    let trust = agent.trust().await;
    assert_eq!((count(&trust.ca_pem), trust.renew), (2, false));
    assert!(app.use_authority(&new, false).await.is_err(), "it has not said that it does");
    agent.trusts(&[&old, &new]).await;
    soon(async || app.use_authority(&new, false).await.is_ok()).await;
    assert!(agent.trust().await.renew);
    // Who trusts the old one alone does not know the server any more; who was told does.
    soon(async || region.renew(Some(shown)).await.is_err()).await;
    let told = RouterIdentity { ca_pem: trust.ca_pem, ..shown.clone() };
    let renewed = region.renew(Some(&told)).await.unwrap();
    app.retire_authority(&old, false).await.unwrap();
    let trust = agent.trust().await;
    assert_eq!((count(&trust.ca_pem), trust.renew), (1, false));
    let renewed = RouterIdentity { ca_pem: trust.ca_pem, ..renewed };
    let told = RouterIdentity { ca_pem: renewed.ca_pem.clone(), ..told };
    // Its authority is retired.
    soon(async || region.attach(&told, "r1", &[]).await.is_err()).await;
    let mut next = region.attach(&renewed, "r1", &[]).await.unwrap();
    next.port_plan().await;
    // The stream that was there all the time is as good as before.
    let id = region.ordered().await;
    app.approve_order(ApproveOrder { connection: id, port: Some(port("r1")) }).await.unwrap();
    assert_eq!(agent.port_plan().await.1.connection.unwrap().id, id);
    region.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_intermediate_signs_and_is_all_that_routers_trust() {
    let dir = tempfile::tempdir().unwrap();
    let params = || {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        params
    };
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root = Issuer::new(params(), root_key);
    let intermediate = params().signed_by(&key, &root).unwrap().pem();
    let files =
        AuthorityFiles { certificate: dir.path().join("i.pem"), key: dir.path().join("i.key") };
    fs::write(&files.certificate, &intermediate).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    let mut config = ServeConfig::new(dir.path().to_owned(), crate::app::tests::region());
    config.authority = Some(files);
    let region = Region::with(config, dir).await;
    assert_eq!(count(&region.identities[0].ca_pem), 1);
    let mut agent = region.attach(&region.identities[0], "r1", &[]).await.unwrap();
    agent.port_plan().await;
    let token = region.running.app.enrol_router(&"r1".parse().unwrap(), HOUR).await.unwrap().token;
    let enrolled = region.enrol("r1", Some(token.expose_secret())).await.unwrap();
    assert!(region.attach(&enrolled, "r1", &[]).await.is_ok());
    region.running.stop().await;
}

const HOUR: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);
