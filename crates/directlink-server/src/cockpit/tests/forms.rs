//! Forms: they offer what is possible, and say beside the field what is wrong.

use super::*;
use crate::app::InterfaceFilter;
use directlink_model::{
    command::{AddSecurityGroupRules, AllocateConnection, SetPropagation},
    hosting::Capacity,
    interface::InterfaceState,
    security_group::{Admission, Flow, OtherSide, Protocol},
    tag_set::TagSet,
};

#[tokio::test]
async fn an_order_offers_locations_with_their_free_ports_and_advises_the_nearest() {
    let b = Bench::new().await;
    let alice = Browser::of(&b, b.alice).await;
    let form = alice.get("/cockpit/connections/new").await;
    form.has("3 free 1Gbps ports, 1 free 10Gbps port").lacks("Nearest");
    things(&b).await;
    let form = alice.get("/cockpit/connections/new").await;
    form.has("2 free 1Gbps ports").has("Nearest: all your Subnets are in this Subregion");
    assert!(
        form.html.contains("value=\"PAR1\" checked")
            && !form.html.contains("value=\"PAR4\" checked")
    );
}

#[tokio::test]
async fn what_is_wrong_with_an_order_stands_beside_its_field_and_what_was_given_stays() {
    let b = Bench::new().await;
    let alice = Browser::of(&b, b.alice).await;
    for (name, location, bandwidth, field, text) in [
        ("a", "", "1Gbps", "location", "Choose a location."),
        ("a", "PAR9", "1Gbps", "location", "The Location &#39;PAR9&#39; doesn"),
        ("a", "PAR1", "2Gbps", "bandwidth", "Choose a bandwidth."),
        ("", "PAR1", "1Gbps", "name", "it has 1 to 255 characters"),
    ] {
        let order = [("name", name), ("location", location), ("bandwidth", bandwidth)];
        let seen = alice.post("/cockpit/connections", &order).await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(seen.complaint(field).contains(text), "{field}: {}", seen.complaint(field));
        seen.has(&format!("<a href=\"#f-{field}\">")).has("aria-describedby");
        if !name.is_empty() {
            seen.has("value=\"a\"");
        }
    }
    assert!(b.app.connections(&b.alice(), None).await.unwrap().is_empty());
    let order = [("name", "<b>Paris</b>"), ("location", "PAR1"), ("bandwidth", "1Gbps")];
    let placed = alice.post("/cockpit/connections", &order).await;
    assert_eq!(placed.status, StatusCode::SEE_OTHER);
    let page = alice.get(placed.location()).await;
    page.has("Your order is placed").has("requested").has("connection ordered").lacks("<b>Paris");
}

#[tokio::test]
async fn what_is_wrong_with_an_interface_stands_beside_its_field_in_the_models_words() {
    let b = Bench::new().await;
    let Things { connection, gateway, .. } = things(&b).await;
    let second = b.gateway(&b.alice()).await.to_string();
    let (on, used) = (connection.to_string(), gateway.to_string());
    let alice = Browser::of(&b, b.alice).await;
    let bob = b.bob.to_string();
    let good = [
        ("connection", on.as_str()),
        ("name", "second"),
        ("whose", "mine"),
        ("owner", ""),
        ("gateway", second.as_str()),
        ("vlan", "102"),
        ("asn", "65000"),
        ("mtu", "1500"),
        ("key", ""),
        ("router_address", ""),
        ("customer_address", ""),
        ("family", "ipv4"),
    ];
    for (field, value, beside, text) in [
        ("name", "", "name", "1 to 255 characters"),
        ("vlan", "", "vlan", "&#39;&#39; is not a number."),
        ("vlan", "1", "vlan", "1 is not a usable VLAN: give 2 to 4094."),
        ("vlan", "101", "vlan", "is already used by"),
        ("asn", "0", "asn", "not an AS number a router can use"),
        ("asn", "50624", "asn", "is a number of the provider"),
        ("mtu", "1501", "mtu", "576 to 1500 bytes"),
        ("key", "two words", "key", "A BGP key has 1 to 80 printable"),
        ("router_address", "10.0.0.1", "router_address", "prefix length, as 172.16.0.1/30"),
        ("router_address", "172.16.0.4/30", "customer_address", "address 0 of its subnet"),
        ("router_address", "fd00::1/126", "router_address", "give IPv4 addresses"),
        ("family", "ipx", "family", "Choose IPv4 or IPv6."),
        ("gateway", "", "gateway", "Choose a virtual gateway."),
        ("gateway", used.as_str(), "gateway", "is already reached by"),
        ("whose", "hosted", "owner", "it has 12 digits"),
    ] {
        let fields = good.map(|(name, given)| (name, if name == field { value } else { given }));
        let seen = alice.post("/cockpit/interfaces", &fields).await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}={value}");
        assert!(seen.complaint(beside).contains(text), "{field}={value}: {}", seen.html);
        seen.lacks("two words");
    }
    let made = alice.post("/cockpit/interfaces", &good).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.html);
    alice.get(made.location()).await.has("169.254.1.6/30");
    let hosted = good.map(|(name, given)| match name {
        "whose" => (name, "hosted"),
        "owner" => (name, bob.as_str()),
        "vlan" => (name, "103"),
        _ => (name, given),
    });
    let made = alice.post("/cockpit/interfaces", &hosted).await;
    alice.get(made.location()).await.has("confirming").has("7 days");
    let third = b.gateway(&b.alice()).await.to_string();
    let of_ipv6 = good.map(|(name, given)| match name {
        "family" => (name, "ipv6"),
        "key" => (name, "6ix26"),
        "vlan" => (name, "104"),
        "gateway" => (name, third.as_str()),
        _ => (name, given),
    });
    let made = alice.post("/cockpit/interfaces", &of_ipv6).await;
    alice.get(made.location()).await.has("fd44:4c00::1/125").has("fd44:4c00::2/125");
    alice
        .post(&format!("{}/key", made.location().split('?').next().unwrap()), &[])
        .await
        .has("6ix26");
    let page = alice.get(&format!("/cockpit/interfaces/new?connection={on}")).await;
    page.has("Taken: 101, 102, 103, 104.")
        .has("value=\"105\"")
        .has("IPv6 alone")
        .has("This connection reaches its Net already.");
}

