//! Light follows the far end: a customer who shuts the interface, or whose namespace vanishes,
//! darkens the router's port, as it does on a fibre.
//!
//! ```text
//! IF down ─► trunk0.1 has no carrier ─► port0.1, vlan0.1.* down ─► p1 has no carrier
//! ```
//!
//! A veth tells only its own far end; the panel is between. So a process watches the panel and
//! leads carrier across. Plugging and pulling do not wait for it.

use crate::{
    cable::{Jack, vlan_of},
    link::{self, Link},
    name::LabName,
    tool,
};
use anyhow::{Context as _, Result};
use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

/// Leads carrier across until the panel is gone.
///
/// # Errors
/// The panel cannot be read.
pub fn follow(lab: &LabName) -> Result<()> {
    let panel = lab.panel();
    let mut monitor = Command::new("ip")
        .args(["-n", &panel, "-oneline", "monitor", "link"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start ip monitor")?;
    let events = monitor.stdout.take().context("ip monitor has no output")?;
    // What changed before the first event is seen here, what changes after it in the loop.
    pass(&panel)?;
    for event in BufReader::new(events).lines() {
        event.context("ip monitor")?;
        pass(&panel)?;
    }
    Ok(())
}

fn pass(panel: &str) -> Result<()> {
    let lines = changes(&link::list(panel)?);
    match lines.is_empty() {
        true => Ok(()),
        false => tool::ip(Some(panel), &lines),
    }
}

/// What must be set so that every port and VLAN is as light as its trunk.
fn changes(links: &[Link]) -> Vec<String> {
    let lit = |jack: Jack| {
        let trunk = jack.trunk_link();
        links.iter().any(|link| link.name == trunk && link.has_carrier())
    };
    links
        .iter()
        .filter_map(|link| {
            let jack = follower(&link.name)?;
            let wanted = lit(jack);
            let word = if wanted { "up" } else { "down" };
            (link.is_up() != wanted).then(|| format!("link set {} {word}", link.name))
        })
        .collect()
}

/// `port0.1` and `vlan0.1.101` follow the trunk of jack 0.1.
fn follower(name: &str) -> Option<Jack> {
    if let Some(jack) = name.strip_prefix("port") {
        return jack.parse().ok();
    }
    let (jack, _) = name.strip_prefix("vlan")?.rsplit_once('.')?;
    let jack = jack.parse().ok()?;
    vlan_of(name, jack).map(|_| jack)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> Vec<Link> {
        let each = text.split_whitespace().map(|word| {
            let (name, flags) = word.split_once(':').unwrap();
            let flags: Vec<_> = flags.split(',').map(|f| format!("\"{f}\"")).collect();
            format!(r#"{{"ifindex":1,"ifname":"{name}","flags":[{}]}}"#, flags.join(","))
        });
        serde_json::from_str(&format!("[{}]", each.collect::<Vec<_>>().join(","))).unwrap()
    }

    #[test]
    fn ports_and_vlans_are_as_light_as_their_trunk() {
        for (panel, expected) in [
            ("port0.0:UP,LOWER_UP trunk0.0:UP,LOWER_UP vlan0.0.9:UP", vec![]),
            (
                "port0.0:UP,LOWER_UP trunk0.0:UP,NO-CARRIER vlan0.0.9:UP",
                vec!["link set port0.0 down", "link set vlan0.0.9 down"],
            ),
            ("port0.0:X trunk0.0:UP,LOWER_UP", vec!["link set port0.0 up"]),
            ("port0.0:UP,LOWER_UP", vec!["link set port0.0 down"]),
            ("port0.0:X port0.1:UP trunk0.1:UP,LOWER_UP lo:UP", vec![]),
        ] {
            assert_eq!(changes(&links(panel)), expected, "{panel}");
        }
    }
}
