//! The Region's certificate authorities: who is the server, and who is which router.
//!
//! ```text
//!   authority                            P-256, made at first start and kept in the store; or an intermediate of the
//!     │                                  operator's, of which the key stays in files. Several, while one takes another's place
//!     ├── the server's certificate       made anew at each start and in good time, kept in memory
//!     └── those of routers               for a key that the router made, or with one that is shown once and not kept
//! ```
//!
//! A router is known by the SHA-256 of its certificate, which is stored: what is not, or was revoked, is worth nothing,
//! without revocation lists. Certificates are dated by the machine's clock, as who checks them has no other.

use crate::store::authorities::AuthorityRow;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use directlink_model::{enrolment::Validity, ids::RouterName};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer,
    pem::PemObject as _,
};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::sync::watch;

#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot read or write {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("making a certificate failed")]
    Certificate(#[from] rcgen::Error),
    #[error("{}: {why}", path.display())]
    Unfit { path: PathBuf, why: &'static str },
    #[error("the key of none of the Region's authorities is here: give --ca-cert and --ca-key")]
    NoSigner,
    #[error("an authority's certificate cannot be read")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("TLS cannot use a certificate")]
    Tls(#[from] rustls::Error),
    #[error("TLS cannot check certificates")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// An authority is good for so long. It is the operator who makes the next, in good time.
const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// What one end of the channel shows: three PEM texts.
#[derive(Clone, Debug)]
pub struct Identity {
    pub ca_pem: String,
    pub certificate_pem: String,
    pub key_pem: SecretString,
}

/// A certificate that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    pub certificate_pem: String,
    pub fingerprint: String,
    /// Who signed it.
    pub authority: String,
    pub validity: Validity,
}

/// What a router asks to have certified.
pub struct SigningRequest {
    params: CertificateSigningRequestParams,
    /// SHA-256 of its key.
    pub key_fingerprint: String,
}

impl SigningRequest {
    /// Proves that its sender has the key. What else it says is not looked at: who the sender is, another knows.
    ///
    /// # Errors
    /// It is none, or its signature is wrong.
    pub fn read(der: &[u8]) -> Result<Self, Error> {
        let params = CertificateSigningRequestParams::from_der(
            &CertificateSigningRequestDer::from(der.to_vec()),
        )?;
        let key_fingerprint = fingerprint(params.public_key.der_bytes());
        Ok(Self { params, key_fingerprint })
    }
}

/// The authorities that are trusted now, and which of them signs. Cheap to clone; all clones show the same.
#[derive(Clone)]
pub struct Authorities {
    trust: Arc<watch::Sender<Arc<Trust>>>,
    /// Whose key is in files that this server was given.
    own: Option<Arc<Authority>>,
}

/// Whom the Region trusts at one moment.
pub struct Trust {
    pub(crate) trusted: Vec<Arc<Authority>>,
    pub(crate) signer: Arc<Authority>,
    /// Where the key of the one that is to sign is elsewhere, the one before does.
    is_latest: bool,
}

impl Authorities {
    /// One that signs, and no other.
    pub fn of(authority: Authority) -> Self {
        let signer = Arc::new(authority);
        let trust = Trust { trusted: vec![Arc::clone(&signer)], signer, is_latest: true };
        Self { trust: Arc::new(watch::Sender::new(Arc::new(trust))), own: None }
    }

    /// Those of the store. `own`: the one whose key this server was given in files.
    pub(crate) fn new(rows: &[AuthorityRow], own: Option<Arc<Authority>>) -> Result<Self, Error> {
        let trust = Trust::read(rows, own.as_ref())?;
        trust.complain();
        Ok(Self { trust: Arc::new(watch::Sender::new(Arc::new(trust))), own })
    }

    pub(crate) fn now(&self) -> Arc<Trust> {
        Arc::clone(&self.trust.borrow())
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Trust>> {
        self.trust.subscribe()
    }

    /// Whether this server can sign with it.
    pub(crate) fn has_key(&self, id: &str) -> bool {
        self.now().trusted.iter().any(|authority| authority.id == id && authority.key.is_some())
    }

    /// As the store has them now. Whoever listens is told if that is another trust than before.
    pub(crate) fn become_as(&self, rows: &[AuthorityRow]) -> Result<(), Error> {
        let trust = Trust::read(rows, self.own.as_ref())?;
        self.trust.send_if_modified(|now| {
            let is_news = now.ids() != trust.ids() || now.signer.id != trust.signer.id;
            if is_news {
                trust.complain();
                *now = Arc::new(trust);
            }
            is_news
        });
        Ok(())
    }
}

impl Trust {
    fn read(rows: &[AuthorityRow], own: Option<&Arc<Authority>>) -> Result<Self, Error> {
        let read = |row: &AuthorityRow| match own.filter(|own| own.id == row.id) {
            Some(own) => Ok(Arc::clone(own)),
            None => Authority::read(row.certificate.clone(), row.key.as_ref()).map(Arc::new),
        };
        let trusted: Vec<_> = rows.iter().map(read).collect::<Result<_, Error>>()?;
        // Of those that sign the latest; where its key is not here, the one before is better than none.
        let can_sign = rows.iter().zip(&trusted).filter(|(_, it)| it.key.is_some());
        let signing = can_sign.filter_map(|(row, it)| Some((row.signs_from?, it)));
        let (from, signer) = signing.max_by_key(|(from, _)| *from).ok_or(Error::NoSigner)?;
        let latest = rows.iter().filter_map(|row| row.signs_from).max();
        let is_latest = latest == Some(from);
        let signer = Arc::clone(signer);
        Ok(Self { trusted, signer, is_latest })
    }

    fn complain(&self) {
        if !self.is_latest {
            tracing::error!(
                instead = self.signer.id,
                "the key of the authority that signs now is not here: give --ca-cert and --ca-key"
            );
        }
    }

    pub(crate) fn ids(&self) -> Vec<&str> {
        self.trusted.iter().map(|authority| authority.id.as_str()).collect()
    }

    /// For who has to know whom to trust: all of them, those that sign no more as well.
    pub(crate) fn pem(&self) -> String {
        self.trusted.iter().map(|authority| authority.pem.as_str()).collect()
    }
}

pub struct Authority {
    /// SHA-256 of its certificate.
    pub(crate) id: String,
    pem: String,
    pub(crate) certificate: CertificateDer<'static>,
    /// `None`: it only is trusted here.
    key: Option<(SecretString, Issuer<'static, KeyPair>)>,
}

/// The SHA-256 of a certificate (DER), in hexadecimal.
pub fn fingerprint(der: &[u8]) -> String {
    hex::encode(Sha256::digest(der))
}

impl Authority {
    /// A new one, in memory.
    pub fn make(now: Timestamp) -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let mut params = authority_params()?;
        // Two that are trusted at once are told apart by their names as well.
        let name = format!("DirectLink Region {}", now.strftime("%Y-%m-%dT%H:%M:%SZ"));
        params.distinguished_name.push(DnType::CommonName, name);
        let validity = Validity::beginning(now, AUTHORITY_LIFE);
        set_validity(&mut params, validity);
        let certificate = params.self_signed(&key)?;
        Self::read(certificate.pem(), Some(&key.serialize_pem().into()))
    }

    /// The one that an earlier version made in `dir`, where it was.
    pub fn left_in(dir: &Path) -> Result<Option<Self>, Error> {
        match dir.join("ca.pem").exists() {
            true => Self::from_files(&dir.join("ca.pem"), &dir.join("ca.key")).map(Some),
            false => Ok(None),
        }
    }

    /// The operator's own: a certificate that may sign others, and its key, in PEM.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let read = |path: &Path| {
            fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })
        };
        let authority = Self::read(read(certificate)?, Some(&read(key)?.into()))?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&authority.certificate)
            .map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
        let bad = |why| Error::Unfit { path: certificate.to_owned(), why };
        if !parsed.is_ca() {
            return Err(bad("it may sign no certificates (basicConstraints CA)"));
        }
        let own = authority.key.as_ref().map(|(_, issuer)| issuer.key().public_key_raw());
        if own != Some(&*parsed.public_key().subject_public_key.data) {
            return Err(bad("the key is another's"));
        }
        Ok(authority)
    }

    /// The first certificate of a text is the authority; who is above it is nobody's matter here.
    fn read(pem: String, key: Option<&SecretString>) -> Result<Self, Error> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())?;
        let key = match key {
            Some(text) => {
                let pair = KeyPair::from_pem(text.expose_secret())?;
                Some((text.clone(), Issuer::from_ca_cert_der(&certificate, pair)?))
            }
            None => None,
        };
        let pem = pem_of(&certificate);
        Ok(Self { id: fingerprint(&certificate), pem, certificate, key })
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn key_pem(&self) -> Option<&SecretString> {
        self.key.as_ref().map(|(text, _)| text)
    }

    fn issuer(&self) -> Result<&Issuer<'static, KeyPair>, Error> {
        self.key.as_ref().map(|(_, issuer)| issuer).ok_or(Error::NoSigner)
    }

    /// For the server's end of the channel, under each of these names and addresses: what it shows, its own first, and
    /// its key.
    pub(crate) fn server_identity(
        &self,
        names: &[String],
        validity: Validity,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
        let mut all: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).into();
        all.extend_from_slice(names);
        let purpose = ExtendedKeyUsagePurpose::ServerAuth;
        let params = params(all, "DirectLink server", purpose, validity)?;
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, self.issuer()?)?.der().clone();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        // The authority as well, although who has one needs it not: who enrols knows its fingerprint alone.
        Ok((vec![leaf, self.certificate.clone()], key))
    }

    /// For a router whose key is made here, and is in this answer alone.
    pub(crate) fn router_identity(
        &self,
        router: &RouterName,
        validity: Validity,
        ca_pem: String,
    ) -> Result<(Identity, Certified), Error> {
        let key = KeyPair::generate()?;
        let certified = self.certify_key(router, &key, validity)?;
        let certificate_pem = certified.certificate_pem.clone();
        Ok((Identity { ca_pem, certificate_pem, key_pem: key.serialize_pem().into() }, certified))
    }

    /// For a router that has its key itself.
    pub(crate) fn certify(
        &self,
        router: &RouterName,
        request: &SigningRequest,
        validity: Validity,
    ) -> Result<Certified, Error> {
        self.certify_key(router, &request.params.public_key, validity)
    }

    fn certify_key(
        &self,
        router: &RouterName,
        key: &impl PublicKeyData,
        validity: Validity,
    ) -> Result<Certified, Error> {
        let purpose = ExtendedKeyUsagePurpose::ClientAuth;
        let certificate =
            params(vec![], router.as_str(), purpose, validity)?.signed_by(key, self.issuer()?)?;
        let fingerprint = fingerprint(certificate.der());
        let authority = self.id.clone();
        Ok(Certified { certificate_pem: certificate.pem(), fingerprint, authority, validity })
    }
}

