//! FRR as the customer's router: zebra for the kernel's routes, bgpd for the session.

use super::{Place, Session};
use crate::{process::Process, tool};
use anyhow::{Context as _, Result, bail, ensure};
use directlink_net::Ipv4Net;
use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

const DAEMONS: &str = "/usr/lib/frr";
const ZEBRA_SOCKET: &str = "zserv.api";
/// $0 is the group file, the rest the daemon.
const ENTER: &str = r#"mount --bind "$0" /etc/group && exec "$@""#;

pub(super) fn start(place: &Place<'_>, session: &Session) -> Result<Vec<Process>> {
    let own = session.address.addr().to_string();
    daemons(place, session.bfd, (&config(session), &["--listenon", &own]))
}

/// Pasted into vtysh, once all daemons run.
pub(super) fn load(place: &Place<'_>, text: &str) -> Result<Vec<Process>> {
    let daemons = daemons(place, true, ("! Pasted later.\n", &[]))?;
    let text = place.write("pasted.conf", text)?;
    let socket = ["--vty_socket".as_ref(), place.dir.as_os_str()];
    let said = tool::output("vtysh", [&socket[..], &["-f".as_ref(), text.as_os_str()]].concat())?;
    ensure!(!said.contains("Unknown command") && !said.contains('%'), "vtysh: {said}");
    Ok(daemons)
}

fn daemons(place: &Place<'_>, has_bfd: bool, (bgp, more): (&str, &[&str])) -> Result<Vec<Process>> {
    for socket in ["zebra.vty", "bfdd.vty", "bgpd.vty", "bfdd.ctl", ZEBRA_SOCKET] {
        // One of the daemons before these would be taken for theirs.
        let _ = fs::remove_file(place.dir.join(socket));
    }
    let zebra = run(place, "zebra", "! The routes are bgpd's.\n", &[])?;
    // A bgpd that finds no zebra asks again only after ten seconds.
    place.answers(&zebra, || match place.dir.join(ZEBRA_SOCKET).exists() {
        true => ask(place.dir, "show version").map(drop),
        false => bail!("zebra does not listen yet"),
    })?;
    let mut daemons = vec![zebra];
    if has_bfd {
        let control = place.dir.join("bfdd.ctl");
        let words = ["--bfdctl", &control.to_string_lossy()];
        let bfdd = run(place, "bfdd", "! Its sessions are bgpd's.\n", &words)?;
        place.answers(&bfdd, || ask(place.dir, "show bfd peers").map(drop))?;
        daemons.push(bfdd);
    }
    let bgpd = run(place, "bgpd", bgp, more)?;
    place.answers(&bgpd, || ask(place.dir, "show bgp ipv4 unicast summary json").map(drop))?;
    daemons.push(bgpd);
    Ok(daemons)
}

pub(super) fn shell(dir: &Path) -> String {
    format!("vtysh --vty_socket {} -c 'show bgp ipv4 unicast summary'", dir.display())
}

pub(super) fn is_established(dir: &Path, neighbour: IpAddr) -> Result<bool> {
    let family = if neighbour.is_ipv6() { "ipv6" } else { "ipv4" };
    let said = ask_json(dir, &format!("show bgp {family} unicast summary json"))?;
    let of_family = format!("{family}Unicast");
    let peers = said.get("peers").or_else(|| said.get(of_family)?.get("peers"));
    let state = peers.and_then(|peers| peers.get(neighbour.to_string())?.get("state")?.as_str());
    Ok(state == Some("Established"))
}

/// How often it went up and down.
pub(super) fn bfd_history(dir: &Path) -> Result<Option<String>> {
    let is_up = |peers: &Value| peers[0]["status"] == "up";
    if !is_up(&ask_json(dir, "show bfd peers json")?) {
        return Ok(None);
    }
    let counted = ask_json(dir, "show bfd peers counters json")?;
    let count = |of: &str| counted[0][of].to_string();
    Ok(Some(format!("{} up, {} down", count("session-up"), count("session-down"))))
}

pub(super) fn learned(dir: &Path) -> Result<Vec<Ipv4Net>> {
    Ok(prefixes(&ask_json(dir, "show ip route bgp json")?))
}

pub(super) fn table(dir: &Path) -> Result<String> {
    ask(dir, "show bgp ipv4 unicast")
}