#[tokio::test]
async fn a_missing_prerequisite_is_named_with_the_step_that_mends_it() {
    let b = Bench::new().await;
    let connection = b.lit().await;
    let alice = Browser::of(&b, b.alice).await;
    let form = format!("/cockpit/interfaces/new?connection={connection}");
    let steps = ["CreateNet", "CreateSubnet", "CreateSecurityGroupRule", "UpdateRoutePropagation"];
    let named = async || {
        let page = alice.get(&form).await.html;
        let missing = page.split_once("still missing").map_or("", |(_, after)| after);
        steps.map(|step| missing.contains(step))
    };
    assert_eq!(named().await, [true, true, false, false], "no gateway: all from the Net on");
    let (net, gateway) = b.net().await;
    assert_eq!(named().await, [false, true, true, true]);
    let range = "10.0.1.0/24".parse().unwrap();
    b.app.create_subnet(&b.alice(), CreateSubnet { net, range, subregion: None }).await.unwrap();
    assert_eq!(named().await, [false, false, true, true]);
    let group = b.app.security_groups(&b.alice(), None).await.unwrap().remove(0).group.id;
    let other = OtherSide::Range("192.168.0.0/16".parse().unwrap());
    let admissions = vec![Admission { protocol: Protocol::Any, other }];
    let rules = AddSecurityGroupRules { group, flow: Flow::Inbound, admissions };
    b.app.add_security_group_rules(&b.alice(), rules).await.unwrap();
    assert_eq!(named().await, [false, false, false, true]);
    let table = b.app.route_tables(&b.alice(), None).await.unwrap().remove(0).table.id;
    let propagation = SetPropagation { table, gateway, enabled: true };
    b.app.set_propagation(&b.alice(), propagation).await.unwrap();
    assert_eq!(named().await, [false; 4]);
    alice.get(&form).await.has("Ready: attached");
}

#[tokio::test]
async fn a_connection_that_is_not_available_is_named_as_what_is_missing() {
    let b = Bench::new().await;
    b.order().await;
    let alice = Browser::of(&b, b.alice).await;
    let page = alice.get("/cockpit/interfaces/new").await;
    page.has("No connection takes interfaces now").has("is &#39;requested&#39;").has("disabled");
}

