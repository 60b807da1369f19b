//! Interfaces: create, host for another, confirm, change, delete.

use super::{App, Context, Refusal};
use crate::store;
use directlink_model::{
    command::{ChangeInterface, ConfirmInterface, CreateInterface},
    ids::{ConnectionId, InterfaceId},
    view::InterfaceView,
};

/// Which interfaces to read: in all lists that are given.
#[derive(Clone, Debug, Default)]
pub struct InterfaceFilter {
    pub connections: Option<Vec<ConnectionId>>,
    pub interfaces: Option<Vec<InterfaceId>>,
}

impl App {
    /// For oneself with a gateway; else hosted, waiting in `confirming`.
    pub async fn create_interface(
        &self,
        ctx: &Context,
        c: CreateInterface,
    ) -> Result<InterfaceView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// The owner of a hosted interface accepts it.
    pub async fn confirm_interface(
        &self,
        ctx: &Context,
        c: ConfirmInterface,
    ) -> Result<InterfaceView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Another MTU.
    pub async fn change_interface(
        &self,
        ctx: &Context,
        c: ChangeInterface,
    ) -> Result<InterfaceView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Asked by its owner or its connection's; while it is `confirming` this is a rejection.
    pub async fn delete_interface(
        &self,
        ctx: &Context,
        id: InterfaceId,
    ) -> Result<InterfaceView, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// Those that the caller may see, in order of creation.
    pub async fn interfaces(
        &self,
        ctx: &Context,
        filter: &InterfaceFilter,
    ) -> Result<Vec<InterfaceView>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }
}