/// A daemon in the foreground, as root, with all of its files in the router's own directory.
///
/// Debian's FRR runs only as a member of its group `frrvty`, and its own user could not enter that
/// directory. So it sees another /etc/group, in a mount namespace of its own.
fn run(place: &Place<'_>, daemon: &str, config: &str, more: &[&str]) -> Result<Process> {
    let config = place.write(&format!("{daemon}.conf"), config)?;
    let group = group_with_root(place)?;
    let program = format!("{DAEMONS}/{daemon}");
    let pid = place.dir.join(format!("{daemon}.pid"));
    let zebra = place.dir.join(ZEBRA_SOCKET);
    let as_root = ["-u", "root", "-g", "root", "-P", "0", "--log", "stdout"].map(OsStr::new);
    let mut words: Vec<&OsStr> =
        ["--mount", "--propagation", "private", "sh", "-c", ENTER].map(OsStr::new).into();
    words.extend([group.as_os_str(), program.as_ref(), "-f".as_ref(), config.as_os_str()]);
    words.extend(["-i".as_ref(), pid.as_os_str(), "-z".as_ref(), zebra.as_os_str()]);
    words.extend(["--vty_socket".as_ref(), place.dir.as_os_str()]);
    words.extend(as_root);
    words.extend(more.iter().map(OsStr::new));
    place.start_as(daemon, Path::new("/usr/bin/unshare"), &words)
}

fn group_with_root(place: &Place<'_>) -> Result<PathBuf> {
    let groups = fs::read_to_string("/etc/group").context("/etc/group")?;
    let with_root = |line: &str| match line.strip_prefix("frrvty:") {
        Some(_) if line.ends_with(':') => format!("{line}root\n"),
        Some(_) => format!("{line},root\n"),
        None => format!("{line}\n"),
    };
    place.write("group", &groups.lines().map(with_root).collect::<String>())
}

fn config(session: &Session) -> String {
    let Session { asn, neighbour, neighbour_asn, .. } = session;
    let own = session.address.addr();
    let password = match &session.key {
        Some(key) => format!(" neighbor {neighbour} password {}\n", key.expose()),
        None => String::new(),
    };
    let watched = match session.bfd {
        true => format!(" neighbor {neighbour} bfd\n"),
        false => String::new(),
    };
    let networks: String =
        session.announced.iter().map(|prefix| format!("  network {prefix}\n")).collect();
    format!(
        "! One DirectLink interface: a BGP session on its VLAN.\n\
         router bgp {asn}\n\
         \x20bgp router-id {own}\n\
         \x20no bgp network import-check\n\
         \x20no bgp ebgp-requires-policy\n\
         \x20neighbor {neighbour} remote-as {neighbour_asn}\n\
         \x20neighbor {neighbour} timers 3 9\n\
         \x20neighbor {neighbour} timers connect 1\n\
         {password}{watched}\
         \x20address-family ipv4 unicast\n\
         {networks}\
         \x20exit-address-family\n"
    )
}

fn ask(dir: &Path, question: &str) -> Result<String> {
    let arguments = ["--vty_socket".as_ref(), dir.as_os_str(), "-c".as_ref(), question.as_ref()];
    tool::output("vtysh", arguments)
}

fn ask_json(dir: &Path, question: &str) -> Result<Value> {
    let text = ask(dir, question)?;
    serde_json::from_str(&text).with_context(|| format!("vtysh, {question}: {text}"))
}

/// Only what zebra has put into the kernel counts.
fn prefixes(routes: &Value) -> Vec<Ipv4Net> {
    let installed = |lines: &Value| {
        let mut lines = lines.as_array().into_iter().flatten();
        lines.any(|line| line.get("installed").and_then(Value::as_bool) == Some(true))
    };
    let routes = routes.as_object().into_iter().flatten();
    routes.filter(|(_, lines)| installed(lines)).filter_map(|(p, _)| p.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_routes_count() {
        let said = serde_json::json!({
            "10.0.0.0/16": [{"protocol": "bgp", "installed": true}],
            "10.1.0.0/16": [{"protocol": "bgp"}],
        });
        assert_eq!(prefixes(&said), ["10.0.0.0/16".parse().unwrap()]);
    }
}
