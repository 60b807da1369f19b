//! Looking at an interface through its router's glass: the question goes by the agent's stream, and
//! whoever asked waits.
//!
//! For the interface's owner, and the operator. Not for the owner of a connection that hosts it: what
//! a capture shows is the traffic of whoever has the Net.

use super::{App, Context, Refusal};
use crate::store::{connections, interfaces};
use directlink_channel::Answer as Message;
use directlink_model::{
    Fault,
    connection::PortRef,
    fault::GlassFault,
    glass::{Answer, Ask, Question},
    ids::{InterfaceId, RouterName},
};

impl App {
    /// The answer, and the file of a capture.
    pub async fn look(
        &self,
        ctx: &Context,
        id: InterfaceId,
        ask: Ask,
    ) -> Result<(Answer, Vec<u8>), Refusal> {
        let is_own = |owner| owner == ctx.caller.account;
        self.look_if(id, ask, is_own).await
    }

    /// For the operator: at any account's.
    pub async fn look_at_any(
        &self,
        id: InterfaceId,
        ask: Ask,
    ) -> Result<(Answer, Vec<u8>), Refusal> {
        tracing::info!(%id, kind = ask.kind(), "the operator looks at an interface");
        self.look_if(id, ask, |_| true).await
    }

    async fn look_if(
        &self,
        id: InterfaceId,
        ask: Ask,
        may: impl Fn(directlink_model::ids::AccountId) -> bool,
    ) -> Result<(Answer, Vec<u8>), Refusal> {
        let port = self.port_of(id, may).await?;
        ask.check().map_err(GlassFault::from).map_err(Fault::from)?;
        Ok(self.ask_router(&port.router, id, ask).await.map_err(Fault::from)?)
    }

    /// No rule of who may is checked here.
    pub(super) async fn ask_router(
        &self,
        router: &RouterName,
        id: InterfaceId,
        ask: Ask,
    ) -> Result<(Answer, Vec<u8>), GlassFault> {
        let message = self.put_question(router, &Question { interface: id, ask }).await?;
        match serde_json::from_slice(&message.document) {
            Ok(Answer::Refused(why)) => Err(GlassFault::Refused { id, why }),
            Ok(answer) => Ok((answer, message.file)),
            Err(error) => {
                tracing::warn!(%router, %error, "an answer that cannot be read");
                Err(GlassFault::Silent(router.clone()))
            }
        }
    }

    /// Where it is carried, for whoever may ask.
    async fn port_of(
        &self,
        id: InterfaceId,
        may: impl Fn(directlink_model::ids::AccountId) -> bool,
    ) -> Result<PortRef, Refusal> {
        let mut db = self.store().snapshot().await?;
        let found = interfaces::by_id(&mut db, id).await?.filter(|it| may(it.owner));
        let interface = found.ok_or(Fault::NoSuchInterface(id))?;
        let connection = connections::by_id(&mut db, interface.connection).await?;
        let approval = connection.and_then(|connection| connection.approval);
        Ok(approval.map(|it| it.port).ok_or_else(|| Fault::from(GlassFault::NoRouter(id)))?)
    }

    async fn put_question(
        &self,
        router: &RouterName,
        question: &Question,
    ) -> Result<Message, GlassFault> {
        let (kind, patience) = (question.ask.kind(), question.ask.patience());
        let document = serde_json::to_vec(question)
            .unwrap_or_else(|error| unreachable!("numbers and names are JSON: {error}"));
        let agents = &self.parts().agents;
        let asked = agents.ask(router, kind, document);
        let asked = asked.map_err(|why| why.fault(router.clone(), kind))?;
        match tokio::time::timeout(patience, asked).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(GlassFault::Unheard(router.clone())),
            Err(_) => Err(GlassFault::Silent(router.clone())),
        }
    }
}
