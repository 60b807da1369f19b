//! Reads the Cisco family: IOS-XE, IOS-XR, NX-OS, and those who speak alike, EOS and FRR.
//!
//! ```text
//!   IOS, EOS, FRR                          IOS-XR, NX-OS
//!   router bgp 65000                       router bgp 65000
//!    neighbor 192.0.2.1 remote-as 50624     neighbor 192.0.2.1
//!    address-family ipv4                     remote-as 50624
//!     neighbor 192.0.2.1 activate            address-family ipv4 unicast
//!   one path of words for both: [family] neighbor NAME [family] rest
//! ```

use super::{
    super::{
        intent::{Family, Way},
        reading::{At, KeySeen, Link, Neighbour, Reading, at},
        text::{Statement, indent, split_at_word},
    },
    from_mask,
};

/// What they differ in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    /// What `mtu` of a sub-interface counts besides IP. `None`: it says nothing of IP.
    pub(super) mtu_overhead: Option<u32>,
    pub(super) families_unless_said: &'static [Family],
    /// A block for a family names each neighbour that speaks it.
    pub(super) blocks_name_all: bool,
}

pub(super) fn read(text: &str, habits: Habits) -> Reading {
    let mut reading = Reading {
        families_unless_said: habits.families_unless_said.to_vec(),
        ..Reading::default()
    };
    for statement in indent::statements(text) {
        read_statement(&statement, habits, &mut reading);
    }
    reading
}

fn read_statement(statement: &Statement, habits: Habits, reading: &mut Reading) {
    let (line, on) = (statement.line, !statement.negated);
    match statement.words().as_slice() {
        ["interface", name, rest @ ..] => {
            let link = reading.link(name, line);
            link.parent = name.rsplit_once('.').map(|(parent, _)| parent.to_owned());
            interface((line, on), rest, habits, link);
        }
        ["router", "bgp", asn, rest @ ..] => {
            if on && rest.is_empty() {
                reading.local_asn = at(asn, line);
            }
            bgp((line, on), rest, habits, reading);
        }
        ["prefix-set", _, prefix, ..] => reading.permit(prefix, line),
        ["ip" | "ipv6", "prefix-list", rest @ ..] if on => {
            if let Some((_, [prefix, ..])) = split_at_word(rest, "permit") {
                reading.permit(prefix, line);
            }
        }
        _ => {}
    }
}

fn interface((line, on): (usize, bool), words: &[&str], habits: Habits, link: &mut Link) {
    match words {
        ["shutdown", ..] => link.shut = Some(At { line, is: on }),
        _ if !on => {}
        ["description", words @ ..] => link.description = words.join(" "),
        ["encapsulation", "dot1q" | "dot1Q", "vlan", vlan, ..]
        | ["encapsulation", "dot1q" | "dot1Q", vlan, ..] => link.vlan = at(vlan, line),
        ["ip" | "ipv4" | "ipv6", "mtu", bytes] => link.mtu(bytes, 0, line),
        ["mtu", bytes] => {
            if let Some(overhead) = habits.mtu_overhead {
                link.mtu(bytes, overhead, line);
            }
        }
        ["ip" | "ipv4", "address", address, mask, ..] if mask.contains('.') => {
            if let Some(prefix) = from_mask(address, mask) {
                link.address(&prefix, line);
            }
        }
        ["ip" | "ipv4" | "ipv6", "address", prefix, ..] => link.address(prefix, line),
        _ => {}
    }
}

fn bgp((line, on): (usize, bool), words: &[&str], habits: Habits, reading: &mut Reading) {
    if let (false, ["bgp", "default", "ipv4-unicast"]) = (on, words) {
        reading.families_unless_said.clear();
        return;
    }
    if let (true, ["address-family", "ipv4"] | ["address-family", "ipv4", "unicast"]) =
        (habits.blocks_name_all, words)
    {
        reading.families_unless_said.clear();
        return;
    }
    let place = words.iter().position(|w| matches!(*w, "neighbor" | "neighbor-group" | "peer"));
    let Some((before, [_, name, rest @ ..])) = place.map(|place| words.split_at(place)) else {
        return;
    };
    let neighbour = reading.neighbour(name, line);
    let (inner, rest) = match rest {
        ["address-family", "ipv4", rest @ ..] => (Some(Family::V4), rest),
        ["address-family", "ipv6", rest @ ..] => (Some(Family::V6), rest),
        ["address-family", ..] => return,
        rest => (None, rest),
    };
    let outer = match before.windows(2).any(|pair| pair == ["address-family", "ipv6"]) {
        true => Family::V6,
        false => Family::V4,
    };
    if let Some(family) = inner {
        let rest = rest.strip_prefix(&["unicast"]).unwrap_or(rest);
        if on && rest.is_empty() {
            neighbour.family(family, true, line);
        }
        session((line, on), rest, family, neighbour);
        return;
    }
    session((line, on), rest, outer, neighbour);
}

fn session((line, on): (usize, bool), words: &[&str], family: Family, n: &mut Neighbour) {
    match words {
        ["shutdown", ..] => n.shut = Some(At { line, is: on }),
        ["activate"] => n.family(family, on, line),
        ["bfd", "multiplier" | "minimum-interval" | "interval", ..] => {}
        ["bfd", "fast-detect", "disable"] => n.bfd = Some(At { line, is: false }),
        ["bfd", ..] | ["fall-over", "bfd", ..] => n.bfd = Some(At { line, is: on }),
        _ if !on => {}
        ["remote-as", asn, ..] => n.remote_asn = at(asn, line),
        ["local-as", asn, ..] => n.local_asn = at(asn, line),
        ["description", words @ ..] => n.description = words.join(" "),
        ["password", words @ ..] => n.key = password(words).map(|is| At { line, is }),
        ["timers", "connect" | "delayopen", ..] => {}
        ["timers", _keepalive, hold, ..] => n.hold_time(hold, line),
        ["route-map" | "route-policy" | "prefix-list" | "filter-list", name, rest @ ..] => {
            match rest.last() {
                Some(&"in") => n.policy(Way::In, name, line),
                Some(&"out") => n.policy(Way::Out, name, line),
                _ => {}
            }
        }
        ["peer-group", group]
        | ["peer", "group", group]
        | ["use", "neighbor-group", group]
        | ["inherit", "peer" | "peer-session" | "peer-policy", group, ..] => {
            n.inherits.push((*group).to_owned());
        }
        _ => {}
    }
}

/// One word is the key itself; before a word of another kind stands what hides it.
fn password(words: &[&str]) -> Option<KeySeen> {
    Some(match words {
        [] => return None,
        [key] | ["0" | "clear", key] => KeySeen::plain(key),
        ["3" | "6" | "7" | "8a" | "encrypted" | "shared-secret", ..] => KeySeen::Encrypted,
        _ => KeySeen::Other,
    })
}
