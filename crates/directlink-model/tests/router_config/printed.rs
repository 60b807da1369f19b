//! Configurations as routers print them, in the forms that are read but not written here: braces,
//! YAML, exports, groups and templates. Right ones have no finding; one line is then made wrong.

use crate::{dual, full};
use directlink_model::router_config::{
    Aspect::{self, *},
    Software, check,
};

const IOS_PEER_GROUP: &str = "\
Building configuration...

interface GigabitEthernet0/0/1
 description ISP
 ip address 203.0.113.2 255.255.255.252
!
interface GigabitEthernet0/0/0
 no ip address
!
interface GigabitEthernet0/0/0.101
 encapsulation dot1Q 101
 ip address 172.16.0.2 255.255.255.252
!
router bgp 65000
 bgp router-id 192.168.0.1
 neighbor CLOUD peer-group
 neighbor CLOUD remote-as 50624
 neighbor CLOUD password tgyn26example
 neighbor CLOUD fall-over bfd
 neighbor 172.16.0.1 peer-group CLOUD
 neighbor 203.0.113.1 remote-as 64500
 !
 address-family ipv4
  redistribute connected
  neighbor CLOUD route-map FROM-CLOUD in
  neighbor CLOUD route-map TO-CLOUD out
  neighbor 172.16.0.1 activate
  neighbor 203.0.113.1 activate
 exit-address-family
!
ip prefix-list OWN seq 5 permit 192.168.0.0/16
ip prefix-list OWN seq 10 permit 10.0.0.0/8 le 24
";

const XR_GROUP: &str = "\
interface HundredGigE0/0/0/1.101
 mtu 9018
 ipv4 mtu 1500
 ipv4 address 172.16.0.2/30
 encapsulation dot1q 101
!
prefix-set OWN
  192.168.0.0/16 le 24,
  10.20.0.0/24
end-set
!
router bgp 65000
 neighbor-group CLOUD
  remote-as 50624
  bfd fast-detect
  password encrypted 1234
  address-family ipv4 unicast
   route-policy CLOUD-IN in
   route-policy CLOUD-OUT out
  !
 !
 neighbor 172.16.0.1
  use neighbor-group CLOUD
 !
!
";

const NX_TEMPLATE: &str = "\
interface Ethernet1/7.101
  encapsulation dot1q 101
  ip address 172.16.0.2/30
  no shutdown
ip prefix-list OWN seq 5 permit 192.168.0.0/16
ip prefix-list OWN seq 10 permit 10.20.0.0/24
router bgp 65000
  template peer CLOUD
    remote-as 50624
    password 0 tgyn26example
    bfd
    address-family ipv4 unicast
      route-map A in
      route-map B out
  neighbor 172.16.0.1
    inherit peer CLOUD
";

const JUNOS_BRACES: &str = r#"
interfaces {
    xe-0/1/0 {
        flexible-vlan-tagging;
        unit 7 {
            description "to the cloud; Bob's line";
            vlan-id 101; /* as ordered */
            family inet {
                address 172.16.0.2/30;
            }
        }
    }
}
routing-instances {
    cloud {
        routing-options {
            autonomous-system 65000;
        }
        protocols {
            bgp {
                group dl {
                    type external;
                    import IN;
                    export [ OUT BLOCK ];
                    peer-as 50624;
                    authentication-key "tgyn26example"; ## SECRET-DATA
                    neighbor 172.16.0.1 {
                        bfd-liveness-detection {
                            minimum-interval 300;
                        }
                    }
                }
            }
        }
    }
}
policy-options {
    prefix-list own {
        10.20.0.0/24;
        192.168.0.0/16;
    }
}
"#;

const SR_OS_BRACES: &str = r#"
configure {
    policy-options {
        prefix-list "own" {
            prefix 10.20.0.0/24 type exact {
            }
            prefix 192.168.0.0/16 type longer {
            }
        }
    }
    router "Base" {
        autonomous-system 65000
        interface "cloud" {
            port 1/1/c2/1:101
            ipv4 {
                primary {
                    address 172.16.0.2
                    prefix-length 30
                }
            }
        }
        bgp {
            group "cloud" {
                peer-as 50624
                import {
                    policy ["in"]
                }
                export {
                    policy ["out"]
                }
            }
            neighbor "172.16.0.1" {
                group "cloud"
                authentication-key "tgyn26example"
                bfd-liveness true
            }
        }
    }
}
"#;

const VYOS_BRACES: &str = r#"
interfaces {
    ethernet eth3 {
        vif 101 {
            address 172.16.0.2/30
        }
    }
}
policy {
    prefix-list OWN {
        rule 10 {
            action permit
            prefix 192.168.0.0/16
        }
        rule 20 {
            action permit
            prefix 10.20.0.0/24
        }
    }
}
protocols {
    bgp {
        neighbor 172.16.0.1 {
            address-family {
                ipv4-unicast {
                    route-map {
                        export OUT
                        import IN
                    }
                }
            }
            bfd {
            }
            password tgyn26example
            remote-as 50624
        }
        system-as 65000
    }
}
"#;

