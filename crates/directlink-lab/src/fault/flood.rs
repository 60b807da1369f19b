//! A prefix flood: another BIRD in the customer's place announces far too much.
//!
//! ```text
//!   customer's namespace   their router ──✗ TCP 179 (nftables, by group)
//!                          BIRD -g nogroup, local port 1790 ──► router's 179: prefixes, prefixes, …
//! ```
//!
//! The session that is up is reset from this side, and the customer's own router cannot speak BGP with
//! ours until the flood is over. It is the only fault that touches the customer's namespace: a table
//! of nftables, gone with it.

use crate::{
    cable::Jack, clock::Stopwatch, customer::Session, name::LabName, netns, process, tool,
};
use anyhow::{Context as _, Result, ensure};
use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    net::Ipv4Addr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// Most that one flood announces: a /24 each.
pub const PREFIXES_MAX: u32 = 100_000;
/// The first: nobody's on a lab's machine.
const FIRST: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 0);
/// Whose packets the table lets through. No router runs in it.
const GROUP: &str = "nogroup";

/// What is announced in whose place. `session.announced` is what they would announce themselves, and
/// is left out.
#[derive(Clone, Debug)]
pub struct Flood {
    pub session: Session,
    pub prefixes: u32,
}

/// Until `limit` has passed.
///
/// # Errors
/// BIRD cannot be started, or the key has what it cannot read.
pub(super) fn run(
    lab: &LabName,
    (jack, netns): (Jack, &str),
    flood: &Flood,
    is_on: impl FnOnce(),
    (watch, limit): (&Stopwatch, Duration),
) -> Result<()> {
    let key = flood.session.key.as_ref().map(directlink_net::BgpKey::expose);
    ensure!(
        !key.is_some_and(|key| key.contains('"')),
        "BIRD cannot read a key with a quotation mark"
    );
    let config = write(lab, jack, &config(flood))?;
    let socket = config.with_extension("ctl");
    let words: [&OsStr; 7] = [
        "-f".as_ref(),
        "-g".as_ref(),
        GROUP.as_ref(),
        "-c".as_ref(),
        config.as_os_str(),
        "-s".as_ref(),
        socket.as_os_str(),
    ];
    process::start(lab, &bird(jack), Some(netns), Path::new("/usr/sbin/bird"), &words)?;
    take_over(netns, flood.session.neighbour)?;
    is_on();
    super::pause(watch, limit)?;
    end(lab, (jack, netns))
}

/// A session that is up is reset: its own socket signs that, if there is a key.
fn take_over(netns: &str, neighbour: Ipv4Addr) -> Result<()> {
    let neighbour_text = neighbour.to_string();
    for port in ["sport", "dport"] {
        let words = ["-N", netns, "-HntK", "dst", &neighbour_text, port, "=", ":179"];
        tool::output("ss", words)?;
    }
    netns::within(netns, || tool::output("nft", [silence(neighbour)]).map(drop))
}

/// Ends it, one that was killed as well.
pub(super) fn end(lab: &LabName, (jack, netns): (Jack, &str)) -> Result<()> {
    if let Some(bird) = process::find(lab, &bird(jack))? {
        process::stop(&bird)?;
    }
    // It is added so that it can be deleted: there may be none.
    let rules = format!("add table inet {TABLE}; delete table inet {TABLE}");
    netns::within(netns, || tool::output("nft", [rules]).map(drop))
}

const TABLE: &str = "directlink-flood";

fn silence(neighbour: Ipv4Addr) -> String {
    let theirs = format!("meta skgid != {GROUP} ip daddr {neighbour} tcp");
    format!(
        "table inet {TABLE} {{\n\
         chain out {{\n type filter hook output priority 0;\n\
         {theirs} dport 179 drop;\n {theirs} sport 179 drop;\n }}\n\
         chain in {{\n type filter hook input priority 0;\n\
         ip saddr {neighbour} tcp dport 179 drop;\n }}\n}}\n"
    )
}

fn bird(jack: Jack) -> String {
    format!("flood-{jack}")
}

/// For its owner's eyes: a key is in it.
fn write(lab: &LabName, jack: Jack, text: &str) -> Result<PathBuf> {
    let path = lab.dir().join(format!("{}.conf", bird(jack)));
    let _ = fs::remove_file(&path);
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(&path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| path.display().to_string())?;
    Ok(path)
}

fn config(flood: &Flood) -> String {
    let Session { interface, address, asn, neighbour, neighbour_asn, key, .. } = &flood.session;
    let own = address.addr();
    let password =
        key.as_ref().map_or_else(String::new, |key| format!("  password \"{}\";\n", key.expose()));
    let first = u32::from(FIRST);
    let prefixes = (0..flood.prefixes.min(PREFIXES_MAX)).map(|n| Ipv4Addr::from(first + (n << 8)));
    let statics: String = prefixes.map(|it| format!("  route {it}/24 unreachable;\n")).collect();
    format!(
        "router id {own};\n\
         log stderr all;\n\
         protocol device {{ scan time 1; }}\n\
         protocol static flood {{\n  ipv4;\n{statics}}}\n\
         protocol bgp directlink {{\n\
         \x20 local {own} port 1790 as {asn};\n\
         \x20 neighbor {neighbour} as {neighbour_asn};\n\
         \x20 interface \"{interface}\";\n\
         {password}\
         \x20 graceful restart off;\n\
         \x20 connect delay time 1;\n\
         \x20 connect retry time 1;\n\
         \x20 error wait time 1, 2;\n\
         \x20 ipv4 {{ import none; export all; }};\n\
         }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use directlink_net::BgpKey;

    #[test]
    fn so_many_prefixes_as_asked_and_no_more_than_all() {
        let session = Session {
            interface: "vl101".into(),
            address: "172.16.0.2/30".parse().unwrap(),
            asn: 65010_u32.try_into().unwrap(),
            neighbour: Ipv4Addr::new(172, 16, 0, 1),
            neighbour_asn: 50624_u32.try_into().unwrap(),
            key: Some(BgpKey::try_from("k3y").unwrap()),
            announced: vec![],
            bfd: false,
        };
        for (asked, expected) in [(101, 101), (u32::MAX, 100_000)] {
            let text = config(&Flood { session: session.clone(), prefixes: asked });
            assert_eq!(text.matches("  route 1").count(), expected, "{asked}");
            assert!(text.contains("password \"k3y\"") && text.contains("port 1790"));
        }
    }
}
