//! The Region's own certificate authority: who is the server, and who is which router.
//!
//! ```text
//!   ca/ca.pem, ca/ca.key (0600)          made at first start, P-256
//!     ├── the server's certificate       made anew at each start, kept in memory
//!     └── one per router                 made by `add router`; its key is shown once and not kept
//! ```
//!
//! A router is known by the SHA-256 of its certificate, which is stored with it: a new identity
//! makes the old one worthless at once, without revocation lists.

use directlink_model::ids::RouterName;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot read or write {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("making a certificate failed")]
    Certificate(#[from] rcgen::Error),
}

/// What one end of the channel shows: three PEM texts.
#[derive(Clone, Debug)]
pub struct Identity {
    pub ca_pem: String,
    pub certificate_pem: String,
    pub key_pem: SecretString,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    pem: String,
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
        let pem = read(&pem_path)?;
        let issuer = Issuer::from_ca_cert_pem(&pem, KeyPair::from_pem(&read(&key_path)?)?)?;
        Ok(Self(Arc::new(Inner { pem, issuer })))
    }

    /// For the server's end of the channel, under each of these names and addresses.
    pub fn server_identity(&self, names: &[String]) -> Result<Identity, Error> {
        let mut all: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).into();
        all.extend_from_slice(names);
        let (identity, _) =
            self.issue(all, "DirectLink server", ExtendedKeyUsagePurpose::ServerAuth)?;
        Ok(identity)
    }

    /// For a router's agent, and the certificate's fingerprint.
    pub fn router_identity(&self, router: &RouterName) -> Result<(Identity, String), Error> {
        self.issue(vec![], router.as_str(), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        names: Vec<String>,
        common_name: &str,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<(Identity, String), Error> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        params.extended_key_usages.push(purpose);
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0.issuer)?;
        let identity = Identity {
            ca_pem: self.0.pem.clone(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem().into(),
        };
        Ok((identity, fingerprint(certificate.der())))
    }
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
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_authority_is_the_same_after_a_restart_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca");
        let first = Authority::open(&ca).unwrap();
        let second = Authority::open(&ca).unwrap();
        assert_eq!(first.0.pem, second.0.pem);
        let mode = fs::metadata(ca.join("ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn each_identity_has_its_own_fingerprint() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open(dir.path()).unwrap();
        let router = "par1-r1".parse().unwrap();
        let (_, a) = authority.router_identity(&router).unwrap();
        let (_, b) = authority.router_identity(&router).unwrap();
        assert_ne!(a, b);
    }
}
