//! The Region itself, its Subregions and locations: open to everyone.

use super::{App, Refusal};
use crate::store::sites;
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
        &self.parts().region
    }

    /// In order of their codes.
    pub async fn locations(&self) -> Result<Vec<Location>, Refusal> {
        let mut db = self.store().reader().await?;
        Ok(sites::locations(&mut db).await?)
    }

    /// In order of their names.
    pub async fn subregions(&self) -> Result<Vec<SubregionView>, Refusal> {
        let view = |l: Location| SubregionView { name: l.subregion, location: l.code };
        let mut all: Vec<_> = self.locations().await?.into_iter().map(view).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }
}
