//! `customerRouterConfig`: the XML that AWS puts into the description of a virtual interface.

use super::{
    configuration,
    intent::{Family, Intent},
    router_types::RouterType,
};

/// One element per fact, IPv4 first, in the order in which AWS writes them.
pub fn logical_connection(intent: &Intent) -> String {
    let session = |family| intent.sessions.iter().find(|s| s.family() == family);
    let mut elements = vec![("vlan", intent.vlan.to_string())];
    if let Some(v4) = session(Family::V4) {
        elements.push(("customer_address", v4.peer.customer().to_string()));
        elements.push(("amazon_address", v4.peer.router().to_string()));
    }
    if let Some(v6) = session(Family::V6) {
        elements.push(("ipv6_customer_address", v6.peer.customer().to_string()));
        elements.push(("ipv6_amazon_address", v6.peer.router().to_string()));
    }
    for (family, asn, key) in
        [(Family::V4, "bgp_asn", "bgp_auth_key"), (Family::V6, "ipv6_bgp_asn", "ipv6_bgp_auth_key")]
    {
        if let Some(session) = session(family) {
            elements.push((asn, intent.customer_asn.to_string()));
            elements.extend(session.key.as_ref().map(|k| (key, escaped(k.expose()))));
        }
    }
    elements.push(("amazon_bgp_asn", intent.region_asn.0.to_string()));
    elements.push(("connection_type", "private".to_owned()));
    let body: String =
        elements.iter().map(|(name, value)| format!("  <{name}>{value}</{name}>\n")).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<logical_connection id=\"{}\">\n{body}</logical_connection>\n",
        intent.id
    )
}

/// The same, with what can be pasted into a router of this type as one more element.
pub fn logical_connection_for(router: &RouterType, intent: &Intent) -> String {
    // CDATA, so that the text can be copied as it stands; the one thing that it cannot hold is its end.
    let text = configuration(router.language, intent).replace("]]>", "]]]]><![CDATA[>");
    let element = format!(
        "  <router_configuration router_type=\"{}\"><![CDATA[\n{text}]]></router_configuration>\n</logical_connection>\n",
        router.identifier
    );
    logical_connection(intent).replace("</logical_connection>\n", &element)
}

/// Only a key can hold what XML must not see.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            c => safe.push(c),
        }
    }
    safe
}
