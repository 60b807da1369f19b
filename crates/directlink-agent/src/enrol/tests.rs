//! Against a server's end in this process: real TLS over loopback, and a desk that takes one secret.

use super::*;
use crate::KernelConfig;
use directlink_channel::enrolment_server::{Enrolment, EnrolmentServer};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, IsCa, Issuer,
    date_time_ymd,
};
use std::{
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Response,
    transport::{Certificate, Identity as TlsIdentity, Server, ServerTlsConfig},
};

const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

struct Authority {
    pem: String,
    fingerprint: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Arc<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Arc::new(Self {
            pem: certificate.pem(),
            fingerprint: hex::encode(Sha256::digest(certificate.der())),
            issuer: Issuer::new(params, key),
        })
    }

    fn server(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap().pem();
        (format!("{leaf}{}", self.pem), key.serialize_pem())
    }

    /// For the key of the request, unless `key` is another's.
    fn certify(&self, request: &[u8], year: i32, key: Option<&KeyPair>) -> Issued {
        let request = CertificateSigningRequestParams::from_der(&request.to_vec().into()).unwrap();
        let mut params = CertificateParams::default();
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = match key {
            Some(key) => params.signed_by(key, &self.issuer),
            None => params.signed_by(&request.public_key, &self.issuer),
        };
        Issued { certificate_pem: certificate.unwrap().pem(), ca_pem: self.pem.clone() }
    }
}

/// What the server's end does with requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Desk {
    Honest,
    /// Takes the first request and says nothing of it.
    LosesTheFirst,
    AnothersKey,
}

