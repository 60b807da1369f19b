//! How a router comes to its certificate: by a token for the first, by the one of now for the next.
//!
//! Whoever has no certificate can ask nothing else of this listener.

use super::{internal, leaf};
use crate::{
    app::{App, certificates::Issued as Made, certificates::Uncertified},
    ca::{self, SigningRequest},
};
use directlink_channel::{
    EnrolRequest, Issued, RenewRequest,
    enrolment_server::{Enrolment, EnrolmentServer},
};
use directlink_model::ids::RouterName;
use tonic::{Request, Response, Status, metadata::MetadataMap};
use tracing::{info, warn};

/// A request for a key of any kind that we take is smaller.
const MESSAGE_MAX: usize = 16 << 10;

pub(crate) fn service(app: App) -> EnrolmentServer<impl Enrolment> {
    EnrolmentServer::new(Desk { app }).max_decoding_message_size(MESSAGE_MAX)
}

struct Desk {
    app: App,
}

#[tonic::async_trait]
impl Enrolment for Desk {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<Issued>, Status> {
        let secret = bearer(request.metadata()).map(str::to_owned);
        let secret = secret.ok_or_else(|| Status::unauthenticated("show the router's token"))?;
        let from = request.remote_addr();
        let EnrolRequest { router, signing_request } = request.into_inner();
        let router: RouterName =
            router.parse().map_err(|_| Status::invalid_argument("this is no router's name"))?;
        let signing_request = read(&signing_request)?;
        let store = &self.app.parts().store;
        let asked = self.app.certify_by_token(&router, &secret, &signing_request);
        match store.in_time(asked).await {
            Ok(made) => {
                info!(%router, ?from, "enrolled");
                Ok(Response::new(issued(made)))
            }
            Err(error) => {
                warn!(%router, ?from, %error, "not enrolled");
                Err(status(&error))
            }
        }
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<Issued>, Status> {
        let fingerprint = ca::fingerprint(leaf(&request)?.as_ref());
        let signing_request = read(&request.into_inner().signing_request)?;
        let asked = self.app.certify_again(&fingerprint, &signing_request);
        match self.app.parts().store.in_time(asked).await {
            Ok((router, made)) => {
                info!(%router, "its certificate is renewed");
                Ok(Response::new(issued(made)))
            }
            Err(error) => Err(status(&error)),
        }
    }
}

/// RFC 6750's, of the metadata.
fn bearer(metadata: &MetadataMap) -> Option<&str> {
    let (scheme, token) = metadata.get("authorization")?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn read(der: &[u8]) -> Result<SigningRequest, Status> {
    SigningRequest::read(der)
        .map_err(|_| Status::invalid_argument("this is no signing request (PKCS #10, DER)"))
}

fn issued(made: Made) -> Issued {
    Issued { certificate_pem: made.certificate_pem, ca_pem: made.ca_pem }
}

fn status(error: &Uncertified) -> Status {
    match error {
        Uncertified::Token(fault) => Status::permission_denied(fault.to_string()),
        Uncertified::Stranger => Status::unauthenticated(error.to_string()),
        Uncertified::Error(error) => internal(error),
    }
}
