//! The meet-me room: cables from routers' ports into customers' namespaces, through a patch panel.
//!
//! ```text
//! customer's namespace          panel                                      router
//!  IF          (raw trunk)  ══ trunk0.1 ◄── untagged, and other VLANs ──┐
//!  IFNAME-101  (untagged)   ══ vlan0.1.101 ◄── cable_pop, VLAN 101 ─────┴─ port0.1 ══ p1
//!                                          ─── cable_push ─────────────►
//! ```
//!
//! The panel is between the two so that a port is always there, as a real one is: a customer's
//! namespace may vanish with all its links, and the port merely goes dark. Tags are put on and
//! taken off in the panel, so that the customer's namespace holds nothing but the customer's own
//! interfaces. A pulled cable leaves them where they are, without carrier.
//!
//! Which end is plugged where is written on the panel's links (alias `NETNS/IFNAME`); that a
//! cable is plugged is its trunk being up. Nothing else remembers it.

use crate::{
    link::{self, Link},
    name::LabName,
    netns, tool,
};
use anyhow::{Context as _, Result, anyhow, bail};
use directlink_dataplane::Cable;
use directlink_net::Vlan;
use std::{collections::BTreeMap, fmt, str::FromStr};

/// A place in the patch panel: which port of which router, both counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Jack {
    pub router: usize,
    pub port: usize,
}

/// A customer's end: what to make in which namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerEnd {
    pub netns: String,
    /// The raw trunk: frames as they are on the fibre, but for those of `vlans`.
    pub trunk: String,
    /// VLAN → interface on which its frames have no tag.
    pub vlans: BTreeMap<Vlan, String>,
}

/// A cable in the panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cabled {
    pub jack: Jack,
    pub end: CustomerEnd,
    pub plugged: bool,
}

impl Jack {
    pub(crate) fn port_link(self) -> String {
        format!("port{self}")
    }

    pub(crate) fn trunk_link(self) -> String {
        format!("trunk{self}")
    }

    pub(crate) fn vlan_link(self, vlan: Vlan) -> String {
        format!("vlan{self}.{vlan}")
    }
}

impl fmt::Display for Jack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.router, self.port)
    }
}

impl FromStr for Jack {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        let (router, port) = text.split_once('.').ok_or_else(|| anyhow!("no jack: {text}"))?;
        Ok(Self { router: router.parse()?, port: port.parse()? })
    }
}

/// Plugs a cable. The same end again is plugged again as it was, with more VLANs if more are named.
///
/// # Errors
/// Another end is plugged into that port, there is no such namespace, or a name is taken there.
pub fn plug(lab: &LabName, jack: Jack, end: &CustomerEnd) -> Result<()> {
    netns::check_exists(&end.netns)?;
    let old = list(lab)?.into_iter().find(|cable| cable.jack == jack && cable.end.is_there());
    if let Some(old) = old.as_ref().filter(|old| old.plugged && !old.end.is_of(end)) {
        bail!(
            "the port is taken: {}/{} is plugged into it (pull it first: lab uncable)",
            old.end.netns,
            old.end.trunk
        );
    }
    let old = match old {
        Some(old) if old.end.is_of(end) => Some(old.end),
        _ => {
            clear(lab, jack)?;
            None
        }
    };
    let mut whole = end.clone();
    if let Some(old) = &old {
        for (vlan, name) in &old.vlans {
            let kept = whole.vlans.entry(*vlan).or_insert_with(|| name.clone());
            if kept != name {
                bail!("VLAN {vlan} of this cable is {name}: it cannot be {kept} as well");
            }
        }
    }
    make_links(lab, jack, &whole, old.as_ref())?;
    if old.is_none() {
        join_trunk(lab, jack)?;
    }
    tag(lab, jack, &whole)?;
    light_up(lab, jack, &whole)
}

