//! BIRD 2 as the customer's router.

use super::{Place, Session};
use crate::{process::Process, tool};
use anyhow::{Result, ensure};
use directlink_net::Ipv4Net;
use std::path::{Path, PathBuf};

pub(super) fn start(place: &Place<'_>, session: &Session) -> Result<Vec<Process>> {
    let has_quote = session.key.as_ref().is_some_and(|key| key.expose().contains('"'));
    ensure!(!has_quote, "BIRD 2 has no way to write a key with a quotation mark");
    load(place, &config(session))
}

pub(super) fn load(place: &Place<'_>, text: &str) -> Result<Vec<Process>> {
    let config = place.write("bird.conf", text)?;
    let socket = socket(place.dir);
    let arguments =
        ["-f".as_ref(), "-c".as_ref(), config.as_os_str(), "-s".as_ref(), socket.as_os_str()];
    let bird = place.start("/usr/sbin/bird", &arguments)?;
    place.answers(&bird, || ask(place.dir, "show status").map(drop))?;
    Ok(vec![bird])
}

pub(super) fn shell(dir: &Path) -> String {
    format!("birdc -s {} show protocols all directlink", socket(dir).display())
}

pub(super) fn is_established(dir: &Path) -> Result<bool> {
    Ok(ask(dir, "show protocols directlink")?.contains("Established"))
}

/// Since when it is up.
pub(super) fn bfd_history(dir: &Path) -> Result<Option<String>> {
    let said = ask(dir, "show bfd sessions")?;
    let lines = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    // IP address, interface, state, since, …
    let mut up = lines.filter(|words| words.get(2) == Some(&"Up"));
    Ok(up.next().and_then(|words| words.get(3).map(|since| (*since).to_owned())))
}

pub(super) fn learned(dir: &Path) -> Result<Vec<Ipv4Net>> {
    Ok(prefixes(&ask(dir, "show route protocol directlink")?))
}

pub(super) fn table(dir: &Path) -> Result<String> {
    ask(dir, "show route")
}

fn config(session: &Session) -> String {
    let Session { interface, asn, neighbour, neighbour_asn, .. } = session;
    let own = session.address.addr();
    let password = match &session.key {
        Some(key) => format!("  password \"{}\";\n", key.expose()),
        None => String::new(),
    };
    let (watched, watches) = match session.bfd {
        true => (
            "  bfd on;\n",
            format!(
                "protocol bfd {{\n  interface \"{interface}\" \
                 {{ interval 300 ms; multiplier 3; }};\n}}\n\n"
            ),
        ),
        false => ("", String::new()),
    };
    let statics: String =
        session.announced.iter().map(|p| format!("  route {p} unreachable;\n")).collect();
    format!(
        "# One DirectLink interface: a BGP session on its VLAN.\n\
         router id {own};\n\
         log stderr all;\n\n\
         protocol device {{ scan time 1; }}\n\n\
         # What this network announces.\n\
         protocol static announced {{\n  ipv4;\n{statics}}}\n\n\
         # What it learns goes to the kernel, and the announced stays here.\n\
         protocol kernel {{\n  ipv4 {{ import none; export where source = RTS_BGP; }};\n}}\n\n\
         {watches}\
         protocol bgp directlink {{\n\
         \x20 local {own} as {asn};\n\
         \x20 neighbor {neighbour} as {neighbour_asn};\n\
         \x20 interface \"{interface}\";\n\
         \x20 check link yes;\n\
         \x20 strict bind yes;\n\
         {password}{watched}\
         \x20 hold time 9;\n\
         \x20 connect delay time 1;\n\
         \x20 connect retry time 2;\n\
         \x20 error wait time 1, 4;\n\
         \x20 ipv4 {{ import all; export where source = RTS_STATIC; }};\n\
         }}\n"
    )
}

fn socket(dir: &Path) -> PathBuf {
    dir.join("bird.ctl")
}

fn ask(dir: &Path, question: &str) -> Result<String> {
    let socket = socket(dir);
    let arguments = ["-s".as_ref(), socket.as_os_str()];
    tool::output("birdc", arguments.into_iter().chain(question.split(' ').map(AsRef::as_ref)))
}

/// Lines such as `10.0.0.0/16          unicast [directlink 15:04:05.123] * (100) [AS50624i]`.
fn prefixes(text: &str) -> Vec<Ipv4Net> {
    text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_read_from_what_birdc_prints() {
        let text = "BIRD 2.0.12 ready.\nTable master4:\n\
                    10.0.0.0/16          unicast [directlink 15:04:05.123] * (100) [AS50624i]\n\
                    \tvia 169.254.0.1 on vl101\n";
        assert_eq!(prefixes(text), ["10.0.0.0/16".parse().unwrap()]);
    }
}
