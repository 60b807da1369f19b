//! The Region's certificate authorities: who is the server, and who is which router.
//!
//! ```text
//!   authority                            P-256, made at first start, or an intermediate of the operator's
//!     ├── the server's certificate       made anew at each start and in good time, kept in memory
//!     └── those of routers               for a key that the router made, or with one that is shown once and not kept
//! ```
//!
//! A router is known by the SHA-256 of its certificate, which is stored: what is not, or was revoked, is worth nothing,
//! without revocation lists. Certificates are dated by the machine's clock, as who checks them has no other.

use directlink_model::{enrolment::Validity, ids::RouterName};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer,
    pem::PemObject as _,
};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
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
    #[error("an authority's certificate cannot be read")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("TLS cannot use a certificate")]
    Tls(#[from] rustls::Error),
    #[error("TLS cannot check certificates")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

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
pub struct Authorities(Arc<watch::Sender<Arc<Trust>>>);

/// Whom the Region trusts at one moment.
pub struct Trust {
    pub(crate) trusted: Vec<Arc<Authority>>,
    pub(crate) signer: Arc<Authority>,
}

impl Authorities {
    pub fn of(authority: Authority) -> Self {
        let signer = Arc::new(authority);
        let trust = Trust { trusted: vec![Arc::clone(&signer)], signer };
        Self(Arc::new(watch::Sender::new(Arc::new(trust))))
    }

    pub(crate) fn now(&self) -> Arc<Trust> {
        Arc::clone(&self.0.borrow())
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Trust>> {
        self.0.subscribe()
    }
}

impl Trust {
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
    issuer: Issuer<'static, KeyPair>,
}

/// The SHA-256 of a certificate (DER), in hexadecimal.
pub fn fingerprint(der: &[u8]) -> String {
    hex::encode(Sha256::digest(der))
}

impl Authority {
    /// The one in `dir`, made if there is none.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let (pem_path, key_path) = (dir.join("ca.pem"), dir.join("ca.key"));
        // The certificate is written last: where it is, all is.
        if !pem_path.exists() {
            let failed = |source| Error::File { path: dir.to_owned(), source };
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
            let key = KeyPair::generate()?;
            let certificate = authority_params()?.self_signed(&key)?;
            write_private(&key_path, &key.serialize_pem())?;
            write_private(&pem_path, &certificate.pem())?;
        }
        let read = |path: &Path| {
            fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })
        };
        Self::read(read(&pem_path)?, &read(&key_path)?)
    }

    fn read(pem: String, key_pem: &str) -> Result<Self, Error> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())?;
        let issuer = Issuer::from_ca_cert_der(&certificate, KeyPair::from_pem(key_pem)?)?;
        Ok(Self { id: fingerprint(&certificate), pem, certificate, issuer })
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
        let leaf = params.signed_by(&key, &self.issuer)?.der().clone();
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
            params(vec![], router.as_str(), purpose, validity)?.signed_by(key, &self.issuer)?;
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
    let date = |at: Timestamp| {
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    (params.not_before, params.not_after) = (date(validity.from), date(validity.until));
    Ok(params)
}

fn authority_params() -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(vec![])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name.push(DnType::CommonName, "DirectLink Region");
    params.key_usages.extend([KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]);
    Ok(params)
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
    use jiff::SignedDuration;
    use std::os::unix::fs::PermissionsExt;

    fn validity() -> Validity {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        Validity::beginning(now, SignedDuration::from_hours(24))
    }

    #[test]
    fn the_authority_is_the_same_after_a_restart_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca");
        let first = Authority::open(&ca).unwrap();
        let second = Authority::open(&ca).unwrap();
        assert_eq!(first.id, second.id);
        let mode = fs::metadata(ca.join("ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn each_identity_has_its_own_fingerprint() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open(dir.path()).unwrap();
        let router = "par1-r1".parse().unwrap();
        let made = || authority.router_identity(&router, validity(), String::new()).unwrap().1;
        assert_ne!(made().fingerprint, made().fingerprint);
    }

    #[test]
    fn a_request_is_certified_for_its_key_and_for_nothing_else_that_it_asks() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open(dir.path()).unwrap();
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