/// Pulls a cable: both sides lose carrier at once, and keep their interfaces.
///
/// # Errors
/// No cable is plugged there.
pub fn pull(lab: &LabName, jack: Jack) -> Result<()> {
    let cable = list(lab)?.into_iter().find(|cable| cable.jack == jack && cable.plugged);
    let cable = cable.ok_or_else(|| anyhow!("no cable is plugged into that port"))?;
    let down = |link: String| format!("link set {link} down");
    // The trunk first: light follows it (light.rs).
    let mut lines = vec![down(jack.trunk_link()), down(jack.port_link())];
    lines.extend(cable.end.vlans.keys().map(|vlan| down(jack.vlan_link(*vlan))));
    tool::ip(Some(&lab.panel()), &lines)
}

/// Takes all cables out, with the customers' ends: those are gone when this returns.
pub(crate) fn remove_all(lab: &LabName) -> Result<()> {
    let panel = lab.panel();
    if !netns::exists(&panel) {
        return Ok(());
    }
    let links = link::list(&panel)?;
    let ours = |name: &str| name.starts_with("trunk") || name.starts_with("vlan");
    let ends: Vec<_> = links.into_iter().map(|l| l.name).filter(|name| ours(name)).collect();
    link::delete(&panel, &ends)
}

/// All cables that have a customer's end, plugged or pulled.
///
/// # Errors
/// The lab is not up.
pub fn list(lab: &LabName) -> Result<Vec<Cabled>> {
    let panel = lab.panel();
    if !netns::exists(&panel) {
        bail!("there is no lab at {lab}, or it is not up");
    }
    let links = link::list(&panel)?;
    Ok(links.iter().filter_map(|link| cabled(link, &links)).collect())
}

impl CustomerEnd {
    /// A namespace that was deleted takes its ends with it, but the kernel takes a while to.
    fn is_there(&self) -> bool {
        let links = link::list(&self.netns).unwrap_or_default();
        links.iter().any(|link| link.name == self.trunk)
    }

    /// Whether the two are the same end, VLANs aside.
    fn is_of(&self, other: &Self) -> bool {
        (&self.netns, &self.trunk) == (&other.netns, &other.trunk)
    }

    fn alias(&self, name: &str) -> String {
        format!("{}/{name}", self.netns)
    }
}

fn cabled(link: &Link, links: &[Link]) -> Option<Cabled> {
    let jack: Jack = link.name.strip_prefix("trunk")?.parse().ok()?;
    let (netns, trunk) = link.alias.as_deref()?.split_once('/')?;
    let vlans = links.iter().filter_map(|link| {
        let vlan = vlan_of(&link.name, jack)?;
        let (_, name) = link.alias.as_deref()?.split_once('/')?;
        Some((vlan, name.to_owned()))
    });
    let end =
        CustomerEnd { netns: netns.to_owned(), trunk: trunk.to_owned(), vlans: vlans.collect() };
    Some(Cabled { jack, end, plugged: link.is_up() })
}

/// `vlan0.1.101` at jack 0.1 is VLAN 101.
pub(crate) fn vlan_of(link: &str, jack: Jack) -> Option<Vlan> {
    let number: u16 = link.strip_prefix(&format!("vlan{jack}."))?.parse().ok()?;
    number.try_into().ok()
}

/// Removes what an end that is no more, or another one, left at the jack.
fn clear(lab: &LabName, jack: Jack) -> Result<()> {
    let links = link::list(&lab.panel())?;
    let port = jack.port_link();
    if !links.iter().any(|link| link.name == port) {
        bail!("the patch panel has no such port");
    }
    let ours = |link: &&Link| link.name == jack.trunk_link() || vlan_of(&link.name, jack).is_some();
    let old: Vec<_> = links.iter().filter(ours).map(|link| link.name.clone()).collect();
    link::delete(&lab.panel(), &old)?;
    tool::ip(Some(&lab.panel()), &[format!("link set {port} down")])
}