struct Service {
    desk: Desk,
    authority: Arc<Authority>,
    asked: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl Enrolment for Service {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<Issued>, Status> {
        let nth = self.asked.fetch_add(1, SeqCst);
        let bearer = request.metadata().get("authorization").unwrap().to_str().unwrap();
        if bearer != format!("Bearer {SECRET}") {
            return Err(Status::permission_denied("the token has been used"));
        }
        let wish = request.into_inner();
        assert_eq!(wish.router, "r1");
        let another = KeyPair::generate().unwrap();
        let key = Some(&another).filter(|_| self.desk == Desk::AnothersKey);
        match self.desk == Desk::LosesTheFirst && nth == 0 {
            true => Err(Status::unavailable("lost")),
            false => Ok(Response::new(self.authority.certify(&wish.signing_request, 2030, key))),
        }
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<Issued>, Status> {
        assert!(request.peer_certs().is_some(), "only who shows a certificate renews it");
        let RenewRequest { signing_request } = request.into_inner();
        Ok(Response::new(self.authority.certify(&signing_request, 2031, None)))
    }
}

struct Bench {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    authority: Arc<Authority>,
    dir: TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Bench {
    /// A server that is certified for `name`.
    async fn new(desk: Desk, name: &str) -> Self {
        let authority = Authority::new();
        let (chain, key) = authority.server(name);
        let tls = ServerTlsConfig::new()
            .identity(TlsIdentity::from_pem(chain, key))
            .client_ca_root(Certificate::from_pem(&authority.pem))
            .client_auth_optional(true);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<AtomicUsize>::default();
        let service =
            Service { desk, authority: Arc::clone(&authority), asked: Arc::clone(&asked) };
        let serve = Server::builder()
            .tls_config(tls)
            .unwrap()
            .add_service(EnrolmentServer::new(service))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let task = tokio::spawn(async move { serve.await.unwrap() });
        Self { address, asked, authority, dir: tempfile::tempdir().unwrap(), task }
    }

    fn config(&self) -> AgentConfig {
        AgentConfig {
            router: "r1".parse().unwrap(),
            servers: vec![self.server()],
            identity_dir: self.dir.path().to_owned(),
            enrol_token: None,
            enrol_token_file: None,
            state_dir: self.dir.path().to_owned(),
            bfd: crate::BfdSettings::default(),
            prefixes_max: crate::PREFIXES_MAX,
            bmp: crate::BmpConfig::default(),
            sflow: crate::SflowConfig::default(),
            kernel: KernelConfig {
                netns: None,
                netns_prefix: String::new(),
                pin_dir: self.dir.path().to_owned(),
                uplink: "uplink0".into(),
            },
        }
    }

    fn server(&self) -> String {
        format!("https://{}", self.address)
    }

    async fn enrol(&self, token: &str) -> Result<Validity, EnrolError> {
        enrol(&self.config(), &self.server(), &token.into()).await
    }

    fn token(&self) -> String {
        format!("r1.{SECRET}.{}", self.authority.fingerprint)
    }

    fn identity(&self) -> Option<Identity> {
        IdentityDir::new(self.dir.path()).load().unwrap()
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

fn key_of(identity: &Identity) -> Vec<u8> {
    let text = String::from_utf8(identity.key.clone()).unwrap();
    let key = text.find("-----BEGIN PRIVATE").map(|at| &text[at..]).unwrap();
    KeyPair::from_pem(key).unwrap().public_key_raw().to_vec()
}

fn exists(dir: &Path, name: &str) -> bool {
    dir.join(name).exists()
}

#[tokio::test]
async fn a_token_makes_an_identity_that_renews_itself_with_another_key() {
    let bench = Bench::new(Desk::Honest, "127.0.0.1").await;
    let validity = bench.enrol(&bench.token()).await.unwrap();
    assert_eq!(validity.until.to_string(), "2030-01-01T00:00:00Z");
    let first = bench.identity().unwrap();
    assert!(!exists(bench.dir.path(), "enrol.key"), "it is the identity's now");
    let next = renew(&bench.config(), &bench.server()).await.unwrap();
    assert_eq!(next.until.to_string(), "2031-01-01T00:00:00Z");
    let second = bench.identity().unwrap();
    assert_eq!(second.validity, next);
    assert_ne!(key_of(&first), key_of(&second));
}

#[tokio::test]
async fn a_server_of_another_authority_or_name_is_told_nothing() {
    let bench = Bench::new(Desk::Honest, "127.0.0.1").await;
    let other = Authority::new().fingerprint.clone();
    let strange = bench.enrol(&format!("r1.{SECRET}.{other}")).await.err().unwrap();
    assert!(matches!(strange, EnrolError::Connect { .. }), "{strange}");
    let misnamed = Bench::new(Desk::Honest, "elsewhere.example").await;
    let error = misnamed.enrol(&misnamed.token()).await.err().unwrap();
    assert!(matches!(error, EnrolError::Connect { .. }), "{error}");
    assert_eq!((bench.asked(), misnamed.asked()), (0, 0));
    assert!(!error.is_final(), "another server may be the right one");
}

#[tokio::test]
async fn who_got_no_answer_asks_again_for_the_same_key() {
    let bench = Bench::new(Desk::LosesTheFirst, "127.0.0.1").await;
    let lost = bench.enrol(&bench.token()).await.err().unwrap();
    assert!(!lost.is_final(), "{lost}");
    let key = fs::read(bench.dir.path().join("enrol.key")).unwrap();
    bench.enrol(&bench.token()).await.unwrap();
    let identity = bench.identity().unwrap();
    assert!(String::from_utf8(identity.key).unwrap().ends_with(&String::from_utf8(key).unwrap()));
}

#[tokio::test]
async fn a_certificate_for_anothers_key_is_not_kept() {
    let bench = Bench::new(Desk::AnothersKey, "127.0.0.1").await;
    let error = bench.enrol(&bench.token()).await.err().unwrap();
    assert!(matches!(error, EnrolError::Issued), "{error}");
    assert!(bench.identity().is_none());
}

#[tokio::test]
async fn a_token_of_another_router_or_that_was_used_is_not_tried_again() {
    let bench = Bench::new(Desk::Honest, "127.0.0.1").await;
    let authority = &bench.authority.fingerprint;
    let used = SECRET.replace('0', "1");
    for token in [
        format!("r2.{SECRET}.{authority}"),
        format!("r1.{used}.{authority}"),
        "no token".to_owned(),
    ] {
        let error = bench.enrol(&token).await.err().unwrap();
        assert!(error.is_final(), "{error}");
        assert!(!error.to_string().contains(SECRET));
    }
    let file = bench.dir.path().join("enrol-token");
    fs::write(&file, "no token\n").unwrap();
    let mut tokens = Tokens::new(&bench.config());
    let token = tokens.next(true).unwrap().unwrap();
    tokens.refused(token);
    assert!(tokens.next(true).unwrap().is_none());
    // What is brought later is another matter, and is gone when it was used.
    fs::write(&file, "another").unwrap();
    let token = tokens.next(true).unwrap().unwrap();
    assert_eq!(token.expose_secret(), "another");
    tokens.used(token);
    assert!(!file.exists() && tokens.next(true).unwrap().is_none());
}

#[tokio::test]
async fn a_token_that_was_given_at_the_start_is_for_a_router_without_an_identity() {
    let bench = Bench::new(Desk::Honest, "127.0.0.1").await;
    let config = AgentConfig { enrol_token: Some(bench.token().into()), ..bench.config() };
    let tokens = Tokens::new(&config);
    assert!(tokens.next(true).unwrap().is_none());
    assert!(tokens.next(false).unwrap().is_some());
    assert!(!format!("{config:?} {tokens:?}").contains(SECRET));
}

#[test]
fn a_life_of_days_is_renewed_days_before_its_end() {
    let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let validity = Validity::beginning(from, SignedDuration::from_hours(30 * 24));
    let left = validity.until.duration_since(validity.renew_at());
    assert!(left >= SignedDuration::from_hours(10 * 24));
}
