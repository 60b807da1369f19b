//! The Region itself, its Subregions and locations: open to everyone.

use super::{App, Refusal};
use crate::store;
use directlink_model::{
    ids::{LocationCode, SubregionName},
    location::{Location, Region},
};

/// A Subregion and the location in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubregionView {
    pub name: SubregionName,
    pub location: LocationCode,
}

impl App {
    pub fn region(&self) -> &Region {
        unreachable!("not built yet")
    }
}

impl App {
    /// In order of their codes.
    pub async fn locations(&self) -> Result<Vec<Location>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// In order of their names.
    pub async fn subregions(&self) -> Result<Vec<SubregionView>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }
}
