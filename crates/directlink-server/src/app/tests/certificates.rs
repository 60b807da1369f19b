//! Tokens, certificates and their end, as the store keeps them.

use super::*;
use crate::{
    app::certificates::{Issued, Uncertified},
    ca::{SigningRequest, fingerprint},
    store::certificates::{holder, is_revoked},
};
use directlink_model::{
    Fault,
    enrolment::{Token, TokenFault},
    ids::RouterName,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn router() -> RouterName {
    "par1-r1".parse().unwrap()
}

fn request() -> SigningRequest {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap();
    SigningRequest::read(request.der()).unwrap()
}

fn print(issued: &Issued) -> String {
    fingerprint(&CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes()).unwrap())
}

impl Bench {
    async fn token(&self) -> Token {
        self.app.enrol_router(&router(), HOUR).await.unwrap().token
    }

    async fn enrol(&self, token: &Token, request: &SigningRequest) -> Result<String, TokenFault> {
        let made = self.app.certify_by_token(&token.router, token.expose_secret(), request).await;
        match made {
            Ok(issued) => Ok(print(&issued)),
            Err(Uncertified::Token(fault)) => Err(fault),
            Err(other) => panic!("{other}"),
        }
    }

    async fn holder(&self, fingerprint: &str) -> Option<RouterName> {
        let mut db = self.app.parts().store.reader().await.unwrap();
        holder(&mut db, fingerprint).await.unwrap().map(|(router, _)| router.name)
    }
}

#[tokio::test]
async fn a_token_makes_one_certificate_for_one_key_of_its_own_router() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let (first, other) = (request(), request());
    let of_another =
        Token::new("par4-r1".parse().unwrap(), token.expose_secret(), &token.authority);
    assert_eq!(bench.enrol(&of_another.unwrap(), &first).await, Err(TokenFault::Unknown));
    let made = bench.enrol(&token, &first).await.unwrap();
    assert_eq!(bench.holder(&made).await, Some(router()));
    assert_eq!(bench.enrol(&token, &other).await, Err(TokenFault::Used));
    // The answer was lost on its way: the same key asks again.
    let again = bench.enrol(&token, &first).await.unwrap();
    assert_eq!(bench.holder(&again).await, Some(router()));
    assert_eq!(bench.holder(&made).await, None, "there is one enrolled router of the name");
}

#[tokio::test]
async fn a_token_ends_by_time_by_the_operator_and_by_the_next() {
    let bench = Bench::new().await;
    let first = bench.token().await;
    let second = bench.token().await;
    assert_eq!(bench.enrol(&first, &request()).await, Err(TokenFault::Unknown));
    bench.app.cancel_enrolment(&router()).await.unwrap();
    assert_eq!(bench.enrol(&second, &request()).await, Err(TokenFault::Unknown));
    let third = bench.token().await;
    bench.app.parts().clock.advance(HOUR);
    assert_eq!(bench.enrol(&third, &request()).await, Err(TokenFault::RunOut));
    let view = bench.app.router(&router()).await.unwrap().unwrap().certificate;
    assert_eq!(view.token_until, None);
    for good_for in [SignedDuration::ZERO, SignedDuration::from_hours(8 * 24)] {
        let refused = bench.app.enrol_router(&router(), good_for).await;
        assert!(matches!(refused, Err(Refusal::Fault(Fault::BadValue { .. }))), "{refused:?}");
    }
    let nobody = bench.app.enrol_router(&"par9-r9".parse().unwrap(), HOUR).await;
    assert!(matches!(nobody, Err(Refusal::Fault(Fault::NoSuchRouter(_)))), "{nobody:?}");
}

#[tokio::test]
async fn a_token_is_not_in_the_store_nor_in_the_journal() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    bench.enrol(&token, &request()).await.unwrap();
    let files: Vec<u8> = std::fs::read_dir(bench.dir.path())
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.unwrap().path()).ok())
        .flatten()
        .collect();
    let secret = token.expose_secret().as_bytes();
    assert!(!files.windows(secret.len()).any(|window| window == secret));
}

#[tokio::test]
async fn a_renewal_takes_nothing_away_and_a_revocation_takes_all() {
    let bench = Bench::new().await;
    let token = bench.token().await;
    let first = bench.enrol(&token, &request()).await.unwrap();
    let (name, next) = bench.app.certify_again(&first, &request()).await.unwrap();
    let next = print(&next);
    assert_eq!(name, router());
    for good in [&first, &next] {
        assert_eq!(bench.holder(good).await, Some(router()));
    }
    let waiting = bench.token().await;
    bench.app.revoke_router(&router()).await.unwrap();
    for gone in [&first, &next] {
        assert_eq!(bench.holder(gone).await, None);
        let mut db = bench.app.parts().store.reader().await.unwrap();
        assert!(is_revoked(&mut db, gone).await.unwrap());
        drop(db);
        let refused = bench.app.certify_again(gone, &request()).await;
        assert!(matches!(refused, Err(Uncertified::Stranger)), "{refused:?}");
    }
    assert_eq!(bench.enrol(&waiting, &request()).await, Err(TokenFault::Unknown));
    let anew = bench.token().await;
    let anew = bench.enrol(&anew, &request()).await.unwrap();
    assert_eq!(bench.holder(&anew).await, Some(router()));
}

#[tokio::test]
async fn what_runs_out_is_shown_and_dated_by_the_machines_clock() {
    let bench = Bench::new().await;
    let to_enrol = AddRouter {
        name: "par1-r2".parse().unwrap(),
        location: "PAR1".parse().unwrap(),
        vtep: [10, 255, 0, 2].into(),
    };
    let name = bench.app.add_router_to_enrol(to_enrol).await.unwrap().name;
    let view = async || bench.app.router(&name).await.unwrap().unwrap().certificate;
    assert_eq!(view().await, CertificateView::default());
    let made = bench.app.enrol_router(&name, HOUR).await.unwrap();
    assert_eq!(view().await.token_until, Some(made.expires_at));
    bench.enrol(&made.token, &request()).await.unwrap();
    let shown = view().await;
    assert_eq!(shown.token_until, None, "it is used");
    let left = shown.expires_at.unwrap().duration_since(bench.app.machine_now());
    let life = Rules::default().router_certificate_life;
    assert!(left <= life && left > life - HOUR, "{left:?}");
    let lines = bench.app.router_lines().await.unwrap();
    let line = lines.into_iter().find(|line| line.router.name == name).unwrap();
    assert_eq!(line.certificate, shown);
}
