//! What is written, kept to be read by people: one file per software and intent.

use crate::{all, dual, full, interface, peer, region};
use directlink_model::{
    bgp_peer::PeerProposal,
    ids::BgpPeerId,
    interface::Interface,
    router_config::{Intent, Software, check, configuration, logical_connection},
};
use jiff::Timestamp;

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

#[test]
fn configurations_are_as_reviewed() {
    for software in Software::ALL {
        for (name, intent) in all() {
            let text = configuration(software, &intent);
            settings().bind(|| insta::assert_snapshot!(format!("{software}-{name}"), text));
        }
    }
}

#[test]
fn a_written_configuration_reads_back_without_a_finding() {
    for software in Software::ALL {
        for (name, intent) in all() {
            let text = configuration(software, &intent);
            assert_eq!(check(software, &text, &intent), [], "{software} {name}:\n{text}");
            let pasted = text.replace('\n', "\r\n");
            assert_eq!(check(software, &pasted, &intent), [], "{software} {name} with CR LF");
        }
    }
}

#[test]
fn routers_are_given_ascii_without_tabs_or_trailing_blanks() {
    for software in Software::ALL {
        for (name, intent) in all() {
            let text = configuration(software, &intent);
            assert!(text.is_ascii() && !text.contains('\t'), "{software} {name}");
            assert!(text.lines().all(|line| line == line.trim_end()), "{software} {name}");
            assert!(text.ends_with('\n'), "{software} {name}");
            assert!(!text.contains("evil"), "a customer's name of the interface is not a command");
        }
    }
}

#[test]
fn a_key_is_in_the_written_text_alone() {
    for software in Software::ALL {
        let intent = full();
        let text = configuration(software, &intent);
        assert!(text.contains("tgyn26example"), "{software}");
        let pasted = text.replace("tgyn26example", "pasted-secret");
        let findings = check(software, &pasted, &intent);
        let shown = format!("{intent:?} {findings:?} {}", findings[0]);
        assert!(!shown.contains("tgyn26example"), "{software}: {shown}");
        assert!(!shown.contains("pasted-secret"), "{software}: {shown}");
    }
}

#[test]
fn two_families_of_one_as_are_one_routers_and_what_is_alone_stands_alone() {
    let address = |side: &str| peer(&format!("{side}1/126"), &format!("{side}2/126"));
    let of = |asn: u32, second: Option<&str>| {
        let mut interface = interface();
        if let Some(side) = second {
            let (asn, addresses) = (asn.try_into().unwrap(), address(side));
            let proposal = PeerProposal { asn, key: None, addresses };
            let id = BgpPeerId::from_bits(7);
            interface.add_peer(id, proposal, region(), &[], Timestamp::UNIX_EPOCH).unwrap();
        }
        interface
    };
    let families = |interface: &Interface| {
        let sessions = Intent::of(interface, region()).sessions;
        sessions.iter().map(|s| s.family().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(families(&of(65000, None)), ["IPv4"]);
    assert_eq!(families(&of(65000, Some("2001:db8::"))), ["IPv4", "IPv6"]);
    assert_eq!(families(&of(65001, Some("2001:db8::"))), ["IPv4"], "another's router");
    let mut alone = of(65001, Some("2001:db8::"));
    alone.delete_peer(alone.bgp_peer(), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(families(&alone), ["IPv6"]);
    assert_eq!(Intent::of(&alone, region()).customer_asn.as_u32(), 65001);
}

#[test]
fn aws_xml_has_every_fact_and_escapes_the_key() {
    let mut intent = dual();
    intent.sessions[0].key = crate::key("a<b&\"c\">");
    let xml = logical_connection(&intent);
    insta::assert_snapshot!(xml, @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <logical_connection id="dxvif-1a2b3c4d">
      <vlan>101</vlan>
      <customer_address>172.16.0.2/30</customer_address>
      <amazon_address>172.16.0.1/30</amazon_address>
      <ipv6_customer_address>2001:db8:0:1::2/126</ipv6_customer_address>
      <ipv6_amazon_address>2001:db8:0:1::1/126</ipv6_amazon_address>
      <bgp_asn>4200000001</bgp_asn>
      <bgp_auth_key>a&lt;b&amp;&quot;c&quot;&gt;</bgp_auth_key>
      <ipv6_bgp_asn>4200000001</ipv6_bgp_asn>
      <ipv6_bgp_auth_key>other-key</ipv6_bgp_auth_key>
      <amazon_bgp_asn>50624</amazon_bgp_asn>
      <connection_type>private</connection_type>
    </logical_connection>
    "#);
}
