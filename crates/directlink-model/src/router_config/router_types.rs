//! Which routers a configuration can be asked for: AWS's identifiers where AWS has one
//! (`DescribeRouterConfiguration`), our own in the same form for the rest.

use super::software::Software;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterType {
    /// AWS: `routerTypeIdentifier`.
    pub identifier: &'static str,
    pub vendor: &'static str,
    pub platform: &'static str,
    /// The release that the configuration is written for.
    pub software: &'static str,
    /// AWS: `xsltTemplateName`; ours has the same form.
    pub template: &'static str,
    pub language: Software,
}

const fn row(
    identifier: &'static str,
    vendor: &'static str,
    platform: &'static str,
    software: &'static str,
    template: &'static str,
    language: Software,
) -> RouterType {
    RouterType { identifier, vendor, platform, software, template, language }
}

const CISCO: &str = "Cisco Systems, Inc.";
const JUNIPER: &str = "Juniper Networks, Inc.";
const CISCO_ROUTER: &str = "customer-router-cisco-generic.xslt";
const NEXUS: &str = "customer-switch-cisco-nexus-generic.xslt";
const JUNIPER_ROUTER: &str = "customer-router-juniper-generic.xslt";

#[rustfmt::skip]
pub const ROUTER_TYPES: &[RouterType] = &[
    row("CiscoSystemsInc-2900SeriesRouters-IOS124", CISCO, "2900 Series Routers", "IOS 12.4+", CISCO_ROUTER, Software::IosXe),
    row("CiscoSystemsInc-3700SeriesRouters-IOS124", CISCO, "3700 Series Routers", "IOS 12.4+", CISCO_ROUTER, Software::IosXe),
    row("CiscoSystemsInc-7200SeriesRouters-IOS124", CISCO, "7200 Series Routers", "IOS 12.4+", CISCO_ROUTER, Software::IosXe),
    row("CiscoSystemsInc-Nexus7000SeriesSwitches-NXOS51", CISCO, "Nexus 7000 Series Switches", "NX-OS 5.1+", NEXUS, Software::NxOs),
    row("CiscoSystemsInc-Nexus9KSeriesSwitches-NXOS93", CISCO, "Nexus 9K Series Switches", "NX-OS 9.3+", NEXUS, Software::NxOs),
    row("JuniperNetworksInc-MMXSeriesRouters-JunOS95", JUNIPER, "M/MX Series Routers", "JunOS 9.5+", JUNIPER_ROUTER, Software::Junos),
    row("JuniperNetworksInc-SRXSeriesRouters-JunOS95", JUNIPER, "SRX Series Routers", "JunOS 9.5+", JUNIPER_ROUTER, Software::Junos),
    row("JuniperNetworksInc-TSeriesRouters-JunOS95", JUNIPER, "T Series Routers", "JunOS 9.5+", JUNIPER_ROUTER, Software::Junos),
    row("CiscoSystemsInc-Catalyst8000SeriesRouters-IOSXE17", CISCO, "ASR 1000 and Catalyst 8000 Series Routers", "IOS-XE 17+", "customer-router-cisco-ios-xe.xslt", Software::IosXe),
    row("CiscoSystemsInc-ASR9000SeriesRouters-IOSXR7", CISCO, "ASR 9000, NCS 5500 and 8000 Series Routers", "IOS-XR 7+", "customer-router-cisco-ios-xr.xslt", Software::IosXr),
    row("AristaNetworksInc-7000SeriesSwitches-EOS4", "Arista Networks, Inc.", "7000 Series", "EOS 4.25+", "customer-switch-arista-eos.xslt", Software::Eos),
    row("Nokia-7750SRSeriesRouters-SROS20", "Nokia", "7750 SR, 7250 IXR, 7705 SAR", "SR OS 20+ (MD-CLI)", "customer-router-nokia-sr-os.xslt", Software::SrOs),
    row("MikroTik-AnyPlatform-RouterOS7", "MikroTik", "CCR, RB and CHR", "RouterOS 7.20+", "customer-router-mikrotik-routeros.xslt", Software::RouterOs),
    row("VyOS-AnyPlatform-VyOS14", "VyOS", "Any platform", "VyOS 1.4+", "customer-router-vyos.xslt", Software::VyOs),
    row("FRRouting-Linux-FRR8", "FRRouting", "Linux", "FRR 8+", "customer-router-frr.xslt", Software::Frr),
    row("BIRD-Linux-BIRD2", "CZ.NIC", "Linux", "BIRD 2", "customer-router-bird.xslt", Software::Bird),
    row("GoBGP-Linux-GoBGP3", "OSRG", "Linux", "GoBGP 3", "customer-router-gobgp.xslt", Software::GoBgp),
];

pub fn router_type(identifier: &str) -> Option<&'static RouterType> {
    ROUTER_TYPES.iter().find(|row| row.identifier == identifier)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn identifiers_are_unique_and_every_software_can_be_asked_for() {
        let identifiers: BTreeSet<_> = ROUTER_TYPES.iter().map(|row| row.identifier).collect();
        assert_eq!(identifiers.len(), ROUTER_TYPES.len());
        for software in Software::ALL {
            assert!(ROUTER_TYPES.iter().any(|row| row.language == software), "{software}");
        }
        assert!(router_type("CiscoSystemsInc-2900SeriesRouters-IOS124").is_some());
        assert_eq!(router_type("PaloAltoNetworks-PA3000and5000series-PANOS803"), None);
    }
}
