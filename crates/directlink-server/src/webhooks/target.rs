//! Where a message may go: a customer names the address, and our server dials it. So it must not
//! lead into the operator's own network: a name may stand for any address, so that addresses are
//! judged when they are dialled.

use http::Uri;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};
use thiserror::Error;

/// An address that can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(Uri);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{given}' is not an address for a webhook: {why}")]
pub struct BadTarget {
    given: String,
    why: &'static str,
}

impl Target {
    /// # Errors
    /// It is not `https://HOST…`, or `http://HOST…`, which is dialled only where the operator
    /// allows the network.
    pub fn new(url: &str) -> Result<Self, BadTarget> {
        let bad = |why| BadTarget { given: url.escape_default().to_string(), why };
        if url.len() > URL_MAX {
            return Err(bad("it is too long"));
        }
        let uri: Uri = url.parse().map_err(|_| bad("it is not a URL"))?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) {
            return Err(bad("it does not begin with https://"));
        }
        match uri.authority() {
            Some(authority) if authority.host().is_empty() => Err(bad("it has no host")),
            // They would be shown wherever the address is.
            Some(authority) if authority.as_str().contains('@') => Err(bad("it has a login")),
            Some(_) => Ok(Self(uri)),
            None => Err(bad("it has no host")),
        }
    }

    pub(super) const fn uri(&self) -> &Uri {
        &self.0
    }

    pub(super) fn is_in_clear(&self) -> bool {
        self.0.scheme_str() == Some("http")
    }

    /// Where its host is an address, which is not looked up.
    pub(super) fn address(&self) -> Option<IpAddr> {
        let host = self.0.host()?;
        host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which addresses are dialled.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    /// Networks beside the public Internet, by the operator's word.
    pub(super) allowed: Vec<IpNet>,
}

impl Reach {
    pub(super) fn admits(&self, address: IpAddr, in_clear: bool) -> bool {
        let address = address.to_canonical();
        self.allowed.iter().any(|net| net.contains(&address)) || (!in_clear && is_public(address))
    }
}

/// By IANA's registries of special addresses; of IPv6, only what is given out at all.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !SPECIAL_V4.iter().any(|net| net.contains(&v4)),
        IpAddr::V6(v6) => {
            GLOBAL_V6.contains(&v6) && !SPECIAL_V6.iter().any(|net| net.contains(&v6))
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), length)
}

const fn v6(a: u16, b: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length)
}

const SPECIAL_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(192, 88, 99, 24),
    v4(192, 168, 0, 16),
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(224, 0, 0, 4),
    v4(240, 0, 0, 4),
];
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);
/// Teredo and its neighbours, documentation, and 6to4, which leads to an IPv4 address.
const SPECIAL_V6: [Ipv6Net; 4] =
    [v6(0x2001, 0, 23), v6(0x2001, 0xdb8, 32), v6(0x2002, 0, 16), v6(0x3fff, 0, 20)];

/// As browsers and proxies have it.
const URL_MAX: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_dialled_and_those_of_networks_that_are_allowed() {
        let reach = Reach { allowed: vec!["10.9.0.0/16".parse().unwrap()] };
        for (address, in_clear, admitted) in [
            ("1.1.1.1", false, true),
            ("1.1.1.1", true, false),
            ("10.9.0.1", true, true),
            ("10.8.0.1", false, false),
            ("127.0.0.1", false, false),
            ("169.254.169.254", false, false),
            ("172.31.255.255", false, false),
            ("192.168.1.1", false, false),
            ("100.64.0.1", false, false),
            ("0.0.0.0", false, false),
            ("255.255.255.255", false, false),
            ("::1", false, false),
            ("::ffff:127.0.0.1", false, false),
            ("::ffff:10.9.0.1", false, true),
            ("fe80::1", false, false),
            ("fd00::1", false, false),
            ("64:ff9b::7f00:1", false, false),
            ("2002:7f00:1::1", false, false),
            ("2001:db8::1", false, false),
            ("2606:4700:4700::1111", false, true),
        ] {
            assert_eq!(reach.admits(address.parse().unwrap(), in_clear), admitted, "{address}");
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (url, why) in [
            ("https://hooks.example/a?b=c", None),
            ("http://10.9.0.1:8080/", None),
            ("ftp://hooks.example/", Some("https://")),
            ("hooks.example", Some("https://")),
            ("https://user:word@hooks.example/", Some("login")),
            ("https://exa mple/", Some("URL")),
        ] {
            let said = Target::new(url).err().map(|bad| bad.to_string());
            assert_eq!(said.is_some(), why.is_some(), "{url}: {said:?}");
            assert!(why.is_none_or(|why| said.unwrap().contains(why)), "{url}");
        }
        assert!(Target::new(&format!("https://a.example/{}", "x".repeat(URL_MAX))).is_err());
        let literal = |url| Target::new(url).unwrap().address().map(|it| it.to_string());
        assert_eq!(literal("https://[::1]:8/").as_deref(), Some("::1"));
        assert_eq!(literal("https://localhost/"), None);
    }
}