fn make_links(
    lab: &LabName,
    jack: Jack,
    end: &CustomerEnd,
    old: Option<&CustomerEnd>,
) -> Result<()> {
    let trunk = old.is_none().then(|| (jack.trunk_link(), &end.trunk));
    let vlans = end
        .vlans
        .iter()
        .filter(|(vlan, _)| old.is_none_or(|old| !old.vlans.contains_key(vlan)))
        .map(|(vlan, name)| (jack.vlan_link(*vlan), name));
    let wanted: Vec<_> = trunk.into_iter().chain(vlans).collect();
    let there = link::list(&end.netns)?;
    if let Some((_, name)) = wanted.iter().find(|(_, name)| there.iter().any(|l| l.name == **name))
    {
        bail!("namespace '{}' has an interface '{name}' already: name another", end.netns);
    }
    let panel = lab.panel();
    let pairs = wanted.iter().map(|(far, name)| {
        format!("link add name {far} netns {panel} type veth peer name {name} netns {}", end.netns)
    });
    tool::ip(None, &pairs.collect::<Vec<_>>())?;
    let aliases =
        wanted.iter().map(|(far, name)| format!("link set {far} alias {}", end.alias(name)));
    tool::ip(Some(&panel), &aliases.collect::<Vec<_>>())
}

/// Port and trunk pass everything on to each other, except what has a VLAN's tag (see [`tag`]).
fn join_trunk(lab: &LabName, jack: Jack) -> Result<()> {
    let (port, trunk) = (jack.port_link(), jack.trunk_link());
    let redirect = |from: &str, to: &str| {
        format!(
            "filter add dev {from} ingress priority 2 protocol all u32 match u32 0 0 \
             action mirred egress redirect dev {to}"
        )
    };
    let lines = [
        // The filters of the end before this one, with their tags.
        format!("qdisc delete dev {port} clsact"),
        format!("qdisc add dev {port} clsact"),
        format!("qdisc add dev {trunk} clsact"),
        redirect(&port, &trunk),
        redirect(&trunk, &port),
    ];
    tool::tc(&lab.panel(), &lines)
}

fn tag(lab: &LabName, jack: Jack, end: &CustomerEnd) -> Result<()> {
    if end.vlans.is_empty() {
        return Ok(());
    }
    let links = link::list(&lab.panel())?;
    let index = |name: String| {
        let link = links.iter().find(|link| link.name == name);
        link.map(|link| link.index).ok_or_else(|| anyhow!("the patch panel has no link {name}"))
    };
    let port = index(jack.port_link())?;
    let inner = end.vlans.keys().map(|vlan| Ok((*vlan, index(jack.vlan_link(*vlan))?)));
    let inner: Vec<_> = inner.collect::<Result<_>>()?;
    netns::within(&lab.panel(), || {
        let mut cable = Cable::new()?;
        inner
            .iter()
            .try_for_each(|(vlan, link)| cable.attach(port, *vlan, *link))
            .context("cannot put the tags on the cable")
    })
}

fn light_up(lab: &LabName, jack: Jack, end: &CustomerEnd) -> Result<()> {
    let up = |link: &str| format!("link set {link} up");
    let inside: Vec<_> =
        std::iter::once(&end.trunk).chain(end.vlans.values()).map(|name| up(name)).collect();
    tool::ip(Some(&end.netns), &inside)?;
    let mut lines = vec![up(&jack.trunk_link())];
    lines.extend(end.vlans.keys().map(|vlan| up(&jack.vlan_link(*vlan))));
    lines.push(up(&jack.port_link()));
    tool::ip(Some(&lab.panel()), &lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_names_lead_back_to_jack_and_vlan_and_fit() {
        let jack = Jack { router: 12, port: 47 };
        let vlan = Vlan::try_from(4094_u16).unwrap();
        assert_eq!("12.47".parse::<Jack>().unwrap(), jack);
        assert_eq!(vlan_of(&jack.vlan_link(vlan), jack), Some(vlan));
        assert_eq!(vlan_of(&jack.vlan_link(vlan), Jack { router: 1, port: 47 }), None);
        assert!(jack.vlan_link(vlan).len() <= 15);
    }
}
