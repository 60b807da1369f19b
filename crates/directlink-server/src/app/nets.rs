//! Nets and their Subnets.

use super::{App, Context, Refusal};
use crate::store;
use directlink_model::{
    command::{CreateNet, CreateSubnet},
    ids::{NetId, SubnetId},
    net::Net,
    view::SubnetView,
};

impl App {
    /// With its main route table and its default security group.
    pub async fn create_net(&self, ctx: &Context, c: CreateNet) -> Result<Net, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// The caller's, in order of creation.
    pub async fn nets(&self, ctx: &Context, ids: Option<&[NetId]>) -> Result<Vec<Net>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Refused while it holds Subnets or a gateway.
    pub async fn delete_net(&self, ctx: &Context, id: NetId) -> Result<(), Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// A Subnet of a Net.
    pub async fn create_subnet(
        &self,
        ctx: &Context,
        c: CreateSubnet,
    ) -> Result<SubnetView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// The caller's, in order of creation.
    pub async fn subnets(
        &self,
        ctx: &Context,
        ids: Option<&[SubnetId]>,
    ) -> Result<Vec<SubnetView>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Refused while it holds NICs.
    pub async fn delete_subnet(&self, ctx: &Context, id: SubnetId) -> Result<(), Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }
}
