//! Where the fibre ends: Region, Subregion, location, router, port.

use crate::connection::{Bandwidth, PortRef};
use crate::ids::{LocationCode, PortName, RegionName, RouterName, SubregionName};
use crate::inventory::{Optics, Position};
use directlink_net::{Asn, Ipv6Block, RegionAsn};
use std::net::Ipv4Addr;

/// One installation. Its number is what every router of it speaks with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    pub name: RegionName,
    pub asn: RegionAsn,
    /// Without, its Nets are of IPv4 alone.
    pub ipv6: Option<Ipv6Block>,
}

impl Region {
    /// The guide's Regions: 50624 for eu-west-2 and cloudgouv-eu-west-1, 53306 for us-east-2.
    /// `None`: the operator must say the number of a Region of their own.
    pub fn guide_asn(name: &RegionName) -> Option<Asn> {
        let number: u32 = match name.as_str() {
            "eu-west-2" | "cloudgouv-eu-west-1" => 50624,
            "us-east-2" => 53306,
            _ => return None,
        };
        number.try_into().ok()
    }
}

/// A physical site, one per Subregion. Any location reaches every Net of the Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// As `PAR1`.
    pub code: LocationCode,
    /// Site and country, as `Telehouse 3, France`.
    pub name: String,
    pub subregion: SubregionName,
}

/// A DirectLink router at a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    pub name: RouterName,
    pub location: LocationCode,
    /// Its address on the fabric, where it sends and takes VXLAN (RFC 7348).
    pub vtep: Ipv4Addr,
    /// BGP identifier (RFC 6286): not zero, unique among the Region's routers.
    pub bgp_identifier: Ipv4Addr,
}

/// A port of a router, towards the meet-me room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub router: RouterName,
    pub name: PortName,
    pub speed: Bandwidth,
    /// What the operator says is plugged in it. `None`: what its speed is sold with, unless its router
    /// knows better.
    pub optics: Option<Optics>,
    /// Of a panel, to whose back it is wired.
    pub position: Option<Position>,
}

impl Port {
    pub fn at(&self) -> PortRef {
        PortRef { router: self.router.clone(), port: self.name.clone() }
    }
}