#[tokio::test]
async fn a_hosted_interface_is_accepted_or_rejected_while_time_is_left() {
    let b = Bench::new().await;
    let Things { connection, .. } = things(&b).await;
    let bob = Browser::of(&b, b.bob).await;
    let interface = offered(&b, connection).await;
    let page = format!("/cockpit/interfaces/{interface}");
    b.wait(jiff::SignedDuration::from_hours(24));
    bob.get(&format!("{page}/accept")).await.has("5 days 23 hours left to accept it");
    let accept =
        async |gateway: &str| bob.post(&format!("{page}/accept"), &[("gateway", gateway)]).await;
    assert_eq!(accept("").await.complaint("gateway"), "Choose a virtual gateway.");
    assert!(accept("vgw-00000001").await.complaint("gateway").contains("exist"));
    let ctx = b.app.context(directlink_model::account::Caller { account: b.bob }, false);
    let gateway = b.gateway(&ctx).await.to_string();
    let accepted = accept(&gateway).await;
    bob.get(accepted.location()).await.has("The interface is accepted").has("pending");
    assert_eq!(accept(&gateway).await.status, StatusCode::CONFLICT);
    assert_eq!(bob.get(&format!("{page}/accept")).await.status, StatusCode::CONFLICT);
    let vlan = 103u16.try_into().unwrap();
    let offer = CreateInterface { owner: Some(b.bob), vlan, ..super::interface(connection, None) };
    let id = b.app.create_interface(&b.alice(), offer).await.unwrap().interface.id;
    let alice = Browser::of(&b, b.alice).await;
    let ask = format!("/cockpit/interfaces/{id}/delete");
    alice.get(&ask).await.has("Take the interface back").has("Taken back, it").lacks("Reject");
    bob.get(&ask).await.has("Reject the interface").has("Rejected, it").lacks("ake the interface");
    let rejected = bob.post(&format!("/cockpit/interfaces/{id}/delete"), &[]).await;
    bob.get(rejected.location()).await.has("is rejected");
    assert_eq!(b.interface(&ctx, id).await.unwrap().state, InterfaceState::Rejected);
}

#[tokio::test]
async fn a_hosted_connection_is_accepted_with_a_button_and_carries_one_interface_on_its_vlan() {
    let b = Bench::new().await;
    let parent = b.lit().await;
    let share = async |name: &str, vlan: u16| {
        let share = AllocateConnection {
            parent,
            owner: b.bob,
            name: name.into(),
            vlan: vlan.try_into().unwrap(),
            capacity: Capacity::Mbps100,
            tags: TagSet::default(),
        };
        b.app.allocate_connection(&b.alice(), share).await.unwrap().connection.id
    };
    let (id, second) = (share("a share", 300).await, share("another", 301).await);
    let (alice, bob) = (Browser::of(&b, b.alice).await, Browser::of(&b, b.bob).await);
    let page = format!("/cockpit/connections/{id}");
    bob.get("/cockpit").await.has("Wants attention").has("offers you a share");
    bob.get(&page).await.has("6 days 23 hours left.").has("100Mbps").has("VLAN 300");
    alice.get(&format!("/cockpit/connections/{parent}")).await.has("Hosted for others").has("300");
    alice.get(&format!("/cockpit/interfaces/new?connection={parent}")).await.has("Taken: 300, 301");
    let foreign = alice.post(&format!("{page}/accept"), &[]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "the offer is Bob's to take");
    let taken = bob.post(&format!("{page}/accept"), &[]).await;
    bob.get(taken.location()).await.has("is yours").has("available").lacks("/accept\"");
    assert_eq!(bob.post(&format!("{page}/accept"), &[]).await.status, StatusCode::CONFLICT);
    let form = format!("/cockpit/interfaces/new?connection={id}");
    bob.get(&form).await.has("value=\"300\" type=\"number\" required readonly");
    let ctx = b.app.context(directlink_model::account::Caller { account: b.bob }, false);
    let gateway = b.gateway(&ctx).await;
    let vlan = 300u16.try_into().unwrap();
    let wish = CreateInterface { vlan, ..interface(id, Some(gateway)) };
    b.app.create_interface(&ctx, wish).await.unwrap();
    bob.get(&form).await.has("It carries its one interface already.").has("disabled");
    let refuse = format!("/cockpit/connections/{second}/delete");
    bob.get(&refuse).await.has("Reject the hosted connection");
    let refused = bob.post(&refuse, &[]).await;
    bob.get(refused.location()).await.has("is rejected");
}

#[tokio::test]
async fn name_and_mtu_change_and_a_bad_one_is_told() {
    let b = Bench::new().await;
    let Things { interface, connection, .. } = things(&b).await;
    let alice = Browser::of(&b, b.alice).await;
    let edit = format!("/cockpit/interfaces/{interface}/edit");
    for (mtu, text) in [("9000", "9000 is not a possible MTU"), ("x", "is not a number")] {
        let seen = alice.post(&edit, &[("name", "n"), ("mtu", mtu)]).await;
        assert!(seen.complaint("mtu").contains(text), "{}", seen.complaint("mtu"));
    }
    let done = alice.post(&edit, &[("name", "renamed"), ("mtu", "1400")]).await;
    alice.get(done.location()).await.has("renamed").has("1400 bytes").has("interface MTU changed");
    let rename = format!("/cockpit/connections/{connection}/edit");
    assert!(alice.post(&rename, &[("name", "")]).await.complaint("name").contains("255"));
    let done = alice.post(&rename, &[("name", "elsewhere")]).await;
    alice.get(done.location()).await.has("<h1>elsewhere</h1>");
}

