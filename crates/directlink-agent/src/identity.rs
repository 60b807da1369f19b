//! The router's identity, on its disk.
//!
//! ```text
//! DIR/ca.pem          whom to trust
//! DIR/identity.pem    certificate and key in one file, so that one rename replaces both
//! DIR/cert.pem, key.pem   the same, where an operator has brought them
//! DIR/enrol-token     a token that an operator has brought: taken away once it is used
//! DIR/enrol.key       the key for it, until its certificate is there
//! ```
//!
//! Of two identities the one that is good for longer counts, so that whatever is brought, or renewed, is used.

use directlink_model::enrolment::Validity;
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use thiserror::Error;

const AUTHORITIES: &str = "ca.pem";
const IDENTITY: &str = "identity.pem";
/// As `directlink router add --identity` writes them.
const BROUGHT: [&str; 2] = ["cert.pem", "key.pem"];
const TOKEN: &str = "enrol-token";
const ENROL_KEY: &str = "enrol.key";

#[derive(Debug, Error)]
pub(crate) enum IdentityError {
    #[error("cannot {doing} {}: {source}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is no certificate that can be read", .0.display())]
    Unreadable(PathBuf),
}

/// What this end shows, and whom it trusts. Texts in PEM.
pub(crate) struct Identity {
    pub(crate) ca: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) validity: Validity,
}

/// Where it lies.
#[derive(Clone, Debug)]
pub(crate) struct IdentityDir(PathBuf);

impl IdentityDir {
    pub(crate) fn new(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    /// `None`: there is none yet.
    pub(crate) fn load(&self) -> Result<Option<Identity>, IdentityError> {
        let Some(ca) = self.read(AUTHORITIES)? else { return Ok(None) };
        let own = self.read(IDENTITY)?.map(|both| (both.clone(), both, IDENTITY));
        let [certificate, key] = BROUGHT;
        let brought = match (self.read(certificate)?, self.read(key)?) {
            (Some(cert), Some(key)) => Some((cert, key, certificate)),
            _ => None,
        };
        let mut best: Option<Identity> = None;
        for (certificate, key, name) in [own, brought].into_iter().flatten() {
            let validity = validity(&certificate)
                .ok_or_else(|| IdentityError::Unreadable(self.0.join(name)))?;
            if best.as_ref().is_none_or(|best| best.validity.until < validity.until) {
                best = Some(Identity { ca: ca.clone(), certificate, key, validity });
            }
        }
        Ok(best)
    }

    /// From now on this is the router's. `key` and `certificate`: PEM.
    pub(crate) fn keep(&self, ca: &str, certificate: &str, key: &str) -> Result<(), IdentityError> {
        // Before what it signs: who trusts more than it must is better off than who can speak to nobody.
        self.write(AUTHORITIES, ca.as_bytes())?;
        self.write(IDENTITY, format!("{}\n{key}", certificate.trim_end()).as_bytes())?;
        for name in BROUGHT {
            self.remove(name)?;
        }
        Ok(())
    }

    /// Whom to trust from now on. `None`: that is no text of certificates, and nothing is changed.
    pub(crate) fn trust(&self, ca: &str) -> Result<Option<Vec<String>>, IdentityError> {
        match authorities(ca.as_bytes()) {
            ids if ids.is_empty() => Ok(None),
            ids => self.write(AUTHORITIES, ca.as_bytes()).map(|()| Some(ids)),
        }
    }

    /// The key for a certificate that is asked for by a token: the same as long as it was not given.
    pub(crate) fn enrol_key(&self, make: impl FnOnce() -> String) -> Result<String, IdentityError> {
        if let Some(key) = self.read(ENROL_KEY)? {
            return Ok(String::from_utf8_lossy(&key).into_owned());
        }
        let key = make();
        self.write(ENROL_KEY, key.as_bytes())?;
        Ok(key)
    }

    pub(crate) fn forget_enrol_key(&self) -> Result<(), IdentityError> {
        self.remove(ENROL_KEY)
    }

    /// Where an operator brings a token if nobody says otherwise.
    pub(crate) fn token_path(&self) -> PathBuf {
        self.0.join(TOKEN)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, IdentityError> {
        let path = self.0.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(IdentityError::File { doing: "read", path, source }),
        }
    }

    /// Whole or not at all, and for its owner's eyes.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), IdentityError> {
        let path = self.0.join(name);
        let draft = self.0.join(format!(".{name}"));
        let write = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
            // One that was left may be readable by others.
            match fs::remove_file(&draft) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(|source| IdentityError::File { doing: "write", path, source })
    }

