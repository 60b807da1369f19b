//! `directlink glass`, `ping`, `traceroute` and `capture`: what an interface's router sees of it, and
//! what it can reach.

use super::customer::Either;
use crate::output::{self, Column, Format};
use anyhow::{Context as _, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand, ValueEnum};
use directlink_model::{
    glass::{Captured, Echo, Pinged, Reply, Shown, ShownPeer, Traced},
    ids::InterfaceId,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
};

#[derive(Subcommand)]
pub(crate) enum GlassCommand {
    /// An interface as its router has it now: session, routes either way and what became of each, rows
    Glass {
        interface: InterfaceId,
        #[command(flatten)]
        either: Either,
    },
    /// Send echoes from the router's place on the interface's VLAN
    Ping {
        interface: InterfaceId,
        /// In the VLAN, or behind it by a route that your router announces; your router itself, if
        /// left out
        target: Option<IpAddr>,
        /// How many, 200 ms apart
        #[arg(long, short, default_value_t = 5, value_name = "NUMBER")]
        count: u32,
        /// Of the IP packet; it is not fragmented
        #[arg(long, short, default_value_t = 84, value_name = "BYTES")]
        size: u32,
        #[command(flatten)]
        either: Either,
    },
    /// Trace the road from the router's place on the interface's VLAN
    Traceroute {
        interface: InterfaceId,
        /// As of `ping`
        target: Option<IpAddr>,
        /// How far
        #[arg(long, short, default_value_t = 16, value_name = "HOPS")]
        max_hops: u32,
        #[command(flatten)]
        either: Either,
    },
    /// Copy the interface's frames, those that the router drops too, with its verdict on each (pcap-ng)
    Capture(CaptureArguments),
}

#[derive(Args)]
pub(crate) struct CaptureArguments {
    interface: InterfaceId,
    /// Where to; `-` is the standard output, as in `… -w - | tcpdump -r -`
    #[arg(long, short, default_value = "-", value_name = "FILE")]
    write: PathBuf,
    /// How long at most, up to 60
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    seconds: u32,
    /// How many frames at most, up to 10000
    #[arg(long, short, default_value_t = 1000, value_name = "FRAMES")]
    count: u32,
    /// How large the file becomes at most, up to 4 MiB
    #[arg(long, default_value_t = 1_048_576, value_name = "BYTES")]
    bytes: u32,
    /// How much of each frame, up to 4096 bytes
    #[arg(long, short, default_value_t = 1600, value_name = "BYTES")]
    snapshot_length: u32,
    /// Which frames
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    frames: Frames,
    #[command(flatten)]
    either: Either,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Frames {
    #[default]
    All,
    /// To and from the router itself: ARP, BGP, BFD, ICMP
    Router,
    Dropped,
}

impl Frames {
    const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Router => "router",
            Self::Dropped => "dropped",
        }
    }
}

pub(crate) async fn run(command: GlassCommand) -> Result<()> {
    match command {
        GlassCommand::Glass { interface, either } => glass(interface, &either).await,
        GlassCommand::Ping { interface, target, count, size, either } => {
            let asked = json!({ "target": target, "count": count, "bytes": size });
            let own = json!({ "Target": target, "Count": count, "Bytes": size });
            let told = ask(&either, interface, ("ping", "Ping"), (asked, own)).await?;
            show(&either, &told["ping"], pinged)
        }
        GlassCommand::Traceroute { interface, target, max_hops, either } => {
            let asked = json!({ "target": target, "hops": max_hops });
            let own = json!({ "Target": target, "MaxHops": max_hops });
            let told = ask(&either, interface, ("trace", "Trace"), (asked, own)).await?;
            show(&either, &told["trace"], traced)
        }
        GlassCommand::Capture(arguments) => capture(&arguments).await,
    }
}

/// Asks the operator's API, or the customers', and answers in the words of the first.
async fn ask(
    either: &Either,
    interface: InterfaceId,
    (what, action): (&str, &str),
    (asked, own): (Value, Value),
) -> Result<Value> {
    if let Some(operator) = either.operator()? {
        return operator
            .add(&format!("interfaces/{interface}/{what}"), &without_nulls(asked))
            .await;
    }
    let mut own = without_nulls(own);
    own["DirectLinkInterfaceId"] = interface.to_string().into();
    let action = format!("{action}DirectLinkInterface");
    Ok(in_our_words(either.identity.ours()?.call(&action, &own).await?))
}

