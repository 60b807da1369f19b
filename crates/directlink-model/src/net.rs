//! A Net, its Subnets and the network interface cards in them, as far as a router must know.

use crate::{
    fault::Fault,
    ids::{AccountId, NetId, NicId, SecurityGroupId, SubnetId, SubregionName},
};
use directlink_net::{Ipv4Net, Mac, Vni};
use jiff::Timestamp;
use std::net::Ipv4Addr;

/// A tenant network. Closed from the Internet; reached through its virtual gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Net {
    pub id: NetId,
    pub account: AccountId,
    pub range: Ipv4Net,
    /// Its number on the fabric.
    pub vni: Vni,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    pub id: SubnetId,
    pub account: AccountId,
    pub net: NetId,
    pub range: Ipv4Net,
    pub subregion: SubregionName,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    pub id: NicId,
    pub account: AccountId,
    pub subnet: SubnetId,
    pub net: NetId,
    pub address: Ipv4Addr,
    pub mac: Mac,
    pub description: String,
    pub security_groups: Vec<SecurityGroupId>,
    /// The fabric address behind which it lives; the operator's side says so.
    pub vtep: Option<Ipv4Addr>,
    pub created_at: Timestamp,
}

/// Prefix lengths that a Net may have.
pub const NET_LENGTHS: std::ops::RangeInclusive<u8> = 16..=28;
/// What nobody has on the Internet (RFC 1918), or only a carrier inside (RFC 6598): a Net may take of
/// these.
const PRIVATE: [Ipv4Net; 4] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
];
/// Prefix lengths that a Subnet may have.
pub const SUBNET_LENGTHS: std::ops::RangeInclusive<u8> = 16..=29;
/// The first four addresses and the last of each Subnet are not a NIC's.
pub const RESERVED_ADDRESSES: u32 = 5;

impl Net {
    /// # Errors
    /// A range of a size or a kind that no Net can have.
    pub fn check_range(range: Ipv4Net) -> Result<(), Fault> {
        if !PRIVATE.iter().any(|private| private.contains(&range)) {
            return Err(Fault::RangeReserved(range));
        }
        match NET_LENGTHS.contains(&range.prefix_len()) {
            true => Ok(()),
            false => Err(Fault::RangeSize { range, lengths: NET_LENGTHS }),
        }
    }
}

impl Subnet {
    /// # Errors
    /// Outside its Net, of a wrong size, or across a sister.
    pub fn check_range(range: Ipv4Net, net: &Net, sisters: &[Self]) -> Result<(), Fault> {
        if !SUBNET_LENGTHS.contains(&range.prefix_len()) {
            return Err(Fault::RangeSize { range, lengths: SUBNET_LENGTHS });
        }
        if !net.range.contains(&range) {
            return Err(Fault::SubnetOutsideNet { range, net: net.id });
        }
        match sisters.iter().find(|s| s.range.contains(&range) || range.contains(&s.range)) {
            Some(sister) => Err(Fault::SubnetConflict { range, with: sister.id }),
            None => Ok(()),
        }
    }

    /// The address that hosts use as their router: the first of the range.
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.range.network()) + 1)
    }

    /// Addresses that a NIC may still take, given how many have one.
    pub fn available_addresses(&self, taken: usize) -> u32 {
        let all = 1u32 << (32 - self.range.prefix_len());
        all.saturating_sub(RESERVED_ADDRESSES)
            .saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
    }

    /// The wanted address, or the lowest free one.
    pub fn address_for(
        &self,
        wanted: Option<Ipv4Addr>,
        taken: &[Ipv4Addr],
    ) -> Result<Ipv4Addr, Fault> {
        let first = u32::from(self.range.network()) + 4;
        let last = u32::from(self.range.broadcast()) - 1;
        match wanted {
            Some(a) if !(first..=last).contains(&u32::from(a)) => {
                Err(Fault::AddressOutsideSubnet { address: a, subnet: self.id })
            }
            Some(a) if taken.contains(&a) => {
                Err(Fault::AddressTaken { address: a, subnet: self.id })
            }
            Some(a) => Ok(a),
            None => (first..=last)
                .map(Ipv4Addr::from)
                .find(|a| !taken.contains(a))
                .ok_or(Fault::SubnetFull(self.id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    fn subnet(text: &str) -> Subnet {
        Subnet {
            id: SubnetId::from_bits(1),
            account: AccountId::from_number(1),
            net: NetId::from_bits(1),
            range: net(text),
            subregion: "eu-west-2a".parse().unwrap(),
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn net_ranges() {
        for (range, verdict) in [
            ("10.0.0.0/16", "ok"),
            ("10.0.0.0/28", "ok"),
            ("10.0.0.0/15", "size"),
            ("100.64.0.0/16", "ok"),
            ("142.42.42.42/32", "reserved"),
            ("172.32.0.0/16", "reserved"),
            ("127.0.0.0/16", "reserved"),
            ("169.254.0.0/16", "reserved"),
        ] {
            let got = match Net::check_range(net(range)) {
                Ok(()) => "ok",
                Err(Fault::RangeSize { .. }) => "size",
                Err(_) => "reserved",
            };
            assert_eq!(got, verdict, "{range}");
        }
    }

    #[test]
    fn the_first_four_addresses_and_the_last_are_never_a_nics() {
        let subnet = subnet("10.0.1.0/29");
        let mut taken = vec![];
        while let Ok(address) = subnet.address_for(None, &taken) {
            taken.push(address);
        }
        assert_eq!(
            taken,
            ["10.0.1.4", "10.0.1.5", "10.0.1.6"].map(|a| a.parse::<Ipv4Addr>().unwrap())
        );
        assert_eq!(subnet.available_addresses(0), 3);
        assert_eq!(subnet.gateway(), Ipv4Addr::new(10, 0, 1, 1));
    }
}