    fn remove(&self, name: &str) -> Result<(), IdentityError> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(IdentityError::File { doing: "remove", path, source })
            }
            _ => Ok(()),
        }
    }
}

/// The SHA-256 of each certificate in a PEM text.
pub(crate) fn authorities(pem: &[u8]) -> Vec<String> {
    let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    let read = certificates.filter(|der| x509_parser::parse_x509_certificate(der).is_ok());
    read.map(|der| hex::encode(Sha256::digest(&der))).collect()
}

/// Of the first certificate in a PEM text.
pub(crate) fn validity(pem: &[u8]) -> Option<Validity> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
    let at = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    let validity = certificate.validity();
    Some(Validity { from: at(validity.not_before)?, until: at(validity.not_after)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use std::os::unix::fs::PermissionsExt as _;

    fn certificate(year: i32) -> String {
        let mut params = CertificateParams::default();
        params.not_after = date_time_ymd(year, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    fn until(dir: &IdentityDir) -> String {
        dir.load().unwrap().unwrap().validity.until.to_string()
    }

    #[test]
    fn of_two_identities_the_one_that_is_good_for_longer_counts() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = IdentityDir::new(&temporary.path().join("identity"));
        assert!(dir.load().unwrap().is_none());
        let bring = |year| {
            for (name, text) in [("cert.pem", certificate(year)), ("key.pem", "key".into())] {
                fs::write(temporary.path().join("identity").join(name), text).unwrap();
            }
        };
        dir.keep("ca", &certificate(2030), "key").unwrap();
        assert_eq!(until(&dir), "2030-01-01T00:00:00Z");
        bring(2031);
        assert_eq!(until(&dir), "2031-01-01T00:00:00Z");
        dir.keep("ca", &certificate(2032), "key").unwrap();
        assert_eq!(until(&dir), "2032-01-01T00:00:00Z");
        // As a tool does that puts back what it once wrote.
        bring(2031);
        assert_eq!(until(&dir), "2032-01-01T00:00:00Z");
    }

    #[test]
    fn secrets_are_for_their_owner_alone_and_nothing_half_written_is_left() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = IdentityDir::new(temporary.path());
        // What a crash may have left.
        fs::write(temporary.path().join(".identity.pem"), "half").unwrap();
        dir.enrol_key(|| "key".into()).unwrap();
        dir.keep("ca", &certificate(2030), "key").unwrap();
        assert_eq!(dir.enrol_key(|| unreachable!("it is there")).unwrap(), "key");
        let mut names: Vec<_> = fs::read_dir(temporary.path())
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
                entry.file_name().into_string().unwrap()
            })
            .collect();
        names.sort();
        assert_eq!(names, ["ca.pem", "enrol.key", "identity.pem"]);
    }

    #[test]
    fn a_trust_that_cannot_be_read_is_not_taken() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = IdentityDir::new(temporary.path());
        let (one, other) = (certificate(2030), certificate(2031));
        dir.keep(&one, &one, "key").unwrap();
        for bad in
            ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            assert_eq!(dir.trust(bad).unwrap(), None, "{bad}");
        }
        assert_eq!(dir.load().unwrap().unwrap().ca, one.as_bytes());
        let both = format!("{one}{other}");
        assert_eq!(dir.trust(&both).unwrap().unwrap().len(), 2);
        assert_eq!(dir.load().unwrap().unwrap().ca, both.as_bytes());
    }

    #[test]
    fn what_is_no_certificate_is_told_by_its_name() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = IdentityDir::new(temporary.path());
        dir.keep("ca", "no certificate", "key").unwrap();
        let error = dir.load().err().unwrap().to_string();
        assert!(error.ends_with("identity.pem is no certificate that can be read"), "{error}");
    }
}
