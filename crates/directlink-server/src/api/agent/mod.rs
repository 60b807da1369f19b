//! The agent channel: one stream per router, dialled by its agent, over mutual TLS.
//!
//! ```text
//!   agent                                server
//!   Hello{router, build, held}   ──►     certificate's fingerprint → router, if not revoked; the names must match
//!                                ◄──     Plan for each scope whose generation the agent does not hold
//!                                ◄──     Turn, when nobody is coming any more, to a few at a time
//!   Ack | Nack{why}              ──►     stored
//!   Report, again and again      ──►     folded into facts
//!                                ◄──     Plan, whenever a document has changed
//!                                ◄──     Trust, where it differs; the agent says Trusted{authorities}
//! ```
//!
//! What the agent holds is known from its Hello and from what was sent since, so a wake-up without
//! data is all that this end needs. A stream that ends changes no state.

mod enrolment;
mod listener;
mod session;
#[cfg(test)]
mod tests;

use crate::{
    app::App,
    ca,
    store::{self, certificates},
};
use directlink_channel::{
    COMPLETES_REPORTS, FromRouter, GIVES_TURNS, ToRouter,
    agent_server::{Agent, AgentServer},
    from_router::Message,
};
use directlink_model::location::Router;
pub(crate) use enrolment::service as enrolment;
use futures::{Stream, StreamExt};
use rustls::pki_types::CertificateDer;
pub use session::{Session, Shown};
use std::{pin::Pin, time::Duration};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, metadata::MetadataValue};
use tracing::{error, info, warn};

/// The largest message: 4,094 interfaces are about 1.5 MB of JSON.
const MESSAGE_MAX: usize = 64 << 20;

/// A peer that is silent for so long is asked, and for as long again is dead.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(10);

/// Documents on their way to one agent.
const QUEUE: usize = 16;

/// The service, for a server that asks its clients for certificates.
pub fn service(app: App) -> AgentServer<impl Agent> {
    AgentServer::new(Channel { app })
        .max_decoding_message_size(MESSAGE_MAX)
        .max_encoding_message_size(MESSAGE_MAX)
}

struct Channel {
    app: App,
}

#[tonic::async_trait]
impl Agent for Channel {
    type AttachStream = Pin<Box<dyn Stream<Item = Result<ToRouter, Status>> + Send>>;

    async fn attach(
        &self,
        request: Request<Streaming<FromRouter>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        if *self.app.parts().drain.borrow() {
            return Err(Status::unavailable("this server is about to stop: try another"));
        }
        let (router, shown) = self.who(&request).await?;
        self.app.parts().agents.come();
        let mut inbound = request.into_inner();
        let hello = match inbound.next().await {
            Some(Ok(FromRouter { message: Some(Message::Hello(hello)) })) => hello,
            Some(Err(status)) => return Err(status),
            Some(Ok(_)) | None => return Err(Status::failed_precondition("Hello comes first")),
        };
        if hello.router != router.name.as_str() {
            warn!(router = %router.name, claims = hello.router, "refused: another router's name");
            return Err(Status::permission_denied(format!(
                "this certificate is that of '{}', not of '{}'",
                router.name, hello.router
            )));
        }
        let (outbound, plans) = mpsc::channel(QUEUE);
        let who = (router.name.clone(), shown);
        let opening = Session::open(self.app.clone(), who, hello, outbound);
        let session = self.app.parts().store.in_time(opening).await;
        self.app.parts().agents.come();
        let session = session.map_err(|error| internal(&error))?.ok_or_else(stranger)?;
        info!(router = %router.name, "its agent is connected");
        tokio::spawn(async move {
            let end = session.run(inbound).await;
            info!(router = %router.name, why = end, "its agent's stream ended");
        });
        let plans: Self::AttachStream = Box::pin(ReceiverStream::new(plans).map(Ok));
        let mut response = Response::new(plans);
        for word in [GIVES_TURNS, COMPLETES_REPORTS] {
            response.metadata_mut().insert(word, MetadataValue::from_static("yes"));
        }
        Ok(response)
    }
}

impl Channel {
    /// The router that the client's certificate was made for, and that certificate.
    async fn who(
        &self,
        request: &Request<Streaming<FromRouter>>,
    ) -> Result<(Router, Shown), Status> {
        let fingerprint = ca::fingerprint(leaf(request)?.as_ref());
        let find = async {
            let mut db = self.app.parts().store.reader().await?;
            certificates::holder(&mut db, &fingerprint).await
        };
        match self.app.parts().store.in_time(find).await {
            Ok(Some((router, authority))) => Ok((router, Shown { fingerprint, authority })),
            Ok(None) => Err(stranger()),
            Err(error) => Err(internal(&error)),
        }
    }
}

/// What the client showed, and TLS has checked.
fn leaf<T>(request: &Request<T>) -> Result<CertificateDer<'static>, Status> {
    let certificates = request.peer_certs();
    let leaf = certificates.as_ref().and_then(|chain| chain.first());
    leaf.cloned().ok_or_else(|| Status::unauthenticated("show the router's certificate"))
}

fn stranger() -> Status {
    Status::unauthenticated(
        "this certificate is no router's, or no longer: enrol the router with a new token",
    )
}

fn internal(error: &store::Error) -> Status {
    error!(error = error as &dyn std::error::Error, "the agent channel failed");
    Status::unavailable("the server failed; try again")
}
