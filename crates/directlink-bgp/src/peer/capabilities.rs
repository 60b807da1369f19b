//! What each side's OPEN offered (RFC 5492), in words for people.

use crate::Family;
use rustbgpd_wire::{Afi, Capability, Safi};

/// Of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub ours: Vec<String>,
    pub theirs: Vec<String>,
}

pub(super) fn words(list: &[Capability]) -> Vec<String> {
    list.iter().map(word).collect()
}

fn word(capability: &Capability) -> String {
    match capability {
        Capability::MultiProtocol { afi, safi } => format!("multiprotocol {}", family(*afi, *safi)),
        Capability::ExtendedNextHop(_) => "extended next hop".to_owned(),
        Capability::GracefulRestart { restart_state, notification, restart_time, families } => {
            let mut words = format!("graceful restart, {restart_time} s");
            for family in families {
                words.push_str(&format!(", {}", self::family(family.afi, family.safi)));
                if family.forwarding_preserved {
                    words.push_str(" (forwarding preserved)");
                }
            }
            if *notification {
                words.push_str(", with NOTIFICATION");
            }
            if *restart_state {
                words.push_str(", restarted");
            }
            words
        }
        Capability::RouteRefresh => "route refresh".to_owned(),
        Capability::EnhancedRouteRefresh => "enhanced route refresh".to_owned(),
        Capability::ExtendedMessage => "extended message".to_owned(),
        Capability::LinkLocalNextHop => "link-local next hop".to_owned(),
        Capability::LongLivedGracefulRestart(_) => "long-lived graceful restart".to_owned(),
        Capability::AddPath(_) => "add-path".to_owned(),
        Capability::PathsLimit(_) => "paths limit".to_owned(),
        Capability::OutboundRouteFilter(_) => "outbound route filtering".to_owned(),
        Capability::FourOctetAs { asn } => format!("four-octet AS, {asn}"),
        Capability::Role { .. } => "role".to_owned(),
        Capability::Unknown { code, .. } => format!("capability {code}"),
        // The crate may learn more.
        #[allow(unreachable_patterns)]
        _ => "another".to_owned(),
    }
}

fn family(afi: Afi, safi: Safi) -> String {
    Family::from_wire(afi, safi)
        .map_or_else(|| format!("AFI {afi:?}, SAFI {safi:?}"), |known| known.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn each_is_named_as_the_registry_has_it() {
        let list = [
            Capability::MultiProtocol { afi: Afi::Ipv4, safi: Safi::Unicast },
            Capability::RouteRefresh,
            Capability::FourOctetAs { asn: 65010 },
            Capability::Unknown { code: 73, data: Bytes::new() },
        ];
        let words = words(&list);
        assert!(words[0].starts_with("multiprotocol "), "{words:?}");
        assert_eq!(words[1..], ["route refresh", "four-octet AS, 65010", "capability 73"]);
    }
}