async fn glass(interface: InterfaceId, either: &Either) -> Result<()> {
    let told = match either.operator()? {
        Some(operator) => operator.list(&format!("interfaces/{interface}/glass")).await?,
        None => {
            let asked = json!({ "DirectLinkInterfaceId": interface.to_string() });
            let ours = either.identity.ours()?;
            in_our_words(ours.call("ShowDirectLinkInterface", &asked).await?)
        }
    };
    show(either, &told["glass"], shown)
}

/// As JSON, or in words.
fn show<T: DeserializeOwned>(
    either: &Either,
    told: &Value,
    words: impl Fn(&T) -> Result<()>,
) -> Result<()> {
    match either.format() {
        Format::Json => output::json(told),
        Format::Table => words(&serde_json::from_value(told.clone()).context("the answer")?),
    }
}

fn shown(shown: &Shown) -> Result<()> {
    let net = shown.vni.map_or_else(|| "no Net".to_owned(), |vni| format!("VNI {vni}"));
    let forwards = if shown.forwards { "forwards" } else { "does not forward" };
    output::print(&format!(
        "VLAN {}, MTU {}, {net}, {forwards}; router {}; {}",
        shown.vlan, shown.mtu, shown.router_mac, shown.at
    ))?;
    shown.peers.iter().try_for_each(peer)
}

fn peer(peer: &ShownPeer) -> Result<()> {
    let s = &peer.session;
    let unknown = || "-".to_owned();
    let or = |it: Option<String>| it.unwrap_or_else(unknown);
    let seconds = |it: Option<u64>| or(it.map(|it| format!("{it} s")));
    output::print(&format!(
        "\nneighbour {} AS {} ({}), MAC {}, from {} AS {}\n  state {}, up {}, hold {}, keepalive {}, key {}\n  last change {}, last error {} ({})",
        peer.customer,
        s.peer_asn,
        or(s.peer_identifier.map(|it| it.to_string())),
        or(peer.neighbour.map(|it| it.to_string())),
        peer.router,
        s.local_asn,
        s.state,
        seconds(s.timers.uptime_seconds),
        seconds(s.timers.hold_seconds.map(u64::from)),
        seconds(s.timers.keepalive_seconds.map(u64::from)),
        if s.has_key { "set" } else { "none" },
        or(s.last_change.map(|it| it.to_string())),
        or(s.last_error.clone()),
        or(s.last_error_at.map(|it| it.to_string())),
    ))?;
    let capabilities = [("ours", &s.capabilities.ours), ("theirs", &s.capabilities.theirs)];
    for (whose, list) in capabilities {
        output::print(&format!("  capabilities, {whose}: {}", list.join("; ")))?;
    }
    if let Some(bfd) = &s.bfd {
        let remote = bfd.remote_state.as_deref().unwrap_or("silent");
        output::print(&format!("  BFD {}, theirs {remote}: {}", bfd.state, bfd.diagnostic))?;
    }
    routes(peer)
}

fn routes(peer: &ShownPeer) -> Result<()> {
    const RECEIVED: &[Column] = &[
        ("", "best"),
        ("RECEIVED", "prefix"),
        ("AS PATH", "as_path"),
        ("MED", "med"),
        ("PREF", "local_pref"),
        ("COMMUNITIES", "communities"),
        ("WHAT BECAME OF IT", "why"),
        ("ROW IN THE KERNEL", "row"),
    ];
    const ADVERTISED: &[Column] =
        &[("ADVERTISED", "prefix"), ("AS PATH", "as_path"), ("NEXT HOP", "next_hop")];
    let line = |route: &directlink_model::glass::Received| {
        let standing = route.standing.as_ref();
        let why = match (&route.refused, standing) {
            (Some(refused), _) => format!("refused: {refused}"),
            (None, Some(standing)) => standing.why.clone(),
            (None, None) => "accepted; leads to no Net".to_owned(),
        };
        let row = route.row.as_ref().map(|row| match row.leads_to[..] {
            [] => "none".to_owned(),
            _ => row.leads_to.join(", "),
        });
        let path: Vec<_> = route.as_path.iter().map(u32::to_string).collect();
        let best = if standing.is_some_and(|it| it.is_best) { ">" } else { "" };
        json!({
            "best": best, "prefix": route.prefix, "as_path": path.join(" "), "med": route.med,
            "local_pref": route.local_pref, "communities": route.communities.join(" "),
            "why": why, "row": row,
        })
    };
    let received: Vec<_> = peer.received.iter().map(line).collect();
    output::list(Format::Table, RECEIVED, &received, &Value::Null)?;
    let advertised: Vec<_> = peer.advertised.iter().map(|it| json!(it)).collect();
    output::list(Format::Table, ADVERTISED, &advertised, &Value::Null)?;
    let more = |count: u32, shown: usize| usize::try_from(count).unwrap_or(shown) - shown;
    match (
        more(peer.received_count, peer.received.len()),
        more(peer.advertised_count, peer.advertised.len()),
    ) {
        (0, 0) => Ok(()),
        (received, advertised) => output::print(&format!(
            "and {received} received, {advertised} advertised that are not shown"
        )),
    }
}

