//! The stack's switches: how an interface's namespace behaves, and the room in the one
//! neighbour table that all namespaces of a machine share.

use std::{fs, io};

/// Of an interface's own namespace. Set before its link is there, which inherits `default`.
const INTERFACE: [(&str, &str); 16] = [
    // It is a host towards the customer: forwarding is the data plane's, never the kernel's.
    ("ipv4/ip_forward", "0"),
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv4/conf/default/accept_redirects", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/all/accept_source_route", "0"),
    // Only what the customer's subnet can send (RFC 3704).
    ("ipv4/conf/all/rp_filter", "1"),
    // ARP for the peer address only, and with it as the sender's.
    ("ipv4/conf/all/arp_ignore", "1"),
    ("ipv4/conf/all/arp_announce", "2"),
    ("ipv4/icmp_echo_ignore_broadcasts", "1"),
    // BGP's own timers say how long to wait; a dial that nobody hears ends within seconds.
    ("ipv4/tcp_syn_retries", "3"),
    ("ipv4/tcp_synack_retries", "3"),
    ("ipv4/tcp_mtu_probing", "1"),
    // No IPv6 but where a peer needs it: `speak_ipv6`.
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
    ("ipv6/conf/all/accept_ra", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
];

/// Of the link of an interface with an IPv6 peer: a host that believes no router. That an address is
/// another's is not asked first: the addresses are given, and asking would delay the session.
const IPV6_LINK: [(&str, &str); 7] = [
    ("accept_ra", "0"),
    ("accept_redirects", "0"),
    ("router_solicitations", "0"),
    ("forwarding", "0"),
    ("accept_dad", "0"),
    ("dad_transmits", "0"),
    ("disable_ipv6", "0"),
];

/// Rows that the machine's neighbour table must have room for: a garbage collection below
/// the number of interfaces would break ARP in namespaces that have one neighbour each.
const NEIGHBOURS: [(&str, u64); 3] =
    [("gc_thresh1", 8_192), ("gc_thresh2", 32_768), ("gc_thresh3", 65_536)];

/// Whether every switch of the calling thread's namespace is as an interface's should be.
pub(super) fn is_tuned() -> bool {
    INTERFACE.iter().all(|(switch, wanted)| match read(switch) {
        Ok(value) => value == *wanted,
        Err(e) => is_absent(switch, &e),
    })
}

pub(super) fn tune() -> io::Result<()> {
    INTERFACE.iter().try_for_each(|(switch, wanted)| match write(switch, wanted) {
        Err(e) if is_absent(switch, &e) => Ok(()),
        done => done,
    })
}

/// IPv6 on a link of the calling thread's namespace. It has a link-local address then, which
/// neighbour discovery needs.
pub(super) fn speak_ipv6(link: &str) -> io::Result<()> {
    IPV6_LINK
        .iter()
        .try_for_each(|(switch, wanted)| write(&format!("ipv6/conf/{link}/{switch}"), wanted))
}

/// No IPv6 on the router's end of a veth: it would chatter into the interface's namespace.
pub(super) fn silence(link: &str) -> io::Result<()> {
    let switch = format!("ipv6/conf/{link}/disable_ipv6");
    match write(&switch, "1") {
        Err(e) if is_absent(&switch, &e) => Ok(()),
        done => done,
    }
}

/// Makes room in the neighbour table, where it is less. The calling thread is in the
/// initial namespace, which alone has these switches.
pub(super) fn make_room_for_neighbours() -> io::Result<()> {
    for (switch, wanted) in NEIGHBOURS {
        for family in ["ipv4", "ipv6"] {
            let switch = format!("{family}/neigh/default/{switch}");
            match read(&switch) {
                Ok(value) if value.parse().is_ok_and(|now: u64| now >= wanted) => {}
                Ok(_) => write(&switch, &wanted.to_string())?,
                // Not the initial namespace, or no IPv6.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(())
}

/// `/proc/sys/net` is that of the calling thread's network namespace.
fn read(switch: &str) -> io::Result<String> {
    fs::read_to_string(format!("/proc/sys/net/{switch}")).map(|value| value.trim().to_owned())
}

fn write(switch: &str, value: &str) -> io::Result<()> {
    fs::write(format!("/proc/sys/net/{switch}"), value)
        .map_err(|e| io::Error::new(e.kind(), format!("net/{switch}: {e}")))
}

/// A kernel without IPv6 has nothing to switch off.
fn is_absent(switch: &str, error: &io::Error) -> bool {
    switch.starts_with("ipv6/") && error.kind() == io::ErrorKind::NotFound
}
