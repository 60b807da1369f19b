//! The Region, its Subregions and locations. Two of the three are open: a client asks them before
//! it has a key.

use super::{
    Call, Outcome,
    list::{Filter, List, Listed},
    params::DRY_RUN,
};
use crate::app::SubregionView;
use directlink_model::location::{Location, Region};
use serde_json::json;

impl Listed for Region {
    const FILTERS: &'static [Filter<Self>] = &[];
}

impl Listed for Location {
    const FILTERS: &'static [Filter<Self>] = &[];
}

/// A Subregion with the name of its Region.
pub(super) struct Subregion(SubregionView, String);

impl Listed for Subregion {
    const FILTERS: &'static [Filter<Self>] = &[
        Filter::Texts("RegionNames", |s| vec![s.1.clone()]),
        Filter::Texts("States", |_| vec![AVAILABLE.into()]),
        Filter::Texts("SubregionNames", |s| vec![s.0.name.to_string()]),
    ];
}

const AVAILABLE: &str = "available";

/// The endpoint is the address that the client reached us by: the one that works for it.
pub(super) async fn read_regions(call: Call<'_>) -> Outcome {
    call.checked(&[DRY_RUN])?;
    let list = List::read_whole::<Region>(&call, &[])?;
    list.answer(
        "Regions",
        &[call.app.region().clone()],
        |region| json!({ "Endpoint": call.host, "RegionName": region.name }),
    )
}

pub(super) async fn read_locations(call: Call<'_>) -> Outcome {
    let list = List::read::<Location>(&call, &[])?;
    let locations = call.app.locations().await?;
    list.answer("Locations", &locations, |l| json!({ "Code": l.code, "Name": l.name }))
}

pub(super) async fn read_subregions(call: Call<'_>) -> Outcome {
    let list = List::read::<Subregion>(&call, &[])?;
    let region = call.app.region().name.to_string();
    let subregions = call.app.subregions().await?;
    let subregions: Vec<_> =
        subregions.into_iter().map(|view| Subregion(view, region.clone())).collect();
    list.answer("Subregions", &subregions, |Subregion(view, region)| {
        json!({
            "LocationCode": view.location,
            "RegionName": region,
            "State": AVAILABLE,
            "SubregionName": view.name,
        })
    })
}