fn pinged(pinged: &Pinged) -> Result<()> {
    let Pinged { source, target, bytes, echoes, .. } = pinged;
    output::print(&format!("{source} → {target}, packets of {bytes} bytes, not fragmented"))?;
    for echo in echoes {
        output::print(&format!("{:>3}  {}", echo.sequence, words(echo)))?;
    }
    output::print(&format!("{} of {} answered", pinged.answered(), echoes.len()))?;
    match pinged.answered() {
        0 => bail!("{target} answers no echo"),
        _ => Ok(()),
    }
}

fn traced(traced: &Traced) -> Result<()> {
    let Traced { source, target, hops, .. } = traced;
    output::print(&format!("{source} → {target}"))?;
    hops.iter().try_for_each(|hop| {
        let probes: Vec<_> = hop.probes.iter().map(words).collect();
        output::print(&format!("{:>3}  {}", hop.ttl, probes.join("  ")))
    })
}

fn words(echo: &Echo) -> String {
    let (Some(from), Some(micros)) = (echo.from, echo.micros) else { return "*".to_owned() };
    let says = match echo.reply {
        Some(Reply::Echo | Reply::TimeExceeded) | None => String::new(),
        Some(Reply::Unreachable(code)) => format!(" unreachable ({code})"),
        Some(Reply::TooBig { mtu }) => format!(" too big: {mtu} bytes fit"),
    };
    format!("{from} {}.{:03} ms{says}", micros / 1000, micros % 1000)
}

async fn capture(arguments: &CaptureArguments) -> Result<()> {
    let CaptureArguments { interface, write, seconds, count, bytes, snapshot_length, .. } =
        arguments;
    let is_standard_output = write.as_path() == Path::new("-");
    if is_standard_output && std::io::stdout().is_terminal() {
        bail!("a capture is no text: -w FILE, or a pipe into tcpdump -r - or wireshark -k -i -");
    }
    let which = arguments.frames.name();
    let asked = json!({
        "seconds": seconds, "frames": count, "bytes": bytes, "snap": snapshot_length,
        "which": which,
    });
    let own = json!({
        "Seconds": seconds, "MaxFrames": count, "MaxBytes": bytes,
        "SnapLength": snapshot_length, "Frames": which,
    });
    let told = ask(&arguments.either, *interface, ("capture", "Capture"), (asked, own)).await?;
    let file = told["pcap_ng"].as_str().or_else(|| told["capture"]["pcap_ng"].as_str());
    let file = STANDARD.decode(file.context("the answer lacks the capture")?)?;
    let captured: Captured = serde_json::from_value(told["capture"].clone())?;
    match is_standard_output {
        true => std::io::stdout().write_all(&file).context("the standard output")?,
        false => fs::write(write, &file).with_context(|| write.display().to_string())?,
    }
    eprintln!(
        "{} frames, {} bytes, {} lost: {}",
        captured.frames,
        captured.bytes,
        captured.lost,
        captured.ended.words()
    );
    Ok(())
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            members.into_iter().filter(|(_, it)| !it.is_null()).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

/// The customers' API has another spelling of the same names.
fn in_our_words(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            members.into_iter().map(|(name, it)| (snake(&name), in_our_words(it))).collect()
        }
        Value::Array(items) => items.into_iter().map(in_our_words).collect(),
        other => other,
    }
}

fn snake(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_an_answer_are_read_alike() {
        let told = json!({ "Echoes": [{ "Sequence": 1, "Reply": { "TooBig": { "Mtu": 1400 } } }] });
        let ours =
            json!({ "echoes": [{ "sequence": 1, "reply": { "too_big": { "mtu": 1400 } } }] });
        assert_eq!(in_our_words(told), ours);
    }

    #[test]
    fn an_echo_is_told_in_a_word_or_by_a_star() {
        let echo = |reply| Echo {
            sequence: 1,
            from: Some([10, 0, 0, 1].into()),
            micros: Some(1234),
            reply: Some(reply),
        };
        assert_eq!(words(&echo(Reply::Echo)), "10.0.0.1 1.234 ms");
        let big = echo(Reply::TooBig { mtu: 1400 });
        assert_eq!(words(&big), "10.0.0.1 1.234 ms too big: 1400 bytes fit");
        assert_eq!(words(&Echo { from: None, ..big }), "*");
    }
}
