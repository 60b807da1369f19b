//! Route tables: what the Subnets of a Net know of the world outside.

use super::{App, Context, Refusal};
use crate::store;
use directlink_model::{command::SetPropagation, ids::RouteTableId, view::RouteTableView};

impl App {
    /// The caller's, in order of creation, with the routes learned by BGP where propagation is on.
    pub async fn route_tables(
        &self,
        ctx: &Context,
        ids: Option<&[RouteTableId]>,
    ) -> Result<Vec<RouteTableView>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Whether a gateway's learned routes show in a table.
    pub async fn set_propagation(
        &self,
        ctx: &Context,
        c: SetPropagation,
    ) -> Result<RouteTableView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }
}
