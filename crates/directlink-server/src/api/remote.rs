//! Where a request came from, when there are proxies of the operator's own before us.

use http::HeaderMap;
use std::net::{IpAddr, Ipv6Addr};

/// Whom `peer` asks for. Each proxy adds to the right end of `X-Forwarded-For` who asked it, so it is
/// read from there, and only so far as proxies that are trusted wrote it: the rest is anybody's.
pub(crate) fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let mut last = peer.to_canonical();
    let lines: Vec<_> =
        headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
    for said in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        match said.trim().parse::<IpAddr>() {
            Ok(before) if trusted.contains(&last) => last = before.to_canonical(),
            Ok(_) | Err(_) => break,
        }
    }
    last
}

/// As whose a call counts that nobody has proved to be behind; all as one where there is no socket.
pub(crate) fn counted(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let from = peer.map(|peer| neighbourhood(behind(peer, headers, trusted)));
    from.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
}

/// Whose calls are counted together: an IPv4 address, or the /64 that a site of IPv6 has at least.
pub(super) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => IpAddr::from((six.to_bits() >> 64 << 64).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        let trusted = ["10.0.0.1", "10.0.0.2", "fd00::1"].map(|a| a.parse().unwrap());
        for (peer, lines, expected) in [
            ("192.0.2.7", &["198.51.100.9"][..], "192.0.2.7"),
            ("10.0.0.1", &["198.51.100.9"], "198.51.100.9"),
            ("10.0.0.1", &["203.0.113.66, 198.51.100.9"], "198.51.100.9"),
            ("10.0.0.1", &["203.0.113.66", "198.51.100.9,10.0.0.2"], "198.51.100.9"),
            ("::ffff:10.0.0.1", &["2001:db8::5"], "2001:db8::5"),
            ("fd00::1", &["::ffff:198.51.100.9"], "198.51.100.9"),
            ("10.0.0.1", &["nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.9, "], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            let address = behind(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(address.to_string(), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_site_of_ipv6_is_one_neighbour() {
        for (address, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ] {
            assert_eq!(neighbourhood(address.parse().unwrap()).to_string(), expected);
        }
    }
}