#[tokio::test]
async fn a_bgp_peer_is_added_beside_the_first_and_removed_again() {
    let b = Bench::new().await;
    let Things { interface, .. } = things(&b).await;
    let alice = Browser::of(&b, b.alice).await;
    let page = format!("/cockpit/interfaces/{interface}");
    let peers = format!("{page}/peers");
    alice.get(&page).await.has("Add a BGP peer").lacks("Remove");
    let form = alice.get(&format!("{peers}/new")).await;
    form.has("value=\"ipv6\" checked").has("value=\"65000\"");

    let good = [
        ("family", "ipv6"),
        ("asn", "65000"),
        ("key", KEY),
        ("router_address", ""),
        ("customer_address", ""),
    ];
    for (field, value, beside, text) in [
        ("family", "ipx", "family", "IPv4 or IPv6"),
        ("asn", "", "asn", "is not a number"),
        ("asn", "50624", "asn", "number of the provider"),
        ("key", "two words", "key", "BGP key"),
        ("customer_address", "fd00::2", "customer_address", "not an address with its prefix"),
        ("customer_address", "172.16.0.6/30", "customer_address", "IPv6 addresses"),
    ] {
        let sent = good.map(|(name, was)| (name, if name == field { value } else { was }));
        let seen = alice.post(&peers, &sent).await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY, "{field} {value}");
        assert!(seen.complaint(beside).contains(text), "{value}: {}", seen.complaint(beside));
        seen.lacks(KEY);
    }

    let done = alice.post(&peers, &good).await;
    let seen = alice.get(done.location()).await;
    seen.has("The BGP peer is added").has("With fd44:4c00::2, AS 65000").has("Remove");
    for _ in 0..2 {
        alice.post(&peers, &good).await;
    }
    let full = alice.post(&peers, &good).await;
    assert_eq!(full.status, StatusCode::UNPROCESSABLE_ENTITY);
    full.has("it has two ipv6 peers");

    let view = &b.app.interfaces(&b.alice(), &InterfaceFilter::default()).await.unwrap()[0];
    let added: Vec<_> = view.interface.peers().skip(1).map(|peer| peer.id).collect();
    assert_eq!(added.len(), 2);
    for peer in &added {
        let remove = format!("{peers}/{peer}/delete");
        alice.get(&remove).await.has("ends the session").has("Remove the peer");
        let gone = alice.post(&remove, &[]).await;
        alice.get(gone.location()).await.has("as soon as the router has let go");
    }
    let last = format!("{peers}/{}/delete", directlink_model::bgp_peer::first_peer(interface));
    alice.get(&last).await.has("last peer").lacks("button danger");
    assert_eq!(alice.post(&last, &[]).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn deletion_asks_first_and_says_what_stands_in_its_way() {
    let b = Bench::new().await;
    let Things { connection, interface, .. } = things(&b).await;
    let alice = Browser::of(&b, b.alice).await;
    let path = format!("/cockpit/connections/{connection}/delete");
    alice.get(&path).await.has("It still has interfaces").lacks("button danger");
    let refused = alice.post(&path, &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.has("still has 1 interface(s)");
    let gone = alice.post(&format!("/cockpit/interfaces/{interface}/delete"), &[]).await;
    alice.get(gone.location()).await.has("Deletion is asked for").has("deleting");
}

#[tokio::test]
async fn a_pasted_configuration_is_compared_and_its_mistakes_are_told() {
    let b = Bench::new().await;
    let Things { interface, .. } = things(&b).await;
    let alice = Browser::of(&b, b.alice).await;
    let page = format!("/cockpit/interfaces/{interface}/router");
    let reveal = alice.post(&page, &[("do", "reveal"), ("software", "frr")]).await.html;
    let text = reveal.split_once("aria-label=\"Text for your router\">").unwrap().1;
    let text = text.split_once("</pre>").unwrap().0;
    let text = text
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#38;", "&");
    let check = async |pasted: &str| {
        let fields = [("do", "check"), ("software", "frr"), ("pasted", pasted)];
        alice.post(&page, &fields).await
    };
    check(&text).await.has("Nothing in it is unlike");
    check(&text.replace("65000", "65001")).await.has("local AS").has("65001");
}
