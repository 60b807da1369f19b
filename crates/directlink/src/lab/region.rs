//! What a lab's Region looks like: two locations, in two Subregions.
//!
//! Codes and names of eu-west-2 are OUTSCALE's. For other Regions none are published: theirs are
//! the lab's own.

use anyhow::{Context as _, Result};
use directlink_model::{
    ids::{LocationCode, RegionName, SubregionName},
    location::Region,
};
use directlink_net::{Asn, RegionAsn};

/// Unique local (RFC 4193): a lab's Nets are nobody's on the Internet.
pub(super) const IPV6: &str = "fd44:4c00::/24";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) code: LocationCode,
    /// `<site>, <country>`: clients cut it at the comma.
    pub(super) name: String,
    pub(super) subregion: SubregionName,
}

/// The number of a Region that is not in the guide must be given.
pub(super) fn region(name: &RegionName, asn: Option<Asn>) -> Result<Region> {
    let asn = asn.or_else(|| Region::guide_asn(name)).with_context(|| {
        format!("'{name}' is a Region of your own: say what AS number its routers have (--asn)")
    })?;
    let ipv6 = Some(IPV6.parse()?);
    Ok(Region { name: name.clone(), asn: RegionAsn(asn), ipv6 })
}

pub(super) fn sites(region: &RegionName) -> Result<Vec<Site>> {
    let of = |code: &str, name: &str, letter: char| -> Result<Site> {
        let subregion = format!("{region}{letter}").parse();
        Ok(Site {
            code: code.parse()?,
            name: name.to_owned(),
            subregion: subregion.context("a Subregion is called as its Region, with a letter")?,
        })
    };
    let [a, b] = match region.as_str() {
        "eu-west-2" => [("PAR1", "Telehouse 3, France"), ("PAR4", "Equinix Pantin, France")],
        "cloudgouv-eu-west-1" => [("GOV1", "Lab site 1, France"), ("GOV2", "Lab site 2, France")],
        "us-east-2" => {
            [("USE1", "Lab site 1, United States"), ("USE2", "Lab site 2, United States")]
        }
        _ => [("LAB1", "Lab site 1, Nowhere"), ("LAB2", "Lab site 2, Nowhere")],
    };
    Ok(vec![of(a.0, a.1, 'a')?, of(b.0, b.1, 'b')?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RegionName {
        text.parse().unwrap()
    }

    #[test]
    fn a_region_of_ones_own_needs_a_number() {
        let asn = Asn::try_from(64_700_u32).unwrap();
        assert_eq!(region(&name("us-east-2"), None).unwrap().asn.0.as_u32(), 53306);
        assert!(region(&name("mine"), None).unwrap_err().to_string().contains("--asn"));
        assert_eq!(region(&name("mine"), Some(asn)).unwrap().asn.0, asn);
    }

    #[test]
    fn each_region_has_two_locations_in_two_subregions() {
        for region in ["eu-west-2", "cloudgouv-eu-west-1", "us-east-2", "mine"] {
            let sites = sites(&name(region)).unwrap();
            assert_eq!(sites.len(), 2);
            assert_ne!(sites[0].code, sites[1].code);
            assert_eq!(sites[1].subregion.as_str(), format!("{region}b"));
            assert!(sites.iter().all(|site| site.name.contains(", ")));
        }
    }
}
