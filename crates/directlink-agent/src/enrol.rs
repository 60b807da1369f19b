//! How the router comes to its certificate: by a one-time token for the first, by the one of now for the next.
//!
//! ```text
//!   token: ROUTER.SECRET.AUTHORITY
//!   dial ─► the server shows a chain ─► AUTHORITY is in it, and signed the rest? ─► SECRET, request ─► certificate
//!                                          no: nothing is said                         key stays here
//! ```
//!
//! Files are written before anything is forgotten, so that whoever is killed in between begins anew with the same key.

use crate::{
    AgentConfig,
    identity::{Identity, IdentityDir, IdentityError, validity},
    link,
};
use directlink_channel::{EnrolRequest, Issued, RenewRequest, enrolment_client::EnrolmentClient};
use directlink_model::enrolment::{BadToken, Token, Validity};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider, ring::default_provider, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint, Uri},
};

/// What a call takes at most.
const WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Error)]
pub(crate) enum EnrolError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("cannot read the token: {0}")]
    TokenFile(io::Error),
    #[error(transparent)]
    Token(#[from] BadToken),
    #[error("the token is that of '{0}'")]
    AnotherRouter(String),
    #[error("'{0}' is no address of a server, https://HOST:PORT")]
    Address(String),
    #[error("no connection to {server}: {source}")]
    Connect { server: String, source: tonic::transport::Error },
    #[error("cannot make a key or a request: {0}")]
    Key(#[from] rcgen::Error),
    #[error("the server gives no certificate: {}", .0.message())]
    Refused(Box<Status>),
    #[error("the server did not answer in time")]
    Late,
    #[error("what the server gave is no certificate")]
    Issued,
}

impl EnrolError {
    /// The token is worth nothing: asking again will not help.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Refused(status) => {
                matches!(
                    status.code(),
                    tonic::Code::PermissionDenied | tonic::Code::InvalidArgument
                )
            }
            Self::Token(_) | Self::AnotherRouter(_) => true,
            Self::Identity(_)
            | Self::TokenFile(_)
            | Self::Address(_)
            | Self::Connect { .. }
            | Self::Key(_)
            | Self::Late
            | Self::Issued => false,
        }
    }
}

/// Tokens that are there, or were.
#[derive(Debug)]
pub(crate) struct Tokens {
    path: PathBuf,
    /// Given at the start, for a router that has no identity yet.
    first: Option<SecretString>,
    /// The last that was used, or refused: it lies where we cannot take it away.
    spent: Option<SecretString>,
}

impl Tokens {
    pub(crate) fn new(config: &AgentConfig) -> Self {
        let own = || IdentityDir::new(&config.identity_dir).token_path();
        let path = config.enrol_token_file.clone().unwrap_or_else(own);
        Self { path, first: config.enrol_token.clone(), spent: None }
    }

    /// One that was not tried: what an operator has brought is used, whatever there is.
    pub(crate) fn next(&self, has_identity: bool) -> Result<Option<SecretString>, EnrolError> {
        let brought = match fs::read_to_string(&self.path) {
            Ok(text) => Some(SecretString::from(text.trim())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(EnrolError::TokenFile(error)),
        };
        let first = self.first.clone().filter(|_| !has_identity);
        Ok([brought, first].into_iter().flatten().find(|token| !self.is_spent(token)))
    }

    fn is_spent(&self, token: &SecretString) -> bool {
        let spent = self.spent.as_ref().map(SecretString::expose_secret);
        spent == Some(token.expose_secret())
    }

    /// It has been used: nobody finds it on the disk any more.
    pub(crate) fn used(&mut self, token: SecretString) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "cannot remove the used token");
            }
            _ => {}
        }
        self.spent = Some(token);
    }

    /// It is worth nothing. It stays where it is, for people to see.
    pub(crate) fn refused(&mut self, token: SecretString) {
        self.spent = Some(token);
    }
}

/// Comes to a certificate by `token`, and keeps it.
pub(crate) async fn enrol(
    config: &AgentConfig,
    server: &str,
    token: &SecretString,
) -> Result<Validity, EnrolError> {
    let token = Token::read(token.expose_secret())?;
    if token.router != config.router {
        return Err(EnrolError::AnotherRouter(token.router.to_string()));
    }
    let dir = IdentityDir::new(&config.identity_dir);
    let fresh = KeyPair::generate()?;
    let key = KeyPair::from_pem(&dir.enrol_key(|| fresh.serialize_pem())?)?;
    let mut request = Request::new(EnrolRequest {
        router: config.router.to_string(),
        signing_request: signing_request(&key)?,
    });
    let bearer = format!("Bearer {}", token.expose_secret());
    let mut bearer: MetadataValue<Ascii> =
        bearer.parse().map_err(|_| EnrolError::Token(BadToken))?;
    bearer.set_sensitive(true);
    request.metadata_mut().insert("authorization", bearer);
    let call = async {
        let mut client = EnrolmentClient::new(dial(server, token.authority.clone()).await?);
        client.enrol(request).await.map_err(|status| EnrolError::Refused(Box::new(status)))
    };
    let issued = timeout(WITHIN, call).await.map_err(|_| EnrolError::Late)??.into_inner();
    let validity = keep(&dir, &issued, &key)?;
    dir.forget_enrol_key()?;
    Ok(validity)
}

