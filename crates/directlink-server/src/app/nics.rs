//! Network interface cards.

use super::{App, Context, Refusal};
use crate::store;
use directlink_model::{command::CreateNic, ids::NicId, view::NicView};

impl App {
    /// A card in a Subnet; it lives nowhere until the operator's side says where.
    pub async fn create_nic(&self, ctx: &Context, c: CreateNic) -> Result<NicView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// The caller's, in order of creation.
    pub async fn nics(
        &self,
        ctx: &Context,
        ids: Option<&[NicId]>,
    ) -> Result<Vec<NicView>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Removes it.
    pub async fn delete_nic(&self, ctx: &Context, id: NicId) -> Result<(), Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }
}
