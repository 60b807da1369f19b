//! Virtual gateways.

use super::{App, Context, Refusal};
use crate::store;
use directlink_model::{command::LinkGateway, ids::GatewayId, view::GatewayView};

impl App {
    /// A gateway that is linked to no Net yet.
    pub async fn create_gateway(&self, ctx: &Context) -> Result<GatewayView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Attaches it to a Net.
    pub async fn link_gateway(
        &self,
        ctx: &Context,
        c: LinkGateway,
    ) -> Result<GatewayView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Detaches it from that Net.
    pub async fn unlink_gateway(
        &self,
        ctx: &Context,
        c: LinkGateway,
    ) -> Result<GatewayView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Refused while it is linked or serves interfaces.
    pub async fn delete_gateway(
        &self,
        ctx: &Context,
        id: GatewayId,
    ) -> Result<GatewayView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// The caller's, in order of creation.
    pub async fn gateways(
        &self,
        ctx: &Context,
        ids: Option<&[GatewayId]>,
    ) -> Result<Vec<GatewayView>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }
}
