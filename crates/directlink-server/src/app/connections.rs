//! Connections: order, read, delete.

use super::{App, Context, Refusal};
use crate::store;
use directlink_model::{command::OrderConnection, ids::ConnectionId, view::ConnectionView};

impl App {
    /// A new order, in `requested`.
    pub async fn order_connection(
        &self,
        ctx: &Context,
        c: OrderConnection,
    ) -> Result<ConnectionView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// The caller's, in order of creation; `ids`: of these only, unknown ones left out.
    pub async fn connections(
        &self,
        ctx: &Context,
        ids: Option<&[ConnectionId]>,
    ) -> Result<Vec<ConnectionView>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Asks for deletion; the view shows `deleted` at once for an order that nobody approved yet.
    pub async fn delete_connection(
        &self,
        ctx: &Context,
        id: ConnectionId,
    ) -> Result<ConnectionView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }
}
