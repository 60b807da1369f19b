//! The words of the field, each a type that cannot hold a bad value.
//!
//! Every other crate speaks these: a VLAN that exists is a usable VLAN, an ASN that
//! exists may appear in an OPEN. Parsing happens once, at the edge, by `TryFrom` or
//! `FromStr`; each refusal is its own named error, so that a dialect can choose its code.
//!
//! Pure: no clock, no socket, no allocation beyond strings.

mod asn;
mod bgp_key;
mod ipv6_block;
mod mac;
mod mtu;
mod peer;
mod vlan;
mod vni;

pub use asn::{Asn, BadAsn, RegionAsn};
pub use bgp_key::{BadBgpKey, BgpKey};
pub use ipnet::{IpNet, Ipv4Net, Ipv6Net};
pub use ipv6_block::{BadIpv6Block, Ipv6Block};
pub use mac::{BadMac, Mac};
pub use mtu::{BadMtu, Mtu};
pub use peer::{BadPeerAddresses, PeerAddresses};
pub use vlan::{BadVlan, Vlan};
pub use vni::{BadVni, Vni};