const ROUTER_OS_EXPORT: &str = r#"
# 2026-05-01 10:00:00 by RouterOS 7.18.2
# software id = ABCD-EFGH
/interface ethernet
set [ find default-name=sfp-sfpplus1 ] l2mtu=1584
/interface vlan
add interface=sfp-sfpplus1 name=cloud vlan-id=101
/routing bgp template
set default as=65000 disabled=no
add as=65000 name=cloud use-bfd=yes
/ip address
add address=172.16.0.2/30 interface=cloud network=172.16.0.0
/ip firewall address-list
add address=192.168.0.0/16 list=own
add address=10.20.0.0/24 list=own
/routing bgp connection
add address-families=ip as=65000 disabled=no input.filter=in local.role=ebgp \
    name=cloud output.filter-chain=out .network=own remote.address=\
    172.16.0.1/32 .as=50624 templates=cloud tcp-md5-key=tgyn26example
"#;

const GOBGP_YAML: &str = r#"
global:
  config:
    as: 65000
    router-id: 172.16.0.2
  apply-policy:
    config:
      import-policy-list: [in]
      export-policy-list:
        - out
peer-groups:
  - config:
      peer-group-name: cloud
      peer-as: 50624
neighbors:
- config:
    neighbor-address: 172.16.0.1
    peer-group: cloud
    auth-password: "tgyn26example" # not in git
  timers:
    config:
      hold-time: 9
defined-sets:
  prefix-sets:
    - prefix-set-name: own
      prefix-list:
        - ip-prefix: 192.168.0.0/16
        - ip-prefix: 10.20.0.0/24
"#;

const BIRD_TEMPLATE: &str = r#"
define OUR_AS = 65000;
define CLOUD = 50624;
template bgp uplink {
    local as OUR_AS;
    password "tgyn26example";
    bfd;
    ipv4 { import where net ~ [ 10.0.0.0/16 ]; export where net ~ [ 192.168.0.0/16{16,24}, 10.20.0.0/24, 192.168.0.0/16 ]; };
}
protocol bgp cloud from uplink {
    neighbor 172.16.0.1 as CLOUD;
}
"#;

#[test]
fn what_routers_print_is_read_in_every_form() {
    type Row = (Software, &'static str, &'static [Aspect], &'static str, &'static str, Aspect);
    let rows: [Row; 9] = [
        (
            Software::IosXe,
            IOS_PEER_GROUP,
            &[],
            "CLOUD remote-as 50624",
            "CLOUD remote-as 1",
            RemoteAsn,
        ),
        (Software::IosXr, XR_GROUP, &[Key], "ipv4 mtu 1500", "ipv4 mtu 2000", Mtu),
        (Software::NxOs, NX_TEMPLATE, &[], "route-map B out", "next-hop-self", ExportPolicy),
        (
            Software::Junos,
            JUNOS_BRACES,
            &[],
            "        unit 7",
            "        inactive: unit 7",
            InterfaceShutdown,
        ),
        (Software::SrOs, SR_OS_BRACES, &[], "port 1/1/c2/1:101", "port 1/1/c2/1:7", Vlan),
        (Software::VyOs, VYOS_BRACES, &[], "remote-as 50624", "remote-as 6", RemoteAsn),
        (Software::RouterOs, ROUTER_OS_EXPORT, &[], ".as=50624", ".as=5", RemoteAsn),
        (Software::GoBgp, GOBGP_YAML, &[], "peer-as: 50624", "peer-as: 5", RemoteAsn),
        (Software::Bird, BIRD_TEMPLATE, &[], "OUR_AS = 65000", "OUR_AS = 65001", LocalAsn),
    ];
    for (software, right, expected, from, to, aspect) in rows {
        let aspects = |text: &str| -> Vec<_> {
            check(software, text, &full()).iter().map(|f| f.aspect).collect()
        };
        assert_eq!(aspects(right), expected, "{software}: {:#?}", check(software, right, &full()));
        let wrong = right.replace(from, to);
        assert_ne!(right, wrong, "{software}");
        assert!(aspects(&wrong).contains(&aspect), "{software}: {:?}", aspects(&wrong));
        assert_eq!(aspects(&wrong).len(), expected.len() + 1, "{software}: {:?}", aspects(&wrong));
    }
}

/// Many neighbours and links: ours is told apart by address, number and VLAN.
#[test]
fn findings_are_about_our_neighbour_and_not_the_isp() {
    let wrong = IOS_PEER_GROUP.replace("neighbor 172.16.0.1", "neighbor 172.16.0.5");
    let findings = check(Software::IosXe, &wrong, &full());
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].aspect, findings[0].line), (NeighbourAddress, Some(20)));
    let without = IOS_PEER_GROUP.replace(" neighbor 172.16.0.1 peer-group CLOUD\n", "");
    let findings =
        check(Software::IosXe, &without.replace("  neighbor 172.16.0.1 activate\n", ""), &full());
    assert_eq!((findings[0].aspect, findings[0].line), (NeighbourAddress, None));
}

/// As `show running-config` gave it after the written configuration was loaded and both sessions
/// were Established, with MD5 and BFD: FRR leaves out what is its default.
#[test]
fn what_frr_made_of_the_written_configuration_has_no_finding() {
    let running = include_str!("frr-8.4.4-running.conf");
    assert_eq!(check(Software::Frr, running, &dual()), []);
}