fn params(
    names: Vec<String>,
    common_name: &str,
    purpose: ExtendedKeyUsagePurpose,
    validity: Validity,
) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages.push(KeyUsagePurpose::DigitalSignature);
    params.extended_key_usages.push(purpose);
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, validity);
    Ok(params)
}

fn authority_params() -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(vec![])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages.extend([KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]);
    Ok(params)
}

/// X.509 counts seconds.
fn set_validity(params: &mut CertificateParams, validity: Validity) {
    let date = |at: Timestamp| {
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    (params.not_before, params.not_after) = (date(validity.from), date(validity.until));
}

/// RFC 7468.
fn pem_of(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// Whose it is, and until when.
pub(crate) fn described(pem: &str) -> (String, Option<Timestamp>) {
    let unreadable = || (String::new(), None);
    let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return unreadable() };
    let Ok((_, read)) = x509_parser::parse_x509_certificate(&der) else { return unreadable() };
    let until = Timestamp::from_second(read.validity().not_after.timestamp());
    (read.subject().to_string(), until.ok())
}

/// Whole or not at all, and for its owner's eyes.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let draft = path.with_extension("new");
    let write = || {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validity() -> Validity {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        Validity::beginning(now, SignedDuration::from_hours(24))
    }

    fn authority() -> Authority {
        Authority::make(validity().from).unwrap()
    }

    fn row(authority: &Authority, signs: bool, has_key: bool) -> AuthorityRow {
        AuthorityRow {
            id: authority.id.clone(),
            certificate: authority.pem().into(),
            key: authority.key_pem().filter(|_| has_key).cloned(),
            added_at: Timestamp::UNIX_EPOCH,
            signs_from: signs.then_some(Timestamp::UNIX_EPOCH),
        }
    }

    #[test]
    fn an_authority_that_is_kept_is_the_same_and_certifies_what_it_certified() {
        let made = authority();
        let kept = Trust::read(&[row(&made, true, true)], None).unwrap();
        assert_eq!((&kept.signer.id, kept.pem()), (&made.id, made.pem().to_owned()));
        assert!(kept.signer.server_identity(&[], validity()).is_ok());
        let (subject, until) = described(made.pem());
        assert!(subject.starts_with("CN=DirectLink Region 20"), "{subject}");
        assert!(until.unwrap() > validity().until);
    }

    #[test]
    fn where_the_key_of_the_latest_signer_is_not_the_one_before_signs() {
        let (first, second) = (authority(), authority());
        let later =
            AuthorityRow { signs_from: Some(validity().until), ..row(&second, true, false) };
        let rows = [row(&first, true, true), later];
        let without = Authorities::new(&rows, None).unwrap();
        assert_eq!(without.now().signer.id, first.id);
        assert_eq!(without.now().ids(), [&first.id, &second.id]);
        assert!(without.has_key(&first.id) && !without.has_key(&second.id));
        let own = Authority::read(second.pem().into(), second.key_pem()).unwrap();
        let with = Authorities::new(&rows, Some(Arc::new(own))).unwrap();
        assert_eq!(with.now().signer.id, second.id);
        let none = Authorities::new(&[row(&first, true, false)], None);
        assert!(matches!(none.err(), Some(Error::NoSigner)));
    }

    #[test]
    fn whoever_listens_is_told_of_another_trust_and_of_no_other() {
        let (first, second) = (authority(), authority());
        let mut rows = vec![row(&first, true, true)];
        let authorities = Authorities::new(&rows, None).unwrap();
        let listener = authorities.subscribe();
        authorities.become_as(&rows).unwrap();
        assert!(!listener.has_changed().unwrap());
        rows.push(row(&second, false, true));
        authorities.become_as(&rows).unwrap();
        assert!(listener.has_changed().unwrap());
        assert_eq!(authorities.now().signer.id, first.id);
    }

    #[test]
    fn files_that_do_not_fit_are_refused_with_their_name() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("ca.pem"), dir.path().join("ca.key"));
        let (good, other) = (authority(), authority());
        let bring = |pem: &str, of: &Authority| {
            fs::write(&cert, pem).unwrap();
            fs::write(&key, of.key_pem().unwrap().expose_secret()).unwrap();
            Authority::from_files(&cert, &key).map(|it| it.id).map_err(|error| error.to_string())
        };
        // With what is above it in the same file, as operators have it.
        assert_eq!(bring(&format!("{}{}", good.pem(), other.pem()), &good), Ok(good.id.clone()));
        let name = cert.display();
        assert_eq!(bring(good.pem(), &other), Err(format!("{name}: the key is another's")));
        let leaf = good.router_identity(&"r1".parse().unwrap(), validity(), String::new());
        let leaf = leaf.unwrap().0;
        let refused = bring(&leaf.certificate_pem, &good).unwrap_err();
        assert!(refused.starts_with(&format!("{name}: it may sign no")), "{refused}");
    }

    #[test]
    fn each_identity_has_its_own_fingerprint() {
        let authority = authority();
        let router = "par1-r1".parse().unwrap();
        let made = || authority.router_identity(&router, validity(), String::new()).unwrap().1;
        assert_ne!(made().fingerprint, made().fingerprint);
    }

    #[test]
    fn a_request_is_certified_for_its_key_and_for_nothing_else_that_it_asks() {
        let authority = authority();
        let key = KeyPair::generate().unwrap();
        let mut wish = CertificateParams::new(vec!["localhost".into()]).unwrap();
        wish.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wish.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        wish.distinguished_name.push(DnType::CommonName, "another");
        let request = wish.serialize_request(&key).unwrap();
        let request = SigningRequest::read(request.der()).unwrap();
        let router = "par1-r1".parse().unwrap();
        let made = authority.certify(&router, &request, validity()).unwrap();
        let der = CertificateDer::from_pem_slice(made.certificate_pem.as_bytes()).unwrap();
        assert_eq!(fingerprint(&der), made.fingerprint);
        let (_, read) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert_eq!(read.subject().to_string(), "CN=par1-r1");
        assert!(!read.is_ca() && read.subject_alternative_name().unwrap().is_none());
        let usage = read.extended_key_usage().unwrap().unwrap().value.clone();
        assert!(usage.client_auth && !usage.server_auth);
        assert_eq!(read.validity().not_after.timestamp(), validity().until.as_second());
        assert_eq!(&*read.public_key().subject_public_key.data, key.public_key_raw());
    }

    #[test]
    fn a_request_with_a_wrong_signature_or_that_is_none_is_refused() {
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::default().serialize_request(&key).unwrap();
        let mut der = request.der().to_vec();
        assert!(SigningRequest::read(&der).is_ok());
        *der.last_mut().unwrap() ^= 1;
        for bad in [der.as_slice(), &der[..der.len() / 2], b"", b"\x30\x80"] {
            assert!(SigningRequest::read(bad).is_err());
        }
    }
}
