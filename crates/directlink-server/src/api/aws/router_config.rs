//! `customerRouterConfig`: what a customer's router must be told, as the XML that AWS gives.

use directlink_model::{ids::AccountId, view::InterfaceView};
use directlink_net::{BgpKey, RegionAsn};
use std::fmt::Write;

pub(super) fn xml(view: &InterfaceView, region: RegionAsn, reader: AccountId) -> String {
    let interface = &view.interface;
    let key = interface.key.as_ref().filter(|_| interface.owner == reader).map(BgpKey::expose);
    let rows = [
        ("vlan", Some(interface.vlan.to_string())),
        ("customer_address", Some(interface.peer.customer().to_string())),
        ("amazon_address", Some(interface.peer.router().to_string())),
        ("bgp_asn", Some(interface.asn.to_string())),
        ("bgp_auth_key", key.map(escape)),
        ("amazon_bgp_asn", Some(region.0.to_string())),
        ("connection_type", Some("private".into())),
    ];
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<logical_connection id=\"{}\">\n",
        interface.id
    );
    for (name, value) in rows {
        if let Some(value) = value {
            let _ = writeln!(text, "  <{name}>{value}</{name}>");
        }
    }
    text.push_str("</logical_connection>\n");
    text
}

/// A key may hold any printable character, and XML keeps five for itself.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_break_out_of_its_element() {
        assert_eq!(escape("a</b>&\"'"), "a&lt;/b&gt;&amp;&quot;&apos;");
    }
}