/// The next certificate, by the one of now; another key as well.
pub(crate) async fn renew(config: &AgentConfig, server: &str) -> Result<Validity, EnrolError> {
    let dir = IdentityDir::new(&config.identity_dir);
    let Some(identity) = dir.load()? else { return Err(EnrolError::Issued) };
    let key = KeyPair::generate()?;
    let request = RenewRequest { signing_request: signing_request(&key)? };
    let call = async {
        // A connection of its own, that shows the newest: the stream's may have begun with one that has run out since.
        let channel = connect(server, &identity).await?;
        let answer = EnrolmentClient::new(channel).renew(request).await;
        answer.map_err(|status| EnrolError::Refused(Box::new(status)))
    };
    let issued = timeout(WITHIN, call).await.map_err(|_| EnrolError::Late)??.into_inner();
    keep(&dir, &issued, &key)
}

async fn connect(server: &str, identity: &Identity) -> Result<Channel, EnrolError> {
    let failed = |source| EnrolError::Connect { server: server.to_owned(), source };
    link::endpoint(server, identity).map_err(failed)?.connect().await.map_err(failed)
}

/// Proves that we have the key. Who we are the server knows otherwise.
fn signing_request(key: &KeyPair) -> Result<Vec<u8>, EnrolError> {
    Ok(CertificateParams::default().serialize_request(key)?.der().to_vec())
}

/// Keeps a certificate, if it is one of this key's.
fn keep(dir: &IdentityDir, issued: &Issued, key: &KeyPair) -> Result<Validity, EnrolError> {
    let certificate = issued.certificate_pem.as_bytes();
    let validity = validity(certificate).ok_or(EnrolError::Issued)?;
    let der = rustls::pki_types::pem::PemObject::from_pem_slice(certificate);
    let der: CertificateDer<'_> = der.map_err(|_| EnrolError::Issued)?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|_| EnrolError::Issued)?;
    let is_ours = *parsed.public_key().subject_public_key.data == *key.public_key_raw();
    let mut roots = RootCertStore::empty();
    let authorities = rustls::pki_types::pem::PemObject::pem_slice_iter(issued.ca_pem.as_bytes());
    let (trusted, _) = roots.add_parsable_certificates(authorities.filter_map(Result::ok));
    if !is_ours || trusted == 0 {
        return Err(EnrolError::Issued);
    }
    dir.keep(&issued.ca_pem, &issued.certificate_pem, &key.serialize_pem())?;
    Ok(validity)
}

/// A connection to a server that shows `authority`, whoever that is.
async fn dial(server: &str, authority: String) -> Result<Channel, EnrolError> {
    let bad = || EnrolError::Address(server.to_owned());
    let uri: Uri = server.parse().map_err(|_| bad())?;
    let host = uri.host().map(|host| host.trim_matches(['[', ']'])).ok_or_else(bad)?.to_owned();
    let port = uri.port_u16().unwrap_or(443);
    let name = ServerName::try_from(host.clone()).map_err(|_| bad())?;
    let provider = Arc::new(default_provider());
    let pinned = Pinned { authority, provider: Arc::clone(&provider) };
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| bad())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let tls = TlsConnector::from(Arc::new(tls));
    let connector = tower::service_fn(move |_: Uri| {
        let (host, name, tls) = (host.clone(), name.clone(), tls.clone());
        async move {
            let tcp = TcpStream::connect((host.as_str(), port)).await?;
            tls.connect(name, tcp).await.map(TokioIo::new)
        }
    });
    // The connector does TLS; the channel must not want to.
    let plain = format!("http://{}", uri.authority().ok_or_else(bad)?);
    let endpoint = Endpoint::from_shared(plain).map_err(|_| bad())?;
    let failed = |source| EnrolError::Connect { server: server.to_owned(), source };
    endpoint.connect_with_connector(connector).await.map_err(failed)
}

/// Takes a server for whom one authority speaks, which is known by its fingerprint alone: the server shows it.
#[derive(Debug)]
struct Pinned {
    authority: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let is_it = |der: &&CertificateDer<'_>| hex::encode(Sha256::digest(der)) == self.authority;
        let unknown = TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        let authority = intermediates.iter().find(is_it).ok_or(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&self.provider))
            .build()
            .map_err(|error| TlsError::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
